"""Figures of a trained model on real images: bits/dim, inversion error, latents, speed."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from bplf_tf import BPLF
from bplf_tf.svd import truncate_images, truncates
from datasets import ImageSource
from trainers.nonfinite import NonFiniteError, check_finite


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
      draws: draws of dequantisation noise per image.
      seed: of the noise.
      inverse_images: number of images for the inversion error, spread over the source.

    Returns:
      `images`; `bits_per_dim`, of the untouched images, with its `standard_error`, and
      `per_label`, both of each label; with several draws, `importance_weighted_bits_per_dim` and,
      for models that train on truncated images, `bits_per_dim_truncated`, with their errors as
      `..._standard_error`; `inverse_error`, as a fraction of the pixel range, and
      `inverse_error_images`; `images_per_second` of the density.

    Raises:
      NonFiniteError: the bits/dim of an image, or the inversion error, are NaN or infinite.
    """
    labels = source.labels if model.config.classes else None
    bits, images_per_second = bits_of_draws(model, source.images, labels, batch_size, draws, seed)
    of_images = bits.mean(axis=0)
    result: dict[str, Any] = {"images": len(source), **mean_and_error(of_images)}
    if labels is not None:
        result["per_label"] = {
            name: {"images": int(np.sum(labels == i)), **mean_and_error(of_images[labels == i])}
            for i, name in enumerate(source.classes)
            if np.any(labels == i)
        }
    if draws > 1:
        bound = importance_weighted(bits, model.config.dimensions)
        result |= _named("importance_weighted_bits_per_dim", mean_and_error(bound))
    if truncates(model.config):
        images = truncate_images(source.images, model.config.rank).numpy()
        truncated, _ = bits_of_draws(model, images, labels, batch_size, draws, seed)
        result |= _named("bits_per_dim_truncated", mean_and_error(truncated.mean(axis=0)))
    some = spread(source, inverse_images)
    error = model.inverse_error(some.images, None if labels is None else some.labels)
    if not math.isfinite(error):
        raise NonFiniteError(f"the largest inversion error on {len(some)} images is {error}")
    result["inverse_error"] = error
    result["inverse_error_images"] = len(some)
    result["images_per_second"] = images_per_second
    return result


def table(result: dict[str, Any]) -> str:
    """The figures as lines of text, one per figure."""
    lines = {
        "bits/dim": f"{_with_error(result)} on {result['images']} images",
        "inverse error": f"{result['inverse_error']:.1e} of the pixel range, the largest on "
        f"{result['inverse_error_images']} images",
        "images/s": f"{result['images_per_second']:.0f}, for their likelihood",
    }
    if "importance_weighted_bits_per_dim" in result:
        lines["weighted"] = (
            f"{_with_error(result, 'importance_weighted_bits_per_dim')} bits/dim, "
            "importance-weighted bound"
        )
    if "bits_per_dim_truncated" in result:
        lines["truncated"] = (
            f"{_with_error(result, 'bits_per_dim_truncated')} bits/dim of truncated images; "
            "not comparable with figures of untouched ones"
        )
    if "train" in result:
        lines["training data"] = (
            f"{_with_error(result['train'])} on {result['train']['images']} images; the held-out "
            f"ones cost {_with_error(result['train_gap'])} more"
        )
    for name, figures in result.get("per_label", {}).items():
        lines[f"  {name}"] = f"{_with_error(figures)} on {figures['images']} images"
    for figures in result.get("latents", []):
        lines[f"latents {figures['level']}"] = (
            f"mean {figures['mean']:+.3f}, variance {figures['variance']:.3f}, "
            f"excess kurtosis {figures['kurtosis']:+.2f}"
        )
    width = max(14, *(len(name) + 1 for name in lines))
    return "\n".join(f"{name:<{width}}{text}" for name, text in lines.items())


def _with_error(figures: Mapping[str, Any], name: str = "bits_per_dim") -> str:
    text = f"{figures[name]:.4f}"
    error = figures.get(_error_of(name))
    return text if error is None else f"{text} +- {error:.4f}"


def _error_of(name: str) -> str:
    return "standard_error" if name == "bits_per_dim" else f"{name}_standard_error"


