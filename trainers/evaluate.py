"""Measures a trained model on a whole split: bits/dim, inversion error, speed, and more on request.

python -m trainers.evaluate --model=runs/faces/model.keras --dataset=drawn_faces --split=test

With --metrics, what it draws and edits is measured too, on the features of a classifier that
`python -m trainers.classifier` trained:

python -m trainers.evaluate --model=runs/faces --dataset=drawn_faces --metrics=all --judge=a.keras
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.config_checks import NETWORK_DTYPES
from bplf_tf.files import model_path
from datasets import NAMES, SPLITS, flags
from datasets.files import write_json
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers.metric_settings import MetricSettings
from trainers.nonfinite import NONFINITE, NonFiniteError
from trainers.settings import choice

if TYPE_CHECKING:
    from bplf_tf import BPLF
    from datasets import ImageSource


@dataclasses.dataclass(frozen=True)
class EvaluateSettings(MetricSettings):
    """What to measure. Each field is a flag of the same name."""

    model: str | None = setting(None, "A run directory, or its model.keras. Required.")
    dataset: str | None = setting(
        None, "Data set: drawn_faces, fer2013, mnist, cifar10, folder or emotionset. Required."
    )
    split: str = setting("validation", "Split to measure on: train, validation or test.")
    data_path: str | None = setting(
        None, "File or folder that holds the data set, if it needs one."
    )
    limit: int | None = setting(None, "Use at most this many images.")
    batch_size: int = setting(64, "Images at a time.")
    draws: int = setting(1, "Draws of dequantisation noise per image, averaged.")
    importance_samples: int | None = setting(
        None,
        "So many draws of noise instead, and the importance-weighted bound beside their mean.",
    )
    train_gap: bool = setting(
        False, "Measure as many training images too, and how much less they cost."
    )
    latents: bool = setting(False, "Mean, variance and kurtosis of the latents of each level.")
    pictures: str | None = setting(
        None,
        "Folder to write pictures to: samples, temperatures, the training images nearest to "
        "samples, reconstruction, interpolation.",
    )
    temperature: float = setting(0.7, "Temperature of the samples.")
    seed: int = setting(0, "Of the dequantisation noise and of the samples.")
    inverse_images: int = setting(1000, "Images for the inversion error, spread over the split.")
    network_dtype: str | None = setting(
        None,
        f"Arithmetic of the networks: {', '.join(NETWORK_DTYPES)}; the model's own if unset.",
    )
    out: str | None = setting(None, "JSON file to write the figures to.")

    def check(self) -> None:
        """Checks what needs neither model nor data; raises `ValueError` naming the flag."""
        if not self.model:
            raise ValueError("--model is required: the model.keras of a run")
        if not self.dataset:
            raise ValueError("--dataset is required")
        choice("dataset", self.dataset, NAMES)
        choice("split", self.split, SPLITS)
        for name in ("limit", "batch_size", "draws", "inverse_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        if self.importance_samples is not None and self.importance_samples < 2:
            raise ValueError(
                f"--importance_samples must be 2 or more, got {self.importance_samples}"
            )
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ValueError(f"--temperature must not be negative, got {self.temperature}")
        if self.out and not Path(self.out).parent.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {Path(self.out).parent}")
        if self.pictures and Path(self.pictures).is_file():
            raise NotADirectoryError(f"--pictures={self.pictures} is not a folder")
        if self.metrics and self.split == "train":
            raise ValueError(
                "--metrics needs a held-out --split, validation or test: the judge was trained on "
                "the training images"
            )
        if self.train_gap and self.split == "train":
            raise ValueError(
                "--train_gap needs a held-out --split, validation or test: it compares with the "
                "training images"
            )
        model_path(self.model)
        self.check_metrics()


def main(settings: EvaluateSettings) -> int:
    """Checks, measures, reports; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        model = _load_model(settings)
        source = _load_images(settings, model, settings.split)
        train = None
        others = None
        judges = None
        if settings.chosen_metrics():
            from trainers.judging import load_judges, measure_metrics

            judges = load_judges(settings, model)
        if settings.train_gap or settings.pictures or judges:
            train = _load_images(settings, model, "train")
        if judges and settings.split == "test":
            others = _load_images(settings, model, "validation")
        if settings.pictures:
            Path(settings.pictures).mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    from trainers.measure import table

    try:
        result = _measured(settings, model, source, train if settings.train_gap else None)
    except NonFiniteError as error:
        print(f"error: {error}", file=sys.stderr)
        return NONFINITE
    print(table(result))
    if judges and train:
        try:
            result["metrics"], text = measure_metrics(
                settings, model, judges, source, train, others
            )
        except ValueError as error:
            raise flags.UserError(str(error)) from error
        print(f"\n{text}")
    if settings.out:
        write_json(Path(settings.out), result)
        print(f"wrote {settings.out}")
    if settings.pictures and train:
        _draw(settings, model, source, train)
    return 0


