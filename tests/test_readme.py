"""The Python examples of the documents run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.checkout import ROOT


def python_example(document: str) -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text(), re.M | re.S)
    return str(code)


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_example_is_short() -> None:
    lines = python_example("README.md").splitlines()
    assert len([line for line in lines if line.strip()]) <= 15


def test_example_runs(tmp_path: Path) -> None:
    done = run(python_example("README.md"), tmp_path)
    with Image.open(tmp_path / "example.png") as picture:
        assert picture.size == (8 * 48, 48)
    assert (tmp_path / "model.keras").is_file()
    assert re.search(r"\d\.\d+ bits/dim", done.stdout)


@pytest.mark.slow
def test_example_of_the_callbacks_runs(tmp_path: Path) -> None:
    run(python_example("docs/runs.md"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "epoch_1.png", "epoch_2.png", "metrics.csv",
    }  # fmt: skip
    heading = (tmp_path / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"bits_per_dim", "inverse_error", "val_bits_per_dim_happy"} <= set(heading)
