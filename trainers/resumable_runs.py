"""Planned runs of `trainers.fit`, one directory each: done ones are skipped, stopped ones go on."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from collections.abc import Callable, Sequence

from tqdm import tqdm

from trainers import many_runs
from trainers.child_processes import InUseError
from trainers.many_runs import Planned
from trainers.nonfinite import NONFINITE
from trainers.run_directory import RunDirectory
from trainers.run_notes import RunNotes, check_same_flags

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
    def notes(self) -> RunNotes:
        """What lies beside the directory."""
        return RunNotes(self.directory)

    @property
    def done(self) -> bool:
        """Whether the run came to its end."""
        return self.directory.result.exists()


def check_stamps(cells: Sequence[Cell]) -> None:
    """Raises `ValueError` for a run that was begun with other flags."""
    for cell in cells:
        begun = cell.notes.begun_with()
        if begun is not None:
            remedy = "Choose another --out, or remove it"
            check_same_flags(str(cell.directory.path), begun, cell.flags, remedy)


def start_noted(
    notes: RunNotes,
    of_run: str,
    more: Sequence[str],
    cores: set[int],
    at_once: int,
    resume: bool,
) -> subprocess.Popen[bytes]:
    """Starts a run and notes with which flags, and on what; as `many_runs.start_fit`.

    Args:
      notes: of the run.
      of_run: flags of `trainers.fit` that make it the run that it is.
      more: other flags.
      cores: numbers of its cores.
      at_once: runs at the same time.
      resume: go on from its last checkpoint, if it has one; else it replaces what is there.
    """
    # Those that are not meant, too: a flag file may hold them.
    how = ("--resume", "--nooverwrite") if resume else ("--overwrite", "--noresume")
    arguments = [*shlex.split(of_run), *how, *more]
    process = many_runs.start_fit(arguments, notes.directory.path, cores, append=resume)
    try:
        # Not before: until then another process may be making the run.
        notes.note_flags(of_run)
        notes.note_machine(len(cores), at_once, anew=not resume)
    except BaseException:  # nobody knows of the process yet
        process.terminate()
        raise
    return process


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
        place = [f"--data_path={data_path}"] if data_path else []
        process = start_noted(cell.notes, cell.flags, place, cores, at_once, resume=True)
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

    def waiting() -> None:
        # A run takes minutes: without this, the bar's clock would stand still. Not into a log.
        if bar.fp.isatty():
            bar.refresh()

    with bar:
        for run in many_runs.run_all(left, at_once, start, ended, waiting):
            cell = by_name[run.name]
            bar.write(f"{cell.method}, seed {cell.seed}: another process makes it")
    return failed
