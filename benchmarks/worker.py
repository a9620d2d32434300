"""A contender in a process of its own, which steps on command.

Run by `benchmarks.processes`, never by hand. Standard output carries one JSON object per line:
first the one that tells of the first training step, then one answer per line read from standard
input (`{"steps": 10}` or `{"memory": true}`). Everything that libraries print goes to standard
error.
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
import sys
import time


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    except FileNotFoundError:  # not Linux; ru_maxrss is in bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kibibytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kibibytes) * 1024


def main(name: str, problem_json: str, timing: str) -> None:
    seconds = {"clock": time.perf_counter, "cpu": time.process_time}[timing]
    # Keep the pipe for the answers, and send whatever else is printed to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    from benchmarks.contenders import CONTENDERS
    from benchmarks.problem import Problem

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    start = seconds()
    stepper = CONTENDERS[name].build(Problem.from_json(problem_json))
    answer(
        build_seconds=seconds() - start,
        cpu_seconds=time.process_time(),
        first_loss=stepper.first_loss,
        parameters=stepper.parameters,
        versions=stepper.versions,
    )
    for line in sys.stdin:
        command = json.loads(line)
        if "steps" in command:
            start = seconds()
            loss = stepper.run(command["steps"])
            answer(seconds=seconds() - start, loss=loss)
        else:
            answer(peak_bytes=peak_memory())


if __name__ == "__main__":
    main(*sys.argv[1:])
