"""Tails heavier than a Gaussian's, as a chain of TFP's own bijectors."""

from typing import Any

import tensorflow_probability as tfp


def heavy_tails(bend: Any, name: str = "heavy_tails") -> tfp.bijectors.Bijector:
    """`x = bend * sinh(z / bend)`: near the identity for |z| below `bend`, exponential beyond.

    A standard normal z gives x the tails of a log-normal, so that what lies far from all that
    training showed costs `bend**2 / 2 * log(2 x / bend)**2` nats instead of `x**2 / 2`. With a
    Gaussian alone, one strange picture can weigh more than thousands of others in a mean
    log-likelihood.

    Args:
      bend: positive, broadcastable to the events, such as one number per channel `[C]`.
      name: name of the bijector.
    """
    bijectors = tfp.bijectors
    return bijectors.Chain(
        [bijectors.Scale(bend), bijectors.Sinh(), bijectors.Scale(1 / bend)], name=name
    )
