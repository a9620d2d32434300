"""The nearest of many images, pixel by pixel: whether a generated face is a copy of one."""

from __future__ import annotations

import numpy as np


class Neighbours:
    """Images to be near to, which may become more.

    The distance of two images is the root of their mean squared difference in grey levels; of a
    picture and its mirror image, which training may have shown, the smaller distance counts.

    Args:
      image_shape: (height, width, channels).
      capacity: how many images there may be.
    """

    def __init__(self, image_shape: tuple[int, int, int], capacity: int) -> None:
        self._images = np.empty([capacity, *image_shape], np.uint8)
        self._rows = np.empty([capacity, int(np.prod(image_shape))], np.float32)
        self._squares = np.empty(capacity, np.float32)
        self._count = 0

    @classmethod
    def of(cls, images: np.ndarray) -> Neighbours:
        """Of images uint8 `[N, H, W, C]`."""
        height, width, channels = images.shape[1:]
        made = cls((height, width, channels), len(images))
        made.add(images)
        return made

    def add(self, images: np.ndarray) -> None:
        """Adds uint8 `[B, H, W, C]`."""
        places = slice(self._count, self._count + len(images))
        rows = _centred(images)
        self._images[places], self._rows[places] = images, rows
        self._squares[places] = (rows**2).sum(axis=1)
        self._count = places.stop

    def nearest(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the nearest image is from each of uint8 `[B, H, W, C]`, and which it is.

        Returns:
          distances in grey levels, float64 `[B]`, infinite where there are no images; and places,
          int `[B]`, in the order of adding.
        """
        if not self._count:
            return np.full(len(images), np.inf), np.full(len(images), -1)
        turned = [images, images[:, :, ::-1]]
        places = np.stack([self._nearest_places(one) for one in turned])
        distances = np.stack(
            [_distance(one, self._images[of]) for one, of in zip(turned, places, strict=True)]
        )
        nearer, every = distances.argmin(axis=0), np.arange(len(images))
        return distances[nearer, every], places[nearer, every]

    def _nearest_places(self, images: np.ndarray) -> np.ndarray:
        # |a - b|^2 without |a|^2, which is the same for all b.
        rows, squares = self._rows[: self._count], self._squares[: self._count]
        order: np.ndarray = (squares - 2 * _centred(images) @ rows.T).argmin(axis=1)
        return order


def _centred(images: np.ndarray) -> np.ndarray:
    """`[B, D]`, around 0, so that float32 loses least in the sums of squares."""
    return images.reshape(len(images), -1).astype(np.float32) - np.float32(127.5)


def _distance(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    difference = images.astype(np.float64) - others
    distance: np.ndarray = np.sqrt((difference**2).mean(axis=(1, 2, 3)))
    return distance
