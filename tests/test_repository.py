"""The checkout itself: quick and one-way imports, flag files, lock file, forbidden content."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.checkout import ROOT, repository_files

HEAVY = {"keras", "tensorflow", "tensorflow_datasets", "tensorflow_probability", "tf_keras"}

QUICK_COMMANDS = {
    "bplf_tf": ["-c", "import bplf_tf; bplf_tf.EMOTIONS; bplf_tf.ModelConfig()"],
    "augmentation": ["-m", "trainers.augmentation", "--help"],
    "balance": ["-m", "datasets.balance", "--help"],
    "build": ["-m", "datasets.build", "--help"],
    "classifier": ["-m", "trainers.classifier", "--help"],
    "compare_editors": ["-m", "trainers.compare_editors", "--help"],
    "datasets": ["-c", "import datasets"],
    "edit": ["-m", "trainers.edit", "--help"],
    "evaluate": ["-m", "trainers.evaluate", "--help"],
    "export": ["-c", "import export"],
    "export.client": ["-m", "export.client", "--help"],
    "export.report": ["-m", "export.report", "--help"],
    "export.saved_model": ["-m", "export.saved_model", "--help"],
    "export.tflite": ["-m", "export.tflite", "--help"],
    "fit": ["-m", "trainers.fit", "--help"],
    "identity": ["-m", "trainers.identity", "--help"],
    "sample": ["-m", "trainers.sample", "--help"],
    "synthesis": ["-m", "trainers.synthesis", "--help"],
}

# Importing the library and starting a training run waits for none of these.
OF_METRICS = {"skimage", "sklearn"}

# What trainers.fit does with its command line before it looks at any data.
CHECK_FLAGS = """
import sys
from absl import flags as absl_flags
from datasets import flags
from trainers import settings
flags.define(settings.FitSettings)
absl_flags.FLAGS(sys.argv)
flags.read(settings.FitSettings).check()
"""

# Which of our packages each of them may import, besides itself.
MAY_IMPORT = {
    "bplf_tf": set(),
    "datasets": {"bplf_tf"},
    "export": {"bplf_tf", "datasets"},
    "trainers": {"bplf_tf", "datasets"},
}


@pytest.mark.parametrize("arguments", QUICK_COMMANDS.values(), ids=QUICK_COMMANDS.keys())
def test_starts_without_tensorflow(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "encodings" in imported, done.stderr  # the listing is there at all
    assert not (HEAVY | OF_METRICS) & imported
    if "--help" in arguments:  # absl leaves --help with 1
        assert "--" in done.stdout, done.stderr
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flag", ["run_dir", "dataset", "max_minutes", "learning_rate", "seed"])
def test_help_of_fit_names_its_flags(flag: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainers.fit", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{flag}:" in done.stdout


@pytest.mark.parametrize("flag_file", sorted(ROOT.glob("*.flags")), ids=lambda path: path.name)
def test_flag_file_is_accepted(flag_file: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK_FLAGS, f"--flagfile={flag_file}", f"--run_dir={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_both_flag_files_are_there() -> None:
    assert {"drawn_faces.flags", "emotionset.flags"} <= {path.name for path in ROOT.glob("*.flags")}


def imported_names(path: Path) -> set[str]:
    """Dotted names of the modules that a source file imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; imports here are absolute"
            names.add(str(node.module))
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    forbidden = (set(MAY_IMPORT) | {"tests", "benchmarks"}) - MAY_IMPORT[package] - {package}
    for path in (ROOT / package).rglob("*.py"):
        wrong = {name for name in imported_names(path) if name.split(".")[0] in forbidden}
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {Requirement(text).name for text in project["dependencies"]}
    extras = project["optional-dependencies"]
    # What an extra of its own brings is imported only where it was asked for.
    checkout = {
        Requirement(text).name
        for extra in ("checkout", "beam", "faces", "metrics", "mtcnn", "serving", "tflite")
        for text in extras[extra]
    }
    distributions = packages_distributions()
    for package in MAY_IMPORT:
        for path in (ROOT / package).rglob("*.py"):
            allowed = declared if package == "bplf_tf" else declared | checkout
            if path.is_relative_to(ROOT / "bplf_tf" / "metrics"):  # an extra of the wheel
                allowed = declared | {Requirement(text).name for text in extras["metrics"]}
            tops = {name.split(".")[0] for name in imported_names(path)}
            for top in tops - set(sys.stdlib_module_names) - set(MAY_IMPORT):
                sources = {canonicalize_name(name) for name in distributions.get(top, [top])}
                assert sources & allowed, f"{path.relative_to(ROOT)} imports {top}"


