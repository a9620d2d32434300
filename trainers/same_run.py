"""Whether all processes that are to train one model were told the same and see the same data."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from trainers.run import Run

# What may be another on each machine without changing a step: where things lie there, and whether
# to replace what lies there, as the chief alone writes; how it computes; and how the processes
# found each other, which they have by now.
_OWN = ("run_dir", "data_path", "overwrite", "threads_per_operation", "strategy")

# A number that `Team.same` can compare.
_DIGITS = 2**16


class DifferentRunError(Exception):
    """The processes of one run have other flags or other data than each other."""


def check_same_run(run: Run) -> None:
    """Compares this process's flags, model and data with those of all others, which do so too.

    Each of them would take its own steps otherwise: on a mixture of two sets of data, or until
    TensorFlow finds that what they exchange does not fit together.

    Raises:
      DifferentRunError: in every process, where anything differs; it says what.
    """
    if not run.team.several_processes:
        return
    shared = _shared(run)
    # Of another version of this program the settings may be others, and so more numbers or fewer.
    if not all(run.team.same(_numbers([*shared]))):
        raise DifferentRunError(
            "the processes of this run have different settings: start all of them with the same "
            "version of this program"
        )
    same = run.team.same([number for value in shared.values() for number in _numbers(value)])
    each = len(same) // len(shared)
    different = [name for i, name in enumerate(shared) if not all(same[i * each : (i + 1) * each])]
    if different:
        here = "; ".join(f"{name} is {json.dumps(shared[name])}" for name in different)
        raise DifferentRunError(
            f"the processes of this run differ in {', '.join(different)}. In this one {here}. "
            "Start all of them with the same flags, and with data of the same content"
        )


def _shared(run: Run) -> dict[str, Any]:
    """What all processes must have in common, by name; plain JSON values."""
    settings = dataclasses.asdict(run.settings)
    told = {name: value for name, value in settings.items() if name not in _OWN}
    # The model's values stand for the flags of the same names, which may have been left out.
    return {**told, **run.config.to_dict(), **run.data}


def _numbers(value: Any) -> list[int]:
    """Three numbers in which different values differ, but for chances of one in 2^48."""
    found = hashlib.blake2b(json.dumps(value).encode(), digest_size=6).digest()
    number = int.from_bytes(found)
    return [number // _DIGITS**i % _DIGITS for i in range(3)]
