"""Draws the learning curves of several runs as one picture, and prints where each of them ended.

python -m trainers.compare --runs=runs/float32,runs/bfloat16 --out=curves.png
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import flags
from datasets.flags import setting
from trainers.curves import Curve, save_panels
from trainers.many_runs import read_rows
from trainers.run_directory import RunDirectory
from trainers.settings import choice
from trainers.training_figure import training_curve

_AXES = ("step", "minutes", "epoch")
_IN_TRAINING = "bits_per_dim"
_PANELS = {"in training": _IN_TRAINING, "held-out images": "val_bits_per_dim"}
# Settings in which runs may differ without being different runs.
_OF_NO_INTEREST = ("run_dir", "overwrite", "resume", "data_path")


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What to draw. Each field is a flag of the same name."""

    runs: str | None = setting(None, "Run directories, with commas between them. Required.")
    names: str | None = setting(
        None, "What to call the runs, likewise; by default as their directories."
    )
    axis: str = setting("step", f"What the curves run over: {', '.join(_AXES)}.")
    title: str = setting("", "Title of the picture.")
    out: str = setting("curves.png", "PNG to write.")

    def check(self) -> None:
        """Raises `ValueError` or `OSError` naming the flag."""
        if not self.runs:
            raise ValueError("--runs is required: run directories, with commas between them")
        choice("axis", self.axis, _AXES)
        if Path(self.out).suffix != ".png":
            raise ValueError(f"--out must end in .png, got {self.out}")
        if not Path(self.out).parent.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {Path(self.out).parent}")


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run directory tells.

    Attributes:
      name: of the run.
      rows: of its metrics.csv, at least one.
      settings: that it was made with.
      result: its result.json; None while it has not come to its end.
    """

    name: str
    rows: list[dict[str, str]]
    settings: dict[str, Any]
    result: dict[str, Any] | None

    def curve(self, figure: str, axis: str) -> Curve:
        """A column of metrics.csv over another.

        That in training ends with the figure of `trainers.training_figure`: the last epoch may have
        been cut short, and its own mean be of a few batches.
        """
        values = (
            training_curve(self.rows)
            if figure == _IN_TRAINING
            else [float(row[figure]) for row in self.rows]
        )
        return [float(row[axis]) for row in self.rows], values


def main(settings: CompareSettings) -> int:
    """Reads the runs, draws, prints; returns the exit code."""
    try:
        settings.check()
        runs = _read_all(settings)
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error
    panels = {
        title: {run.name: run.curve(figure, settings.axis) for run in runs}
        for title, figure in _PANELS.items()
    }
    save_panels(panels, settings.axis, settings.title, Path(settings.out))
    print(markdown(runs))
    print(f"wrote {settings.out}")
    return 0


def _read_all(settings: CompareSettings) -> list[Run]:
    paths = [Path(path) for path in (settings.runs or "").split(",")]
    names = settings.names.split(",") if settings.names else [path.name for path in paths]
    if len(names) != len(paths):
        raise ValueError(f"--names: {len(names)} names for {len(paths)} runs")
    if len(set(names)) != len(names):
        raise ValueError(f"two runs have one name: {', '.join(names)}; --names gives them others")
    return [_read(path, name) for path, name in zip(paths, names, strict=True)]


def _read(path: Path, name: str) -> Run:
    directory = RunDirectory(path)
    rows = read_rows(directory.metrics)
    if not rows:
        raise ValueError(f"{path} is no run that finished an epoch: {directory.metrics} is missing")
    result = json.loads(directory.result.read_text()) if directory.result.exists() else None
    return Run(name, rows, json.loads(directory.config.read_text())["settings"], result)


def markdown(runs: Sequence[Run]) -> str:
    """Where each run ended, as a Markdown table; its figures are where the curves end."""
    lines = [
        "| run | in which it differs | steps | minutes | in training | held-out, after its last "
        "epoch | all held-out images |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run, own in zip(runs, _differences([run.settings for run in runs]), strict=True):
        last = run.rows[-1]
        cells = [run.name, own, last["step"], f"{float(last['minutes']):.1f}"]
        cells += [f"{run.curve(figure, 'step')[1][-1]:.4f}" for figure in _PANELS.values()]
        cells.append(f"{run.result['bits_per_dim']:.4f}" if run.result else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _differences(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Of each of several settings, those in which they are not all alike, as flags."""
    every = dict.fromkeys(name for own in settings for name in own)
    differ = [
        name
        for name in every
        if name not in _OF_NO_INTEREST
        and any(own.get(name) != settings[0].get(name) for own in settings)
    ]
    return [" ".join(f"`--{name}={own.get(name)}`" for name in differ) for own in settings]


if __name__ == "__main__":
    flags.run(CompareSettings, main)
