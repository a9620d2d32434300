"""`ModelConfig`, everything that defines a model, and the named presets. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")

NETWORKS = ("3x3_3x3_3x3", "3x3_1x1_3x3")
NETWORK_DTYPES = ("float32", "mixed_bfloat16")
SVD_PROTOCOLS = ("paper", "anneal", "bijector")
SQUEEZES = ("plain", "haar")
KERNEL_FORMS = ("lu", "dense")
MEMORY = ("ordinary", "constant")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Everything that defines a `BPLF` model; the weights are all that is missing.

    Attributes:
      image_shape: (height, width, channels); height and width divisible by `2**levels`,
        channels 1 or 3.
      classes: names of the labels, in the order of their integers; `()` for an unconditional
        model.
      levels: number of scales L; each halves height and width.
      depth: steps per level K, one number for all levels or one for each, from the image on.
      width: channels of the hidden layers of g, likewise.
      network: kernel sizes of g, `"3x3_3x3_3x3"` or `"3x3_1x1_3x3"`.
      network_dtype: arithmetic of g and of the split priors in training: `"mixed_bfloat16"`, or
        `"float32"` for that of `dtype`, in which all else stays.
      evaluation_network_dtype: the same for everything but training: sampling, likelihoods,
        encoding.
      dtype: `"float32"`, or `"float64"` for numerical tests.
      condition_maps: maps over the image by which the condition enters each g.
      dropout: probability in [0, 1) that a training step drops a channel of an image in the hidden
        layer of g before the last convolution, drawn anew for each image, step of the flow and
        step of training; what stays is scaled up by `1 / (1 - dropout)`. Nothing but training has
        dropout.
      network_actnorm: hidden layers of g have learned gains, and start with zero mean and unit
        variance on the first images; without it, they are convolutions with biases.
      log_scale_bound: c of `log s = a + c * tanh(raw / c)`.
      heavy_tails: what leaves a level has learned tails instead of a Gaussian's.
      pixel_logit: the flow sees the logit of each pixel's place in the training images' histogram;
        without it, pixels.
      squeeze: `"plain"`, or `"haar"`: mean and differences of a block instead of its pixels.
      kernel_form: 1x1 convolutions as `"lu"` factors or one `"dense"` matrix.
      memory: of training: `"ordinary"` keeps what every step computed; `"constant"` rebuilds it in
        the backward pass, so that memory does not grow with depth.
      svd_protocol: how truncated singular values enter: `None`, `"paper"`, `"anneal"` or
        `"bijector"`; see `bplf_tf.svd`.
      svd_rank: singular values kept; `None` means `min(height, width) // 2`.
      svd_slope: slope below the threshold of the `"bijector"` protocol, in (0, 1).
      svd_anneal_steps: training steps after which the `"anneal"` protocol has reached full rank.
      seed: of the weights' start, the training noise and the flips.
    """

    image_shape: tuple[int, int, int] = (48, 48, 1)
    classes: tuple[str, ...] = EMOTIONS
    levels: int = 3
    depth: int | tuple[int, ...] = 8
    width: int | tuple[int, ...] = 64
    network: str = "3x3_3x3_3x3"
    network_dtype: str = "float32"
    evaluation_network_dtype: str = "float32"
    dtype: str = "float32"
    condition_maps: int = 2
    dropout: float = 0.0
    network_actnorm: bool = True
    log_scale_bound: float = 1.0
    heavy_tails: bool = True
    pixel_logit: bool = True
    squeeze: str = "plain"
    kernel_form: str = "lu"
    memory: str = "ordinary"
    svd_protocol: str | None = None
    svd_rank: int | None = None
    svd_slope: float = 0.5
    svd_anneal_steps: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        # JSON has no tuples; accepting lists makes the round trip exact.
        object.__setattr__(self, "image_shape", tuple(self.image_shape))
        object.__setattr__(self, "classes", tuple(self.classes))
        self._check_image_shape()
        for field in ("condition_maps", "svd_anneal_steps"):
            _check_positive_integer(field, getattr(self, field))
        self._check_per_level("depth")
        self._check_per_level("width")
        self._check_classes()
        _check_choice("network", self.network, NETWORKS)
        _check_choice("network_dtype", self.network_dtype, NETWORK_DTYPES)
        _check_choice("evaluation_network_dtype", self.evaluation_network_dtype, NETWORK_DTYPES)
        _check_choice("dtype", self.dtype, ("float32", "float64"))
        _check_choice("squeeze", self.squeeze, SQUEEZES)
        _check_choice("kernel_form", self.kernel_form, KERNEL_FORMS)
        _check_choice("memory", self.memory, MEMORY)
        if not _is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout!r}")
        if self.log_scale_bound <= 0:
            raise ValueError(f"log_scale_bound must be positive, got {self.log_scale_bound}")
        self._check_svd()

    def _check_image_shape(self) -> None:
        shape = self.image_shape
        if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
            raise ValueError(
                "image_shape must be three positive integers (height, width, channels), "
                f"got {shape}"
            )
        if shape[2] not in (1, 3):
            raise ValueError(f"image_shape must have 1 or 3 channels, got {shape[2]} in {shape}")
        _check_positive_integer("levels", self.levels)
        if shape[0] % 2**self.levels or shape[1] % 2**self.levels:
            fitting = 0
            while shape[0] % 2 ** (fitting + 1) == 0 and shape[1] % 2 ** (fitting + 1) == 0:
                fitting += 1
            up = [side + -side % 2**self.levels for side in shape[:2]]
            advice = (
                f"use levels={fitting}, with one depth and width for each, or another size"
                if fitting
                else f"resize, pad or crop, for instance to {up[0]}x{up[1]}"
            )
            raise ValueError(
                f"height and width must be divisible by 2**levels = {2**self.levels}, got "
                f"{shape[0]}x{shape[1]} with levels={self.levels}: {advice}"
            )

    def _check_per_level(self, field: str) -> None:
        value = getattr(self, field)
        if isinstance(value, list):  # JSON has no tuples
            value = tuple(value)
            object.__setattr__(self, field, value)
        for number in value if isinstance(value, tuple) else (value,):
            _check_positive_integer(field, number)
        if isinstance(value, tuple) and len(value) != self.levels:
            raise ValueError(
                f"{field} must be one integer or one per level ({self.levels}), got {value}"
            )

    def _check_classes(self) -> None:
        for name in self.classes:
            if not isinstance(name, str) or not name:
                raise ValueError(f"classes must be non-empty strings, got {name!r}")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes must be distinct, got {self.classes}")

    def _check_svd(self) -> None:
        if self.svd_protocol is not None:
            _check_choice("svd_protocol", self.svd_protocol, SVD_PROTOCOLS)
        largest = min(self.image_shape[:2])
        if self.svd_rank is not None and not 1 <= self.svd_rank <= largest:
            raise ValueError(
                f"svd_rank must lie in 1..{largest} for images of shape {self.image_shape}, "
                f"got {self.svd_rank}"
            )
        if not 0 < self.svd_slope < 1:
            raise ValueError(f"svd_slope must lie strictly between 0 and 1, got {self.svd_slope}")

    @property
    def dimensions(self) -> int:
        """Numbers in one image: height * width * channels."""
        height, width, channels = self.image_shape
        return height * width * channels

    @property
    def depths(self) -> tuple[int, ...]:
        """Steps of each level, from the image on."""
        return self._per_level(self.depth)

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of g at each level, from the image on."""
        return self._per_level(self.width)

    def _per_level(self, value: int | tuple[int, ...]) -> tuple[int, ...]:
        return value if isinstance(value, tuple) else (value,) * self.levels

    @property
    def rank(self) -> int:
        """Singular values kept: `svd_rank`, or half of the smaller side."""
        return self.svd_rank or min(self.image_shape[:2]) // 2

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists: what JSON can hold."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_dict`; raises `ValueError` for a field that does not exist."""
        fields = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ValueError(f"unknown ModelConfig fields {unknown}; the fields are {fields}")
        return cls(**values)

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """Inverse of `to_json`."""
        return cls.from_dict(json.loads(text))