def _measured(
    settings: EvaluateSettings, model: BPLF, source: ImageSource, train: ImageSource | None
) -> dict[str, Any]:
    """The figures of `trainers.measure`, with what they are of."""
    from trainers.measure import (
        bits_of_draws,
        gap,
        latent_statistics,
        mean_and_error,
        measure,
        spread,
    )

    draws = settings.importance_samples or settings.draws
    print(f"Measuring {len(source)} images, draws of noise for each: {draws}", flush=True)
    result: dict[str, Any] = {
        "model": settings.model,
        "dataset": settings.dataset,
        "split": settings.split,
        "network_dtype": model.config.evaluation_network_dtype,
        "draws": draws,
        "seed": settings.seed,
        **measure(
            model,
            source,
            batch_size=settings.batch_size,
            draws=draws,
            seed=settings.seed,
            inverse_images=settings.inverse_images,
        ),
    }
    if train:
        some = spread(train, len(source))
        labels = some.labels if model.config.classes else None
        bits, _ = bits_of_draws(
            model, some.images, labels, settings.batch_size, draws, settings.seed
        )
        of_images = mean_and_error(bits.mean(axis=0))
        result["train"] = {"images": len(some), **of_images}
        result["train_gap"] = gap(result, of_images)
    if settings.latents:
        result["latents"] = latent_statistics(model, source, settings.seed)
    return result


def _load_model(settings: EvaluateSettings) -> BPLF:
    from bplf_tf import BPLF, load_model

    model = load_model(settings.model or "")
    if settings.network_dtype is None:
        return model
    config = dataclasses.replace(model.config, evaluation_network_dtype=settings.network_dtype)
    other = BPLF(config)
    other.set_weights(model.get_weights())
    return other


def _draw(settings: EvaluateSettings, model: BPLF, source: ImageSource, train: ImageSource) -> None:
    from trainers.image_grid import save_png
    from trainers.pictures import all_pictures

    pictures = all_pictures(model, source, train, settings.temperature, settings.seed)
    for name, picture in pictures.items():
        path = Path(settings.pictures or "") / f"{name}.png"
        save_png(picture, path)
        print(f"wrote {path}")


def _load_images(settings: EvaluateSettings, model: BPLF, split: str) -> ImageSource:
    import datasets

    height, width, channels = model.config.image_shape
    source = datasets.load(
        settings.dataset or "",
        split,
        data_path=settings.data_path,
        image_size=(height, width),
        channels=channels,
        limit=settings.limit if split == settings.split else None,
    )
    if model.config.classes and source.classes != model.config.classes:
        raise ValueError(
            f"the model's labels are {', '.join(model.config.classes)}; "
            f"those of {settings.dataset} are {', '.join(source.classes)}"
        )
    return source


if __name__ == "__main__":
    flags.run(EvaluateSettings, main)
