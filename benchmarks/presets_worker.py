"""One preset in a process of its own: its training, its memory, its sampling.

Run by `benchmarks.presets`, never by hand. Reads a `Task` as JSON and prints what it measured as
one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
from typing import Any

from benchmarks.worker import peak_memory
from datasets.cores import cores
from trainers.threads import set_threads

_TEMPERATURE = 0.7
_WARM_UP_CALLS = 2


@dataclasses.dataclass(frozen=True)
class Task:
    """What a process has to do.

    Attributes:
      config: of the model, as `ModelConfig.to_dict` gives it.
      images: `.npz` with `train`, `train_labels`, `held_out` and `held_out_labels`.
      batch_size: images of a training step.
      steps: training steps that are timed together; after them held-out images are scored.
      rounds: how often, at least.
      calls: timed calls of sampling, of one image and of a batch each.
      learning_rate: of Adam.
      target: bits/dim of the held-out images at which training ends; None trains to the end.
      minutes: of training at most, once there were enough rounds.
    """

    config: dict[str, Any]
    images: str
    batch_size: int
    steps: int
    rounds: int
    calls: int
    learning_rate: float
    target: float | None
    minutes: float

    @classmethod
    def from_json(cls, text: str) -> Task:
        return cls(**json.loads(text))


def measure(task: Task) -> dict[str, Any]:
    """What a preset needs.

    Returns:
      `seconds`, of each round of training; `bits_per_dim` of the held-out images after each;
      `peak_bytes` before the first scoring; `sample_seconds`, of each call, by the number of
      images; `parameters` and `flops_per_image`.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from bplf_tf import BPLF, ModelConfig
    from bplf_tf.catalogue import cost
    from datasets import ImageSource
    from datasets.input import training_dataset

    set_threads(0, cores())
    config = ModelConfig.from_dict(task.config)
    with np.load(task.images) as arrays:
        # Whole batches alone: a short one would be traced for itself, in the middle of a timing.
        images, labels = arrays["train"], arrays["train_labels"]
        whole = len(images) // task.batch_size * task.batch_size or len(images)
        train = ImageSource(
            "drawn_faces", "train", images[:whole], labels[:whole], config.classes, {}
        )
        held_out, labels = arrays["held_out"], arrays["held_out_labels"]
    model = BPLF(config)
    optimizer = keras.optimizers.Adam(task.learning_rate, global_clipnorm=1.0)
    model.compile(optimizer=optimizer)
    dataset = training_dataset(train, task.batch_size, seed=0).prefetch(tf.data.AUTOTUNE)
    # The first step traces, after the data-dependent start.
    model.fit(dataset, steps_per_epoch=1, epochs=1, verbose=0)
    model.make_train_function()
    function, iterator = model.train_function, iter(dataset)
    float(function(iterator)["loss"])

    seconds: list[float] = []
    bits: list[float] = []
    peak_bytes = 0
    while True:
        started = time.perf_counter()
        for _ in range(task.steps):
            logs = function(iterator)
        float(logs["loss"])  # waits for the last step
        seconds.append(time.perf_counter() - started)
        peak_bytes = peak_bytes or peak_memory()
        bits.append(float(model.bits_per_dim(held_out, labels).mean()))
        if len(seconds) >= task.rounds:
            reached = task.target is not None and min(bits) <= task.target
            if reached or sum(seconds) >= 60 * task.minutes:
                break
    parameters, flops = cost(config)
    return {
        "seconds": seconds,
        "bits_per_dim": bits,
        "peak_bytes": peak_bytes,
        "sample_seconds": {n: _sampling(model, n, task.calls) for n in (1, task.batch_size)},
        "parameters": parameters,
        "flops_per_image": flops,
    }


def _sampling(model: Any, count: int, calls: int) -> list[float]:
    labels = [i % len(model.config.classes) for i in range(count)]
    seconds = []
    for call in range(-_WARM_UP_CALLS, calls):
        started = time.perf_counter()
        model.sample(labels, n=count, temperature=_TEMPERATURE, seed=call + _WARM_UP_CALLS)
        if call >= 0:
            seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    task_file, result_file = map(pathlib.Path, sys.argv[1:])
    measured = measure(Task.from_json(task_file.read_text()))
    result_file.write_text(json.dumps(measured))
