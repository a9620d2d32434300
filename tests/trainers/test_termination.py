"""With processes of their own, that Python runs without TensorFlow."""

import signal
import subprocess
import sys
import threading

import pytest

from tests.checkout import ROOT
from trainers.termination import Terminated, sigterm_as_ctrl_c, sigterm_ends_at_once

if sys.platform == "win32":
    pytest.skip("Windows knows no SIGTERM", allow_module_level=True)

START = """
import os, signal
from trainers.termination import sigterm_as_ctrl_c, sigterm_ends_at_once
"""
# Does not heed the first one.
TWICE = """
with sigterm_as_ctrl_c():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("first", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("second", flush=True)
"""
AT_ONCE = """
with sigterm_as_ctrl_c():
    with sigterm_ends_at_once():
        pass
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("first", flush=True)
with sigterm_as_ctrl_c(), sigterm_ends_at_once():
    os.kill(os.getpid(), signal.SIGTERM)
    print("second", flush=True)
"""


def test_it_comes_as_an_exception_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    with sigterm_as_ctrl_c(), sigterm_ends_at_once():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("program", [TWICE, AT_ONCE])
def test_the_ordinary_end_is_at_once(program):
    done = subprocess.run([sys.executable, "-c", START + program], cwd=ROOT, capture_output=True)
    assert done.stdout == b"first\n"
    assert done.returncode == -signal.SIGTERM


def test_in_another_thread_it_does_nothing():
    seen = []

    def look():
        with sigterm_as_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
