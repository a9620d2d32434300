"""Drawn people, each in several photographs: another pose, light, camera, clothes and expression.

Who somebody is, is in the parameters of the face, hair and skin; what is drawn anew for each
photograph is the rest, so that two pictures of a person have nothing but the person in common.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces.canvas import Array
from datasets.drawn_faces.parameters import FACE_RANGES
from datasets.drawn_faces.render import check_shape, render
from datasets.drawn_faces.sampling import sample_expression, sample_person
from datasets.drawn_faces.splits import check_split

_NAMES = tuple(FACE_RANGES)
# Pose, gaze, light and camera are the last of the parameters.
OF_A_PHOTOGRAPH = (*_NAMES[_NAMES.index("yaw") :], "clothes_lightness")
# Between the seeds of one split's people and those of the next.
_PHOTOGRAPHS = 500_000_000


def draw_people(
    split: str, people: int, photographs: int, size: int = 48, channels: int = 1
) -> tuple[Array, list[str]]:
    """Draws the first people of a split, the same at every call.

    Args:
        split: "train", "validation" or "test"; their people are different.
        people: how many.
        photographs: of each.
        size: height and width in pixels.
        channels: 1 (grey) or 3 (RGB).

    Returns:
        uint8 `[people * photographs, size, size, channels]` and as many names; a person's
        photographs follow each other.

    Raises:
        ValueError: an argument is not acceptable.
    """
    chosen = check_split(split)
    check_shape(size, channels)
    if people < 1 or photographs < 1 or people * photographs > _PHOTOGRAPHS:
        raise ValueError(f"needs people and photographs, got {people} and {photographs}")
    images, names = [], []
    for number in range(people):
        person = sample_person(chosen.first_seed + number)
        for photograph in range(photographs):
            seed = chosen.first_seed + _PHOTOGRAPHS + number * photographs + photograph
            other = dataclasses.asdict(sample_person(seed))
            face = dataclasses.replace(person, **{name: other[name] for name in OF_A_PHOTOGRAPH})
            units = sample_expression(seed, (number + photograph) % len(EMOTIONS))
            images.append(render(face, units, seed, size, channels))
            names.append(f"{chosen.first_seed + number}")
    return np.stack(images), names
