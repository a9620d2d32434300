import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datasets
from bplf_tf import EMOTIONS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "fer2014"}, "no data set 'fer2014'; there are cifar10, drawn_faces, emotionset"),
        ({"split": "val"}, "split must be one of train, validation, test; got 'val'"),
        ({"image_size": 0}, "image_size must be .* got 0"),
        ({"image_size": (48, 48, 1)}, r"image_size must be .* got \(48, 48, 1\)"),
        ({"image_size": (48.0, 48.0)}, "image_size must be"),
        ({"image_size": "48"}, "image_size must be .* got '48'"),
        ({"channels": 2}, r"channels must be 1 \(grey\) or 3 \(RGB\); got 2"),
        ({"limit": 0}, "limit must be .* got 0"),
        ({"limit": -5}, "limit must be"),
        ({"limit": 2.5}, "limit must be"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.load(**{"name": "mnist", "split": "train", **arguments})


def test_import_and_reading_a_csv_need_no_tensorflow(tmp_path: Path) -> None:
    row = " ".join(["7"] * 2304)
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n0,{row},Training\n")
    program = f"""
import sys, datasets
assert "PIL" not in sys.modules
datasets.load("fer2013", "train", {str(tmp_path)!r}, image_size=24)
assert "tensorflow" not in sys.modules and "tensorflow_datasets" not in sys.modules
"""
    root = Path(datasets.__file__).parent.parent
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)


@pytest.fixture
def drawn_faces_calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Puts a drawer of plain faces in place of the real one, and keeps what it was asked for."""
    calls: list[dict[str, Any]] = []

    def load_arrays(
        split: str, size: int, channels: int, limit: int | None, data_dir: object
    ) -> tuple[np.ndarray, np.ndarray]:
        calls.append({"split": split, "size": size, "channels": channels, "limit": limit})
        count = limit or 20
        labels = np.arange(count) % len(EMOTIONS)
        return np.full((count, size, size, channels), 9, np.uint8), labels

    module = types.ModuleType("datasets.drawn_faces")
    module.load_arrays = load_arrays  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets.drawn_faces", module)
    return calls


@pytest.mark.parametrize(
    ("image_size", "channels", "asked", "shape"),
    [
        (None, None, {"size": 48, "channels": 1}, (48, 48, 1)),
        (64, 3, {"size": 64, "channels": 3}, (64, 64, 3)),
        ((32, 32), 1, {"size": 32, "channels": 1}, (32, 32, 1)),
        ((32, 40), 1, {"size": 40, "channels": 1}, (32, 40, 1)),
    ],
)
def test_drawn_faces_are_drawn_at_the_size_asked_for(
    drawn_faces_calls: list[dict[str, Any]],
    image_size: int | tuple[int, int] | None,
    channels: int | None,
    asked: dict[str, int],
    shape: tuple[int, int, int],
) -> None:
    source = datasets.load(
        "drawn_faces", "validation", image_size=image_size, channels=channels, limit=10
    )
    assert drawn_faces_calls == [{"split": "validation", "limit": 10, **asked}]
    assert (source.name, source.split, source.classes) == ("drawn_faces", "validation", EMOTIONS)
    assert source.image_shape == shape
    assert len(source) == 10
    assert (source.provenance["conversion"] is None) == (shape[0] == shape[1])
