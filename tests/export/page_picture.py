"""Takes the picture of the page that the README shows.

make build/web_demo
.venv/bin/python -m tests.export.page_picture build/web_demo docs/page.png
"""

import io
import sys
from pathlib import Path

from PIL import Image
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.export.browser import chromium, served

WIDTH, HEIGHT = 882, 1330
FACE = 3  # of the first twelve, from 0


def take(site: Path, out: Path) -> None:
    """Draws happy faces, turns one into surprise, and keeps what a window of that size shows."""
    with served(site) as url, chromium() as driver:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        driver.get(url)
        wait = WebDriverWait(driver, 60)
        wait.until(lambda _: driver.find_element("id", "status").text == "Ready.")
        driver.find_elements("css selector", "#faces button")[FACE].click()
        driver.find_element("id", "edit-chosen").click()
        Select(driver.find_element("id", "target")).select_by_visible_text("surprise")
        wait.until(lambda _: driver.find_element("id", "after-text").text.startswith("As surprise"))
        driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    picture.quantize(256).save(out, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
