"""Whether generated faces help a classifier that is to read real ones.

python -m trainers.augmentation --dataset=fer2013 --data_path=fer2013.csv --generated_path=balanced

Fits one and the same network to real images, to real images whose rare labels are repeated as often
as generated ones fill them up, to both, and, where they have every label, to generated ones alone
(the classification accuracy score); once for each seed, for as many steps each, the epoch chosen by
the same tenth of the real images. Then it reads held-out real images with each.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

from bplf_tf.config_checks import NETWORK_DTYPES
from datasets import NAMES, SPLITS, flags
from datasets.cores import cores
from datasets.files import write_json
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers.classifier import ARCHITECTURES
from trainers.settings import choice
from trainers.threads import set_threads

if TYPE_CHECKING:
    from datasets import ImageSource


@dataclasses.dataclass(frozen=True)
class AugmentationSettings:
    """What to compare. Each field is a flag of the same name."""

    dataset: str | None = setting(None, f"Real images: {', '.join(NAMES)}. Required.")
    data_path: str | None = setting(None, "File or folder that holds them, if they need one.")
    split: str = setting("validation", "Held-out split to read: validation or test.")
    limit: int | None = setting(None, "Train on at most so many real images.")
    generated: str = setting("folder", "Data set of the generated images.")
    generated_path: str | None = setting(
        None, "File or folder that holds them; their training split is taken. Required."
    )
    architecture: str = setting(
        "a",
        f"Network: {' or '.join(ARCHITECTURES)}; another than that of the classifier that chose.",
    )
    epochs: int = setting(
        30, "Passes of each classifier over as many images as the largest set has."
    )
    max_minutes: float | None = setting(None, "Most minutes of each classifier.")
    network_dtype: str = setting("float32", f"Arithmetic: {' or '.join(NETWORK_DTYPES)}.")
    seeds: int = setting(3, "Classifiers of each kind, from --seed on.")
    seed: int = setting(0, "Of the first.")
    out: str | None = setting(None, "JSON file to write the figures to.")

    def check(self) -> None:
        """Checks what needs no data; raises `ValueError` naming the flag."""
        if not self.dataset:
            raise ValueError("--dataset is required: the real images")
        choice("dataset", self.dataset, NAMES)
        choice("generated", self.generated, NAMES)
        choice("split", self.split, SPLITS[1:])
        choice("architecture", self.architecture, ARCHITECTURES)
        choice("network_dtype", self.network_dtype, NETWORK_DTYPES)
        if not self.generated_path:
            raise ValueError("--generated_path is required: the generated images")
        for name in ("limit", "epochs", "seeds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        if self.max_minutes is not None and not 0 < self.max_minutes < math.inf:
            raise ValueError(f"--max_minutes must be a positive number, got {self.max_minutes}")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}")
        if self.out and not Path(self.out).parent.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {Path(self.out).parent}")


def main(settings: AugmentationSettings) -> int:
    """Fits, compares, reports; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        set_threads(0, cores())
        import datasets
        from trainers.classification_score import classification_scores, table
        from trainers.classifier_fit import ClassifierPlan

        real, test = (
            datasets.load(
                settings.dataset or "",
                split,
                data_path=settings.data_path,
                limit=settings.limit if split == "train" else None,
            )
            for split in ("train", settings.split)
        )
        images = (real, load_generated(settings, real, test))
        result = classification_scores(
            dict.fromkeys(range(settings.seed, settings.seed + settings.seeds), images),
            test,
            ClassifierPlan(
                architecture=settings.architecture,
                epochs=settings.epochs,
                max_minutes=settings.max_minutes,
                network_dtype=settings.network_dtype,
            ),
            repeated=True,
        )
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error
    print(table(result))
    if settings.out:
        record = {"settings": dataclasses.asdict(settings), **result}
        write_json(Path(settings.out), record)
        print(f"wrote {settings.out}")
    return 0


def load_generated(
    settings: AugmentationSettings, real: ImageSource, held_out: ImageSource
) -> ImageSource:
    """The training split of the generated images, with the real ones' labels and shape.

    A set that fills up rare labels need not have the others.

    Raises:
      ValueError: if it has a label that the real images do not have, or real images among them.
    """
    import numpy as np

    import datasets

    height, width, channels = real.image_shape
    generated = datasets.load(
        settings.generated,
        "train",
        data_path=settings.generated_path,
        image_size=(height, width),
        channels=channels,
    )
    unknown = sorted(set(generated.classes) - set(real.classes))
    if unknown:
        raise ValueError(
            f"{settings.generated_path} has the label {unknown[0]!r}; those of the real images "
            f"are {', '.join(real.classes)}"
        )
    known = {image.tobytes() for source in (real, held_out) for image in source.images}
    copies = sum(image.tobytes() in known for image in generated.images)
    if copies:
        raise ValueError(
            f"{copies} of the {len(generated)} images in {settings.generated_path} are real ones: "
            "it must hold generated images alone, as datasets.balance --noinclude_real writes them"
        )
    place = np.array([real.classes.index(name) for name in generated.classes], np.int32)
    return dataclasses.replace(generated, labels=place[generated.labels], classes=real.classes)


if __name__ == "__main__":
    flags.run(AugmentationSettings, main)
