"""Time from the start of a process to its first finished training step, beside the peers.

    python -m benchmarks.startup --depths=8,32 --torch_python=/path/to/python

Every figure comes from a fresh process: interpreter, imports, building, tracing, data-dependent
start, and the step itself. The contenders take turns; the first turn warms the disk cache and
is not counted unless it is the only one.
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import sys
import time
from typing import Any

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import common_flags, participants, report
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.participants import CPU_TIME, Participants
from benchmarks.problem import Problem
from benchmarks.processes import ContenderProcess

_DEPTHS = common_flags.define_integers(
    "depths", ["8", "32"], "Steps per level, K; one column for each."
)
_WIDTH = flags.DEFINE_integer(
    "width", 64, "Hidden channels of the coupling networks.", lower_bound=1
)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Processes of each contender.", lower_bound=1)
flags.adopt_module_key_flags(common_flags)
flags.adopt_module_key_flags(participants)


def seconds_to_first_step(
    contender: Contender, problem: Problem, python: str, cpu_time: bool
) -> float:
    """Seconds from starting a fresh process to the end of its first training step.

    With `cpu_time`, those that the process' one thread has computed.
    """
    start = time.perf_counter()
    with ContenderProcess(contender, problem, python, cpu_time) as process:
        told = process.first_step()
        return told["cpu_seconds"] if cpu_time else time.perf_counter() - start


def format_results(seconds: dict[str, dict[int, list[float]]]) -> str:
    """The table of `seconds[contender][depth]`; ratios are those of the medians."""
    medians = {
        name: {depth: statistics.median(runs) for depth, runs in by_depth.items()}
        for name, by_depth in seconds.items()
    }
    peers = [name for name in seconds if CONTENDERS[name].peer]
    rows = []
    for name, by_depth in seconds.items():
        row = {"contender": name}
        for depth, runs in by_depth.items():
            row[f"K {depth}, seconds (min-max)"] = report.median_and_range(runs, 1)
        for peer in peers:
            for depth in by_depth:
                row[f"K {depth} / {peer}"] = report.ratio(
                    medians[name][depth], medians[peer][depth]
                )
        depths = list(by_depth)
        if len(depths) > 1:
            growth = report.ratio(medians[name][depths[-1]], medians[name][depths[0]])
            row[f"K {depths[0]} -> {depths[-1]}"] = growth
        rows.append(row)
    return report.table(rows)


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    depths = [int(depth) for depth in _DEPTHS.value]
    problems = {depth: common_flags.problem(depth, _WIDTH.value) for depth in depths}
    taking_part = Participants.from_flags()
    print(taking_part.heading())
    print(
        f"{'CPU seconds of one thread' if CPU_TIME.value else 'seconds'} from process "
        f"start to the first finished training step, {_ROUNDS.value} processes each",
        flush=True,
    )
    seconds: dict[str, dict[int, list[float]]] = {
        contender.name: {depth: [] for depth in depths} for contender in taking_part.contenders
    }
    for turn in range(_ROUNDS.value + (_ROUNDS.value > 1)):
        for depth, problem in problems.items():
            for contender in taking_part.contenders:
                python = taking_part.python[contender.name]
                taken = seconds_to_first_step(contender, problem, python, CPU_TIME.value)
                if turn or _ROUNDS.value == 1:
                    seconds[contender.name][depth].append(taken)
    print(format_results(seconds))
    record: dict[str, Any] = {
        "machine": report.machine(),
        "cpu_time": CPU_TIME.value,
        "problems": [dataclasses.asdict(problem) for problem in problems.values()],
        "seconds": seconds,
    }
    common_flags.write_json(record)


if __name__ == "__main__":
    app.run(main)
