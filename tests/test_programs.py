"""Where programs have to be there, a test that misses one does not pass as skipped."""

import shutil

import pytest

from tests.checkout import ROOT
from tests.export.browser import skip_without_browser
from tests.programs import REQUIRED


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.mark.usefixtures("no_programs")
def test_skipped_where_they_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs chromium and chromedriver"):
        skip_without_browser()


@pytest.mark.usefixtures("no_programs")
def test_failed_where_they_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="needs chromium and chromedriver"):
        skip_without_browser()


def test_ci_requires_what_it_installs() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines.index("step install_programs") < lines.index(f"export {REQUIRED}=1")
    assert lines.index(f"export {REQUIRED}=1") < lines.index("step make test")
