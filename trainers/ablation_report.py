"""An ablation's tables in Markdown and LaTeX, and what has to be said below them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from bplf_tf.metrics.confidence import Estimate
from bplf_tf.preset_table import PRESETS
from trainers.ablation_lines import (
    LEAST_MINUTES,
    LEAST_SEEDS,
    Comparison,
    Line,
    Reached,
    contrast,
)
from trainers.ablation_questions import Contrast, contrasts
from trainers.ablation_rows import Row
from trainers.paper_tables import contradictions, figures, order, remarks

_MARK = "†"
_PAPER_MARK = "‡"
_UNLIKE_MARK = "§"
_ROLLED_BACK_MARK = "¶"
_NOT_ANSWERED = (
    f"{_MARK} not answered: less than {LEAST_MINUTES:g} minutes for each of {LEAST_SEEDS} seeds, "
    "its own or those of the method that it is compared with"
)
_UNLIKE = (
    f"{_UNLIKE_MARK} seeds that are no pair, since they were made on another machine, other cores "
    "or with another number of runs at once than those of the method that it is compared with"
)

_LEAST_P = 0.001  # three digits tell no smaller one from 0

# How the presets that train on truncated images end.
_TRUNCATED = "_svd"

Cells = list[list[str]]


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


def table(of: Sequence[Line], subject: Subject, absent: Mapping[str, str] | None = None) -> Cells:
    """Headings, then a row for each method, as texts.

    Args:
      of: the methods that have runs.
      subject: what the table is of.
      absent: why there are no figures, of the methods that have none; they come last.
    """
    truncates = any(line.truncated for line in of)
    in_nats = subject.table == "4"
    ranks = any(line.svd_rank for line in of)
    paper = figures(subject.table, subject.dataset)
    of_both = any(name.endswith(_TRUNCATED) for name in paper)

    def papers(method: str) -> list[str]:
        text = _papers(method, paper, subject)
        if not of_both:
            return [text] if paper else []
        return ["", text] if method.endswith(_TRUNCATED) else [text, ""]

    heading = ["method", "bits/dim"]
    heading += ["bits/dim of truncated images"] if truncates else []
    heading += ["log-likelihood in nats"] if in_nats else []
    heading += ["the paper's figure"] if paper else []
    heading += ["the paper's, of truncated images"] if of_both else []
    before = len(heading) - bool(paper) - of_both
    heading += ["bits/dim less the first's", "p", "seeds", "steps", "minutes"]
    heading += ["minutes to the first's final bits/dim", "steps to it", "parameters"]
    heading += ["last rank of training images"] if ranks else []
    cells = [heading]
    for line in of:
        row = [" ".join([line.method, *_marks(line)]), str(line.bits)]
        row += [str(line.truncated or "")] if truncates else []
        row += [_text(line.nats, 1)] if in_nats else []
        row += papers(line.method)
        row += _difference(line.difference)
        row += [str(line.bits.count), f"{line.steps:.0f}", f"{line.minutes:.1f}"]
        row += _reached(line.reached)
        row.append(f"{line.parameters:,}")
        row += [line.svd_rank] if ranks else []
        cells.append(row)
    reasons = dict(absent or {})
    for method in sorted(set(paper) - {line.method for line in of} - set(reasons)):
        reasons[method] = "not asked for" if method in PRESETS else "not implemented"
    for method, why in reasons.items():
        row = [method, why, *[""] * (before - 2), *papers(method)]
        cells.append(row + [""] * (len(heading) - len(row)))
    return cells


def _marks(line: Line) -> list[str]:
    marks = [] if line.answered else [_MARK]
    marks += [_UNLIKE_MARK] if line.unlike else []
    return [*marks, _ROLLED_BACK_MARK] if line.rollbacks else marks


def _difference(difference: Estimate | None) -> list[str]:
    """The difference, and its p."""
    if difference is None:
        return ["", ""]
    p_value = difference.p_value
    signed = ("+" if difference.mean >= 0 else "") + str(difference)
    if p_value is None:
        return [signed, ""]
    return [signed, f"{p_value:.3f}" if p_value >= _LEAST_P else f"<{_LEAST_P}"]


def _text(of: Estimate, digits: int) -> str:
    half = "" if of.half_width is None else f" ± {of.half_width:.{digits}f}"
    return f"{of.mean:.{digits}f}{half}"


def _reached(reached: Reached | None) -> list[str]:
    """Minutes and steps; how many seeds where not all did."""
    if reached is None:
        return ["", ""]
    some = f" ({reached.count} of {reached.pairs} seeds)" if reached.count < reached.pairs else ""
    minutes = "" if reached.minutes is None else _text(reached.minutes, 1) + some
    return [minutes, _text(reached.steps, 0) + some]


def _papers(method: str, paper: Mapping[str, float], subject: Subject) -> str:
    if method not in paper:
        return ""
    return f"{paper[method]:g}" + (f" {_PAPER_MARK}" if method in subject.doubts else "")


def contrast_table(rows: Sequence[Row], methods: Sequence[str]) -> Cells:
    """The differences that answer a question; a heading alone where the table has none.

    Args:
      rows: of the csv, of the table's data set and budget.
      methods: of the table.
    """
    cells = [
        [
            "question", "method", "less", "bits/dim", "p", "seeds",
            "minutes to the other's final bits/dim", "steps to it",
            "parameters, of the other's",
        ]
    ]  # fmt: skip
    for of in contrasts(methods):
        compared = contrast(rows, of)
        cells.append(_contrast(of, compared))
    return cells


def _contrast(of: Contrast, compared: Comparison) -> list[str]:
    marks = [] if compared.answered else [_MARK]
    marks += [_UNLIKE_MARK] if compared.unlike else []
    method = " ".join([of.method, *marks])
    if compared.difference is None:
        return [of.question, method, of.less, "no pair of runs", *[""] * 5]
    return [
        of.question, method, of.less, *_difference(compared.difference),
        str(compared.difference.count), *_reached(compared.reached),
        "" if compared.parameters is None else f"{100 * compared.parameters:.0f} %",
    ]  # fmt: skip


def order_table(rows: Sequence[Row], methods: Sequence[str], subject: Subject) -> Cells:
    """How many pairs of table 3's methods come in the paper's order; else a heading alone.

    Args:
      rows: of the csv, of the table's data set and budget.
      methods: of the table.
      subject: what the table is of.
    """
    cells = [["pairs of the paper's table 3", "number", *_VERDICTS]]
    found: dict[str, list[str]] = {}
    for better, worse in order(subject.dataset) if subject.table == "3" else []:
        if {better, worse} <= {*methods}:
            truncated = [name.endswith(_TRUNCATED) for name in (better, worse)]
            kind = _KINDS[sum(truncated)]
            column = "bits_per_dim_truncated" if all(truncated) else "bits_per_dim"
            compared = contrast(rows, Contrast("", better, worse), column)
            found.setdefault(kind, []).append(_verdict(compared))
    for kind in _KINDS:
        if verdicts := found.get(kind):
            counts = [verdicts.count(heading) for heading in _VERDICTS]
            cells.append([kind, *map(str, (len(verdicts), *counts))])
    return cells


_VERDICTS = ("in its order", "the other way round", "undecided", "not answered")
_KINDS = (
    "both without truncation",
    "one with, one without truncation; on untouched images",
    "both with truncation; on truncated images",
)


def _verdict(compared: Comparison) -> str:
    """Of a pair in the paper's order."""
    as_there, other_way, undecided, not_answered = _VERDICTS
    difference = compared.difference
    if difference is None or not compared.answered:
        return not_answered
    if difference.half_width is None or abs(difference.mean) <= difference.half_width:
        return undecided
    return as_there if difference.mean < 0 else other_way


