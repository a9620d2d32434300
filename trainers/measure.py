"""Figures of a trained model on real images: bits/dim, inversion error, speed."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from bplf_tf import BPLF
from bplf_tf.svd import truncate_images, truncates
from datasets import ImageSource


def measure(
    model: BPLF,
    source: ImageSource,
    batch_size: int = 64,
    draws: int = 1,
    seed: int = 0,
    inverse_images: int = 1000,
) -> dict[str, Any]:
    """Figures of a model on every image of a source, each counted once.

    Args:
      model: with the weights to measure.
      source: images of the model's shape, with its labels.
      batch_size: images at a time.
      draws: draws of dequantisation noise per image, whose bits/dim are averaged.
      seed: of the noise.
      inverse_images: number of images for the inversion error, spread over the source.

    Returns:
      `images`; `bits_per_dim`, of the untouched images; `bits_per_dim_truncated` for models that
      train on truncated images; `inverse_error`, as a fraction of the pixel range, and
      `inverse_error_images`; `images_per_second` of the density.
    """
    labels = source.labels if model.config.classes else None
    bits, images_per_second = _bits_per_dim(model, source.images, labels, batch_size, draws, seed)
    result: dict[str, Any] = {"images": len(source), "bits_per_dim": float(np.mean(bits))}
    if truncates(model.config):
        images = truncate_images(source.images, model.config.rank).numpy()
        bits, _ = _bits_per_dim(model, images, labels, batch_size, draws, seed)
        result["bits_per_dim_truncated"] = float(np.mean(bits))
    some = spread(source, inverse_images)
    result["inverse_error"] = model.inverse_error(
        some.images, None if labels is None else some.labels
    )
    result["inverse_error_images"] = len(some)
    result["images_per_second"] = images_per_second
    return result


def table(result: dict[str, Any]) -> str:
    """The figures as lines of text, one per figure."""
    lines = {
        "bits/dim": f"{result['bits_per_dim']:.4f} on {result['images']} images",
        "inverse error": f"{result['inverse_error']:.1e} of the pixel range, the largest on "
        f"{result['inverse_error_images']} images",
        "images/s": f"{result['images_per_second']:.0f}",
    }
    if "bits_per_dim_truncated" in result:
        lines["truncated"] = (
            f"{result['bits_per_dim_truncated']:.4f} bits/dim of truncated images; "
            "not comparable with figures of untouched ones"
        )
    return "\n".join(f"{name:<14}{text}" for name, text in lines.items())


def spread(source: ImageSource, count: int) -> ImageSource:
    """At most `count` images, taken evenly from the whole of a source that may be sorted."""
    if count >= len(source):
        return source
    chosen = np.linspace(0, len(source) - 1, count).astype(int)
    return dataclasses.replace(source, images=source.images[chosen], labels=source.labels[chosen])


def _bits_per_dim(
    model: BPLF,
    images: np.ndarray,
    labels: np.ndarray | None,
    batch_size: int,
    draws: int,
    seed: int,
) -> tuple[np.ndarray, float]:
    """Bits/dim of each image, `[N]`, and images per second."""

    def batch(start: int) -> np.ndarray:
        cut = slice(start, start + batch_size)
        of_batch = None if labels is None else labels[cut]
        return model.bits_per_dim(images[cut], of_batch, seed=seed, draws=draws)

    batch(0)  # traces the graph, which is not the density's speed
    bits: list[np.ndarray] = []
    seconds = counted = 0.0
    for start in range(0, len(images), batch_size):
        started = time.monotonic()
        bits.append(batch(start))
        if len(bits[-1]) == len(bits[0]):  # a short last batch traces once more
            seconds += time.monotonic() - started
            counted += draws * len(bits[-1])
    return np.concatenate(bits), counted / seconds
