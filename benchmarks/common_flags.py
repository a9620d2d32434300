"""Flags that several benchmarks have, and what they all do with them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from absl import app, flags

from benchmarks.problem import Problem

_LEVELS = flags.DEFINE_integer("levels", 3, "Levels of the flow, L.", lower_bound=1)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 32, "Height and width of the images, in pixels.", lower_bound=1
)
_CHANNELS = flags.DEFINE_integer("channels", 1, "Channels of the images.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per training step.", lower_bound=1)
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
