"""A folder, a file, a zip or a tar(.gz), read alike: members by name, nothing unpacked for good."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import gzip
import io
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from datasets.emotionset.source import SourceError
from datasets.emotionset.temporary_copy import temporary_copy

ACCEPTED = "a folder, a zip, a tar or a tar.gz"
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MEGABYTE = 2**20
MEMBER_LIMIT = 64 * MEGABYTE  # of what is read into memory; the largest image is far below
FILE_LIMIT = 8192 * MEGABYTE  # of what is copied to disk for a while
MEMBERS_LIMIT = 5_000_000
_GZIP_RATIO = 200  # csv of pixels shrinks to a third; bombs shrink a thousandfold
_GZIP_FREE = 256 * MEGABYTE  # sizes up to here are harmless whatever their ratio

# A full disk and the like are no fault of the member, and would be met again with the next.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS)


class MemberError(ValueError):
    """One member cannot be read; the others may be fine. The message names file and member."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """A folder, a zip, a tar(.gz), or a single file, which is its own only member.

    It holds the path alone, so it can be sent to other processes, each of which opens the file
    anew. A tar.gz cannot be read but from its start: it is decompressed once, to a file in the
    temporary folder that goes when the process ends.

    Attributes:
      path: of it.
    """

    path: str

    def names(self) -> tuple[str, ...]:
        """The members, sorted by name, with "/" between folders.

        What operating systems add is left out: names with a leading dot, `__MACOSX`.

        Raises:
          SourceError: it is not there, not what its name says, truncated or encrypted, or it has a
            member that leads out of it or is a link.
        """
        names = sorted(self._opened().names())
        for name in names:
            if not name.isascii() and _has_surrogates(name):
                raise SourceError(f"{self.path} has a file whose name is not UTF-8: {name!a}")
        return tuple(names)

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """All bytes of a member.

        Raises:
          MemberError: it is not there, has more than `limit` bytes, or its bytes are damaged.
        """
        with self._reading(name):
            opened = self._opened()
            self._check_size(name, opened.size(name), limit)
            with opened.open(name) as file:
                content = file.read(limit + 1)
            self._check_size(name, len(content), limit)
            return content

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A member as a file in which seeking is quick, however large it is.

        A large member of a zip is copied to the temporary folder, where it stays until the process
        ends.

        Raises:
          MemberError: as for `read`.
        """
        with contextlib.ExitStack() as stack:
            with self._reading(name):
                file = stack.enter_context(self._opened().open(name))
            yield file

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A member as a file of its own, for programs that want a path; not to be written to.

        Raises:
          MemberError: as for `read`.
        """
        with contextlib.ExitStack() as stack:
            with self._reading(name):
                opened = self._opened()
                path = opened.path_of(name)
                if path is None:
                    self._check_size(name, opened.size(name), FILE_LIMIT)
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="emotionset-"))
                    path = Path(folder) / f"member{Path(name).suffix}"
                    with opened.open(name) as source, path.open("wb") as target:
                        shutil.copyfileobj(source, target, MEGABYTE)
            yield path

    def where(self, name: str) -> str:
        """The member, for people: with the path of the archive."""
        path = Path(self.path)
        if path.is_dir():
            return str(path / name)
        return self.path if path.name == name else f"{path}: {name}"

    def _opened(self) -> _Opened:
        try:
            status = Path(self.path).stat()
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{self.path} cannot be read ({error}); needed is {ACCEPTED}"
            ) from error
        if stat.S_ISDIR(status.st_mode):
            return _Folder(Path(self.path))
        # Files that are open in two processes share their position, hence the process' number.
        return _open(self.path, status.st_size, status.st_mtime_ns, os.getpid())

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Everything that reading a damaged member raises, as a `MemberError`."""
        try:
            yield
        except (MemberError, SourceError):
            raise
        except KeyError as error:
            raise MemberError(f"{self.where(name)} is not there") from error
        except Exception as error:  # zipfile, zlib and gzip let errors of many kinds through
            if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
                raise SourceError(f"{self.where(name)} cannot be read: {error}") from error
            kind = type(error).__name__
            raise MemberError(f"{self.where(name)} cannot be read: {kind}: {error}") from error

    def _check_size(self, name: str, size: int, limit: int) -> None:
        if size > limit:
            raise MemberError(f"{self.where(name)} has {size} bytes; at most {limit} are read")


