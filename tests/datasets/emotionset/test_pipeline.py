"""From sources to a proven collection: order, processes, resuming, what goes wrong."""

import dataclasses
import os
import shutil
import signal
from collections import Counter

import numpy as np
import pytest

from bplf_tf import EMOTIONS
from datasets.emotionset import chunks, pipeline, splits
from datasets.emotionset.parallel import WorkerError
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import Dropped, Example, SourceError, Unit
from tests.datasets.emotionset.fake_source import FakeSource, Given, example, face

SETTINGS = CleaningSettings(steps=("blank", "duplicates", "near_duplicates", "conflicts"))


def run(root, *sources, settings=SETTINGS, processes=1, **given):
    return pipeline.run(
        sources, settings, root, worker=pipeline.processes(processes), bars=False, **given
    )


def everything(built):
    """All that a build decides, and the pixels that it keeps."""
    pictures = {r.key: p.tobytes() for r, p in built.collection.kept_pictures()}
    return [dataclasses.asdict(record) for record in built.collection.records], pictures


def test_all_examples_come_out_in_order(tmp_path):
    built, _ = run(tmp_path, FakeSource(people=3))
    keys = [f"fake/person{i:03d}/{name}" for i in range(3) for name in EMOTIONS]
    assert [record.key for record in built.collection.records] == keys
    pictures = {r.key: p for r, p in built.collection.kept_pictures()}
    assert list(pictures) == keys
    np.testing.assert_array_equal(pictures["fake/person002/fear"][..., 0], face(2, "fear"))
    assert built.proof == {"kept": 21, "images": 21, "pictures": 21, "people": 3}


def test_images_may_be_asked_for_twice_and_in_any_order(tmp_path):
    black = example(9, image=np.zeros((48, 48), np.uint8))
    built, _ = run(tmp_path, Given([example(1), black, example(2)]))
    shown = built.collection.small_images([2, 0, 1, 2, 2])
    wanted = [face(2, "happy"), face(1, "happy"), black.image, face(2, "happy"), face(2, "happy")]
    np.testing.assert_array_equal(shown, wanted)
    twice = built.collection.pictures([2, 0, 2])
    np.testing.assert_array_equal(np.array(twice)[..., 0], [wanted[0], wanted[1], wanted[0]])


def test_any_number_of_processes_gives_the_same(tmp_path):
    results = []
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        folder.mkdir()
        built, _ = run(folder, FakeSource(people=9), processes=processes)
        results.append(everything(built))
    assert results[0] == results[1] == results[2]


@dataclasses.dataclass(frozen=True)
class Counting(FakeSource):
    """Leaves a file for each unit that it reads; fails at one unit if asked to."""

    folder: str = ""
    fail_at: str = ""

    def read(self, unit: Unit):
        if unit.key == self.fail_at:
            raise KeyboardInterrupt
        with open(os.path.join(self.folder, unit.key), "a") as file:  # noqa: PTH118, PTH123
            file.write("x")
        yield from super().read(unit)


def test_finished_work_is_used_again(tmp_path):
    marks, root = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    root.mkdir()

    def reads():
        return {path.name: len(path.read_text()) for path in marks.iterdir()}

    source = Counting(people=4, folder=str(marks))
    expected, _ = run(root, source)
    assert set(reads().values()) == {1}
    again, work = run(root, source)
    assert set(reads().values()) == {1}, "nothing is read twice"
    assert everything(again) == everything(expected)

    lost, broken = sorted(work.path.glob("chunk_*"))[1:3]
    lost.unlink()
    broken.write_bytes(broken.read_bytes()[:500])
    (work.path / ".chunk_000001.99.aa.partial").write_bytes(b"half")
    again, _ = run(root, source)
    assert Counter(reads().values()) == {1: 2, 2: 2}
    assert everything(again) == everything(expected)
    assert not list(work.path.glob(".*"))


def test_interrupted_work_is_gone_on_with(tmp_path, monkeypatch):
    marks = tmp_path / "marks"
    marks.mkdir()
    source = Counting(people=4, folder=str(marks))
    monkeypatch.setattr(Counting, "read", _interrupted_at("person002", Counting.read))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, source)
    monkeypatch.undo()
    built, _ = run(tmp_path, source)
    assert {path.name: path.read_text() for path in marks.iterdir()} == {
        f"person{i:03d}": "x" for i in range(4)
    }
    (tmp_path / "other").mkdir()
    assert everything(built) == everything(run(tmp_path / "other", FakeSource(people=4))[0])


def _interrupted_at(key, read):
    def interrupted(self, unit):
        if unit.key == key:
            raise KeyboardInterrupt
        return read(self, unit)

    return interrupted


def test_other_settings_or_files_are_other_work(tmp_path):
    csv = tmp_path / "some.csv"
    csv.write_text("a")
    folders = set()

    def folder(*sources, **given):
        work = run(tmp_path, *sources, files={"csv": csv}, **given)[1]
        folders.add(work.path)
        return work.path

    source = FakeSource(people=2)
    first = folder(source)
    assert folder(source) == first
    folder(source, settings=dataclasses.replace(SETTINGS, image_size=32))
    folder(dataclasses.replace(source, first_seed=5))
    folder(dataclasses.replace(source, people=3))
    os.utime(csv, ns=(1, 1))
    folder(source)
    csv.write_text("ab")
    folder(source)
    assert len(folders) == 6
    model = tmp_path / "model.onnx"
    for content in ("one", "another"):
        model.write_text(content)
        folder(source, settings=dataclasses.replace(SETTINGS, yunet_model=str(model)))
    assert len(folders) == 8


