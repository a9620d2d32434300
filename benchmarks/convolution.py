"""The library's convolutions beside those of bplf_tf: `python -m benchmarks.convolution`.

For every level of the benchmark's flow, at its own shapes: the 3x3 convolution into the network
and the one out of it, with bias and ReLU where the network has them, forward alone and with the
gradients of input and kernel.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import Any

from benchmarks import report
from benchmarks.peak import best_seconds
from benchmarks.problem import Problem


def measure(problem: Problem, repeats: int) -> list[dict[str, str]]:
    """Rows of the table: milliseconds, and the ratio of forward and backward together."""
    import tensorflow as tf

    from bplf_tf.networks.convolution import convolve

    def library(x: Any, kernel: Any) -> Any:
        return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")

    def both(convolution: Any, x: Any, kernel: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = convolution(x, kernel)
        return tape.gradient(y, [x, kernel], output_gradients=y)

    rows = []
    for dtype in (tf.float32, tf.bfloat16):
        for level in range(problem.levels):
            size, _ = problem.level_shape(level)
            for side, channels_in, channels_out in problem.convolutions(level):
                shape = [problem.batch_size, size, size, channels_in]
                x = tf.cast(tf.random.normal(shape), dtype)
                kernel = tf.random.normal([side, side, channels_in, channels_out])
                kernel = tf.cast(kernel / (side * channels_in**0.5), dtype)
                seconds = {}
                for name, convolution in (("library", library), ("ours", convolve)):
                    for part, function in (
                        ("forward", tf.function(convolution)),
                        ("both", tf.function(partial(both, convolution))),
                    ):
                        seconds[name, part] = best_seconds(partial(function, x, kernel), repeats)
                rows.append(
                    {
                        "dtype": dtype.name,
                        "size": f"{size}x{size}",
                        "kernel": f"{side}x{side} {channels_in}->{channels_out}",
                        "forward, library": f"{1e3 * seconds['library', 'forward']:.2f} ms",
                        "ours": f"{1e3 * seconds['ours', 'forward']:.2f} ms",
                        "with gradients, library": f"{1e3 * seconds['library', 'both']:.2f} ms",
                        "ours ": f"{1e3 * seconds['ours', 'both']:.2f} ms",
                        "quicker by": report.ratio(
                            seconds["library", "both"], seconds["ours", "both"]
                        ),
                    }
                )
    return rows


def main(arguments: list[str]) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64, help="hidden channels of the networks")
    parser.add_argument("--repeats", type=int, default=30, help="timings, of which the best counts")
    options = parser.parse_args(arguments)
    print(report.machine())
    print(report.table(measure(Problem(width=options.width), options.repeats)))


if __name__ == "__main__":
    main(sys.argv[1:])
