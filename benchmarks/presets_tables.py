"""Models and tables of `benchmarks.presets`, apart from its flags: tests import them."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks import report
from benchmarks.presets_worker import Task
from benchmarks.problem import Problem
from bplf_tf import EMOTIONS, PRESETS, ModelConfig, preset_config

_DLF_PARTS = (2, 4, 6)
NAMES = (
    *(name for name in PRESETS if name != "dlf"),
    *(f"dlf_{parts}" for parts in _DLF_PARTS),
)


def config_of(name: str, problem: Problem) -> ModelConfig:
    """The model of a name; a preset that has its own levels and depth keeps them."""
    preset, _, parts = name.partition("dlf_")
    changes: dict[str, Any] = {"width": problem.width, "pixel_logit": False, "heavy_tails": False}
    own = PRESETS[preset or "dlf"]
    if "levels" not in own:
        changes |= {"levels": problem.levels, "depth": problem.depth}
    if parts:
        changes["parts"] = int(parts)
    return preset_config(
        preset or "dlf", image_shape=problem.image_shape, classes=EMOTIONS, **changes
    )


def row(
    name: str, config: ModelConfig, result: dict[str, Any], task: Task, target: float
) -> dict[str, str]:
    """A line of the table."""
    images = task.steps * task.batch_size
    speeds = [images / seconds for seconds in result["seconds"]]
    # The backward pass counts as two forward passes.
    flops = 3 * result["flops_per_image"] * statistics.median(speeds)
    one, batch = (statistics.median(result["sample_seconds"][str(n)]) for n in (1, task.batch_size))
    return {
        "preset": name,
        "networks/step": str(len(config.shares) - 1),  # one for each part but the first
        "parameters": f"{result['parameters']:,}",
        "MFLOP/image": f"{result['flops_per_image'] / 1e6:.1f}",
        "images/s (min-max)": report.median_and_range(speeds),
        "GFLOP/s": f"{flops / 1e9:.0f}",
        "memory, MiB": f"{result['peak_bytes'] / 2**20:.0f}",
        "sampling 1, ms": f"{1000 * one:.1f}",
        f"sampling {task.batch_size}, images/s": f"{task.batch_size / batch:.0f}",
        f"minutes to {target:.3f}": minutes_to(target, result),
        "bits/dim": f"{min(result['bits_per_dim']):.3f}",
    }


def minutes_to(target: float, result: dict[str, Any]) -> str:
    """Minutes of training until held-out images had the target; or more than there were."""
    gone = 0.0
    for seconds, bits in zip(result["seconds"], result["bits_per_dim"], strict=True):
        gone += seconds / 60
        if bits <= target:
            return f"{gone:.2f}"
    return f"> {gone:.2f}"


def dlf_rows(results: dict[str, dict[str, Any]], task: Task) -> list[dict[str, str]]:
    """DLF's parts beside each other: what each network more costs."""
    names = [name for name in results if name.startswith("dlf_")]
    if len(names) < 2:
        return []
    milliseconds = {
        name: 1000 * statistics.median(results[name]["seconds"]) / task.steps for name in names
    }
    sampling = {
        name: 1000 * statistics.median(results[name]["sample_seconds"]["1"]) for name in names
    }
    first = names[0]
    return [
        {
            "parts": name.removeprefix("dlf_"),
            "networks/step": str(int(name.removeprefix("dlf_")) - 1),
            "ms of training/step": f"{milliseconds[name]:.1f}",
            f"to {first}": report.ratio(milliseconds[name], milliseconds[first]),
            "MFLOP": report.ratio(
                results[name]["flops_per_image"], results[first]["flops_per_image"]
            ),
            "sampling 1, ms": f"{sampling[name]:.1f}",
            f"to {first}'s": report.ratio(sampling[name], sampling[first]),
        }
        for name in names
    ]
