"""`PixelSynthesis`: its doors, its errors, its files."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from PIL import Image

from bplf_tf import PixelSynthesis
from bplf_tf.bijectors import PixelAffine
from bplf_tf.pixel_features import PixelFeatures
from bplf_tf.pixel_ridge import MIN_SLOPE, ridge_weights
from datasets.drawn_faces import pair
from tests.bplf_tf.pixel_data import make_pairs
from tests.checkout import ROOT

tfb = tfp.bijectors


def fitted(**options):
    neutral, happy = make_pairs()
    _, sad = make_pairs(seed=0, noise=60)
    pairs = {"happy": happy, "sad": 255 - sad[::-1] // 2}
    return PixelSynthesis(**options).fit(neutral, pairs, pairs_checked=True), neutral


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"invertible": False},
        {"window": 3, "shared_channels": True},
        {"kernel": "polynomial", "degree": 3},
        {"kernel": "rbf"},
    ],
    ids=str,
)
def test_transform_is_the_regression_rounded(options):
    model, neutral = fitted(**options)
    _, happy = make_pairs()
    weights = ridge_weights(
        model.features, neutral, happy, 0.4, model.shared_channels,
        MIN_SLOPE if model.invertible else None,
    )  # fmt: skip
    other = np.random.default_rng(5).integers(0, 256, (3, 6, 5, 2), np.uint8)
    for strength in (1.0, 0.6):
        x = other / 255
        seen = model.features.each(other, slice(0, 6))
        f = sum(w * feature for w, feature in zip(weights, seen, strict=True))
        expected = np.clip(255 * (x + strength * (f - x)), 0, 255)
        edited = model.transform(other, "happy", strength)
        assert edited.dtype == np.uint8
        assert np.abs(edited - expected).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("options", [{}, {"window": 3}, {"kernel": "rbf"}], ids=str)
def test_strength_0_and_neutral_return_the_images(options):
    model, neutral = fitted(**options)
    np.testing.assert_array_equal(model.transform(neutral, "sad", 0.0), neutral)
    np.testing.assert_array_equal(model.transform(neutral, "neutral", 0.7), neutral)


def test_a_mixture_is_the_strength_towards_it():
    model, neutral = fitted()
    np.testing.assert_array_equal(
        model.transform(neutral, {"neutral": 0.3, "sad": 0.7}),
        model.transform(neutral, "sad", 0.7),
    )
    half = model.transform(neutral, {"happy": 0.5, "sad": 0.5}).astype(int)
    happy, sad = (model.transform(neutral, label).astype(int) for label in ("happy", "sad"))
    # Where neither was clipped there is rounding alone: of half twice half a level, and of both.
    inside = (np.minimum(happy, sad) > 0) & (np.maximum(happy, sad) < 255)
    assert inside.mean() > 0.2
    assert np.abs(2 * half - happy - sad)[inside].max() <= 2


def test_from_one_label_to_another_and_back():
    model, neutral = fitted()
    happy = model.transform(neutral, "happy")
    inside = (happy > 0) & (happy < 255)
    again = model.transform(happy, "sad", source="happy")
    direct = model.transform(neutral, "sad")
    # Half a grey level of rounding is stretched by the slopes' ratio, at most 1.3 / 0.05.
    assert np.median(np.abs(again.astype(int) - direct)[inside]) <= 1
    np.testing.assert_array_equal(model.transform(happy, "sad", 0.0, source="happy"), happy)
    slopes = model.weights["happy"][0]
    steep = inside & (slopes > 0.9)
    back = model.transform(happy, "neutral", source="happy")
    assert np.abs(back.astype(int) - neutral)[steep].max() <= 1


def test_the_bound_of_strength_is_where_a_slope_falls_to_the_least():
    model, neutral = fitted(ridge=1e-3)
    low, high = model.strength_range("happy")
    slopes = model.weights["happy"][0].astype(float)
    assert high == pytest.approx(max(1, (1 - MIN_SLOPE) / (1 - slopes.min())), rel=1e-6)
    assert low == pytest.approx(-(1 - MIN_SLOPE) / (slopes.max() - 1), rel=1e-6)
    assert low < 0 < 1 <= high
    for strength in (low, high):
        model.transform(neutral, "happy", strength)
    for strength in (low - 0.01, high + 0.01, 7.0):
        with pytest.raises(ValueError, match=r"strengths from -.* to .* are accepted"):
            model.transform(neutral, "happy", strength)
        with pytest.raises(ValueError, match="is not invertible: a slope would be"):
            model.bijector("happy", strength)
    for source, target in (("happy", "sad"), ("sad", "happy"), ("sad", "neutral")):
        low, high = model.strength_range(target, source)
        assert low <= 0 < 1 <= high
        model.transform(neutral, target, source=source)
    with pytest.raises(ValueError, match="finite number, got nan"):
        model.transform(neutral, "happy", math.nan)


def test_a_model_that_cannot_be_inverted_says_so():
    model, neutral = fitted(window=3)
    model.transform(neutral, "happy", 3.0)
    for function in (
        lambda: model.transform(neutral, "sad", source="happy"),
        lambda: model.strength_range("happy"),
        lambda: model.bijector("happy"),
    ):
        with pytest.raises(ValueError, match="invertible"):
            function()


def test_the_bijector_does_what_transform_does():
    model, neutral = fitted()
    scale = lambda images: tf.constant((images + np.float32(0.5)) / 256 - 0.5, tf.float32)  # noqa: E731
    for strength in (1.0, 0.4):
        bijector = model.bijector("sad", strength)
        there = (bijector.forward(scale(neutral)) + 0.5) * 256 - 0.5
        edited = model.transform(neutral, "sad", strength)
        assert np.abs(np.clip(there, 0, 255) - edited).max() <= 0.5 + 1e-3
    edit = tfb.Chain([model.bijector("sad"), tfb.Invert(model.bijector("happy"))])
    there = (edit.forward(scale(neutral)) + 0.5) * 256 - 0.5
    edited = model.transform(neutral, "sad", source="happy")
    assert np.abs(np.clip(there, 0, 255) - edited).max() <= 0.5 + 1e-2


def test_the_bijector_of_a_flows_labels():
    model, neutral = fitted()
    slopes, shifts = model.tables(("sad", "neutral", "happy"))
    images = tf.constant((neutral + np.float32(0.5)) / 256 - 0.5, tf.float32)
    for condition, target in (
        ([1.0, 0, 0], "sad"),
        ([0, 1.0, 0], "neutral"),
        ([0, 0.25, 0.75], {"happy": 0.75, "neutral": 0.25}),
    ):
        of_condition = PixelAffine.of_condition(condition, slopes, shifts)
        np.testing.assert_allclose(
            of_condition.forward(images), model.bijector(target).forward(images), atol=1e-6
        )
    with pytest.raises(ValueError, match="unknown label 'anger'"):
        model.tables(("anger", "neutral"))


def test_size():
    model = PixelSynthesis(shared_channels=True)
    neutral, happy = make_pairs(4, (128, 128, 3))
    model.fit(neutral, {"happy": happy}, pairs_checked=True)
    assert model.parameters == 2 * 128 * 128
    assert model.size_bytes == 4 * model.parameters
    assert fitted()[0].parameters == 2 * 2 * 6 * 5 * 2


def test_shared_channels_take_grey_and_colour():
    model, neutral = fitted(shared_channels=True)
    grey = model.transform(neutral[..., :1], "happy")
    np.testing.assert_array_equal(grey, model.transform(neutral, "happy")[..., :1])


def test_unpaired_faces():
    neutral, _ = make_pairs(count=30)
    _, happy = make_pairs(count=50, seed=2)
    model = PixelSynthesis().fit_unpaired(neutral, {"happy": happy})
    assert model.ridges == {"happy": None}
    edited = model.transform(neutral, "happy")
    assert np.abs(edited.mean(0) - happy.mean(0)).mean() < 6
    with pytest.raises(ValueError, match="moments determine an invertible model alone"):
        PixelSynthesis(window=3).fit_unpaired(neutral, {"happy": happy})
    with pytest.raises(ValueError, match="at least two images of a kind, got 30 neutral and 1 'h"):
        PixelSynthesis().fit_unpaired(neutral, {"happy": happy[:1]})


def test_cross_validation_chooses_for_each_label_and_leaves_people_out():
    neutral, happy = make_pairs(noise=2)
    rng = np.random.default_rng(99)
    noise = rng.integers(0, 256, neutral.shape, np.uint8)
    model = PixelSynthesis(ridge="cross_validation", window=3)
    model.fit(neutral, {"happy": happy, "noise": noise}, pairs_checked=True)
    assert model.ridges["happy"] < model.ridges["noise"]
    # The same pair twice: left out alone, its copy gives it away.
    twice = [np.concatenate([images, images]) for images in (neutral, noise)]
    alone, together = (
        PixelSynthesis(ridge="cross_validation", window=3)
        .fit(twice[0], {"noise": twice[1]}, people=people, pairs_checked=True)
        .ridges["noise"]
        for people in (None, [*range(20), *range(20)])
    )
    assert alone < together
    with pytest.raises(ValueError, match="got 3 people for 20 pairs"):
        model.fit(neutral, {"happy": happy}, people=[1, 2, 3], pairs_checked=True)


def test_neutral_images_by_label():
    neutral, happy = make_pairs()
    few = PixelSynthesis().fit(
        {"happy": neutral, "sad": neutral[:9]}, {"happy": happy, "sad": happy[:9]},
        pairs_checked=True,
    )  # fmt: skip
    alone = PixelSynthesis().fit(neutral[:9], {"sad": happy[:9]}, pairs_checked=True)
    np.testing.assert_array_equal(few.weights["sad"], alone.weights["sad"])


@pytest.mark.parametrize("options", [{}, {"window": 3}, {"ridge": "cross_validation"}], ids=str)
def test_files(options, tmp_path):
    model, neutral = fitted(**options)
    path = tmp_path / "model.npz"
    model.save(path)
    assert path.stat().st_size < model.size_bytes + 4096
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]
    again = PixelSynthesis.load(path)
    for label in ("happy", "sad"):
        np.testing.assert_array_equal(
            again.transform(neutral, label, 0.8), model.transform(neutral, label, 0.8)
        )
    assert (again.labels, again.ridges, again.ridge) == (model.labels, model.ridges, model.ridge)
    with np.load(path, allow_pickle=False) as file:  # plain arrays alone
        assert json.loads(str(file["about"]))["format"].startswith("bplf_tf.PixelSynthesis")


def test_files_that_are_no_models(tmp_path):
    model, _ = fitted()
    with pytest.raises(ValueError, match=r"must end in \.npz, got 'model\.pkl'"):
        model.save(tmp_path / "model.pkl")
    with pytest.raises(ValueError, match="not been fitted"):
        PixelSynthesis().save(tmp_path / "model.npz")
    with pytest.raises(FileNotFoundError, match="no pixel model at"):
        PixelSynthesis.load(tmp_path / "none.npz")
    path = tmp_path / "model.npz"
    path.write_text("not a model")
    with pytest.raises(ValueError, match="is not a pixel model"):
        PixelSynthesis.load(path)
    model.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="is not a pixel model"):
        PixelSynthesis.load(path)
    about = {"format": "another"}
    np.savez(path, about=np.array(json.dumps(about)))
    with pytest.raises(ValueError, match="its format is 'another'"):
        PixelSynthesis.load(path)
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(path, about=objects, allow_pickle=True)
    with pytest.raises(ValueError, match="is not a pixel model"):
        PixelSynthesis.load(path)
    for weights, message in [
        (np.full([2, 6, 5, 2], np.nan, np.float32), "not finite"),
        (np.zeros([3, 6, 5, 2], np.float32), "for 2 features"),
        (np.zeros([2, 6, 5, 2]), "types"),
    ]:
        about = {
            "format": "bplf_tf.PixelSynthesis 1",
            "features": {"window": 1, "kernel": "linear", "degree": 2, "centres": 8},
            "ridge": 0.4,
            "shared_channels": False,
            "invertible": True,
            "ridges": {"happy": 0.4},
        }
        np.savez(path, about=np.array(json.dumps(about)), array_0=weights)
        with pytest.raises(ValueError, match=message):
            PixelSynthesis.load(path)


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    model, _ = fitted()
    path = tmp_path / "model.npz"
    model.save(path)
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space left"):
        model.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


@pytest.fixture(scope="module")
def drawn():
    """uint8 `[40, 24, 24, 1]` twice, neutral and happy."""
    return tuple(map(np.stack, zip(*(pair(seed, "happy", 24) for seed in range(40)), strict=True)))


def test_drawn_pairs_are_accepted_and_learnt(drawn):
    """Of people that it was not fitted to, better than what knows nothing."""
    (neutral, faces), (happy, true) = ((images[:30], images[30:]) for images in drawn)
    model = PixelSynthesis(ridge="cross_validation").fit(neutral, {"happy": happy})
    error = lambda images: np.mean((images.astype(float) - true) ** 2)  # noqa: E731
    edited = error(model.transform(faces, "happy"))
    assert edited < 0.9 * error(faces)
    assert edited < 0.9 * error(happy.mean(axis=0))


def test_several_pairs_of_few_people_are_accepted(drawn):
    """Frames of a sequence share their neutral image, and correlate with each other as pairs do."""
    neutral, happy = (np.repeat(images[:2], 4, axis=0) for images in drawn)
    happy = np.clip(happy.astype(int) + np.arange(8)[:, None, None, None], 0, 255).astype(np.uint8)
    for people in (None, list("aaaabbbb")):
        PixelSynthesis().fit(neutral, {"happy": happy}, people=people)


def test_images_that_are_no_pairs_are_refused(drawn):
    neutral, happy = drawn
    with pytest.raises(ValueError, match="neutral and 'happy' are not pairs"):
        PixelSynthesis().fit(neutral, {"happy": np.roll(happy, 1, axis=0)})
    with pytest.raises(
        ValueError, match=r"not aligned: .* of 'happy' is moved by 0 pixels up or down and 3"
    ):
        PixelSynthesis().fit(neutral, {"happy": np.roll(happy, 3, axis=2)})


def posed(images, degrees=0, factor=1.0):
    """Turned counterclockwise about the middle, and enlarged, by Pillow."""
    side = images.shape[1]
    left, right = (round(side / 2 * (1 + edge / factor)) for edge in (-1, 1))

    def one(image):
        picture = Image.fromarray(image[..., 0]).rotate(degrees, Image.Resampling.BILINEAR)
        return np.asarray(picture.resize((side, side), box=(left, left, right, right)))

    return np.stack([one(image) for image in images])[..., None]


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (lambda images: posed(images, degrees=12), "is turned by -15 degrees"),
        (lambda images: posed(images, degrees=-20), "is turned by 15 degrees"),
        (lambda images: posed(images, factor=1.25), "is made 0.8 times as large"),
        (lambda images: np.rot90(images, axes=(1, 2)), "is turned by -90 degrees"),
        (lambda images: images[:, :, ::-1], "is mirrored"),
    ],
)
def test_pairs_in_different_poses_are_refused(drawn, pose, message):
    neutral, happy = drawn
    with pytest.raises(ValueError, match=f"not aligned: .* the one of 'happy' {message}"):
        PixelSynthesis().fit(neutral, {"happy": np.ascontiguousarray(pose(happy))})


def test_poses_of_large_images_are_found_out_on_a_grid():
    faces = map(np.stack, zip(*(pair(seed, "happy", 96) for seed in range(12)), strict=True))
    neutral, happy = faces
    PixelSynthesis().fit(neutral, {"happy": happy})
    with pytest.raises(ValueError, match="is mirrored"):
        PixelSynthesis().fit(neutral, {"happy": np.ascontiguousarray(happy[:, :, ::-1])})
    with pytest.raises(ValueError, match="is turned by -15 degrees"):
        PixelSynthesis().fit(neutral, {"happy": posed(happy, degrees=12)})
    PixelSynthesis().fit(neutral, {"happy": posed(happy, degrees=4)})


def test_pairs_that_are_hardly_turned_or_enlarged_are_accepted(drawn):
    neutral, happy = drawn
    for degrees, factor in ((4, 1.0), (-4, 1.0), (0, 24 / 22)):
        PixelSynthesis().fit(neutral, {"happy": posed(happy, degrees, factor)})


GREY = (4, 8, 8, 1)


def black(*shape):
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    ("neutral", "expressive", "message"),
    [
        (np.zeros(GREY), {"a": np.zeros(GREY)}, "neutral images must be uint8 .* float64"),
        (black(4, 8, 8), {"a": black(4, 8, 8)}, r"shape \[N, H, W, C\], got \[4, 8, 8\]"),
        (
            black(*GREY),
            {"a": black(4, 8, 9, 1)},
            r"of 'a' must .* \[N, 8, 8, 1\], got \[4, 8, 9, 1",
        ),
        (black(*GREY), {"a": black(3, 8, 8, 1)}, "as many neutral images as 'a' ones, got 4 and 3"),
        (black(1, 8, 8, 1), {"a": black(1, 8, 8, 1)}, "'a' needs at least two pairs, got 1"),
        (black(*GREY), {}, "must map at least one label to images"),
        (black(*GREY), {"neutral": black(*GREY)}, "'neutral' is what every"),
        ({"b": black(*GREY)}, {"a": black(*GREY)}, "no neutral images for 'a'"),
        (
            black(2, 8, 8, 1),
            {"a": [black(8, 8, 1), black(9, 8, 1)]},
            r"images of 'a' must all have one shape, got \[8, 8, 1\], \[9, 8, 1\]",
        ),
    ],
)
def test_bad_pairs_are_refused(neutral, expressive, message):
    with pytest.raises(ValueError, match=message):
        PixelSynthesis().fit(neutral, expressive)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ridge": 0}, "ridge must be a positive number or 'cross_validation', got 0"),
        ({"ridge": "best"}, "got 'best'"),
        ({"ridge": math.inf}, "got inf"),
        ({"window": 3, "invertible": True}, "only a model that is linear in one pixel"),
        ({"window": 4}, "window must be an odd"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PixelSynthesis(**options)


def test_bad_calls_are_refused():
    model, neutral = fitted()
    with pytest.raises(ValueError, match="unknown label 'bored'; the labels are neutral, happy, s"):
        model.transform(neutral, "bored")
    with pytest.raises(ValueError, match="must sum to 1"):
        model.transform(neutral, {"happy": 0.5})
    with pytest.raises(ValueError, match=r"shape \[N, 6, 5, 2\], got \[20, 5, 6, 2\]"):
        model.transform(neutral.swapaxes(1, 2), "happy")
    with pytest.raises(ValueError, match="not been fitted"):
        PixelSynthesis().transform(neutral, "happy")
    with pytest.raises(ValueError, match=r"must all have one shape, got \[5, 6, 2\], \[6, 5, 2\]"):
        model.transform([neutral[0], neutral[0].swapaxes(0, 1)], "happy")
    with pytest.raises(ValueError, match="people: nothing is said of the pairs of 'happy'"):
        PixelSynthesis().fit(neutral, {"happy": neutral}, people={"sad": range(20)})


def test_it_needs_no_tensorflow():
    code = (
        "import sys, numpy as np; from bplf_tf import PixelSynthesis\n"
        "images = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4, 1)\n"
        "model = PixelSynthesis().fit(images, {'a': images})\n"
        "model.transform(images, 'a')\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert PixelFeatures().affine
