from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bplf_tf import BPLF, ModelConfig
from datasets.flags import UserError
from trainers import sample
from trainers.sample import SampleSettings, chosen_labels

CONFIG = ModelConfig(image_shape=(8, 8, 1), classes=("cat", "dog"), levels=1, depth=1, width=4)
SIDE = 88  # 8 pixels, enlarged 11 times


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    BPLF(CONFIG).save(path)
    return str(path)


def draw(model, out, **changes):
    assert sample.main(SampleSettings(model=model, out=str(out), **changes)) == 0
    with Image.open(out) as picture:
        return np.asarray(picture)


def test_one_label_gives_a_square_grid_and_the_seed_repeats_it(model, tmp_path):
    first = draw(model, tmp_path / "a.png", label="cat", n=7)
    assert first.shape == (8 + 3 * (SIDE + 2) - 2 + 8, 8 + 3 * (SIDE + 2) - 2 + 8, 3)
    again = draw(model, tmp_path / "b.png", label="cat", n=7)
    other = draw(model, tmp_path / "c.png", label="cat", n=7, seed=1)
    of_run = draw(str(Path(model).parent), tmp_path / "d.png", label="cat", n=7)
    assert np.array_equal(first, again)
    assert np.array_equal(first, of_run)
    assert not np.array_equal(first, other)


def test_all_gives_a_row_per_label(model, tmp_path):
    picture = draw(model, tmp_path / "all.png", label="all", n=3)
    assert picture.shape[0] == 8 + 2 * (SIDE + 2) - 2 + 8
    assert picture.shape[1] > 3 * SIDE + 20  # and captions


def test_labels():
    assert chosen_labels("all", ("cat", "dog")) == ["cat", "dog"]
    assert chosen_labels("dog, cat", ("cat", "dog")) == ["dog", "cat"]
    assert chosen_labels(None, ()) == [None]


@pytest.mark.parametrize(
    ("label", "classes", "message"),
    [
        (None, ("cat", "dog"), "--label is required: all, or of cat, dog"),
        ("cow", ("cat", "dog"), "--label=cow: the labels are cat, dog"),
        ("cat", (), "--label=cat: this model was trained without labels"),
    ],
)
def test_bad_labels(label, classes, message):
    with pytest.raises(ValueError, match=message):
        chosen_labels(label, classes)


def test_users_mistakes(model, tmp_path):
    out = tmp_path / "a.png"
    for changes, message in [
        ({"model": str(tmp_path / "none.keras"), "label": "cat"}, "none.keras"),
        ({"model": model, "label": "cow"}, "the labels are cat, dog"),
    ]:
        with pytest.raises(UserError, match=message):
            sample.main(SampleSettings(out=str(out), **changes))
    (tmp_path / "broken.keras").write_text("not a model")
    with pytest.raises(UserError, match=r"broken\.keras"):
        sample.main(SampleSettings(model=str(tmp_path / "broken.keras"), label="cat", out=str(out)))
    assert not out.exists()
