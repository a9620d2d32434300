"""EmotionSet: the faces that a user has, under one name.

It is what `datasets.build` built where that is found, FER2013 where only its csv is, and the drawn
faces where neither is, so that a run works at once and says clearly what it saw:
`provenance["fallback"]` is true for the drawn faces, and `provenance["reason"]` tells why.
"""

import os
from dataclasses import replace
from pathlib import Path

from datasets.locate import CSV_NAMES, DATA_VARIABLE, find_fer2013_csv, search_folders
from datasets.source import ImageSource


def read(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split; see `datasets.load`.

    Args:
        split: One of `SPLITS`.
        data_path: A built or balanced set, FER2013's csv, or a folder that has one of them
            somewhere below. None: `$BPLF_DATA`, then `./data`, and the drawn faces if neither has
            any. A built set comes before a csv, and before one that was balanced.
        image_size: (height, width) wanted, or None.
        channels: Channels wanted, or None.
        limit: Number of images wanted at most, or None.

    Returns:
        The split, named "emotionset"; its provenance is that of the source, with `fallback` (bool)
        and `reason` (str). That of a built set names its `sources`.

    Raises:
        FileNotFoundError: If `data_path` was given and has neither: who names a folder wants
            what is in it.
        ValueError: If the csv is not of the official form, or there is nothing of the split.
    """
    # Here, so that what needs no image needs no Pillow either.
    from datasets import drawn, fer2013
    from datasets.emotionset.built import find_built, read_built
    from datasets.emotionset.version import BALANCED

    folders = search_folders() if data_path is None else [Path(data_path)]
    built = find_built(folders, image_size, channels)
    csv = None if built else find_fer2013_csv(folders)
    if built is not None:
        source = read_built(built, split, image_size, channels, limit)
        command = "datasets.balance" if built.name == BALANCED else "datasets.build"
        reason = f"a set that {command} built was found"
    elif csv is not None or data_path is not None:
        source = fer2013.read(split, csv or data_path, image_size, channels, limit)
        reason = "FER2013's csv was found"
    else:
        source = drawn.read(split, None, image_size, channels, limit)
        searched = " and ".join(str(folder) for folder in folders)
        reason = (
            f"neither a built EmotionSet nor a FER2013 csv ({' or '.join(CSV_NAMES)}) below "
            f"{searched}; give its folder as --data_path or in the environment variable "
            f"{DATA_VARIABLE}"
        )
    provenance = {**source.provenance, "fallback": source.name == "drawn_faces", "reason": reason}
    return replace(source, name="emotionset", provenance=provenance)
