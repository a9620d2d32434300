"""How MMI's clips were filmed, and what makes each of them one upright frontal face."""

from __future__ import annotations

import numpy as np

from datasets.emotionset.sources.video import has_face

# Nothing in the files says these; the numbers are those that public readers of MMI have in common.
FRONTAL_RIGHT = ("S001", "S002", "S017")
FRONTAL_LEFT = ("S003", "S005", "S006", "S015", "S016")
FILMED_UPRIGHT = ("S053", "S054")

AS_IT_IS, TURN, LEFT, RIGHT = "as it is", "turn", "left half", "right half"


def how_to_show(first: np.ndarray, view: str, subject: str, has_markers: bool) -> str | None:
    """What is to be done with each frame of a clip.

    Clips of both views show the frontal one in one half: by the subject, and where that is not
    known, in the half in which a face is found. Of the clips of the frontal view alone, those with
    markers of action units and of some subjects are upright. The others lie on their side, unless
    a face is found in the frame as it is and none in the turned one.

    Args:
      first: uint8 `[H, W, 3]`, the first frame.
      view: "frontal" or "dual".
      subject: such as "S001".
      has_markers: whether there is an `-oao_aucs.xml`.

    Returns:
      A constant of this module, for `show`; None if the side of the frontal view is unknown.
    """
    if view == "dual":
        if subject in FRONTAL_RIGHT:
            return RIGHT
        if subject in FRONTAL_LEFT:
            return LEFT
        found = [side for side in (LEFT, RIGHT) if has_face(show(first, side))]
        return found[0] if len(found) == 1 else None
    height, width = first.shape[:2]
    known = (*FILMED_UPRIGHT, *FRONTAL_LEFT, *FRONTAL_RIGHT)
    if height > width or has_markers or subject in known:
        return AS_IT_IS
    return AS_IT_IS if has_face(first) and not has_face(show(first, TURN)) else TURN


def show(frame: np.ndarray, how: str) -> np.ndarray:
    """The part of a frame that is the frontal face, upright: uint8 `[h, w, 3]`."""
    half = frame.shape[1] // 2
    if how == LEFT:
        frame = frame[:, :half]
    elif how == RIGHT:
        frame = frame[:, half:]
    elif how == TURN:
        frame = np.rot90(frame, -1)  # by 90 degrees clockwise
    return np.ascontiguousarray(frame)
