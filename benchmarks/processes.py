"""Starts contenders in processes of their own and talks to them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import IO, Any

from benchmarks.contenders import Contender
from benchmarks.problem import Problem

ROOT = pathlib.Path(__file__).resolve().parents[1]


def environment(cpu_time: bool) -> dict[str, str]:
    """Environment of a process that measures; with `cpu_time` its libraries use one thread."""
    if not cpu_time:
        return dict(os.environ)
    names = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"]
    return os.environ | dict.fromkeys(names, "1")


class ContenderProcess:
    """A running `benchmarks.worker`; use it in a `with` statement.

    Raises:
      RuntimeError: from any method, with the tail of the process' standard error, if it ended.
    """

    def __init__(
        self,
        contender: Contender,
        problem: Problem,
        python: str = sys.executable,
        cpu_time: bool = False,
    ):
        """Starts the process.

        Args:
          contender: what it builds.
          problem: the task.
          python: the interpreter.
          cpu_time: one thread, timed in seconds of CPU time; else all cores, by the clock.
        """
        self.contender = contender
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._process = subprocess.Popen(
            [
                python,
                "-m",
                "benchmarks.worker",
                contender.name,
                problem.to_json(),
                "cpu" if cpu_time else "clock",
            ],
            cwd=ROOT,
            env=environment(cpu_time),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> ContenderProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def first_step(self) -> dict[str, Any]:
        """Waits until the first training step is done; what the worker tells about it."""
        return self._read()

    def run(self, steps: int) -> dict[str, float]:
        """Makes `steps` steps; their `seconds`, and the last one's `loss` in bits/dim."""
        return self._ask(steps=steps)

    def peak_memory(self) -> int:
        """Largest resident size of the process so far, in bytes."""
        return self._ask(memory=True)["peak_bytes"]

    def _ask(self, **command: Any) -> dict[str, Any]:
        with contextlib.suppress(BrokenPipeError):  # the process has ended: _read says why
            pipe = _opened(self._process.stdin)
            pipe.write(json.dumps(command) + "\n")
            pipe.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = _opened(self._process.stdout).readline()
        if not line:
            self._errors.seek(0)
            tail = self._errors.read()[-4000:].decode(errors="replace")
            raise RuntimeError(f"{self.contender.name} ended early:\n{tail}")
        return json.loads(line)


def _opened(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # Popen was told to make it
    return pipe
