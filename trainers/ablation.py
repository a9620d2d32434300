"""Reruns a table of the paper, or a question it leaves open, at a budget of your own.

    python -m trainers.ablation --table=3 --dataset=mnist --budget=minutes --amount=10

Every method of the table is trained with several seeds, each run in a directory of its own. Runs
that came to their end are not made again, and those that were stopped go on, with the same command.
--results gathers a row for each run, and a run that has its row there is done, wherever it was
made. The folder --out then holds, for each table, a file in Markdown and in LaTeX, written anew
after each run, and at the end learning curves and samples of the runs whose directories are there.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import NAMES, flags
from datasets.files import write_csv, write_text
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers import ablation_report, many_runs, resumable_runs
from trainers.ablation_plan import BUDGETS, TABLES, Budget, Method, budget_flags, methods
from trainers.ablation_report import Subject
from trainers.resumable_runs import Cell
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


def main(settings: AblationSettings) -> int:
    """Makes the runs that are missing and writes what all of them reached; 1 if one failed."""
    try:
        settings.check()
        import_tensorflow()
        chosen = _chosen(settings)
        cells = _cells(settings, chosen)
        resumable_runs.check_stamps(cells)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error
    left = [cell for cell in cells if not (cell.done or _told(settings, cell))]
    if settings.plan_only:
        for cell in cells:
            print(f"{'to do' if cell in left else 'done':<6}{cell.directory.path}: {cell.flags}")
        return 0
    names = [name for name, _ in chosen]

    def report(failed: dict[str, str]) -> None:
        # After each, so that the plan may be stopped at any time.
        _report_tables(settings, names, _rows(settings, cells, failed))

    now = left[: settings.most_runs]
    done = len(cells) - len(left)
    failed = resumable_runs.make(now, settings.data_path, settings.at_once, done, report)
    report(failed)
    _draw(settings, names, cells)
    if len(left) > len(now):
        print(f"{len(left) - len(now)} runs are left: the same command makes them")
    return 1 if failed else 0


def _results(settings: AblationSettings) -> Path:
    return Path(settings.results or Path(settings.out) / "results.csv")


def _told(settings: AblationSettings, cell: Cell) -> dict[str, str] | None:
    """The row of a run that came to its end, perhaps elsewhere."""
    for row in many_runs.read_rows(_results(settings)):
        if _key(row) == _key_of(cell) and not row["failed"]:
            return row
    return None


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("method", "seed", "flags"))


def _key_of(cell: Cell) -> tuple[str, ...]:
    return cell.method, str(cell.seed), cell.flags


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

    shared = shlex.join([f"--dataset={settings.dataset}", *shlex.split(settings.common)])
    arguments = [f"{shared} {own}" for _, own in chosen]
    of_methods = [flags.parse(FitSettings, shlex.split(text)) for text in arguments]
    first = of_methods[0]
    source = datasets.load(
        first.dataset,
        "train",
        data_path=settings.data_path,
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


def _rows(
    settings: AblationSettings, cells: Sequence[Cell], failed: dict[str, str]
) -> list[dict[str, str]]:
    """Writes the csv anew, with the rows of other plans that it has; returns those of this one."""
    path = _results(settings)
    before = {_key(row): row for row in many_runs.read_rows(path)}
    rows = []
    for cell in cells:
        if row := _row(settings, cell, failed) or before.get(_key_of(cell)):
            rows.append(row)
    everything = before | {_key(row): row for row in rows}
    if everything != before:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(path, ablation_report.COLUMNS, list(everything.values()))
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


def _stem(settings: AblationSettings) -> Path:
    stem = f"table_{settings.table}_{settings.dataset}_{settings.of_all.folder}"
    return Path(settings.out) / (stem + ("_extras" if settings.extras else ""))


def _title(settings: AblationSettings) -> str:
    return f"Table {settings.table}, {settings.dataset}: {settings.of_all}"


def _report_tables(
    settings: AblationSettings, names: Sequence[str], rows: Sequence[dict[str, str]]
) -> None:
    """The table of what is there, as Markdown and as LaTeX."""
    lines = ablation_report.lines(rows, names)
    if not lines:
        return
    title, stem = _title(settings), _stem(settings)
    subject = Subject(settings.table, settings.dataset)
    cells_of_table = ablation_report.table(lines, subject)
    notes = ablation_report.footnotes(lines, subject)
    stem.parent.mkdir(parents=True, exist_ok=True)
    for suffix, write in ((".md", ablation_report.markdown), (".tex", ablation_report.latex)):
        write_text(stem.with_name(stem.name + suffix), write(title, cells_of_table, notes))


def _draw(settings: AblationSettings, names: Sequence[str], cells: Sequence[Cell]) -> None:
    """Learning curves and samples of the runs whose directories are there; prints the table."""
    stem = _stem(settings)
    text = stem.with_name(f"{stem.name}.md")
    if not text.exists():
        return
    print(f"\n{text.read_text(encoding='utf-8')}\n{stem}.md and .tex")
    done = [cell for cell in cells if cell.done]
    if done:
        curves, samples = (stem.with_name(f"{stem.name}_{s}.png") for s in ("curves", "samples"))
        _draw_curves(settings, names, done, _title(settings), curves)
        _draw_samples(settings, names, done, samples)
        print(f"{curves}\n{samples}")


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