NEED_KERAS = ("evaluation", "flow_", "latents", "layers", "model", "networks", "training")


def test_bijectors_need_no_keras() -> None:
    for path in (ROOT / "bplf_tf" / "bijectors").rglob("*.py"):
        wrong = {
            name
            for name in imported_names(path)
            if name.split(".")[0] in {"keras", "tf_keras"}
            or name.startswith(tuple(f"bplf_tf.{module}" for module in NEED_KERAS))
        }
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def lock_entries() -> dict[str, str]:
    """Package name to its whole entry of requirements.lock, hashes included."""
    text = (ROOT / "requirements.lock").read_text()
    entries = re.findall(r"^([a-z0-9][a-z0-9._-]*==(?:.*\\\n)*.*)$", text, flags=re.MULTILINE)
    return {entry.split("==")[0]: entry for entry in entries}


def test_lock_has_exact_versions_and_hashes_but_no_addresses() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-[^-]|^--", text, flags=re.MULTILINE)  # no options of pip
    # A package may be there in two versions, each with the Python versions that it is for.
    for entry in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]*( ; [^\\]+)? \\$", entry.splitlines()[0]), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}$", entry, flags=re.MULTILINE), entry


def test_lock_satisfies_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(text) for text in project["dependencies"] + extras["dev"]]
    wanted += [Requirement(text) for text in extras["checkout"] + extras["metrics"]]
    entries = lock_entries()
    for requirement in wanted:
        if requirement.name == project["name"]:
            continue
        entry = entries[canonicalize_name(requirement.name)]
        version = re.split(r"[ ;\\]", entry.split("==")[1])[0]
        assert version in requirement.specifier, f"{requirement} is locked at {version}"


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for name in ("README.md", "BUILD.md", ".ci/run"):
        text = (ROOT / name).read_text()
        assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b(?=[`\s])", text)) <= targets, name


def test_links_of_the_documents_lead_somewhere() -> None:
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
            assert "://" in link or (path.parent / link).exists(), f"{path} links to {link}"


def test_nothing_that_must_stay_out() -> None:
    files = repository_files()
    if not files:
        pytest.skip("not a git checkout")
    machine_paths = re.compile(rf"{re.escape(str(ROOT))}(?![\w-])|/home/\w+/|/Users/\w+/")
    for path in files:
        name = path.relative_to(ROOT)
        # Data sets are csv files too; those in docs hold the figures of runs, and are small.
        figures = name.parts[0] == "docs" and path.stat().st_size < 100_000
        unwanted = {".h5", ".keras", ".npz", ".pkl", ".tflite"} | (set() if figures else {".csv"})
        if name.match("bplf_tf/pretrained_models/*/model.keras"):
            data = json.loads(path.with_name("config.json").read_text())["data"].values()
            assert {of["source"] for of in data} == {"drawn_faces"}, f"{name} saw licensed faces"
            assert path.stat().st_size <= 3_000_000, f"{name} is large"
            continue
        assert path.suffix not in unwanted, name
        assert path.stat().st_size < 1_500_000, f"{name} is large"
        if path.suffix not in {".png", ".jpg", ".gif"}:
            found = machine_paths.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name} holds a path of one machine: {found and found.group()}"
