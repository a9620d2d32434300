"""The Python example of README.md runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.checkout import ROOT


def python_example() -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    return str(code)


def test_example_is_short() -> None:
    assert len([line for line in python_example().splitlines() if line.strip()]) <= 15


def test_example_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", python_example()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "example.png") as picture:
        assert picture.size == (8 * 48, 48)
    assert (tmp_path / "model.keras").is_file()
    assert re.search(r"\d\.\d+ bits/dim", done.stdout)
