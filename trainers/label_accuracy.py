"""How often a classifier of real images reads a sample's label as the one asked for.

python -m trainers.label_accuracy --model=runs/faces/model.keras --dataset=drawn_faces

Trains a small convolutional network on the training images, reports how well it reads held-out
images, then lets it read samples of the model. It has never seen a sample.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import model_path
from datasets import flags
from datasets.files import write_json
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow

if TYPE_CHECKING:
    import keras
    import numpy as np

    from bplf_tf import BPLF
    from datasets import ImageSource


@dataclasses.dataclass(frozen=True)
class LabelAccuracySettings:
    """What to judge, and by whom. Each field is a flag of the same name."""

    model: str | None = setting(None, "A run directory, or its model.keras, with labels. Required.")
    dataset: str = setting("drawn_faces", "Data set to train the classifier on.")
    data_path: str | None = setting(
        None, "File or folder that holds the data set, if it needs one."
    )
    limit: int | None = setting(None, "Train and test on at most this many images each.")
    epochs: int = setting(10, "Passes of the classifier over the training images.")
    per_label: int = setting(100, "Samples per label.")
    temperature: float = setting(0.7, "Factor of the latents' standard deviation.")
    seed: int = setting(0, "Of the classifier's start and of the samples.")
    out: str | None = setting(None, "JSON file to write the figures to.")

    def check(self) -> None:
        """Checks what needs neither model nor data; raises `ValueError` naming the flag."""
        if not self.model:
            raise ValueError("--model is required: the model.keras of a run")
        for name in ("limit", "epochs", "per_label"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ValueError(f"--temperature must not be negative, got {self.temperature}")
        if self.out and not Path(self.out).parent.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {Path(self.out).parent}")
        model_path(self.model)


def main(settings: LabelAccuracySettings) -> int:
    """Trains the classifier, judges, reports; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from bplf_tf import load_model

        model = load_model(settings.model or "")
        train, test = (_load(settings, model, split) for split in ("train", "test"))
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    classifier = train_classifier(train, settings.epochs, settings.seed)
    result = judge(model, classifier, test, settings)
    print(_table(result))
    if settings.out:
        write_json(Path(settings.out), result)
        print(f"wrote {settings.out}")
    return 0


def train_classifier(source: ImageSource, epochs: int, seed: int) -> keras.Model:
    """A small convolutional network from uint8 images to logits of the labels, trained."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Input(source.image_shape), keras.layers.Rescaling(1 / 128, offset=-1)]
    for width in (16, 32, 64):
        layers.append(keras.layers.Conv2D(width, 3, padding="same", activation="relu"))
        layers.append(keras.layers.MaxPooling2D(2))
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.3)]
    classifier = keras.Sequential([*layers, keras.layers.Dense(len(source.classes))])
    classifier.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    classifier.fit(source.images, source.labels, batch_size=64, epochs=epochs, verbose=2)
    return classifier


def judge(
    model: BPLF, classifier: keras.Model, test: ImageSource, settings: LabelAccuracySettings
) -> dict[str, Any]:
    """Accuracy on held-out images and on samples, whole and per label.

    Returns:
      `test_accuracy` on `test_images` held-out images, `sample_accuracy` on `samples` samples,
      `per_label`, and the `temperature` and `seed` of the samples.
    """
    import numpy as np

    rightly_read = {}
    for label, name in enumerate(model.config.classes):
        samples = model.sample(
            label, n=settings.per_label, temperature=settings.temperature, seed=settings.seed
        )
        rightly_read[name] = float(np.mean(_read(classifier, samples) == label))
    return {
        "test_accuracy": float(np.mean(_read(classifier, test.images) == test.labels)),
        "test_images": len(test),
        "sample_accuracy": float(np.mean(list(rightly_read.values()))),
        "samples": settings.per_label * len(rightly_read),
        "per_label": rightly_read,
        "temperature": settings.temperature,
        "seed": settings.seed,
    }


def _load(settings: LabelAccuracySettings, model: BPLF, split: str) -> ImageSource:
    import datasets

    if not model.config.classes:
        raise ValueError(f"--model={settings.model} was trained without labels")
    height, width, channels = model.config.image_shape
    source = datasets.load(
        settings.dataset,
        split,
        data_path=settings.data_path,
        image_size=(height, width),
        channels=channels,
        limit=settings.limit,
    )
    if source.classes != model.config.classes:
        raise ValueError(
            f"the model's labels are {', '.join(model.config.classes)}; "
            f"those of {settings.dataset} are {', '.join(source.classes)}"
        )
    return source


def _read(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    return classifier.predict(images, batch_size=256, verbose=0).argmax(axis=1)


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"held-out images   {result['test_accuracy']:.1%} of {result['test_images']}",
        f"samples           {result['sample_accuracy']:.1%} of {result['samples']}, "
        f"temperature {result['temperature']:g}",
        *(f"  {name:<16}{share:.0%}" for name, share in result["per_label"].items()),
    ]
    return "rightly read by the classifier\n" + "\n".join(lines)


if __name__ == "__main__":
    flags.run(LabelAccuracySettings, main)
