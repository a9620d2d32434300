"""`ModelConfig`, everything that defines a model, and the named presets. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from bplf_tf.preset_table import PRESETS, SIZES

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")

NETWORKS = ("3x3_3x3_3x3", "3x3_1x1_3x3", "inception_a", "inception_b", "dense")
COUPLINGS = ("affine", "additive")
LOG_SCALE_FORMS = ("tanh", "learned_tanh", "sigmoid", "exp")
AFFINE_ORDERS = ("scale_shift", "shift_scale")
LABEL_PLACES = ("g0", "g1", "split_prior", "top_prior")
PRIORS = ("learned", "standard")
NETWORK_DTYPES = ("float32", "mixed_bfloat16")
SVD_PROTOCOLS = ("paper", "anneal", "bijector", "pca")
SQUEEZES = ("plain", "haar", "flatten")
PERMUTATIONS = ("1x1_conv", "swap")
KERNEL_FORMS = ("lu", "dense")
STARTS = ("data", "dlf")
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
      network: g: kernel sizes, `"3x3_3x3_3x3"` or `"3x3_1x1_3x3"`; `"inception_a"` or
        `"inception_b"`, an Inception module between two 3x3 convolutions; or `"dense"`, position
        by position, NICE's five hidden layers.
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
      g0: the first half of the channels is scaled and shifted too, by constants and the label;
        without it, it passes unchanged and the layer is the coupling of RealNVP and Glow.
      coupling: `"affine"`, or `"additive"`: shifts without scales.
      parts: into which an affine layer divides the channels, each part but the first scaled and
        shifted by a network of the one before: how many equal ones, or their relative sizes.
      inverse_form: these networks read the part before as it leaves the layer (DLF's inverse form),
        so that sampling is parallel over the parts and the density sequential.
      actnorm: every step begins with an ActNorm of its own; what else is learned then starts near
        the identity, and the ActNorm from the data.
      label_into: the places that the label reaches: of `"g0"`, `"g1"`, `"split_prior"` and
        `"top_prior"`.
      log_scale_form: log-scale of an affine layer from its network's raw output, beside a constant
        a of each channel: `"tanh"`, `a + c * tanh(raw / c)`; `"learned_tanh"`,
        `a + b * tanh(raw + d)` with a learned b for each step and d for each channel (DLF);
        `"sigmoid"`, `a + log sigmoid(raw + 2)` (Glow); `"exp"`, `a + raw`.
      affine_order: `"scale_shift"`, `y = s * x + m`, or `"shift_scale"`, `y = s * (x + m)`.
      start: of affine layers and their networks: `"data"` standardises, `"dlf"` is DLF's published
        one, which looks at no data and shrinks what passes by about 14 in every step.
      diagonal_scale: every number that a level makes has a learned scale (NICE).
      checkerboard: the first half of a level's steps are couplings with checkerboard masks, before
        the squeeze (RealNVP).
      split_prior: of what leaves a level before the last: `"learned"`, a Gaussian that depends on
        what stays, or `"standard"`.
      top_prior: of what leaves the last level: `"learned"`, a Gaussian for each label, or
        `"standard"`.
      log_scale_bound: c of `log s = a + c * tanh(raw / c)`.
      heavy_tails: what leaves a level has learned tails instead of a Gaussian's.
      pixel_logit: the flow sees the logit of each pixel's place in the training images' histogram;
        without it, pixels.
      pixel_affine: the first learned layer scales and shifts each pixel, or its logit, by numbers
        of the label's own, and is the identity at the start.
      squeeze: `"plain"`, or `"haar"`: mean and differences of a block instead of its pixels; or
        `"flatten"`: the image's numbers become the channels of one position, in one level.
      permutation: what mixes the channels between affine layers: `"1x1_conv"`, or `"swap"` of
        their halves.
      kernel_form: 1x1 convolutions as `"lu"` factors or one `"dense"` matrix.
      memory: of training: `"ordinary"` keeps what every step computed; `"constant"` rebuilds it in
        the backward pass, so that memory does not grow with depth.
      svd_protocol: how truncated singular values enter: `None`, `"paper"`, `"anneal"`,
        `"bijector"` or `"pca"`; see `bplf_tf.svd`.
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
    g0: bool = True
    coupling: str = "affine"
    parts: int | tuple[int, ...] = 2
    inverse_form: bool = False
    actnorm: bool = False
    label_into: tuple[str, ...] = LABEL_PLACES
    log_scale_form: str = "tanh"
    affine_order: str = "scale_shift"
    start: str = "data"
    diagonal_scale: bool = False
    checkerboard: bool = False
    split_prior: str = "learned"
    top_prior: str = "learned"
    log_scale_bound: float = 1.0
    heavy_tails: bool = True
    pixel_logit: bool = True
    pixel_affine: bool = False
    squeeze: str = "plain"
    permutation: str = "1x1_conv"
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
        object.__setattr__(self, "label_into", tuple(self.label_into))
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
        _check_choice("coupling", self.coupling, COUPLINGS)
        _check_choice("log_scale_form", self.log_scale_form, LOG_SCALE_FORMS)
        _check_choice("affine_order", self.affine_order, AFFINE_ORDERS)
        _check_choice("split_prior", self.split_prior, PRIORS)
        _check_choice("top_prior", self.top_prior, PRIORS)
        _check_choice("squeeze", self.squeeze, SQUEEZES)
        _check_choice("kernel_form", self.kernel_form, KERNEL_FORMS)
        _check_choice("memory", self.memory, MEMORY)
        if not _is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout!r}")
        if self.log_scale_bound <= 0:
            raise ValueError(f"log_scale_bound must be positive, got {self.log_scale_bound}")
        _check_choice("permutation", self.permutation, PERMUTATIONS)
        _check_choice("start", self.start, STARTS)
        self._check_label_into()
        self._check_structure()
        self._check_parts()
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
        if self.svd_protocol == "pca":
            divisor = 2 ** (self.levels + 1)
            if shape[0] % divisor or shape[1] % divisor:
                raise ValueError(
                    f"svd_protocol='pca' halves height and width once more: they must be divisible "
                    f"by 2**(levels + 1) = {divisor}, got {shape[0]}x{shape[1]}"
                )
        elif shape[0] % 2**self.levels or shape[1] % 2**self.levels:
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

    def _check_label_into(self) -> None:
        for place in self.label_into:
            _check_choice("label_into", place, LABEL_PLACES)
        reached = self.pixel_affine or any(map(self.condition_size, LABEL_PLACES))
        if self.classes and not reached:
            raise ValueError(
                f"the label would reach nothing: label_into={self.label_into}, g0={self.g0}, "
                f"levels={self.levels}, split_prior={self.split_prior!r}, "
                f"top_prior={self.top_prior!r}; use classes=() for an unconditional model"
            )

    def _check_structure(self) -> None:
        if self.squeeze == "flatten" and self.levels != 1:
            raise ValueError(f"squeeze='flatten' leaves one level, got levels={self.levels}")
        if self.squeeze == "flatten" and self.checkerboard:
            raise ValueError(
                "checkerboard masks need a squeeze that keeps positions, got 'flatten'"
            )
        if self.checkerboard and min(self.depths) < 2:
            raise ValueError(
                "checkerboard takes half of each level's steps: depth must be at least 2, got "
                f"{self.depth}"
            )
        if self.network.startswith("inception") and min(self.widths) < _NARROWEST_INCEPTION:
            raise ValueError(
                f"network={self.network!r} needs a width of at least {_NARROWEST_INCEPTION}, one "
                f"channel for each branch; got {self.width}"
            )
        if self.start == "dlf" and (
            self.log_scale_form != "learned_tanh" or self.coupling != "affine"
        ):
            raise ValueError(
                "start='dlf' is that of affine layers with log_scale_form='learned_tanh', got "
                f"coupling={self.coupling!r} and log_scale_form={self.log_scale_form!r}"
            )
        if self.start == "dlf" and self.memory == "constant":
            raise ValueError(
                "memory='constant' rebuilds a step's input from its output, from which start='dlf' "
                "takes all precision: it shrinks what passes by about 14 in every step. Use "
                "memory='ordinary' or start='data'"
            )

    def _check_parts(self) -> None:
        parts: Any = self.parts
        if isinstance(parts, list):  # JSON has no tuples
            parts = tuple(parts)
            object.__setattr__(self, "parts", parts)
        for number in parts if isinstance(parts, tuple) else (parts,):
            _check_positive_integer("parts", number)
        if len(self._shares) < 2:
            raise ValueError(f"parts must be at least 2, got {parts}")
        if self.permutation == "swap" and self._shares != (1, 1):
            raise ValueError(f"permutation='swap' is for parts=2, got {parts}")
        for level, channels in enumerate(self.level_channels):
            if channels % sum(self._shares):
                kind = (
                    f"{parts} equal parts"
                    if isinstance(parts, int)
                    else f"parts in the proportion {':'.join(map(str, parts))}"
                )
                accepted = [n for n in range(2, 9) if not self.level_channels[0] % n]
                raise ValueError(
                    f"level {level} has {channels} channels, which do not divide into {kind}; of "
                    f"images of shape {self.image_shape}, equal parts may be "
                    f"{', '.join(map(str, accepted))}"
                )

    def _check_svd(self) -> None:
        if self.svd_protocol is not None:
            _check_choice("svd_protocol", self.svd_protocol, SVD_PROTOCOLS)
        largest = min(self.image_shape[:2])
        if self.svd_rank is not None and not 1 <= self.svd_rank <= largest:
            raise ValueError(
                f"svd_rank must lie in 1..{largest} for images of shape {self.image_shape}, "
                f"got {self.svd_rank}"
            )
        if self.svd_protocol == "pca" and self.svd_rank is not None:
            raise ValueError(
                "svd_protocol='pca' keeps half of the components of either side, and takes no "
                f"svd_rank; got {self.svd_rank}"
            )
        if not 0 < self.svd_slope < 1:
            raise ValueError(f"svd_slope must lie strictly between 0 and 1, got {self.svd_slope}")

    @property
    def dimensions(self) -> int:
        """Numbers in one image: height * width * channels."""
        height, width, channels = self.image_shape
        return height * width * channels

    @property
    def flow_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what the first level sees: the image, or its main part."""
        height, width, channels = self.image_shape
        halved = self.svd_protocol == "pca"
        return (height // 2, width // 2, channels) if halved else self.image_shape

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
    def level_channels(self) -> tuple[int, ...]:
        """Channels of each level after its squeeze, from the image on."""
        if self.squeeze == "flatten":
            height, width, channels = self.flow_shape
            return (height * width * channels,)
        return tuple(self.image_shape[2] * 4 * 2**level for level in range(self.levels))

    @property
    def _shares(self) -> tuple[int, ...]:
        return self.parts if isinstance(self.parts, tuple) else (1,) * self.parts

    def part_sizes(self, channels: int) -> tuple[int, ...]:
        """Channels of each part of an affine layer on so many channels."""
        unit = channels // sum(self._shares)
        return tuple(unit * share for share in self._shares)

    @property
    def checkerboard_depths(self) -> tuple[int, ...]:
        """Of each level's steps, how many have checkerboard masks."""
        return tuple(depth - depth // 2 if self.checkerboard else 0 for depth in self.depths)

    def condition_size(self, place: str) -> int:
        """Size E of the condition that one of `LABEL_PLACES` gets; 0 where it gets none."""
        exists = {
            "g0": self.g0,
            "g1": True,
            "split_prior": self.split_prior == "learned"
            and (self.levels > 1 or self.svd_protocol == "pca"),
            "top_prior": self.top_prior == "learned",
        }
        return len(self.classes) if place in self.label_into and exists[place] else 0

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


# Channels of the least width that leaves one for each of the four branches.
_NARROWEST_INCEPTION = 4


def _check_positive_integer(field: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{field} must be a positive integer, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_choice(field: str, value: Any, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{field} must be one of {', '.join(accepted)}, got {value!r}")


def preset_config(
    name: str,
    size: str = "small",
    image_shape: tuple[int, int, int] = (48, 48, 1),
    classes: tuple[str, ...] = EMOTIONS,
    **changes: Any,
) -> ModelConfig:
    """The configuration of a named preset.

    Args:
      name: one of `PRESETS`; `bplf_tf.presets()` tells them apart.
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
