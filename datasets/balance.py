"""Fills up the rare labels of a data set with faces that a flow generates.

python -m datasets.balance --model=runs/faces --dataset=emotionset --data_path=data --out=balanced
python -m datasets.balance --model=runs/faces --counts=fear=5000 --classifier=chooser.keras --out=b
python -m trainers.fit --dataset=folder --data_path=balanced --image_size=48 ...

A face is drawn and kept, or rejected: because the model itself thinks it unlikely, because a
classifier does not see the label in it, or because it is nearly a training image or nearly one that
was generated before. Every record of the set says whether it is generated, and how.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import model_path
from datasets import flags
from datasets.balancing import counts
from datasets.command import command
from datasets.files import WriteError, folder_written_aside, system_reason
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from datasets.registry import NAMES

if TYPE_CHECKING:
    from bplf_tf import BPLF
    from datasets.balancing.faces import Face
    from datasets.balancing.generating import Classifier, Draw, Limits, Outcome
    from datasets.source import ImageSource

FORMS = ("folder", "tfds")


@dataclasses.dataclass(frozen=True)
class BalanceSettings:
    """What to fill up, with what, and how choosy. Each field is a flag of the same name."""

    model: str | None = setting(
        None, "The flow that generates: a run directory or model.keras, with labels. Required."
    )
    dataset: str = setting(
        "emotionset", f"Data set to fill up, which the model was trained on: {', '.join(NAMES)}."
    )
    data_path: str | None = setting(None, "Where that data is.")
    limit: int | None = setting(None, "Read at most so many images of each split, to try it out.")
    out: str | None = setting(None, "Folder to write, which must not exist. Required.")
    form: str = setting(
        "folder",
        "folder: PNG files, which --dataset=folder reads; tfds: records as EmotionSet has them, "
        "which --dataset=emotionset reads.",
    )
    counts: str = setting(
        counts.MAX, f"Images of each label, with the real training images: {counts.ACCEPTED}."
    )
    include_real: bool = setting(
        True,
        "Write the real images too, all splits; --noinclude_real writes the generated ones alone, "
        "a tenth of them for validation.",
    )
    temperature: float = setting(0.7, "Factor of the latents' standard deviation.")
    label_strength: float = setting(
        1.0,
        "More than 1 shows the label more plainly than the data does, up to caricatures.",
    )
    seed: int = setting(0, "Of the faces; the same seed gives the same set.")
    classifier: str | None = setting(
        None, "Classifier that reads the label of each face: what trainers.classifier wrote."
    )
    min_confidence: float | None = setting(
        None, "Least probability of the label, by the classifier; 0.5 if unset."
    )
    min_log_prob_quantile: float = setting(
        0.01,
        "A face has to be likelier than this share of the real training images of its label; 0 "
        "asks for nothing.",
    )
    min_distance: float | None = setting(
        None,
        "Least distance from every training image, mirrored or not, and from every face of the "
        "label that was generated before: root of the mean squared difference, in grey levels. 0 "
        "asks for nothing; if unset it is what 99 of 100 validation images keep, and 4 at least.",
    )
    max_attempts: int = setting(20, "Faces to draw at most for each one that is missing.")

    def check(self) -> None:
        """Checks what needs neither model nor data; raises `ValueError` or `OSError`."""
        for name in ("model", "out"):
            if not getattr(self, name):
                raise ValueError(f"--{name} is required")
        for name, accepted in (("dataset", NAMES), ("form", FORMS)):
            if getattr(self, name) not in accepted:
                raise ValueError(
                    f"--{name} must be one of {', '.join(accepted)}; got {getattr(self, name)!r}"
                )
        if Path(str(self.out)).exists():
            raise FileExistsError(f"--out={self.out} exists: remove it or choose another folder")
        counts.parse(self.counts, ())
        self._check_numbers()
        model_path(str(self.model))
        if self.classifier:
            model_path(self.classifier)
        elif self.min_confidence is not None:
            raise ValueError("--min_confidence is asked of a classifier: give --classifier too")

    def _check_numbers(self) -> None:
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise ValueError(f"--temperature must be 0 or more, got {self.temperature}")
        if not (self.label_strength >= 0 and math.isfinite(self.label_strength)):
            raise ValueError(f"--label_strength must be 0 or more, got {self.label_strength}")
        if not 0 <= self.min_log_prob_quantile < 1:
            raise ValueError(
                f"--min_log_prob_quantile must lie in [0, 1), got {self.min_log_prob_quantile}"
            )
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise ValueError(f"--min_confidence must lie in [0, 1], got {self.min_confidence}")
        if self.min_distance is not None and not 0 <= self.min_distance <= 255:
            raise ValueError(
                f"--min_distance must be from 0 to 255 grey levels, got {self.min_distance}"
            )
        if self.max_attempts < 1:
            raise ValueError(f"--max_attempts must be at least 1, got {self.max_attempts}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"--limit must be at least 1, got {self.limit}")
        if not 0 <= self.seed < 2**24:
            raise ValueError(f"--seed must be from 0 to {2**24 - 1}, got {self.seed}")

    def limits(self, real: Mapping[str, ImageSource]) -> Limits:
        """What a generated face has to come up to, by the real faces of train and validation."""
        from datasets.balancing.generating import Limits
        from datasets.balancing.neighbours import usual_distance

        least = 0.5 if self.min_confidence is None else self.min_confidence
        distance = self.min_distance
        if distance is None:
            held_out, train = real["validation"].images, real["train"].images
            distance = usual_distance(held_out, train, self.seed)
        return Limits(
            log_prob_quantile=self.min_log_prob_quantile,
            confidence=least if self.classifier else 0.0,
            distance=distance,
            attempts=self.max_attempts,
        )

    @property
    def draw(self) -> Draw:
        """How faces are drawn."""
        from datasets.balancing.generating import Draw

        return Draw(self.temperature, self.label_strength, self.seed)


def main(settings: BalanceSettings) -> int:
    """Generates, writes and tells what was written; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from bplf_tf import load_model

        model = load_model(str(settings.model))
        real = _load_data(settings, model)
        lacking = counts.missing(settings.counts, real["train"].class_counts())
        classifier = _load_classifier(settings, model)
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error

    limits = settings.limits(real)
    if settings.min_distance is None:
        print(f"--min_distance={limits.distance:.1f} grey levels, by validation images", flush=True)
    outcomes = _generate(settings, model, real["train"], classifier, lacking, limits)
    if not settings.include_real:
        real = {"train": real["train"]}
    _write(settings, outcomes, real, limits)
    return 0


