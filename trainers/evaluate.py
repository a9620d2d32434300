"""Measures a trained model on a whole split: bits/dim, inversion error, speed.

python -m trainers.evaluate --model=runs/faces/model.keras --dataset=drawn_faces --split=test
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from bplf_tf.config import NETWORK_DTYPES
from trainers import flags
from trainers.files import write_json
from trainers.quiet import import_tensorflow
from trainers.settings import setting

if TYPE_CHECKING:
    from bplf_tf import BPLF
    from datasets import ImageSource


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """What to measure. Each field is a flag of the same name."""

    model: str | None = setting(None, "The model.keras of a run. Required.")
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
    seed: int = setting(0, "Of the dequantisation noise.")
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
        for name in ("limit", "batch_size", "draws", "inverse_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        if self.out and not Path(self.out).parent.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {Path(self.out).parent}")


def main(settings: EvaluateSettings) -> int:
    """Measures and reports; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        model = _load_model(settings)
        source = _load_images(settings, model)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    from trainers.measure import measure, table

    result = {
        "model": settings.model,
        "dataset": settings.dataset,
        "split": settings.split,
        "network_dtype": model.config.evaluation_network_dtype,
        "draws": settings.draws,
        "seed": settings.seed,
        **measure(
            model,
            source,
            batch_size=settings.batch_size,
            draws=settings.draws,
            seed=settings.seed,
            inverse_images=settings.inverse_images,
        ),
    }
    print(table(result))
    if settings.out:
        write_json(Path(settings.out), result)
        print(f"wrote {settings.out}")
    return 0


def _load_model(settings: EvaluateSettings) -> BPLF:
    from bplf_tf import BPLF, load_model

    model = load_model(settings.model or "")
    if settings.network_dtype is None:
        return model
    config = dataclasses.replace(model.config, evaluation_network_dtype=settings.network_dtype)
    other = BPLF(config)
    other.set_weights(model.get_weights())
    return other


def _load_images(settings: EvaluateSettings, model: BPLF) -> ImageSource:
    import datasets

    height, width, channels = model.config.image_shape
    source = datasets.load(
        settings.dataset or "",
        settings.split,
        data_path=settings.data_path,
        image_size=(height, width),
        channels=channels,
        limit=settings.limit,
    )
    if model.config.classes and source.classes != model.config.classes:
        raise ValueError(
            f"the model's labels are {', '.join(model.config.classes)}; "
            f"those of {settings.dataset} are {', '.join(source.classes)}"
        )
    return source


if __name__ == "__main__":
    flags.run(EvaluateSettings, main)
