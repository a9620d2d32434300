"""EmotionSet on Apache Beam: the same as without it."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from datasets.build import RunSettings
from datasets.emotionset import on_beam
from datasets.emotionset.assembly import BuildError, build
from datasets.emotionset.settings import CleaningSettings
from tests.datasets.emotionset.fake_source import FakeSource

SETTINGS = CleaningSettings(steps=("blank", "face", "duplicates", "near_duplicates"))
HAS_BEAM = importlib.util.find_spec("apache_beam") is not None


def make(out, **run):
    settings = dataclasses.replace(RunSettings(), out=str(out), processes=1, bars=False, **run)
    return build(settings, SETTINGS, (FakeSource(people=8),), {})


def everything(place: Path):
    """All examples by key, and what the report says of each image."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(place))
    examples = {}
    for split in builder.info.splits:
        for one in tfds.as_numpy(builder.as_dataset(split=split)):
            values = {
                name: getattr(value, "tolist", lambda v=value: v)() for name, value in one.items()
            }
            examples[split, one["key"]] = values
    return examples, (place / "report" / "images.csv").read_text()


@pytest.mark.skipif(not HAS_BEAM, reason="needs the extra beam")
@pytest.mark.parametrize(
    "options", [(), ("direct_num_workers=2", "direct_running_mode=multi_threading")]
)
def test_the_direct_runner_gives_the_same(tmp_path, options):
    on_beam = make(tmp_path / "beam", beam_runner="direct", beam_options=list(options))
    without = make(tmp_path / "plain")
    assert everything(on_beam) == everything(without)
    assert sorted(path.name for path in (tmp_path / "beam").iterdir()) == ["emotion_set"]


@pytest.mark.skipif(not HAS_BEAM, reason="needs the extra beam")
def test_an_unknown_runner(tmp_path):
    with pytest.raises(BuildError, match=r"runner swift: .*Valid values are .*FlinkRunner"):
        make(tmp_path / "out", beam_runner="swift")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(HAS_BEAM, reason="apache-beam is here")
def test_without_beam_it_names_the_extra(tmp_path):
    with pytest.raises(BuildError, match=r"\[checkout,beam\]"):
        make(tmp_path / "out", beam_runner="direct")
    assert not list(tmp_path.iterdir())


def test_names_of_runners():
    assert on_beam.runner_name("flink") == "FlinkRunner"
    assert on_beam.runner_name("PrismRunner") == "PrismRunner"
