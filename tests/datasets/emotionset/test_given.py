"""From flags or a folder to sources."""

import dataclasses
from typing import ClassVar

import pytest

from datasets import build
from datasets.emotionset.given import find_in, make_sources, options
from datasets.emotionset.source import SourceError
from datasets.emotionset.sources import SOURCES
from tests.datasets.emotionset.fake_source import FakeSource


def test_every_source_has_a_flag_of_its_name():
    flags = options()
    assert set(SOURCES) <= set(flags)
    assert {"ferplus", "ferplus_labels"} <= set(flags)
    assert not any("contempt" in name for name in flags), "one flag is for all of them"


@dataclasses.dataclass(frozen=True)
class Fifth(FakeSource):
    """A source that somebody adds.

    Attributes:
      path: where it
        lies.
      people: how many.
    """

    name: ClassVar[str] = "fifth"
    title: ClassVar[str] = "The fifth"
    path: str = dataclasses.field(kw_only=True)


def test_a_fifth_source_has_its_flags_by_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "fifth", Fifth)
    flags = {field.name: field for field in dataclasses.fields(build._flags_class())}
    assert flags["fifth"].metadata["help"] == "The fifth: where it lies."
    assert flags["fifth_people"].default == 10
    (source,), files = make_sources({"fifth": str(tmp_path), "fifth_people": 3})
    assert source == Fifth(people=3, path=str(tmp_path))
    assert files == {"fifth": tmp_path}


def test_paths_and_options_come_to_their_source(tmp_path):
    (tmp_path / "votes.csv").write_text("")
    values = {
        "fer2013": str(tmp_path), "ferplus": str(tmp_path / "votes.csv"), "jaffe": None,
        "ferplus_labels": None, "ck_plus": str(tmp_path), "ck_plus_neutral": "none",
    }  # fmt: skip
    sources, files = make_sources(values, contempt=True)
    by_name = {source.name: source for source in sources}
    assert set(by_name) == {"fer2013", "ck_plus"}
    assert by_name["fer2013"].ferplus == str(tmp_path / "votes.csv")
    assert by_name["fer2013"].contempt
    assert by_name["ck_plus"].contempt
    assert by_name["ck_plus"].neutral == "none"
    assert files == {
        "fer2013": tmp_path, "ferplus": tmp_path / "votes.csv", "ck_plus": tmp_path,
    }  # fmt: skip
    assert not any(getattr(one, "contempt", False) for one in make_sources(values)[0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no source was given"),
        ({"mmi": "gone"}, "--mmi=gone: there is no such"),
        ({"mmi": ""}, "--mmi=: there is no such"),
        ({"ferplus": "votes.csv"}, "--ferplus is for FER2013, .* give --fer2013 too"),
        ({"mmi_neutral": True}, "--mmi_neutral is for MMI, which is not given: give --mmi too"),
        ({"mmi": ".", "mmi_frames": 0}, "MMI: frames must be at least 1; got 0"),
    ],
)
def test_what_is_missing(values, message):
    with pytest.raises(SourceError, match=message):
        make_sources(values)


def test_what_lies_in_a_folder(tmp_path):
    assert find_in(tmp_path) == {}
    (tmp_path / "jaffe").mkdir()
    (tmp_path / "jaffe.zip").write_text("")
    (tmp_path / "fer2013.tar.gz").write_text("")
    (tmp_path / "ferplus").mkdir()
    votes = tmp_path / "ferplus" / "fer2013new.csv"
    votes.write_text("")
    assert find_in(tmp_path) == {
        "jaffe": str(tmp_path / "jaffe"),
        "fer2013": str(tmp_path / "fer2013.tar.gz"),
        "ferplus": str(votes),
    }
    assert find_in(tmp_path, "jaffe") == {"jaffe": str(tmp_path / "jaffe")}
    assert find_in(tmp_path, "mmi") == {}
