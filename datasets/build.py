"""Builds EmotionSet: `python -m datasets.build --fer2013=fer2013.csv --out=data`.

Every source is optional: a folder, a file or an official archive each. What was read, dropped and
why is told by `report/report.html` beside the data.
"""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any

from datasets import flags
from datasets.command import command
from datasets.emotionset.given import make_sources, options
from datasets.emotionset.settings import STEPS, CleaningSettings
from datasets.flags import setting


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """Where the result goes and what works on it."""

    out: str | None = setting(None, "Folder to write the data set into. Required.")
    overwrite: bool = setting(False, "Replace a data set of this size that --out already holds.")
    processes: int | None = setting(None, "Processes to use; one per processor if unset.")
    beam_runner: str | None = setting(
        None, "Work on Apache Beam (extra beam): direct, flink, spark or dataflow."
    )
    beam_options: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": "Options of the Beam runner: name=value, with commas between them."},
    )
    bars: bool = setting(True, "Show progress.")


# Where the docstring of the source is for programmers.
_HELP = {
    "ferplus_labels": "FER2013: none takes its own labels; majority, plurality and soft take what "
    "more than half, or most, of FER+'s votes are for (soft: the own label where several have "
    "most). Images without such a choice are dropped. FER+'s votes are soft labels in any case.",
}


def _flags_class() -> type[Any]:
    """A dataclass with a field for each flag: of the run, of the sources, of the cleaning."""
    fields: list[tuple[str, Any, Any]] = []
    for settings in (RunSettings, CleaningSettings):
        hints = typing.get_type_hints(settings)
        for field in dataclasses.fields(settings):
            if field.name == "steps":  # flags have lists
                listed: Any = dataclasses.field(
                    default_factory=lambda: list(STEPS), metadata=field.metadata
                )
                fields.append((field.name, list[str], listed))
            else:
                fields.append((field.name, hints[field.name], field))
    for name, (source, field, kind) in options().items():
        default: Any = None if field.default is dataclasses.MISSING else field.default
        text = _HELP.get(name) or _help(source, field.name)
        fields.append((name, kind if default is not None else kind | None, setting(default, text)))
    return dataclasses.make_dataclass("BuildFlags", fields, frozen=True)


def _help(source: type[Any], field: str) -> str:
    """What the source's docstring says of a field, in one line."""
    lines = (source.__doc__ or "").partition("Attributes:")[2].splitlines()
    indent = "      "
    text: list[str] = []
    for line in lines:
        if line.startswith(f"{indent}{field}: "):
            text = [line.partition(": ")[2]]
        elif text and line.startswith(indent + "  "):
            text.append(line.strip())
        elif text:
            break
    return f"{source.title}: {' '.join(text) or field}"


BuildFlags = _flags_class()


def main(given: Any) -> int:
    """Builds what the flags ask for; see `flags.run`."""
    if given.out is None:
        raise flags.UserError("--out is required: the folder to write the data set into")
    if given.processes is not None and given.processes < 1:
        raise flags.UserError(f"--processes must be at least 1; got {given.processes}")
    if given.beam_options and given.beam_runner is None:
        raise flags.UserError("--beam_options are of Beam's runner: give --beam_runner too")
    try:
        settings = _part(CleaningSettings, given, steps=tuple(given.steps))
        sources, files = make_sources(_said_of_sources(given), settings.contempt == "keep")
    except ValueError as error:  # SourceError is one
        raise flags.UserError(str(error)) from error

    from datasets.emotionset.assembly import BuildError, build

    try:
        place = build(_part(RunSettings, given), settings, sources, files)
    except BuildError as error:
        raise flags.UserError(str(error)) from error
    _print_end(place)
    return 0


def _part(kind: type[Any], given: Any, **changes: Any) -> Any:
    names = [field.name for field in dataclasses.fields(kind)]
    return kind(**{**{name: getattr(given, name) for name in names}, **changes})


def _said_of_sources(given: Any) -> dict[str, Any]:
    """The sources' flags but for those that have their default."""
    values = {name: getattr(given, name) for name in options()}
    return {
        name: values[name]
        for name, (_, field, _) in options().items()
        if values[name] != field.default
    }


def _print_end(place: Path) -> None:
    from datasets.emotionset.built import read_report

    content = read_report(place)
    for name, counts in content["all"]["splits"].items():
        listed = ", ".join(f"{count} {label}" for label, count in counts.items() if count)
        print(f"{name:<11}{sum(counts.values()):>7}  {listed or 'no images, so no such split'}")
    for name, source in content["sources"].items():
        print(f"{name:<11}{source['kept']:>7}  of {source['read']} images that were read")
    print(f"data set   {place}")
    print(f"report     {place / 'report' / 'report.html'}")
    fit = ["--flagfile=emotionset.flags", f"--data_path={place}", "--run_dir=runs/emotionset"]
    print(f"train      {command('trainers.fit', fit)}")


if __name__ == "__main__":
    flags.run(BuildFlags, main)
