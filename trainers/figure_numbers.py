"""What `trainers.figures` measures of one run's models: smoothness, and labels as they grow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from bplf_tf import BPLF, load_model
from datasets import ImageSource
from datasets.files import write_json
from trainers.neutral_first import likeness, standardised
from trainers.resumable_runs import Cell
from trainers.run_directory import RunDirectory
from trainers.spectrum import smoothness

_SEED = 0  # of all samples, so that those of two models share their latents


@dataclasses.dataclass(frozen=True)
class Asked:
    """What to measure.

    Attributes:
      temperatures: at which smoothness is measured.
      growing_temperature: of the samples of growing models.
      count: samples for smoothness.
      per_label: samples of each label for growing models.
    """

    temperatures: tuple[float, ...]
    growing_temperature: float
    count: int
    per_label: int


def of_run(cell: Cell, asked: Asked, faces: np.ndarray, held_out: ImageSource) -> dict[str, Any]:
    """The numbers of a run that came to its end; kept beside it, and read where they are there.

    Args:
      cell: the run.
      asked: what to measure.
      faces: mean of each label's training images, as from `label_means`.
      held_out: of which the samples' labels are taken, so that both have them equally often.

    Returns:
      `smoothness`, by temperature: `shares` of high frequencies and the number of `flat` samples,
      which have none; `growing`, for models with labels, by the number of steps: `likeness
      [E, E]` of each label's samples (rows) to each label's faces.
    """
    path = cell.directory.path.with_name(f"{cell.directory.path.name}.numbers.json")
    key = {**json.loads(json.dumps(dataclasses.asdict(asked))), "flags": cell.flags}
    if path.exists() and path.stat().st_mtime >= cell.directory.result.stat().st_mtime:
        kept = json.loads(path.read_text())
        if kept["asked"] == key:
            return kept
    model = load_model(cell.directory.model)
    labels = held_out.labels[np.arange(asked.count) % len(held_out)]
    told: dict[str, Any] = {"asked": key, "smoothness": {}, "growing": {}}
    for temperature in asked.temperatures:
        images = model.sample(
            labels if model.config.classes else None, asked.count, temperature, _SEED
        )
        told["smoothness"][f"{temperature:g}"] = smoothness(images)
    if model.config.classes:
        for step in grown(model, cell.directory):
            told["growing"][str(step)] = _likeness(model, asked, faces).tolist()
    write_json(path, told)
    return told


def grown(model: BPLF, directory: RunDirectory) -> Iterator[int]:
    """Puts each snapshot's weights into the model, the last model's at the end; yields its steps.

    One model for all of them, so that what it compiled serves them all.
    """
    last = json.loads(directory.result.read_text())["steps"]
    for path in sorted(directory.snapshots.glob("step_*.keras")):
        step = int(path.stem.removeprefix("step_"))
        if step < last:
            model.load_weights(path)
            yield step
    model.load_weights(directory.model)
    yield last


def _likeness(model: BPLF, asked: Asked, faces: np.ndarray) -> np.ndarray:
    means = []
    for label in range(len(model.config.classes)):
        samples = model.sample(label, asked.per_label, asked.growing_temperature, _SEED)
        means.append(standardised(samples).mean(axis=0))
    return likeness(np.stack(means), faces)
