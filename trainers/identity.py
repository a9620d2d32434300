"""Trains features that tell people apart, and says how well they do with people never seen.

python -m trainers.identity --out=classifiers/identity.keras
python -m trainers.identity --dataset=olivetti --data_path=path/to/scikit_learn_data --out=id.keras

The network learns to name the people of the training split; its features, compared by the cosine,
are then asked whether two photographs of held-out people show one of them or two.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from datasets import flags
from datasets.cores import cores
from datasets.flags import setting
from datasets.people import NAMES
from datasets.quiet_tensorflow import import_tensorflow
from trainers.classifier import ARCHITECTURES
from trainers.classifier_files import check_place, make_place, write_classifier
from trainers.settings import choice
from trainers.threads import set_threads

if TYPE_CHECKING:
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier
    from datasets import ImageSource

_HELD_OUT_PEOPLE = 50


@dataclasses.dataclass(frozen=True)
class IdentitySettings:
    """What to train. Each field is a flag of the same name."""

    out: str | None = setting(None, "File ending in .keras to write the network to. Required.")
    overwrite: bool = setting(False, "Replace the file if there is one.")
    dataset: str = setting("drawn_faces", f"Photographs of people: {', '.join(NAMES)}.")
    data_path: str | None = setting(
        None, "olivetti: the folder that scikit-learn downloaded them to, or an .npz."
    )
    image_size: int | None = setting(None, "Height and width; 48 for drawn faces if unset.")
    channels: int | None = setting(None, "1 for grey images, 3 for colour; grey if unset.")
    people: int = setting(300, "drawn_faces: people to train on.")
    photographs: int = setting(10, "drawn_faces: photographs of each; 10 or more.")
    architecture: str = setting("b", f"Network: {' or '.join(ARCHITECTURES)}.")
    epochs: int = setting(40, "Most passes over the photographs.")
    max_minutes: float | None = setting(None, "Stop after so many minutes.")
    seed: int = setting(0, "Of the weights' start, the order and the augmentation.")

    def check(self) -> None:
        """Checks what needs no data; raises `ValueError` naming the flag."""
        check_place(self.out, self.overwrite)
        choice("dataset", self.dataset, NAMES)
        choice("architecture", self.architecture, ARCHITECTURES)
        for name in ("image_size", "people", "epochs"):
            value = getattr(self, name)
            if value is not None and value < (2 if name == "people" else 1):
                raise ValueError(f"--{name} is too small: {value}")
        if self.photographs < 10:
            raise ValueError(f"--photographs must be 10 or more, got {self.photographs}")
        if self.max_minutes is not None and not 0 < self.max_minutes < math.inf:
            raise ValueError(f"--max_minutes must be a positive number, got {self.max_minutes}")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}")


def main(settings: IdentitySettings) -> int:
    """Trains, reports, writes; returns the exit code."""
    try:
        settings.check()
        make_place(settings.out)
        train, held_out = (_load(settings, split) for split in ("train", "test"))
        import_tensorflow()
        set_threads(0, cores())
        from trainers.classifier_fit import ClassifierPlan, fit_classifier

        network = fit_classifier(
            train,
            ClassifierPlan(
                architecture=settings.architecture,
                epochs=settings.epochs,
                max_minutes=settings.max_minutes,
                patience=settings.epochs,  # features go on improving while names no longer do
                seed=settings.seed,
            ),
        )
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    from trainers import environment

    figures = verification_figures(network, held_out)
    low, high = figures["interval"]
    print(
        f"two photographs of one person are told from those of two with an area under the curve of "
        f"{figures['auc']:.3f} ({low:.3f} to {high:.3f}), by {len(held_out)} photographs of "
        f"{figures['people']} people never seen"
    )
    record = {
        "settings": dataclasses.asdict(settings),
        "training_people": len(train.classes),
        "training_images": len(train),
        "provenance": train.provenance,
        "environment": environment.describe(),
        "held_out": {"images": len(held_out), **figures},
    }
    write_classifier(network, settings.out or "", record)
    return 0


def verification_figures(network: ExpressionClassifier, held_out: ImageSource) -> dict[str, Any]:
    """How well a network's features verify the people of a source; see `verification`."""
    from bplf_tf.metrics.identity import verification

    return verification(network.features(held_out.images), held_out.labels)


def _load(settings: IdentitySettings, split: str) -> ImageSource:
    from datasets.people import load_people

    return load_people(
        settings.dataset,
        split,
        settings.data_path,
        people=settings.people if split == "train" else min(_HELD_OUT_PEOPLE, settings.people),
        photographs=settings.photographs,
        image_size=settings.image_size,
        channels=settings.channels,
    )


if __name__ == "__main__":
    flags.run(IdentitySettings, main)
