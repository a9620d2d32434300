"""Where the user's own data may lie."""

import os
from pathlib import Path

DATA_VARIABLE = "BPLF_DATA"
# The first is preferred: both hold the same rows.
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")


def search_folders() -> list[Path]:
    """The folders that are searched when no path was given: `$BPLF_DATA` if it is set, `./data`.

    Raises:
        FileNotFoundError: If `$BPLF_DATA` names something that is not there.
    """
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return [Path("data")]
    if not Path(named).exists():
        raise FileNotFoundError(f"the environment variable {DATA_VARIABLE}={named} does not exist")
    return [Path(named), Path("data")]


def find_fer2013_csv(places: list[Path]) -> Path | None:
    """Finds FER2013's csv.

    Args:
        places: Files or folders, in order of preference. A file is taken as it is; a folder is
            searched with all that is below it; what does not exist is passed over.

    Returns:
        The csv: of the first place that has one, `fer2013.csv` before `icml_face_data.csv`, the
        one nearest to the top; None if there is none.
    """
    for place in places:
        if place.is_file():
            return place
        for name in CSV_NAMES:
            found = [path for path in place.rglob(name) if path.is_file()]
            if found:
                return min(found, key=lambda path: (len(path.parts), str(path)))
    return None
