"""Reruns a table of the paper, or a question it leaves open, at a budget of your own.

    python -m trainers.ablation --table=3 --dataset=mnist --budget=minutes --amount=10

Every method of the table is trained with several seeds, each run in a directory of its own. Runs
that came to their end are not made again, and those that were stopped go on, with the same command.
--results gathers a row for each run, and a run that has its row there is done, wherever it was
made. The folder --out then holds, for each table, a file in Markdown and in LaTeX, written anew
after each run, and at the end learning curves, and samples of the models that are there.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import NAMES, flags
from datasets.files import write_text
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers import ablation_report, ablation_rows, many_runs, resumable_runs
from trainers.ablation_lines import absent, by_method, lines
from trainers.ablation_plan import BUDGETS, TABLES, Budget, Method, fitted, methods
from trainers.ablation_report import Subject
from trainers.ablation_rows import Row, key_of
from trainers.resumable_runs import Cell
from trainers.run_directory import RunDirectory
from trainers.settings import FitSettings, choice

_SAMPLES = 8  # of each method without labels
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
    out: str = setting("runs/ablation", "Folder for runs, tables and pictures.")
    results: str | None = setting(
        None,
        "The csv with a row for each run of any plan; results.csv in --out if unset. Runs that it "
        "has are not made again.",
    )
    most_runs: int | None = setting(
        None, "Make at most so many of the runs that are left, then report; the rest another time."
    )
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
        if self.most_runs is not None and self.most_runs < 0:
            raise ValueError(f"--most_runs must not be negative, got {self.most_runs}")
        if self.results and Path(self.results).suffix != ".csv":
            raise ValueError(f"--results must end in .csv, got {self.results!r}")
        if self.results and not Path(self.results).parent.is_dir():
            raise FileNotFoundError(
                f"--results={self.results}: there is no folder {Path(self.results).parent}"
            )
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
class Plan:
    """What a table takes.

    Attributes:
      methods: their names, the one that others are compared with first.
      cells: the runs, seed after seed, so that a stopped plan has whole comparisons.
      unfit: why a method is left out.
    """

    methods: list[str]
    cells: list[Cell]
    unfit: dict[str, str]


def main(settings: AblationSettings) -> int:
    """Makes the runs that are missing and writes what all of them reached; 1 if one failed."""
    try:
        settings.check()
        import_tensorflow()
        plan = make_plan(settings)
        resumable_runs.check_stamps(plan.cells)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error
    for name, why in plan.unfit.items():
        print(f"{name} is left out: {why}", flush=True)
    told = ablation_rows.read(_results(settings))
    done = {key for key, row in told.items() if not row["failed"]}
    left = [cell for cell in plan.cells if not (cell.done or key_of(cell) in done)]
    if settings.plan_only:
        for cell in plan.cells:
            print(f"{'to do' if cell in left else 'done':<6}{cell.directory.path}: {cell.flags}")
        return 0

    def report(failed: dict[str, str]) -> list[Row]:
        # After each, so that the plan may be stopped at any time.
        rows = _rows(settings, plan.cells, failed)
        _write_tables(settings, plan, rows)
        return rows

    now = left[: settings.most_runs]
    later = len(left) - len(now)
    if now and settings.budget == "minutes":
        hours = len(now) / settings.at_once * settings.amount / 60
        print(f"{len(now)} runs: {hours:.1f} hours of training, start and evaluation on top")
    failed = resumable_runs.make(
        now, settings.data_path, settings.at_once, len(plan.cells) - len(left), later, report
    )
    _show(settings, plan, report(failed))
    if later:
        print(f"{later} runs are left: the same command makes them")
    return 1 if failed else 0


def _results(settings: AblationSettings) -> Path:
    return Path(settings.results or Path(settings.out) / "results.csv")


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


def make_plan(settings: AblationSettings) -> Plan:
    """Every run of a table, checked.

    Raises:
      ValueError: for a method that the table does not have, or flags that do not fit together.
      OSError: the data set is not there.
    """
    import datasets

    chosen = _chosen(settings)
    shared = shlex.join([f"--dataset={settings.dataset}", *shlex.split(settings.common)])
    first = flags.parse(FitSettings, shlex.split(f"{shared} {chosen[0][1]}"))
    source = datasets.load(
        first.dataset,
        "train",
        data_path=settings.data_path,
        image_size=first.image_size,
        channels=first.channels,
        limit=first.limit,
    )
    of_methods = {name: f"{shared} {own}" for name, own in chosen}
    fitting = fitted(of_methods, settings.of_all, source.image_shape, source.classes)
    folder = settings.of_all.folder
    if settings.budget in ("parameters", "flops"):
        folder += f"_of_{chosen[0][0]}"
    folder += "_extras" if settings.extras else ""
    cells = []
    for seed in range(settings.seeds):
        for name, text in fitting.flags.items():
            path = Path(settings.out) / settings.dataset / folder / name / f"seed_{seed}"
            of_run = f"{text} --seed={seed}"
            # As trainers.fit would: told now, and not when it is this run's turn.
            flags.parse(FitSettings, shlex.split(f"{of_run} --run_dir={path}")).check()
            cells.append(Cell(name, seed, of_run, RunDirectory(path)))
    return Plan([name for name, _ in chosen], cells, fitting.unfit)


def _rows(settings: AblationSettings, cells: Sequence[Cell], failed: dict[str, str]) -> list[Row]:
    """Writes the csv anew, with the rows of other plans that it has; returns those of this one."""
    path = _results(settings)
    before = ablation_rows.read(path)
    rows = []
    for cell in cells:
        if row := _row(settings, cell, failed) or before.get(key_of(cell)):
            rows.append(row)
    everything = before | {ablation_rows.key(row): row for row in rows}
    if everything != before:
        ablation_rows.write(path, everything.values())
    return rows


def _row(settings: AblationSettings, cell: Cell, failed: dict[str, str]) -> Row | None:
    why = failed.get(str(cell.directory.path), "")
    if not (cell.done or why):
        return None
    row = ablation_rows.of_run(cell) if cell.done else ablation_rows.of_failed(cell, why)
    budget = settings.of_all
    return row | {"dataset": settings.dataset, "budget": budget.kind, "amount": budget.number}


def _stem(settings: AblationSettings) -> Path:
    stem = f"table_{settings.table}_{settings.dataset}_{settings.of_all.folder}"
    return Path(settings.out) / (stem + ("_extras" if settings.extras else ""))


def _title(settings: AblationSettings) -> str:
    return f"Table {settings.table}, {settings.dataset}: {settings.of_all}"


def _write_tables(settings: AblationSettings, plan: Plan, rows: Sequence[Row]) -> None:
    """The tables of what is there, as Markdown and as LaTeX."""
    if not rows:
        return
    subject = Subject(settings.table, settings.dataset)
    of, missing = lines(rows, plan.methods), absent(rows, plan.methods, plan.unfit)
    answers = ablation_report.contrast_table(rows, plan.methods)
    in_order = ablation_report.order_table(rows, plan.methods, subject)
    tables = [ablation_report.table(of, subject, missing), answers, in_order]
    notes = ablation_report.footnotes(of, subject, answers, in_order)
    title, stem = _title(settings), _stem(settings)
    stem.parent.mkdir(parents=True, exist_ok=True)
    for suffix, write in ((".md", ablation_report.markdown), (".tex", ablation_report.latex)):
        write_text(stem.with_name(stem.name + suffix), write(title, tables, notes))


def _show(settings: AblationSettings, plan: Plan, rows: Sequence[Row]) -> None:
    """Prints the tables, and draws learning curves, and samples of the models that are there."""
    stem = _stem(settings)
    text = stem.with_name(f"{stem.name}.md")
    if not rows:
        return
    print(f"\n{text.read_text(encoding='utf-8')}\n{stem}.md and .tex")
    curves, samples = (stem.with_name(f"{stem.name}_{s}.png") for s in ("curves", "samples"))
    if _draw_curves(settings, plan, rows, curves):
        print(curves)
    if any(cell.done for cell in plan.cells):
        _draw_samples(settings, plan, samples)
        print(samples)


def _draw_curves(settings: AblationSettings, plan: Plan, rows: Sequence[Row], path: Path) -> bool:
    """Draws the mean of the seeds of each method; whether there is one."""
    from trainers.curves import mean_curve, save_curves

    by_minutes = settings.budget == "minutes"
    curves = {}
    for name, runs in by_method(rows, plan.methods).items():
        of_seeds = []
        for row in runs.values():
            if points := ablation_rows.curve(row):
                places = [point.minutes if by_minutes else float(point.step) for point in points]
                of_seeds.append((places, [point.bits_per_dim for point in points]))
        if of_seeds:
            curves[name] = mean_curve(of_seeds)
    if curves:
        axis = "minutes" if by_minutes else "step"
        save_curves(curves, axis, _title(settings), path)
    return bool(curves)


def _draw_samples(settings: AblationSettings, plan: Plan, path: Path) -> None:
    """A row of samples of each method's first seed, one of each label, or some without labels."""
    from bplf_tf import load_model
    from trainers.image_grid import image_grid, save_png

    pictures: list[tuple[str, list[Any]]] = []
    headings: Sequence[str] = ()
    for name in plan.methods:
        cell = next((cell for cell in plan.cells if cell.done and cell.method == name), None)
        if cell is None:
            continue
        model = load_model(cell.directory.model)
        headings = model.config.classes or ("without labels",)
        labels = [*range(len(headings))] if model.config.classes else None
        count = len(headings) if labels else _SAMPLES
        images = model.sample(labels, n=count, temperature=settings.temperature, seed=0)
        blocks = [images[i : i + 1] for i in range(count)] if labels else [images]
        pictures.append((f"{name}, temperature {settings.temperature:g}", blocks))
    save_png(image_grid(pictures, headings), path)


if __name__ == "__main__":
    flags.run(AblationSettings, main)
