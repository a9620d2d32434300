"""All four sources in their official layouts, drawn, as a user might have them."""

import pytest

from tests.datasets.emotionset.fixtures import (
    write_ck_plus,
    write_fer2013,
    write_jaffe,
    write_mmi,
)


@pytest.fixture(scope="session")
def manual_folder(tmp_path_factory):
    """A folder with every source under its name, and FER+ beside FER2013."""
    folder = tmp_path_factory.mktemp("manual")
    write_jaffe(folder / "jaffe")
    write_ck_plus(folder / "ck_plus")
    write_fer2013(folder / "fer2013")
    write_mmi(folder / "mmi")
    return folder
