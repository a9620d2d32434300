"""From what a user has, a path per source, to the sources that read it."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from datasets.emotionset.source import Source, SourceError
from datasets.emotionset.sources import SOURCES

FERPLUS = "ferplus"
"""FER+'s votes: a csv of its own, which belongs to FER2013."""
_PATH = "path"
# Fields of sources that follow the settings of the whole build.
_CONTEMPT = "contempt"


def option_name(source: type[Source], field: str) -> str:
    """The flag of a field of a source: `jaffe` is the path of JAFFE, others have its name first.

    FER+'s, which only FER2013 has, are `ferplus` and `ferplus_labels`.
    """
    if field == _PATH:
        return source.name
    return field if field.startswith(FERPLUS) else f"{source.name}_{field}"


def options() -> dict[str, tuple[type[Source], dataclasses.Field[Any], Any]]:
    """Everything that sources can be told, by the names of the flags: source, field and type."""
    return {
        option_name(source, field.name): (source, field, _type(source, field.name))
        for source in SOURCES.values()
        for field in dataclasses.fields(source)  # type: ignore[arg-type]
        if field.name != _CONTEMPT
    }


def make_sources(
    values: Mapping[str, Any], contempt: bool = False
) -> tuple[tuple[Source, ...], dict[str, Path]]:
    """The sources for which a path is given.

    Args:
      values: by the names of `options`; None is not given.
      contempt: whether sources that have images of contempt are to give them.

    Returns:
      the sources, in the registry's order, and the files and folders given, by their names.

    Raises:
      SourceError: no path is given, a path is not there, something is given for a source without a
        path, or a source does not accept what is given for it.
    """
    given = {name: value for name, value in values.items() if value is not None}
    sources: list[Source] = []
    files: dict[str, Path] = {}
    for source in SOURCES.values():
        fields = {
            field.name: given[option_name(source, field.name)]
            for field in dataclasses.fields(source)  # type: ignore[arg-type]
            if option_name(source, field.name) in given
        }
        if _PATH not in fields:
            if fields:
                flag = option_name(source, next(iter(fields)))
                raise SourceError(
                    f"--{flag} is for {source.title}, which is not given: give --{source.name} too"
                )
            continue
        for name in (_PATH, FERPLUS):
            if name in fields:
                flag = option_name(source, name)
                files[flag] = _existing(fields[name], flag)
        if any(field.name == _CONTEMPT for field in dataclasses.fields(source)):  # type: ignore[arg-type]
            fields[_CONTEMPT] = contempt
        try:
            sources.append(source(**fields))
        except ValueError as error:
            raise SourceError(f"{source.title}: {error}") from error
    if not sources:
        flags = ", ".join(f"--{name}" for name in SOURCES)
        raise SourceError(f"no source was given; give at least one of {flags}")
    return tuple(sources), files


def find_in(folder: Path, only: str | None = None) -> dict[str, str]:
    """What lies in a folder that holds the sources by their names.

    A source is the folder `<folder>/<name>`, or else a file `<folder>/<name>.*`; FER+ is
    `<folder>/ferplus`, or the csv `fer2013new.csv` in the folder, in `ferplus` or in `fer2013`.

    Args:
      folder: such as TFDS' folder of manual downloads.
      only: the one source that is wanted, or None for all.

    Returns:
      paths by the names of `options`.
    """
    wanted = [only] if only else list(SOURCES)
    found = {}
    for name in wanted:
        place = folder / name
        places = [place] if place.exists() else sorted(folder.glob(f"{name}.*"))
        if places:
            found[name] = str(places[0])
    for place in (folder, folder / FERPLUS, folder / "fer2013"):
        votes = place / "fer2013new.csv"
        if "fer2013" in found and votes.is_file():
            found[FERPLUS] = str(votes)
            break
    return found


def _existing(value: str, flag: str) -> Path:
    path = Path(value)
    if not value or not path.exists():  # an empty path would be the working directory
        raise SourceError(f"--{flag}={value}: there is no such file or folder")
    return path


def _type(source: type[Source], name: str) -> Any:
    """The type of a field without `None`, as a flag needs it."""
    hint = typing.get_type_hints(source)[name]
    if isinstance(hint, UnionType):
        (hint,) = (kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint
