"""What `python -m trainers.fit` can be told, and the checks that need no data. No TensorFlow."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bplf_tf.config import ModelConfig, preset_config
from bplf_tf.config_checks import (
    AFFINE_ORDERS,
    COUPLINGS,
    KERNEL_FORMS,
    LABEL_ENDS,
    LABEL_PLACES,
    LOG_SCALE_FORMS,
    MEMORY,
    NETWORK_DTYPES,
    NETWORKS,
    PERMUTATIONS,
    PRIORS,
    SQUEEZES,
    STARTS,
    SVD_PROTOCOLS,
)
from bplf_tf.preset_table import PRESETS, SIZES
from datasets import NAMES
from datasets.flags import setting

OPTIMIZERS = ("adam", "adamax", "muon", "sgd")
ON_NONFINITE = ("stop", "rollback")
STRATEGIES = ("auto", "one", "mirrored", "multi_worker")


def _choices(names: Any) -> str:
    return ", ".join(names)


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """One training run. Each field is a flag of the same name; `None` means not given.

    Fields that `ModelConfig` has too come from the preset and size unless they are given.
    """

    run_dir: str | None = setting(None, "Directory to write the run to. Required.")
    overwrite: bool = setting(False, "Replace the run that --run_dir already holds.")
    resume: bool = setting(
        False, "Go on from the last checkpoint in --run_dir, or begin where there is none."
    )
    checkpoint_minutes: float = setting(
        10.0,
        "Write a checkpoint after so many minutes, besides the one after each epoch; 0 is off.",
    )
    checkpoint_steps: int | None = setting(None, "Write a checkpoint after so many steps, too.")
    keep_checkpoints: int = setting(3, "Checkpoints kept; the best one is kept besides.")
    deterministic: bool = setting(
        False,
        "Only operations that give the same bits each time; slower. With a run that ends by steps, "
        "a resumed run then ends with the very weights of an uninterrupted one.",
    )

    dataset: str = setting(
        "drawn_faces",
        "Data set: drawn_faces, fer2013, mnist, cifar10, folder or emotionset.",
    )
    data_path: str | None = setting(
        None, "File or folder that holds the data set, if it needs one."
    )
    validation_split: str = setting("validation", "Split to validate on: validation or test.")
    image_size: int | None = setting(None, "Resize images to this many pixels a side.")
    channels: int | None = setting(
        None, "1 for grey images, 3 for colour; the data's own if unset."
    )
    limit: int | None = setting(None, "Train on at most this many images.")
    validation_limit: int | None = setting(None, "Load at most this many validation images.")
    epoch_validation_limit: int = setting(
        1000,
        "Validation images to score after each epoch, spread evenly over the split. "
        "The final figure is always over all of them.",
    )
    flip: bool = setting(False, "Mirror half of the training images, drawn anew at each step.")
    shift: int = setting(
        0,
        "Move training images by up to so many whole pixels up or down, and left or right, drawn "
        "anew at each step; what comes into sight repeats the edge.",
    )
    conditional: bool = setting(True, "Learn p(image | label); --noconditional learns p(image).")

    preset: str = setting("bplf_3x3", f"Named model: {_choices(PRESETS)}.")
    size: str = setting("small", f"Size of the preset: {_choices(SIZES)}.")
    levels: int | None = setting(None, "Number of scales L; each halves height and width.")
    depth: str | None = setting(
        None, "Steps per level K: one number, or one for each level with commas between them."
    )
    width: str | None = setting(None, "Channels of the hidden layers of g, likewise.")
    network: str | None = setting(
        None, f"Networks g, by kernel sizes or kind: {_choices(NETWORKS)}."
    )
    network_dtype: str | None = setting(
        None, f"Arithmetic of the networks in training: {_choices(NETWORK_DTYPES)}."
    )
    evaluation_network_dtype: str | None = setting(
        None, "The same for likelihoods, sampling and encoding."
    )
    dtype: str | None = setting(None, "Arithmetic of all else: float32 or float64.")
    condition_maps: int | None = setting(
        None, "Maps over the image by which the label enters each g."
    )
    dropout: float | None = setting(
        None,
        "Probability in [0, 1) with which a training step drops a channel of an image in the "
        "hidden layer of g before the last convolution; 0, the default, drops none. Validation "
        "and samples have no dropout.",
    )
    label_contrast: float | None = setting(
        None,
        "Weight of a second loss, by which an image is to be likelier under its label than under "
        "another one; 0, the default, for maximum likelihood alone. Labels become plainer in "
        "samples, bits/dim a little higher, and a step takes about twice the time.",
    )
    network_actnorm: bool | None = setting(
        None, "Hidden layers of g have learned gains and start with unit variance."
    )
    g0: bool | None = setting(
        None, "The first half of the channels is scaled and shifted too; --nog0 is a coupling."
    )
    coupling: str | None = setting(
        None, f"Affine layers: {_choices(COUPLINGS)}; additive shifts without scales."
    )
    parts: str | None = setting(
        None,
        "Parts into which an affine layer divides the channels: how many equal ones, or relative "
        "sizes with commas between them.",
    )
    inverse_form: bool | None = setting(
        None, "The networks of an affine layer read what it made of the part before."
    )
    actnorm: bool | None = setting(None, "Every step of the flow begins with an ActNorm.")
    label_into: str | None = setting(
        None, f"Places that the label reaches, with commas between them: {_choices(LABEL_PLACES)}."
    )
    label_at: str | None = setting(
        None,
        f"Where the label enters the networks g: {_choices(LABEL_ENDS)}; as maps over the image at "
        "their input, or as numbers of each channel added to their output.",
    )
    log_scale_form: str | None = setting(
        None, f"Log-scale of an affine layer: {_choices(LOG_SCALE_FORMS)}."
    )
    affine_order: str | None = setting(None, f"What comes first: {_choices(AFFINE_ORDERS)}.")
    start: str | None = setting(
        None, f"Start of the affine layers: {_choices(STARTS)}; dlf is that published with DLF."
    )
    diagonal_scale: bool | None = setting(
        None, "Every number that a level makes has a learned scale."
    )
    checkerboard: bool | None = setting(
        None, "The first half of a level's steps are couplings with checkerboard masks."
    )
    split_prior: str | None = setting(
        None, f"Prior of what leaves a level before the last: {_choices(PRIORS)}."
    )
    top_prior: str | None = setting(
        None, f"Prior of what leaves the last level: {_choices(PRIORS)}."
    )
    log_scale_bound: float | None = setting(None, "c of log s = a + c * tanh(raw / c).")
    heavy_tails: bool | None = setting(
        None, "Learned tails, heavier than a Gaussian's, of what leaves a level."
    )
    pixel_logit: bool | None = setting(
        None, "The flow sees the logit of a pixel's place in the training images' histogram."
    )
    pixel_affine: bool | None = setting(
        None, "The first learned layer scales and shifts each pixel by numbers of its label's own."
    )
    squeeze: str | None = setting(
        None,
        f"How a level halves height and width: {_choices(SQUEEZES)}; haar takes mean and "
        "differences of a block of pixels; flatten makes channels of them all.",
    )
    permutation: str | None = setting(
        None, f"What mixes channels between affine layers: {_choices(PERMUTATIONS)}."
    )
    kernel_form: str | None = setting(None, f"1x1 convolution as: {_choices(KERNEL_FORMS)}.")
    memory: str | None = setting(
        None,
        f"Memory of training: {_choices(MEMORY)}. Constant does not grow with depth, and takes "
        "about 1.25 times as long.",
    )
    svd_protocol: str | None = setting(
        None, f"Truncation of singular values: {_choices(SVD_PROTOCOLS)}."
    )
    svd_rank: int | None = setting(None, "Singular values kept; half of the smaller side if unset.")
    svd_slope: float | None = setting(None, "Slope below the threshold, for svd_protocol=bijector.")
    svd_anneal_steps: int | None = setting(
        None, "Steps until the rank is full, for svd_protocol=anneal."
    )
    svd_anneal_share: float | None = setting(
        None,
        "The same as a share of the run, in (0, 1], of its steps or its minutes: for runs that end "
        "by the clock.",
    )

    epochs: int | None = setting(None, "Stop after this many epochs.")
    max_steps: int | None = setting(None, "Stop after this many steps.")
    max_minutes: float | None = setting(
        None,
        "Stop after this many minutes of wall-clock time, counted from the start of training: "
        "graph tracing, validation and pictures between epochs included, the final evaluation not.",
    )
    steps_per_epoch: int | None = setting(
        None,
        "Steps from one validation to the next; one pass over the data if unset.",
    )
    batch_size: int = setting(64, "Images per step.")
    optimizer: str = setting(
        "adam",
        f"Optimizer: {_choices(OPTIMIZERS)}. muon makes the updates of the kernels inside g "
        "orthogonal and leaves all else to Adam.",
    )
    muon_rate: float = setting(
        0.2, "Root mean square of Muon's updates, as a multiple of the learning rate."
    )
    learning_rate: float = setting(
        1e-3, "Peak learning rate: reached after the warm-up, decays to 0 along a cosine."
    )
    warmup_steps: int = setting(200, "Steps of linear warm-up.")
    beta_1: float = setting(0.9, "Decay of the optimizer's first moment.")
    beta_2: float = setting(0.999, "Decay of the optimizer's second moment.")
    epsilon: float = setting(1e-7, "Added to the optimizer's denominator.")
    weight_decay: float = setting(
        0.0,
        "Decoupled weight decay, times the learning rate; 0 is off. With muon it is the kernels' "
        "alone.",
    )
    clip_norm: float = setting(1.0, "Clip gradients to this global norm; 0 is off.")
    ema_momentum: float = setting(
        0.999,
        "Momentum of the moving average of the weights, with which the run validates, draws its "
        "samples and saves the model. At step t it is at most (1 + t) / (10 + t), so that short "
        "runs do not average in their start. 0 is off.",
    )
    on_nonfinite: str = setting(
        "stop",
        f"Where a loss is not finite: {_choices(ON_NONFINITE)}. rollback goes back to the last "
        "checkpoint, halves the learning rate and goes on, three times at most.",
    )
    strategy: str = setting(
        "auto",
        f"Devices: {_choices(STRATEGIES)}. auto takes the workers that TF_CONFIG names, else all "
        "GPUs of this machine, else one device.",
    )
    cpu_devices: int = setting(
        1, "Divide the CPU into so many logical devices, to try out --strategy=mirrored."
    )
    seed: int = setting(0, "Of the weights' start, the data order, flips, training noise, samples.")
    jit_compile: bool = setting(
        False, "Compile the step with XLA. Its convolutions are slower than TensorFlow's on CPUs."
    )
    threads_per_operation: int = setting(
        0,
        "CPU threads that share one operation. 0 leaves the number to TensorFlow, but on one or "
        "two cores takes 1: operations then run side by side, which is quicker there.",
    )

    tensorboard: bool = setting(
        False, "Write curves and pictures for TensorBoard, to the run's folder tensorboard."
    )
    log_scale_histograms: bool = setting(False, "With --tensorboard: histograms of log-scales.")
    bits_per_label: bool = setting(False, "After each epoch, bits/dim of each label by itself.")
    sample_temperature: float = setting(0.7, "Temperature of the pictures after each epoch.")
    samples_per_label: int = setting(8, "Samples per label in the pictures after each epoch.")
    snapshots: bool = setting(
        False, "Keep the model after 8, 16, 32 steps and on, in the run's folder snapshots."
    )

    def check(self) -> None:
        """Checks everything that can be checked without data.

        Raises:
          ValueError: naming the flag, what was given and what is accepted.
        """
        if not self.run_dir:
            raise ValueError("--run_dir is required: the directory to write the run to")
        if self.resume and self.overwrite:
            raise ValueError("--resume goes on with a run and --overwrite replaces it: give one")
        self._check_numbers()
        choice("dataset", self.dataset, NAMES)
        choice("on_nonfinite", self.on_nonfinite, ON_NONFINITE)
        choice("strategy", self.strategy, STRATEGIES)
        choice("optimizer", self.optimizer, OPTIMIZERS)
        choice("validation_split", self.validation_split, ("validation", "test"))
        if self.epochs is None and self.max_steps is None and self.max_minutes is None:
            raise ValueError("say when to stop: --epochs, --max_steps or --max_minutes")
        if self.log_scale_histograms and not self.tensorboard:
            raise ValueError("--log_scale_histograms needs --tensorboard")
        if self.bits_per_label and not self.conditional:
            raise ValueError("--bits_per_label needs labels, and --noconditional leaves them out")
        self._check_model()

    def _check_model(self) -> None:
        # The real shape comes with the data; without it, take one that fits all that depends on it.
        side = self.image_size
        if side is None:
            step = 2 ** (1 + (self.levels or SIZES.get(self.size, {"levels": 1})["levels"]))
            side = step * max(1, math.ceil((self.svd_rank or 1) / step))
        # Three channels after the squeeze divide into all that one does, and more.
        self.model_config(image_shape=(side, side, self.channels or 3), classes=("any",))

    def _check_numbers(self) -> None:
        for name in ("image_size", "limit", "validation_limit", "epochs", "max_steps",
                     "steps_per_epoch", "levels", "condition_maps", "svd_rank",
                     "svd_anneal_steps", "epoch_validation_limit", "batch_size",
                     "checkpoint_steps", "keep_checkpoints", "cpu_devices",
                     "samples_per_label"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        for name in ("max_minutes", "learning_rate", "muon_rate", "epsilon", "log_scale_bound"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"--{name} must be a positive number, got {value}")
        for name in ("warmup_steps", "shift", "weight_decay", "clip_norm", "sample_temperature",
                     "seed", "threads_per_operation", "checkpoint_minutes",
                     "label_contrast"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"--{name} must not be negative, got {value}")
        for name in ("beta_1", "beta_2", "ema_momentum", "dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ValueError(f"--{name} must lie in [0, 1), got {value}")
        if self.svd_anneal_share is not None:
            if not 0 < self.svd_anneal_share <= 1:
                raise ValueError(
                    f"--svd_anneal_share must lie in (0, 1], got {self.svd_anneal_share}"
                )
            if self.svd_anneal_steps is not None:
                raise ValueError("--svd_anneal_share and --svd_anneal_steps: give one")
        if self.channels not in (None, 1, 3):
            raise ValueError(f"--channels must be 1 or 3, got {self.channels}")

    def identity(self) -> dict[str, Any]:
        """What a checkpoint and the run that goes on from it must have in common."""
        free = {
            "run_dir", "overwrite", "resume", "data_path", "epochs", "max_steps", "max_minutes",
            "checkpoint_minutes", "checkpoint_steps", "keep_checkpoints", "deterministic",
            "threads_per_operation", "jit_compile", "strategy", "cpu_devices", "on_nonfinite",
            "epoch_validation_limit", "validation_limit",
            "sample_temperature", "samples_per_label", "tensorboard", "log_scale_histograms",
            "bits_per_label", "snapshots",
        }  # fmt: skip
        every = dataclasses.asdict(self)
        return {name: value for name, value in every.items() if name not in free}

    def model_config(
        self, image_shape: tuple[int, int, int], classes: tuple[str, ...]
    ) -> ModelConfig:
        """The model these settings describe, for images of this shape with these labels.

        Args:
          image_shape: (height, width, channels).
          classes: names of the labels; not used with `conditional=False`.

        Raises:
          ValueError: an unknown preset or size (with those that exist), or values that do not
            fit together.
        """
        shared = {field.name for field in dataclasses.fields(ModelConfig)}
        changes = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name in shared and getattr(self, field.name) is not None
        }
        for name in ("depth", "width", "parts"):
            if name in changes:
                changes[name] = _per_level(name, changes[name])
        if "label_into" in changes:
            changes["label_into"] = tuple(changes["label_into"].split(","))
        return preset_config(
            self.preset,
            size=self.size,
            image_shape=image_shape,
            classes=classes if self.conditional else (),
            **changes,
        )


def _per_level(name: str, text: str) -> int | tuple[int, ...]:
    try:
        numbers = tuple(int(value) for value in text.split(","))
    except ValueError:
        each = "part" if name == "parts" else "level"
        raise ValueError(
            f"--{name} must be an integer, or one for each {each} with commas between them, "
            f"got {text!r}"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    """Raises `ValueError` unless the flag `name` has one of the accepted values."""
    if value not in accepted:
        raise ValueError(f"--{name} must be one of {', '.join(accepted)}, got {value!r}")
