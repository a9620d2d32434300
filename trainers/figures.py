"""Glow beside BPLF at equal training time, as in figures 8 to 10 of the paper, and its two claims.

    python -m trainers.figures --dataset=drawn_faces --minutes=10 --out=runs/figures

Trains every preset with several seeds, with labels and without, each run in a directory of its own.
Runs that came to their end are not made again, and those that were stopped go on, with the same
command. The folder --pictures then holds samples of the first seed's models at each temperature,
the same latents decoded as the models with labels grew, and <dataset>.md with two tables: how
smooth samples are beside held-out faces, and which label a growing model's samples are like. Of the
data set itself, no picture is drawn.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bplf_tf.preset_table import PRESETS
from datasets import NAMES, flags
from datasets.files import write_text
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers import many_runs, resumable_runs
from trainers.ablation_plan import extras_flags
from trainers.figure_tables import controls, growing_tables, smoothness_table
from trainers.neutral_first import label_means
from trainers.resumable_runs import Cell
from trainers.run_directory import RunDirectory
from trainers.settings import FitSettings, choice

if TYPE_CHECKING:
    import numpy as np

    from bplf_tf import BPLF
    from datasets import ImageSource

LABELS = {True: "labels", False: "no_labels"}
"""The last part of a method's name."""

_COLUMNS = 6  # samples of each temperature in a row
_ROWS_WITHOUT_LABELS = 2  # of each preset
_COLUMNS_OF_LABEL = 2  # of the pictures of growing models, which show every label
_CHOSEN_HERE = (
    "dataset", "data_path", "run_dir", "seed", "resume", "overwrite", "epochs", "max_steps",
    "max_minutes", "preset", "conditional", "snapshots",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FiguresSettings:
    """What to train and to draw. Each field is a flag of the same name."""

    dataset: str = setting("drawn_faces", f"Data set: {', '.join(NAMES)}.")
    data_path: str | None = setting(None, "File or folder that holds it, if it needs one.")
    presets: str = setting(
        "glow,bplf_3x3_1x1", "Presets, with commas between them; compared with the first one."
    )
    minutes: float = setting(10.0, "Training time of each run.")
    seeds: int = setting(3, "Runs of each preset, with the seeds 0, 1 and on.")
    extras: bool = setting(
        False, "Give every preset the pixel logit and the heavy tails; else none has them."
    )
    common: str = setting("", "Flags of trainers.fit that all runs share, such as --size=small.")
    temperatures: str = setting("0.5,0.7,1.0", "Of the samples, with commas between them.")
    growing_temperature: float = setting(0.7, "Of the latents decoded as models grow.")
    neutral: str = setting("neutral", "The label that is said to be learned first.")
    measured: int = setting(500, "Samples of each model and temperature that are measured.")
    per_label: int = setting(50, "Samples of each label and snapshot that are measured.")
    out: str = setting("runs/figures", "Folder for the runs.")
    pictures: str | None = setting(None, "Folder for pictures and tables; --out if unset.")
    at_once: int = setting(1, "Runs at the same time, each on its share of this machine's cores.")
    most_runs: int | None = setting(
        None, "Make at most so many of the runs that are left, then draw; the rest another time."
    )
    plan_only: bool = setting(False, "Print the runs and which of them are done; make none.")

    def check(self) -> None:
        """Raises `ValueError` naming the flag."""
        choice("dataset", self.dataset, NAMES)
        for name in self.preset_names:
            choice("presets", name, tuple(PRESETS))
        if len(set(self.preset_names)) != len(self.preset_names):
            raise ValueError(f"--presets has a name twice: {self.presets}")
        if not self.minutes > 0:
            raise ValueError(f"--minutes must be a positive number, got {self.minutes}")
        for name in ("seeds", "measured", "per_label"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} must be a positive integer, got {getattr(self, name)}")
        for temperature in (*self.sample_temperatures, self.growing_temperature):
            if not temperature >= 0:
                raise ValueError(f"temperatures must not be negative, got {temperature}")
        if self.most_runs is not None and self.most_runs < 0:
            raise ValueError(f"--most_runs must not be negative, got {self.most_runs}")
        many_runs.check_at_once(self.at_once)
        common, default = flags.parse(FitSettings, shlex.split(self.common)), FitSettings()
        for name in _CHOSEN_HERE:
            if getattr(common, name) != getattr(default, name):
                raise ValueError(f"--common holds --{name}, which is chosen here")

    @property
    def preset_names(self) -> list[str]:
        """Of `presets`."""
        return self.presets.split(",")

    @property
    def sample_temperatures(self) -> list[float]:
        """Of `temperatures`; raises `ValueError` for what is no number."""
        try:
            return [float(text) for text in self.temperatures.split(",")]
        except ValueError:
            raise ValueError(
                f"--temperatures must be numbers with commas between them, got "
                f"{self.temperatures!r}"
            ) from None

    @property
    def folder(self) -> Path:
        """For pictures and tables."""
        return Path(self.pictures or self.out)


def main(settings: FiguresSettings) -> int:
    """Makes the runs that are missing, draws and measures all that are there; 1 if one failed."""
    try:
        settings.check()
        import_tensorflow()
        cells = plan(settings)
        fit = flags.parse(FitSettings, shlex.split(cells[0].flags))
        held_out, train = (_load(settings, fit, split) for split in (fit.validation_split, "train"))
        for cell in cells:  # told now, and not when it is this run's turn
            own = flags.parse(FitSettings, shlex.split(cell.flags))
            dataclasses.replace(own, run_dir=str(cell.directory.path)).check()
            own.model_config(train.image_shape, train.classes)
        if settings.neutral not in train.classes:
            raise ValueError(
                f"--neutral={settings.neutral}: the labels are {', '.join(train.classes)}"
            )
        resumable_runs.check_stamps(cells)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error
    left = [cell for cell in cells if not cell.done]
    if settings.plan_only:
        for cell in cells:
            print(f"{'done' if cell.done else 'to do':<6}{cell.directory.path}: {cell.flags}")
        return 0
    now = left[: settings.most_runs]
    done = len(cells) - len(left)
    later = len(left) - len(now)
    failed = resumable_runs.make(now, settings.data_path, settings.at_once, done, later)
    settings.folder.mkdir(parents=True, exist_ok=True)
    _draw(settings, cells)
    _measure(settings, cells, held_out, train)
    if later:
        print(f"{later} runs are left: the same command makes them")
    return 1 if failed else 0


def plan(settings: FiguresSettings) -> list[Cell]:
    """Every run, seed after seed, so that a stopped plan has whole comparisons."""
    folder = f"minutes_{settings.minutes:g}" + ("_extras" if settings.extras else "")
    shared = shlex.join([f"--dataset={settings.dataset}", *shlex.split(settings.common)])
    cells = []
    for seed in range(settings.seeds):
        for conditional, ending in LABELS.items():
            for preset in settings.preset_names:
                name = f"{preset}_{ending}"
                path = Path(settings.out) / settings.dataset / folder / name / f"seed_{seed}"
                own = "--conditional --snapshots" if conditional else "--noconditional"
                cells.append(
                    Cell(
                        name,
                        seed,
                        f"{shared} --preset={preset} {extras_flags(settings.extras)} {own} "
                        f"--max_minutes={settings.minutes:g} --seed={seed}",
                        RunDirectory(path),
                    )
                )
    return cells


def references(settings: FiguresSettings) -> dict[str, str]:
    """The method that each method is compared with: the first preset's, with labels or without."""
    first, *others = settings.preset_names
    return {f"{name}_{e}": f"{first}_{e}" for name in others for e in LABELS.values()}


def _load(settings: FiguresSettings, fit: FitSettings, split: str) -> ImageSource:
    import datasets

    return datasets.load(
        settings.dataset,
        split,
        data_path=settings.data_path,
        image_size=fit.image_size,
        channels=fit.channels,
        limit=fit.limit if split == "train" else fit.validation_limit,
    )


def _draw(settings: FiguresSettings, cells: Sequence[Cell]) -> None:
    """Pictures of the models of the first seed, as far as they are there."""
    from bplf_tf import load_model
    from trainers.figure_numbers import grown

    temperatures = settings.sample_temperatures
    headings = [f"temperature {temperature:g}" for temperature in temperatures]
    first = {cell.method: cell for cell in cells if cell.seed == 0 and cell.done}
    unlabelled = []
    for preset in settings.preset_names:
        if cell := first.get(f"{preset}_{LABELS[False]}"):
            model = load_model(cell.directory.model)
            for row in range(_ROWS_WITHOUT_LABELS):
                blocks = [model.sample(n=_COLUMNS, temperature=t, seed=row) for t in temperatures]
                unlabelled.append(("" if row else preset, blocks))
        if cell := first.get(f"{preset}_{LABELS[True]}"):
            model = load_model(cell.directory.model)
            classes = model.config.classes
            labelled = [
                (name, [model.sample(name, _COLUMNS, t, seed=0) for t in temperatures])
                for name in classes
            ]
            _save(settings, f"{preset}_labels", labelled, headings)
            growing = [
                (f"{step} steps", [_few(model, name, settings) for name in classes])
                for step in grown(model, cell.directory)
            ]
            _save(settings, f"{preset}_growing", growing, classes)
    if unlabelled:
        _save(settings, "no_labels", unlabelled, headings)


def _few(model: BPLF, label: str, settings: FiguresSettings) -> np.ndarray:
    temperature = settings.growing_temperature
    return model.sample(label, _COLUMNS_OF_LABEL, temperature, seed=0)


def _save(
    settings: FiguresSettings,
    name: str,
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    headings: Sequence[str],
) -> None:
    from trainers.image_grid import image_grid, save_png

    path = settings.folder / f"{settings.dataset}_{name}.png"
    save_png(image_grid(rows, headings), path)
    print(path, flush=True)


def _measure(
    settings: FiguresSettings, cells: Sequence[Cell], held_out: ImageSource, train: ImageSource
) -> None:
    """The two tables, of all seeds' models that are there."""
    from trainers.figure_numbers import Asked, of_run
    from trainers.measure import spread

    faces = label_means(train.images, train.labels, len(train.classes))
    asked = Asked(
        tuple(settings.sample_temperatures),
        settings.growing_temperature,
        settings.measured,
        settings.per_label,
    )
    few = spread(held_out, settings.measured)
    told = {
        (cell.method, cell.seed): of_run(cell, asked, faces, few) for cell in cells if cell.done
    }
    if not told:
        return
    neutral = train.classes.index(settings.neutral)
    text = "\n".join(
        [
            f"### {settings.dataset}, {settings.minutes:g} minutes of training",
            "",
            *smoothness_table(told, asked.temperatures, references(settings), few.images),
            "",
            *growing_tables(told, train.classes, neutral),
            "",
            *controls(faces, train, held_out, settings.per_label),
            "",
        ]
    )
    path = settings.folder / f"{settings.dataset}.md"
    write_text(path, text)
    print(f"\n{text}\n{path}")


if __name__ == "__main__":
    flags.run(FiguresSettings, main)
