import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.emotionset.archives import Archive
from datasets.emotionset.source import Example, SourceError
from datasets.emotionset.sources import SOURCES, Mmi, video
from datasets.emotionset.sources.mmi_xml import marked_apex
from tests.datasets.emotionset.fixtures import Expected, tar_folder, write_mmi, zip_folder
from tests.datasets.emotionset.fixtures.faces import save, write
from tests.datasets.emotionset.fixtures.mmi import (
    APEX,
    CODES,
    COURSE,
    clip_xml,
    frames_of,
    frontal,
    markers_xml,
    session_xml,
    write_video,
)
from tests.datasets.emotionset.reading import read_all


def check(source: Mmi, expected: Expected, frames: int = 3) -> dict[str, Example]:
    """As `reading.check`, with any frames out of the apex for each clip, and what video blurs."""
    examples, dropped = read_all(source)
    assert {key: drop.reason for key, drop in dropped.items()} == expected.dropped
    clips: dict[str, list[Example]] = {}
    for key, example in examples.items():
        if example.label == "neutral":
            assert source.neutral
            assert example.provenance["frame"] == 0
            assert key.endswith("/00000")
        else:
            clips.setdefault("/".join(key.split("/")[:2]), []).append(example)
    assert sorted(clips) == sorted(expected.examples)
    for key, face in expected.examples.items():
        still = not str(clips[key][0].provenance["file"]).endswith(".avi")
        assert len(clips[key]) == (1 if still else frames)
        for found in clips[key]:
            assert (found.label, found.subject, found.split) == (face.label, face.subject, None)
            assert still or found.provenance["frame"] in APEX
            assert_alike(found.image, face.image)
    return examples


def assert_alike(found: np.ndarray, wanted: np.ndarray | None) -> None:
    """The same picture but for compression, and not upside down."""
    assert wanted is not None
    assert found.shape == wanted.shape
    assert np.abs(found.astype(np.float32) - wanted).mean() < 4
    assert np.abs(found[::-1].astype(np.float32) - wanted).mean() > 4


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    return write_mmi(tmp_path_factory.mktemp("mmi"))


def test_sessions(written: Expected) -> None:
    examples = check(Mmi(str(written.path)), written)
    check(Mmi(str(written.path / "Sessions")), written)
    assert SOURCES["mmi"] is Mmi
    by_session = {key.split("/")[0]: example.provenance for key, example in examples.items()}
    shown = {session: of.get("shown") for session, of in by_session.items()}
    assert shown["1"] == "as it is"
    assert shown["11"] == "turn"
    assert shown["12"] == shown["14"] == "right half"
    assert shown["13"] == "left half"
    assert by_session["14"]["apex_by"] == by_session["15"]["apex_by"] == "markers"
    assert by_session["1"]["apex_by"] == "motion"


@pytest.mark.parametrize("form", ["zip", "tar.gz", "folder of zips"])
def test_archives(tmp_path: Path, form: str) -> None:
    expected = write_mmi(tmp_path / "a", traps=False)
    folder, path = tmp_path / "a" / "Sessions", tmp_path / "b"
    if form == "tar.gz":
        path = tar_folder(folder, path / "mmi.tar.gz", "download/Sessions/")
    elif form == "zip":
        path = zip_folder(folder, path / "mmi.zip", "download/Sessions/")
    else:
        for session in folder.iterdir():
            zip_folder(session, path / f"{session.name}.zip", f"Sessions/{session.name}/")
    check(Mmi(str(path)), expected)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_frames_and_neutral(tmp_path: Path, frames: int) -> None:
    expected = write_mmi(tmp_path, traps=False)
    examples = check(Mmi(str(tmp_path), frames, neutral=True), expected, frames)
    neutral = [example for example in examples.values() if example.label == "neutral"]
    assert len(neutral) == 3
    assert_alike(neutral[0].image, frontal(1, "neutral"))
    with pytest.raises(ValueError, match="frames must be at least 1"):
        Mmi(str(tmp_path), 0)


def test_codes_are_the_official_ones(tmp_path: Path) -> None:
    official = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    for code in range(1, 7):
        folder = tmp_path / "Sessions" / str(code)
        save(folder / "S054-001.png", frontal(0, "happy"))
        write(folder / "S054-001.xml", clip_xml(code))
        write(folder / "session.xml", session_xml(code, "S054-001", ".png", 0, False))
    examples, _ = read_all(Mmi(str(tmp_path)))
    ours = {"happiness": "happy", "sadness": "sad"}
    for code in range(1, 7):
        name = official[code - 1]
        assert examples[f"{code}/S054-001"].label == ours.get(name, name) == CODES[code]


