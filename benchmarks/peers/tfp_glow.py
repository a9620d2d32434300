"""`tfp.bijectors.Glow` with its default network, in one `tf.function`."""

from __future__ import annotations

import math

from benchmarks.problem import Problem, Stepper
from datasets.cores import cores
from trainers.threads import set_threads


def build(problem: Problem, *, jit_compile: bool = False) -> Stepper:
    """Builds the flow as TFP's documentation shows it and makes the first training step.

    Args:
      problem: the task.
      jit_compile: compile the training step with XLA.
    """
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tf_keras

    set_threads(0, cores())
    tfb, tfd = tfp.bijectors, tfp.distributions
    glow = tfb.Glow(
        output_shape=problem.image_shape,
        num_glow_blocks=problem.levels,
        num_steps_per_block=problem.depth,
        coupling_bijector_fn=lambda shape: tfb.GlowDefaultNetwork(shape, num_hidden=problem.width),
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
        use_actnorm=True,
    )
    base = tfd.Sample(tfd.Normal(0.0, 1.0), glow.inverse_event_shape(problem.image_shape))
    distribution = glow(base)
    variables = distribution.trainable_variables
    # The fused Adam of the legacy class traces faster and steps no slower than the newer one.
    optimizer = tf_keras.optimizers.legacy.Adam(1e-3)
    images = tf.constant(problem.images())

    @tf.function(jit_compile=jit_compile)
    def train_step(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            noise = tf.random.uniform(tf.shape(images))
            values = (tf.cast(images, tf.float32) + noise) / 256.0 - 0.5
            nats = -tf.reduce_mean(distribution.log_prob(values))
            loss = nats / (problem.dimensions * math.log(2.0)) + 8.0
        gradients = tape.gradient(loss, variables)
        if any(gradient is None for gradient in gradients):
            raise RuntimeError("A variable of tfp.bijectors.Glow got no gradient.")
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def run(steps: int) -> float:
        for _ in range(steps):
            loss = train_step(images)
        return float(loss)

    return Stepper(
        run=run,
        first_loss=run(1),
        parameters=sum(int(tf.size(variable)) for variable in variables),
        versions={"tensorflow": tf.__version__, "tensorflow_probability": tfp.__version__},
    )
