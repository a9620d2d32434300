"""Draws samples of a trained model as a picture.

python -m trainers.sample --model=runs/faces/model.keras --label=happy --n=16 --out=grid.png
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

from bplf_tf.files import model_path
from datasets import flags
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow

if TYPE_CHECKING:
    import numpy as np

    from bplf_tf import BPLF

_ALL = "all"


@dataclasses.dataclass(frozen=True)
class SampleSettings:
    """What to draw. Each field is a flag of the same name."""

    model: str | None = setting(None, "A run directory, or its model.keras. Required.")
    label: str | None = setting(
        None,
        "Label to sample, several with commas between them, or all; one row per label where there "
        "are several. Not given for a model without labels.",
    )
    n: int = setting(16, "Samples per label.")
    temperature: float = setting(0.7, "Factor of the latents' standard deviation.")
    label_strength: float = setting(
        1.0, "More than 1 shows the label more plainly than the data does, up to caricatures."
    )
    seed: int = setting(0, "The same seed gives the same samples.")
    out: str = setting("samples.png", "PNG to write.")

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` naming the flag."""
        if not self.model:
            raise ValueError("--model is required: the model.keras of a run")
        if self.n < 1:
            raise ValueError(f"--n must be a positive integer, got {self.n}")
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ValueError(f"--temperature must not be negative, got {self.temperature}")
        if not (self.label_strength >= 0 and math.isfinite(self.label_strength)):
            raise ValueError(f"--label_strength must not be negative, got {self.label_strength}")
        if Path(self.out).suffix.lower() != ".png":
            raise ValueError(f"--out must end in .png, got {self.out!r}")
        folder = Path(self.out).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {folder}")
        model_path(self.model)


def main(settings: SampleSettings) -> int:
    """Draws and writes the picture; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from bplf_tf import load_model

        model = load_model(settings.model or "")
        labels = chosen_labels(settings.label, model.config.classes)
        if settings.label_strength != 1 and not model.config.classes:
            raise ValueError(
                f"--label_strength={settings.label_strength}: this model has no labels"
            )
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error

    from trainers.image_grid import image_grid, save_png

    save_png(image_grid(_rows(model, labels, settings)), Path(settings.out))
    print(f"wrote {settings.out}")
    return 0


def chosen_labels(label: str | None, classes: tuple[str, ...]) -> list[str | None]:
    """The labels that `--label` asks for, `[None]` for a model without labels.

    Raises:
      ValueError: an unknown label, none where one is needed, or one where there are none.
    """
    if not classes:
        if label is not None:
            raise ValueError(f"--label={label}: this model was trained without labels")
        return [None]
    if label is None:
        raise ValueError(f"--label is required: {_ALL}, or of {', '.join(classes)}")
    if label == _ALL and _ALL not in classes:
        return list(classes)
    names = [name.strip() for name in label.split(",")]
    for name in names:
        if name not in classes:
            raise ValueError(f"unknown --label={name}: the labels are {', '.join(classes)}")
    return list(names)


def _rows(
    model: BPLF, labels: list[str | None], settings: SampleSettings
) -> list[tuple[str, list[np.ndarray]]]:
    draw = [
        model.sample(
            label, settings.n, settings.temperature, settings.seed, settings.label_strength
        )
        for label in labels
    ]
    if len(labels) > 1:
        return [(label or "", [images]) for label, images in zip(labels, draw, strict=True)]
    (images,) = draw
    columns = math.ceil(math.sqrt(len(images)))
    return [("", [images[start : start + columns]]) for start in range(0, len(images), columns)]


if __name__ == "__main__":
    flags.run(SampleSettings, main)
