"""The page in a real browser, beside the same model in Python."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bplf_tf import EMOTIONS, PixelSynthesis
from datasets.pairs import load_pairs
from export import web
from tests.export import page_picture
from tests.export.browser import chromium, pixels, requested_hosts, served, skip_without_browser
from tests.export.png_files import promising
from tests.programs import skip_without

SECONDS = 60


@pytest.fixture(scope="module")
def site(model_file, tmp_path_factory):
    """The page of a trained model."""
    if shutil.which("npm") is None:
        skip_without("npm, which fetches LiteRT.js")
    folder = tmp_path_factory.mktemp("web") / "site"
    assert web.main(web.WebSettings(model=str(model_file), out=str(folder))) == 0
    return folder


@pytest.fixture(scope="module")
def driver():
    skip_without_browser()
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(site):
    with served(site) as url:
        yield url


@pytest.fixture
def page(driver, address):
    """The page, loaded anew, with its first faces."""
    driver.set_window_size(1200, 1600)
    driver.get(address)
    wait_until(driver, lambda: text(driver, "status") == "Ready.")
    return driver


def wait_until(driver, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, SECONDS, poll_frequency=0.05).until(lambda _: condition())


def element(driver, name):
    return driver.find_element("id", name)


def text(driver, name):
    return element(driver, name).text


def choose(driver, name, value):
    """Clicks an option of a select, or sets an input as a user would, with its event."""
    from selenium.webdriver.support.ui import Select

    control = element(driver, name)
    if control.tag_name == "select":
        Select(control).select_by_value(str(value))
        return
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));"
    driver.execute_script(script, control, str(value))


def settle(driver):
    """Waits for the faces of the newest choices."""
    wait_until(driver, lambda: element(driver, "faces").get_attribute("aria-busy") == "false")


def faces(driver):
    canvases = driver.find_elements("css selector", "#faces canvas")
    return np.stack([pixels(driver, canvas) for canvas in canvases])


def grey(rgba):
    assert (rgba[..., :1] == rgba[..., :3]).all()
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :1]


def assert_same_picture(found, expected):
    difference = np.abs(found.astype(int) - expected.astype(int))
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.97  # weights are float16 in the file


def upload(driver, path):
    element(driver, "photo").send_keys(str(path))


def test_asks_no_other_host_and_reports_no_error(driver, address):
    driver.get_log("performance"), driver.get_log("browser")
    driver.get(address)
    wait_until(driver, lambda: text(driver, "status") == "Ready.")
    assert requested_hosts(driver) == {address.removeprefix("http://").rstrip("/")}
    # The runtime tells what it does where errors are told.
    told = [entry for entry in driver.get_log("browser") if "/runtime/" not in entry["message"]]
    assert [entry["message"] for entry in told if entry["level"] == "SEVERE"] == []


def test_samples_are_those_of_python(page, model):
    classes = model.config.classes
    for seed, label in ((0, "happy"), (-5, "sad")):
        choose(page, "label", classes.index(label))
        choose(page, "temperature", 0.6)
        choose(page, "seed", seed)
        settle(page)
        expected = model.sample(label, n=12, temperature=0.6, seed=seed)
        assert_same_picture(grey(faces(page)), expected)


def test_mixture_is_that_of_python(page, model):
    classes = model.config.classes
    choose(page, "label", classes.index("happy"))
    choose(page, "second-label", classes.index("surprise"))
    choose(page, "share", 0.25)
    settle(page)
    condition = np.zeros((12, len(classes)), np.float32)
    condition[:, classes.index("happy")], condition[:, classes.index("surprise")] = 0.75, 0.25
    expected = model.sample(condition, n=12, temperature=0.7, seed=0)
    assert_same_picture(grey(faces(page)), expected)
    assert "happy and surprise" in text(page, "chosen-text")


def test_another_face_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    before = faces(page)
    element(page, "another").send_keys(Keys.ENTER)
    wait_until(page, lambda: element(page, "seed").get_attribute("value") != "0")
    settle(page)
    assert (faces(page) != before).any()


def test_transfer_is_that_of_python(page, model, tmp_path):
    classes, shape = model.config.classes, model.config.image_shape
    image = model.sample("neutral", n=1, temperature=0.7, seed=3)
    assert image.shape[1:] == shape
    Image.fromarray(image[0, ..., 0]).save(tmp_path / "face.png")
    upload(page, tmp_path / "face.png")
    choose(page, "source", classes.index("neutral"))
    choose(page, "target", classes.index("happy"))
    choose(page, "strength", 0.8)
    wait_until(page, lambda: text(page, "after-text") == "As happy, strength 0.80")
    wait_until(page, lambda: "taken as neutral" in text(page, "before-text"))
    assert (grey(pixels(page, element(page, "before"))) == image[0]).all()
    expected = model.transfer(image, "neutral", "happy", strength=0.8)[0]
    assert_same_picture(grey(pixels(page, element(page, "after"))), expected)
    link = element(page, "download-after")
    assert link.get_attribute("download") == "happy.png"
    assert link.get_attribute("href").startswith("data:image/png;base64,")


def test_source_is_the_likeliest_label(page, model, tmp_path):
    image = model.sample("surprise", n=1, temperature=0.7, seed=4)
    Image.fromarray(image[0, ..., 0]).save(tmp_path / "face.png")
    upload(page, tmp_path / "face.png")
    wait_until(page, lambda: "likeliest as" in text(page, "before-text"))
    classes = model.config.classes
    values = [model.bits_per_dim(image, label)[0] for label in classes]
    assert text(page, "before-text").endswith(classes[int(np.argmin(values))])


def test_sampled_face_can_be_changed(page):
    page.find_elements("css selector", "#faces button")[2].click()
    element(page, "edit-chosen").click()
    wait_until(page, lambda: text(page, "after-text").startswith("As "))
    shown = pixels(page, element(page, "before"))
    assert (shown == pixels(page, element(page, "chosen-face"))).all()


def large_photo():
    ramp = np.linspace(0, 255, 1200, dtype=np.uint8)
    return np.stack([np.tile(ramp, (900, 1))] * 3, axis=-1)


def test_large_photo_is_cropped_and_resized(page, model, tmp_path):
    Image.fromarray(large_photo()).save(tmp_path / "photo.jpg", quality=95)
    upload(page, tmp_path / "photo.jpg")
    wait_until(page, lambda: text(page, "after-text").startswith("As "))
    shape = model.config.image_shape
    square = Image.fromarray(large_photo()[:, 150:1050]).convert("L")
    expected = np.asarray(square.resize((shape[1], shape[0]), Image.Resampling.BOX))
    found = grey(pixels(page, element(page, "before")))[..., 0]
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 4


DROP = """
const [target, content, name] = arguments;
const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
const dataTransfer = new DataTransfer();
if (name) dataTransfer.items.add(new File([bytes], name));
for (const kind of ['dragover', 'drop']) {
  target.dispatchEvent(new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
}
"""


def drop(driver, content, name):
    """Drops a file, or none without a name, where the page takes photos."""
    encoded = base64.b64encode(content).decode()
    driver.execute_script(DROP, element(driver, "drop"), encoded, name)


def test_photo_is_dropped(page, tmp_path):
    drop(page, b"", None)
    wait_until(page, lambda: "That is no file" in text(page, "photo-error"))
    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    drop(page, (tmp_path / "photo.png").read_bytes(), "photo.png")
    wait_until(page, lambda: text(page, "after-text").startswith("As "))
    assert text(page, "photo-error") == ""


DROP_BESIDE = """
const given = {dataTransfer: new DataTransfer(), bubbles: true, cancelable: true};
const events = ['dragover', 'drop'].map((kind) => new DragEvent(kind, given));
for (const event of events) document.body.dispatchEvent(event);
return events.map((event) => event.defaultPrevented);
"""


def test_what_is_dropped_beside_the_box_is_not_opened_by_the_browser(driver, site, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    never = "export async function loadLiteRt() { await new Promise(() => {}); }"
    runtime = folder / "runtime" / "core" / "dist" / "index.js"
    runtime.write_text(f"{never}\nexport class Tensor {{}}\nexport function loadAndCompile() {{}}")
    with served(folder) as url:
        driver.get(url)
        assert text(driver, "status") == "Loading the model."
        assert driver.execute_script(DROP_BESIDE) == [True, True]


def test_crop_by_keyboard(page, model, tmp_path):
    """The photo gets brighter to the right, and so does what the model sees of it."""
    from selenium.webdriver.common.keys import Keys

    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    upload(page, tmp_path / "photo.png")
    wait_until(page, lambda: text(page, "after-text").startswith("As "))
    seen = [grey(pixels(page, element(page, "before"))).astype(float)]
    for keys in ("+" * 4, Keys.ARROW_RIGHT * 3, Keys.ARROW_LEFT * 6):
        element(page, "crop").send_keys(keys)
        seen.append(grey(pixels(page, element(page, "before"))).astype(float))
    whole, zoomed, right, left = seen
    assert np.ptp(zoomed) < np.ptp(whole) - 10
    assert right.mean() > zoomed.mean() + 1
    assert left.mean() < zoomed.mean() - 1


@pytest.mark.parametrize("content", [b"not a picture", b"\x89PNG\r\n\x1a\n", b""])
def test_bad_upload_gets_a_message_and_harms_nothing(page, tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    upload(page, tmp_path / "bad.png")
    wait_until(page, lambda: "bad.png" in text(page, "photo-error"))
    assert "is not a picture that this browser can read" in text(page, "photo-error")
    Image.fromarray(large_photo()).save(tmp_path / "good.png")
    upload(page, tmp_path / "good.png")
    wait_until(page, lambda: text(page, "after-text").startswith("As "))
    assert text(page, "photo-error") == ""


def true(width, height):
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, format="PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "size"),
    [(promising(10_000, 10_000), "10000 x 10000"), (true(8000, 6000), "8000 x 6000")],
    ids=["promised", "true"],
)
def test_photo_of_too_many_pixels_is_refused(page, tmp_path, content, size):
    assert len(content) < 1e5  # its bytes would not tell
    (tmp_path / "huge.png").write_bytes(content)
    upload(page, tmp_path / "huge.png")
    wait_until(page, lambda: "huge.png" in text(page, "photo-error"))
    told = text(page, "photo-error")
    assert f"has {size} pixels; pictures of at most 40 million pixels" in told
    assert not element(page, "editor").is_displayed()


def test_what_is_transparent_lies_on_white(page, tmp_path):
    """As a SavedModel reads it; hidden colours do not become the face."""
    rgba = np.random.default_rng(0).integers(0, 256, [16, 16, 4], np.uint8)
    rgba[:8, :, 3] = 0
    photo = Image.fromarray(rgba)
    photo.save(tmp_path / "photo.png")
    upload(page, tmp_path / "photo.png")
    wait_until(page, lambda: text(page, "after-text").startswith("As "))
    found = grey(pixels(page, element(page, "before")))[..., 0].astype(int)
    assert (found[:8] == 255).all()
    white = Image.new("RGB", photo.size, "white")
    white.paste(photo, mask=photo.getchannel("A"))
    assert np.abs(found - np.asarray(white.convert("L"))).max() <= 2  # rounded in other places


def test_readable_on_a_phone(page):
    page.set_window_size(500, 900)  # the least that Chromium's window takes
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360
        targets = page.find_elements("css selector", "button, select, .button")
        assert all(one.size["height"] >= 36 for one in targets if one.is_displayed())
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_picture_of_the_page(site, tmp_path):
    skip_without_browser()
    page_picture.take(site, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (page_picture.WIDTH, page_picture.HEIGHT)


def test_model_card_is_shown(page, model):
    card = text(page, "card")
    assert ", ".join(model.config.classes) in card
    assert "Trained on" in card


def test_the_page_of_a_pixel_model_edits_photos_alone(driver, site, tmp_path):
    pairs = load_pairs("drawn_faces", "train", image_size=16, people=12)
    parts = {name: pairs.of(name) for name in pairs.expressions}
    model = PixelSynthesis().fit(
        {name: part.neutral for name, part in parts.items()},
        {name: part.expressive for name, part in parts.items()},
        pairs_checked=True,
    )
    model.save(tmp_path / "pixel.npz")
    face = parts["happy"].neutral[:1]
    Image.fromarray(face[0, ..., 0]).save(tmp_path / "face.png")
    folder = tmp_path / "site"
    settings = web.WebSettings(model=str(tmp_path / "pixel.npz"), out=str(folder))
    assert web.main(settings) == 0
    with served(folder) as url:
        driver.get(url)
        wait_until(driver, lambda: text(driver, "status") == "Ready.")
        assert driver.title == "Facial expressions from a pixel model"
        assert not element(driver, "faces").is_displayed()
        upload(driver, tmp_path / "face.png")
        choose(driver, "target", EMOTIONS.index("happy"))
        choose(driver, "strength", 0.8)
        wait_until(driver, lambda: text(driver, "after-text") == "As happy, strength 0.80")
        assert not element(driver, "source").is_displayed()
        assert "taken as neutral" in text(driver, "before-text")
        assert (grey(pixels(driver, element(driver, "before"))) == face[0]).all()
        expected = model.transform(face, "happy", 0.8)[0]
        assert_same_picture(grey(pixels(driver, element(driver, "after"))), expected)
        assert float(element(driver, "strength").get_attribute("max")) <= 1.5
        assert ", ".join(EMOTIONS) in text(driver, "card")


# Stands for LiteRT.js: `answers` says what each function of the model gives, or does.
RUNTIME = """
export class Tensor {
  constructor(values) { this.values = values; }
  async data() { return this.values; }
  delete() {}
}
window.image = (grey) => ({image: new Tensor(new Uint8Array(256).fill(grey))});
window.numbers = (value) => ({log_prob: new Tensor(Float32Array.of(value))});
window.answers = {
  sample_condition: () => window.image(100),
  transfer: () => window.image(150),
  log_prob: () => window.numbers(-1),
};
export async function loadLiteRt() {}
export async function loadAndCompile() {
  const signature = (name) => ({run: async () => window.answers[name]()});
  const names = Object.keys(window.answers);
  return {signatures: Object.fromEntries(names.map((name) => [name, signature(name)]))};
}
"""


@pytest.fixture(scope="module")
def stub_address(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stub") / "site"
    shutil.copytree(site, folder)
    (folder / "runtime" / "core" / "dist" / "index.js").write_text(RUNTIME)
    with served(folder) as url:
        yield url


@pytest.fixture
def stub(driver, stub_address):
    """The page over a model that gives what a test wants of it."""
    driver.set_window_size(1200, 1600)
    driver.get(stub_address)
    wait_until(driver, lambda: text(driver, "status") == "Ready.")
    assert (faces(driver)[..., 0] == 100).all()
    return driver


def test_no_likelihood_is_no_label(stub, tmp_path):
    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    stub.execute_script("answers.log_prob = () => numbers(NaN)")
    upload(stub, tmp_path / "photo.png")
    wait_until(stub, lambda: "That did not work" in text(stub, "status"))
    assert "finds no likelihood of this picture" in text(stub, "status")
    assert "undefined" not in text(stub, "before-text")
    assert text(stub, "after-text") == ""
    stub.execute_script("answers.log_prob = () => numbers(-2)")
    choose(stub, "strength", 0.5)
    wait_until(stub, lambda: "strength 0.50" in text(stub, "after-text"))
    assert text(stub, "status") == "Ready."


def test_a_black_answer_is_no_picture(stub, tmp_path):
    stub.execute_script("answers.sample_condition = answers.transfer = () => image(0)")
    choose(stub, "temperature", 1.2)
    wait_until(stub, lambda: "makes no picture of these choices" in text(stub, "status"))
    settle(stub)
    assert (faces(stub)[..., 0] == 100).all()  # those of before
    stub.execute_script("answers.sample_condition = () => image(100)")
    choose(stub, "temperature", 0.7)
    wait_until(stub, lambda: text(stub, "status") == "Ready.")
    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    upload(stub, tmp_path / "photo.png")
    wait_until(stub, lambda: "makes no picture of these choices" in text(stub, "status"))
    assert text(stub, "after-text") == ""


def test_the_newest_request_is_answered_where_the_one_before_fails(stub):
    stub.execute_script(
        """
        answers.sample_condition = () => new Promise((resolve, reject) => {
          window.fail = () => reject(new Error('out of memory'));
        });
        """
    )
    choose(stub, "temperature", 0.5)
    wait_until(stub, lambda: stub.execute_script("return 'fail' in window"))
    choose(stub, "temperature", 0.6)
    stub.execute_script("answers.sample_condition = () => image(60); fail()")
    wait_until(stub, lambda: (faces(stub)[..., 0] == 60).all())
    settle(stub)
    assert text(stub, "status") == "Ready."
    # And where there is no newer one, the page does not look busy for ever.
    stub.execute_script(
        "answers.sample_condition = () => { throw new Error('out of memory'); }",
    )
    choose(stub, "temperature", 0.7)
    wait_until(stub, lambda: "That did not work: out of memory" in text(stub, "status"))
    settle(stub)


def test_faces_of_choices_that_were_left_are_not_drawn_to_the_end(stub):
    """The answers of the model come before any task of the browser, as those of LiteRT.js."""
    stub.execute_script(
        """
        window.drawn = 0;
        answers.sample_condition = () => { window.drawn += 1; return image(90); };
        const temperature = document.getElementById('temperature');
        let event = 0;
        const drag = () => {
          temperature.value = 0.1 * event;
          temperature.dispatchEvent(new Event('input'));
          event += 1;
          if (event < 10) setTimeout(drag);
        };
        drag();
        """
    )
    wait_until(stub, lambda: text(stub, "temperature-value") == "0.90")
    settle(stub)
    assert (faces(stub)[..., 0] == 90).all()
    drawn = stub.execute_script("return window.drawn")
    assert 12 <= drawn < 5 * 12  # ten times twelve, were no event to get in


def test_the_same_photo_can_be_uploaded_again(stub, tmp_path):
    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    upload(stub, tmp_path / "photo.png")
    wait_until(stub, lambda: text(stub, "after-text").startswith("As "))
    stub.find_elements("css selector", "#faces button")[2].click()
    element(stub, "edit-chosen").click()
    wait_until(stub, lambda: not element(stub, "crop").is_displayed())
    upload(stub, tmp_path / "photo.png")
    wait_until(stub, lambda: element(stub, "crop").is_displayed())


def test_first_photo_is_shown_under_another_label_than_its_own(stub, tmp_path):
    happy = EMOTIONS.index("happy")
    stub.execute_script(
        """
        const [likeliest, labels] = arguments;
        let call = 0;
        answers.log_prob = () => numbers(call++ % labels === likeliest ? -1 : -2);
        """,
        happy,
        len(EMOTIONS),
    )
    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    upload(stub, tmp_path / "photo.png")
    wait_until(stub, lambda: text(stub, "after-text").startswith("As "))
    assert text(stub, "before-text").endswith("likeliest as happy")
    assert text(stub, "after-text").startswith(f"As {EMOTIONS[happy + 1]},")
    # A target that was chosen stays.
    choose(stub, "target", happy)
    wait_until(stub, lambda: text(stub, "after-text").startswith("As happy,"))
    upload(stub, tmp_path / "photo.png")
    choose(stub, "strength", 0.5)
    wait_until(stub, lambda: text(stub, "after-text") == "As happy, strength 0.50")


def test_hint_about_dragging_goes_with_the_photo(stub, tmp_path):
    element(stub, "edit-chosen").click()
    wait_until(stub, lambda: text(stub, "after-text").startswith("As "))
    assert not element(stub, "crop-hint").is_displayed()
    Image.fromarray(large_photo()).save(tmp_path / "photo.png")
    upload(stub, tmp_path / "photo.png")
    wait_until(stub, lambda: element(stub, "crop-hint").is_displayed())


def test_a_face_keeps_the_choices_that_drew_it(stub):
    """Where the seed is no number to draw from, the controls say what no face shows."""
    from selenium.webdriver.support.ui import Select

    choose(stub, "seed", 99999999999)
    wait_until(stub, lambda: "the seed must be a whole number" in text(stub, "status"))
    element(stub, "label").send_keys("sad")
    assert stub.switch_to.active_element == element(stub, "label")
    stub.find_elements("css selector", "#faces button")[3].click()
    assert text(stub, "chosen-text") == "Face 4 of seed 0, happy"
    assert element(stub, "chosen-face").get_attribute("aria-label") == text(stub, "chosen-text")
    name = element(stub, "download-chosen").get_attribute("download")
    assert name == "happy_seed_0_face_4.png"
    element(stub, "edit-chosen").click()
    wait_until(stub, lambda: text(stub, "after-text").startswith("As "))
    assert Select(element(stub, "source")).first_selected_option.text == "happy"
    choose(stub, "seed", 5)
    wait_until(stub, lambda: text(stub, "chosen-text") == "Face 4 of seed 5, sad")
    settle(stub)
    assert text(stub, "status") == "Ready."


def test_a_page_without_a_server_says_what_it_needs(driver, site):
    driver.get((site / "index.html").as_uri())
    assert "the page needs a web server" in text(driver, "status")


def test_missing_model_is_told(driver, site, tmp_path):
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    Path(broken / "model.tflite").unlink()
    with served(broken) as url:
        driver.get(url)
        wait_until(driver, lambda: "could not be loaded" in text(driver, "status"))