def archives_below(path: str | os.PathLike[str]) -> list[Archive]:
    """What a user may mean by `path`: itself, and if it is a folder, the archives that lie in it.

    Raises:
      SourceError: there is no such path, or it cannot be listed.
    """
    root = Path(path)
    found = [Archive(str(root))]
    try:
        if root.is_dir():
            children = sorted(root.iterdir())
            found += [Archive(str(child)) for child in children if _is_archive(child)]
        elif not root.exists():
            raise SourceError(f"{root} does not exist; needed is {ACCEPTED}")
    except (OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{root} cannot be read: {error}") from error
    return found


def _is_archive(path: Path) -> bool:
    named = path.name.lower().endswith(ARCHIVE_SUFFIXES) and not path.name.startswith(".")
    return named and path.is_file()


class _Opened(Protocol):
    """An archive that is open in this process. Of an unknown name, all raise `KeyError`."""

    def names(self) -> Iterable[str]: ...

    def size(self, name: str) -> int: ...

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]: ...

    def path_of(self, name: str) -> Path | None:
        """Where the member is a file of its own, if it is one."""


@functools.lru_cache(maxsize=4)
def _open(path: str, size: int, modified_ns: int, process: int) -> _Opened:
    """Opens a file by what it holds; its name says only what it must not fail to be."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(265)
        if start.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08")):
            return _Zip(path)
        if start.startswith(b"\x1f\x8b"):
            return _Tar(path, _decompressed(path, size, modified_ns))
        if start[257:262] == b"ustar":
            return _Tar(path, Path(path))
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    except Exception as error:  # tarfile and zipfile let errors of many kinds through
        raise SourceError(
            f"{path} is truncated, damaged or not {ACCEPTED}: {type(error).__name__}: {error}"
        ) from error
    if path.lower().endswith((*ARCHIVE_SUFFIXES, ".gz", ".rar", ".7z", ".bz2", ".xz")):
        raise SourceError(f"{path} is truncated, damaged or not {ACCEPTED}")
    return _File(Path(path))


class _OnDisk:
    """Members that are files already."""

    def path_of(self, name: str) -> Path:
        raise NotImplementedError

    def size(self, name: str) -> int:
        return self.path_of(name).stat().st_size

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with self.path_of(name).open("rb") as file:
            yield file


class _Folder(_OnDisk):
    """Members are opened below the folder only; links that lead out of it are refused."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> Iterator[str]:
        top = str(self._root)
        for folder, folders, files in os.walk(top, onerror=self._failed):
            folders[:] = sorted(name for name in folders if not _is_clutter(name))
            for name in folders:
                self._check_link(Path(folder, name))
            inner = os.path.relpath(folder, top)
            prefix = "" if inner == os.curdir else Path(inner).as_posix() + "/"
            yield from (prefix + name for name in files if not _is_clutter(name))

    def path_of(self, name: str) -> Path:
        path = self._root / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise MemberError(f"{path} leads out of {self._root}")
        if not path.is_file():  # a pipe would never end
            raise KeyError(name)
        return path

    def _check_link(self, path: Path) -> None:
        # Folders that links lead to are not listed: what is inside is listed at its own place.
        if path.is_symlink() and not path.resolve().is_relative_to(self._root.resolve()):
            raise SourceError(f"{path} is a link that leads out of {self._root}")

    def _failed(self, error: OSError) -> None:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from error


class _File(_OnDisk):
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> Iterable[str]:
        return (self._path.name,)

    def path_of(self, name: str) -> Path:
        if name != self._path.name:
            raise KeyError(name)
        return self._path


