"""`trainers.edit`: photographs in, photographs of the same size out."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from bplf_tf import BPLF, EMOTIONS, ModelConfig, PixelSynthesis
from datasets.drawn_faces import pair
from datasets.flags import UserError
from tests.bplf_tf.random_weights import randomise
from tests.datasets.emotionset.fake_source import face
from tests.datasets.emotionset.test_detectors import photograph
from trainers import edit
from trainers.edit import EditSettings

FLOW = ModelConfig(image_shape=(16, 16, 1), classes=EMOTIONS, levels=1, depth=1, width=4)


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow")
    randomise(BPLF(FLOW), scale=0.3).save(folder / "model.keras")
    return str(folder)


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unconditional")
    model = BPLF(dataclasses.replace(FLOW, classes=()))
    randomise(model, scale=0.3).save(folder / "model.keras")
    return str(folder)


@pytest.fixture(scope="module")
def pixel(tmp_path_factory):
    path = tmp_path_factory.mktemp("pixel") / "pixel.npz"
    pairs = [pair(seed, "happy", 24) for seed in range(20)]
    neutral, happy = map(np.stack, zip(*pairs, strict=True))
    PixelSynthesis(ridge=0.04).fit(neutral, {"happy": happy, "sad": happy}).save(path)
    return str(path)


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return str(path)


def load(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def run(model, image, out, **changes):
    changes = {"target": "happy", **changes}
    code = edit.main(EditSettings(model=model, image=str(image), out=str(out), **changes))
    return code


def test_a_face_is_found_edited_and_put_back(flow, pixel, tmp_path):
    original = photograph()
    image = save(tmp_path / "in.png", original)
    for model in (flow, pixel):
        assert run(model, image, tmp_path / "out.png") == 0
        edited = load(tmp_path / "out.png")
        assert edited.shape == original.shape
        changed = (edited != original).any(axis=2)
        assert changed[100:220, 100:220].mean() > 0.5
        assert not changed[:40].any()  # the detector's box is about the face's
        assert not changed[:, :40].any()
        assert run(model, image, tmp_path / "same.png", strength=0.0) == 0
        np.testing.assert_array_equal(load(tmp_path / "same.png"), original)
    assert (load(image) == original).all()


def test_sweep_region_mixture_and_source(flow, tmp_path):
    original = face(3, "neutral", 48)
    image = save(tmp_path / "face.png", original)
    given = {"detector": "none", "target": "happy:3,sad:1", "source": "neutral"}
    assert run(flow, image, tmp_path / "strip.png", sweep=["0", "0.5", "1"], **given) == 0
    strip = load(tmp_path / "strip.png")
    assert strip.shape == (48, 3 * 48)
    np.testing.assert_array_equal(strip[:, :48], original)
    assert run(flow, image, tmp_path / "one.png", **given) == 0
    np.testing.assert_array_equal(load(tmp_path / "one.png"), strip[:, 96:])
    assert run(flow, image, tmp_path / "mouth.png", region="mouth", **given) == 0
    mouth = load(tmp_path / "mouth.png")
    assert (mouth != original).any()
    np.testing.assert_array_equal(mouth[:20], original[:20])


def test_references_need_no_labels(unconditional, tmp_path):
    calm, moved = (save(tmp_path / f"{name}.png", face(1, name, 16)) for name in ("neutral", "sad"))
    given = {
        "detector": "none", "target": None,
        "reference_neutral": calm, "reference_expressive": moved,
    }  # fmt: skip
    assert run(unconditional, calm, tmp_path / "out.png", **given) == 0
    one = load(tmp_path / "out.png")
    assert np.abs(one.astype(int) - face(1, "sad", 16)).max() <= 1  # of rounding
    folders = {"neutral": tmp_path / "calm", "sad": tmp_path / "moved"}
    for name, folder in folders.items():
        folder.mkdir()
        for seed in (1, 2):
            save(folder / f"{seed}.png", face(seed, name, 16))
    given |= {
        "reference_neutral": str(folders["neutral"]), "reference_expressive": str(folders["sad"]),
    }  # fmt: skip
    assert run(unconditional, calm, tmp_path / "out.png", **given) == 0
    assert (load(tmp_path / "out.png") != one).any()
    (folders["sad"] / "2.png").unlink()
    with pytest.raises(UserError, match="2 neutral references and 1 expressive ones"):
        run(unconditional, calm, tmp_path / "out.png", **given)


def test_a_folder_whose_failures_are_told(pixel, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    save(folder / "a.png", photograph(seed=1))
    save(folder / "b.jpg", photograph(seed=2)[..., 0], quality=95)
    save(folder / "flat.png", np.full((50, 50), 90, np.uint8))
    save(folder / "two.png", np.hstack([photograph(seed=1), photograph(seed=2)]))
    (folder / "broken.png").write_text("not a picture")
    (folder / "notes.txt").write_text("left alone")
    assert run(pixel, folder, out) == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.jpg"]
    assert load(out / "b.jpg").shape == (320, 320)
    told = capsys.readouterr().err
    assert "3 of 5 pictures were not edited" in told
    assert "flat.png: no face was found" in told
    assert "two.png: 2 faces were found" in told
    assert "broken.png: cannot read the image" in told
    for name in ("flat.png", "broken.png"):
        (folder / name).unlink()
    assert run(pixel, folder, out, faces="all") == 0
    assert "two.png, 2 faces edited" in capsys.readouterr().out


def test_transparency_profile_and_orientation_stay(pixel, tmp_path):
    original = face(1, "neutral", 32)
    alpha = np.tile(np.arange(32, dtype=np.uint8)[:, None] * 8, 32)
    clear = save(tmp_path / "clear.png", np.dstack([original] * 3 + [alpha]), icc_profile=b"icc")
    assert run(pixel, clear, tmp_path / "out.png", detector="none", sweep=["0", "1"]) == 0
    with Image.open(tmp_path / "out.png") as picture:
        assert (picture.mode, picture.size) == ("RGBA", (64, 32))
        assert picture.info["icc_profile"] == b"icc"
        np.testing.assert_array_equal(np.asarray(picture)[:, 32:, 3], alpha)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    lying = save(tmp_path / "lying.png", np.rot90(original), exif=exif)
    assert run(pixel, lying, tmp_path / "out.png", detector="none", strength=0.0) == 0
    np.testing.assert_array_equal(load(tmp_path / "out.png"), original)


def test_users_mistakes(flow, unconditional, pixel, tmp_path):
    image = save(tmp_path / "face.png", face(1, "neutral", 32))
    flat = save(tmp_path / "flat.png", np.full((50, 50), 90, np.uint8))
    out = str(tmp_path / "out.png")
    (tmp_path / "empty").mkdir()
    alone = str(tmp_path / "one_label.keras")
    BPLF(dataclasses.replace(FLOW, classes=("happy",))).save(alone)
    for changes, message in [
        ({"model": None}, "--model is required"),
        ({"image": flat}, "flat.png: no face was found"),
        ({"image": str(tmp_path / "none.png")}, "there is no such file or folder"),
        ({"image": str(tmp_path / "empty"), "out": str(tmp_path / "o")}, "has no pictures"),
        ({"out": image}, "another file than --image"),
        ({"out": str(tmp_path / "no" / "out.png")}, "a file in a folder that is there"),
        ({"out": str(tmp_path / "out.xyz")}, r"must end in \.png"),
        ({"target": None}, "either --target or the two references"),
        ({"target": "bored"}, "unknown label 'bored'; the classes are anger"),
        ({"target": "happy:much"}, "a mixture is like happy:0.7"),
        ({"target": "happy:0"}, "shares must be 0 or more, and not all 0"),
        ({"target": "happy:1,bored:1"}, "unknown label 'bored'"),
        ({"source": "bored"}, "unknown label 'bored'"),
        ({"strength": 5.0}, r"strength must lie in -1\.\.4, got 5"),
        ({"strength": float("nan")}, "must be finite numbers"),
        ({"sweep": ["0", "much"]}, "--sweep must be numbers, got 0,much"),
        ({"detector": "eyes"}, "--detector must be one of haar, yunet, mtcnn, none; got 'eyes'"),
        ({"faces": "some"}, "--faces must be one of one, largest, all; got 'some'"),
        ({"region": "nose"}, "--region must be one of eyes, mouth, face; got 'nose'"),
        ({"margin": 3.0}, "--margin must be from"),
        ({"reference_neutral": image}, "need each other"),
        ({"model": str(tmp_path / "none.npz")}, "no pixel model at"),
        ({"model": image}, "is not a .keras file"),
        ({"model": alone}, "knows the label 'happy' alone; .* takes two or more"),
        ({"model": unconditional}, "trained without labels: it takes references"),
        ({"model": pixel, "target": "anger"}, "unknown label 'anger'; the labels are neutral, ha"),
        ({"model": pixel, "strength": 9.0}, "strengths from .* are accepted"),
        (
            {"model": pixel, "target": None, "reference_neutral": image,
             "reference_expressive": image, "detector": "none"},
            "references take a flow",
        ),
    ]:  # fmt: skip
        given = {"model": flow, "image": image, "out": out, "target": "happy", **changes}
        with pytest.raises(UserError, match=message):
            edit.main(EditSettings(**given))
    assert not (tmp_path / "out.png").exists()
