"""Images per second of one training step, bplf_tf beside its peers, in alternating runs.

    python -m benchmarks.train_step --widths=64,128 --torch_python=/path/to/python

A step is forward, backward and Adam, on the same batch. Every contender lives in a process of
its own and steps when told to, one at a time, so that all see the same machine.
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import sys
from typing import Any

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import alternating, common_flags, participants, peak, report
from benchmarks.contenders import CONTENDERS
from benchmarks.participants import CPU_TIME, Participants
from benchmarks.problem import Problem

_WIDTHS = common_flags.define_integers(
    "widths", ["64", "128"], "Hidden channels of the coupling networks; one table for each."
)
_DEPTH = flags.DEFINE_integer("depth", 8, "Steps per level, K.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 10, "Training steps per run.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Runs of each contender.", lower_bound=1)
_PEAK = flags.DEFINE_bool("peak", True, "Measure the machine's convolution peak.")
flags.adopt_module_key_flags(common_flags)
flags.adopt_module_key_flags(participants)


def format_results(
    results: dict[str, dict[str, Any]], problem: Problem, peak_flops: dict[str, float] | None
) -> str:
    """The table of one problem. Ratios are those of the medians."""
    speed = {name: statistics.median(r["images_per_second"]) for name, r in results.items()}
    peers = {name: value for name, value in speed.items() if CONTENDERS[name].peer}
    rows = []
    for name, result in results.items():
        row = {
            "contender": name,
            "images/s (min-max)": report.median_and_range(result["images_per_second"]),
        }
        for peer, value in peers.items():
            row[f"/ {peer}"] = report.ratio(speed[name], value)
        if peak_flops:
            achieved = speed[name] / problem.batch_size * problem.training_flops()
            row["of fp32 peak"] = f"{100 * achieved / peak_flops['float32']:.0f} %"
            row["of bf16 peak"] = f"{100 * achieved / peak_flops['bfloat16']:.0f} %"
        row["memory"] = f"{result['peak_bytes'] / 2**20:.0f} MiB"
        row["parameters"] = f"{result['parameters']:,}"
        row["bits/dim"] = f"{result['loss']:.2f}"
        rows.append(row)
    text = report.table(rows)
    best = {name: max(result["images_per_second"]) for name, result in results.items()}
    for bfloat16, kind in ((False, "float32"), (True, "bfloat16")):
        rivals = [name for name in peers if CONTENDERS[name].bfloat16 == bfloat16]
        for what, figures in (("medians", speed), ("best runs", best)):
            if rivals:
                fastest = max(rivals, key=figures.__getitem__)
                ratios = _ratios(figures, fastest)
                text += f"\n{what}, beside the faster {kind} peer, {fastest}: {ratios}"
    return text


def _ratios(speed: dict[str, float], fastest_peer: str) -> str:
    """Each contender that is no peer, with its ratio to `fastest_peer`."""
    ours = [
        f"{name} {report.ratio(value, speed[fastest_peer])}"
        for name, value in speed.items()
        if not CONTENDERS[name].peer
    ]
    return ", ".join(ours) or "nothing of ours ran"


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    problems = [common_flags.problem(_DEPTH.value, int(width)) for width in _WIDTHS.value]
    taking_part = Participants.from_flags()
    print(taking_part.heading())
    threads = "one thread each, by CPU time" if CPU_TIME.value else "all cores, by the clock"
    print(f"  {threads}; torch.compile is not used")
    peak_flops = peak.in_process(cpu_time=CPU_TIME.value)["peak"] if _PEAK.value else None
    if peak_flops:
        figures = ", ".join(f"{name} {value / 1e9:.0f}" for name, value in peak_flops.items())
        print(f"measured convolution peak in GFLOP/s: {figures}")

    record: dict[str, Any] = {
        "machine": report.machine(),
        "cpu_time": CPU_TIME.value,
        "peak": peak_flops,
        "runs": [],
    }
    for problem in problems:
        print(
            f"\nL {problem.levels}, K {problem.depth}, width {problem.width}, "
            f"{problem.image_size}x{problem.image_size}x{problem.channels}, "
            f"batch {problem.batch_size}: {problem.training_flops() / 1e9:.1f} GFLOP per step; "
            f"{_ROUNDS.value} runs of {_STEPS.value} steps each",
            flush=True,
        )
        results = alternating.measure(
            taking_part.contenders,
            taking_part.python,
            problem,
            _STEPS.value,
            _ROUNDS.value,
            CPU_TIME.value,
        )
        print(format_results(results, problem, peak_flops), flush=True)
        record["runs"].append({"problem": dataclasses.asdict(problem), "results": results})
    common_flags.write_json(record)


if __name__ == "__main__":
    app.run(main)
