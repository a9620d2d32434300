"""What a user sees of a mistake: one clear line, exit code 2, no traceback, nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("module", ["trainers.fit", "trainers.sample", "trainers.evaluate"])
def test_importing_a_program_does_not_import_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("module", ["trainers.fit", "trainers.sample", "trainers.evaluate"])
def test_help_lists_the_flags(module):
    done = run(module, "--help")
    assert done.returncode == 0
    assert f"python -m {module}" in done.stdout
    assert "--seed:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--run_dir is required"),
        (["--epochs=many"], "invalid literal"),
        (["--epoch=1"], "Unknown command line flag 'epoch'"),
        (["--flagfile=nowhere.flags"], "nowhere.flags"),
        (["runs/a"], "arguments that are not flags: runs/a"),
        (["--preset=glowing", "--epochs=1"], "the presets are bplf_3x3,"),
        (["--dataset=fer2014", "--epochs=1"], "--dataset must be one of cifar10,"),
        (["--batch_size=0", "--epochs=1"], "--batch_size must be a positive integer, got 0"),
    ],
)
def test_bad_flags(tmp_path, arguments, message):
    run_dir = tmp_path / "run"
    given = [] if "--run_dir" in message else [f"--run_dir={run_dir}"]
    done = run("trainers.fit", *given, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not run_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model is required"),
        (["--model=m.keras", "--n=0"], "--n must be a positive integer"),
        (["--model=m.keras", "--temperature=-1"], "--temperature must not be negative"),
        (["--model=m.keras", "--label_strength=-1"], "--label_strength must not be negative"),
        (["--model=m.keras"], "no model at m.keras"),
        (["--model=docs"], "no model at docs/model.keras"),
        (["--model=m.keras", "--out=grid.txt"], "--out must end in .png"),
        (["--model=m.keras", "--out=nowhere/grid.png"], "there is no folder nowhere"),
    ],
)
def test_bad_flags_of_sample(arguments, message):
    done = run("trainers.sample", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model is required"),
        (["--model=m.keras"], "--dataset is required"),
        (["--model=m.keras", "--dataset=mnist"], "no model at m.keras"),
        (["--model=m.keras", "--dataset=mnist", "--split=valid"], "--split must be one of train,"),
        (["--model=m.keras", "--dataset=mnist", "--draws=0"], "--draws must be a positive"),
    ],
)
def test_bad_flags_of_evaluate(arguments, message):
    done = run("trainers.evaluate", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("name", ["drawn_faces.flags", "emotionset.flags"])
def test_the_flag_files_parse(name):
    done = run("trainers.fit", f"--flagfile={name}", "--run_dir=runs/a", "--batch_size=0")
    assert "--batch_size must be a positive integer, got 0" in done.stderr