def footnotes(
    of: Sequence[Line],
    subject: Subject,
    further: Cells | None = None,
    in_order: Cells | None = None,
) -> list[str]:
    """What has to be said below a table.

    Args:
      of: the methods that have runs.
      subject: what the table is of.
      further: as of `contrast_table`, where it stands below the table.
      in_order: as of `order_table`, likewise.
    """
    notes = ["± is half of the 95 % confidence interval over seeds, by Student's t."]
    notes.append(
        "Differences and their two-sided p are paired by seed; of several, each p stands for "
        "itself."
    )
    notes.append(
        "Minutes and steps to the final bits/dim of the first method, or of the other one: until "
        "the first validation that was as low as its last one with the same seed, on the images "
        "that are validated on during training; empty if none was."
    )
    if any(line.truncated for line in of):
        notes.append(
            "Truncated images are another data set: compare their column with nothing else."
        )
    if in_order and len(in_order) > 1:
        notes.append(
            "Pairs of the paper's table 3 are those that its figures of the data set tell apart, "
            "or of a data set that it does not have, those that all of its columns order alike. "
            "Undecided are differences whose interval contains 0."
        )
    texts = [cell for row in further or [] for cell in row]
    if not all(line.answered for line in of) or any(_MARK in text for text in texts):
        notes.append(f"{_NOT_ANSWERED}.")
    unlike = [f"{line.method} {_seeds(line.unlike)}" for line in of if line.unlike]
    if unlike or any(_UNLIKE_MARK in text for text in texts):
        notes.append(_UNLIKE + (f": {'; '.join(unlike)}." if unlike else "."))
    for line in of:
        for seed, count in line.rollbacks.items():
            times = "once" if count == 1 else f"{count} times"
            notes.append(
                f"{_ROLLED_BACK_MARK} {line.method}, seed {seed}, went back {times} from a loss "
                "that was not finite, and on with half the learning rate."
            )
        notes += [f"{line.method}, seed {seed} failed: {why}." for seed, why in line.failed.items()]
    return notes + _of_paper(subject)


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _of_paper(subject: Subject) -> list[str]:
    paper = figures(subject.table, subject.dataset)
    if not paper:
        return []
    notes = ["The paper's figures of _svd are of truncated images, as far as it tells."]
    notes += remarks(subject.table)
    return notes + [
        f"{_PAPER_MARK} {method}: {why}."
        for method, why in subject.doubts.items()
        if method in paper
    ]


