"""The flags of `python -m trainers.evaluate --metrics=...`. No TensorFlow."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bplf_tf.files import model_path
from datasets.flags import setting

OF_SAMPLES = ("accuracy", "kid", "fid", "precision_recall", "memorisation")
CLASSIFICATION, EDITS = "classification_accuracy", "edits"
METRICS = (*OF_SAMPLES, CLASSIFICATION, EDITS)
_ALL = "all"


@dataclasses.dataclass(frozen=True)
class MetricSettings:
    """What of samples and edits to measure, and by whom. Each field is a flag of the same name."""

    metrics: str | None = setting(
        None,
        f"Figures of samples and edits, with commas between them: {', '.join(METRICS)}; or {_ALL}. "
        "They need --judge.",
    )
    judge: str | None = setting(
        None, "A classifier that trainers.classifier wrote and by which nothing was chosen."
    )
    classifier: str | None = setting(
        None, "Another one, such as that which rejected samples: its reading beside the judge's."
    )
    identity: str | None = setting(
        None, "What trainers.identity wrote, to tell whether an edited face is still the same one."
    )
    pixel_model: str | None = setting(
        None, "What trainers.synthesis saved, ending in .npz: its edits beside the flow's."
    )
    label_strength: float = setting(
        1.0,
        "Of samples: more than 1 shows the label more plainly than the data does; precision and "
        "coverage tell what that costs.",
    )
    samples: int = setting(5000, "Most samples of a seed; else as many as held-out images.")
    metric_seeds: int = setting(
        3, "Sets of samples, from --seed on; figures are means over them with intervals."
    )
    edit_people: int = setting(100, "Edit the neutral faces of at most so many people.")
    training_images: int | None = setting(
        None, f"{CLASSIFICATION}: train on at most so many real images, and generated ones."
    )
    classifier_epochs: int = setting(15, f"{CLASSIFICATION}: most passes of each classifier.")
    classifier_minutes: float | None = setting(
        None, f"{CLASSIFICATION}: most minutes of each classifier."
    )

    def chosen_metrics(self) -> tuple[str, ...]:
        """What `--metrics` names, in the order of `METRICS`.

        Raises:
          ValueError: for a name that is none of them.
        """
        if not self.metrics:
            return ()
        names = [name.strip() for name in self.metrics.split(",")]
        if names == [_ALL]:
            return METRICS
        for name in names:
            if name not in METRICS:
                raise ValueError(
                    f"--metrics must be {_ALL} or of {', '.join(METRICS)}, got {name!r}"
                )
        return tuple(name for name in METRICS if name in names)

    def check_metrics(self) -> None:
        """Checks what needs neither models nor data; raises `ValueError` naming the flag."""
        chosen = self.chosen_metrics()
        for name in ("samples", "metric_seeds", "edit_people", "training_images",
                     "classifier_epochs"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        if not 0 <= self.label_strength < float("inf"):
            raise ValueError(f"--label_strength must not be negative, got {self.label_strength}")
        if self.classifier_minutes is not None and not self.classifier_minutes > 0:
            raise ValueError(f"--classifier_minutes must be positive: {self.classifier_minutes}")
        given = {name: getattr(self, name) for name in ("judge", "classifier", "identity")}
        if not chosen:
            for name in (*given, "pixel_model"):
                if getattr(self, name):
                    raise ValueError(f"--{name} is there for --metrics, which is not given")
            return
        if not self.judge:
            raise ValueError(
                "--metrics needs --judge: a classifier from python -m trainers.classifier"
            )
        paths = {name: model_path(path).resolve() for name, path in given.items() if path}
        if paths["judge"] == paths.get("classifier"):
            raise ValueError("--judge must be another classifier than --classifier, which chose")
        if self.pixel_model and not Path(self.pixel_model).is_file():
            raise FileNotFoundError(f"--pixel_model={self.pixel_model}: there is no such file")
