"""Editors side by side: the pixel model, the flow at several strengths, two that know nothing.

python -m trainers.compare_editors --model=runs/drawn --judge=runs/judge --out=editors/drawn
python -m trainers.compare_editors --model=runs/fer --judge=runs/fer_judge --unpaired --out=editors/fer

Neutral faces that no editor was fitted to are given every expression. Where there are pairs, the
true face of the person is what an edit should come near to; everywhere a classifier that had no
part in anything reads what the faces show, and what lies outside eyes and mouth should stay. One
editor returns its input, one pastes the mean face of the expression: whatever does not stand out
from both is worth nothing. The strip shows drawn faces, or faces that the flow drew: no photograph.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import is_pixel_model, model_path
from datasets import flags
from datasets.files import folder_written_aside, write_json, write_text
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from datasets.registry import NAMES
from trainers.settings import choice

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from bplf_tf import BPLF, PixelSynthesis
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier

    Editor = Callable[[np.ndarray, str], np.ndarray]

NEUTRAL = "neutral"
TRUE = "true face"
_PAIRED = ("drawn_faces", "emotionset")
_SHOWN = 3  # people in the strip
_COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "read": ("read as wanted", 3),
    "gain": ("gain", 3),
    "kept": ("SSIM outside eyes and mouth", 3),
}


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What to compare, on which faces. Each field is a flag of the same name."""

    model: str | None = setting(
        None, "A flow with labels, neutral among them: a run directory or model.keras. Required."
    )
    judge: str | None = setting(
        None, "Classifier that reads the faces, as trainers.classifier wrote it. Required."
    )
    out: str | None = setting(None, "Folder to write, which must not exist. Required.")
    dataset: str = setting("drawn_faces", f"Faces: {', '.join(NAMES)}.")
    data_path: str | None = setting(None, "Where they are.")
    unpaired: bool = setting(
        False, "Take faces of drawn_faces or emotionset one by one, as those of all other data."
    )
    strengths: list[str] = dataclasses.field(
        default_factory=lambda: ["0.5", "0.75", "1", "1.25"],
        metadata={"help": "Of the flow's transfer, with commas between them."},
    )
    ridge: float = setting(0.4, "Lambda of the pixel model, fitted to pairs.")
    pairs: int = setting(300, "Fit every expression to at most so many pairs.")
    limit: int | None = setting(None, "Unpaired: read at most so many images of each split.")
    test_people: int = setting(
        100, "Edit the faces of at most so many people, or so many faces, of the test split."
    )
    temperature: float = setting(0.7, "Of the faces that the flow draws for the strip.")
    seed: int = setting(0, "Of these faces.")

    def check(self) -> None:
        """Checks what needs neither data nor models; raises `ValueError` or `OSError`."""
        for name in ("model", "judge", "out"):
            if not getattr(self, name):
                raise ValueError(f"--{name} is required")
        choice("dataset", self.dataset, NAMES)
        if Path(str(self.out)).exists():
            raise FileExistsError(f"--out={self.out} exists: remove it or choose another folder")
        for name, least in (("pairs", 2), ("test_people", 2), ("limit", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name} must be at least {least}, got {value}")
        for name, positive in (("ridge", True), ("temperature", False)):
            value = getattr(self, name)
            if not (math.isfinite(value) and (value > 0 or (value == 0 and not positive))):
                raise ValueError(f"--{name} is out of range: {value}")
        if is_pixel_model(str(self.model)):
            raise ValueError(
                f"--model={self.model} is a pixel model; a flow is wanted, beside which a pixel "
                "model is fitted"
            )
        self.transfers()
        for path in (self.model, self.judge):
            model_path(str(path))

    def transfers(self) -> tuple[float, ...]:
        """The strengths as numbers, rising; raises `ValueError`."""
        try:
            numbers = sorted({float(text) for text in self.strengths})
        except ValueError:
            raise ValueError(
                f"--strengths must be numbers, got {','.join(self.strengths)}"
            ) from None
        # Those of bplf_tf.editing.STRENGTHS, which needs TensorFlow.
        if not numbers or not all(0 < number <= 2 for number in numbers):
            raise ValueError(
                f"--strengths must be above 0 and at most 2, got {','.join(self.strengths)}"
            )
        return tuple(numbers)

    @property
    def paired(self) -> bool:
        """Whether the true face of every edit is known."""
        return self.dataset in _PAIRED and not self.unpaired


@dataclasses.dataclass(frozen=True, eq=False)
class Faces:
    """Faces to edit, and what they are to become.

    Attributes:
      neutral: uint8 `[N, H, W, C]`, faces as they are.
      labels: int `[N]`, what each is to show, an index into `classes`.
      people: `[N]`, who each is of.
      true: uint8 `[N, H, W, C]`, the same people showing it; or None where nobody knows.
      classes: names of the labels.
    """

    neutral: np.ndarray
    labels: np.ndarray
    people: np.ndarray
    true: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def expressions(self) -> tuple[str, ...]:
        """Names of what the faces are to show."""
        return tuple(name for i, name in enumerate(self.classes) if (self.labels == i).any())

    def edited(self, editor: Editor) -> np.ndarray:
        """All of them edited, uint8 `[N, H, W, C]`."""
        import numpy as np

        result = np.empty_like(self.neutral)
        for name in self.expressions:
            chosen = self.labels == self.classes.index(name)
            result[chosen] = editor(self.neutral[chosen], name)
        return result


def main(settings: CompareSettings) -> int:
    """Fits the pixel model, edits, measures, reports; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        flow, judge = _load_models(settings)
        pixel, means, faces, provenance = (_from_pairs if settings.paired else _from_labels)(
            settings, flow
        )
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    strengths = settings.transfers()
    editors = make_editors(means, pixel, flow, strengths)
    edits = {name: faces.edited(editor) for name, editor in editors.items()}
    if faces.true is not None:
        edits = {TRUE: faces.true, **edits}
    record = {
        "dataset": settings.dataset,
        "paired": settings.paired,
        "edits": len(faces.neutral),
        "people": len(set(faces.people.tolist())),
        "model": settings.model,
        "judge": settings.judge,
        "pixel_model_parameters": pixel.parameters,
        "flow_parameters": flow.count_params(),
        "editors": measure(edits, faces, judge),
        "monotonicity": _monotonicity(edits, faces, judge, strengths),
        "provenance": provenance,
    }
    text = table(record)
    print(text)
    with folder_written_aside(Path(str(settings.out)).absolute()) as aside:
        write_json(aside / "editors.json", record)
        write_text(aside / "editors.md", text + "\n")
        from trainers.image_grid import save_png

        save_png(strip(settings, faces, editors, flow), aside / "strip.png")
    print(f"wrote {settings.out}")
    return 0


def _load_models(settings: CompareSettings) -> tuple[BPLF, ExpressionClassifier]:
    from bplf_tf import load_model
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier

    flow = load_model(str(settings.model))
    judge = ExpressionClassifier.load(str(settings.judge))
    classes, shape = flow.config.classes, flow.config.image_shape
    if NEUTRAL not in classes or len(classes) < 2:
        raise ValueError(
            f"--model={settings.model} must have the label {NEUTRAL} and another one; it has "
            f"{', '.join(classes) or 'none'}"
        )
    if judge.labels != classes or judge.image_shape != shape:
        raise ValueError(
            f"--judge={settings.judge} reads {', '.join(judge.labels)} from images of shape "
            f"{judge.image_shape}; the flow has {', '.join(classes)} and {shape}"
        )
    return flow, judge


Fitted = tuple["PixelSynthesis", "dict[str, np.ndarray]", Faces, dict[str, Any]]


def _from_pairs(settings: CompareSettings, flow: BPLF) -> Fitted:
    """A pixel model, mean faces, faces to edit and the data's provenance, of pairs."""
    import numpy as np

    from bplf_tf import PixelSynthesis
    from datasets.pairs import load_pairs

    height, width, channels = flow.config.image_shape
    if height != width:
        raise ValueError(f"pairs are square; the flow's images are {height}x{width}")
    train, test = (
        load_pairs(
            settings.dataset,
            split,
            settings.data_path,
            image_size=height,
            channels=channels,
            people=people,
        )
        for split, people in (
            # Every drawn person shows every expression.
            ("train", settings.pairs if settings.dataset == "drawn_faces" else None),
            ("test", settings.test_people),
        )
    )
    _check_classes(settings, train.classes, flow)
    parts = {name: train.of(name, settings.pairs) for name in train.expressions}
    pixel = PixelSynthesis(ridge=settings.ridge).fit(
        {name: part.neutral for name, part in parts.items()},
        {name: part.expressive for name, part in parts.items()},
        {name: part.people for name, part in parts.items()},
    )
    known = [train.classes.index(name) for name in train.expressions]
    test = test.chosen(np.flatnonzero(np.isin(test.labels, known)))
    faces = Faces(test.neutral, test.labels, test.people, test.expressive, test.classes)
    means = {name: _mean_face(part.expressive) for name, part in parts.items()}
    return pixel, means, faces, train.provenance


def _from_labels(settings: CompareSettings, flow: BPLF) -> Fitted:
    """The same of faces of which nobody knows whose they are: each counts as a person."""
    import numpy as np

    import datasets
    from bplf_tf import PixelSynthesis

    height, width, channels = flow.config.image_shape
    train, test = (
        datasets.load(
            settings.dataset,
            split,
            data_path=settings.data_path,
            image_size=(height, width),
            channels=channels,
            limit=settings.limit,
        )
        for split in ("train", "test")
    )
    _check_classes(settings, train.classes, flow)
    by_label = {
        name: train.images[train.labels == i]
        for i, name in enumerate(train.classes)
        if (train.labels == i).sum() > 1
    }
    neutral = test.images[test.labels == test.classes.index(NEUTRAL)][: settings.test_people]
    expressions = [name for name in by_label if name != NEUTRAL]
    if NEUTRAL not in by_label or not expressions or len(neutral) < 2:
        counts = ", ".join(f"{count} {name}" for name, count in train.class_counts().items())
        raise ValueError(
            f"--dataset={settings.dataset}: needed are two or more training images of {NEUTRAL} "
            f"and of another label, and two neutral test images; got {counts} to train on and "
            f"{len(neutral)} to test on"
        )
    pixel = PixelSynthesis().fit_unpaired(
        by_label[NEUTRAL], {name: by_label[name] for name in expressions}
    )
    count = len(expressions)
    faces = Faces(
        np.tile(neutral, (count, 1, 1, 1)),
        np.repeat([test.classes.index(name) for name in expressions], len(neutral)),
        np.tile(np.arange(len(neutral)), count),
        None,
        test.classes,
    )
    means = {name: _mean_face(by_label[name]) for name in expressions}
    return pixel, means, faces, train.provenance


def _check_classes(settings: CompareSettings, classes: Sequence[str], flow: BPLF) -> None:
    if tuple(classes) != flow.config.classes:
        raise ValueError(
            f"the flow's labels are {', '.join(flow.config.classes)}; those of "
            f"--dataset={settings.dataset} are {', '.join(classes)}"
        )


def _mean_face(images: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.rint(images.mean(axis=0)).astype(np.uint8)


def make_editors(
    means: dict[str, np.ndarray], pixel: PixelSynthesis, flow: BPLF, strengths: Sequence[float]
) -> dict[str, Editor]:
    """Functions of neutral images and an expression, by their names."""
    import numpy as np

    from bplf_tf import editing

    def of_strength(strength: float) -> Editor:
        return lambda images, label: editing.transfer(flow, images, label, NEUTRAL, strength)

    return {
        "return the input": lambda images, _: images,
        "paste the mean": lambda images, label: np.broadcast_to(means[label], images.shape),
        "pixel model": lambda images, label: pixel.transform(images, label),
        **{_flow_name(strength): of_strength(strength) for strength in strengths},
    }


def _flow_name(strength: float) -> str:
    return f"flow, strength {strength:g}"


def measure(
    edits: dict[str, np.ndarray], faces: Faces, judge: ExpressionClassifier
) -> dict[str, dict[str, Any]]:
    """Every metric of every editor, with the half of its 95 % confidence interval over people."""
    from bplf_tf.metrics import pairs
    from bplf_tf.metrics.expression import expression_gain, read_as_wanted

    before = judge.probabilities(faces.neutral)
    results = {}
    for name, edited in edits.items():
        shares = judge.probabilities(edited)
        scores = {
            "read": read_as_wanted(shares, faces.labels).astype(float),
            "gain": expression_gain(before, shares, faces.labels),
            "kept": pairs.ssim_outside(edited, faces.neutral),
        }
        if faces.true is not None and name != TRUE:
            scores["psnr"] = pairs.psnr(edited, faces.true)
            scores["ssim"] = pairs.ssim(edited, faces.true)
        results[name] = {
            key: pairs.mean_over_people(values, faces.people) for key, values in scores.items()
        }
        results[name]["read_of"] = {
            expression: float(
                scores["read"][faces.labels == faces.classes.index(expression)].mean()
            )
            for expression in faces.expressions
        }
    return results


def _monotonicity(
    edits: dict[str, np.ndarray],
    faces: Faces,
    judge: ExpressionClassifier,
    strengths: Sequence[float],
) -> dict[str, Any] | None:
    """Spearman's correlation of the flow's strength, 0 among them, and the target's probability."""
    import numpy as np

    from bplf_tf.metrics.expression import monotonicity
    from bplf_tf.metrics.pairs import mean_over_people

    if len(strengths) < 2:
        return None
    rows = np.arange(len(faces.labels))
    images = [faces.neutral, *(edits[_flow_name(strength)] for strength in strengths)]
    shares = [judge.probabilities(one)[rows, faces.labels] for one in images]
    values = monotonicity([0.0, *strengths], np.stack(shares, axis=1))
    return mean_over_people(values, faces.people)


def table(record: dict[str, Any]) -> str:
    """The figures as Markdown: a line for each editor, best read beside the two null editors."""
    editors: dict[str, Any] = record["editors"]
    keys = [key for key in _COLUMNS if any(key in figures for figures in editors.values())]
    lines = [
        f"| editor | {' | '.join(_COLUMNS[key][0] for key in keys)} |",
        "| --- " * (1 + len(keys)) + "|",
    ]
    for name, figures in editors.items():
        cells = [_cell(figures.get(key), _COLUMNS[key][1]) for key in keys]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    about = (
        f"{record['edits']} edits of {record['people']} neutral faces of {record['dataset']}, mean "
        "and half of the 95 % confidence interval over people."
    )
    if record["monotonicity"]:
        about += (
            " Spearman's correlation of the flow's strength and the probability of the target: "
            f"{_cell(record['monotonicity'], 3)}."
        )
    return "\n".join([*lines, "", about])


def _cell(figure: dict[str, Any] | None, digits: int) -> str:
    if figure is None:
        return ""
    if figure["interval"] is None:
        return f"{figure['mean']:.{digits}f}"
    return f"{figure['mean']:.{digits}f} ± {figure['interval']:.{digits}f}"


def strip(
    settings: CompareSettings, faces: Faces, editors: dict[str, Editor], flow: BPLF
) -> Image.Image:
    """A row for each expression: some neutral faces, what they should become, and every edit.

    The faces are drawn ones, or such as the flow draws, and no means of others: a photograph is
    somebody's.
    """
    import numpy as np

    from trainers.image_grid import image_grid

    drawn = settings.dataset == "drawn_faces"
    hidden = {"return the input"} if drawn else {"return the input", "paste the mean"}
    sampled = None if drawn else flow.sample(NEUTRAL, _SHOWN, settings.temperature, settings.seed)
    rows = []
    blocks: dict[str, np.ndarray] = {}
    for expression in faces.expressions:
        chosen = np.flatnonzero(faces.labels == faces.classes.index(expression))[:_SHOWN]
        if sampled is None:
            blocks = {"drawn": faces.neutral[chosen]}
            if faces.true is not None:
                blocks[TRUE] = faces.true[chosen]
        else:
            blocks = {"generated": sampled}
        before = next(iter(blocks.values()))
        for name, editor in editors.items():
            if name not in hidden:
                blocks[name] = editor(before, expression)
        rows.append((expression, list(blocks.values())))
    return image_grid(rows, tuple(blocks))


if __name__ == "__main__":
    flags.run(CompareSettings, main)
