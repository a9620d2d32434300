"""Drawn people, neutral and with every other emotion, in the same photograph."""

from __future__ import annotations

import numpy as np

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces.parallel import draw_many
from datasets.drawn_faces.splits import check_split
from datasets.drawn_faces.styles import PHOTOGRAPH, in_style
from datasets.pairs import NEUTRAL, FacePairs, expression_labels


def draw_pairs(
    split: str,
    people: int,
    size: int = 48,
    channels: int = 1,
    align: bool = True,
    style: str = PHOTOGRAPH,
) -> FacePairs:
    """Draws the first people of a split, the same at every call; six pairs each.

    Args:
      split: "train", "validation" or "test"; their people are different.
      people: how many.
      size: height and width in pixels, 16 to 512.
      channels: 1 (grey) or 3 (RGB).
      align: whether the eyes of all lie in one place; else heads stand as in the data set.
      style: of both faces of a pair; see `styles.in_style`.

    Raises:
      ValueError: an argument is not one of those, or the split has fewer people.
    """
    chosen = check_split(split)
    if not 1 <= people <= chosen.count:
        raise ValueError(f"people must be 1 to {chosen.count} for {split}; got {people}")
    drawn = draw_many(
        chosen.first_seed,
        people * len(EMOTIONS),
        size,
        channels,
        faces_each=len(EMOTIONS),
        align=align,
    )
    faces = np.stack([in_style(face, style) for face in drawn])
    faces = faces.reshape(people, len(EMOTIONS), size, size, channels)
    expressions = expression_labels()
    names = [f"{chosen.first_seed + person}" for person in range(people)]
    return FacePairs(
        name="drawn_faces",
        split=split,
        neutral=faces[:, EMOTIONS.index(NEUTRAL)].repeat(len(expressions), axis=0),
        expressive=faces[:, expressions].reshape(-1, size, size, channels),
        labels=np.tile(np.array(expressions, np.int32), people),
        people=np.array(names).repeat(len(expressions)),
        classes=EMOTIONS,
        provenance={
            "source": "drawn_faces",
            "people": people,
            "aligned_by": "eyes" if align else None,
            "style": style,
            "split_rule": "each split is drawn from seeds of its own",
            "licence": "drawn by this project; Apache-2.0",
        },
    )
