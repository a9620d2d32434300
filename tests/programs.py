"""Tests that drive another program: skipped without it, failed where it has to be there."""

import os
from typing import NoReturn

import pytest

REQUIRED = "BPLF_REQUIRE_PROGRAMS"


def skip_without(needed: str) -> NoReturn:
    """Ends a test that cannot run: as a failure where `.ci/run` has installed the programs.

    Args:
      needed: what is missing, behind the word "needs".
    """
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"needs {needed}, and {REQUIRED}=1 says that it is there")
    pytest.skip(f"needs {needed}")
