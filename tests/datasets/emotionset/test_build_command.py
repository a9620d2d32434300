"""`python -m datasets.build`: what it makes, what it says, and what it leaves behind."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets import build
from datasets.emotionset import assembly, chunks, report
from datasets.emotionset.built import read_report
from datasets.emotionset.sources.jaffe import Jaffe
from datasets.emotionset.work_folder import FOLDER, only_build
from datasets.flags import UserError
from tests.datasets.emotionset.fixtures import write_fer2013, write_jaffe, zip_folder
from tests.trainers.conftest import SizeLimit

ROOT = Path(__file__).parents[3]


def run(out, **given):
    """Builds in this process and returns the data set's folder."""
    defaults = {
        field.name: field.default_factory() if field.default is dataclasses.MISSING
        else field.default
        for field in dataclasses.fields(build.BuildFlags)
    }  # fmt: skip
    given = {"out": out and str(out), "processes": 1, "bars": False, "steps": ["blank"], **given}
    assert build.main(build.BuildFlags(**{**defaults, **given})) == 0
    (place,) = Path(out).glob("emotion_set/*/*.*.*")
    return place


def files(folder):
    """Everything below a folder that is a file."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory):
    return write_fer2013(tmp_path_factory.mktemp("fer2013"))


def test_all_four_sources_in_one_command(tmp_path, manual_folder, capsys):
    place = run(
        tmp_path / "out",
        jaffe=str(manual_folder / "jaffe"),
        ck_plus=str(manual_folder / "ck_plus"),
        fer2013=str(manual_folder / "fer2013" / "fer2013.csv"),
        ferplus=str(manual_folder / "fer2013" / "fer2013new.csv"),
        mmi=str(manual_folder / "mmi"),
    )
    content = json.loads((place / "report" / "report.json").read_text())
    assert set(content["sources"]) == {"jaffe", "ck_plus", "fer2013", "mmi"}
    for source in content["sources"].values():
        assert source["kept"] > 0
        assert sum(one["images"] for one in source["dropped"].values()) > 0, "the fixtures' traps"
        assert source["licence"]
        assert source["citation"]
    assert content["proof"]["people"] > 3
    assert set(content["files"]) == {"jaffe", "ck_plus", "fer2013", "ferplus", "mmi"}
    printed = capsys.readouterr().out
    assert str(place) in printed
    assert "report.html" in printed
    train = next(line for line in printed.splitlines() if "-m trainers.fit" in line)
    assert f"--data_path={place} --run_dir=" in train
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["emotion_set"]


def test_a_folder_with_the_same_archive_three_times(tmp_path):
    jaffe = write_jaffe(tmp_path / "unpacked", traps=False)
    for name in ("jaffe.zip", "jaffe (1).zip", "jaffe_copy.zip"):
        zip_folder(jaffe.path, tmp_path / "given" / name)
    place = run(tmp_path / "out", jaffe=str(tmp_path / "given"))
    source = read_report(place)["sources"]["jaffe"]
    assert source["kept"] == len(jaffe.examples)
    assert source["dropped"]["repeated_name"]["images"] == 2 * len(jaffe.examples)


def test_it_is_not_built_twice(tmp_path, fer2013):
    out = tmp_path / "out"
    place = run(out, fer2013=str(fer2013.path))
    (place / "mark").write_text("the first")
    with pytest.raises(UserError, match="is there already: give --overwrite"):
        run(out, fer2013=str(fer2013.path))
    assert (place / "mark").is_file()
    before = files(out)
    with pytest.raises(UserError, match="nothing is left"):
        run(out, fer2013=str(fer2013.path), overwrite=True, min_deviation=127.0)
    assert [name for name in files(out) if FOLDER not in name] == before
    assert run(out, fer2013=str(fer2013.path), overwrite=True) == place
    assert not (place / "mark").exists()
    assert sorted(path.name for path in out.iterdir()) == ["emotion_set"]
    assert (out / "emotion_set" / ".config" / "metadata.json").is_file()


def test_two_builds_do_not_take_each_others_files(tmp_path, fer2013):
    out = tmp_path / "out"
    with only_build(out):
        with pytest.raises(UserError, match=r"another build writes into .*out"):
            run(out, fer2013=str(fer2013.path))
        assert (out / FOLDER).is_dir()
    run(out, fer2013=str(fer2013.path))
    assert [path.name for path in out.iterdir()] == ["emotion_set"]


def test_ctrl_c_says_what_is_left(tmp_path, fer2013, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    monkeypatch.setattr(report, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(out, fer2013=str(fer2013.path))
    assert "finished parts are kept in" in capsys.readouterr().err
    assert all(name.startswith(f"{FOLDER}/") for name in files(out))


def test_two_sizes_lie_side_by_side(tmp_path, fer2013):
    run(tmp_path / "out", fer2013=str(fer2013.path))
    defaults = {"fer2013": str(fer2013.path), "image_size": 32, "channels": 3}
    with pytest.raises(ValueError, match="too many values"):
        run(tmp_path / "out", **defaults)
    assert sorted(path.name for path in (tmp_path / "out" / "emotion_set").iterdir()) == [
        ".config", "32_rgb", "48_gray",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no source was given; give at least one of --"),
        ({"out": None}, "--out is required"),
        ({"jaffe": "nowhere"}, "--jaffe=nowhere: there is no such file or folder"),
        ({"ferplus": "votes.csv"}, "give --fer2013 too"),
        ({"jaffe": ".", "mmi_neutral": True}, "--mmi_neutral is for MMI"),
        ({"jaffe": ".", "beam_options": ["a=b"]}, "give --beam_runner too"),
        ({"steps": ["blank", "shiny"]}, "no cleaning step 'shiny'; there are blank, not_a_face"),
        ({"detector": "eye"}, "detector must be one of haar, yunet, mtcnn; got 'eye'"),
        ({"channels": 2}, "channels must be one of 1, 3; got 2"),
        ({"image_size": 4}, "image_size must be from 8 to 1024; got 4"),
        ({"processes": 0}, "--processes must be at least 1"),
        ({"contempt": "maybe"}, "contempt must be one of drop, keep"),
        ({"min_agreement": 1.5}, "min_agreement must be from 0 to 1"),
    ],
)
def test_wrong_flags(tmp_path, given, message):
    with pytest.raises(UserError, match=message):
        run(**{"out": tmp_path / "out", **given})
    assert not list(tmp_path.iterdir())


def test_a_detector_that_is_not_there(tmp_path, fer2013):
    given = {"fer2013": str(fer2013.path), "steps": ["face"], "detector": "yunet"}
    with pytest.raises(UserError, match="no YuNet model nowhere"):
        run(tmp_path / "out", yunet_model="nowhere.onnx", **given)
    with pytest.raises(UserError, match="no cascade"):
        run(tmp_path / "out", **{**given, "detector": "haar", "haar_cascade": "x"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["empty", "other", "broken"])
@pytest.mark.parametrize("source", ["jaffe", "ck_plus", "fer2013", "mmi"])
def test_an_unusable_source(tmp_path, source, content):
    path = tmp_path / "given"
    if content == "broken":
        path = tmp_path / "given.zip"
        path.write_bytes(b"PK\3\4 and no more")
    else:
        path.mkdir()
    if content == "other":
        (path / "readme.txt").write_text("nothing of use")
    with pytest.raises(UserError, match="given"):
        run(tmp_path / "out", **{source: str(path)})
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_command_line(tmp_path):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "datasets.build", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    wrong = command("--jaffe=nowhere", f"--out={tmp_path / 'out'}")
    assert wrong.returncode == 2
    assert wrong.stderr == "error: --jaffe=nowhere: there is no such file or folder\n"
    shown = command("--help")
    assert shown.returncode == 0
    for flag in ("jaffe", "ck_plus", "fer2013", "ferplus", "mmi", "out", "min_agreement"):
        assert f"--{flag}:" in shown.stdout


@pytest.mark.parametrize("place", ["chunk", "report", "records"])
def test_a_full_disk(tmp_path, fer2013, monkeypatch, place):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "some/file")

    def fail(*_, **__):
        raise full

    if place == "chunk":
        monkeypatch.setattr(chunks, "_write", fail)
    elif place == "report":
        monkeypatch.setattr(report, "_write_images", fail)
    else:
        monkeypatch.setattr("tensorflow_datasets.core.writer.Writer.write", fail)
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"could not build .*: No space left on device") as raised:
        run(out, fer2013=str(fer2013.path))
    assert "Make room" in str(raised.value)
    if place == "chunk":
        assert not out.exists()
    else:
        assert "finished parts" in str(raised.value)
        assert all(name.startswith(f"{FOLDER}/") for name in files(out))
        assert not (out / FOLDER / "result").exists()
    monkeypatch.undo()
    run(out, fer2013=str(fer2013.path))
    assert [path.name for path in out.iterdir()] == ["emotion_set"]


@pytest.mark.parametrize("left", [3_000, 60_000])
def test_a_disk_that_takes_no_more(tmp_path, monkeypatch, left):
    """With the smaller limit a chunk does not fit, with the larger one TFDS' records do not."""
    monkeypatch.setattr(report, "write", lambda *_: None)
    source = write_jaffe(tmp_path / "given", subjects=6)
    out = tmp_path / "out"
    given = {"jaffe": str(source.path), "image_size": 64, "channels": 3}
    with SizeLimit(tmp_path).full(left), pytest.raises(UserError, match="File too large"):
        run(out, **given)
    assert not list(out.rglob("*tfrecord*"))
    assert not list(out.rglob("*.partial"))
    assert bool(list(out.rglob("chunk_*"))) == (left == 60_000)