def _check_positive_integer(field: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{field} must be a positive integer, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_choice(field: str, value: Any, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{field} must be one of {', '.join(accepted)}, got {value!r}")


PRESETS: dict[str, dict[str, Any]] = {
    "bplf_3x3": {"network": "3x3_3x3_3x3"},
    "bplf_3x3_1x1": {"network": "3x3_1x1_3x3"},
    "bplf_3x3_svd": {"network": "3x3_3x3_3x3", "svd_protocol": "paper"},
    "bplf_3x3_1x1_svd": {"network": "3x3_1x1_3x3", "svd_protocol": "paper"},
}

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"levels": 2, "depth": 2, "width": 16},
    "small": {"levels": 3, "depth": 8, "width": 64},
    "base": {"levels": 3, "depth": 16, "width": 128},
    "paper": {"levels": 3, "depth": 32, "width": 512},
}


def preset_config(
    name: str,
    size: str = "small",
    image_shape: tuple[int, int, int] = (48, 48, 1),
    classes: tuple[str, ...] = EMOTIONS,
    **changes: Any,
) -> ModelConfig:
    """The configuration of a named preset.

    Args:
      name: one of `PRESETS`: the paper's four variants.
      size: one of `SIZES`; `"paper"` is L 3, K 32, width 512, which the paper's sources imply.
      image_shape: (height, width, channels).
      classes: names of the labels, `()` for an unconditional model.
      **changes: any field of `ModelConfig`.

    Raises:
      ValueError: for an unknown preset, size or field, or values that do not fit together.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; the presets are {', '.join(PRESETS)}")
    if size not in SIZES:
        raise ValueError(f"unknown size {size!r}; the sizes are {', '.join(SIZES)}")
    values = {**SIZES[size], **PRESETS[name], "image_shape": image_shape, "classes": classes}
    return ModelConfig.from_dict({**values, **changes})
