"""Planned runs of `trainers.fit`, one directory each: done ones are skipped, stopped ones go on."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from datasets.files import write_text
from trainers import environment, many_runs
from trainers.child_processes import InUseError
from trainers.many_runs import Planned
from trainers.nonfinite import NONFINITE
from trainers.run_directory import RunDirectory

_WHY = {NONFINITE: "a loss was not finite, "}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run: a method with a seed.

    Attributes:
      method: its name.
      seed: of the run.
      flags: of `trainers.fit`, all but `--data_path`, `--run_dir` and `--resume`: what makes it the
        run that it is, wherever its data lies.
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
    def _machines(self) -> Path:
        return self.directory.path.with_name(f"{self.directory.path.name}.machines")

    def note_machine(self, cores: int, at_once: int) -> None:
        """Notes on what, on how many cores and beside how many others the run starts or goes on.

        A run knows but the last machine; and where the system cannot deal cores out, not its share.
        """
        line = json.dumps({**environment.machine(), "cores": cores, "at_once": at_once})
        # Where there is no directory, what was noted is of a run that was removed.
        before = self._machines.read_text(encoding="utf-8") if self._noted else ""
        write_text(self._machines, f"{before}{line}\n")

    @property
    def _noted(self) -> bool:
        return self.directory.path.exists() and self._machines.exists()

    def machines(self) -> list[dict[str, Any]]:
        """What the run was made on, as noted, one after the other; else what it knows itself."""
        if self._noted:
            lines = self._machines.read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines]
        return [json.loads(self.directory.config.read_text())["machine"]]

    @property
    def done(self) -> bool:
        """Whether the run came to its end."""
        return self.directory.result.exists()


def check_stamps(cells: Sequence[Cell]) -> None:
    """Raises `ValueError` for a run that was begun with other flags."""
    for cell in cells:
        begun = cell.stamp.read_text(encoding="utf-8").strip() if cell.stamp.exists() else None
        if begun is not None and begun != cell.flags:
            raise ValueError(
                f"{cell.directory.path} was made with other flags: {begun!r}, and now they would "
                f"be {cell.flags!r}. Choose another --out, or remove it"
            )


def make(
    cells: Sequence[Cell],
    data_path: str | None,
    at_once: int,
    done_before: int = 0,
    for_later: int = 0,
    after_each: Callable[[dict[str, str]], object] = lambda failed: None,
) -> dict[str, str]:
    """Makes the runs that are not done; a progress bar tells how many are left of the whole plan.

    A run that another process is making, or has made meanwhile, is left to it, and told.

    Args:
      cells: the runs, in their order.
      data_path: of `trainers.fit`, if it needs one.
      at_once: how many at the same time.
      done_before: runs of the same plan that are done and not among the cells, for the bar.
      for_later: runs of the same plan that are left for another time, for the bar.
      after_each: called with what went wrong so far.

    Returns:
      What went wrong, by the path of the run's directory.
    """
    by_name = {str(cell.directory.path): cell for cell in cells}
    left = [Planned(name, cell.flags) for name, cell in by_name.items() if not cell.done]
    failed: dict[str, str] = {}
    done = done_before + len(cells) - len(left)
    bar = tqdm(total=done + len(left) + for_later, initial=done, unit="run", smoothing=0)

    def start(run: Planned, cores: set[int]) -> subprocess.Popen[bytes]:
        cell = by_name[run.name]
        if cell.done:
            raise InUseError("another process has made it meanwhile")
        arguments = [*shlex.split(cell.flags), "--resume"]
        arguments += [f"--data_path={data_path}"] if data_path else []
        cell.stamp.parent.mkdir(parents=True, exist_ok=True)
        write_text(cell.stamp, cell.flags + "\n")
        process = many_runs.start_fit(arguments, cell.directory.path, cores, append=True)
        try:
            cell.note_machine(len(cores), at_once)
        except BaseException:  # nobody knows of the process yet
            process.terminate()
            raise
        bar.set_description(f"{cell.method}, seed {cell.seed}")
        return process

    def ended(run: Planned, code: int, cores: int) -> None:
        del cores  # noted at the start
        cell = by_name[run.name]
        if code:
            log = many_runs.log_of(cell.directory.path)
            why = f"exit code {code}, {_WHY.get(code, '')}see "
            bar.write(f"{cell.method}, seed {cell.seed}: {why}{log}")
            # For tables, which others read elsewhere.
            failed[run.name] = f"{why}{log.parent.name}/{log.name}"
        after_each(failed)
        bar.update()

    with bar:
        for run in many_runs.run_all(left, at_once, start, ended):
            cell = by_name[run.name]
            bar.write(f"{cell.method}, seed {cell.seed}: another process makes it")
    return failed
