"""One of the processes of `benchmarks.scaling`: trains, and tells how long a step took.

Run by `benchmarks.scaling`, never by hand; TF_CONFIG, if set, names its fellows.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from benchmarks.problem import Problem
from datasets.cores import cores
from datasets.quiet_tensorflow import import_tensorflow
from trainers.threads import set_threads

# Operations that wait for the other processes.
_COLLECTIVES = ("CollectiveReduce", "CollectiveGather", "CollectiveBcast", "CollectiveAllToAll")


def main(problem_json: str, steps: int, rounds: int) -> None:
    """Trains on a share of the problem's batch; prints one JSON object."""
    problem = Problem.from_json(problem_json)
    import_tensorflow()
    set_threads(0, cores())
    import keras
    import numpy as np
    import tensorflow as tf

    from bplf_tf import BPLF
    from trainers.agreement import Agreement
    from trainers.pace import Stopwatch
    from trainers.resuming import StopSignal
    from trainers.strategies import make_team

    team = make_team("auto", cpu_devices=1)
    images = problem.images()
    with team.strategy.scope():
        model = BPLF.from_preset(
            "bplf_3x3_1x1",
            image_shape=problem.image_shape,
            classes=(),
            levels=problem.levels,
            depth=problem.depth,
            width=problem.width,
        )
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.initialize(images)
    part = images[team.share.first :: team.share.total]
    dataset = team.dataset(
        lambda share: tf.data.Dataset.from_tensors((part, np.zeros(len(part), np.int32))).repeat()
    )
    iterator = iter(dataset)
    model.make_train_function()
    # The processes of a run agree on its clock and its signals after each step.
    agreement = Agreement(team, Stopwatch(), StopSignal())
    for _ in range(2):
        model.train_function(iterator)
        agreement.exchange()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(steps):
            logs = model.train_function(iterator)
            agreement.exchange()
        loss = float(logs["loss"])
        seconds.append((time.perf_counter() - started) / steps)
    collectives, sent = _collectives(_step_graph(model, dataset))
    if team.several_processes:
        numbers = tf.TensorSpec([3], tf.float64)  # what `Agreement` exchanges
        more, sent_more = _collectives(team.sum_function.get_concrete_function(numbers).graph)
        collectives, sent = collectives + more, sent + sent_more
    answer = {
        "seconds": seconds,
        "loss": loss,
        "collectives": collectives,
        "bytes": sent,
        "parameters": sum(int(np.prod(v.shape)) for v in model.trainable_weights),
    }
    print(json.dumps(answer), flush=True)
    team.sum([0.0])  # none leaves before the others


def _step_graph(model: Any, dataset: Any) -> Any:
    """The graph of one step."""
    import tensorflow as tf
    from keras.src.backend.tensorflow.trainer import reduce_per_replica

    def one_step(data: Any) -> Any:  # as Keras' `fit` does it
        strategy = model.distribute_strategy
        logs = strategy.run(model.train_step, args=(data,))
        return reduce_per_replica(logs, strategy, reduction="auto")

    return tf.function(one_step).get_concrete_function(next(iter(dataset))).graph


def _collectives(graph: Any) -> tuple[int, int]:
    """Collective operations of a graph, and the bytes that they reduce or hand round."""
    import tensorflow as tf

    definition = graph.as_graph_def(add_shapes=True)
    functions = definition.library.function
    nodes = [*definition.node, *(node for f in functions for node in f.node_def)]
    found = [node for node in nodes if node.op.startswith(_COLLECTIVES)]
    sent = 0
    for node in found:
        shape = tf.TensorShape(node.attr["_output_shapes"].list.shape[0])
        sent += (shape.num_elements() or 0) * tf.as_dtype(node.attr["T"].type).size
    return len(found), sent


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