def test_namespaces_and_several_tracks(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    save(folder / "S054-001.png", frontal(0, "happy"))
    save(folder / "S054-002.png", frontal(0, "happy"))
    write(
        folder / "session.xml",
        '<session xmlns="http://example.org/mmi"><track filename="S054-002.png" view="1"/>'
        '<track filename="C:\\x\\S054-001.png" view="0"/></session>',
    )
    for clip in ("S054-001", "S054-002"):
        write(folder / f"{clip}.xml", clip_xml(4).replace("<Metadata>", '<Metadata xmlns="m">'))
    examples, dropped = read_all(Mmi(str(tmp_path)))
    assert list(examples) == ["1/S054-001"]
    assert dropped["1/S054-002"].reason == "profile_view"


@pytest.mark.parametrize(
    ("tracks", "found"),
    [
        ('<track view="0"/>', True),
        ('<track view="0" filename="other.avi"/>', True),
        ('<track view="0"/><track view="0" type="Audio"/>', True),
        ('<track view="0"/><track view="1"/>', False),
        ('<track view="1"/><track view="0" filename="S054-001.png"/>', True),
        (
            '<track view="1"><annotation filename="S054-002.xml"/></track>'
            '<track view="0"><annotation filename="S054-001.xml"/></track>',
            True,
        ),
        (
            '<track view="1"/>'
            '<track view="0"><annotation filename="S054-001-oao_aucs.xml"/></track>',
            True,
        ),
        ('<track view="3"/>', False),
        ("<track/>", False),
        ("", False),
    ],
)
def test_which_track_is_meant(tmp_path: Path, tracks: str, found: bool) -> None:
    folder = tmp_path / "1"
    save(folder / "S054-001.png", frontal(0, "happy"))
    write(folder / "S054-001.xml", clip_xml(4))
    write(folder / "session.xml", f"<session>{tracks}</session>")
    examples, dropped = read_all(Mmi(str(tmp_path)))
    assert list(examples) == (["1/S054-001"] if found else [])
    assert {drop.reason for drop in dropped.values()} == (set() if found else {"no_view"})


def test_two_emotions_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    save(folder / "S054-001.png", frontal(0, "happy"))
    write(folder / "session.xml", session_xml(1, "S054-001", ".png", 0, False))
    tag = '<Metatag Name="Emotion" Value="5"/></Metadata>'
    write(folder / "S054-001.xml", clip_xml(4).replace("</Metadata>", tag))
    _, dropped = read_all(Mmi(str(tmp_path)))
    assert dropped["1/S054-001"].reason == "ambiguous_label"


def test_entities_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    save(folder / "S054-001.png", frontal(0, "happy"))
    write(folder / "session.xml", session_xml(1, "S054-001", ".png", 0, False))
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<Metadata>&b;</Metadata>'
    write(folder / "S054-001.xml", bomb)
    _, dropped = read_all(Mmi(str(tmp_path)))
    assert "declares a document type" in dropped["1/S054-001"].detail


def session_with(folder: Path, frames: list[np.ndarray], clip: str = "S053-001") -> None:
    write_video(folder / f"{clip}.avi", frames)
    write(folder / f"{clip}.xml", clip_xml(4))
    write(folder / "session.xml", session_xml(1, clip, ".avi", 0, False))


def apex_of(course: tuple[float, ...], tmp_path: Path) -> set[int] | str:
    folder = tmp_path / "1"
    session_with(folder, frames_of(1, "happy", False, None, course))
    examples, dropped = read_all(Mmi(str(tmp_path), frames=1))
    if dropped:
        return dropped["1/S053-001"].reason
    return {example.provenance["frame"] for example in examples.values()}


def test_apex_is_never_simply_the_last_frame(tmp_path: Path) -> None:
    assert apex_of((0.0,) * 30 + (1.0,) * 8 + (0.0,) * 30, tmp_path) <= set(range(30, 38))  # type: ignore[operator]


def test_a_clip_cut_at_its_apex(tmp_path: Path) -> None:
    (apex,) = apex_of((0.0,) * 10 + (0.5, 1.0) + (1.0,) * 10, tmp_path)
    assert 11 <= int(apex) < 21


def test_nothing_moves(tmp_path: Path) -> None:
    assert apex_of((0.0,) * 20, tmp_path) == "no_motion"


def test_too_few_frames(tmp_path: Path) -> None:
    assert apex_of((0.0, 1.0, 0.0), tmp_path) == "unreadable"


def test_a_head_that_drifts(tmp_path: Path) -> None:
    frames = frames_of(1, "happy", False, None, COURSE * 2)
    # The expression comes twice as strong in difference as all of the drift.
    shifted = [np.roll(frame, number // 8, axis=1) for number, frame in enumerate(frames)]
    session_with(tmp_path / "1", shifted)
    examples, _ = read_all(Mmi(str(tmp_path), frames=1))
    (example,) = examples.values()
    assert example.provenance["frame"] % len(COURSE) in APEX


def test_a_damaged_frame_is_no_apex(tmp_path: Path) -> None:
    frames = frames_of(1, "happy", False, None, (0.0, 0.0) + COURSE + (0.0, 0.0))
    frames[15] = 255 - frames[15]
    session_with(tmp_path / "1", frames)
    examples, _ = read_all(Mmi(str(tmp_path)))
    assert {example.provenance["frame"] - 2 for example in examples.values()} <= set(APEX)


def test_an_unknown_dual_view_goes_by_the_face(tmp_path: Path) -> None:
    for number, half in enumerate(("left", "right"), start=1):
        folder = tmp_path / str(number)
        session_with(folder, frames_of(number, "happy", False, half, COURSE), "S040-001")
        write(folder / "session.xml", session_xml(number, "S040-001", ".avi", 2, False))
    examples, dropped = read_all(Mmi(str(tmp_path), frames=1))
    assert not dropped
    shown = [example.provenance["shown"] for example in examples.values()]
    assert shown == ["left half", "right half"]


def test_two_halves_without_a_face(tmp_path: Path) -> None:
    frames = frames_of(1, "happy", False, None, COURSE)  # one face in the middle, in neither half
    session_with(tmp_path / "1", frames, "S040-001")
    write(tmp_path / "1" / "session.xml", session_xml(1, "S040-001", ".avi", 2, False))
    _, dropped = read_all(Mmi(str(tmp_path)))
    assert dropped["1/S040-001"].reason == "unknown_side"


def test_an_upright_clip_of_someone_unlisted(tmp_path: Path) -> None:
    session_with(tmp_path / "1", frames_of(1, "happy", False, None, COURSE), "S040-001")
    session_with(tmp_path / "2", frames_of(1, "happy", True, None, COURSE), "S040-002")
    examples, _ = read_all(Mmi(str(tmp_path), frames=1))
    shown = [example.provenance["shown"] for example in examples.values()]
    assert shown == ["as it is", "turn"]


@pytest.mark.parametrize(
    ("text", "apex"),
    [
        (markers_xml(range(5, 10)), 7),
        (markers_xml(range(9, 12)), 10),
        ('<a><ActionUnit><Marker Frame="4"/><Marker Frame="5"/></ActionUnit></a>', 4),
        ('<a><ActionUnit><Marker Frame="4" Type="2"/></ActionUnit></a>', 10),  # to the end
        ('<a><ActionUnit><Marker Frame="4" Type="1"/></ActionUnit></a>', None),
        ('<a><ActionUnit><Marker Frame="400" Type="2"/></ActionUnit></a>', None),
        ('<a><ActionUnit><Marker Frame="x"/><Marker/></ActionUnit></a>', None),
        ("<a/>", None),
        ("<a", None),
        ("", None),
    ],
)
def test_markers(tmp_path: Path, text: str, apex: int | None) -> None:
    write(tmp_path / "m.xml", text)
    assert marked_apex(Archive(str(tmp_path)), "m.xml", 18) == apex


def test_markers_of_no_use_leave_it_to_the_motion(tmp_path: Path) -> None:
    session_with(tmp_path / "1", frames_of(1, "happy", False, None, COURSE))
    write(tmp_path / "1" / "S053-001-oao_aucs.xml", "<a")
    examples, _ = read_all(Mmi(str(tmp_path)))
    assert {example.provenance["apex_by"] for example in examples.values()} == {"motion"}
    assert {example.provenance["frame"] for example in examples.values()} <= set(APEX)


def test_what_is_no_avi_is_not_given_to_the_decoder(tmp_path: Path) -> None:
    path = tmp_path / "x.avi"
    write(path, "#EXTM3U\n#EXTINF:1,\nhttp://example.org/x.ts\n")
    with pytest.raises(video.VideoError, match="it is no avi"):
        list(video.read_frames(path))


def test_without_open_cv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session_with(tmp_path / "1", frames_of(1, "happy", False, None, COURSE), "S040-001")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "cv2", None)
        with pytest.raises(SourceError, match="read with OpenCV: pip install"):
            read_all(Mmi(str(tmp_path)))
    import cv2

    monkeypatch.delattr(cv2, "CascadeClassifier")  # as in OpenCV 5
    with pytest.raises(SourceError, match=r"has no such detector: pip install"):
        read_all(Mmi(str(tmp_path)))


def test_nothing_usable(tmp_path: Path) -> None:
    write(tmp_path / "holiday.avi", "RIFF")
    with pytest.raises(SourceError, match=r"there is holiday\.avi; accepted are Sessions"):
        list(Mmi(str(tmp_path)).units())