def test_a_killed_process_is_reported_and_its_finished_work_kept(tmp_path):
    with pytest.raises(WorkerError, match="run the command again"):
        run(tmp_path, Killing(people=12), processes=2)
    assert list(tmp_path.rglob("chunk_*.npz"))
    assert run(tmp_path, FakeSource(people=2), processes=2), "the next build starts afresh"


@dataclasses.dataclass(frozen=True)
class Killing(FakeSource):
    """Its last unit takes the process with it."""

    def read(self, unit: Unit):
        if unit.place == 11:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().read(unit)


def test_what_a_source_drops_and_cannot_read_is_counted(tmp_path):
    class Faulty(Given):
        def read(self, unit):
            if unit.key == "2_happy":
                raise ZeroDivisionError("in a decoder")
            yield from super().read(unit)

    dropped = Dropped("broken.png", "unreadable", "broken.png: truncated", "sad")
    source = Faulty([example(1), dropped, example(2), example(3)])
    built, _ = run(tmp_path, source)
    assert [(r.key, r.reason, r.detail, r.label) for r in built.collection.records] == [
        ("given/1_happy", None, None, "happy"),
        ("given/broken.png", "unreadable", "broken.png: truncated", "sad"),
        ("given/2_happy", "unreadable", "2_happy: ZeroDivisionError: in a decoder", None),
        ("given/3_happy", None, None, "happy"),
    ]


def test_an_unusable_source_stops_the_build_and_leaves_nothing(tmp_path):
    class Unusable(Given):
        def read(self, unit):
            raise SourceError("archive.zip is truncated")
            yield

    with pytest.raises(SourceError, match=r"archive\.zip is truncated"):
        run(tmp_path, Unusable([example(1)]))
    assert not list(tmp_path.iterdir())
    with pytest.raises(SourceError, match="at least one"):
        run(tmp_path)


def test_an_unusable_source_leaves_the_work_of_others(tmp_path):
    _, work = run(tmp_path, FakeSource(people=2))
    black = example(1, image=np.zeros((48, 48), np.uint8))
    with pytest.raises(SourceError, match="none was kept"):
        run(tmp_path, Given([black]))
    assert work.finished() == 2
    assert list(work.root.iterdir()) == [work.path]


def test_nothing_left_says_why(tmp_path):
    black = example(1, image=np.zeros((48, 48), np.uint8))
    with pytest.raises(SourceError, match=r"none was kept \(1 blank\).* all pixels are 0"):
        run(tmp_path, Given([black]))


def test_the_same_key_twice(tmp_path):
    with pytest.raises(SourceError, match="given/1_happy is there 2 times"):
        run(tmp_path, Given([example(1), example(1)]))


def test_drops_of_one_name_are_told_apart(tmp_path):
    """As when a folder has an archive three times; only images must have names of their own."""
    twins = [Dropped("1_happy", "repeated_name", f"{name}: there is another") for name in "abc"]
    built, _ = run(tmp_path, Given([*twins[:2], example(1), twins[2]]))
    assert [(record.key, record.kept) for record in built.collection.records] == [
        ("given/1_happy (2)", False),
        ("given/1_happy (3)", False),
        ("given/1_happy", True),
        ("given/1_happy (4)", False),
    ]


def test_copies_within_and_across_sources(tmp_path):
    class Other(Given):
        name = "other"

    first = Given(
        [
            example(1, split="train"),
            example(2, split="train"),
            example(3, "sad", image=face(2, "happy"), split="train"),
        ]
    )
    second = Other([example(1, split="test"), example(4)])
    built, _ = run(tmp_path, first, second)
    assert {record.key: record.reason for record in built.collection.records} == {
        "given/1_happy": "exact_copy_across_splits",
        "given/2_happy": "conflicting_labels",
        "given/3_sad": "exact_copy",
        "other/1_happy": None,
        "other/4_happy": None,
    }
    assert built.exact_copies["all"].groups == 2
    assert built.exact_copies["given"].groups == 1
    assert built.exact_copies["other"].groups == 0


def test_a_fault_in_the_splits_fails_the_build(tmp_path, monkeypatch):
    def every_other(records, *_):
        for place, record in enumerate(records):
            record.split = ("train", "test")[place % 2]

    monkeypatch.setattr(splits, "assign", every_other)
    with pytest.raises(splits.SplitError, match="the same person is in two splits"):
        run(tmp_path, FakeSource(people=2))


def test_chunks_do_not_depend_on_the_machine():
    source = FakeSource()
    units = [Unit(str(place), place) for place in range(1000)]
    made = chunks.make_chunks(source, units, first=7)
    assert [unit for chunk in made for unit in chunk.units] == units
    assert [chunk.number for chunk in made] == list(range(7, 7 + len(made)))
    assert 200 < len(made) <= 256
    assert chunks.make_chunks(source, [], 0) == []


def test_numpy_values_in_a_provenance(tmp_path):
    one = Example("k", face(1, "happy"), "happy", provenance={"row": np.int64(3)})
    built, _ = run(tmp_path, Given([one]))
    assert built.collection.records[0].provenance["row"] == 3


def test_the_work_folder_goes(tmp_path):
    _, work = run(tmp_path, FakeSource(people=1))
    assert work.finished() == 1
    work.remove()
    assert not list(tmp_path.iterdir())
    shutil.rmtree(tmp_path)
