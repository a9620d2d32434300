"""Learning curves of several runs or methods, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

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
    """Draws curves of held-out images as they are, and beside them smoothed; as `save_panels`."""
    smooth = {
        name: (places, smoothed(values, SMOOTHING)) for name, (places, values) in curves.items()
    }
    panels = {"held-out images, as measured": curves, f"smoothing {SMOOTHING:g}": smooth}
    save_panels(panels, axis, title, path)


def save_panels(
    panels: Mapping[str, Mapping[str, Curve]], axis: str, title: str, path: Path
) -> None:
    """Draws panels of curves side by side, on one scale of bits/dim; a PNG.

    Args:
      panels: by their titles, the curves by their names, which are the same in all panels.
      axis: what the curves run over.
      title: of the picture.
      path: ending in `.png`.
    """
    from matplotlib.figure import Figure  # takes a second; of no use where there is no picture

    figure = Figure(figsize=(6 * len(panels), 5), layout="constrained")
    figure.suptitle(title)
    (places_of_panels,) = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for place, (heading, curves) in zip(places_of_panels, panels.items(), strict=True):
        for i, (name, (places, values)) in enumerate(curves.items()):
            style = _STYLES[i // _COLOURS % len(_STYLES)]
            marker = "." if len(values) < 20 else ""
            place.plot(places, values, style, marker=marker, label=name)
        place.set_title(heading)
        place.set_xlabel(axis)
        place.grid(visible=True, alpha=0.3)
    places_of_panels[0].set_ylabel("bits/dim")
    places_of_panels[-1].legend(fontsize="small")
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=120)
