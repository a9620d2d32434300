"""Figures of edited faces: the expression they came to show, and what stayed of who they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bplf_tf.metrics.confidence import share_interval, shown
from bplf_tf.metrics.expression import expression_gain, monotonicity, read_as_wanted
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from bplf_tf.metrics.identity import verification
from bplf_tf.metrics.pairs import METRICS, mean_over_people, ssim_outside
from datasets import ImageSource
from datasets.pairs import NEUTRAL, FacePairs
from trainers.over_seeds import text_table
from trainers.strip_editors import PASTE, RETURN, StripEditor

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
TRUE, REAL = "the true face", "real faces"


@dataclasses.dataclass(frozen=True, eq=False)
class EditCases:
    """Faces to edit, and what into.

    Attributes:
      neutral: uint8 `[N, H, W, C]`.
      targets: int `[N]`, indices into `classes`.
      people: `[N]`, who is who: figures are means over people.
      classes: names of the labels.
      true: what each ought to become, uint8 `[N, H, W, C]`, or None where nobody knows.
      real: where nobody knows, held-out faces of other people that show the targets, uint8
        `[M, H, W, C]` of each label: how well the judge reads what edits ought to look like.
    """

    neutral: np.ndarray
    targets: np.ndarray
    people: np.ndarray
    classes: tuple[str, ...]
    true: np.ndarray | None
    real: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def expressions(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(self.classes[target] for target in np.unique(self.targets))


def cases_of_pairs(pairs: FacePairs) -> EditCases:
    """Neutral faces of pairs, each to become the other face of its pair."""
    return EditCases(pairs.neutral, pairs.labels, pairs.people, pairs.classes, pairs.expressive)


def cases_of_faces(source: ImageSource, count: int) -> EditCases:
    """The first neutral faces of a source, each to become every other label.

    Args:
      source: with a label "neutral".
      count: of faces at most; each counts as a person of its own.

    Raises:
      ValueError: if there is no such label, no such face, or nothing to become.
    """
    classes = source.classes
    if NEUTRAL not in classes or len(classes) < 2:
        raise ValueError(f"edits start from {NEUTRAL} faces; the labels are {', '.join(classes)}")
    faces = np.flatnonzero(source.labels == classes.index(NEUTRAL))[:count]
    if not faces.size:
        raise ValueError(f"{source.name} ({source.split}) has no {NEUTRAL} faces")
    targets = np.array([i for i, name in enumerate(classes) if name != NEUTRAL])
    return EditCases(
        source.images[faces].repeat(len(targets), axis=0),
        np.tile(targets, len(faces)),
        faces.repeat(len(targets)),
        classes,
        None,
        {
            classes[target]: source.images[source.labels == target]
            for target in targets
            if (source.labels == target).any()
        },
    )


def edit_metrics(
    editors: Mapping[str, StripEditor],
    cases: EditCases,
    judge: ExpressionClassifier,
    identity: ExpressionClassifier | None = None,
) -> dict[str, Any]:
    """Every figure of every editor, with 95 % confidence intervals over people.

    Edits have no randomness: it is the people that another test would draw anew.

    Args:
      editors: by their names; `trainers.strip_editors.null_editors` ought to be among them.
      cases: what they are given.
      judge: a classifier with these labels, by which nothing was chosen.
      identity: one that `trainers.identity` trained, to tell people apart by.

    Returns:
      `editors`, for each, and for the true faces where there are: `accuracy`, the share read as the
      target; `gain` of its probability; `monotonicity` over `STRENGTHS`; `ssim_outside` eyes and
      mouth, against the input; with pairs `psnr`, `ssim` and `mse` against the true faces; with
      `identity`, `verification` of the edited faces among the faces before the edit; `per_label`,
      with accuracy and gain. Without true faces `real faces` has the judge's accuracy on held-out
      faces, `per_label` and as their mean. `minus`, for each editor and each of the two that know
      nothing, has the paired differences of accuracy, gain, `ssim_outside` and what pairs give.

    Raises:
      ValueError: if the judge has other labels or images.
    """
    if judge.labels != cases.classes:
        raise ValueError(
            f"the judge's labels are {', '.join(judge.labels)}; those of the faces are "
            f"{', '.join(cases.classes)}"
        )
    before = judge.probabilities(cases.neutral)
    gallery = None
    if identity:
        _, firsts = np.unique(cases.people, return_index=True)
        gallery = (identity.features(cases.neutral[firsts]), cases.people[firsts])
    results = {}
    every_value = {}
    for name, edit in editors.items():
        strips = edit_all(edit, cases)
        every_value[name] = _values(strips[:, -1], cases, judge, before)
        results[name] = _figures(every_value[name], strips[:, -1], cases, identity, gallery)
        shares = _target_shares(strips, cases, judge)
        results[name]["monotonicity"] = mean_over_people(
            monotonicity(STRENGTHS, shares), cases.people
        )
    if cases.true is not None:
        values = _values(cases.true, cases, judge, before)
        results[TRUE] = _figures(values, cases.true, cases, identity, gallery)
    if cases.real:
        results[REAL] = _real_faces(cases, judge)
    return {
        "cases": len(cases.neutral),
        "people": len(np.unique(cases.people)),
        "paired": cases.true is not None,
        "strengths": list(STRENGTHS),
        "editors": results,
        "minus": {
            null: {
                name: {
                    key: mean_over_people(values[key] - every_value[null][key], cases.people)
                    for key in values
                }
                for name, values in every_value.items()
                if name not in (RETURN, PASTE)
            }
            for null in (RETURN, PASTE)
            if null in every_value
        },
    }


def edit_all(edit: StripEditor, cases: EditCases) -> np.ndarray:
    """Every case at every strength, uint8 `[N, S, H, W, C]`."""
    count, *shape = cases.neutral.shape
    strips = np.empty((count, len(STRENGTHS), *shape), np.uint8)
    for name in cases.expressions:
        chosen = cases.targets == cases.classes.index(name)
        strips[chosen] = edit(cases.neutral[chosen], name, STRENGTHS)
    return strips


def _target_shares(strips: np.ndarray, cases: EditCases, judge: ExpressionClassifier) -> np.ndarray:
    count, strengths, *shape = strips.shape
    shares = judge.probabilities(strips.reshape(-1, *shape)).reshape(count, strengths, -1)
    of_target: np.ndarray = shares[np.arange(count), :, cases.targets]
    return of_target


def _values(
    edited: np.ndarray, cases: EditCases, judge: ExpressionClassifier, before: np.ndarray
) -> dict[str, np.ndarray]:
    """What is known of each case, float64 `[N]`."""
    after = judge.probabilities(edited)
    values = {
        "accuracy": read_as_wanted(after, cases.targets).astype(np.float64),
        "gain": expression_gain(before, after, cases.targets),
        "ssim_outside": ssim_outside(edited, cases.neutral),
    }
    if cases.true is not None:
        values |= {name: metric(edited, cases.true) for name, metric in METRICS.items()}
    return values


def _figures(
    values: dict[str, np.ndarray],
    edited: np.ndarray,
    cases: EditCases,
    identity: ExpressionClassifier | None,
    gallery: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any]:
    def over_people(key: str, chosen: Any = slice(None)) -> dict[str, Any]:
        return mean_over_people(values[key][chosen], cases.people[chosen], key == "accuracy")

    found: dict[str, Any] = {key: over_people(key) for key in values}
    found["per_label"] = {}
    for name in cases.expressions:
        chosen = cases.targets == cases.classes.index(name)
        found["per_label"][name] = {key: over_people(key, chosen) for key in ("accuracy", "gain")}
    if identity and gallery:
        found["verification"] = verification(identity.features(edited), cases.people, *gallery)
    return found


def _real_faces(cases: EditCases, judge: ExpressionClassifier) -> dict[str, Any]:
    """The judge's accuracy on real faces of each target; the mean counts all targets alike.

    So it does of edits, which are as many of each target.
    """
    per_label: dict[str, dict[str, Any]] = {}
    variances = []
    for name, images in cases.real.items():
        read = judge.probabilities(images).argmax(axis=1)
        right, count = float(np.mean(read == cases.classes.index(name))), len(images)
        variances.append(right * (1 - right) / count)
        interval = list(share_interval(right, count))
        per_label[name] = {"accuracy": {"mean": right, "interval": interval, "images": count}}
    count = sum(map(len, cases.real.values()))
    mean = float(np.mean([of["accuracy"]["mean"] for of in per_label.values()]))
    variance = sum(variances) / len(variances) ** 2
    accuracy = {"mean": mean, "interval": list(share_interval(mean, count, variance))}
    return {"accuracy": {**accuracy, "images": count}, "per_label": per_label}


_SHOWN = (
    ("accuracy", "accuracy", 3),
    ("gain", "gain", 3),
    ("monotonicity", "monotonicity", 3),
    ("psnr", "PSNR, dB", 2),
    ("ssim", "SSIM", 3),
    ("mse", "MSE", 0),
    ("ssim_outside", "SSIM outside", 3),
)


def table(result: dict[str, Any]) -> str:
    """The figures of `edit_metrics` as text, a line for each editor."""
    editors = result["editors"]
    kinds = [of for of in _SHOWN if any(of[0] in figures for figures in editors.values())]
    verified = any("verification" in figures for figures in editors.values())
    rows = []
    for name, figures in editors.items():
        cells = [shown(figures[key], digits) if key in figures else "" for key, _, digits in kinds]
        if verified:
            cells.append(verified_text(figures))
        rows.append((name, cells))
    columns = [heading for _, heading, _ in kinds] + (["identity, AUC"] if verified else [])
    paired = "beside the true faces" if result["paired"] else "without true faces"
    heading = f"{result['cases']} edits of {result['people']} people, {paired}"
    return text_table(columns, rows, heading)


def verified_text(figures: Mapping[str, Any]) -> str:
    """The area under the curve of an editor's `verification`, or nothing where there is none."""
    found = figures.get("verification")
    return shown({"mean": found["auc"], "interval": found["interval"]}, 3) if found else ""
