"""Bijectors of the flow: mathematics only, usable by any TFP user without Keras.

TFP's directions: `forward` is latent to image (sampling), `inverse` image to latent (density).
"""

from bplf_tf.bijectors.bi_parallel_affine import BiParallelAffine
from bplf_tf.bijectors.checkerboard import Checkerboard
from bplf_tf.bijectors.diagonal_scale import DiagonalScale
from bplf_tf.bijectors.dynamic_linear import ActNorm, DynamicLinear
from bplf_tf.bijectors.flatten import flatten
from bplf_tf.bijectors.flow_stack import FlowStack
from bplf_tf.bijectors.haar import Haar
from bplf_tf.bijectors.heavy_tails import heavy_tails
from bplf_tf.bijectors.invert_1x1_conv import (
    Invert1x1Conv,
    kernel_log_abs_det,
    lu_inverse,
    lu_kernel,
    lu_log_abs_det,
)
from bplf_tf.bijectors.multi_scale import MultiScale
from bplf_tf.bijectors.pixel_affine import PixelAffine
from bplf_tf.bijectors.pixel_logit import PixelLogit
from bplf_tf.bijectors.split_prior import SplitPrior
from bplf_tf.bijectors.squeeze import Squeeze
from bplf_tf.bijectors.svd_truncate import SVDTruncate
from bplf_tf.bijectors.swap_halves import SwapHalves

__all__ = [
    "ActNorm",
    "BiParallelAffine",
    "Checkerboard",
    "DiagonalScale",
    "DynamicLinear",
    "FlowStack",
    "Haar",
    "Invert1x1Conv",
    "MultiScale",
    "PixelAffine",
    "PixelLogit",
    "SVDTruncate",
    "SplitPrior",
    "Squeeze",
    "SwapHalves",
    "flatten",
    "heavy_tails",
    "kernel_log_abs_det",
    "lu_inverse",
    "lu_kernel",
    "lu_log_abs_det",
]
