"""Peak memory of training against depth, in ordinary and in constant mode, beside TFP's Glow.

    python -m benchmarks.memory --depths=8,16,32,64 --peer_depths=8,16

Each figure comes from a fresh process: the largest resident size after some steps. The bytes of
weights, gradients and Adam's two moments are subtracted in a second table, for they grow with depth
in any design. Last comes the time of a step, taken in turns at the first depth. Deep flows of TFP
take minutes to trace: `--peer_depths` gives the peers fewer depths, `--contenders` leaves them out.
"""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import sys

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import alternating, common_flags, participants, report
from benchmarks.contenders import Contender
from benchmarks.participants import CHOSEN, CPU_TIME, Participants
from benchmarks.problem import Problem
from benchmarks.processes import ContenderProcess

_DEPTHS = common_flags.define_integers("depths", ["8", "16", "32", "64"], "Steps per level, K.")
_PEER_DEPTHS = common_flags.define_integers(
    "peer_depths", None, "Those of --depths at which peers are measured; the default is all."
)
_WIDTH = flags.DEFINE_integer("width", 64, "Hidden channels of the networks.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3, "Steps before memory is read.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Turns of each contender for the time of a step.", lower_bound=1
)

DEFAULT_CONTENDERS = (
    "bplf", "bplf_constant", "bplf_3x3", "bplf_3x3_constant", "tfp_glow",
)  # fmt: skip

# Weights, their gradients, and Adam's two moments, in float32.
BYTES_PER_PARAMETER = 4 * 4

# From a mode that keeps every step's activations to the one that computes them again.
PAIRS = {"bplf_constant": "bplf", "bplf_3x3_constant": "bplf_3x3"}
flags.adopt_module_key_flags(common_flags)
flags.adopt_module_key_flags(participants)


@dataclasses.dataclass(frozen=True)
class Peak:
    """What one process told.

    Attributes:
      bytes: its largest resident size.
      parameters: trained numbers.
    """

    bytes: int
    parameters: int

    @property
    def without_state(self) -> int:
        """Bytes besides weights, gradients and the optimizer's moments."""
        return self.bytes - BYTES_PER_PARAMETER * self.parameters


def peak(contender: Contender, problem: Problem, python: str, steps: int) -> Peak:
    """The peak of a fresh process that makes `steps` steps after the first one."""
    with ContenderProcess(contender, problem, python) as process:
        told = process.first_step()
        process.run(steps)
        return Peak(process.peak_memory(), told["parameters"])


def step_seconds(
    contenders: list[Contender], problem: Problem, python: dict[str, str], steps: int, rounds: int
) -> dict[str, float]:
    """Median seconds of a step; the contenders take turns."""
    results = alternating.measure(contenders, python, problem, steps, rounds, CPU_TIME.value)
    return {
        name: statistics.median(problem.batch_size / speed for speed in told["images_per_second"])
        for name, told in results.items()
    }


def format_peaks(peaks: dict[str, dict[int, Peak]], state: bool) -> str:
    """The table of `peaks[contender][depth]`; with `state`, weights and the like included."""
    depths = list(dict.fromkeys(depth for by_depth in peaks.values() for depth in by_depth))
    first, last = min(depths), max(depths)
    rows = []
    for name, by_depth in peaks.items():
        sizes = {k: p.bytes if state else p.without_state for k, p in by_depth.items()}
        row = {"MiB" if state else "MiB without state": name}
        for depth in depths:
            row[f"K {depth}"] = f"{sizes[depth] / 2**20:.0f}" if depth in sizes else "-"
        both = first in sizes and last in sizes
        row[f"K {last} / K {first}"] = report.ratio(sizes[last], sizes[first]) if both else "-"
        rows.append(row)
    return report.table(rows)


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    depths = [int(depth) for depth in _DEPTHS.value]
    problems = {depth: common_flags.problem(depth, _WIDTH.value) for depth in depths}
    peer_depths = [int(depth) for depth in _PEER_DEPTHS.value or _DEPTHS.value]
    if not set(peer_depths) <= set(depths):
        raise app.UsageError("--peer_depths must be some of --depths")
    taking_part = Participants.from_flags()
    contenders, python = taking_part.contenders, taking_part.python
    print(taking_part.heading())
    print(f"{problems[depths[0]]}", flush=True)

    peaks: dict[str, dict[int, Peak]] = {contender.name: {} for contender in contenders}
    for depth, problem in problems.items():
        for contender in contenders:
            if depth in peer_depths or not contender.peer:
                peaks[contender.name][depth] = peak(
                    contender, problem, python[contender.name], _STEPS.value
                )
    print(format_peaks(peaks, state=True))
    print(format_peaks(peaks, state=False), flush=True)

    timed = [c for c in contenders if c.name in PAIRS or c.name in PAIRS.values()]
    first = problems[depths[0]]
    seconds = step_seconds(timed, first, python, _STEPS.value, _ROUNDS.value) if timed else {}
    for name, ordinary in PAIRS.items():
        if name in seconds and ordinary in seconds:
            print(
                f"a step of {name} takes {seconds[name]:.3f} s, of {ordinary} "
                f"{seconds[ordinary]:.3f} s: {report.ratio(seconds[name], seconds[ordinary])}, "
                f"at K {first.depth}"
            )
    record = {
        "machine": report.machine(),
        "problems": [dataclasses.asdict(problem) for problem in problems.values()],
        "peaks": {
            name: {depth: dataclasses.asdict(p) for depth, p in by_depth.items()}
            for name, by_depth in peaks.items()
        },
        "step_seconds": seconds,
    }
    common_flags.write_json(record)


if __name__ == "__main__":
    flags.set_default(CHOSEN, list(DEFAULT_CONTENDERS))
    app.run(main)