class _Zip:
    def __init__(self, path: str) -> None:
        self._path = path
        self._file = zipfile.ZipFile(path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._file.infolist():
            if info.is_dir():
                _checked_name(info.filename, path)
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                raise SourceError(f"{path}: {info.filename} is a link")
            if info.flag_bits & 1:
                raise SourceError(f"{path} is encrypted ({info.filename}); decrypt it first")
            _add(self._members, info.filename, info, path)

    def names(self) -> Iterable[str]:
        return self._members

    def size(self, name: str) -> int:
        return self._members[name].file_size

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        info = self._members[name]
        if info.file_size <= MEMBER_LIMIT:
            with self._file.open(info) as member:
                yield io.BytesIO(member.read())
            return
        if info.file_size > FILE_LIMIT:
            raise MemberError(f"{self._path}: {name} has {info.file_size} bytes")
        path = Path(self._path).resolve()
        key = f"{path} {path.stat().st_size} {path.stat().st_mtime_ns} {name}"

        def write(target: BinaryIO) -> None:
            with self._file.open(info) as member:
                shutil.copyfileobj(member, target, MEGABYTE)

        with temporary_copy(key, write).open("rb") as file:
            yield file

    def path_of(self, name: str) -> Path | None:
        self._members[name]
        return None


class _Tar:
    """An uncompressed tar: members are stretches of the file."""

    def __init__(self, path: str, uncompressed: Path) -> None:
        # Kept open: a temporary copy may be removed by another process that ends.
        self._file = uncompressed.open("rb")
        self._members: dict[str, tuple[int, int]] = {}
        end = os.fstat(self._file.fileno()).st_size
        with tarfile.open(fileobj=self._file, mode="r:") as file:
            for info in file:
                if info.isdir():
                    _checked_name(info.name, path)
                    continue
                if not info.isreg() or info.issparse():
                    raise SourceError(f"{path}: {info.name} is a link or no ordinary file")
                if not 0 <= info.size <= end - info.offset_data:
                    raise SourceError(f"{path} is truncated or damaged: at {info.name}")
                _add(self._members, info.name, (info.offset_data, info.size), path)
            # A whole tar ends in blocks of zeros; one that was cut between members has none.
            if not os.pread(self._file.fileno(), 512, file.offset):
                raise SourceError(f"{path} is truncated: its end is missing")

    def names(self) -> Iterable[str]:
        return self._members

    def size(self, name: str) -> int:
        return self._members[name][1]

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        start, size = self._members[name]
        with _Stretch(self._file.fileno(), start, size) as stretch:
            yield io.BufferedReader(stretch)

    def path_of(self, name: str) -> Path | None:
        self._members[name]
        return None


class _Stretch(io.RawIOBase):
    """A part of an open file as a file of its own, with a position of its own."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        super().__init__()
        self._descriptor, self._start, self._size, self._position = descriptor, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._position))
        content = os.pread(self._descriptor, wanted, self._start + self._position)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def _add(members: dict[str, Any], name: str, member: Any, path: str) -> None:
    """Notes a member unless it is clutter; refuses names that lead out, and twins."""
    name = _checked_name(name, path)
    if any(_is_clutter(part) for part in name.split("/")):
        return
    if name in members:
        raise SourceError(f"{path} has {name} twice")
    if len(members) >= MEMBERS_LIMIT:
        raise SourceError(f"{path} has more than {MEMBERS_LIMIT} members")
    members[name] = member


def _checked_name(name: str, path: str) -> str:
    """The name with "/" between folders and without leading "./"."""
    plain = name.replace("\\", "/")
    parts = plain.split("/")
    if plain.startswith("/") or ".." in parts or re.match("[A-Za-z]:", plain) or "\0" in plain:
        raise SourceError(f"{path}: the member {name!r} leads out of the archive")
    return "/".join(part for part in parts if part not in ("", "."))


def _has_surrogates(name: str) -> bool:
    """Whether a name had bytes that are no text."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _is_clutter(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def _decompressed(path: str, size: int, modified_ns: int) -> Path:
    """The content of a gzip file as a temporary file."""
    limit = max(_GZIP_FREE, size * _GZIP_RATIO)

    def write(target: BinaryIO) -> None:
        written = 0
        try:
            with gzip.open(path, "rb") as source:
                while block := source.read(MEGABYTE):
                    written += len(block)
                    if written > limit:
                        raise SourceError(
                            f"{path} grows from {size} to more than {limit} bytes; it is no data "
                            "set but a decompression bomb"
                        )
                    target.write(block)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceError(f"{path} is truncated or damaged: {error}") from error

    return temporary_copy(f"{Path(path).resolve()} {size} {modified_ns}", write)
