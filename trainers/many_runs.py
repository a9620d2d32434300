"""Training runs as processes of their own, several at a time, each on its share of the cores."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.cores import cores
from trainers.child_processes import InUseError, ended_with_the_block, open_alone
from trainers.run_directory import RunDirectory
from trainers.training_figure import training_bits_per_dim


@dataclasses.dataclass(frozen=True)
class Planned:
    """A run to make.

    Attributes:
      name: of the run.
      flags: of `trainers.fit` in which it differs from the others.
    """

    name: str
    flags: str


def run_all(
    plan: Sequence[Planned],
    at_once: int,
    start: Callable[[Planned, set[int]], subprocess.Popen[bytes]],
    ended: Callable[[Planned, int, int], None],
    waiting: Callable[[], None] = lambda: None,
) -> list[Planned]:
    """Makes all runs; one that fails does not keep the others from running.

    Where this process is told to end, or fails, those that run are stopped; they save a checkpoint.

    Args:
      plan: the runs, in their order.
      at_once: how many at the same time.
      start: starts a run on some cores; it does not wait for its end.
      ended: called with the run, its exit code and how many cores it had.
      waiting: called about twice a second as long as runs are at work.

    Returns:
      The runs that were left out, because another process was making them.
    """
    shares = _shares(at_once)
    left, left_out = list(plan), list[Planned]()
    running: dict[int, tuple[Planned, subprocess.Popen[bytes]]] = {}

    def processes() -> list[subprocess.Popen[bytes]]:
        return [process for _, process in running.values()]

    with ended_with_the_block(processes) as check_signals:
        while left or running:
            check_signals()
            for place in range(at_once):
                while left and place not in running:
                    run = left.pop(0)
                    try:
                        running[place] = run, start(run, shares[place])
                    except InUseError:
                        left_out.append(run)
            if running:
                time.sleep(0.5)
                waiting()
            for place, (run, process) in list(running.items()):
                if process.poll() is not None:
                    del running[place]
                    ended(run, process.returncode, len(shares[place]))
    return left_out


def start_fit(
    arguments: Sequence[str], directory: Path, of_cores: set[int], append: bool = False
) -> subprocess.Popen[bytes]:
    """Starts `trainers.fit` on some cores; what it prints goes to a file beside its directory.

    As long as it runs, it has this file alone, so that no second one is started for the directory.

    Args:
      arguments: its flags, all but `--run_dir`.
      directory: of the run.
      of_cores: numbers of the cores.
      append: keep what an earlier process of this run printed.

    Raises:
      InUseError: a run that was started like this is at work in the directory.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "trainers.fit", *arguments, f"--run_dir={directory}"]
    return start_alone(command, log_of(directory), of_cores, append)


def start_alone(
    command: Sequence[str], log: Path, of_cores: set[int], append: bool
) -> subprocess.Popen[bytes]:
    """Starts a command on some cores, in a session of its own, that writes to a log alone."""
    with open_alone(log, keep=append) as file, _on_cores(of_cores):
        return subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def log_of(directory: Path) -> Path:
    """Where `start_fit` keeps what a run printed."""
    return directory.with_name(f"{directory.name}.log")


def figures(directory: RunDirectory) -> dict[str, Any]:
    """What a run that came to its end reached, as texts and numbers of a table's row.

    `train_bits_per_dim` is over the last epoch's worth of steps: see `trainers.training_figure`.
    """
    result = json.loads(directory.result.read_text())
    config = json.loads(directory.config.read_text())
    rows = read_rows(directory.metrics)
    git = config.get("git") or {}
    return {
        "bits_per_dim": f"{result['bits_per_dim']:.4f}",
        "train_bits_per_dim": f"{training_bits_per_dim(rows):.4f}",
        "steps": result["steps"],
        "minutes": f"{result['minutes']:.1f}",
        "rollbacks": result.get("rollbacks", 0),
        # Runs of two steps have none: in those the graph is traced.
        "images_per_second": f"{float(rows[-1].get('images_per_second') or 0):.0f}",
        "parameters": config["parameters"],
        "seed": config["settings"]["seed"],
        "commit": (git.get("commit") or "")[:12],
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a csv; none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_at_once(at_once: int) -> None:
    """Raises `ValueError` unless so many runs can share this machine's cores."""
    if not 1 <= at_once <= cores():
        raise ValueError(f"--at_once must lie in 1..{cores()}, got {at_once}")


def _shares(at_once: int) -> list[set[int]]:
    if not hasattr(os, "sched_getaffinity"):  # not Linux: the system deals the cores out
        return [set(range(cores() // at_once)) for _ in range(at_once)]
    numbers = sorted(os.sched_getaffinity(0))
    # As many each: where there is a rest, nobody has it, or the runs would not be alike.
    return [set(numbers[place::at_once][: len(numbers) // at_once]) for place in range(at_once)]


@contextlib.contextmanager
def _on_cores(of_cores: set[int]) -> Iterator[None]:
    """Processes that start meanwhile inherit these cores, where the system knows of such."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, of_cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
