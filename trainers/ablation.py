"""Reruns a table of the paper, or a question it leaves open, at a budget of your own.

    python -m trainers.ablation --table=3 --dataset=mnist --budget=minutes --amount=10

Every method of the table is trained with several seeds, each run in a directory of its own. Runs
that came to their end are not made again, and those that were stopped go on, with the same command.
The folder --out then holds results.csv, with a row for each run, and for each table a file in
Markdown and in LaTeX, learning curves and samples.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from datasets import NAMES, flags
from datasets.files import write_csv, written_aside
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers import ablation_report, many_runs
from trainers.ablation_plan import BUDGETS, TABLES, Budget, Method, budget_flags, methods
from trainers.ablation_report import Subject
from trainers.many_runs import Planned
from trainers.run_directory import RunDirectory
from trainers.settings import FitSettings, choice

_SAMPLES = 8
_CHOSEN_HERE = (
    "dataset", "data_path", "run_dir", "seed", "resume", "overwrite", "epochs", "max_steps",
    "max_minutes",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class AblationSettings:
    """What to compare. Each field is a flag of the same name."""

    table: str = setting("3", f"What to rerun: {', '.join(TABLES)}.")
    dataset: str = setting("drawn_faces", f"Data set: {', '.join(NAMES)}.")
    data_path: str | None = setting(None, "File or folder that holds it, if it needs one.")
    budget: str = setting("minutes", f"What all methods have in common: {', '.join(BUDGETS)}.")
    amount: float = setting(
        10.0,
        "Minutes of each run; for other budgets, steps: of every method, or for flops of the "
        "table's first one.",
    )
    seeds: int = setting(3, "Runs of each method, with the seeds 0, 1 and on.")
    methods: str | None = setting(
        None, "Only these methods of the table, with commas between them; the first one as well."
    )
    ranks: str = setting(
        "full,half", "For --table=g0: full, half of the smaller side, or singular values kept."
    )
    extras: bool = setting(
        False, "Give every method the pixel logit and the heavy tails; else none has them."
    )
    common: str = setting("", "Flags of trainers.fit that all runs share, such as --size=small.")
    out: str = setting("runs/ablation", "Folder for everything.")
    at_once: int = setting(1, "Runs at the same time, each on its share of this machine's cores.")
    temperature: float = setting(0.7, "Of the samples.")
    plan_only: bool = setting(False, "Print the runs and which of them are done; make none.")

    def check(self) -> None:
        """Raises `ValueError` naming the flag."""
        choice("table", self.table, TABLES)
        choice("dataset", self.dataset, NAMES)
        self.of_all.check()
        if self.seeds < 1:
            raise ValueError(f"--seeds must be a positive integer, got {self.seeds}")
        if not self.temperature >= 0:
            raise ValueError(f"--temperature must not be negative, got {self.temperature}")
        many_runs.check_at_once(self.at_once)
        common, default = flags.parse(FitSettings, shlex.split(self.common)), FitSettings()
        for name in _CHOSEN_HERE:  # a flag file may hold them, too
            if getattr(common, name) != getattr(default, name):
                raise ValueError(f"--common holds --{name}, which the ablation chooses")

    @property
    def of_all(self) -> Budget:
        """The budget of every method."""
        return Budget(self.budget, self.amount)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run: a method with a seed.

    Attributes:
      method: its name.
      seed: of the run.
      flags: of `trainers.fit`, all but `--run_dir` and `--resume`.
      directory: of the run.
    """

    method: str
    seed: int
    flags: str
    directory: RunDirectory

    @property
    def stamp(self) -> Path:
        """File beside the directory that says with which flags it was begun."""
        return self.directory.path.with_name(f"{self.directory.path.name}.flags")

    @property
    def done(self) -> bool:
        """Whether the run came to its end."""
        return self.directory.result.exists()


def main(settings: AblationSettings) -> int:
    """Makes the runs that are missing and writes what all of them reached; 1 if one failed."""
    try:
        settings.check()
        import_tensorflow()
        chosen = _chosen(settings)
        cells = _cells(settings, chosen)
        _check_stamps(cells)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error
    if settings.plan_only:
        for cell in cells:
            print(f"{'done' if cell.done else 'to do':<6}{cell.directory.path}: {cell.flags}")
        return 0
    failed = _run(settings, cells)
    rows = _rows(settings, cells, failed)
    _report(settings, [name for name, _ in chosen], cells, rows)
    return 1 if failed else 0


