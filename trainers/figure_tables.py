"""The tables of `trainers.figures` in Markdown: how smooth, and which label first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bplf_tf.metrics.confidence import Estimate, estimate
from datasets import ImageSource
from trainers.neutral_first import label_means, learned_at, likeness, rank, share_like
from trainers.spectrum import CUT_OFF, smoothness
from trainers.statistics import paired_difference

Told = Mapping[tuple[str, int], Mapping[str, Any]]
"""By method and seed, as from `trainers.figure_numbers.of_run`."""


def _by_method(told: Told) -> dict[str, dict[int, Mapping[str, Any]]]:
    methods: dict[str, dict[int, Mapping[str, Any]]] = {}
    for (method, seed), numbers in told.items():
        methods.setdefault(method, {})[seed] = numbers
    return methods


def smoothness_table(
    told: Told,
    temperatures: Sequence[float],
    references: Mapping[str, str],
    held_out: np.ndarray,
) -> list[str]:
    """Share of high frequencies of each method's samples beside held-out faces; lines of text.

    Args:
      told: the numbers.
      temperatures: of the samples.
      references: the method that a method is compared with, of those that are.
      held_out: uint8 images.
    """
    methods = _by_method(told)
    lines = [
        f"Share of energy above {CUT_OFF:g} cycles per pixel (less is smoother):",
        "",
        _row(["samples of", *(f"temperature {t:g}" for t in temperatures), "seeds"]),
        _row(["---"] * (len(temperatures) + 2)),
    ]
    differences = []
    for method, by_seed in methods.items():
        cells = []
        reference = references.get(method, "")
        for temperature in temperatures:
            means = _means(by_seed, temperature)
            cells.append(str(_over_seeds(by_seed, temperature)))
            of_reference = _means(methods.get(reference, {}), temperature)
            if difference := paired_difference(means, of_reference):
                p = "" if difference.p_value is None else f", p {difference.p_value:.3f}"
                differences.append(
                    f"* {method} less {reference}, temperature {temperature:g}: "
                    f"{'+' if difference.mean >= 0 else ''}{difference}{p}"
                )
        lines.append(_row([method, *cells, str(len(by_seed))]))
    real = estimate(smoothness(held_out)["shares"])
    lines.append(_row([f"{real.count} held-out faces", *[str(real)] * len(temperatures), ""]))
    lines += [
        "",
        "± is half of the 95 % confidence interval: over seeds, or over images where there is one "
        "seed, as of the faces.",
        *differences,
    ]
    flat = sum(part["flat"] for told in told.values() for part in told["smoothness"].values())
    if flat:
        lines.append(f"* {flat} samples of one grey level have no share, and were left out.")
    return lines


def _means(by_seed: Mapping[int, Mapping[str, Any]], temperature: float) -> dict[int, float]:
    means = {}
    for seed, told in by_seed.items():
        if shares := told["smoothness"][f"{temperature:g}"]["shares"]:
            means[seed] = float(np.mean(shares))
    return means


def _over_seeds(by_seed: Mapping[int, Mapping[str, Any]], temperature: float) -> Estimate | str:
    means = _means(by_seed, temperature)
    if not means:
        return "-"
    if len(means) > 1:
        return estimate(list(means.values()))
    (seed,) = means
    return estimate(by_seed[seed]["smoothness"][f"{temperature:g}"]["shares"])


def growing_tables(told: Told, classes: Sequence[str], neutral: int) -> list[str]:
    """Which label the samples of growing models are like, for each method; lines of text.

    Args:
      told: the numbers.
      classes: names of the labels.
      neutral: the one that is said to be first.
    """
    lines: list[str] = []
    for method, by_seed in _by_method(told).items():
        runs = {seed: numbers["growing"] for seed, numbers in by_seed.items() if numbers["growing"]}
        if runs:
            lines += ["", *_growing_table(method, runs, classes, neutral)]
    return lines[1:]


def _growing_table(
    method: str, runs: Mapping[int, Mapping[str, Any]], classes: Sequence[str], neutral: int
) -> list[str]:
    name, own = classes[neutral], range(len(classes))
    # Every run's last model has steps of its own: the last row is that of all of them.
    cosines = {seed: np.asarray(list(steps.values())) for seed, steps in runs.items()}
    rows = min(map(len, cosines.values()))
    steps = list(next(iter(runs.values())))
    lines = [
        f"{method}, {len(runs)} {'seed' if len(runs) == 1 else 'seeds'}:",
        "",
        _row(
            [
                "steps",
                f"other labels' samples that are most like {name}",
                "samples that are most like their own label",
                f"likeness of the others to {name}",
                "likeness to their own label",
            ]
        ),
        _row(["---"] * 5),
    ]
    others = [label for label in own if label != neutral]
    for i in [*range(rows - 1), -1]:
        at = {seed: values[i] for seed, values in cosines.items()}
        liked = {seed: values.argmax(axis=1)[np.newaxis] for seed, values in at.items()}
        figures = [
            [float(share_like(one, neutral)[0]) for one in liked.values()],
            [float(np.mean(one[0] == own)) for one in liked.values()],
            [float(values[others, neutral].mean()) for values in at.values()],
            [float(np.diag(values).mean()) for values in at.values()],
        ]
        cells = [_short(estimate(values)) for values in figures]
        lines.append(_row([steps[i] if i >= 0 else "the end", *cells]))
    found = [learned_at(values.argmax(axis=2)) for values in cosines.values()]
    places = [place for run in found if (place := rank(run, neutral)) is not None]
    said = f"{_short(estimate(places))} of {len(classes)}" if places else "none"
    lines += [
        "",
        f"* Place of {name} in the order in which labels came to be like themselves, 1 the first "
        f"({(len(classes) + 1) / 2:g} by chance): {said}"
        + (f"; not learned in {len(found) - len(places)} runs" if len(places) < len(found) else ""),
    ]
    return lines


def _short(value: Estimate) -> str:
    if value.half_width is None:
        return f"{value.mean:.2f}"
    return f"{value.mean:.2f} ± {value.half_width:.2f}"


def controls(
    faces: np.ndarray, train: ImageSource, held_out: ImageSource, per_label: int
) -> list[str]:
    """What the measure says of real images: that it can tell labels, and of which it is a mean."""
    count = len(train.classes)
    chosen = np.concatenate(
        [np.flatnonzero(held_out.labels == label)[:per_label] for label in range(count)]
    )
    lines = []
    if np.bincount(held_out.labels, minlength=count).all():
        means = label_means(held_out.images[chosen], held_out.labels[chosen], count)
        right = int(np.sum(likeness(means, faces).argmax(axis=1) == np.arange(count)))
        lines.append(
            f"* Of held-out faces, at most {per_label} of each label, the means of {right} of "
            f"{count} labels are most like their own."
        )
    frequencies = np.bincount(train.labels, minlength=count) / len(train)
    liked = int(likeness(frequencies @ faces, faces).argmax())
    if np.ptp(frequencies) > 1e-9:
        lines.append(
            "* The mean of all training images, each label as frequent as it is, is most like "
            f"{train.classes[liked]}."
        )
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
