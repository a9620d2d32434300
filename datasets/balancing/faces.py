"""The faces of a balanced set, each with where it comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from datasets.balancing.generating import Draw, Generated, Outcome
from datasets.source import ImageSource

GENERATED = "generated"
REAL = "real"
COLUMNS = (
    *("key", "split", "label", "generated", "model", "seed", "number", "temperature"),
    "label_strength",
    *("log_prob", "confidence", "distance", "nearest", "data", "place"),
)
"""Of the list of all faces: `Face.row`."""

# Without real faces, every so-manieth of a label is there to validate on.
_HELD_OUT = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A face as it is written.

    Attributes:
      key: unique in the set; `generated/happy/000012` or `real/train/000045`.
      split: "train", "validation" or "test".
      label: its name.
      image: uint8 `[H, W, C]`.
      provenance: `generated`, true or false. Of a generated face the `model` (first digits of its
        file's SHA-256), the `seed` and `number` by which `BPLF.sample` draws it again, the
        `temperature` and `label_strength`, its `log_prob` in nats, the classifier's `confidence`,
        the `distance` to the nearest training image in grey levels, and `nearest`, the key of that
        image. Of a real one its `data` set and its `place` in the split.
    """

    key: str
    split: str
    label: str
    image: np.ndarray
    provenance: dict[str, Any]

    @property
    def generated(self) -> bool:
        """Whether no camera and no painter made it."""
        return bool(self.provenance["generated"])

    @property
    def row(self) -> dict[str, Any]:
        """By `COLUMNS`, without the image."""
        return {"key": self.key, "split": self.split, "label": self.label, **self.provenance}


def real_faces(sources: Mapping[str, ImageSource]) -> Iterator[Face]:
    """Every image of some splits, in their order."""
    for split, source in sources.items():
        for place, (image, label) in enumerate(zip(source.images, source.labels, strict=True)):
            provenance = {"generated": False, "data": source.name, "place": place}
            name = source.classes[label]
            yield Face(real_key(split, place), split, name, image, provenance)


def generated_faces(
    outcomes: Mapping[str, Outcome], model: str, draw: Draw, hold_out: bool
) -> Iterator[Face]:
    """Every generated face, label by label.

    Args:
      outcomes: of each label.
      model: what the provenance calls it.
      draw: how they were drawn.
      hold_out: whether a tenth of each label goes to validation, because nothing else does.
    """
    for label, outcome in outcomes.items():
        for i, face in enumerate(outcome.made):
            held_out = hold_out and i % _HELD_OUT == _HELD_OUT - 1
            split = "validation" if held_out else "train"
            key = f"{GENERATED}/{label}/{face.number:06d}"
            yield Face(key, split, label, face.image, _provenance(face, model, draw))


def real_key(split: str, place: int) -> str:
    """The key of a real face."""
    return f"{REAL}/{split}/{place:06d}"


def _provenance(face: Generated, model: str, draw: Draw) -> dict[str, Any]:
    return {
        "generated": True,
        "model": model,
        "seed": face.seed,
        "number": face.number,
        "temperature": draw.temperature,
        "label_strength": draw.label_strength,
        "log_prob": face.log_prob,
        "confidence": face.confidence,
        "distance": face.distance,
        "nearest": real_key("train", face.nearest),
    }
