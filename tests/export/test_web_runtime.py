"""What the export of the page does where its runtime cannot be had, or is not what was pinned."""

import base64
import dataclasses
import hashlib
import io
import os
import shutil
import tarfile

import pytest

from bplf_tf import BPLF, ModelConfig
from datasets.flags import UserError
from export import web, web_runtime
from export.web import WebSettings
from export.web_runtime import PACKAGES, RuntimeUnavailable, fetch_runtime

# Stands for npm pack: copies $ARCHIVE to where it is told to, or fails as npm does.
NPM = """#!/bin/sh
if [ -z "$ARCHIVE" ]; then
  printf 'npm error code E404\\nnpm error not found\\n' >&2
  exit 1
fi
for argument in "$@"; do
  case $argument in --pack-destination=*) cp "$ARCHIVE" "${argument#*=}/package.tgz";; esac
done
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program called npm; returns a function that says which archive it gives."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "npm").write_text(NPM)
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ARCHIVE", "")
    return lambda archive: monkeypatch.setenv("ARCHIVE", str(archive))


@pytest.fixture
def archive(tmp_path):
    """Holds every file of every package, with its own name as its content."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as packed:
        for name in {file for package in PACKAGES for file in package.files}:
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(name)
            packed.addfile(member, io.BytesIO(name.encode()))
    return path


def test_fetches_what_is_pinned(npm, archive, tmp_path, monkeypatch):
    npm(archive)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    pinned = tuple(dataclasses.replace(one, integrity=f"sha512-{digest}") for one in PACKAGES)
    monkeypatch.setattr(web_runtime, "PACKAGES", pinned)
    fetch_runtime(tmp_path / "runtime")
    for package in PACKAGES:
        for file in package.files:
            assert (tmp_path / "runtime" / package.folder / file).read_text() == file
    assert "Apache License" in (tmp_path / "runtime" / "LICENSE").read_text()


def test_anything_else_is_refused(npm, archive, tmp_path):
    npm(archive)
    with pytest.raises(RuntimeUnavailable, match="is not what this project was tested with"):
        fetch_runtime(tmp_path / "runtime")
    assert not (tmp_path / "runtime").exists()


def test_npm_fails(npm, tmp_path):
    with pytest.raises(RuntimeUnavailable, match=r"npm could not fetch @litertjs.*: npm error not"):
        fetch_runtime(tmp_path / "runtime")


@pytest.fixture
def settings(model_file, tmp_path):
    return WebSettings(model=str(model_file), out=str(tmp_path / "site"))


def test_without_npm(settings, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match=r"@litertjs/core .*there is no npm here: install Node\.js"):
        web.main(settings)


def test_nothing_half_done_is_left(settings, npm, tmp_path, monkeypatch):
    monkeypatch.setattr("export.flatbuffer.flatbuffer", lambda *_, rows: (b"", []))
    with pytest.raises(UserError, match="npm could not fetch"):
        web.main(settings)
    assert not list(tmp_path.glob("*site*"))


def test_a_folder_that_exists_is_refused(settings, npm, tmp_path):
    (tmp_path / "site").mkdir()
    with pytest.raises(UserError, match="exists: remove it or choose another folder"):
        web.main(settings)


def test_a_model_without_labels_is_refused(npm, tmp_path):
    model = BPLF(ModelConfig(image_shape=(8, 8, 1), classes=(), levels=1, depth=1, width=4))
    model.save(tmp_path / "model.keras")
    with pytest.raises(UserError, match="was trained without labels"):
        web.main(WebSettings(model=str(tmp_path), out=str(tmp_path / "site")))
