"""The whole of the real FER2013, as far as it is supplied: counts that are known."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bplf_tf import EMOTIONS
from datasets.emotionset import counts, pipeline
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.sources import SOURCES

pytestmark = pytest.mark.real_data

BLACK_ROWS = (
    6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601, 30002,
)  # fmt: skip
# Shares in which the cascade finds a face, of all 35,887 images.
RETENTION = dict(zip(EMOTIONS, (0.502, 0.569, 0.484, 0.590, 0.632, 0.399, 0.618), strict=True))
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory):
    """Both csv files as they are published."""
    out = tmp_path_factory.mktemp("fer2013")
    subprocess.run([sys.executable, shared_data / "write_fer2013_csv.py", out], check=True)
    return out


@pytest.fixture(scope="module")
def exact(folder):
    """Without face detection, which takes long, and without near duplicates."""
    source = SOURCES["fer2013"](str(folder / "fer2013.csv"))
    settings = CleaningSettings(steps=("blank", "duplicates", "conflicts"))
    built, work = pipeline.run([source], settings, folder, bars=False)
    yield built
    work.remove()


def test_exact_duplicates(exact):
    assert exact.exact_copies["fer2013"].to_dict() == {
        "groups": 1273, "images": 2805, "conflicting_labels": 47, "across_splits": 270,
    }  # fmt: skip
    assert len(exact.collection.records) == 32298


def test_black_images(exact):
    black = [record for record in exact.collection.records if record.reason == "blank"]
    assert sorted(int(record.provenance["row"]) for record in black) == list(BLACK_ROWS)


def test_no_copy_is_left_and_no_held_out_image_is_trained_on(exact):
    kept = [record for record in exact.collection.records if record.kept]
    assert len({record.digest for record in kept}) == len(kept)
    reasons = counts.by_reason(exact.collection.records)
    conflicting = reasons["conflicting_labels"]["images"]
    dropped = reasons["exact_copy"]["images"] + reasons["exact_copy_across_splits"]["images"]
    # The group of the black images is gone before.
    assert dropped == (2805 - 1273) - (len(BLACK_ROWS) - 1)
    assert conflicting == 47 - 1
    assert len(kept) == 32298 - dropped - conflicting - len(BLACK_ROWS) - 1  # 1 nearly constant


@pytest.mark.slow
def test_the_whole_build(folder, tmp_path):
    """With the command, the default cleaning and FER+; then the cascade alone, before all else."""
    command = [
        sys.executable, "-m", "datasets.build", f"--fer2013={folder / 'fer2013.csv'}", "--nobars",
    ]  # fmt: skip
    votes = f"--ferplus={folder / 'fer2013new.csv'}"
    subprocess.run([*command, votes, f"--out={tmp_path / 'all'}"], cwd=ROOT, check=True)
    (place,) = (tmp_path / "all").glob("emotion_set/48_gray/*")
    content = json.loads((place / "report" / "report.json").read_text())
    assert content["all"]["read"] == 32298
    assert 14_000 < content["all"]["kept"] < 17_000
    with (place / "report" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 32298
    assert sum(row["step"] == "" for row in rows) == content["all"]["kept"]
    assert len(list(place.glob("*-train.tfrecord-*"))) > 8

    alone = "--steps=face"
    subprocess.run([*command, alone, f"--out={tmp_path / 'face'}"], cwd=ROOT, check=True)
    (place,) = (tmp_path / "face").glob("emotion_set/48_gray/*")
    content = json.loads((place / "report" / "report.json").read_text())
    shares = content["sources"]["fer2013"]["retention"]["face"]
    for label in EMOTIONS:
        assert abs(shares[label] - RETENTION[label]) < 0.03, label