def _chosen(settings: AblationSettings) -> list[Method]:
    every = methods(settings.table, settings.ranks.split(","), settings.extras)
    if settings.methods is None:
        return every
    wanted = settings.methods.split(",")
    unknown = sorted(set(wanted) - {name for name, _ in every})
    if unknown:
        raise ValueError(
            f"--methods: table {settings.table} has no {unknown[0]!r}; it has "
            f"{', '.join(name for name, _ in every)}"
        )
    return [method for i, method in enumerate(every) if i == 0 or method[0] in wanted]


def _cells(settings: AblationSettings, chosen: Sequence[Method]) -> list[Cell]:
    """Every run of the plan: seed after seed, so that a stopped plan has whole comparisons."""
    import datasets

    data = [f"--dataset={settings.dataset}"]
    data += [f"--data_path={settings.data_path}"] if settings.data_path else []
    shared = shlex.join([*data, *shlex.split(settings.common)])
    arguments = [f"{shared} {own}" for _, own in chosen]
    of_methods = [flags.parse(FitSettings, shlex.split(text)) for text in arguments]
    first = of_methods[0]
    source = datasets.load(
        first.dataset,
        "train",
        data_path=first.data_path,
        image_size=first.image_size,
        channels=first.channels,
        limit=first.limit,
    )
    configs = [own.model_config(source.image_shape, source.classes) for own in of_methods]
    budgets = budget_flags(settings.of_all, configs)
    folder = settings.of_all.folder
    if settings.budget in ("parameters", "flops"):
        folder += f"_of_{chosen[0][0]}"
    folder += "_extras" if settings.extras else ""
    cells = []
    for seed in range(settings.seeds):
        for (name, _), text, budget in zip(chosen, arguments, budgets, strict=True):
            path = Path(settings.out) / settings.dataset / folder / name / f"seed_{seed}"
            text_of_run = f"{text} {budget} --seed={seed}"
            # As trainers.fit would: told now, and not when it is this run's turn.
            of_run = flags.parse(FitSettings, shlex.split(f"{text_of_run} --run_dir={path}"))
            of_run.check()
            of_run.model_config(source.image_shape, source.classes)
            cells.append(Cell(name, seed, text_of_run, RunDirectory(path)))
    return cells


def _check_stamps(cells: Sequence[Cell]) -> None:
    for cell in cells:
        begun = cell.stamp.read_text(encoding="utf-8").strip() if cell.stamp.exists() else None
        if begun is not None and begun != cell.flags:
            raise ValueError(
                f"{cell.directory.path} was made with other flags: {begun!r}, and now they would "
                f"be {cell.flags!r}. Choose another --out, or remove it"
            )


def _run(settings: AblationSettings, cells: Sequence[Cell]) -> dict[str, str]:
    """Makes the runs that are left; what went wrong, by directory."""
    by_name = {str(cell.directory.path): cell for cell in cells}
    left = [Planned(name, cell.flags) for name, cell in by_name.items() if not cell.done]
    failed: dict[str, str] = {}
    bar = tqdm(total=len(cells), initial=len(cells) - len(left), unit="run", smoothing=0)

    def start(run: Planned, cores: set[int]) -> subprocess.Popen[bytes]:
        cell = by_name[run.name]
        cell.stamp.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(cell.stamp) as aside:
            aside.write_text(cell.flags + "\n", encoding="utf-8")
        bar.set_description(f"{cell.method}, seed {cell.seed}")
        arguments = [*shlex.split(cell.flags), "--resume"]
        return many_runs.start_fit(arguments, cell.directory.path, cores, append=True)

    def ended(run: Planned, code: int, cores: int) -> None:
        del cores  # the run tells them itself
        cell = by_name[run.name]
        if code:
            log = many_runs.log_of(cell.directory.path)
            failed[run.name] = f"exit code {code}, see {log}"
            bar.write(f"{cell.method}, seed {cell.seed}: {failed[run.name]}")
        _rows(settings, cells, failed)  # after each, so that the plan may be stopped at any time
        bar.update()

    with bar:
        many_runs.run_all(left, settings.at_once, start, ended)
    return failed


