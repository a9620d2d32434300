"""The report: its counts add up, its page is safe, its pictures are there."""

import csv
import html.parser
import json

import numpy as np
import pytest
from PIL import Image

from bplf_tf import EMOTIONS
from datasets.emotionset import counts, paper, pipeline, report
from datasets.emotionset.settings import STEPS, CleaningSettings
from datasets.emotionset.sheets import evenly
from datasets.emotionset.source import Dropped
from tests.datasets.emotionset.fake_source import FakeSource, Given, example, face

STEP_NAMES = ["found", "read", "labels", *STEPS]


class Hostile(Given):
    """Names that must not become markup or paths."""

    name = "fer2013"
    title = "<script>alert(1)</script>"
    licence = "a & b"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    black = np.zeros((48, 48), np.uint8)
    given = Hostile(
        [
            example(100, split="train"),
            example(101, image=black, split="train"),
            example(102, image=face(100, "happy"), split="test"),
            example(103, "contempt"),
            Dropped("../<b>.png", "../../bad reason", "<b>.png: truncated", "sad"),
            Dropped("x", "no_label", "no label"),
        ]
    )
    settings = CleaningSettings(steps=("blank", "duplicates", "conflicts"))
    sources = [FakeSource(people=10), given]
    worker = pipeline.processes(1)
    built, _ = pipeline.run(sources, settings, folder, worker=worker, bars=False)
    report.write(built, folder / "report")
    return folder / "report"


@pytest.fixture(scope="module")
def content(written):
    return json.loads((written / "report.json").read_text())


def test_counts_before_and_after_each_step(content):
    steps = content["sources"]["fer2013"]["steps"]
    assert list(steps) == STEP_NAMES
    sums = [sum(steps[name].values()) for name in STEP_NAMES]
    assert sums == [6, 4, 3, 2, 2, 2, 1, 1, 1, 1]
    assert steps["found"]["sad"] == 1
    assert steps["found"]["?"] == 1
    assert steps["found"]["contempt"] == 1
    assert list(steps["found"])[:7] == list(EMOTIONS)
    everything = content["all"]["steps"]
    assert [sum(everything[name].values()) for name in STEP_NAMES] == [70 + n for n in sums]


def test_what_was_dropped_and_kept(content):
    source = content["sources"]["fer2013"]
    assert {name: (one["step"], one["images"]) for name, one in source["dropped"].items()} == {
        "../../bad reason": ("read", 1),
        "no_label": ("read", 1),
        "contempt": ("labels", 1),
        "blank": ("blank", 1),
        "exact_copy_across_splits": ("duplicates", 1),
    }
    assert source["read"] == 4
    assert source["kept"] == 1
    assert source["splits"]["test"]["happy"] == 1
    assert source["retention"]["blank"]["happy"] == pytest.approx(2 / 3)
    assert source["retention"]["blank"]["fear"] is None
    assert content["all"]["kept"] == content["proof"]["kept"] == 71
    assert content["exact_copies"]["fer2013"] == {
        "groups": 1, "images": 2, "conflicting_labels": 0, "across_splits": 1,
    }  # fmt: skip


def test_beside_the_paper(content):
    rows = {row["split"]: row for row in content["paper"]["table_1"]}
    assert set(rows) == {"train", "validation", "test"}
    assert rows["train"]["here"]["happy"] == 2
    assert rows["train"]["paper"]["happy"] == 7002
    assert rows["train"]["difference"]["happy"] == 2 - 7002
    assert rows["train"]["official"]["happy"] == 7215
    table = content["paper"]["table_2"]
    assert sum(table["paper"].values()) == 18735
    assert table["here"]["happy"] == 11
    assert content["paper"]["missing_sources"] == ["jaffe", "ck_plus", "mmi"]
    assert set(content["paper"]["explanations"]) == {"fer2013", "emotionset"}


def test_the_papers_own_sums():
    sums = {
        source: sum(sum(part.values()) for part in parts.values())
        for source, parts in paper.ORIGINAL.items()
    }
    assert sums == {"jaffe": 213, "ck_plus": 1107, "fer2013": 34723, "mmi": 848}
    assert sum(sums.values()) == 36891
    official = {name: sum(part.values()) for name, part in paper.OFFICIAL_FER2013.items()}
    assert official == {"train": 28709, "validation": 3589, "test": 3589}


def test_every_image_is_listed(written):
    with (written / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 76
    by_key = {row["key"]: row for row in rows}
    assert by_key["fer2013/101_happy"]["reason"] == "blank"
    assert by_key["fer2013/100_happy"]["detail"] == "copy of fer2013/102_happy in test"
    assert by_key["fer2013/../<b>.png"]["detail"] == "<b>.png: truncated"
    assert by_key["fake/person000/fear"]["step"] == ""
    assert json.loads(by_key["fake/person003/fear"]["provenance"]) == {"seed": 3}


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.images, self.open = set(), [], []

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.images += [value for name, value in attributes if name == "src"]
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_nothing_in_it_is_markup(written):
    text = (written / "report.html").read_text()
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert "script" not in tags.names
    assert "b" not in tags.names
    assert "a &amp; b" in text
    assert "http-equiv" not in text
    assert not any(source.startswith(("http", "/")) for source in tags.images)
    for name in tags.images:
        assert (written / name).is_file()


def test_the_pictures(written, content):
    names = [one["file"] for one in content["pictures"]]
    assert names == [
        "pictures/mean_faces.png",
        "pictures/kept.png",
        "pictures/dropped_contempt.png",
        "pictures/dropped_blank.png",
        "pictures/dropped_exact_copy_across_splits.png",
    ]
    for name in names:
        with Image.open(written / name) as picture:
            picture.load()
    assert sorted(str(path.relative_to(written)) for path in written.rglob("*.png")) == sorted(
        names
    )
    # What was dropped, and beside it what it is a copy of.
    with Image.open(written / names[-1]) as picture:
        pixels = np.asarray(picture)
    np.testing.assert_array_equal(pixels[:48, :48], pixels[:48, 50:98])
    np.testing.assert_array_equal(pixels[:48, :48, 0], face(100, "happy"))


def test_retention_needs_what_came_to_the_step():
    assert counts.retention([], "face") == dict.fromkeys(EMOTIONS)


@pytest.mark.parametrize(("count", "wanted"), [(0, 4), (3, 4), (4, 4), (9, 4), (1000, 7)])
def test_evenly(count, wanted):
    places = evenly(count, wanted)
    assert len(places) == min(count, wanted)
    assert sorted(set(places)) == places
    assert all(0 <= place < count for place in places)