def _load_data(settings: BalanceSettings, model: BPLF) -> dict[str, ImageSource]:
    """The splits that are needed, as the model takes them; a test split only if there is one.

    Raises:
      ValueError: the data does not fit the model.
      FileNotFoundError: there is no such data.
    """
    import datasets

    classes = model.config.classes
    height, width, channels = model.config.image_shape
    if not classes:
        raise ValueError(f"--model={settings.model} was trained without labels")
    if settings.form == "tfds" and height != width:
        raise ValueError(f"--form=tfds takes square images; the model's are {height}x{width}")
    splits = ["train"]
    if settings.include_real or settings.min_distance is None:
        splits.append("validation")
    if settings.include_real:
        splits.append("test")
    sources = {}
    for split in splits:
        try:
            sources[split] = datasets.load(
                settings.dataset,
                split,
                data_path=settings.data_path,
                image_size=(height, width),
                channels=channels,
                limit=settings.limit,
            )
        except ValueError as error:
            if split != "test":
                raise
            print(f"the set gets no test split: {error}", file=sys.stderr)
    provenance = sources["train"].provenance
    if provenance.get("fallback"):
        print(f"warning: drawn faces are filled up: {provenance['reason']}", file=sys.stderr)
    found = sources["train"].classes
    if found != classes:
        raise ValueError(
            f"the model's labels are {', '.join(classes)}; those of --dataset={settings.dataset} "
            f"are {', '.join(found)}"
        )
    return sources


