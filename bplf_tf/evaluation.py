"""Likelihoods of images, and what Bayes' theorem makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from bplf_tf.flow_model import FlowModel
from bplf_tf.labels import Label
from bplf_tf.likelihood import bits_per_dim, label_posterior


class Evaluation(FlowModel):
    """Log-likelihoods, bits per dimension and labels of 8-bit images."""

    def log_prob(
        self, images: Any, label: Label = None, seed: int = 0, draws: int = 1
    ) -> np.ndarray:
        """Log-density in nats of dequantised images in the flow's scale, `[B]`.

        Args:
          images: uint8 `[B, H, W, C]`.
          label: one label for all, or one for each.
          seed: of the dequantisation noise, which depends on the seed and the image alone.
          draws: number of noises whose log-densities are averaged: a lower bound on the
            log-likelihood of the 8-bit image plus `D ln 256` that tightens in variance only.
        """
        return self._log_prob_of_draws(images, label, seed, draws).mean(axis=0)

    def _log_prob_of_draws(self, images: Any, label: Label, seed: int, draws: int) -> np.ndarray:
        images = self._check_images(images)
        if not isinstance(draws, int) or draws < 1:
            raise ValueError(f"draws must be a positive integer, got {draws!r}")
        return np.stack(
            [
                self._in_batches(
                    "log_prob", self.log_prob_of_tensors, images, label, tf.constant(keys)
                )
                for keys in ([seed, draw] for draw in range(draws))
            ]
        )

    def bits_per_dim(
        self, images: Any, label: Label = None, seed: int = 0, draws: int = 1
    ) -> np.ndarray:
        """Bits per dimension of 8-bit images, `[B]`; see `log_prob`."""
        return self.bits_per_draw(images, label, seed, draws).mean(axis=0)

    def bits_per_draw(
        self, images: Any, label: Label = None, seed: int = 0, draws: int = 1
    ) -> np.ndarray:
        """Bits per dimension of each draw of noise by itself, `[draws, B]`; see `log_prob`."""
        log_prob = self._log_prob_of_draws(images, label, seed, draws)
        return np.asarray(bits_per_dim(log_prob, self.config.dimensions))

    def classify(self, images: Any, prior: Any = None, seed: int = 0, draws: int = 1) -> np.ndarray:
        """Posterior of the labels given images, float64 `[B, E]`, by Bayes' theorem.

        Log-likelihoods are sums over all pixels, so the posterior is close to 0 or 1 far more often
        than it is right: its order tells more than its numbers.

        Args:
          images: uint8 `[B, H, W, C]`.
          prior: `[E]`, probabilities of the labels; by default equal ones.
          seed: of the dequantisation noise, which is the same for every label.
          draws: number of noises over which densities are averaged.

        Raises:
          ValueError: if the model is unconditional, or images or prior do not fit.
        """
        if not self._condition_size:
            raise ValueError("an unconditional model has no labels to tell apart")
        log_prob = [
            self._log_prob_of_draws(images, label, seed, draws)
            for label in range(self._condition_size)
        ]
        return label_posterior(np.stack(log_prob), prior)
