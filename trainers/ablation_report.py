"""What an ablation reached: one tidy csv, tables in Markdown and LaTeX."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bplf_tf.metrics.confidence import Estimate, estimate
from trainers.paper_tables import contradictions, figures, log_likelihood
from trainers.statistics import paired_difference

COLUMNS = (
    "dataset", "budget", "amount", "method", "seed", "bits_per_dim", "bits_per_dim_truncated",
    "nats", "train_bits_per_dim", "steps", "minutes", "images_per_second", "parameters", "cores",
    "machine", "commit", "flags", "failed",
)  # fmt: skip
"""Of the csv, a row for each run. `nats` is the log-likelihood of images scaled to [-1, 1]."""

# A cell that was trained for less proves nothing.
_LEAST_MINUTES = 10.0
_LEAST_SEEDS = 3

_MARK = "†"
_PAPER_MARK = "‡"
_NOT_ANSWERED = (
    f"{_MARK} not answered: less than {_LEAST_MINUTES:g} minutes for each of {_LEAST_SEEDS} seeds, "
    "its own or those of the method that it is compared with"
)


def nats(bits_per_dim: float, image_shape: Sequence[int]) -> float:
    """The paper's log-likelihood of table 4, by its equation 4-1."""
    height, width, channels = image_shape
    return log_likelihood(bits_per_dim, height * width * channels)


@dataclasses.dataclass(frozen=True)
class Line:
    """A method of a table.

    Attributes:
      method: its name.
      bits: bits/dim of untouched held-out images.
      difference: of them to the first method's, paired by seed; None for the first itself.
      truncated: bits/dim of truncated images, for methods that train on such.
      nats: the paper's log-likelihood.
      steps, minutes, parameters: means over the seeds.
      answered: whether it was trained for long enough, with enough seeds that the first method
        has too.
    """

    method: str
    bits: Estimate
    difference: Estimate | None
    truncated: Estimate | None
    nats: Estimate
    steps: float
    minutes: float
    parameters: int
    answered: bool


def lines(rows: Sequence[dict[str, str]], methods: Sequence[str]) -> list[Line]:
    """Of one data set and budget, the methods that have runs, in their order.

    Args:
      rows: of the csv; failed runs are left out.
      methods: names, the reference first.
    """
    of_method = {
        name: {int(row["seed"]): row for row in rows if row["method"] == name and not row["failed"]}
        for name in methods
    }
    reference = _by_seed(of_method[methods[0]], "bits_per_dim")
    result = []
    for name, by_seed in of_method.items():
        if not by_seed:
            continue
        bits = _by_seed(by_seed, "bits_per_dim")
        truncated = _by_seed(by_seed, "bits_per_dim_truncated")
        difference = None if name == methods[0] else paired_difference(bits, reference)
        compared = len(bits) if name == methods[0] else difference.count if difference else 0
        result.append(
            Line(
                name,
                estimate(list(bits.values())),
                difference,
                estimate(list(truncated.values())) if truncated else None,
                estimate(list(_by_seed(by_seed, "nats").values())),
                estimate([float(row["steps"]) for row in by_seed.values()]).mean,
                estimate([float(row["minutes"]) for row in by_seed.values()]).mean,
                int(next(iter(by_seed.values()))["parameters"]),
                compared >= _LEAST_SEEDS and min(map(_minutes, by_seed.values())) >= _LEAST_MINUTES,
            )
        )
    return result


def _minutes(row: dict[str, str]) -> float:
    # A run that its last validation took beyond the budget counts as one that had it whole.
    return float(row["amount"] if row.get("budget") == "minutes" else row["minutes"])


def _by_seed(rows: dict[int, dict[str, str]], column: str) -> dict[int, float]:
    return {seed: float(row[column]) for seed, row in rows.items() if row[column]}


@dataclasses.dataclass(frozen=True)
class Subject:
    """Which table of the paper is rerun, and on what.

    Attributes:
      table: one of `trainers.ablation_plan.TABLES`.
      dataset: by our name.
    """

    table: str
    dataset: str

    @property
    def doubts(self) -> dict[str, str]:
        """By method, why the paper's figure cannot be right beside another one of the paper."""
        doubts: dict[str, str] = {}
        for found in contradictions():
            if self.table in found.tables and self.dataset == found.dataset:
                before = doubts.get(found.method)
                doubts[found.method] = f"{before}; {found.why}" if before else found.why
        return doubts


def table(of: Sequence[Line], subject: Subject) -> list[list[str]]:
    """Headings, then a row for each method, as texts."""
    truncates = any(line.truncated for line in of)
    in_nats = subject.table == "4"
    paper = figures(subject.table, subject.dataset)
    heading = ["method", "bits/dim"]
    heading += ["log-likelihood in nats"] if in_nats else []
    heading += ["less the first's", "p", "seeds", "steps", "minutes", "parameters"]
    heading += ["bits/dim of truncated images"] if truncates else []
    heading += ["the paper's figure"] if paper else []
    cells = [heading]
    for line in of:
        row = [line.method + ("" if line.answered else f" {_MARK}"), str(line.bits)]
        if in_nats:
            width = line.nats.half_width
            row.append(f"{line.nats.mean:.1f}" + ("" if width is None else f" ± {width:.1f}"))
        row.append("" if line.difference is None else _signed(line.difference))
        p_value = line.difference and line.difference.p_value
        row.append("" if p_value is None else f"{p_value:.3f}")
        row += [str(line.bits.count), f"{line.steps:.0f}", f"{line.minutes:.1f}"]
        row.append(f"{line.parameters:,}")
        row += [str(line.truncated or "")] if truncates else []
        if paper:
            told = paper.get(line.method)
            doubtful = f" {_PAPER_MARK}" if line.method in subject.doubts else ""
            row.append("" if told is None else f"{told:g}{doubtful}")
        cells.append(row)
    return cells


def _signed(difference: Estimate) -> str:
    return ("+" if difference.mean >= 0 else "") + str(difference)


def footnotes(of: Sequence[Line], subject: Subject) -> list[str]:
    """What has to be said below a table."""
    notes = ["± is half of the 95 % confidence interval over seeds, by Student's t."]
    notes.append("Differences and their two-sided p are paired by seed.")
    if any(line.truncated for line in of):
        notes.append(
            "Truncated images are another, easier data set: compare their column with nothing else."
        )
    if not all(line.answered for line in of):
        notes.append(f"{_NOT_ANSWERED}.")
    paper = figures(subject.table, subject.dataset)
    if paper:
        notes.append("The paper's figures of _svd are of truncated images, as far as it tells.")
        missing = sorted(set(paper) - {line.method for line in of})
        if missing:
            notes.append(f"The paper has {', '.join(missing)} too.")
        notes += [
            f"{_PAPER_MARK} {method}: {why}."
            for method, why in subject.doubts.items()
            if method in paper
        ]
    return notes


def markdown(title: str, cells: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table in Markdown."""
    heading, *rows = cells
    lines = [f"### {title}", "", _row(heading), _row(["---"] * len(heading)), *map(_row, rows)]
    return "\n".join([*lines, "", *(f"* {note}" for note in notes), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def latex(title: str, cells: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table in LaTeX, with the package booktabs."""
    heading, *rows = [[_escaped(cell) for cell in row] for row in cells]
    body = [" & ".join(row) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(title)}. {_escaped(' '.join(notes))}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(heading) - 1)}}}",
            r"\toprule",
            " & ".join(heading) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


_LATEX: dict[str, Any] = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", _MARK: r"\dag{}", _PAPER_MARK: r"\ddag{}",
}  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
