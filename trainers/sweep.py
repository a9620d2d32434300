"""Trains every run of a plan, keeps one csv of what each of them reached, and prints it as a table.

    python -m trainers.sweep --plan=plan.txt --out=runs.csv --common="--max_minutes=5"

A line of the plan is a name and the flags of `trainers.fit` in which the run differs:

    baseline:
    narrow: --width=64,64,64
"""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from pathlib import Path
from typing import Any

from datasets import flags
from datasets.files import write_csv
from datasets.flags import setting
from trainers import many_runs
from trainers.many_runs import Planned, read_rows
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
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error
    done = {row["name"] for row in rows if not row["failed"]}
    left = [run for run in plan if run.name not in done]
    print(f"{len(plan)} runs, {len(plan) - len(left)} of them done", flush=True)

    def start(run: Planned, cores: set[int]) -> subprocess.Popen[bytes]:
        print(f"{run.name}: {run.flags or 'as the common flags say'}", flush=True)
        return _start(run, settings, cores)

    def ended(run: Planned, code: int, cores: int) -> None:
        nonlocal rows
        row = _row(run, settings, code, cores)
        rows = [*(r for r in rows if r["name"] != run.name), row]
        write_csv(out, _COLUMNS, rows)  # after each, so that a sweep may be stopped at any time
        print(f"{run.name}: {row['failed'] or row['bits_per_dim'] + ' bits/dim'}", flush=True)

    for run in many_runs.run_all(left, settings.at_once, start, ended):
        print(f"{run.name}: another process makes it")
    names = {run.name for run in left}
    print(markdown(rows))
    return 1 if any(row["failed"] for row in rows if row["name"] in names) else 0


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


def _start(run: Planned, settings: SweepSettings, cores: set[int]) -> subprocess.Popen[bytes]:
    arguments = [*shlex.split(settings.common), *shlex.split(run.flags), "--overwrite"]
    return many_runs.start_fit(arguments, Path(settings.runs) / run.name, cores)


def _row(run: Planned, settings: SweepSettings, code: int, cores: int) -> dict[str, str]:
    directory = RunDirectory(Path(settings.runs) / run.name)
    row: dict[str, Any] = {"name": run.name, "flags": run.flags, "common": settings.common}
    if code:
        log = many_runs.log_of(directory.path)
        return _texts({**row, "failed": f"exit code {code}, see {log}"})
    return _texts({**row, **many_runs.figures(directory), "cores": cores})


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(row.get(name, "")) for name in _COLUMNS}


if __name__ == "__main__":
    flags.run(SweepSettings, main)