def _rows(
    settings: AblationSettings, cells: Sequence[Cell], failed: dict[str, str]
) -> list[dict[str, str]]:
    """Writes the csv anew, with the rows of other plans that it has; returns those of this one."""
    path = Path(settings.out) / "results.csv"
    rows = [row for cell in cells if (row := _row(settings, cell, failed))]
    flags_of_rows = {(row["method"], row["seed"], row["flags"]) for row in rows}
    others = [
        row
        for row in many_runs.read_rows(path)
        if (row["method"], row["seed"], row["flags"]) not in flags_of_rows
    ]
    if rows:
        write_csv(path, ablation_report.COLUMNS, [*others, *rows])
    return rows


def _row(settings: AblationSettings, cell: Cell, failed: dict[str, str]) -> dict[str, str] | None:
    row: dict[str, Any] = {
        "dataset": settings.dataset,
        "budget": settings.budget,
        "amount": f"{settings.amount:g}",
        "method": cell.method,
        "seed": cell.seed,
        "flags": cell.flags,
        "failed": failed.get(str(cell.directory.path), ""),
    }
    if cell.done:
        result = json.loads(cell.directory.result.read_text())
        config = json.loads(cell.directory.config.read_text())
        row |= many_runs.figures(cell.directory)
        shape = config["model"]["image_shape"]
        row["nats"] = f"{ablation_report.nats(result['bits_per_dim'], shape):.2f}"
        if "bits_per_dim_truncated" in result:
            row["bits_per_dim_truncated"] = f"{result['bits_per_dim_truncated']:.4f}"
        machine = config["machine"]
        row["machine"] = f"{machine['system']} {machine['architecture']}"
        row["cores"] = machine["cores"]
    elif not row["failed"]:
        return None
    return {name: str(row.get(name, "")) for name in ablation_report.COLUMNS}


def _report(
    settings: AblationSettings,
    names: Sequence[str],
    cells: Sequence[Cell],
    rows: Sequence[dict[str, str]],
) -> None:
    """Tables, learning curves and samples of what is there."""
    lines = ablation_report.lines(rows, names)
    if not lines:
        return
    title = f"Table {settings.table}, {settings.dataset}: {settings.of_all}"
    stem = f"table_{settings.table}_{settings.dataset}_{settings.of_all.folder}"
    stem += "_extras" if settings.extras else ""
    out = Path(settings.out)
    subject = Subject(settings.table, settings.dataset)
    cells_of_table = ablation_report.table(lines, subject)
    notes = ablation_report.footnotes(lines, subject)
    text = ablation_report.markdown(title, cells_of_table, notes)
    for suffix, content in (
        ("md", text),
        ("tex", ablation_report.latex(title, cells_of_table, notes)),
    ):
        with written_aside(out / f"{stem}.{suffix}") as aside:
            aside.write_text(content, encoding="utf-8")
    done = [cell for cell in cells if cell.done]
    _draw_curves(settings, names, done, title, out / f"{stem}_curves.png")
    _draw_samples(settings, names, done, out / f"{stem}_samples.png")
    print(f"\n{text}\n{out / stem}.md, .tex, _curves.png and _samples.png")


def _draw_curves(
    settings: AblationSettings, names: Sequence[str], done: Sequence[Cell], title: str, path: Path
) -> None:
    from trainers.curves import mean_curve, save_curves

    axis = "minutes" if settings.budget == "minutes" else "step"
    curves = {}
    for name in names:
        of_seeds = []
        for cell in done:
            if cell.method == name:
                metrics = many_runs.read_rows(cell.directory.metrics)
                places = [float(row[axis]) for row in metrics]
                of_seeds.append((places, [float(row["val_bits_per_dim"]) for row in metrics]))
        if of_seeds:
            curves[name] = mean_curve(of_seeds)
    save_curves(curves, axis, title, path)


def _draw_samples(
    settings: AblationSettings, names: Sequence[str], done: Sequence[Cell], path: Path
) -> None:
    """A row of samples of each method's first seed; a column shares its label."""
    from bplf_tf import load_model
    from trainers.image_grid import image_grid, save_png

    pictures = []
    for name in names:
        cell = next((cell for cell in done if cell.method == name), None)
        if cell is None:
            continue
        model = load_model(cell.directory.model)
        classes = len(model.config.classes)
        labels = [i % classes for i in range(_SAMPLES)] if classes else None
        images = model.sample(labels, n=_SAMPLES, temperature=settings.temperature, seed=0)
        pictures.append((name, [images]))
    heading = (f"samples, temperature {settings.temperature:g}",)
    save_png(image_grid(pictures, heading), path)


if __name__ == "__main__":
    flags.run(AblationSettings, main)
