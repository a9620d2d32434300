"""Work on chunks in several processes.

The processes are fresh interpreters (joblib's loky): forking a process that runs TensorFlow's
threads can deadlock, and `multiprocessing`'s spawn would run the caller's script again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from datasets.cores import cores
from datasets.emotionset.chunks import Chunk, work_on
from datasets.emotionset.settings import CleaningSettings

# Starting a process that imports OpenCV takes about as long as so many chunks of single images.
_FEW_CHUNKS = 4


class WorkerError(RuntimeError):
    """A process ended before its work did, as when the system is short of memory."""


def work_on_all(
    chunks: list[Chunk], settings: CleaningSettings, folder: Path, processes: int | None
) -> Iterator[int]:
    """Works on all chunks; their results are files in `folder`.

    Args:
      chunks: what to do.
      settings: of every chunk.
      folder: where results lie; it exists.
      processes: how many to use; None is one per processor. 1 works in this process.

    Yields:
      the number of records of each chunk, in the order of the chunks.

    Raises:
      WorkerError: a process was killed. Finished chunks stay.
    """
    wanted = min(processes or cores(), len(chunks))
    if wanted <= 1 or (processes is None and len(chunks) <= _FEW_CHUNKS):
        _one_thread_each()
        for chunk in chunks:
            yield work_on(chunk, settings, folder)
        return
    yield from _in_processes(chunks, settings, folder, wanted)


def _in_processes(
    chunks: Iterable[Chunk], settings: CleaningSettings, folder: Path, processes: int
) -> Iterator[int]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = Parallel(
        n_jobs=processes, backend="loky", return_as="generator", pre_dispatch="3*n_jobs"
    )
    try:
        yield from parallel(delayed(_work)(chunk, settings, folder) for chunk in chunks)
    except TerminatedWorkerError as error:
        raise WorkerError(
            "a process that reads images was ended from outside, perhaps for want of memory; "
            "give fewer --processes, and run the command again"
        ) from error


def _work(chunk: Chunk, settings: CleaningSettings, folder: Path) -> int:
    _one_thread_each()
    return work_on(chunk, settings, folder)


def _one_thread_each() -> None:
    """OpenCV's own threads would only compete with the other processes."""
    try:
        import cv2
    except ImportError:  # without face detection nothing needs it
        return
    cv2.setNumThreads(1)
