"""Flags that several benchmarks have, and what they all do with them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from absl import app, flags

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


def _are_contenders(names: list[str]) -> bool:
    try:
        return bool(contenders.choose(names))
    except ValueError as error:
        raise flags.ValidationError(str(error)) from error


flags.register_validator(CONTENDERS, _are_contenders)

CPU_TIME = flags.DEFINE_bool(
    "cpu_time",
    False,
    "Give every contender one thread and measure CPU time in place of the clock: figures of one "
    "core, which hold on a busy machine too.",
)
_JSON_OUT = flags.DEFINE_string("json_out", None, "Also write everything measured to this file.")


def define_integers(
    name: str, default: list[str] | None, about: str
) -> flags.FlagHolder[list[str]]:
    """A flag that is a comma-separated list of positive integers; None where it need not be set."""
    flag = flags.DEFINE_list(name, default, about)
    flags.register_validator(
        flag,
        lambda values: (
            values is None
            or (bool(values) and all(value.isdecimal() and int(value) for value in values))
        ),
        message="must be positive integers with commas between them",
    )
    return flag


def problem(depth: int, width: int) -> Problem:
    """The task that the flags describe, at the given depth and width."""
    try:
        return Problem(
            levels=_LEVELS.value,
            depth=depth,
            width=width,
            image_size=_IMAGE_SIZE.value,
            channels=_CHANNELS.value,
            batch_size=_BATCH_SIZE.value,
        )
    except ValueError as error:
        raise app.UsageError(str(error)) from error


def refuse_arguments(arguments: list[str]) -> None:
    """Raises `UsageError` if anything but flags follows the program's name."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(arguments[1:])}")


def write_json(record: dict[str, Any]) -> None:
    """Writes everything measured to the file of `--json_out`, if there is one."""
    if _JSON_OUT.value:
        pathlib.Path(_JSON_OUT.value).write_text(json.dumps(record, indent=1) + "\n")
