"""Flags that both benchmarks have."""

from __future__ import annotations

from absl import flags

from benchmarks import contenders
from benchmarks.problem import Problem

_LEVELS = flags.DEFINE_integer("levels", 3, "Levels of the flow, L.", lower_bound=1)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 32, "Height and width of the images, in pixels.", lower_bound=1
)
_CHANNELS = flags.DEFINE_integer("channels", 1, "Channels of the images.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per training step.", lower_bound=1)
CONTENDERS = flags.DEFINE_list(
    "contenders",
    list(contenders.DEFAULT_CONTENDERS),
    f"Who takes part, out of {', '.join(contenders.CONTENDERS)}.",
)
TORCH_PYTHON = flags.DEFINE_string(
    "torch_python",
    None,
    "Python interpreter that can import torch and normflows, for their contenders; the default "
    "is the current one. They are left out where it cannot.",
)
JSON_OUT = flags.DEFINE_string("json_out", None, "Also write everything measured to this file.")


def problem(depth: int, width: int) -> Problem:
    """The task that the flags describe, at the given depth and width."""
    return Problem(
        levels=_LEVELS.value,
        depth=depth,
        width=width,
        image_size=_IMAGE_SIZE.value,
        channels=_CHANNELS.value,
        batch_size=_BATCH_SIZE.value,
    )
