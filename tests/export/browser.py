"""A headless Chromium and a static server, for tests of the page."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import shutil
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.programs import skip_without

_PROGRAMS = ("chromium", "chromedriver")

_PIXELS = """
const canvas = arguments[0];
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
return [canvas.height, canvas.width, Array.from(data)];
"""


def skip_without_browser() -> None:
    """Skips the test, with the reason, where a program that it drives is missing."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        skip_without(f"{' and '.join(missing)}, from Debian's packages chromium, chromium-driver")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serves a folder as any static server would; yields its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium that keeps a log of every request."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    # In a container there is no sandbox and little shared memory.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver") or "")
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def requested_hosts(driver: Any) -> set[str]:
    """Hosts, with their ports, that the page asked for anything since this was last called."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    return {urllib.parse.urlsplit(url).netloc for url in urls} - {""}  # "": blob: and data:


def pixels(driver: Any, canvas: Any) -> np.ndarray:
    """What a canvas shows, uint8 `[H, W, 4]`."""
    height, width, values = driver.execute_script(_PIXELS, canvas)
    return np.array(values, np.uint8).reshape(height, width, 4)
