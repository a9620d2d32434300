"""Draw many faces over several processes.

The workers are fresh interpreters that never import TensorFlow: forking a process that runs
TensorFlow's threads can deadlock, and `multiprocessing`'s spawn would run the caller's script
again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bplf_tf.config import EMOTIONS
from datasets.cores import cores
from datasets.drawn_faces.render import check_shape, draw_face

_ROOT = Path(__file__).resolve().parents[2]
# Starting an interpreter takes about as long as drawing this many small faces.
_WORTH_A_PROCESS = 100


def label_of(index: int) -> int:
    """The label of the `index`-th face of a split: the seven classes in turn, so balanced."""
    return index % len(EMOTIONS)


def draw_many(
    first_seed: int,
    count: int,
    size: int,
    channels: int,
    processes: int | None = None,
    faces_each: int = 1,
    align: bool = False,
) -> Iterator[np.ndarray]:
    """Faces of the seeds `first_seed`, `first_seed + 1`, ... in order.

    Args:
        first_seed: seed of the first face; face `i` has label `label_of(i)`.
        count: how many.
        size: height and width in pixels; see `draw_face`.
        channels: 1 (grey) or 3 (RGB).
        processes: how many to use; by default one per available core. 1 draws in this process.
        faces_each: how many faces in a row are of one person; 7 shows all of a person's emotions.
        align: see `draw_face`.

    Yields:
        uint8 `[size, size, channels]`, the same whatever the number of processes.

    Raises:
        ValueError: size or channels is not accepted.
        RuntimeError: a worker failed; with its message.
    """
    check_shape(size, channels)
    wanted = processes or min(cores(), 1 + count // _WORTH_A_PROCESS)
    if wanted <= 1:
        yield from draw_part(first_seed, 0, count, 1, size, channels, faces_each, align)
        return
    yield from _from_workers(first_seed, count, size, channels, wanted, faces_each, align)


def draw_part(
    first_seed: int,
    part: int,
    count: int,
    step: int,
    size: int,
    channels: int,
    faces_each: int,
    align: bool,
) -> Iterator[np.ndarray]:
    """The faces part, part + step, ... below count; see `draw_many`."""
    for index in range(part, count, step):
        seed = first_seed + index // faces_each
        yield draw_face(seed, label_of(index), size, channels, align)


def _from_workers(
    first_seed: int,
    count: int,
    size: int,
    channels: int,
    processes: int,
    faces_each: int,
    align: bool,
) -> Iterator[np.ndarray]:
    """Worker `k` draws faces k, k + processes, ...; the pipes are read in turn."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", "")))),
        # The matrices are small: one thread per process is fastest.
        **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")},
    }
    size_bytes = size * size * channels
    with ExitStack() as stack:
        workers, errors = [], []
        for part in range(processes):
            numbers = (first_seed, part, count, processes, size, channels, faces_each, int(align))
            errors.append(stack.enter_context(tempfile.TemporaryFile()))
            worker = subprocess.Popen(
                [sys.executable, "-m", "datasets.drawn_faces.worker", *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors[part],
                env=environment,
            )
            workers.append(stack.enter_context(worker))
            stack.callback(worker.terminate)  # runs before the context waits for its end
        for index in range(count):
            part = index % processes
            stream = workers[part].stdout
            data = stream.read(size_bytes) if stream else b""
            if len(data) != size_bytes:
                code = workers[part].wait()
                errors[part].seek(0)
                message = errors[part].read().decode(errors="replace").strip()
                raise RuntimeError(
                    f"a process that draws faces ended early (exit code {code}): {message}"
                )
            yield np.frombuffer(data, np.uint8).reshape(size, size, channels)
