"""Learning curves of several runs or methods, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets.files import written_aside
from trainers.statistics import smoothed

Curve = tuple[Sequence[float], Sequence[float]]  # places on the axis, values

SMOOTHING = 0.85
"""That of the paper's figure 7."""

# matplotlib's colours begin anew after ten curves; another style tells them apart then.
_COLOURS = 10
_STYLES = ("-", "--", ":", "-.")


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean of the seeds' curves, as far as all of them go."""
    points = min(len(values) for _, values in curves)

    def mean(of: int, i: int) -> float:
        return sum(curve[of][i] for curve in curves) / len(curves)

    return [mean(0, i) for i in range(points)], [mean(1, i) for i in range(points)]


def save_curves(curves: Mapping[str, Curve], axis: str, title: str, path: Path) -> None:
    """Draws curves of held-out images as they are, and beside them smoothed; as `save_panels`.

    Below, their second halves on scales of their own: methods differ by less than what each of them
    learns in its first steps.
    """
    smooth = {
        name: (places, smoothed(values, SMOOTHING)) for name, (places, values) in curves.items()
    }
    panels = {"held-out images, as measured": curves, f"smoothing {SMOOTHING:g}": smooth}
    save_panels(panels, axis, title, path, second_half=True)


def late(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Of each curve, what lies beyond the middle of the longest one's places."""
    middle = max((places[-1] for places, _ in curves.values() if places), default=0.0) / 2
    halves: dict[str, Curve] = {}
    for name, (places, values) in curves.items():
        points = [p for p in zip(places, values, strict=True) if p[0] >= middle]
        halves[name] = [place for place, _ in points], [value for _, value in points]
    return halves


def save_panels(
    panels: Mapping[str, Mapping[str, Curve]],
    axis: str,
    title: str,
    path: Path,
    second_half: bool = False,
) -> None:
    """Draws panels of curves side by side, on one scale of bits/dim; a PNG.

    Args:
      panels: by their titles, the curves by their names, which are the same in all panels.
      axis: what the curves run over.
      title: of the picture.
      path: ending in `.png`.
      second_half: draw below each panel the second half of its curves, on a scale of their own.
    """
    from matplotlib.figure import Figure  # takes a second; of no use where there is no picture

    rows = [panels]
    if second_half:
        rows.append({f"{heading}: second half": late(of) for heading, of in panels.items()})
    figure = Figure(figsize=(6 * len(panels), 5 * len(rows)), layout="constrained")
    figure.suptitle(title)
    places = figure.subplots(len(rows), len(panels), squeeze=False)
    for place in places[0, 1:]:
        place.sharey(places[0, 0])
    for places_of_row, row in zip(places, rows, strict=True):
        for place, (heading, curves) in zip(places_of_row, row.items(), strict=True):
            _draw(place, curves)
            place.set_title(heading)
            place.set_xlabel(axis)
            place.set_ylabel("bits/dim")
    places[0, -1].legend(fontsize="small")
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=120)


def _draw(place: Any, curves: Mapping[str, Curve]) -> None:
    for i, (name, (places, values)) in enumerate(curves.items()):
        style = _STYLES[i // _COLOURS % len(_STYLES)]
        marker = "." if len(values) < 20 else ""
        place.plot(places, values, style, marker=marker, label=name)
    place.grid(visible=True, alpha=0.3)
