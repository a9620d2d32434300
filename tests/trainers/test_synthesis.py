"""`trainers.synthesis` on a few small drawn people, and the metrics that it prints."""

import json

import numpy as np
import pytest
from PIL import Image

from bplf_tf import BPLF, EMOTIONS, ModelConfig, PixelSynthesis
from bplf_tf.metrics.pairs import mean_over_people, psnr
from datasets.flags import UserError
from datasets.pairs import load_pairs
from tests.datasets.emotionset.fixtures import write_ck_plus
from tests.datasets.emotionset.test_build_command import run as build
from trainers import synthesis
from trainers.strip_editors import PASTE, RETURN
from trainers.synthesis import SynthesisSettings

FLOW = ModelConfig(image_shape=(16, 16, 1), classes=EMOTIONS, levels=1, depth=1, width=4)


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    BPLF(FLOW).save(path)
    return str(path)


def test_everything_is_measured_printed_and_written(flow, tmp_path, capsys):
    settings = SynthesisSettings(
        pairs=12,
        test_people=3,
        ridge="cross_validation",
        model=flow,
        out=str(tmp_path / "pixel.json"),
        pictures=str(tmp_path / "pictures"),
        save=str(tmp_path / "pixel.npz"),
    )
    assert synthesis.main(settings) == 0
    record = json.loads((tmp_path / "pixel.json").read_text())
    tests = ["in-dataset", *(f"out-of-dataset: {x}" for x in ("pencil", "painting", "not aligned"))]
    assert list(record["results"]) == tests
    editors = ["return the input", "paste the mean", "pixel model", "flow"]
    for result in record["results"].values():
        assert list(result) == editors
        for figures in result.values():
            assert set(figures) == {"psnr", "ssim", "mse", "psnr_of"}
            assert figures["psnr"]["people"] == 3
            assert len(figures["psnr_of"]) == 6
            of_labels = figures["psnr_of"].values()
            assert all(of["half_width"] > 0 and of["people"] == 3 for of in of_labels)
            mean = np.mean([of["mean"] for of in of_labels])
            assert mean == pytest.approx(figures["psnr"]["mean"])
            assert figures["psnr"]["half_width"] > 0
    # An untrained flow decodes what it encoded.
    inside = record["results"]["in-dataset"]
    assert inside["flow"] == inside["return the input"]
    assert inside["pixel model"]["psnr"]["mean"] > inside["paste the mean"]["psnr"]["mean"]
    assert record["pairs"] == {name: 12 for name in EMOTIONS if name != "neutral"}
    assert record["flow_parameters"] > 0
    printed = capsys.readouterr().out
    assert "out-of-dataset: not aligned, 18 pairs" in printed
    assert "lambda: anger " in printed

    model = PixelSynthesis.load(tmp_path / "pixel.npz")
    assert model.size_bytes == record["pixel_model_bytes"] == 4 * 2 * 16 * 16 * 6
    pictures = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert len(pictures) == 4
    with Image.open(tmp_path / "pictures" / "in-dataset.png") as picture:
        assert picture.width > picture.height


def test_the_pixel_model_beats_what_knows_nothing():
    """In PSNR, on people that it was not fitted to, surely and not by chance."""
    train, test = (
        load_pairs("drawn_faces", split, image_size=24, people=people)
        for split, people in (("train", 60), ("test", 25))
    )
    pixel = synthesis.fit(SynthesisSettings(ridge="cross_validation"), train)
    editors = synthesis.make_editors(train, pixel, None)
    of_editors = {
        name: psnr(synthesis._edit_all(edit, test), test.expressive)
        for name, edit in editors.items()
    }
    for null in (RETURN, PASTE):
        gained = mean_over_people(of_editors["pixel model"] - of_editors[null], test.people)
        assert gained["mean"] > 2 * gained["half_width"] > 0


def test_pairs_of_a_built_emotionset(tmp_path, capsys):
    faces = write_ck_plus(tmp_path / "ck_plus", traps=False)
    place = build(tmp_path / "out", ck_plus=str(faces.path))
    settings = SynthesisSettings(
        dataset="emotionset", data_path=str(place), test_people=2, unpaired=True
    )
    assert synthesis.main(settings) == 0
    printed = capsys.readouterr().out
    assert "in-dataset, " in printed
    assert "out-of-dataset: drawn faces, 12 pairs" in printed
    assert "lambda: anger moments" in printed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "mnist"}, "--dataset"),
        ({"pairs": 1}, "--pairs is too small: 1"),
        ({"ridge": "much"}, "--ridge must be a positive number or cross_validation, got much"),
        ({"ridge": "-1"}, r"ridge must be a positive number .* got -1"),
        ({"window": 2}, "window must be an odd"),
        ({"save": "model.pkl"}, r"--save must end in \.npz"),
        ({"out": "nowhere/at/all.json"}, "there is no folder for it"),
        ({"model": "nowhere"}, "no model at nowhere"),
        (
            {"unpaired": True, "window": 3, "pairs": 2, "test_people": 1, "image_size": 16},
            "moments",
        ),
    ],
)
def test_users_mistakes(changes, message):
    with pytest.raises(UserError, match=message):
        synthesis.main(SynthesisSettings(**changes))


def test_a_flow_of_another_size(flow):
    with pytest.raises(UserError, match="the flow's images are 16x16x1"):
        synthesis.main(SynthesisSettings(model=flow, image_size=48))
