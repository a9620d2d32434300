"""What the fields of `ModelConfig` may be, alone and together, with errors that say so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bplf_tf.config import ModelConfig

NETWORKS = ("3x3_3x3_3x3", "3x3_1x1_3x3", "inception_a", "inception_b", "dense", "residual")
COUPLINGS = ("affine", "additive")
LOG_SCALE_FORMS = ("tanh", "learned_tanh", "sigmoid", "exp")
AFFINE_ORDERS = ("scale_shift", "shift_scale")
LABEL_ENDS = ("input", "output")
LABEL_PLACES = ("g0", "g1", "split_prior", "top_prior")
PRIORS = ("learned", "standard")
NETWORK_DTYPES = ("float32", "mixed_bfloat16")
SVD_PROTOCOLS = ("paper", "anneal", "bijector", "pca")
SQUEEZES = ("plain", "haar", "flatten")
PERMUTATIONS = ("1x1_conv", "swap")
KERNEL_FORMS = ("lu", "dense")
STARTS = ("data", "dlf")
MEMORY = ("ordinary", "constant")

_CHOICES = {
    "network": NETWORKS,
    "network_dtype": NETWORK_DTYPES,
    "evaluation_network_dtype": NETWORK_DTYPES,
    "dtype": ("float32", "float64"),
    "coupling": COUPLINGS,
    "label_at": LABEL_ENDS,
    "log_scale_form": LOG_SCALE_FORMS,
    "affine_order": AFFINE_ORDERS,
    "split_prior": PRIORS,
    "top_prior": PRIORS,
    "squeeze": SQUEEZES,
    "permutation": PERMUTATIONS,
    "kernel_form": KERNEL_FORMS,
    "start": STARTS,
    "memory": MEMORY,
}

# Channels of the least width that leaves one for each of the four branches.
_NARROWEST_INCEPTION = 4


def check_config(config: ModelConfig) -> None:
    """Checks every field, and those that must fit together.

    Raises:
      ValueError: if one does not; it says what was given and what is accepted.
    """
    _check_image_shape(config)
    for field in ("condition_maps", "svd_anneal_steps"):
        _check_positive_integer(field, getattr(config, field))
    for field in ("depth", "width"):
        _check_per_level(config, field)
    _check_classes(config)
    for field, accepted in _CHOICES.items():
        _check_choice(field, getattr(config, field), accepted)
    if not _is_number(config.dropout) or not 0 <= config.dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1), got {config.dropout!r}")
    if not _is_number(config.label_contrast) or not 0 <= config.label_contrast < math.inf:
        raise ValueError(f"label_contrast must be 0 or more, got {config.label_contrast!r}")
    if config.label_contrast and len(config.classes) < 2:
        raise ValueError(
            f"label_contrast={config.label_contrast} needs two labels or more, got {config.classes}"
        )
    if config.log_scale_bound <= 0:
        raise ValueError(f"log_scale_bound must be positive, got {config.log_scale_bound}")
    _check_label_into(config)
    _check_structure(config)
    _check_parts(config)
    _check_svd(config)


def _check_image_shape(config: ModelConfig) -> None:
    shape = config.image_shape
    if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ValueError(
            f"image_shape must be three positive integers (height, width, channels), got {shape}"
        )
    if shape[2] not in (1, 3):
        raise ValueError(f"image_shape must have 1 or 3 channels, got {shape[2]} in {shape}")
    _check_positive_integer("levels", config.levels)
    if config.svd_protocol == "pca":
        divisor = 2 ** (config.levels + 1)
        if shape[0] % divisor or shape[1] % divisor:
            raise ValueError(
                f"svd_protocol='pca' halves height and width once more: they must be divisible "
                f"by 2**(levels + 1) = {divisor}, got {shape[0]}x{shape[1]}"
            )
    elif shape[0] % 2**config.levels or shape[1] % 2**config.levels:
        fitting = 0
        while shape[0] % 2 ** (fitting + 1) == 0 and shape[1] % 2 ** (fitting + 1) == 0:
            fitting += 1
        up = [side + -side % 2**config.levels for side in shape[:2]]
        advice = (
            f"use levels={fitting}, with one depth and width for each, or another size"
            if fitting
            else f"resize, pad or crop, for instance to {up[0]}x{up[1]}"
        )
        raise ValueError(
            f"height and width must be divisible by 2**levels = {2**config.levels}, got "
            f"{shape[0]}x{shape[1]} with levels={config.levels}: {advice}"
        )


def _check_per_level(config: ModelConfig, field: str) -> None:
    value = getattr(config, field)
    for number in value if isinstance(value, tuple) else (value,):
        _check_positive_integer(field, number)
    if isinstance(value, tuple) and len(value) != config.levels:
        raise ValueError(
            f"{field} must be one integer or one per level ({config.levels}), got {value}"
        )


def _check_classes(config: ModelConfig) -> None:
    for name in config.classes:
        if not isinstance(name, str) or not name:
            raise ValueError(f"classes must be non-empty strings, got {name!r}")
    if len(set(config.classes)) != len(config.classes):
        raise ValueError(f"classes must be distinct, got {config.classes}")


def _check_label_into(config: ModelConfig) -> None:
    for place in config.label_into:
        _check_choice("label_into", place, LABEL_PLACES)
    reached = config.pixel_affine or any(map(config.condition_size, LABEL_PLACES))
    if config.classes and not reached:
        raise ValueError(
            f"the label would reach nothing: label_into={config.label_into}, g0={config.g0}, "
            f"levels={config.levels}, split_prior={config.split_prior!r}, "
            f"top_prior={config.top_prior!r}; use classes=() for an unconditional model"
        )


def _check_structure(config: ModelConfig) -> None:
    if config.squeeze == "flatten" and config.levels != 1:
        raise ValueError(f"squeeze='flatten' leaves one level, got levels={config.levels}")
    if config.squeeze == "flatten" and config.checkerboard:
        raise ValueError("checkerboard masks need a squeeze that keeps positions, got 'flatten'")
    if config.checkerboard and min(config.depths) < 2:
        raise ValueError(
            "checkerboard takes half of each level's steps: depth must be at least 2, got "
            f"{config.depth}"
        )
    if config.network.startswith("inception") and min(config.widths) < _NARROWEST_INCEPTION:
        raise ValueError(
            f"network={config.network!r} needs a width of at least {_NARROWEST_INCEPTION}, one "
            f"channel for each branch; got {config.width}"
        )
    if config.start == "dlf" and (
        config.log_scale_form != "learned_tanh" or config.coupling != "affine"
    ):
        raise ValueError(
            "start='dlf' is that of affine layers with log_scale_form='learned_tanh', got "
            f"coupling={config.coupling!r} and log_scale_form={config.log_scale_form!r}"
        )
    if config.start == "dlf" and config.memory == "constant":
        raise ValueError(
            "memory='constant' rebuilds a step's input from its output, from which start='dlf' "
            "takes all precision: it shrinks what passes by about 14 in every step. Use "
            "memory='ordinary' or start='data'"
        )


def _check_parts(config: ModelConfig) -> None:
    parts = config.parts
    for number in parts if isinstance(parts, tuple) else (parts,):
        _check_positive_integer("parts", number)
    if len(config.shares) < 2:
        raise ValueError(f"parts must be at least 2, got {parts}")
    if config.permutation == "swap" and config.shares != (1, 1):
        raise ValueError(f"permutation='swap' is for parts=2, got {parts}")
    for level, channels in enumerate(config.level_channels):
        if channels % sum(config.shares):
            kind = (
                f"{parts} equal parts"
                if isinstance(parts, int)
                else f"parts in the proportion {':'.join(map(str, parts))}"
            )
            accepted = [n for n in range(2, 9) if not config.level_channels[0] % n]
            raise ValueError(
                f"level {level} has {channels} channels, which do not divide into {kind}; of "
                f"images of shape {config.image_shape}, equal parts may be "
                f"{', '.join(map(str, accepted))}"
            )


def _check_svd(config: ModelConfig) -> None:
    if config.svd_protocol is not None:
        _check_choice("svd_protocol", config.svd_protocol, SVD_PROTOCOLS)
    largest = min(config.image_shape[:2])
    if config.svd_rank is not None and not 1 <= config.svd_rank <= largest:
        raise ValueError(
            f"svd_rank must lie in 1..{largest} for images of shape {config.image_shape}, "
            f"got {config.svd_rank}"
        )
    if config.svd_protocol == "pca" and config.svd_rank is not None:
        raise ValueError(
            "svd_protocol='pca' keeps half of the components of either side, and takes no "
            f"svd_rank; got {config.svd_rank}"
        )
    if not 0 < config.svd_slope < 1:
        raise ValueError(f"svd_slope must lie strictly between 0 and 1, got {config.svd_slope}")


def _check_positive_integer(field: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{field} must be a positive integer, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_choice(field: str, value: Any, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{field} must be one of {', '.join(accepted)}, got {value!r}")
