"""An ablation's tables in Markdown and LaTeX, and what has to be said below them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bplf_tf.metrics.confidence import Estimate
from trainers.ablation_lines import LEAST_MINUTES, LEAST_SEEDS, Comparison, Line, contrast
from trainers.ablation_questions import Contrast, contrasts
from trainers.ablation_rows import Row
from trainers.paper_tables import contradictions, figures, remarks

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
    heading = ["method", "bits/dim"]
    heading += ["log-likelihood in nats"] if in_nats else []
    heading += ["less the first's", "p", "seeds", "steps", "minutes"]
    heading += ["minutes to the first's final bits/dim", "steps to it", "parameters"]
    heading += ["last rank of training images"] if ranks else []
    heading += ["bits/dim of truncated images"] if truncates else []
    heading += ["the paper's figure"] if paper else []
    cells = [heading]
    for line in of:
        row = [" ".join([line.method, *_marks(line)]), str(line.bits)]
        row += [_text(line.nats, 1)] if in_nats else []
        row += _difference(line.difference)
        row += [str(line.bits.count), f"{line.steps:.0f}", f"{line.minutes:.1f}"]
        row += _reached(line)
        row.append(f"{line.parameters:,}")
        row += [line.svd_rank] if ranks else []
        row += [str(line.truncated or "")] if truncates else []
        row += [_papers(line.method, paper, subject)] if paper else []
        cells.append(row)
    for method, why in (absent or {}).items():
        row = [method, why, *[""] * (len(heading) - 2)]
        if paper:
            row[-1] = _papers(method, paper, subject)
        cells.append(row)
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
    return [signed, "" if p_value is None else f"{p_value:.3f}"]


def _text(of: Estimate, digits: int) -> str:
    half = "" if of.half_width is None else f" ± {of.half_width:.{digits}f}"
    return f"{of.mean:.{digits}f}{half}"


def _reached(line: Line) -> list[str]:
    """Minutes and steps; how many seeds where not all did."""
    reached = line.reached
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
    cells = [["question", "method", "less", "bits/dim", "p", "seeds"]]
    for of in contrasts(methods):
        compared = contrast(rows, of)
        cells.append(_contrast(of, compared))
    return cells


def _contrast(of: Contrast, compared: Comparison) -> list[str]:
    marks = [] if compared.answered else [_MARK]
    marks += [_UNLIKE_MARK] if compared.unlike else []
    method = " ".join([of.method, *marks])
    if compared.difference is None:
        return [of.question, method, of.less, "no pair of runs", "", ""]
    count = str(compared.difference.count)
    return [of.question, method, of.less, *_difference(compared.difference), count]


def footnotes(
    of: Sequence[Line],
    subject: Subject,
    absent: Mapping[str, str] | None = None,
    further: Cells | None = None,
) -> list[str]:
    """What has to be said below a table.

    Args:
      of: the methods that have runs.
      subject: what the table is of.
      absent: as of `table`.
      further: as of `contrast_table`, where it stands below the table.
    """
    notes = ["± is half of the 95 % confidence interval over seeds, by Student's t."]
    notes.append(
        "Differences and their two-sided p are paired by seed; of several, each p stands for "
        "itself."
    )
    notes.append(
        "Minutes and steps to the first's final bits/dim: until the first validation that was as "
        "low as the first method's last one with the same seed, on the images that are validated "
        "on during training; empty if none was."
    )
    if any(line.truncated for line in of):
        notes.append(
            "Truncated images are another, easier data set: compare their column with nothing else."
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
    return notes + _of_paper(of, subject, absent or {})


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _of_paper(of: Sequence[Line], subject: Subject, absent: Mapping[str, str]) -> list[str]:
    paper = figures(subject.table, subject.dataset)
    if not paper:
        return []
    notes = ["The paper's figures of _svd are of truncated images, as far as it tells."]
    missing = sorted(set(paper) - {line.method for line in of} - set(absent))
    if missing:
        notes.append(f"The paper has {', '.join(missing)} too.")
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
    """The same in LaTeX, with the package booktabs."""
    tabulars = [_tabular(cells) for cells in tables if len(cells) > 1]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(title)}. {_escaped(' '.join(notes))}}}",
            "\n\n\\bigskip\n".join(tabulars),
            r"\end{table}",
            "",
        ]
    )


def _tabular(cells: Cells) -> str:
    heading, *rows = [[_escaped(cell) for cell in row] for row in cells]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(heading) - 1)}}}",
            r"\toprule",
            " & ".join(heading) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


_LATEX: dict[str, Any] = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", _MARK: r"\dag{}", _PAPER_MARK: r"\ddag{}", _UNLIKE_MARK: r"\S{}",
    _ROLLED_BACK_MARK: r"\P{}",
}  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
