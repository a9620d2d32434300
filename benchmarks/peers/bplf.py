"""bplf_tf as its users run it: `fit` for the first step, then the train function of `fit`."""

from __future__ import annotations

from benchmarks.problem import Problem, Stepper
from datasets.cores import cores
from trainers.threads import set_threads


def build(
    problem: Problem,
    *,
    preset: str = "bplf_3x3_1x1",
    network_dtype: str = "float32",
    memory: str = "ordinary",
    jit_compile: bool = False,
) -> Stepper:
    """Builds an unconditional model and makes the first training step with `fit`.

    The data-dependent start, which `fit` makes once, is part of that first step. Later steps
    call the function that `fit` calls for each of its steps, with an iterator of a `tf.data`
    pipeline, so that Keras' own work and the input pipeline are in the figures.

    Args:
      problem: the task.
      preset: named model; the problem's networks are those of the default.
      network_dtype: `"float32"` or `"mixed_bfloat16"`, for the coupling networks.
      memory: `"ordinary"`, or `"constant"` in depth.
      jit_compile: compile the training step with XLA.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from bplf_tf import BPLF

    set_threads(0, cores())
    model = BPLF.from_preset(
        preset,
        size="small",
        image_shape=problem.image_shape,
        classes=(),
        levels=problem.levels,
        depth=problem.depth,
        width=problem.width,
        network_dtype=network_dtype,
        memory=memory,
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=jit_compile)
    batch = (problem.images(), np.zeros([problem.batch_size], np.int32))
    dataset = tf.data.Dataset.from_tensors(batch).repeat().prefetch(tf.data.AUTOTUNE)
    history = model.fit(dataset, steps_per_epoch=1, epochs=1, verbose=0)
    iterator = iter(dataset)
    model.make_train_function()
    train_function = model.train_function

    def run(steps: int) -> float:
        for _ in range(steps):
            logs = train_function(iterator)
        return float(logs["bits_per_dim"])

    return Stepper(
        run=run,
        first_loss=float(history.history["bits_per_dim"][0]),
        parameters=sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )
