"""Files that are spoiled at random give clear errors and counted drops, and never a wrong label.

What a label must be is read from the spoiled files by the simplest means, of which none is shared
with the sources: a spoiled digit in a label file that still is a label cannot be told from a label.
"""

import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bplf_tf.config import EMOTIONS
from datasets.emotionset import pipeline
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import Dropped, Example, Source, SourceError
from datasets.emotionset.sources import CkPlus, Fer2013, Jaffe, Mmi
from tests.datasets.emotionset.fixtures import (
    write_ck48,
    write_ck_plus,
    write_ckextended,
    write_fer2013,
    write_fer2013_atulapra,
    write_fer2013_msambare,
    write_jaffe,
    write_mmi,
)
from tests.datasets.emotionset.mutations import (
    Tree,
    archived,
    flipped,
    mutate,
    only,
    read_tree,
    write_folder,
)
from tests.datasets.emotionset.reading import check_example


def jaffe_label(example: Example, tree: Tree) -> set[str]:
    codes = {"AN": 0, "DI": 1, "FE": 2, "HA": 3, "NE": 4, "SA": 5, "SU": 6}
    return {EMOTIONS[codes[example.key.split(".")[1][:2].upper()]]}


def ck_plus_label(example: Example, tree: Tree) -> set[str]:
    subject, sequence, frame = example.key.split("_")
    names = "neutral anger contempt disgust fear happy sad surprise".split()  # noqa: SIM905
    start = f"{subject}_{sequence}_"
    end = "_emotion.txt"
    own = {name: text for name, text in tree.items() if start in name.upper()}
    texts = [text for name, text in own.items() if name.lower().endswith(end)]
    labels = {names[round(float(text))] for text in texts if is_number(text)}
    (peak,) = {int(name[-len(end) - 8 : -len(end)]) for name in own if name.lower().endswith(end)}
    assert int(frame) == 1 or peak - 3 < int(frame) <= peak
    return {"neutral"} if int(frame) == 1 < peak else labels


def is_number(text: bytes) -> bool:
    try:
        return 0 <= float(text) < 8
    except ValueError:
        return False


def folder_label(example: Example, tree: Tree) -> set[str]:
    folder = str(example.provenance["file"]).split("/")[-2].lower()
    starts = {"ang": 0, "dis": 1, "fea": 2, "hap": 3, "neu": 4, "sad": 5, "sur": 6}
    return {EMOTIONS[starts[folder[:3]]]}


def csv_label(example: Example, tree: Tree) -> set[str]:
    """By the line itself, whose pixels must be those of the example."""
    (text,) = (content for name, content in tree.items() if name == example.provenance["file"])
    header, *lines = (line.strip() for line in text.split(b"\n"))
    line = [line for line in lines if line][int(example.key[3:])].decode().replace('"', "")
    names = [name.strip() for name in header.decode("utf-8-sig").split(",")]
    fields = dict(zip(names, line.split(","), strict=True))
    pixels = np.array([int(pixel) for pixel in fields["pixels"].split()]).reshape(48, 48)
    assert np.array_equal(pixels, example.image)
    codes = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt")
    split = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    assert example.split in (None, split[fields["Usage"].strip()])
    return {codes[int(fields["emotion"])]}


def mmi_label(example: Example, tree: Tree) -> set[str]:
    name = re.sub(r"\.\w+$", ".xml", str(example.provenance["file"]))
    values = re.findall(rb'Name="Emotion"\s+Value="0?(\d)"', tree[name])
    assert len(set(values)) == 1
    return {("", "anger", "disgust", "fear", "happy", "sad", "surprise")[int(values[0])]}


Case = tuple[Callable[[Path], Source], Callable[[Path], Tree], Callable[[Example, Tree], set[str]]]


def small_ck_plus(folder: Path) -> Tree:
    write_ck_plus(folder, 1)
    # The sequences of half of the expressions, and what is wrong with others.
    return only(read_tree(folder), "S005/004", "S005/005", "S005/007", "S900/00", "S901")


def tree_of(write: Callable[[Path], object], *parts: str) -> Callable[[Path], Tree]:
    def make(folder: Path) -> Tree:
        write(folder)
        return only(read_tree(folder), *(parts or ("",)))

    return make


