import contextlib
import errno
import gzip
import io
import os
import pickle
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.emotionset import archives
from datasets.emotionset.archives import Archive, MemberError, archives_below
from datasets.emotionset.source import SourceError
from tests.datasets.emotionset.fixtures import tar_folder, zip_folder
from tests.datasets.emotionset.fixtures.faces import write

CONTENT = {"b/two.txt": b"2" * 3000, "a.txt": b"one\nline\n", "b/c/three.txt": b""}
FORMS = ["folder", "x.zip", "x.tar", "x.tar.gz", "x.tgz", "no_suffix"]


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()


def make(tmp_path: Path, form: str) -> Archive:
    folder = tmp_path / "folder"
    for name, content in CONTENT.items():
        write(folder / name, content)
    write(folder / ".DS_Store", b"x")
    write(folder / "b" / "._two.txt", b"x")
    (folder / "empty").mkdir()
    if form == "folder":
        return Archive(str(folder))
    pack = zip_folder if form.endswith("zip") else tar_folder
    path = pack(folder, tmp_path / "packed" / form.replace("no_suffix", "x.tar"))
    return Archive(str(path.rename(path.with_name(form))))


def run(code: str, argument: str, temporary: Path) -> str:
    """What a program prints that has a temporary folder of its own."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", code, argument]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_alike(tmp_path: Path, form: str) -> None:
    archive = make(tmp_path, form)
    assert archive.names() == ("a.txt", "b/c/three.txt", "b/two.txt")
    for name, content in CONTENT.items():
        assert archive.read(name) == content
        with archive.open(name) as file:
            assert file.read() == content
        with archive.file(name) as path:
            assert path.read_bytes() == content
            assert path.suffix == ".txt"
        assert path.exists() == (form == "folder")
    with archive.open("a.txt") as file:
        assert file.readline() == b"one\n"
        file.seek(2)
        assert file.read(3) == b"e\nl"
        assert file.seek(-2, io.SEEK_END) == len(CONTENT["a.txt"]) - 2
        assert file.read() == b"e\n"
    assert "a.txt" in archive.where("a.txt")
    assert archive.path in archive.where("a.txt")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["missing", "b", "../outside", "/etc/hostname", "b/../a.txt", ""])
def test_what_is_not_a_member(tmp_path: Path, form: str, name: str) -> None:
    write(tmp_path / "outside", "secret")
    archive = make(tmp_path, form)
    if form == "folder" and name == "b/../a.txt":
        return  # inside after all
    with pytest.raises(MemberError):
        archive.read(name)
    with pytest.raises(MemberError), archive.file(name):
        pass
    with pytest.raises(MemberError), archive.open(name):
        pass


@pytest.mark.parametrize("form", FORMS)
def test_a_member_that_is_too_large(tmp_path: Path, form: str) -> None:
    archive = make(tmp_path, form)
    assert len(archive.read("b/two.txt", limit=3000)) == 3000
    with pytest.raises(MemberError, match=r"b/two\.txt has 3000 bytes; at most 2999 are read"):
        archive.read("b/two.txt", limit=2999)


@pytest.mark.parametrize("form", FORMS)
def test_it_goes_to_other_processes(tmp_path: Path, form: str) -> None:
    """Opened here, then used by processes forked from this one, at the same time."""
    archive = make(tmp_path, form)
    assert len(pickle.dumps(archive)) < 500
    code = (
        "import multiprocessing, sys;"
        "from datasets.emotionset.archives import Archive;"
        "archive = Archive(sys.argv[1]);"
        "first = archive.read('a.txt');"
        "pool = multiprocessing.get_context('fork').Pool(2);"
        "found = pool.map(archive.read, ['a.txt', 'b/two.txt'] * 50);"
        "pool.terminate();"
        "print(found == [first, b'2' * 3000] * 50)"
    )
    # In a process of its own, since forking one that has many threads can hang.
    assert run(code, archive.path, tmp_path / "temporary") == "True"


def test_a_single_file(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", "1\n2\n")
    archive = Archive(str(tmp_path / "rows.csv"))
    assert archive.names() == ("rows.csv",)
    assert archive.read("rows.csv") == b"1\n2\n"
    assert archive.where("rows.csv") == archive.path


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.rar", "x.7z"])
@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\3\4", b"\x1f\x8b\x08"])
def test_the_wrong_archive(tmp_path: Path, name: str, content: bytes) -> None:
    write(tmp_path / name, content)
    with pytest.raises(SourceError, match=rf"{name} is truncated(,| or) damaged"):
        Archive(str(tmp_path / name)).names()


@pytest.mark.parametrize("form", ["x.zip", "x.tar", "x.tar.gz"])
def test_truncated(tmp_path: Path, form: str) -> None:
    path = Path(make(tmp_path, form).path)
    content = path.read_bytes()
    for share in (0.1, 0.3, 0.6, 0.9) if form != "x.tar" else (0.05, 0.1, 0.2):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(SourceError, match=r"x\.\S+ is truncated"):
            Archive(str(path)).names()


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        Archive(str(tmp_path / "none")).names()
    with pytest.raises(SourceError, match="cannot be read"):
        Archive("a\0b").names()
    with pytest.raises(SourceError, match="does not exist"):
        archives_below(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert Archive(str(tmp_path / "empty")).names() == ()


CLIMBERS = ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "a\\..\\x", "./../x"]


@pytest.mark.parametrize("name", CLIMBERS)
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_paths_that_climb_out(tmp_path: Path, form: str, name: str) -> None:
    path = tmp_path / f"x.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("good", b"1")
            file.writestr(name, b"1")
    else:
        with tarfile.open(path, "w") as tar:
            tar.addfile(tarfile.TarInfo("good"))
            tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(SourceError, match=r"x\.\w+: the member .* leads out of the archive"):
        Archive(str(path)).names()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as file:
        info = tarfile.TarInfo("link.png")
        info.type, info.linkname = kind, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(SourceError, match=r"link\.png is a link or no ordinary file"):
        Archive(str(tmp_path / "x.tar.gz")).names()


def test_links_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    with pytest.raises(SourceError, match=r"link\.png is a link"):
        Archive(str(tmp_path / "x.zip")).names()


def test_links_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret.png", "1")
    root = tmp_path / "root"
    write(root / "a" / "b.png", "2")
    (root / "inner").symlink_to(root / "a")
    (root / "loop").symlink_to(root)
    (root / "out.png").symlink_to(tmp_path / "outside" / "secret.png")
    (root / "in.png").symlink_to(root / "a" / "b.png")
    (root / "dangling.png").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.png")
    archive = Archive(str(root))
    assert archive.names() == ("a/b.png", "dangling.png", "in.png", "out.png", "pipe.png")
    assert archive.read("in.png") == b"2"
    for name in ("out.png", "dangling.png", "pipe.png"):
        with pytest.raises(MemberError, match=name):
            archive.read(name)
    (root / "away").symlink_to(tmp_path / "outside")
    with pytest.raises(SourceError, match="away is a link that leads out of"):
        archive.names()
    # The root itself may be a link: it is what the user named.
    (tmp_path / "named").symlink_to(tmp_path / "outside")
    assert Archive(str(tmp_path / "named")).read("secret.png") == b"1"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.png", b"1")
        file.writestr("./a.png", b"2")
    with pytest.raises(SourceError, match=r"has a\.png twice"):
        Archive(str(tmp_path / "x.zip")).names()


def test_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.png", b"1")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # flags of the entry in the directory
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.zip is encrypted \(a\.png\)"):
        Archive(str(path)).names()


def test_a_damaged_member_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", os.urandom(1000))
        file.writestr("b.png", b"good")
    content = bytearray(path.read_bytes())
    content[500] ^= 255
    path.write_bytes(content)
    archive = Archive(str(path))
    assert archive.read("b.png") == b"good"
    with pytest.raises(MemberError, match=r"x\.zip: a\.png cannot be read"):
        archive.read("a.png")


def test_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(archives.MEMBER_LIMIT + 1))
    assert path.stat().st_size < 100_000
    with pytest.raises(MemberError, match=r"a\.png has \d+ bytes; at most"):
        Archive(str(path)).read("a.png")


def test_a_tar_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_GZIP_FREE", 2**20)
    path = tmp_path / "x.tar.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(20):
            file.write(bytes(2**20))
    with pytest.raises(SourceError, match="decompression bomb"):
        Archive(str(path)).names()
    assert not [found for found in (tmp_path / "temporary").rglob("*") if found.is_file()]


def test_a_large_member_of_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 1000)
    archive = make(tmp_path, "x.zip")
    for _ in range(2):
        with archive.open("b/two.txt") as file:
            file.seek(2990)
            assert file.read() == b"2" * 10
    copies = [found for found in (tmp_path / "temporary").rglob("*") if found.is_file()]
    assert len(copies) == 1
    assert stat.S_IMODE(copies[0].parent.stat().st_mode) == 0o700
    monkeypatch.setattr(archives, "FILE_LIMIT", 2000)
    with pytest.raises(MemberError, match="3000 bytes"), archive.open("b/two.txt"):
        pass
    with pytest.raises(MemberError, match="3000 bytes"), archive.file("b/two.txt"):
        pass


def test_a_full_disk_is_no_fault_of_the_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    zipped, tarred = make(tmp_path, "x.zip"), make(tmp_path / "t", "x.tar.gz")
    zipped.names()
    monkeypatch.setattr(archives.shutil, "copyfileobj", full)
    with pytest.raises(SourceError, match="No space left"), zipped.file("a.txt"):
        pass
    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(SourceError, match="no temporary copy could be made"):
        tarred.names()


def test_what_the_user_does_with_a_file_is_not_taken_for_damage(tmp_path: Path) -> None:
    archive = make(tmp_path, "x.zip")
    with pytest.raises(KeyError, match="mine"), archive.file("a.txt"):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"), archive.open("a.txt"):
        raise KeyError("mine")


def test_a_changed_archive_is_opened_anew(tmp_path: Path) -> None:
    archive = make(tmp_path, "x.zip")
    archive.names()
    with zipfile.ZipFile(archive.path, "w") as file:
        file.writestr("new", b"1")
    assert archive.names() == ("new",)


def test_temporary_copies_go_with_the_process(tmp_path: Path) -> None:
    archive = make(tmp_path, "x.tar.gz")
    code = (
        "import sys, tempfile; from pathlib import Path;"
        "from datasets.emotionset.archives import Archive;"
        "Archive(sys.argv[1]).names();"
        "print(sum(p.is_file() for p in Path(tempfile.gettempdir()).rglob('*')))"
    )
    folder = tmp_path / "own"
    folder.mkdir()
    assert run(code, archive.path, folder) == "1"
    assert not [found for found in folder.rglob("*") if found.is_file()]


def test_the_temporary_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "temporary" / f"emotionset-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(SourceError, match="others may write to it"):
        make(tmp_path, "x.tar.gz").names()


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "x.png").rename(tmp_path / "a" / os.fsdecode(b"\xff.png"))
    with pytest.raises(SourceError, match="is not UTF-8"):
        Archive(str(tmp_path / "a")).names()


@given(
    form=st.sampled_from(["x.zip", "x.tar", "x.tar.gz"]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.floats(0.2, 1),
)
def test_any_damage_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    changes: list[tuple[float, int]],
    end: float,
) -> None:
    tmp_path = tmp_path_factory.mktemp("damage")
    path = Path(make(tmp_path, form).path)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    if end < 0.9:
        content = content[: int(end * len(content))]
    path.write_bytes(content)
    archive = Archive(str(path))
    # Anything else that is raised fails the test.
    names: tuple[str, ...] = ()
    with contextlib.suppress(SourceError):
        names = archive.names()
    for name in names:
        with contextlib.suppress(MemberError):
            archive.read(name)
