"""Step time of one and of several processes on this machine, and what they exchange.

    python -m benchmarks.scaling --processes=1,2

Every process has one core. Strong scaling divides one batch among them; weak scaling gives each a
batch of the same size. The exchange is that of `MultiWorkerMirroredStrategy` over loopback.

Below the measurements stands a projection to eight devices, from bytes, collectives and the links'
nominal figures alone: nothing of it was measured.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
from typing import Any

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import common_flags, report
from benchmarks.problem import Problem
from benchmarks.processes import ROOT
from benchmarks.projection import projection
from trainers import local_cluster

_PROCESSES = common_flags.define_integers("processes", ["1", "2"], "Numbers of processes.")
_DEPTH = flags.DEFINE_integer("depth", 8, "Steps per level, K.", lower_bound=1)
_WIDTH = flags.DEFINE_integer("width", 64, "Hidden channels of the networks.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 5, "Steps that are timed together.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times of them.", lower_bound=1)
flags.adopt_module_key_flags(common_flags)


def train(problem: Problem, processes: int, steps: int, rounds: int) -> dict[str, Any]:
    """What the first of so many processes tells of training on the problem's batch."""
    available = sorted(os.sched_getaffinity(0))
    if processes > len(available):
        raise app.UsageError(
            f"--processes: {processes} processes need as many cores, there are {len(available)}"
        )
    command = [sys.executable, "-m", "benchmarks.scaling_worker", problem.to_json()]
    command += [str(steps), str(rounds)]
    running = []
    for index, environment in enumerate(local_cluster.environments(processes)):
        # A process inherits the cores of the thread that starts it.
        os.sched_setaffinity(0, {available[index]})
        running.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    os.sched_setaffinity(0, available)
    told = [process.communicate() for process in running]
    for process, (_, errors) in zip(running, told, strict=True):
        if process.returncode:
            raise RuntimeError(f"a process ended early:\n{errors[-4000:]}")
    return json.loads(told[0][0].splitlines()[-1])


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    problem = common_flags.problem(_DEPTH.value, _WIDTH.value)
    print(report.machine())
    print(f"{problem}, one core per process", flush=True)
    records: list[dict[str, Any]] = []
    for kind in ("strong", "weak"):
        for processes in map(int, _PROCESSES.value):
            batch = problem.batch_size * (processes if kind == "weak" else 1)
            one = dataclasses.replace(problem, batch_size=batch)
            told = train(one, processes, _STEPS.value, _ROUNDS.value)
            records.append({"kind": kind, "processes": processes, "batch": batch, **told})
    rows = []
    for record in records:
        seconds = statistics.median(record["seconds"])
        alone = next(r for r in records if r["kind"] == record["kind"])
        speed = record["batch"] / seconds
        speed_alone = alone["batch"] / statistics.median(alone["seconds"])
        rows.append(
            {
                "scaling": f"{record['kind']}, {record['processes']} x {_per_process(record)}",
                "ms/step (min-max)": report.median_and_range([1000 * s for s in record["seconds"]]),
                "images/s": f"{speed:.0f}",
                "ratio": report.ratio(speed, speed_alone),
                "collectives": str(record["collectives"]),
                "MB reduced": f"{record['bytes'] / 1e6:.1f}",
            }
        )
    print(report.table(rows))
    parameters = records[0]["parameters"]
    print(f"{parameters} parameters: {4 * parameters / 1e6:.1f} MB")
    collectives = max(record["collectives"] for record in records)
    if collectives:
        print(f"\n{projection(parameters, collectives)}")
    common_flags.write_json({"machine": report.machine(), "runs": records})


def _per_process(record: dict[str, Any]) -> int:
    return record["batch"] // record["processes"]


if __name__ == "__main__":
    app.run(main)