def test_a_folder_that_cannot_be_made(tmp_path, fer2013):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"could not build .*: Not a directory"):
        run(tmp_path / "file" / "out", fer2013=str(fer2013.path))


def test_a_failed_exchange_brings_the_old_set_back(tmp_path, fer2013, monkeypatch):
    out = tmp_path / "out"
    place = run(out, fer2013=str(fer2013.path))
    (place / "mark").write_text("the first")
    rename = Path.rename

    def fail(self, target):
        if Path(target) == place and self.name == place.name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
        return rename(self, target)

    monkeypatch.setattr(assembly.Path, "rename", fail)
    with pytest.raises(UserError, match="Permission denied"):
        run(out, fer2013=str(fer2013.path), overwrite=True)
    assert (place / "mark").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_killed_and_started_again(tmp_path, monkeypatch):
    """Killed at its fullest, the second run ends with what an undisturbed one makes."""
    source = write_jaffe(tmp_path / "jaffe", subjects=6)
    out = tmp_path / "out"
    arguments = [
        sys.executable, "-m", "datasets.build", f"--jaffe={source.path}", f"--out={out}",
        "--processes=2", "--steps=blank,face", "--nobars",
    ]  # fmt: skip
    process = subprocess.Popen(arguments, cwd=ROOT, start_new_session=True)
    end = time.monotonic() + 120
    while len(list(out.rglob("chunk_*.npz"))) < 5 and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.returncode == 0:
        pytest.skip("it was done before it could be killed")
    kept = len(list(out.rglob("chunk_*.npz")))
    assert kept >= 5
    assert not (out / "emotion_set").exists()
    worked_on, result = [], chunks._result
    monkeypatch.setattr(
        chunks, "_result", lambda chunk, *rest: worked_on.append(1) or result(chunk, *rest)
    )
    place = run(out, jaffe=str(source.path), steps=["blank", "face"])
    finished_before = len(list(Jaffe(str(source.path)).units())) - len(worked_on)
    assert finished_before == kept
    expected = run(tmp_path / "other", jaffe=str(source.path), steps=["blank", "face"])
    assert files(place) == files(expected)
    for name in files(place):
        if "tfrecord" in name or name.endswith((".csv", ".png")):
            assert (place / name).read_bytes() == (expected / name).read_bytes(), name
