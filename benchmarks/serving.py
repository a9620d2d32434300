"""Latency and throughput of an exported `sample`, beside the plain Keras call.

    python -m benchmarks.serving --model=runs/faces/model.keras --batches=1,8,32
    python -m benchmarks.serving --model=runs/faces/model.keras --url=grpc://localhost:8500

The contenders take turns, call by call. With --url, the same function of a server is measured too,
with all that lies between; it has to serve the same model.
"""

from __future__ import annotations

import pathlib
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import numpy as np

from benchmarks import common_flags, report

_MODEL = flags.DEFINE_string("model", None, "A run directory, or its model.keras.", required=True)
_BATCHES = common_flags.define_integers("batches", ["1", "8", "32"], "Images of a call.")
_CALLS = flags.DEFINE_integer("calls", 200, "Timed calls of each contender.", lower_bound=2)
_URL = flags.DEFINE_string("url", None, "A server, grpc://host:port, of the same model.")
_SERVED_NAME = flags.DEFINE_string("served_name", "bplf", "Name of the model on that server.")
flags.register_validator(
    _URL,
    lambda url: url is None or re.fullmatch(r"grpc://[^/]+:\d+", url) is not None,
    message="must be grpc://host:port: the server is called by gRPC, without TLS",
)
flags.adopt_module_key_flags(common_flags)

_WARM_UP = 3
_TEMPERATURE = 0.7

# Labels `[B]`, or None, and seeds `[B, 2]`, int32, to uint8 images.
Sample = Callable[[np.ndarray | None, np.ndarray], np.ndarray]


def measure(
    contenders: dict[str, Sample], label_count: int, batch: int, calls: int
) -> dict[str, list[float]]:
    """Seconds of each call of each contender; they take turns on the same inputs.

    Raises:
      RuntimeError: for one that gives other images than the first.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for call in range(-_WARM_UP, calls):
        numbers = np.arange(batch, dtype=np.int32)
        labels = (numbers + call) % label_count if label_count else None
        seeds = np.stack([np.full(batch, call, np.int32), numbers], axis=1)
        expected = None
        for name, sample in contenders.items():
            started = time.perf_counter()
            images = sample(labels, seeds)
            elapsed = time.perf_counter() - started
            expected = images if expected is None else expected
            if images.shape != expected.shape or np.abs(images.astype(int) - expected).max() > 1:
                raise RuntimeError(f"{name} gave other images than {next(iter(contenders))}")
            if call >= 0:
                seconds[name].append(elapsed)
    return seconds


def row(name: str, batch: int, seconds: Sequence[float], keras: Sequence[float]) -> dict[str, str]:
    """A line of the table."""
    median, of_keras = float(np.median(seconds)), float(np.median(keras))
    return {
        "contender": name,
        "batch": str(batch),
        "images/s": f"{batch * len(seconds) / sum(seconds):.1f}",
        "p50, ms": f"{1000 * median:.2f}",
        "p99, ms": f"{1000 * float(np.percentile(seconds, 99)):.2f}",
        "p50 / Keras": report.ratio(median, of_keras),
    }


def main(arguments: list[str]) -> None:
    common_flags.refuse_arguments(arguments)
    from datasets.quiet_tensorflow import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from bplf_tf import load_model
    from export.archive import write_saved_model

    batches = [int(batch) for batch in _BATCHES.value or []]
    model = load_model(_MODEL.value)
    labels = len(model.config.classes)

    def keras(label: np.ndarray | None, seed: np.ndarray) -> np.ndarray:
        return model.sample(label, n=len(seed), temperature=_TEMPERATURE, seed=int(seed[0, 0]))

    def inputs(label: np.ndarray | None, seed: np.ndarray) -> dict[str, np.ndarray]:
        given = {"temperature": np.full(len(seed), _TEMPERATURE, np.float32), "seed": seed}
        return given if label is None else {**given, "label": label.astype(np.int32)}

    record: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(model, pathlib.Path(folder), most_rows=max(batches))
        loaded = tf.saved_model.load(folder).signatures["sample"]

        def saved_model(label: np.ndarray | None, seed: np.ndarray) -> np.ndarray:
            given = {name: tf.constant(value) for name, value in inputs(label, seed).items()}
            return loaded(**given)["image"].numpy()

        contenders: dict[str, Sample] = {"Keras": keras, "SavedModel": saved_model}
        if _URL.value:
            from export.grpc_client import GrpcClient

            client = GrpcClient(_URL.value.removeprefix("grpc://"), _SERVED_NAME.value)
            contenders["server"] = lambda label, seed: client.predict(
                "sample", inputs(label, seed)
            )["image"]
        rows = []
        for batch in batches:
            seconds = measure(contenders, labels, batch, _CALLS.value)
            record[str(batch)] = seconds
            rows += [row(name, batch, one, seconds["Keras"]) for name, one in seconds.items()]
    print(report.table(rows))
    print(report.machine())
    common_flags.write_json({"machine": report.machine(), "seconds": record})


if __name__ == "__main__":
    app.run(main)
