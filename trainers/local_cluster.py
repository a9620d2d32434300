"""Several workers on one machine: the environment of each, with its TF_CONFIG over the loopback."""

from __future__ import annotations

import contextlib
import json
import os
import socket


def environments(workers: int, chief: bool = False) -> list[dict[str, str]]:
    """The environment variables of each worker's process.

    They are this process's, with a TF_CONFIG of the worker's own; one worker alone has none.

    Args:
      workers: number of processes.
      chief: whether the first of them has a job of its own, `"chief"`.
    """
    own = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    if workers == 1:
        return [own]
    addresses = _free_addresses(workers)
    cluster = {"chief": addresses[:1], "worker": addresses[1:]} if chief else {"worker": addresses}
    tasks = [{"type": job, "index": i} for job, own in cluster.items() for i in range(len(own))]
    return [own | {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]


def _free_addresses(count: int) -> list[str]:
    """Different ports of the loopback that nothing listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [f"localhost:{one.getsockname()[1]}" for one in sockets]
