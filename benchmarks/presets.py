"""What every preset costs at equal width: training, memory, sampling, time to a fixed bits/dim.

    python -m benchmarks.presets --minutes=3
    python -m benchmarks.presets --presets=dlf_2,dlf_4,dlf_6 --minutes=0

Each lives in a process of its own, one after the other; the first one comes once more at the end,
which tells how steady the machine was. All of them learn the same drawn faces with the same Adam,
without the pixel logit and the heavy tails that ancestors do not have. They train until held-out
images have at most --target bits/dim, which is, if not given, what the first one reaches in
--minutes. dlf_n is DLF with n parts, whose every step has n - 1 networks.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import numpy as np

from benchmarks import common_flags, report
from benchmarks.presets_tables import NAMES, config_of, dlf_rows, row
from benchmarks.presets_worker import Task
from benchmarks.processes import ROOT

_AGAIN = "again"

_PRESETS = flags.DEFINE_list("presets", list(NAMES), f"Out of {', '.join(NAMES)}.")
_DEPTH = flags.DEFINE_integer("depth", 8, "Steps per level, K.", lower_bound=1)
_WIDTH = flags.DEFINE_integer("width", 64, "Hidden channels of the networks.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 20, "Steps that are timed together.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times of them, at least.", lower_bound=1)
_CALLS = flags.DEFINE_integer("calls", 20, "Timed calls of sampling.", lower_bound=1)
_IMAGES = flags.DEFINE_integer("images", 4096, "Faces to train on.", lower_bound=1)
_HELD_OUT = flags.DEFINE_integer("held_out", 256, "Faces to score.", lower_bound=1)
_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Of Adam.", lower_bound=0)
_TARGET = flags.DEFINE_float("target", None, "Bits/dim to reach; else what the first one reaches.")
_MINUTES = flags.DEFINE_float(
    "minutes", 3.0, "Training of the first preset that sets the target.", lower_bound=0
)
_MOST = flags.DEFINE_float("most_minutes", 9.0, "Training of any other.", lower_bound=0)
flags.adopt_module_key_flags(common_flags)

flags.register_validator(
    _PRESETS,
    lambda names: bool(names) and set(names) <= set(NAMES) and len(set(names)) == len(names),
    message=f"must be different names out of {', '.join(NAMES)}",
)


def run(task: Task) -> dict[str, Any] | str:
    """What a fresh process measured, or the end of what it said when it failed."""
    with tempfile.TemporaryDirectory() as folder:
        given, told = pathlib.Path(folder) / "task.json", pathlib.Path(folder) / "result.json"
        given.write_text(json.dumps(dataclasses.asdict(task)))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.presets_worker", str(given), str(told)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.stderr[-2000:] if done.returncode else json.loads(told.read_text())


def _write_faces(path: pathlib.Path, side: int, channels: int) -> None:
    """Draws the faces once for all processes."""
    from datasets import load

    arrays: dict[str, np.ndarray] = {}
    for split, name, count in (
        ("train", "train", _IMAGES.value),
        ("validation", "held_out", _HELD_OUT.value),
    ):
        source = load("drawn_faces", split, image_size=side, channels=channels, limit=count)
        arrays |= {name: source.images, f"{name}_labels": source.labels}
    np.savez(path, allow_pickle=False, **arrays)


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    problem = common_flags.problem(_DEPTH.value, _WIDTH.value)
    try:
        configs = {name: config_of(name, problem) for name in _PRESETS.value}
    except ValueError as error:
        raise app.UsageError(str(error)) from error
    print(report.machine())
    if busy := report.load_warning():
        print(busy)
    print(f"{problem}, conditional, Adam at {_RATE.value:g}", flush=True)
    first = next(iter(configs))
    results: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "faces.npz"
        try:
            _write_faces(images, problem.image_size, problem.channels)
        except ValueError as error:  # of a size that they cannot be drawn at
            raise app.UsageError(str(error)) from error
        task = Task(
            config={},
            images=str(images),
            batch_size=problem.batch_size,
            steps=_STEPS.value,
            rounds=_ROUNDS.value,
            calls=_CALLS.value,
            learning_rate=_RATE.value,
            target=_TARGET.value,
            minutes=_MINUTES.value if _TARGET.value is None else _MOST.value,
        )
        for name, config in [*configs.items(), (f"{first}, {_AGAIN}", configs[first])]:
            told = run(dataclasses.replace(task, config=config.to_dict()))
            print(f"  {name}: {'failed' if isinstance(told, str) else 'done'}", flush=True)
            if isinstance(told, str):
                failed[name] = told
                continue
            results[name] = told
            if task.target is None:
                most = _MOST.value if _MINUTES.value else 0.0
                task = dataclasses.replace(task, target=min(told["bits_per_dim"]), minutes=most)
    if results and task.target is not None:
        target = task.target
        print(
            report.table(
                [
                    row(name, configs[name.removesuffix(f", {_AGAIN}")], told, task, target)
                    for name, told in results.items()
                ]
            )
        )
    if beside := dlf_rows(results, task):
        print(f"\nDLF with n parts has n - 1 networks in a step\n{report.table(beside)}")
    for name, why in failed.items():
        print(f"\n{name} failed:\n{why}", file=sys.stderr)
    common_flags.write_json(
        {
            "machine": report.machine(),
            "problem": dataclasses.asdict(problem),
            "target": task.target,
            "results": results,
            "failed": failed,
        }
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    flags.FLAGS.set_default("channels", 3)  # channels of grey images do not divide into 6 parts
    app.run(main)
