"""The steps that look at all images together: copies, conflicting labels, agreement."""

from __future__ import annotations

from collections.abc import Sequence

from datasets.emotionset.duplicates import Groups, Thumbnails, join_exact, join_near
from datasets.emotionset.record import Record
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.soft_labels import VOTE_OF_LABEL

# Of copies, the one in the split on the left stays: a model is measured on what it never saw.
_KEPT_FIRST = ("test", "validation", "train")


def run(records: Sequence[Record], settings: CleaningSettings, thumbnails: Thumbnails) -> None:
    """Runs the steps that the settings ask for; the records' splits are known.

    Copies of a held-out image are taken out of the splits before it whatever the settings: the
    build would not be proven otherwise.
    """
    # What is equal as a finished picture is equal to a model, whatever it was cut out of.
    groups = Groups(len(records))
    join_exact(groups, records, ("digest", "picture_digest"))
    groups_found = groups.of_several()
    conflicting = _conflicts(records, groups_found)
    _drop_copies(records, groups_found, settings.has("duplicates"), "duplicates", "exact")
    if settings.has("near_duplicates"):
        join_near(groups, records, thumbnails, settings.near_distance, settings.near_correlation)
        groups_found = groups.of_several()
        # Those between exact copies and what they are nearly equal to come with the larger groups.
        conflicting = _conflicts(records, groups_found)
        _drop_copies(records, groups_found, True, "near_duplicates", "near")
    if settings.has("conflicts"):
        _drop_conflicts(records, conflicting)
    if settings.min_agreement and settings.has("agreement"):
        _drop_disagreed(records, settings.min_agreement)


def _conflicts(records: Sequence[Record], groups: list[list[int]]) -> list[list[int]]:
    return [group for group in groups if len({records[place].label for place in group}) > 1]


def _drop_copies(
    records: Sequence[Record], groups: list[list[int]], within_splits: bool, step: str, kind: str
) -> None:
    for group in groups:
        kept = [place for place in group if records[place].kept]
        if len(kept) < 2:
            continue
        best = min(kept, key=lambda place: (_KEPT_FIRST.index(str(records[place].split)), place))
        for place in kept:
            if place == best:
                continue
            across = records[place].split != records[best].split
            if across or within_splits:
                reason = f"{kind}_copy_across_splits" if across else f"{kind}_copy"
                where = f" in {records[best].split}" if across else ""
                records[place].drop(step, reason, f"copy of {records[best].key}{where}")
                records[place].copy_of = records[best].key


def _drop_conflicts(records: Sequence[Record], groups: list[list[int]]) -> None:
    for group in groups:
        labels = ", ".join(sorted({str(records[place].label) for place in group}))
        for place in group:
            records[place].drop("conflicts", "conflicting_labels", f"its copies have {labels}")


def _drop_disagreed(records: Sequence[Record], least: float) -> None:
    for record in records:
        if not record.kept or not record.votes:
            continue
        total = sum(record.votes.values())
        share = record.votes.get(VOTE_OF_LABEL[str(record.label)], 0) / total if total else 0.0
        if share < least:
            detail = f"{share:.0%} of FER+'s votes are for {record.label}"
            record.drop("agreement", "low_agreement", detail)