CASES: dict[str, Case] = {
    "jaffe": (
        lambda path: Jaffe(str(path)),
        tree_of(lambda folder: write_jaffe(folder, 1)),
        jaffe_label,
    ),
    "ck_plus": (lambda path: CkPlus(str(path)), small_ck_plus, ck_plus_label),
    "ck48": (lambda path: CkPlus(str(path)), tree_of(write_ck48, "S010", "S09"), folder_label),
    "ckextended": (
        lambda path: CkPlus(str(path), contempt=True),
        tree_of(write_ckextended),
        csv_label,
    ),
    "fer2013": (
        lambda path: Fer2013(str(path)),
        tree_of(lambda folder: write_fer2013(folder, 10), "fer2013.csv"),
        csv_label,
    ),
    "icml_face_data": (
        lambda path: Fer2013(str(path)),
        tree_of(lambda folder: write_fer2013(folder, 10, "icml_face_data.csv"), "icml"),
        csv_label,
    ),
    "msambare": (
        lambda path: Fer2013(str(path)),
        tree_of(lambda folder: write_fer2013_msambare(folder, 1)),
        folder_label,
    ),
    "atulapra": (
        lambda path: Fer2013(str(path)),
        tree_of(lambda folder: write_fer2013_atulapra(folder, 1)),
        folder_label,
    ),
    "mmi": (
        lambda path: Mmi(str(path), frames=2),
        tree_of(write_mmi, "/2/", "/11/", "/14/", "/16/", "/21/"),
        mmi_label,
    ),
}


def fuzz(case: str, rounds: int, seed: int, folder: Path) -> Counter[str]:
    """Spoils and reads; returns how often what came out."""
    make_source, make_tree, label_of = CASES[case]
    whole = make_tree(folder / "whole")
    root, before = folder / "root", Tree()
    rng = random.Random(f"{case} {seed}")
    counts: Counter[str] = Counter()
    for number in range(rounds):
        tree = mutate(whole, rng)
        form = rng.choice(["folder", "folder", "folder", ".zip", ".tar", ".tar.gz"])
        path = root
        if form == "folder":
            root.mkdir(exist_ok=True)
            write_folder(tree, root, before)
            before = tree
        else:
            path = folder / f"packed{number}{form}"
            content = archived(tree, form)
            # A zip and a gzip know their checksums; a tar has none of its contents.
            if form != ".tar" and rng.random() < 0.5:
                content = flipped(content, rng)
            path.write_bytes(content)
        source = make_source(path)
        labels: dict[str, str] = {}
        try:
            for result in source.examples():
                if isinstance(result, Dropped):
                    counts[result.reason] += 1
                    assert result.detail
                    assert "\n" not in result.detail
                    continue
                counts["examples"] += 1
                check_example(result)
                neutral_frame = result.provenance.get("frame") == 0
                assert neutral_frame or result.label in label_of(result, tree), (case, result.key)
                labels[result.key] = result.label
            check_pipeline(source, labels, folder / "out")
        except SourceError:
            counts["SourceError"] += 1
        if path != root:
            path.unlink()
    return counts


def check_pipeline(source: Source, labels: dict[str, str], folder: Path) -> None:
    """All that follows the source goes through too, and gives its images the same labels."""
    settings = CleaningSettings(steps=())
    worker = pipeline.processes(1)
    built, work = pipeline.run([source], settings, folder, worker=worker, bars=False)
    records = built.collection.records
    assert {one.key: one.label for one in records if one.digest is not None} == {
        f"{source.name}/{key}": label for key, label in labels.items()
    }
    assert len({one.key for one in records}) == len(records)
    work.remove()


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("case", CASES)
def test_spoiled_files(tmp_path: Path, case: str) -> None:
    counts = fuzz(case, 8 if case == "mmi" else 20, 0, tmp_path)
    assert counts["examples"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_thousands_of_spoiled_files(tmp_path: Path, case: str) -> None:
    rounds = 100 if case == "mmi" else 600
    counts = fuzz(case, rounds, 1, tmp_path)
    print(case, dict(counts))
    assert counts["examples"] > rounds
    assert counts["SourceError"] > 0
