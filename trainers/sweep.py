"""Trains every run of a plan, keeps one csv of what each of them reached, and prints it as a table.

    python -m trainers.sweep --plan=plan.txt --out=runs.csv --common="--max_minutes=5"

A line of the plan is a name and the flags of `trainers.fit` in which the run differs:

    baseline:
    narrow: --width=64,64,64

Runs that the csv holds are not made again; one that was made with other flags, its own or common
ones, is an error, so that a csv never tells of another plan. Runs that were stopped go on.
"""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import flags
from datasets.files import write_csv
from datasets.flags import setting
from trainers import many_runs
from trainers.checkpoints import Checkpoints
from trainers.many_runs import Planned, read_rows
from trainers.resumable_runs import start_noted
from trainers.run_directory import RunDirectory
from trainers.run_notes import RunNotes, check_same_flags, machine_columns

_COLUMNS = (
    "name", "flags", "common", "bits_per_dim", "train_bits_per_dim", "steps", "minutes",
    "images_per_second", "parameters", "seed", "cores", "machine", "commit", "failed",
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
        many_runs.check_at_once(self.at_once)


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


def main(settings: SweepSettings) -> int:
    """Runs what is left of the plan; returns 1 if a run failed."""
    try:
        settings.check()
        plan = read_plan(Path(settings.plan or ""))
        out = Path(settings.out or "")
        rows = read_rows(out)
        done = {row["name"]: row for row in rows if not row["failed"]}
        _check_rows(settings, plan, done)
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error
    left = [run for run in plan if run.name not in done]
    print(f"{len(plan)} runs, {len(plan) - len(left)} of them done", flush=True)

    def start(run: Planned, cores: set[int]) -> subprocess.Popen[bytes]:
        print(f"{run.name}: {run.flags or 'as the common flags say'}", flush=True)
        return _start(run, settings, cores)

    def ended(run: Planned, code: int, cores: int) -> None:
        nonlocal rows
        del cores  # noted at the start
        row = _row(run, settings, code)
        rows = [*(r for r in rows if r["name"] != run.name), row]
        write_csv(out, _COLUMNS, rows)  # after each, so that a sweep may be stopped at any time
        print(f"{run.name}: {row['failed'] or row['bits_per_dim'] + ' bits/dim'}", flush=True)

    for run in many_runs.run_all(left, settings.at_once, start, ended):
        print(f"{run.name}: another process makes it")
    _print_table(settings, plan, rows)
    names = {run.name for run in left}
    return 1 if any(row["failed"] for row in rows if row["name"] in names) else 0


def _flags(settings: SweepSettings, run: Planned) -> str:
    """All flags of a run, the common ones first."""
    return f"{settings.common} {run.flags}".strip()


def _check_rows(
    settings: SweepSettings, plan: Sequence[Planned], done: Mapping[str, dict[str, str]]
) -> None:
    """Raises `ValueError` where a row has the name of a run with other flags."""
    for run in plan:
        if row := done.get(run.name):
            before = f"{row['common']} {row['flags']}".strip()
            remedy = "Give the run another name, or choose another --out and --runs"
            what = f"the run {run.name!r} of {settings.out}"
            check_same_flags(what, before, _flags(settings, run), remedy)


def _print_table(
    settings: SweepSettings, plan: Sequence[Planned], rows: Sequence[dict[str, str]]
) -> None:
    """Prints the runs of the plan, and others of the csv as far as they have its common flags."""
    names, common = {run.name for run in plan}, shlex.split(settings.common)
    shown = [r for r in rows if r["name"] in names or shlex.split(r["common"]) == common]
    print(markdown(shown))
    if others := len(rows) - len(shown):
        print(f"{others} runs of {settings.out} have another --common and are left out")


def markdown(rows: Sequence[dict[str, str]]) -> str:
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


def _start(run: Planned, settings: SweepSettings, cores: set[int]) -> subprocess.Popen[bytes]:
    directory, of_run = RunDirectory(Path(settings.runs) / run.name), _flags(settings, run)
    notes = RunNotes(directory)
    begun = bool(Checkpoints(directory.checkpoints, {}).steps())
    # A run of other flags that failed, or was stopped, is of no use.
    resume = begun and notes.begun_with() == of_run
    return start_noted(notes, of_run, (), cores, settings.at_once, resume)


def _row(run: Planned, settings: SweepSettings, code: int) -> dict[str, str]:
    directory = RunDirectory(Path(settings.runs) / run.name)
    row: dict[str, Any] = {"name": run.name, "flags": run.flags, "common": settings.common}
    if code:
        log = many_runs.log_of(directory.path)
        return _texts({**row, "failed": f"exit code {code}, see {log}"})
    made_on = machine_columns(RunNotes(directory).machines())
    return _texts({**row, **many_runs.figures(directory), **made_on})


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(row.get(name, "")) for name in _COLUMNS}


if __name__ == "__main__":
    flags.run(SweepSettings, main)
