"""How a head stands in the picture, and the pose in which every face has its eyes in one place."""

from __future__ import annotations

import dataclasses

import numpy as np

from datasets.drawn_faces.canvas import Array
from datasets.drawn_faces.parameters import FaceParameters

# Where `aligned` puts the eyes, in the picture's [-1, 1]: about where unaligned ones are.
EYE_LEVEL = -0.33
EYE_DISTANCE = 0.80


def face_coordinates(face: FaceParameters, x: Array, y: Array) -> tuple[Array, Array]:
    """Where points of a head that faces the camera lie on it, once it is turned and nods.

    Args:
        face: its `yaw` and `pitch` count.
        x: of the points, in face units.
        y: likewise.
    """
    # A turned head shows its near side wider: what lies closer to the camera moves further.
    depth = np.exp(-1.3 * (x**2 + (y * 0.8) ** 2))
    return (
        x - np.float32(np.sin(face.yaw) * 0.55) * depth,
        y - np.float32(np.sin(face.pitch) * 0.55) * depth,
    )


def aligned(face: FaceParameters) -> FaceParameters:
    """The same face tilted, scaled and shifted so that its eyes lie where all aligned ones' do.

    What an aligner makes of photographs by a similarity transform: the head stays turned.
    """
    x = np.array([-face.eye_spacing, face.eye_spacing])
    y = np.array([face.eye_height, face.eye_height])
    # The places whose face coordinates are those of the eyes, by a few steps of a contraction.
    seen_x, seen_y = x, y
    for _ in range(50):
        moved_x, moved_y = face_coordinates(face, seen_x, seen_y)
        seen_x, seen_y = seen_x + x - moved_x, seen_y + y - moved_y
    scale = EYE_DISTANCE / float(seen_x[1] - seen_x[0])
    return dataclasses.replace(
        face,
        roll=0.0,
        scale=scale,
        shift_x=-scale * float(seen_x.mean()),
        shift_y=EYE_LEVEL - scale * float(seen_y.mean()),
    )
