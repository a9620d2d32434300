"""How small the pixel model is, how fast it is fitted and how fast it edits a face, on one core.

    python -m benchmarks.pixel

Fits one expression to random pairs (time does not depend on what they show), then edits faces one
at a time and in a batch; beside the flow's number of weights, and StarGAN's.
"""

from __future__ import annotations

import os
import pathlib
import sys
import time
from typing import Any

from absl import app, flags

if __package__ in (None, ""):  # run as a file: what lies beside it is imported from the root
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from benchmarks import report

_IMAGE_SIZE = flags.DEFINE_integer("image_size", 128, "Height and width.", lower_bound=8)
_CHANNELS = flags.DEFINE_integer("channels", 1, "Channels.", lower_bound=1)
_PAIRS = flags.DEFINE_integer("pairs", 200, "Pairs to fit.", lower_bound=2)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times of everything.", lower_bound=1)
_FLOW_SIZE = flags.DEFINE_string("flow_size", "small", "Size of the flow to compare with.")
_JSON_OUT = flags.DEFINE_string("json_out", None, "Also write everything measured to this file.")

STARGAN_PARAMETERS = 8_436_800
"""Of its generator for seven labels, counted from the paper's architecture (Choi et al. 2018)."""

_CALLS = 50  # edits of one image, timed together
_BATCH = 64
_MODELS: dict[str, dict[str, Any]] = {
    "pixel model": {},
    "pixel model, one for all channels": {"shared_channels": True},
    "lambda by cross-validation": {"ridge": "cross_validation"},
    "polynomial of degree 2": {"kernel": "polynomial"},
    "RBF, 8 centres": {"kernel": "rbf"},
    "window 3x3": {"window": 3},
}


def measure(size: int, channels: int, pairs: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Seconds of fits, of edits of one image, and of each image of a batch, by kind of model."""
    import numpy as np

    from bplf_tf import PixelSynthesis

    rng = np.random.default_rng(0)
    shape = (max(pairs, _BATCH), size, size, channels)
    neutral = rng.integers(0, 256, shape, np.uint8)
    happy = (0.7 * neutral + rng.integers(0, 60, shape)).astype(np.uint8)
    results: dict[str, dict[str, Any]] = {}
    for name, options in _MODELS.items():
        times: dict[str, list[float]] = {"fit": [], "edit": [], "edit_in_batch": []}
        for _ in range(rounds):
            started = time.perf_counter()
            model = PixelSynthesis(**options).fit(neutral[:pairs], {"happy": happy[:pairs]})
            times["fit"].append(time.perf_counter() - started)
            started = time.perf_counter()
            for _ in range(_CALLS):
                model.transform(neutral[:1], "happy")
            times["edit"].append((time.perf_counter() - started) / _CALLS)
            started = time.perf_counter()
            model.transform(neutral[:_BATCH], "happy")
            times["edit_in_batch"].append((time.perf_counter() - started) / _BATCH)
        results[name] = {
            "seconds": times, "parameters": model.parameters, "bytes": model.size_bytes,
        }  # fmt: skip
    return results


def flow_parameters(size: int, channels: int, flow_size: str) -> int:
    """Weights of `bplf_3x3` for images of that size and seven labels."""
    from datasets.quiet_tensorflow import import_tensorflow

    import_tensorflow()
    from bplf_tf import BPLF

    model = BPLF.from_preset("bplf_3x3", size=flow_size, image_shape=(size, size, channels))
    return int(model.count_params())


def main(arguments: list[str]) -> None:
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(arguments[1:])}")
    if hasattr(os, "sched_setaffinity"):  # before NumPy counts the cores
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    size, channels, pairs = _IMAGE_SIZE.value, _CHANNELS.value, _PAIRS.value
    print(report.machine())
    if busy := report.load_warning():
        print(busy)
    print(f"{size}x{size}x{channels}, {pairs} pairs, one expression", flush=True)
    results = measure(size, channels, pairs, _ROUNDS.value)
    rows = [
        {
            "model": name,
            "fit, s": report.median_and_range(one["seconds"]["fit"], 2),
            "one image, ms": report.median_and_range([1000 * t for t in one["seconds"]["edit"]], 3),
            f"each of {_BATCH}, ms": report.median_and_range(
                [1000 * t for t in one["seconds"]["edit_in_batch"]], 3
            ),
            "weights": f"{one['parameters']:,}",
            "KiB": f"{one['bytes'] / 1024:,.0f}",
        }
        for name, one in results.items()
    ]
    print(report.table(rows))
    flow = flow_parameters(size, channels, _FLOW_SIZE.value)
    alone = results["pixel model"]["parameters"]
    sizes = [
        {"of": "pixel model, one expression", "weights": f"{alone:,}", "times": "1"},
        {"of": "pixel model, six expressions", "weights": f"{6 * alone:,}", "times": "6"},
        *(
            {"of": name, "weights": f"{count:,}", "times": f"{count / alone:.0f}"}
            for name, count in (
                (f"flow bplf_3x3, size {_FLOW_SIZE.value}, seven labels", flow),
                ("StarGAN's generator, seven labels, by its architecture", STARGAN_PARAMETERS),
            )
        ),
    ]
    print(report.table(sizes))
    if _JSON_OUT.value:
        import json

        record = {"machine": report.machine(), "results": results, "flow_parameters": flow}
        pathlib.Path(_JSON_OUT.value).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