def _load_classifier(settings: BalanceSettings, model: BPLF) -> Classifier | None:
    if not settings.classifier:
        return None
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier

    classifier: Classifier = ExpressionClassifier.load(settings.classifier)
    if tuple(classifier.image_shape) != model.config.image_shape:
        raise ValueError(
            f"--classifier={settings.classifier} reads images of shape {classifier.image_shape}, "
            f"the model's have {model.config.image_shape}"
        )
    unknown = [name for name in model.config.classes if name not in classifier.labels]
    if unknown:
        raise ValueError(
            f"--classifier={settings.classifier} knows {', '.join(classifier.labels)}, but not "
            f"{', '.join(unknown)}, which the model has"
        )
    return classifier


def _generate(
    settings: BalanceSettings,
    model: BPLF,
    train: ImageSource,
    classifier: Classifier | None,
    lacking: dict[str, int],
    limits: Limits,
) -> dict[str, Outcome]:
    """What came of each label; says of each what it lacks.

    Raises:
      UserError: nothing that was generated was accepted.
    """
    from datasets.balancing.generating import Generator
    from datasets.balancing.report import shortage

    generator = Generator(model, train, classifier, limits, settings.draw)
    outcomes = {}
    for name, wanted in lacking.items():
        outcomes[name] = generator.fill(name, wanted)
        if wanted:
            print(f"{name}: {len(outcomes[name].made)} of {wanted} generated", flush=True)
    short = [shortage(name, outcome) for name, outcome in outcomes.items() if outcome.short]
    if not any(outcome.made for outcome in outcomes.values()):
        raise flags.UserError("nothing was written: " + "; ".join(short))
    for line in short:
        print(f"warning: {line}", file=sys.stderr)
    return outcomes


def _write(
    settings: BalanceSettings,
    outcomes: dict[str, Outcome],
    real: dict[str, ImageSource],
    limits: Limits,
) -> None:
    """Writes the set and its report, whole or not at all, and says what was written.

    Raises:
      WriteError: they cannot be written.
    """
    from datasets.balancing import report
    from datasets.balancing.faces import generated_faces, real_faces

    file = model_path(str(settings.model))
    digest = _sha256(file)
    made = generated_faces(outcomes, digest[:16], settings.draw, hold_out=not settings.include_real)
    faces = [*(real_faces(real) if settings.include_real else ()), *made]
    details: dict[str, Any] = {
        "model": str(settings.model),
        "model_sha256": digest,
        "classifier": settings.classifier,
        "classifier_sha256": _sha256(model_path(settings.classifier))
        if settings.classifier
        else None,
        **{
            name: getattr(settings, name)
            for name in ("dataset", "data_path", "limit", "counts", "include_real", "form")
        },
        **dataclasses.asdict(settings.draw),
    }
    content = report.describe(outcomes, faces, real, limits, **details)
    out = Path(str(settings.out)).absolute()
    with folder_written_aside(out) as aside:
        place = _write_faces(settings, faces, real["train"].classes, aside)
        report.write(place / report.FOLDER, content, faces)
    print(report.table(content))
    print(f"wrote {settings.out}, {len(faces):,} images")
    dataset = "folder" if settings.form == "folder" else "emotionset"
    fit = [f"--dataset={dataset}", f"--data_path={settings.out}", "--run_dir=runs/balanced"]
    print(f"train {command('trainers.fit', [*fit, '--max_minutes=30'])}")


def _write_faces(
    settings: BalanceSettings, faces: list[Face], classes: tuple[str, ...], folder: Path
) -> Path:
    """Writes the images; returns the folder that the report belongs into."""
    if settings.form == "folder":
        from datasets.balancing import image_folder

        image_folder.write(faces, folder)
        return folder
    from datasets.balancing import builder

    try:
        return builder.write(faces, classes, folder)
    except Exception as error:  # TFDS lets TensorFlow's errors through
        if isinstance(error, OSError) or system_reason(error) is None:
            raise
        raise WriteError(f"could not write {settings.out}: {system_reason(error)}") from error


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    flags.run(BalanceSettings, main)
