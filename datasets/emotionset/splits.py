"""Which image goes to which split, and the proof that no image and no person is in two."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from datasets.emotionset.record import Record
from datasets.source import SPLITS


class SplitError(Exception):
    """The same image or the same person would be in two splits: a fault of this program."""


def assign(records: Iterable[Record], validation_share: float, test_share: float) -> None:
    """Sets the split of every record whose image was read.

    Official splits are kept. The people of a source without them are put into an order by a hash
    of their names, and the first of them go to test, the next to validation; at least one to each
    where there are three or more. Whether an image is kept does not matter, so that cleaning moves
    nobody from one split to another. Images of nobody in particular go by a hash of their pixels.

    Args:
      records: of all sources.
      validation_share: share of the people of a source, or of its images, from 0 to 1.
      test_share: the same.
    """
    read = [record for record in records if record.digest is not None]
    people: dict[str, set[str]] = defaultdict(set)
    for record in read:
        if record.official_split is None and record.subject is not None:
            people[record.source].add(record.subject)
    split_of_person = {
        person: split
        for names in people.values()
        for person, split in _split_people(names, validation_share, test_share).items()
    }
    for record in read:
        if record.official_split is not None:
            record.split = record.official_split
        elif record.subject is not None:
            record.split = split_of_person[record.subject]
        else:
            record.split = _split_of_image(str(record.digest), validation_share, test_share)


def _split_people(names: set[str], validation_share: float, test_share: float) -> dict[str, str]:
    ordered = sorted(names, key=lambda name: (_hash(name), name))
    test, validation = (_count(len(names), share) for share in (test_share, validation_share))
    return {
        name: "test" if place < test else "validation" if place < test + validation else "train"
        for place, name in enumerate(ordered)
    }


def _count(people: int, share: float) -> int:
    if not share or people < 3:
        return 0
    return max(1, round(people * share))


def _split_of_image(digest: str, validation_share: float, test_share: float) -> str:
    place = _hash(digest) / 2**64
    if place < test_share:
        return "test"
    return "validation" if place < test_share + validation_share else "train"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def prove(records: Sequence[Record]) -> dict[str, int]:
    """Checks the kept images of all splits against each other.

    Returns:
      how many kept images, different pictures and named people were compared.

    Raises:
      SplitError: an image or a person is in two splits, or has none; names them.
    """
    kept = [record for record in records if record.kept]
    for record in kept:
        if record.split not in SPLITS:
            raise SplitError(f"{record.key} is in no split ({record.split!r})")
    compared = {
        "images": _in_one_split("image", kept, "digest"),
        "pictures": _in_one_split("finished picture", kept, "picture_digest"),
        "people": _in_one_split("person", kept, "subject"),
    }
    return {"kept": len(kept), **compared}


def _in_one_split(what: str, kept: Sequence[Record], attribute: str) -> int:
    first: dict[str, Record] = {}
    for record in kept:
        value = getattr(record, attribute)
        if value is None:
            continue
        other = first.setdefault(value, record)
        if other.split != record.split:
            raise SplitError(
                f"the same {what} is in two splits: {other.key} in {other.split} and "
                f"{record.key} in {record.split}"
            )
    return len(first)