def _named(name: str, figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """A mean and its error under the names that they have beside those of plain bits/dim."""
    return {name: figures["bits_per_dim"], _error_of(name): figures["standard_error"]}


def mean_and_error(bits: np.ndarray) -> dict[str, float | None]:
    """Mean of the images' bits/dim, and the standard error of it as a mean over the population."""
    error = float(bits.std(ddof=1) / math.sqrt(len(bits))) if len(bits) > 1 else None
    return {"bits_per_dim": float(bits.mean()), "standard_error": error}


def gap(held_out: Mapping[str, Any], train: Mapping[str, Any]) -> dict[str, float | None]:
    """How much more held-out images cost than training images, and the standard error of it.

    Args:
      held_out: as from `mean_and_error`.
      train: likewise, of other images: the two means are independent.
    """
    errors = [figures["standard_error"] for figures in (held_out, train)]
    return {
        "bits_per_dim": held_out["bits_per_dim"] - train["bits_per_dim"],
        "standard_error": None if None in errors else math.hypot(*errors),
    }


def importance_weighted(bits: np.ndarray, dimensions: int) -> np.ndarray:
    """Bits/dim of the bound `log mean_k p(x + u_k)`, which is at most what the plain mean gives.

    The more draws, the nearer it comes to the likelihood of the 8-bit image itself, from above.

    Args:
      bits: bits/dim of each draw, `[draws, N]`.
      dimensions: numbers in one image.

    Source: Burda et al. 2016, with uniform noise as the proposal.
    """
    log_probs = -bits.astype(np.float64) * dimensions * math.log(2)
    highest = log_probs.max(axis=0)
    bound = highest + np.log(np.mean(np.exp(log_probs - highest), axis=0))
    return -bound / (dimensions * math.log(2))


def spread(source: ImageSource, count: int) -> ImageSource:
    """At most `count` images, taken evenly from the whole of a source that may be sorted."""
    if count >= len(source):
        return source
    chosen = np.linspace(0, len(source) - 1, count).astype(int)
    return dataclasses.replace(source, images=source.images[chosen], labels=source.labels[chosen])


def latent_statistics(model: BPLF, source: ImageSource, seed: int = 0) -> list[dict[str, Any]]:
    """Mean, variance and excess kurtosis of each level's latents: 0, 1 and 0 by the model.

    Args:
      model: to encode with.
      source: images of the model's shape, with its labels; they get dequantisation noise.
      seed: of the noise.

    Returns:
      One dictionary for each level, from the image on.
    """
    labels = source.labels if model.config.classes else None
    encoded = model.encode(source.images, labels, seed=seed)
    ends = np.cumsum(model.latent_sizes)[:-1]
    statistics = []
    for level, part in enumerate(np.split(encoded, ends, axis=1)):
        values = part.astype(np.float64).ravel()
        deviations = values - values.mean()
        variance = np.mean(deviations**2)
        kurtosis = np.mean(deviations**4) / variance**2 - 3
        statistics.append(
            {
                "level": level,
                "mean": float(values.mean()),
                "variance": float(variance),
                "kurtosis": float(kurtosis),
            }
        )
    return statistics


def bits_of_draws(
    model: BPLF,
    images: np.ndarray,
    labels: np.ndarray | None,
    batch_size: int,
    draws: int,
    seed: int,
) -> tuple[np.ndarray, float]:
    """Bits/dim of each draw of noise and each image, `[draws, N]`, and images per second.

    Raises:
      NonFiniteError: one of them is NaN or infinite.
    """

    def batch(start: int) -> np.ndarray:
        cut = slice(start, start + batch_size)
        of_batch = None if labels is None else labels[cut]
        return model.bits_per_draw(images[cut], of_batch, seed=seed, draws=draws)

    batch(0)  # traces the graph, which is not the density's speed
    bits: list[np.ndarray] = []
    seconds = counted = 0.0
    for start in range(0, len(images), batch_size):
        started = time.monotonic()
        bits.append(batch(start))
        if bits[-1].shape == bits[0].shape:  # a short last batch traces once more
            seconds += time.monotonic() - started
            counted += bits[-1].size
    every = np.concatenate(bits, axis=1)
    check_finite(every)
    return every, counted / seconds
