"""Learning curves of several methods, as one picture."""

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
    """Draws the curves as they are, and beside them smoothed; a PNG.

    Args:
      curves: by their names.
      axis: what they run over.
      title: of the picture.
      path: ending in `.png`.
    """
    from matplotlib.figure import Figure  # takes a second; of no use where there is no picture

    figure = Figure(figsize=(12, 5), layout="constrained")
    figure.suptitle(title)
    raw, smooth = figure.subplots(1, 2, sharey=True)
    for i, (name, (places, values)) in enumerate(curves.items()):
        style = _STYLES[i // _COLOURS % len(_STYLES)]
        raw.plot(places, values, style, marker="." if len(values) < 20 else "")
        smooth.plot(places, smoothed(values, SMOOTHING), style, label=name)
    raw.set_title("as measured")
    smooth.set_title(f"smoothing {SMOOTHING:g}")
    raw.set_ylabel("bits/dim of held-out images")
    for panel in (raw, smooth):
        panel.set_xlabel(axis)
        panel.grid(visible=True, alpha=0.3)
    smooth.legend(fontsize="small")
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=120)
