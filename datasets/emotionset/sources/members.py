"""What the sources share in finding their files and reading one image of them."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from datasets.emotionset.archives import Archive, MemberError, archives_below
from datasets.emotionset.source import Dropped, SourceError
from datasets.emotionset.sources.images import ImageError, decode_image

Members = list[tuple[Archive, str]]


def find_members(path: str | os.PathLike[str], wanted: Callable[[str], bool]) -> Members:
    """All members that are `wanted`, by their names: of `path` itself, else of archives in it.

    A folder in which the files lie unpacked beside the archives they came in gives each once. Of
    several archives in a folder, those that have what is wanted are taken together.

    Raises:
      SourceError: `path` cannot be read; an archive in a folder is only opened, and can only be
        found to be damaged, if the folder itself has nothing.
    """
    itself, *inside = archives_below(path)
    found = [(itself, name) for name in itself.names() if wanted(name)]
    if not found:
        found = [(archive, name) for archive in inside for name in archive.names() if wanted(name)]
    return found


def nothing_found(path: str | os.PathLike[str], title: str, accepted: str) -> SourceError:
    """The error for a path that has nothing of the source, with what it does have."""
    seen: list[str] = []
    for archive in archives_below(path):
        seen += archive.names()[: 3 - len(seen)]
    got = f"there is {', '.join(seen)}" if seen else "it is empty"
    return SourceError(f"{path} has nothing of {title}: {got}; accepted are {accepted}")


def read_image(
    archive: Archive, name: str, key: str, label: str | None = None
) -> np.ndarray | Dropped:
    """The pixels of a member, as of `decode_image`, or why there are none."""
    try:
        return decode_image(archive.read(name))
    except MemberError as error:
        return Dropped(key, "unreadable", str(error), label)
    except ImageError as error:
        return Dropped(key, "unreadable", f"{archive.where(name)}: {error}", label)
