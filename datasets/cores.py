"""How many processors there are to work on, and what they are called."""

import os
import platform
from pathlib import Path


def cores() -> int:
    """Cores this process may use."""
    # What this process may use, which in a container is often less than what the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Name of the processor; that of its architecture where the system tells no more."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux on x86
        return platform.processor() or platform.machine()
