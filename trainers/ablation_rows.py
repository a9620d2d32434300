"""The csv of an ablation: a row for each run, with all that its tables and curves need."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from datasets.files import write_csv
from trainers import many_runs
from trainers.paper_tables import log_likelihood
from trainers.resumable_runs import Cell
from trainers.run_notes import THEN, machine_columns

COLUMNS = (
    "dataset", "budget", "amount", "method", "seed", "bits_per_dim", "bits_per_dim_truncated",
    "nats", "train_bits_per_dim", "steps", "minutes", "images_per_second", "parameters",
    "svd_rank", "rollbacks", "cores", "at_once", "machine", "commit", "flags", "curve", "failed",
)  # fmt: skip
"""`nats` is the log-likelihood of images scaled to [-1, 1]; `svd_rank` is of the last training
images, where they are truncated; `cores`, `at_once` (runs at the same time) and `machine` name all
that the run was made on; `curve` is of held-out images, a `step:minutes:bits_per_dim` for each
epoch."""

_MADE_ON = ("cores", "at_once", "machine")

Row = dict[str, str]
Key = tuple[str, ...]


class Point(NamedTuple):
    """Of a learning curve: bits/dim of untouched held-out images after so many steps, minutes."""

    step: int
    minutes: float
    bits_per_dim: float


def key(row: Row) -> Key:
    """What makes a run the run that it is."""
    return row["method"], row["seed"], row["flags"]


def key_of(cell: Cell) -> Key:
    """The same, of a run that may not have been made."""
    return cell.method, str(cell.seed), cell.flags


def read(path: Path) -> dict[Key, Row]:
    """The rows of a csv, also of one from before a column came to be; none if there is no file."""
    rows = ({**dict.fromkeys(COLUMNS, ""), **row} for row in many_runs.read_rows(path))
    return {key(row): row for row in rows}


def write(path: Path, rows: Iterable[Row]) -> None:
    """Writes the csv, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, COLUMNS, list(rows))


def nats(bits_per_dim: float, image_shape: Iterable[int]) -> float:
    """The paper's log-likelihood of table 4, by its equation 4-1."""
    height, width, channels = image_shape
    return log_likelihood(bits_per_dim, height * width * channels)


def of_run(cell: Cell) -> Row:
    """A row without data set and budget, of a run that came to its end."""
    result = json.loads(cell.directory.result.read_text())
    config = json.loads(cell.directory.config.read_text())
    row: dict[str, Any] = many_runs.figures(cell.directory)
    row |= {"method": cell.method, "seed": cell.seed, "flags": cell.flags}
    row["nats"] = f"{nats(result['bits_per_dim'], config['model']['image_shape']):.2f}"
    if "bits_per_dim_truncated" in result:
        row["bits_per_dim_truncated"] = f"{result['bits_per_dim_truncated']:.4f}"
    row["svd_rank"] = result.get("svd_rank", "")
    row |= machine_columns(cell.notes.machines())
    row["curve"] = " ".join(
        f"{epoch['step']}:{float(epoch['minutes']):.3f}:{float(epoch['val_bits_per_dim']):.5f}"
        for epoch in many_runs.read_rows(cell.directory.metrics)
    )
    return {name: str(row.get(name, "")) for name in COLUMNS}


def of_failed(cell: Cell, why: str) -> Row:
    """The same, of a run that did not."""
    row = {"method": cell.method, "seed": str(cell.seed), "flags": cell.flags, "failed": why}
    return {name: row.get(name, "") for name in COLUMNS}


def alike(row: Row, other: Row) -> bool:
    """Whether both were made on one machine, cores and runs beside them, from start to end."""
    same = all(row.get(name, "") == other.get(name, "") for name in _MADE_ON)
    return same and not any(THEN in row.get(name, "") for name in _MADE_ON)


def curve(row: Row) -> list[Point]:
    """The learning curve of a run; empty where the csv is from before it had one."""
    points = (point.split(":") for point in row.get("curve", "").split())
    return [Point(int(step), float(minutes), float(bits)) for step, minutes, bits in points]
