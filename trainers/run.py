"""A training run with everything resolved: its data from any step on, and its description."""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import Any

import tensorflow as tf

from bplf_tf import BPLF
from bplf_tf.config import ModelConfig
from bplf_tf.inputs import first_images
from bplf_tf.model import START_IMAGES
from datasets import ImageSource
from datasets.digest import digest
from datasets.input import WHOLE, Share, evaluation_dataset, steps_per_epoch, training_dataset
from trainers import environment
from trainers.run_directory import RunDirectory
from trainers.schedule import Schedule
from trainers.settings import FitSettings
from trainers.strategies import Team

# The schedule ends a run; Keras only needs a number that is never reached.
_KERAS_EPOCHS = 10**9


@dataclasses.dataclass(frozen=True)
class Run:
    """What to train, on which data, until when; checked before any time is spent on it.

    Attributes:
      settings: what the user asked for.
      directory: where the run is written.
      config: the model.
      train: images to train on.
      validation: held-out images.
      steps_per_epoch: steps from one validation to the next.
      schedule: learning rate and end.
      team: the devices to train on.
    """

    settings: FitSettings
    directory: RunDirectory
    config: ModelConfig
    train: ImageSource
    validation: ImageSource
    steps_per_epoch: int
    schedule: Schedule
    team: Team

    def epochs(self, step: int) -> list[dict[str, int]]:
        """Arguments of the calls of `fit` from a step on: the rest of an epoch, then whole ones."""
        epoch, done = divmod(step, self.steps_per_epoch)
        rest = []
        if done:
            left = self.steps_per_epoch - done
            rest = [{"initial_epoch": epoch, "epochs": epoch + 1, "steps_per_epoch": left}]
            epoch += 1
        every = {"initial_epoch": epoch, "epochs": _KERAS_EPOCHS}
        return [*rest, {**every, "steps_per_epoch": self.steps_per_epoch}]

    def annealed(self, step: int, minutes: float) -> float:
        """Share of the rank's annealing that is done, in [0, 1]: see `bplf_tf.svd`."""
        share = self.settings.svd_anneal_share
        if share is None:
            return min(1.0, step / self.config.svd_anneal_steps)
        return min(1.0, self.schedule.progress(step, minutes) / share)

    @functools.cached_property
    def data(self) -> dict[str, Any]:
        """What there is to train and to validate on, short enough to compare: JSON values."""
        return {"train_data": _summary(self.train), "validation_data": _summary(self.validation)}

    def training_data(self, step: int) -> Any:
        """What `fit` trains on from a step on: this process's share of every batch."""
        return self.team.dataset(functools.partial(self.batches, step))

    def batches(self, step: int = 0, share: Share = WHOLE) -> tf.data.Dataset:
        """Batches from a step on, without end."""
        settings = self.settings
        return training_dataset(
            self.train,
            settings.batch_size,
            settings.seed,
            start_step=step,
            flip=settings.flip,
            shift=settings.shift,
            share=share,
        )

    def validation_data(self, source: ImageSource) -> dict[str, Any]:
        """The arguments of `fit` by which it validates on these images, each of them once."""
        batch_size = self.settings.batch_size
        if self.team.share.total == 1:
            return {"validation_data": evaluation_dataset(source, batch_size)}
        # Keras cannot count the batches of a distributed data set, and would warn when they end.
        return {
            "validation_data": self.team.dataset(
                lambda share: evaluation_dataset(source, batch_size, share).repeat()
            ),
            "validation_steps": steps_per_epoch(source, batch_size),
        }

    def first_images(self) -> tuple[Any, Any]:
        """Images and labels for the data-dependent start, the same ones in every process."""
        images, labels = first_images(self.batches(), None, START_IMAGES)
        return images, labels if self.settings.conditional else None

    def describe(self, model: BPLF) -> dict[str, Any]:
        """Everything that defines the run, as plain JSON values."""
        return {
            "command": environment.fit_command(sys.argv[1:]),
            "settings": dataclasses.asdict(self.settings),
            "model": self.config.to_dict(),
            "parameters": model.count_params(),
            "steps_per_epoch": self.steps_per_epoch,
            "total_steps": self.schedule.total_steps,
            "data": {source.split: source.provenance for source in (self.train, self.validation)},
            **environment.describe(),
        }


def _summary(source: ImageSource) -> dict[str, Any]:
    return {
        "source": source.provenance.get("source", source.name),
        "images": len(source),
        "digest": digest(source),
    }
