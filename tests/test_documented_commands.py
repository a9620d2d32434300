"""The commands of the documents: every flag is one, and none that is required is missing."""

import ast
import contextlib
import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest

from datasets import flags
from tests.checkout import ROOT

DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "BUILD.md", "datasets/README.md")),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "export").rglob("*.md"),
    ]
)
PROGRAMS = sorted(
    path
    for package in ("datasets", "export", "trainers")
    for path in (ROOT / package).glob("*.py")
    if "flags.run(" in path.read_text()
)
_COMMAND = re.compile(r"python -m ((?:datasets|export|trainers)\.\w+)(?![\w.])(.*)")
_ELIDED = "..."


def whole_commands(text: str) -> list[str]:
    """Those that stand in a block of code, with their continued lines."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if _COMMAND.search(line)]


def mentioned_commands(text: str) -> list[str]:
    """Those that stand within a sentence, which may leave out what the sentence says."""
    without_blocks = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    spans = re.findall(r"`([^`]+)`", without_blocks)
    return [span.replace("\n", " ") for span in spans if _COMMAND.search(span)]


def docstring_commands(path: Path) -> list[str]:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return [line for line in text.splitlines() if _COMMAND.match(line.strip())]


def parsed(command: str):
    """The settings that a program would read."""
    found = _COMMAND.search(re.sub(r"<[^>]*>", "something", command))
    assert found
    module, arguments = found.groups()
    given = [one for one in shlex.split(arguments, comments=True) if one != _ELIDED]
    if given == ["--help"]:
        given = []
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    (name,) = re.findall(r"flags\.run\((\w+), main\)", source)
    return flags.parse(getattr(importlib.import_module(module), name), given)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with the flag files of the checkout, and nothing that a check could find."""
    for path in ROOT.glob("*.flags"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_a_document(path, folder):
    for command in whole_commands(path.read_text()):
        settings = parsed(command)
        if _ELIDED in command or not hasattr(settings, "check"):
            continue
        # Models and data are not there; everything else that is wrong is a ValueError.
        with contextlib.suppress(OSError):
            settings.check()
    for command in mentioned_commands(path.read_text()):
        parsed(command)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_commands_of_a_program(path):
    for command in docstring_commands(path):
        parsed(command)


def test_commands_are_found_and_mistakes_in_them_too():
    readme = (ROOT / "README.md").read_text()
    assert len(whole_commands(readme)) > 10
    assert len(whole_commands((ROOT / "docs" / "results.md").read_text())) > 10
    assert any("export.tflite" in command for command in mentioned_commands(readme))
    assert sum(len(docstring_commands(path)) for path in PROGRAMS) > 10
    settings = parsed(".venv/bin/python -m trainers.evaluate --model=a  # [1]")
    with pytest.raises(ValueError, match="--dataset is required"):
        settings.check()
    with pytest.raises(ValueError, match="Unknown command line flag 'modell'"):
        parsed("python -m trainers.evaluate --modell=a")
