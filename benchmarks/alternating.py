"""Contenders that step in turn, each in a process of its own, so that all see the same machine."""

from __future__ import annotations

import contextlib
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.problem import Problem
from benchmarks.processes import ContenderProcess


def measure(
    contenders: list[Contender],
    python: dict[str, str],
    problem: Problem,
    steps: int,
    rounds: int,
    cpu_time: bool,
) -> dict[str, dict[str, Any]]:
    """Lets the contenders step in turn.

    Args:
      contenders: who takes part.
      python: interpreter by contender's name.
      problem: the task.
      steps: training steps per run.
      rounds: timed runs of each contender; one more, first, is not timed.
      cpu_time: see `ContenderProcess`.

    Returns:
      By name: `images_per_second` (one per round), `peak_bytes`, and what the worker told about
      its first step.
    """
    results: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        processes = {}
        for contender in contenders:
            process = ContenderProcess(contender, problem, python[contender.name], cpu_time)
            processes[contender.name] = stack.enter_context(process)
            # One at a time, so that no process builds while another one does.
            results[contender.name] = {**process.first_step(), "images_per_second": []}
            process.run(steps)
        for turn in range(rounds):
            # Whoever comes first changes, so that no one always follows the same neighbour.
            order = [*contenders[turn % len(contenders) :], *contenders[: turn % len(contenders)]]
            for contender in order:
                run = processes[contender.name].run(steps)
                result = results[contender.name]
                result["images_per_second"].append(problem.batch_size * steps / run["seconds"])
                result["loss"] = run["loss"]
        for name, process in processes.items():
            results[name]["peak_bytes"] = process.peak_memory()
    return results
