"""Editors side by side: the pixel model, the flow at several strengths, two that know nothing.

python -m trainers.compare_editors --model=runs/drawn --judge=judge.keras --out=editors/drawn
python -m trainers.compare_editors --model=runs/fer --judge=fer.keras --dataset=fer2013 --out=out

Neutral faces that no editor was fitted to are given every expression. Where there are pairs, the
true face of the person is what an edit should come near to; everywhere a classifier that had no
part in anything reads what the faces show, and what lies outside eyes and mouth should stay; with
--identity, whether they are still the same people. One editor returns its input, one pastes the
mean face of the expression: whatever does not stand out from both is worth nothing, and a second
table has the differences. Without pairs a row has the judge's reading of real faces. The strip
shows drawn faces, or faces that the flow drew: no photograph. The pixel model is kept, pixel.npz.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import is_pixel_model, model_path
from datasets import SPLITS, flags
from datasets.files import folder_written_aside, write_json, write_text
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from datasets.registry import NAMES
from trainers import ridge
from trainers.settings import choice

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from bplf_tf import BPLF, PixelSynthesis
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier
    from trainers.edit_metrics import EditCases
    from trainers.strip_editors import StripEditor

_PAIRED = ("drawn_faces", "emotionset")
_SHOWN = 3  # people in the strip
_COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "accuracy": ("read as wanted", 3),
    "gain": ("gain", 3),
    "monotonicity": ("monotonicity", 3),
    "ssim_outside": ("SSIM outside eyes and mouth", 3),
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
    identity: str | None = setting(
        None, "What trainers.identity wrote, to tell whether an edited face is still the same one."
    )
    out: str | None = setting(None, "Folder to write, which must not exist. Required.")
    dataset: str = setting("drawn_faces", f"Faces: {', '.join(NAMES)}.")
    data_path: str | None = setting(None, "Where they are.")
    split: str = setting("test", "Held-out split to edit: validation or test.")
    unpaired: bool = setting(
        False, "Take faces of drawn_faces or emotionset one by one, as those of all other data."
    )
    strengths: list[str] = dataclasses.field(
        default_factory=lambda: ["0.5", "0.75", "1", "1.25"],
        metadata={"help": "Of the flow's transfer, with commas between them."},
    )
    ridge: str = setting("0.4", f"{ridge.HELP} Where it is fitted to pairs.")
    pairs: int = setting(300, "Fit every expression to at most so many pairs.")
    limit: int | None = setting(None, "Unpaired: read at most so many images of each split.")
    test_people: int = setting(
        100, "Edit the faces of at most so many people, or so many faces, of the held-out split."
    )
    temperature: float = setting(0.7, "Of the faces that the flow draws for the strip.")
    seed: int = setting(0, "Of these faces.")

    def check(self) -> None:
        """Checks what needs neither data nor models; raises `ValueError` or `OSError`."""
        for name in ("model", "judge", "out"):
            if not getattr(self, name):
                raise ValueError(f"--{name} is required")
        choice("dataset", self.dataset, NAMES)
        choice("split", self.split, SPLITS[1:])
        if Path(str(self.out)).exists():
            raise FileExistsError(f"--out={self.out} exists: remove it or choose another folder")
        for name, least in (("pairs", 2), ("test_people", 2), ("limit", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name} must be at least {least}, got {value}")
        ridge.ridge_of(self.ridge)
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"--temperature must be 0 or more, got {self.temperature}")
        if is_pixel_model(str(self.model)):
            raise ValueError(
                f"--model={self.model} is a pixel model; a flow is wanted, beside which a pixel "
                "model is fitted"
            )
        self.transfers()
        for path in (self.model, self.judge, self.identity):
            if path:
                model_path(path)

    def transfers(self) -> tuple[float, ...]:
        """The strengths as numbers, rising; raises `ValueError`."""
        given = ",".join(self.strengths)
        try:
            numbers = sorted({float(text) for text in self.strengths})
        except ValueError:
            raise ValueError(f"--strengths must be numbers, got {given}") from None
        # The greatest is that of bplf_tf.editing, which needs TensorFlow.
        if not numbers or not all(0 < number <= 4 for number in numbers):
            raise ValueError(f"--strengths must be above 0 and at most 4, got {given or 'none'}")
        return tuple(numbers)

    @property
    def paired(self) -> bool:
        """Whether the true face of every edit is known."""
        return self.dataset in _PAIRED and not self.unpaired


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """What data give.

    Attributes:
      pixel: a pixel model fitted to training faces.
      examples: training faces of each expression, uint8 `[M, H, W, C]`.
      cases: test faces to edit.
      provenance: of the training faces.
    """

    pixel: PixelSynthesis
    examples: dict[str, np.ndarray]
    cases: EditCases
    provenance: dict[str, Any]


def main(settings: CompareSettings) -> int:
    """Fits the pixel model, edits, measures, reports; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from trainers.edit_metrics import edit_metrics

        flow, judge, identity = _load_models(settings)
        material = (_from_pairs if settings.paired else _from_labels)(settings, flow)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    editors = make_editors(material.examples, material.pixel, flow, settings.transfers())
    record = {
        **{name: getattr(settings, name) for name in ("dataset", "model", "judge", "identity")},
        "pixel_model_parameters": material.pixel.parameters,
        "flow_parameters": flow.count_params(),
        "provenance": material.provenance,
        **edit_metrics(editors, material.cases, judge, identity),
    }
    text = f"{table(record)}\n\n{differences(record)}"
    print(text)
    with folder_written_aside(Path(str(settings.out)).absolute()) as aside:
        from trainers.image_grid import save_png

        write_json(aside / "editors.json", record)
        write_text(aside / "editors.md", text + "\n")
        material.pixel.save(aside / "pixel.npz")
        save_png(strip(settings, material.cases, editors, flow), aside / "strip.png")
    print(f"wrote {settings.out}")
    return 0


