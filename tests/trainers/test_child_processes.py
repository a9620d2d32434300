"""With processes of their own, that Python runs without TensorFlow."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.checkout import ROOT
from trainers import many_runs
from trainers.child_processes import InUseError, ended_with_the_block, open_alone
from trainers.many_runs import Planned, run_all, start_alone

if not hasattr(os, "sched_getaffinity"):
    pytest.skip("needs POSIX signals and locks, and Linux' cores", allow_module_level=True)

# Says that it runs, and, where it is asked to end, that it was.
CHILD = """
import signal, sys, time
def end(*_):
    print("saved", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
print("started", flush=True)
time.sleep(100)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(100)
"""
# Makes two runs at once, each a process that sleeps.
PARENT = """
import sys
from pathlib import Path
from trainers.many_runs import Planned, run_all, start_alone
folder, child = Path(sys.argv[1]), sys.argv[2]
def start(run, cores):
    command = [sys.executable, "-c", child]
    process = start_alone(command, folder / f"{run.name}.log", cores, append=True)
    (folder / f"{run.name}.pid").write_text(str(process.pid))
    return process
def ended(run, code, cores):
    (folder / f"{run.name}.code").write_text(str(code))
left_out = run_all([Planned("a", ""), Planned("b", "")], int(sys.argv[3]), start, ended)
print(*[run.name for run in left_out])
"""


def wait_until(condition):
    latest = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < latest, "it took too long"
        time.sleep(0.05)


def text(path):
    return path.read_text() if path.exists() else ""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def parent(tmp_path):
    """Starts a process that makes runs; none of them outlives the test."""
    started = []

    def start(child=CHILD, at_once=1):
        command = [sys.executable, "-c", PARENT, str(tmp_path), child, str(at_once)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    for file in tmp_path.glob("*.pid"):
        if alive(int(file.read_text())):
            os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_runs_which_save(tmp_path, parent, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests were started in a way that ignores this signal")
    process = parent()
    wait_until(lambda: "started" in text(tmp_path / "a.log"))
    process.send_signal(number)
    process.communicate(timeout=60)
    # As shells have it; Ctrl-C is Python's own.
    assert process.returncode == (-number if number == signal.SIGINT else 128 + number)
    assert text(tmp_path / "a.log") == "started\nsaved\n"
    assert not alive(int(text(tmp_path / "a.pid")))
    assert not (tmp_path / "b.pid").exists()


def test_a_second_signal_kills_what_does_not_end(tmp_path, parent):
    process = parent(STUBBORN)
    wait_until(lambda: "started" in text(tmp_path / "a.log"))
    process.send_signal(signal.SIGTERM)
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert not alive(int(text(tmp_path / "a.pid")))


def test_a_second_start_leaves_alone_what_the_first_one_makes(tmp_path, parent):
    first = parent()
    wait_until(lambda: "started" in text(tmp_path / "a.log"))
    # Killed, it can end nothing: its run goes on, and has its log.
    first.kill()
    first.communicate()
    pid = int(text(tmp_path / "a.pid"))
    assert alive(pid)
    second = parent("print('started')")
    assert second.communicate(timeout=60)[0] == "a\n"
    assert text(tmp_path / "b.code") == "0"
    assert not (tmp_path / "a.code").exists()
    assert text(tmp_path / "a.log") == "started\n"
    os.kill(pid, signal.SIGKILL)
    third = parent("print('started')")
    assert third.communicate(timeout=60)[0] == "\n"
    assert text(tmp_path / "a.code") == "0"


def sleeper(folder, name="a"):
    command, cores = [sys.executable, "-c", CHILD], os.sched_getaffinity(0)
    return start_alone(command, folder / f"{name}.log", cores, append=False)


def test_an_exception_ends_the_runs(tmp_path):
    started = []

    def start(run, cores):
        if started:
            raise OSError("the disk is full")
        started.append(sleeper(tmp_path))
        wait_until(lambda: "started" in text(tmp_path / "a.log"))
        return started[0]

    with pytest.raises(OSError, match="the disk is full"):
        run_all([Planned("a", ""), Planned("b", "")], 2, start, lambda *_: None)
    assert started[0].returncode == 143
    assert text(tmp_path / "a.log") == "started\nsaved\n"


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with ended_with_the_block(list) as check:
        assert signal.getsignal(signal.SIGTERM) is not before
        check()
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(SystemExit) as stopped, ended_with_the_block(list):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_file_is_emptied_by_the_one_who_has_it(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("before")
    with open_alone(path, keep=True):
        with pytest.raises(InUseError, match=r"another process is writing to .*a\.log"):
            open_alone(path, keep=False)
        assert path.read_text() == "before"
    with open_alone(path, keep=False):
        assert path.read_text() == ""


def test_runs_at_once_have_as_many_cores_each(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert [len(share) for share in many_runs._shares(2)] == [1, 1]
    assert many_runs._shares(1) == [{3, 5, 8}]
