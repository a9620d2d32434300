"""What goes wrong between a client and a server."""

from __future__ import annotations

_LONGEST = 400


class ServingError(Exception):
    """A call of a served model failed; the text is one line for the user."""


def one_line(text: str) -> str:
    """A text as one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
