"""Trains every run of a plan, keeps one csv of what each of them reached, and prints it as a table.

    python -m trainers.sweep --plan=plan.txt --out=runs.csv --common="--max_minutes=5"

A line of the plan is a name and the flags of `trainers.fit` in which the run differs:

    baseline:
    narrow: --width=64,64,64
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import flags
from datasets.cores import cores
from datasets.files import write_csv
from datasets.flags import setting
from trainers.run_directory import RunDirectory

_COLUMNS = (
    "name", "flags", "common", "bits_per_dim", "train_bits_per_dim", "steps", "minutes",
    "images_per_second", "parameters", "seed", "cores", "commit", "failed",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """What to run. Each field is a flag of the same name."""

    plan: str | None = setting(None, "Text file with a run in each line: name, colon, flags.")
    common: str = setting("", "Flags of trainers.fit that all runs share.")
    out: str | None = setting(None, "The csv; runs that it holds already are not run again.")
    runs: str = setting("runs/sweep", "Folder for the run directories.")
    at_once: int = setting(1, "Runs at the same time, each on its share of this machine's cores.")

    def check(self) -> None:
        """Raises `ValueError` naming the flag."""
        for name in ("plan", "out"):
            if not getattr(self, name):
                raise ValueError(f"--{name} is required")
        if not 1 <= self.at_once <= cores():
            raise ValueError(f"--at_once must lie in 1..{cores()}, got {self.at_once}")


@dataclasses.dataclass(frozen=True)
class Planned:
    """A line of the plan: the run's name and its own flags."""

    name: str
    flags: str


def read_plan(path: Path) -> list[Planned]:
    """The runs of a plan; empty lines and comments (#) are left out.

    Raises:
      ValueError: for a line without a colon, a flag that no run may choose, or a name that occurs
        twice; says the line.
    """
    planned: list[Planned] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        name, colon, own = (part.strip() for part in text.partition(":"))
        if not colon or not name or not name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"{path}, line {number}: expected 'name: flags', got {line!r}")
        if "--run_dir" in own:
            raise ValueError(f"{path}, line {number}: --run_dir is chosen by the sweep")
        if any(run.name == name for run in planned):
            raise ValueError(f"{path}, line {number}: {name!r} is there twice")
        planned.append(Planned(name, own))
    if not planned:
        raise ValueError(f"{path} holds no run")
    return planned


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of the csv; none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main(settings: SweepSettings) -> int:
    """Runs what is left of the plan; returns 1 if a run failed."""
    try:
        settings.check()
        plan = read_plan(Path(settings.plan or ""))
        out = Path(settings.out or "")
        rows = read_rows(out)
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error
    done = {row["name"] for row in rows if not row["failed"]}
    left = [run for run in plan if run.name not in done]
    print(f"{len(plan)} runs, {len(plan) - len(left)} of them done", flush=True)
    shares = _shares(settings.at_once)
    running: dict[int, tuple[Planned, subprocess.Popen[bytes]]] = {}
    failed = 0
    while left or running:
        for place in range(settings.at_once):
            if left and place not in running:
                run = left.pop(0)
                running[place] = run, _start(run, settings, shares[place])
                print(f"{run.name}: {run.flags or 'as the common flags say'}", flush=True)
        time.sleep(0.5)
        for place, (run, process) in list(running.items()):
            if process.poll() is None:
                continue
            del running[place]
            row = _row(run, settings, process.returncode, len(shares[place]))
            failed += bool(row["failed"])
            rows = [*(r for r in rows if r["name"] != run.name), row]
            write_csv(out, _COLUMNS, rows)  # after each, so that a sweep may be stopped at any time
            print(f"{run.name}: {row['failed'] or row['bits_per_dim'] + ' bits/dim'}", flush=True)
    print(markdown(rows))
    return 1 if failed else 0


def markdown(rows: list[dict[str, str]]) -> str:
    """The runs that ended well as a Markdown table, the best first."""
    lines = [
        "| run | its flags | bits/dim | in training | steps | minutes | images/s | parameters |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    ended = [row for row in rows if not row["failed"]]
    for row in sorted(ended, key=lambda row: float(row["bits_per_dim"])):
        own = f"`{row['flags']}`" if row["flags"] else ""
        cells = [row["name"], own, row["bits_per_dim"], row["train_bits_per_dim"], row["steps"]]
        cells += [row["minutes"], row["images_per_second"], f"{int(row['parameters']):,}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shares(at_once: int) -> list[set[int]]:
    if not hasattr(os, "sched_getaffinity"):  # not Linux: the system deals the cores out
        return [set(range(cores() // at_once)) for _ in range(at_once)]
    numbers = sorted(os.sched_getaffinity(0))
    return [set(numbers[place::at_once]) for place in range(at_once)]


def _start(run: Planned, settings: SweepSettings, cores: set[int]) -> subprocess.Popen[bytes]:
    directory = Path(settings.runs) / run.name
    directory.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "trainers.fit", *shlex.split(settings.common)]
    command += [*shlex.split(run.flags), f"--run_dir={directory}", "--overwrite"]
    log = directory.with_suffix(".log").open("wb")
    with log, _on_cores(cores):
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def _on_cores(cores: set[int]) -> Iterator[None]:
    """Processes that start meanwhile inherit these cores, where the system knows of such."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def _row(run: Planned, settings: SweepSettings, code: int, cores: int) -> dict[str, str]:
    directory = RunDirectory(Path(settings.runs) / run.name)
    row: dict[str, Any] = {"name": run.name, "flags": run.flags, "common": settings.common}
    if code:
        return _texts({**row, "failed": f"exit code {code}, see {directory.path}.log"})
    result = json.loads(directory.result.read_text())
    config = json.loads(directory.config.read_text())
    last = read_rows(directory.metrics)[-1]
    git = config.get("git") or {}
    row |= {
        "bits_per_dim": f"{result['bits_per_dim']:.4f}",
        "train_bits_per_dim": f"{float(last['bits_per_dim']):.4f}",
        "steps": result["steps"],
        "minutes": f"{result['minutes']:.1f}",
        # Runs of two steps have none: in those the graph is traced.
        "images_per_second": f"{float(last.get('images_per_second') or 0):.0f}",
        "parameters": config["parameters"],
        "seed": config["settings"]["seed"],
        "cores": cores,
        "commit": (git.get("commit") or "")[:12],
    }
    return _texts(row)


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(row.get(name, "")) for name in _COLUMNS}


if __name__ == "__main__":
    flags.run(SweepSettings, main)
