"""The machine's convolution throughput, measured with TensorFlow: `python -m benchmarks.peak`.

The peak is that of one large 3x3 convolution. With `--model`, also the time that the coupling
networks' convolutions of the benchmark's flow take alone, forward and backward, at their own
shapes: no flow of that architecture can step faster than they do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.problem import Problem

# Batch, size, channels in and out: large enough that nothing but arithmetic counts.
_LARGE = (16, 32, 256, 256)


def best_seconds(
    call: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Shortest of `repeats` timings of `call` by `clock`, after two calls that are not timed."""
    call(), call()
    seconds = []
    for _ in range(repeats):
        start = clock()
        call()
        seconds.append(clock() - start)
    return min(seconds)


def measure_peak(
    repeats: int = 10, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """FLOP/s of a large 3x3 convolution, by dtype name."""
    import tensorflow as tf

    batch, size, channels_in, channels_out = _LARGE
    flops = 2.0 * 9 * batch * size**2 * channels_in * channels_out
    peak = {}
    for dtype in (tf.float32, tf.bfloat16):
        images = tf.cast(tf.random.normal([batch, size, size, channels_in]), dtype)
        kernel = tf.cast(tf.random.normal([3, 3, channels_in, channels_out]), dtype)
        convolve = tf.function(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"))
        seconds = best_seconds(partial(convolve, images, kernel), repeats, clock)
        peak[dtype.name] = flops / seconds
    return peak


def measure_model(problem: Problem, repeats: int = 10) -> dict[str, list[dict[str, Any]]]:
    """Seconds that the coupling networks' convolutions take alone, by dtype name and level.

    Per level: `depth` networks of three convolutions with ReLU between them, chained by feeding
    half of one's output to the next; forward alone, and forward and backward.
    """
    import tensorflow as tf

    def networks(images: Any, kernels: Any) -> Any:
        for *hidden, last in kernels:
            for kernel in hidden:
                images = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, "SAME"))
            images = tf.nn.conv2d(images, last, 1, "SAME")
            images = images[..., : kernels[0][0].shape[2]]
        return tf.reduce_sum(tf.cast(images, tf.float32))

    def gradients(images: Any, kernels: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([images, kernels])
            total = networks(images, kernels)
        return tape.gradient(total, [images, kernels])

    result = {}
    for dtype in (tf.float32, tf.bfloat16):
        levels = []
        for level in range(problem.levels):
            size, channels = problem.level_shape(level)
            images = tf.random.normal([problem.batch_size, size, size, channels // 2])
            kernels = [
                [
                    tf.cast(tf.random.normal([k, k, i, o], stddev=(k * k * i) ** -0.5), dtype)
                    for k, i, o in problem.convolutions(level)
                ]
                for _ in range(problem.depth)
            ]
            arguments = tf.cast(images, dtype), kernels
            forward, both = tf.function(networks), tf.function(gradients)
            levels.append(
                {
                    "size": size,
                    "channels": channels,
                    "forward_seconds": best_seconds(partial(forward, *arguments), repeats),
                    "step_seconds": best_seconds(partial(both, *arguments), repeats),
                }
            )
        result[dtype.name] = levels
    return result


def in_process(problem: Problem | None = None, cpu_time: bool = False) -> dict[str, Any]:
    """Measures in a process of its own.

    Args:
      problem: also measure the convolutions of this flow.
      cpu_time: the peak of one core, by CPU time.

    Returns:
      `{"peak": {dtype: FLOP/s}}` and, if a problem is given, `"model"` as of `measure_model`.
    """
    from benchmarks.processes import ROOT, environment

    command = [sys.executable, "-m", "benchmarks.peak", "--json"]
    if problem is not None:
        command += ["--model", problem.to_json()]
    if cpu_time:
        command.append("--cpu_time")
    output = subprocess.run(
        command, cwd=ROOT, env=environment(cpu_time), check=True, capture_output=True, text=True
    ).stdout
    return json.loads(output.splitlines()[-1])


def main(arguments: list[str]) -> None:
    import argparse

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--model",
        nargs="?",
        const="{}",
        help='also measure the flow\'s own convolutions; a JSON object such as {"width": 128} '
        "changes the default problem",
    )
    parser.add_argument("--cpu_time", action="store_true", help="CPU time in place of the clock")
    options = parser.parse_args(arguments)
    problem = None if options.model is None else Problem.from_json(options.model)
    result: dict[str, Any] = {
        "peak": measure_peak(clock=time.process_time if options.cpu_time else time.perf_counter)
    }
    if problem is not None:
        result["model"] = measure_model(problem)
    if options.json:
        print(json.dumps(result))
        return
    for dtype, flops in result["peak"].items():
        print(f"peak {dtype:9} {flops / 1e9:7.0f} GFLOP/s")
    if problem is None:
        return
    for dtype, levels in result["model"].items():
        for level in levels:
            print(
                f"{dtype:9} {level['size']:3}x{level['size']:<3} {level['channels']:3} channels  "
                f"forward {1e3 * level['forward_seconds']:7.2f} ms  "
                f"forward and backward {1e3 * level['step_seconds']:7.2f} ms"
            )
        total = sum(level["step_seconds"] for level in levels)
        print(
            f"{dtype:9} convolutions alone {1e3 * total:.1f} ms per step, "
            f"{problem.batch_size / total:.0f} images/s, "
            f"{100 * problem.training_flops() / total / result['peak'][dtype]:.0f} % of the peak"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