def markdown(title: str, tables: Sequence[Cells], notes: Sequence[str]) -> str:
    """Tables in Markdown, and notes; a table that is a heading alone is left out."""
    lines = [f"### {title}", ""]
    for heading, *rows in tables:
        if rows:
            lines += [_row(heading), _row(["---"] * len(heading)), *map(_row, rows), ""]
    return "\n".join([*lines, *(f"* {note}" for note in notes), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def latex(title: str, tables: Sequence[Cells], notes: Sequence[str]) -> str:
    """The same in LaTeX, with the packages booktabs and graphicx, no wider than the page."""
    tabulars = [_tabular(cells) for cells in tables if len(cells) > 1]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(title)}}}",
            "\n\n\\bigskip\n".join(tabulars),
            "",
            r"\medskip",
            rf"\footnotesize {_escaped(' '.join(notes))}",
            r"\end{table}",
            "",
        ]
    )


def _tabular(cells: Cells) -> str:
    heading, *rows = cells
    numbers = [all(row[i][:1] in "+-<0123456789" for row in rows) for i in range(len(heading))]
    return "\n".join(
        [
            # As wide as it is, or as the page if it is wider.
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{''.join('r' if number else 'l' for number in numbers)}}}",
            r"\toprule",
            " & ".join(map(_heading, heading)) + r" \\",
            r"\midrule",
            *(" & ".join(map(_escaped, row)) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}}",
        ]
    )


def _heading(text: str) -> str:
    """A heading of several lines, so that its column is as narrow as what stands below."""
    lines = [_escaped(line) for line in textwrap.wrap(text, _HEADING_WIDTH)]
    if len(lines) < 2:
        return "".join(lines)
    return r"\begin{tabular}[b]{@{}l@{}}" + r"\\".join(lines) + r"\end{tabular}"


_HEADING_WIDTH = 16


_LATEX: dict[str, Any] = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "<": "$<$", _MARK: r"\dag{}", _PAPER_MARK: r"\ddag{}", _UNLIKE_MARK: r"\S{}",
    _ROLLED_BACK_MARK: r"\P{}",
}  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