def _load_models(
    settings: CompareSettings,
) -> tuple[BPLF, ExpressionClassifier, ExpressionClassifier | None]:
    from bplf_tf import load_model
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier
    from datasets.pairs import NEUTRAL

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
    identity = ExpressionClassifier.load(settings.identity) if settings.identity else None
    if identity and identity.image_shape != shape:
        raise ValueError(
            f"--identity={settings.identity} was trained on images of {identity.image_shape}, the "
            f"flow on {shape}"
        )
    return flow, judge, identity


def _from_pairs(settings: CompareSettings, flow: BPLF) -> Material:
    import numpy as np

    from bplf_tf import PixelSynthesis
    from datasets.pairs import load_pairs
    from trainers.edit_metrics import cases_of_pairs

    height, width, channels = flow.config.image_shape
    if height != width:
        raise ValueError(f"pairs are square; the flow's images are {height}x{width}")
    # Every drawn person shows every expression; of others it is not known before.
    most = settings.pairs if settings.dataset == "drawn_faces" else None
    train, test = (
        load_pairs(
            settings.dataset, split, settings.data_path, height, channels=channels, people=people
        )
        for split, people in (("train", most), (settings.split, settings.test_people))
    )
    _check_classes(settings, train.classes, flow)
    parts = {name: train.of(name, settings.pairs) for name in train.expressions}
    expressive = {name: part.expressive for name, part in parts.items()}
    pixel = PixelSynthesis(ridge=ridge.ridge_of(settings.ridge)).fit(
        {name: part.neutral for name, part in parts.items()},
        expressive,
        {name: part.people for name, part in parts.items()},
    )
    # What no pair was fitted to cannot be edited.
    known = np.isin(test.labels, [train.classes.index(name) for name in parts])
    if not known.any():
        raise ValueError(
            f"there are training pairs of {', '.join(parts)}, test pairs of "
            f"{', '.join(test.expressions)}: none in common"
        )
    cases = cases_of_pairs(test.chosen(np.flatnonzero(known)))
    return Material(pixel, expressive, cases, train.provenance)


def _from_labels(settings: CompareSettings, flow: BPLF) -> Material:
    import numpy as np

    import datasets
    from bplf_tf import PixelSynthesis
    from datasets.pairs import NEUTRAL
    from trainers.edit_metrics import cases_of_faces

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
        for split in ("train", settings.split)
    )
    _check_classes(settings, train.classes, flow)
    counts = train.class_counts()
    if few := [name for name, count in counts.items() if count < 2]:
        raise ValueError(
            f"--dataset={settings.dataset}: every label needs two training images or more; got "
            + ", ".join(f"{counts[name]} of {name}" for name in few)
        )
    by_label = {name: train.images[train.labels == i] for i, name in enumerate(train.classes)}
    neutral = by_label.pop(NEUTRAL)
    cases = cases_of_faces(test, settings.test_people)
    if len(np.unique(cases.people)) < 2:
        raise ValueError(
            f"--dataset={settings.dataset}: its split {settings.split} has no two {NEUTRAL} images"
        )
    pixel = PixelSynthesis().fit_unpaired(neutral, by_label)
    return Material(pixel, by_label, cases, train.provenance)


