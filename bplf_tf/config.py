"""`ModelConfig`, everything that defines a model, and the named presets. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from bplf_tf.config_checks import LABEL_PLACES, check_config
from bplf_tf.preset_table import PRESETS, SIZES

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")


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
        `"inception_b"`, an Inception module between two 3x3 convolutions; `"dense"`, position by
        position, NICE's five hidden layers; or `"residual"`, RealNVP's residual blocks.
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
      label_contrast: weight of a second loss in training, `softplus(log p(x|other) - log p(x|y))`
        in nats, with another label drawn for each image: 0, the default, for maximum likelihood
        alone. A label decides next to nothing of an image's likelihood, and models may pass over
        it; with a weight of 10 or more they attend to it. A step takes about twice the time.
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
      label_at: where it enters the networks g: at their `"input"`, as `condition_maps`, or at their
        `"output"`, as numbers of each channel that are added to it, the same at every position
        (DLF, and equation 3-8 of the BPLF paper).
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
    label_contrast: float = 0.0
    network_actnorm: bool = True
    g0: bool = True
    coupling: str = "affine"
    parts: int | tuple[int, ...] = 2
    inverse_form: bool = False
    actnorm: bool = False
    label_into: tuple[str, ...] = LABEL_PLACES
    label_at: str = "input"
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
        for field in ("image_shape", "classes", "label_into"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        for field in ("depth", "width", "parts"):
            if isinstance(value := getattr(self, field), list):
                object.__setattr__(self, field, tuple(value))
        check_config(self)

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
    def shares(self) -> tuple[int, ...]:
        """Relative sizes of the parts of an affine layer."""
        return self.parts if isinstance(self.parts, tuple) else (1,) * self.parts

    def part_sizes(self, channels: int) -> tuple[int, ...]:
        """Channels of each part of an affine layer on so many channels."""
        unit = channels // sum(self.shares)
        return tuple(unit * share for share in self.shares)

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
      size: one of `SIZES`; `"small"` learns 48x48 faces in an hour on two CPU cores, `"paper"` is
        L 3, K 32, width 512, which the paper's sources imply. With fewer levels it is the size's
        levels next to the image, with more of them the last one again.
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
    chosen = {**PRESETS[name], "image_shape": image_shape, "classes": classes, **changes}
    levels = chosen.get("levels", SIZES[size]["levels"])
    of_size = {key: _of_levels(value, levels) for key, value in SIZES[size].items()}
    return ModelConfig.from_dict({**of_size, **chosen})


def _of_levels(value: Any, levels: Any) -> Any:
    """A size's value for each level, for another number of them."""
    if not isinstance(value, tuple) or not isinstance(levels, int):
        return value
    return (*value, *[value[-1]] * (levels - len(value)))[:levels]
