"""A balanced set as TFDS records: those of EmotionSet, and where each face comes from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from datasets.balancing.faces import GENERATED, Face
from datasets.emotionset.settings import config_name
from datasets.emotionset.shards import with_many_shards
from datasets.quiet_tfds import quiet_tfds
from datasets.source import SPLITS


class BalancedFaces(tfds.core.GeneratorBasedBuilder):
    """Labelled faces, real ones and generated ones; every record says which it is."""

    VERSION = tfds.core.Version("1.0.0")
    # TFDS finds it through `importlib_resources`, which it does not install.
    code_path = Path(__file__)

    def __init__(self, *, faces: Sequence[Face], classes: Sequence[str], data_dir: str) -> None:
        """Creates the builder of faces, all of one square shape."""
        self._faces = faces
        self._classes = list(classes)
        self._shape = faces[0].image.shape
        side, _, channels = self._shape
        config = tfds.core.BuilderConfig(
            name=config_name(side, channels), description=f"{side}x{side} pixels"
        )
        super().__init__(config=config, data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Faces labelled with emotions, of which some were generated to fill up rare "
                "labels. `generated` says which, `provenance` (JSON) by what."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self._shape, encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=self._classes),
                    "soft_label": tfds.features.Tensor(
                        shape=(len(self._classes),), dtype=np.float32
                    ),
                    "source": tfds.features.Text(),
                    "subject": tfds.features.Text(),
                    "key": tfds.features.Text(),
                    "generated": tfds.features.Scalar(dtype=np.bool_),
                    "provenance": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # nothing to download
        there = {face.split for face in self._faces}
        return {split: self._generate_examples(split) for split in SPLITS if split in there}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        one_hot = np.eye(len(self._classes), dtype=np.float32)
        for face in self._faces:
            if face.split != split:
                continue
            yield (
                face.key,
                {
                    "image": face.image,
                    "label": face.label,
                    "soft_label": one_hot[self._classes.index(face.label)],
                    "source": GENERATED if face.generated else face.provenance["data"],
                    "subject": "",
                    "key": face.key,
                    "generated": face.generated,
                    "provenance": json.dumps(face.provenance),
                },
            )


def write(faces: Sequence[Face], classes: Sequence[str], folder: Path) -> Path:
    """Writes the records below an existing folder; returns that of the data set's version.

    Raises:
      OSError: for a full disk and the like.
    """
    nothing = folder / "downloads"  # which TFDS makes all the same
    with quiet_tfds(bars=False):
        builder = BalancedFaces(faces=faces, classes=classes, data_dir=str(folder))
        builder.download_and_prepare(
            download_dir=str(nothing),
            download_config=with_many_shards(tfds.download.DownloadConfig()),
        )
    shutil.rmtree(nothing, ignore_errors=True)
    return Path(builder.data_dir)
