"""What all tests share: quiet TensorFlow, Hypothesis settings, the folder of licensed data."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The first call of a test traces a graph, so its time says nothing; the same cases on every run.
hypothesis.settings.register_profile("bplf", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("bplf")


def _shared_data() -> Path:
    return Path(os.environ.get("BPLF_SHARED", ROOT.parent / "shared")) / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real_data") and not _shared_data().is_dir():
        pytest.skip(f"needs licensed data: no folder {_shared_data()} (set BPLF_SHARED)")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of licensed data, for tests marked `real_data`."""
    return _shared_data()
