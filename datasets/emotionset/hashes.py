"""What tells that two images are the same, or nearly so."""

from __future__ import annotations

import hashlib

import numpy as np

from datasets.emotionset.picture import fit, grey, simplest

THUMBNAIL = 48
"""Side of the grey thumbnails by which pairs with similar hashes are compared."""

_SIDE = 32  # of the image whose cosine transform is taken
_FREQUENCIES = 8

# The lowest frequencies of the type-2 discrete cosine transform, as a matrix.
_COSINES = np.cos(
    np.pi * np.arange(_FREQUENCIES + 1)[:, None] * (2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
)
_COSINES[0] /= np.sqrt(2)


def digest(image: np.ndarray) -> str:
    """SHA-256 of shape and pixels: equal for exact copies, also for grey stored as RGB."""
    pixels = simplest(image)
    content = hashlib.sha256(str(pixels.shape).encode())
    content.update(np.ascontiguousarray(pixels).tobytes())
    return content.hexdigest()


def thumbnail(image: np.ndarray) -> np.ndarray:
    """The image as uint8 `[THUMBNAIL, THUMBNAIL]`, grey."""
    return fit(image, THUMBNAIL, 1)[..., 0]


def perceptual_hash(image: np.ndarray) -> int:
    """64 bits that change little with compression, size and small shifts: a DCT hash.

    Each bit says whether one of the 64 lowest frequencies of the grey image at 32x32, without the
    mean, is above their median (Zauner, "Implementation and benchmarking of perceptual image hash
    functions", 2010).
    """
    small = fit(grey(image), _SIDE, 1)[..., 0].astype(np.float64)
    coefficients = _COSINES @ small @ _COSINES.T
    lowest = np.append(coefficients[:_FREQUENCIES, :_FREQUENCIES].ravel()[1:], coefficients[-1, 0])
    # Rounded, so that the last bit of a sum cannot decide.
    rounded = np.round(lowest, 3)
    bits = np.packbits(rounded > np.median(rounded))
    return int.from_bytes(bits.tobytes(), "big")


def similar_pairs(
    hashes: np.ndarray, distance: int, people: np.ndarray | None = None
) -> np.ndarray:
    """Pairs of hashes that differ in few bits.

    Every pair is compared: a billion of them take some seconds on one core.

    Args:
      hashes: uint64 `[N]`.
      distance: the most bits in which they may differ.
      people: int `[N]`; pairs of the same number are left out, unless it is negative.

    Returns:
      int64 `[pairs, 2]`, the smaller index first, sorted.
    """
    found = [np.empty((0, 2), np.int64)]
    block = max(1, 4_000_000 // max(1, len(hashes)))
    for start in range(0, len(hashes), block):
        rows = hashes[start : start + block]
        similar = np.bitwise_count(rows[:, None] ^ hashes[None, start:]) <= distance
        if people is not None:
            whose = people[start : start + block, None]
            similar &= (whose != people[None, start:]) | (whose < 0)
        first, second = np.nonzero(similar)
        pairs = np.stack([first + start, second + start], axis=1)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)


def correlations(first: np.ndarray, second: np.ndarray, shift: int = 1) -> np.ndarray:
    """The largest correlation of the pixels of pairs over shifts of up to `shift` pixels.

    Args:
      first: uint8 `[pairs, S, S]`.
      second: the same.
      shift: pixels in each direction.

    Returns:
      float64 `[pairs]`, from -1 to 1; 0 where one of the two is constant.
    """
    side = first.shape[1]
    inner = slice(shift, side - shift)
    fixed = _normalised(first[:, inner, inner])
    best = np.full(len(first), -1.0)
    for down in range(2 * shift + 1):
        for right in range(2 * shift + 1):
            rows, columns = slice(down, side - 2 * shift + down), slice(right, None)
            moved = second[:, rows, columns][:, :, : side - 2 * shift]
            best = np.maximum(best, np.einsum("nij,nij->n", fixed, _normalised(moved)))
    return best


def _normalised(images: np.ndarray) -> np.ndarray:
    centred = images.astype(np.float64)
    centred -= centred.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.einsum("nij,nij->n", centred, centred))
    return centred / np.maximum(length, 1e-9)[:, None, None]