def _check_classes(settings: CompareSettings, classes: Sequence[str], flow: BPLF) -> None:
    if tuple(classes) != flow.config.classes:
        raise ValueError(
            f"the flow's labels are {', '.join(flow.config.classes)}; those of "
            f"--dataset={settings.dataset} are {', '.join(classes)}"
        )


def make_editors(
    examples: Mapping[str, np.ndarray],
    pixel: PixelSynthesis,
    flow: BPLF,
    transfers: Sequence[float],
) -> dict[str, StripEditor]:
    """Editors by their names; all of the way of a flow's is one of its strengths."""
    from trainers.strip_editors import flow_editor, null_editors, pixel_editor

    of_flow = flow_editor(flow)

    def part_of_the_way(transfer: float) -> StripEditor:
        return lambda images, label, strengths: of_flow(
            images, label, [transfer * strength for strength in strengths]
        )

    return {
        **null_editors(examples),
        "pixel model": pixel_editor(pixel),
        **{f"flow, strength {one:g}": part_of_the_way(one) for one in transfers},
    }


def table(record: Mapping[str, Any]) -> str:
    """The figures as Markdown, a line for each editor."""
    from bplf_tf.metrics.confidence import shown
    from trainers.edit_metrics import verified_text

    editors: dict[str, Any] = record["editors"]
    columns = _columns(editors.values())
    headings = [heading for heading, _ in columns.values()]
    verified = any("verification" in figures for figures in editors.values())
    headings += ["identity, AUC"] if verified else []
    lines = [f"| editor | {' | '.join(headings)} |", "| --- " * (1 + len(headings)) + "|"]
    for name, figures in editors.items():
        cells = [
            shown(figures[key], digits) if key in figures else ""
            for key, (_, digits) in columns.items()
        ]
        cells += [verified_text(figures)] if verified else []
        lines.append(f"| {name} | {' | '.join(cells)} |")
    about = (
        f"{record['cases']} edits of the neutral faces of {record['people']} people, "
        f"{record['dataset']}; mean and half of the 95 % confidence interval over people, of "
        "shares its ends."
    )
    return "\n".join([*lines, "", about])


def differences(record: Mapping[str, Any]) -> str:
    """What the editors have more than those that know nothing, edit by edit, as Markdown."""
    from bplf_tf.metrics.confidence import shown

    rows = {
        f"{name} - {null}": figures
        for null, editors in record["minus"].items()
        for name, figures in editors.items()
    }
    columns = _columns(rows.values())
    lines = [
        f"| difference | {' | '.join(heading for heading, _ in columns.values())} |",
        "| --- " * (1 + len(columns)) + "|",
    ]
    for name, figures in rows.items():
        cells = [shown(figures[key], digits) for key, (_, digits) in columns.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    about = "Paired by the face and its target; half of the 95 % confidence interval over people."
    return "\n".join([*lines, "", about])


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """The columns that some row has a figure for."""
    there = {key for figures in rows for key in figures}
    return {key: column for key, column in _COLUMNS.items() if key in there}


def strip(
    settings: CompareSettings,
    cases: EditCases,
    editors: Mapping[str, StripEditor],
    flow: BPLF,
) -> Image.Image:
    """A row for each expression: some neutral faces, what they should become, and every edit.

    The faces are drawn ones, or such as the flow draws, and no means of others: a photograph is
    somebody's.
    """
    import numpy as np

    from datasets.pairs import NEUTRAL
    from trainers.edit_metrics import TRUE
    from trainers.image_grid import image_grid
    from trainers.strip_editors import PASTE, RETURN

    drawn = settings.dataset == "drawn_faces"
    hidden = {RETURN} if drawn else {RETURN, PASTE}
    sampled = flow.sample(NEUTRAL, _SHOWN, settings.temperature, settings.seed)
    rows = []
    blocks: dict[str, np.ndarray] = {}
    for expression in cases.expressions:
        chosen = np.flatnonzero(cases.targets == cases.classes.index(expression))[:_SHOWN]
        before = cases.neutral[chosen] if drawn else sampled
        blocks = {"drawn" if drawn else "generated": before}
        if drawn and cases.true is not None:
            blocks[TRUE] = cases.true[chosen]
        for name, editor in editors.items():
            if name not in hidden:
                blocks[name] = editor(before, expression, [1.0])[:, 0]
        rows.append((expression, list(blocks.values())))
    return image_grid(rows, tuple(blocks))


if __name__ == "__main__":
    flags.run(CompareSettings, main)
