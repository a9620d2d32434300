"""Keras layers that own the weights of bijectors and hand the bijectors out."""

from bplf_tf.layers.checkerboard import CheckerboardSteps
from bplf_tf.layers.diagonal_scale import DiagonalScaleLayer
from bplf_tf.layers.flow_steps import FlowSteps
from bplf_tf.layers.heavy_tails import HeavyTailsLayer
from bplf_tf.layers.pca import PCALayer
from bplf_tf.layers.pixel_affine import PixelAffineLayer
from bplf_tf.layers.pixel_logit import PixelLogitLayer
from bplf_tf.layers.split_prior import SplitPriorLayer

__all__ = [
    "CheckerboardSteps",
    "DiagonalScaleLayer",
    "FlowSteps",
    "HeavyTailsLayer",
    "PCALayer",
    "PixelAffineLayer",
    "PixelLogitLayer",
    "SplitPriorLayer",
]
