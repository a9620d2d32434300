"""What a training step costs besides itself: the input pipeline, and Keras' call of each step.

    python -m benchmarks.input_pipeline --image_size=48 --batch_size=16

In turn: steps on one batch that stays in memory; steps on what the input pipeline makes of 28,000
images in memory, with flips; the same with ten steps in each call (`steps_per_execution`).
"""

from __future__ import annotations

import pathlib
import statistics
import sys
import time
from typing import Any

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import common_flags, report
from benchmarks.problem import Problem
from datasets.cores import cores
from datasets.quiet_tensorflow import import_tensorflow
from trainers.threads import set_threads

_DEPTH = flags.DEFINE_integer("depth", 8, "Steps per level, K.", lower_bound=1)
_WIDTH = flags.DEFINE_integer("width", 64, "Hidden channels of the networks.", lower_bound=1)
_IMAGES = flags.DEFINE_integer("images", 28_000, "Images of the data set.", lower_bound=1)
_CALLS = flags.DEFINE_integer("calls", 3, "Calls of ten steps, timed together.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times of them.", lower_bound=1)
flags.adopt_module_key_flags(common_flags)

STEPS_PER_EXECUTION = 10


def measure(problem: Problem, images: int, calls: int, rounds: int) -> dict[str, list[float]]:
    """Seconds per step by way of feeding, one for each round."""
    import keras
    import numpy as np
    import tensorflow as tf

    from bplf_tf import BPLF
    from datasets import ImageSource
    from datasets.input import training_dataset

    size: dict[str, Any] = {
        "levels": problem.levels,
        "depth": problem.depth,
        "width": problem.width,
    }
    classes = ("any",)
    model = BPLF.from_preset(
        "bplf_3x3_1x1", image_shape=problem.image_shape, classes=classes, **size
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    pixels = np.resize(problem.images(), (images, *problem.image_shape))
    labels = np.zeros(images, np.int32)
    model.initialize(pixels[: problem.batch_size], labels[: problem.batch_size])
    batch = (pixels[: problem.batch_size], labels[: problem.batch_size])
    source = ImageSource("random", "train", pixels, labels, classes, {})
    dataset = training_dataset(source, problem.batch_size, seed=0, flip=True)

    ways: dict[str, Any] = {}
    for name, data, steps in (
        ("one batch in memory", tf.data.Dataset.from_tensors(batch).repeat(), 1),
        ("input pipeline", dataset, 1),
        (f"input pipeline, {STEPS_PER_EXECUTION} steps in a call", dataset, STEPS_PER_EXECUTION),
    ):
        model.steps_per_execution = steps
        model.make_train_function(force=True)
        function, iterator = model.train_function, iter(data)
        function(iterator)  # traces
        ways[name] = function, iterator, calls * STEPS_PER_EXECUTION // steps
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (function, iterator, times) in ways.items():
            started = time.perf_counter()
            for _ in range(times):
                logs = function(iterator)
            float(logs["loss"])  # waits for the last step
            taken = time.perf_counter() - started
            seconds[name].append(taken / (calls * STEPS_PER_EXECUTION))
    return seconds


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    problem = common_flags.problem(_DEPTH.value, _WIDTH.value)
    import_tensorflow()
    set_threads(0, cores())
    print(report.machine())
    if busy := report.load_warning():
        print(busy)
    print(problem, flush=True)
    seconds = measure(problem, _IMAGES.value, _CALLS.value, _ROUNDS.value)
    alone = statistics.median(next(iter(seconds.values())))
    rows = [
        {
            "way": name,
            "ms/step (min-max)": report.median_and_range([1000 * s for s in times], 1),
            "time": report.ratio(statistics.median(times), alone),
        }
        for name, times in seconds.items()
    ]
    print(report.table(rows))
    common_flags.write_json({"machine": report.machine(), "seconds": seconds})


if __name__ == "__main__":
    app.run(main)
