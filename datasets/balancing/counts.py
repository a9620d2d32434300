"""How many images of each label there are to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MAX = "max"
ACCEPTED = (
    f"{MAX} (as many as the commonest label has), a number for every label, or a number for some, "
    "as in disgust=2000,fear=1500"
)

Counts = dict[str, int]


def parse(text: str, classes: Sequence[str]) -> str | int | Counts:
    """What `--counts` says, as far as it can be read without data.

    Raises:
      ValueError: it is none of `ACCEPTED`, or names a label twice or one that there is not.
    """
    if text == MAX:
        return MAX
    if "=" not in text:
        return _number(text, text)
    counts: Counts = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if name in counts:
            raise ValueError(f"--counts={text} names {name} twice")
        counts[name] = _number(number, text)
        if classes and name not in classes:
            raise ValueError(f"--counts={text}: the labels are {', '.join(classes)}, not {name!r}")
    return counts


def missing(text: str, real: Mapping[str, int]) -> Counts:
    """Images of each label that are to be generated, 0 or more.

    Args:
      text: as of `--counts`; labels that it leaves out keep what they have.
      real: images of each label in the training data; none is taken away where there are more
        than wanted.

    Raises:
      ValueError: see `parse`; or there is nothing to generate.
    """
    said = parse(text, tuple(real))
    if isinstance(said, dict):
        wanted = {name: said.get(name, count) for name, count in real.items()}
    else:
        wanted = dict.fromkeys(real, max(real.values()) if isinstance(said, str) else said)
    lacking = {name: max(count - real[name], 0) for name, count in wanted.items()}
    if not any(lacking.values()):
        has = ", ".join(f"{count} {name}" for name, count in real.items())
        raise ValueError(f"--counts={text} asks for no more than there is: {has}")
    return lacking


def _number(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ValueError(f"--counts must be {ACCEPTED}; got {whole!r}")
    return int(text)
