"""`trainers.threads`: each case in a process of its own: TensorFlow starts its threads once."""

import subprocess
import sys

import pytest

from tests.checkout import ROOT

_REPORT = """
import tensorflow as tf
from trainers.threads import set_threads
{before}
set_threads(per_operation={per_operation}, cores={cores})
print("threads", tf.config.threading.get_intra_op_parallelism_threads())
"""


def _run(per_operation: int, cores: int, before: str = "") -> subprocess.CompletedProcess[str]:
    script = _REPORT.format(before=before, per_operation=per_operation, cores=cores)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(("per_operation", "cores", "threads"), [(0, 2, 1), (0, 8, 0), (3, 2, 3)])
def test_threads_within_one_operation(per_operation: int, cores: int, threads: int) -> None:
    assert f"threads {threads}" in _run(per_operation, cores).stdout


def test_too_late_is_an_error_for_who_asked_and_nothing_for_who_did_not() -> None:
    asked = _run(3, 2, before="tf.zeros([]).numpy()")
    assert "--threads_per_operation=3 must be set before" in asked.stderr
    assert "threads 0" in _run(0, 2, before="tf.zeros([]).numpy()").stdout
