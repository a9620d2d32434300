"""The drawn faces as a TensorFlow dataset: `tfds.load("drawn_faces/48_gray")`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces.parallel import draw_many, label_of
from datasets.drawn_faces.render import check_shape
from datasets.drawn_faces.splits import SPLITS, check_split

# Raise it whenever a pixel changes, or prepared data of an older look are read back.
VERSION = "1.1.0"
SIZES = (48, 32, 64)  # the first is the default
_COLOURS = {1: "gray", 3: "rgb"}


@dataclass(eq=False)
class DrawnFacesConfig(tfds.core.BuilderConfig):
    """One size, grey or colour; `counts` pairs splits with their numbers of faces."""

    size: int = 48
    channels: int = 1
    counts: tuple[tuple[str, int], ...] = ()


def config_name(size: int, channels: int) -> str:
    """The name of a configuration: "48_gray", "64_rgb", ..."""
    check_shape(size, channels)
    return f"{size}_{_COLOURS[channels]}"


def make_config(
    size: int,
    channels: int,
    name: str | None = None,
    counts: dict[str, int] | None = None,
) -> DrawnFacesConfig:
    """A configuration for any size, 16 to 512, and 1 or 3 channels.

    Args:
        size: height and width in pixels.
        channels: 1 (grey) or 3 (RGB).
        name: by default `config_name(size, channels)`.
        counts: the splits and their numbers of faces; by default all of `SPLITS`.

    Raises:
        ValueError: size, channels or a split is not one of those.
    """
    default_name = config_name(size, channels)
    counts = {name: split.count for name, split in SPLITS.items()} if counts is None else counts
    for split in counts:
        check_split(split)
    return DrawnFacesConfig(
        name=name or default_name,
        description=f"{size}x{size} pixels, {'grey' if channels == 1 else 'RGB'}",
        size=size,
        channels=channels,
        counts=tuple(counts.items()),
    )


class DrawnFaces(tfds.core.GeneratorBasedBuilder):
    """Faces drawn from parameters, showing seven emotions; generated, nothing is downloaded."""

    VERSION = tfds.core.Version(VERSION)
    BUILDER_CONFIGS = tuple(make_config(size, channels) for size in SIZES for channels in _COLOURS)
    # TFDS finds it through `importlib_resources`, which it does not install.
    code_path = Path(__file__)
    builder_config: DrawnFacesConfig

    @classmethod
    def for_shape(cls, size: int, channels: int, data_dir: str | None = None) -> DrawnFaces:
        """The builder of any size; sizes beyond the named ones make a configuration of their own.

        Raises:
            ValueError: size or channels is not accepted.
        """
        name = config_name(size, channels)
        named = name in cls.builder_configs
        return cls(config=name if named else make_config(size, channels), data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Faces rendered from some ninety continuous parameters (anatomy, hair, pose, "
                "light, FACS action units) for seven emotions. The example with seed s is the "
                "person s; `datasets.drawn_faces.draw_face(s, emotion)` shows the same person "
                "with another emotion. No person is in two splits."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(config.size, config.size, config.channels), encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(names=list(EMOTIONS)),
                    "seed": tfds.features.Scalar(dtype=np.int64),
                }
            ),
            supervised_keys=("image", "label"),
            # In the order of the seeds: any prefix is balanced over the labels.
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # nothing to download
        return {
            name: self._generate_examples(SPLITS[name].first_seed, count)
            for name, count in self.builder_config.counts
        }

    def _generate_examples(
        self, first_seed: int, count: int
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        faces = draw_many(first_seed, count, config.size, config.channels)
        for index, image in enumerate(faces):
            example = {"image": image, "label": label_of(index), "seed": first_seed + index}
            yield index, example
