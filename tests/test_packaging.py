"""The wheel: built, looked into, installed where nothing else is, sampled from."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import bplf_tf
from tests.checkout import ROOT

SAMPLE = """
import bplf_tf, pathlib, sys
assert pathlib.Path(bplf_tf.__file__).is_relative_to(sys.prefix), bplf_tf.__file__
model = bplf_tf.BPLF.from_preset(
    "bplf_3x3_1x1", size="tiny", image_shape=(16, 16, 1), classes=bplf_tf.EMOTIONS
)
images = model.sample("happy", n=3, temperature=0.7, seed=0)
assert images.shape == (3, 16, 16, 1) and images.dtype == "uint8", (images.shape, images.dtype)
model.save("model.keras")
again = bplf_tf.load_model("model.keras").sample("happy", n=3, temperature=0.7, seed=0)
assert (again == images).all()
assert bplf_tf.load_pretrained("drawn_faces").sample("happy").shape == (1, 48, 48, 1)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that the checkout stays as it is."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in ("bplf_tf", "datasets", "export", "tests", "trainers"):
        leave_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=leave_out)
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source])
    (path,) = out.iterdir()
    return path


def run(command: list[str | Path], **options: object) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout


def locked_versions(folder: Path) -> Path:
    """The lock as constraints: its versions, for those packages alone that the wheel asks for."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.rstrip(" \\") for line in lines if not line.startswith((" ", "#"))]
    path = folder / "constraints.txt"
    path.write_text("\n".join(pins))
    return path


def test_wheel_ships_bplf_tf_alone(wheel: Path) -> None:
    assert wheel.name == f"bplf_tf-{bplf_tf.__version__}-py3-none-any.whl"
    info = f"bplf_tf-{bplf_tf.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names} == {"bplf_tf", info}
    assert {f"{info}/licenses/LICENSE", "bplf_tf/py.typed"} <= names
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "bplf_tf").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources


@pytest.mark.slow
def test_wheel_samples_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(
        [
            *(python, "-m", "pip", "install", "--no-compile", "--only-binary", ":all:"),
            *("--constraint", locked_versions(tmp_path), wheel),
        ]
    )
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run([python, "-c", SAMPLE], cwd=tmp_path, env=variables)
