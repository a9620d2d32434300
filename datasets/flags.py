"""Flags from a settings dataclass, and a `main` that tells users' mistakes from faults.

Needs no TensorFlow, so that `--help` and a mistyped flag answer at once.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, TypeVar

from absl import app, flags

from datasets.files import WriteError

# `--help` lists the flags that the main module defines: count those defined here as its own.
flags.disclaim_key_flags()

Settings = TypeVar("Settings")

USER_ERROR = 2
"""Exit code for anything the user can put right: flags, data, paths, a full disk."""
INTERRUPTED = 130
"""Exit code of a program that Ctrl-C stopped, as shells have it."""

_DEFINE = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
    list[str]: flags.DEFINE_list,
}


class UserError(Exception):
    """A mistake in flags, data or paths; shown as one line, without a traceback."""


def setting(default: Any, text: str) -> Any:
    """A dataclass field that `define` turns into a flag with this help text."""
    return dataclasses.field(default=default, metadata={"help": text})


def define(settings: type[Any], into: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag per field of the dataclass `settings`, with its type, default and help."""
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        kind = _without_none(hints[field.name])
        _DEFINE[kind](field.name, default, field.metadata["help"], flag_values=into)


def read(settings: type[Settings], values: flags.FlagValues = flags.FLAGS) -> Settings:
    """The parsed flags as an instance of the dataclass that defined them."""
    names = [field.name for field in dataclasses.fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: values[name].value for name in names})


def parse(settings: type[Settings], arguments: Sequence[str]) -> Settings:
    """Flags of another program, as it would read them.

    Raises:
      ValueError: for a flag that it does not have, or a value that is none.
    """
    values = flags.FlagValues()
    define(settings, values)
    try:
        rest = values(["", *arguments])[1:]
    except (flags.Error, OSError) as error:  # the latter of a flag file that is not there
        raise ValueError(str(error)) from error
    if rest:
        raise ValueError(f"not a flag: {rest[0]}")
    return read(settings, values)


def run(settings: type[Settings], main: Callable[[Settings], int]) -> None:
    """Parses the command line into `settings`, calls `main` and exits with its code.

    `UserError` and `WriteError` from `main`, and flags that cannot be parsed, exit with code 2 and
    one line; Ctrl-C exits with code 130.
    """
    define(settings)
    app.run(lambda _: sys.exit(_guarded(settings, main)), flags_parser=_parse)


def _guarded(settings: type[Settings], main: Callable[[Settings], int]) -> int:
    try:
        return main(read(settings))
    except (UserError, WriteError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED


def _parse(arguments: list[str]) -> list[str]:
    try:
        rest = flags.FLAGS(arguments)
    except flags.Error as error:
        _fail(str(error))
    except OSError as error:  # a flag file that is not there
        _fail(str(error).removeprefix("ERROR:: "))
    except SystemExit:  # absl's help flags exit with 1, which shells and Makefiles take as failure
        sys.exit(0)
    if len(rest) > 1:
        _fail(f"arguments that are not flags: {' '.join(rest[1:])}")
    return rest


def _fail(message: str) -> typing.NoReturn:
    print(f"error: {message}\n`--help` lists the flags.", file=sys.stderr)
    sys.exit(USER_ERROR)


def _without_none(hint: Any) -> Any:
    if isinstance(hint, UnionType):
        (hint,) = (kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint
