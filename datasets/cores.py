"""How many processors there are to work on."""

import os


def cores() -> int:
    """Cores this process may use."""
    # What this process may use, which in a container is often less than what the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
