"""EmotionSet as a TensorFlow dataset: `tfds.load("emotion_set/48_gray", data_dir=...)`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from datasets.emotionset import pipeline, report, version
from datasets.emotionset.built import has_report, read_report
from datasets.emotionset.collection import Built
from datasets.emotionset.examples import chunks_of_split, examples_of_chunk
from datasets.emotionset.given import find_in, make_sources
from datasets.emotionset.settings import COLOURS, SIZES, CleaningSettings, config_name
from datasets.emotionset.shards import with_many_shards
from datasets.emotionset.source import SourceError
from datasets.emotionset.sources import SOURCES
from datasets.emotionset.work_folder import WorkFolder
from datasets.source import SPLITS


@dataclasses.dataclass(eq=False)
class EmotionSetConfig(tfds.core.BuilderConfig):
    """One size, grey or colour; `source` is the only one that is looked for, "" is every one."""

    size: int = SIZES[0]
    channels: int = 1
    source: str = ""


def make_config(size: int, channels: int, source: str = "") -> EmotionSetConfig:
    """A configuration for any size, named after it."""
    colour = "grey" if channels == 1 else "RGB"
    whose = SOURCES[source].title if source else "all sources that are there"
    return EmotionSetConfig(
        name=config_name(size, channels, source),
        description=f"{size}x{size} pixels, {colour}, {whose}",
        size=size,
        channels=channels,
        source=source,
    )


class EmotionSet(tfds.core.GeneratorBasedBuilder):
    """Faces showing emotions, from public data sets that the user has: one clean set of them."""

    VERSION = tfds.core.Version(version.VERSION)
    BUILDER_CONFIGS = tuple(
        make_config(size, channels, source)
        for source in ("", *SOURCES)
        for size in SIZES
        for channels in COLOURS
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "EmotionSet downloads nothing: its sources ask for a licence to be accepted. Put what you "
        "have of them into the manual folder, as a folder or an archive of this name: "
        + "; ".join(f"{name} ({one.title}, {one.address})" for name, one in SOURCES.items())
        + "; ferplus/fer2013new.csv (FER+). datasets/README.md says how to get each of them. "
        "`python -m datasets.build` builds from files anywhere else."
    )
    # TFDS finds it through `importlib_resources`, which it does not install.
    code_path = Path(__file__)
    builder_config: EmotionSetConfig

    def __init__(self, *, built: Built | None = None, **kwargs: Any):
        # First, since TFDS asks for the description of the data at once.
        self._built = built
        self._work: WorkFolder | None = None
        self._beam: tuple[Any, Any] = (None, None)
        super().__init__(**kwargs)

    @classmethod
    def for_built(cls, built: Built, data_dir: str) -> EmotionSet:
        """The builder that writes a finished collection, of any size."""
        size, channels = built.settings.image_size, built.settings.channels
        name = config_name(size, channels)
        config = name if name in cls.builder_configs else make_config(size, channels)
        return cls(built=built, config=config, data_dir=data_dir)

    @property
    def _settings(self) -> CleaningSettings:
        if self._built is not None:
            return self._built.settings
        config = self.builder_config
        settings = CleaningSettings(image_size=config.size, channels=config.channels)
        place = Path(self.data_dir)
        if has_report(place):  # of `datasets.build`, which may have kept contempt
            contempt = read_report(place)["settings"]["contempt"]
            settings = dataclasses.replace(settings, contempt=contempt)
        return settings

    def _info(self) -> tfds.core.DatasetInfo:
        settings = self._settings
        side = settings.image_size
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Faces labelled with emotions, merged from public data sets: cleaned, "
                "cropped, and split so that no image and no named person is in two splits. "
                "The folder `report` beside the data says what was done to which image."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(side, side, settings.channels), encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(names=list(settings.labels)),
                    "soft_label": tfds.features.Tensor(
                        shape=(len(settings.labels),), dtype=np.float32
                    ),
                    "source": tfds.features.Text(),
                    "subject": tfds.features.Text(),
                    "key": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            citation="\n".join(self._citations()),
        )

    def _citations(self) -> list[str]:
        if self._built is not None:
            return [source.citation for source in self._built.sources]
        only = self.builder_config.source
        return [one.citation for name, one in SOURCES.items() if only in ("", name)]

    def download_and_prepare(
        self,
        *,
        download_dir: Any = None,
        download_config: tfds.download.DownloadConfig | None = None,
        file_format: Any = None,
        permissions: Any = None,
    ) -> None:
        """Builds the data set; see `tfds.core.DatasetBuilder.download_and_prepare`.

        Shards are small, so that there are many to be read side by side, unless
        `download_config` says otherwise.
        """
        config = with_many_shards(download_config or tfds.download.DownloadConfig())
        self._beam = (config.beam_runner, config.beam_options)
        super().download_and_prepare(
            download_dir=download_dir,
            download_config=config,
            file_format=file_format,
            permissions=permissions,
        )
        if self._work is not None:
            self._work.remove()

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        built = self._built or self._from_manual_folder(Path(dl_manager.manual_dir))
        report.write(built, Path(self.data_dir) / report.FOLDER)
        return {
            split: self._generate_examples(built, split)
            for split in SPLITS
            if any(one.kept and one.split == split for one in built.collection.records)
        }

    def _from_manual_folder(self, folder: Path) -> Built:
        only = self.builder_config.source
        found = find_in(folder, only or None)
        if not found:
            raise SourceError(f"{folder} has nothing named {only or ', '.join(SOURCES)}")
        sources, files = make_sources(found)
        root = Path(self._data_dir_root)
        worker = pipeline.workers(self._beam)
        built, self._work = pipeline.run(sources, self._settings, root, files, worker)
        return built

    def _generate_examples(self, built: Built, split: str) -> Any:
        labels = built.settings.labels
        chunks = chunks_of_split(built.collection, split)
        if self._beam == (None, None):
            return (one for chunk in chunks for one in examples_of_chunk(*chunk, labels))
        from datasets.emotionset.on_beam import examples

        return examples(chunks, labels)
