"""How many images there are of each source and label, before and after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bplf_tf.config import EMOTIONS
from datasets.emotionset import paper
from datasets.emotionset.record import Record
from datasets.emotionset.settings import STEPS
from datasets.source import SPLITS

ALL_STEPS = ("read", "labels", *STEPS)
"""Where images may be dropped, in order: what was not readable, what has no label, and `STEPS`."""

Counts = dict[str, int]


def by_label(records: Iterable[Record]) -> Counts:
    """Images of each label; of none in particular under "?"."""
    counts = Counter(record.label or "?" for record in records)
    return {**{label: counts.pop(label, 0) for label in EMOTIONS}, **dict(sorted(counts.items()))}


def after_steps(records: Sequence[Record]) -> dict[str, Counts]:
    """Images by label before anything, under "found", and after each of `ALL_STEPS`."""
    left = list(records)
    counts = {"found": by_label(left)}
    for step in ALL_STEPS:
        left = [record for record in left if record.step != step]
        counts[step] = by_label(left)
    return counts


def retention(records: Sequence[Record], step: str) -> dict[str, float | None]:
    """Of the images that come to a step, the share that it keeps, by label."""
    counts = after_steps(records)
    names = list(counts)
    before, after = counts[names[names.index(step) - 1]], counts[step]
    return {label: after[label] / count if count else None for label, count in before.items()}


def by_reason(records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    """What was dropped: per reason the step, and the counts by label and in all."""
    reasons: dict[str, list[Record]] = {}
    for record in records:
        if not record.kept:
            reasons.setdefault(str(record.reason), []).append(record)
    order = sorted(reasons, key=lambda name: (ALL_STEPS.index(str(reasons[name][0].step)), name))
    return {
        name: {
            "step": reasons[name][0].step,
            "images": len(reasons[name]),
            "labels": by_label(reasons[name]),
        }
        for name in order
    }


def by_split(records: Sequence[Record]) -> dict[str, Counts]:
    """Kept images by split and label."""
    return {
        split: by_label(one for one in records if one.kept and one.split == split)
        for split in SPLITS
    }


def beside_the_paper(records: Sequence[Record], sources: Sequence[str]) -> dict[str, Any]:
    """Our counts, the paper's and the differences.

    Returns:
      under "table_1" a list of rows, one for each source and split that the paper lists, of what
      was read before any cleaning; under "table_2" the row of what is kept of all of them.
    """
    rows = []
    for source in sources:
        read = [one for one in records if one.source == source and one.digest is not None]
        for part, theirs in paper.ORIGINAL.get(source, {}).items():
            ours = by_label(one for one in read if part in ("all", one.split))
            row: dict[str, Any] = {"source": source, "split": part, **_compared(ours, theirs)}
            if source == "fer2013":
                row["official"] = paper.OFFICIAL_FER2013[part]
            rows.append(row)
    kept = by_label(record for record in records if record.kept)
    used = [source for source in sources if source in paper.EXPLANATIONS]
    return {
        "table_1": rows,
        "table_2": _compared(kept, paper.CLEANED),
        "explanations": {name: paper.EXPLANATIONS[name] for name in (*used, "emotionset")},
        "missing_sources": [name for name in paper.ORIGINAL if name not in sources],
    }


def _compared(ours: Counts, theirs: Counts) -> dict[str, Counts]:
    return {
        "here": {label: ours[label] for label in EMOTIONS},
        "paper": theirs,
        "difference": {label: ours[label] - theirs[label] for label in EMOTIONS},
    }
