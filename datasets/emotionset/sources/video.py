"""Short clips of a face that goes from neutral to an expression and back: frames, apex, posture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datasets.emotionset.source import SourceError
from datasets.emotionset.sources.images import MAX_PIXELS

MAX_FRAMES = 20_000  # a quarter of an hour; clips have some hundred
_SMALL = 96  # width at which motion is measured
_SMOOTH = 5  # frames
# Mean difference in grey levels below which nothing moves; noise of compression is below it.
_STILL = 0.5
_INSTALL = "pip install 'opencv-python-headless>=4.8,<5'"


class VideoError(ValueError):
    """The file is no clip that can be used; the message says why, in one line."""


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of an avi, one after another.

    Yields:
      uint8 `[H, W, 3]`, RGB.

    Raises:
      VideoError: it is no avi, or frames have more than `MAX_PIXELS`.
    """
    cv2 = open_cv()
    with path.open("rb") as file:
        start = file.read(12)
    # Other contents, such as playlists, would have the decoder open other files.
    if start[:4] != b"RIFF" or start[8:] != b"AVI ":
        raise VideoError("it is no avi" if start else "the file is empty")
    capture = cv2.VideoCapture(str(path))
    try:
        width, height = (
            capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if not capture.isOpened() or width <= 0 or height <= 0:
            raise VideoError("it cannot be opened as a video")
        if width * height > MAX_PIXELS:
            raise VideoError(f"{width:.0f}x{height:.0f} pixels are too many")
        for _ in range(MAX_FRAMES):
            there, frame = capture.read()
            if not there or frame is None or frame.ndim != 3 or frame.shape[2] != 3:
                return
            yield np.ascontiguousarray(frame[..., ::-1])
        raise VideoError(f"it has more than {MAX_FRAMES} frames")
    except cv2.error as error:
        raise VideoError(" ".join(str(error).split())[:200]) from error
    finally:
        capture.release()


def small_frames(path: Path) -> np.ndarray:
    """All frames, in grey and small: float32 `[N, h, w]`; N may be 0.

    Raises:
      VideoError: as for `read_frames`, or the frames have several sizes.
    """
    cv2 = open_cv()
    small: list[np.ndarray] = []
    shape = None
    for frame in read_frames(path):
        if shape not in (None, frame.shape):
            raise VideoError("its frames have several sizes")
        shape = frame.shape
        size = min(_SMALL, shape[1]), max(1, round(shape[0] * min(1.0, _SMALL / shape[1])))
        small.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA).mean(2, np.float32))
    return np.stack(small) if small else np.zeros((0, 1, 1), np.float32)


def moving_apex(small: np.ndarray) -> int | None:
    """The frame that differs most from the first.

    The mean difference to the first frame is smoothed, by the median and then the mean of five
    frames, so that a damaged frame or a blink is no apex. What a drift from the first to the last
    frame would explain is taken off. So a clip that ends neutral has its apex in between, and one
    that was cut at its apex has it where the expression is reached: never in the last frame.

    Args:
      small: `[N, h, w]`, of `small_frames`.

    Returns:
      The frame, from 0; None if there are fewer than five, or nothing moves.
    """
    count = len(small)
    if count < _SMOOTH:
        return None
    difference = np.abs(small - small[0]).mean((1, 2))
    smooth = _windows(np.median(_windows(difference), axis=1)).mean(1)
    score = smooth - np.linspace(0, 1, count) * smooth[-1]
    apex = 1 + int(score[1:-1].argmax())
    return apex if score[apex] >= _STILL and difference.max() >= _STILL else None


def _windows(values: np.ndarray) -> np.ndarray:
    """Each value with those around it: `[N, 5]`; at the ends, the last value stands for others."""
    padded = np.pad(values, _SMOOTH // 2, "edge")
    return np.lib.stride_tricks.sliding_window_view(padded, _SMOOTH)


def pick_frames(path: Path, wanted: set[int]) -> dict[int, np.ndarray]:
    """Frames by their numbers, from 0: uint8 `[H, W, 3]`; those that are not there are left out."""
    last = max(wanted, default=-1)
    picked = {}
    for number, frame in enumerate(read_frames(path)):
        if number in wanted:
            picked[number] = frame
        if number >= last:
            break
    return picked


def has_face(image: np.ndarray) -> bool:
    """Whether OpenCV's frontal face detector finds an upright face."""
    from datasets.emotionset.picture import grey  # Pillow: not for `--help`

    cv2 = open_cv()
    if not hasattr(cv2, "CascadeClassifier"):
        raise SourceError(f"OpenCV {cv2.__version__} has no such detector: {_INSTALL}")
    detector = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    pixels = grey(image)
    scale = min(1.0, 400 / max(pixels.shape))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return len(detector.detectMultiScale(pixels, 1.1, 3)) > 0


def open_cv() -> Any:
    """The module `cv2`.

    Raises:
      SourceError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise SourceError(f"videos are read with OpenCV: {_INSTALL}") from error
    return cv2
