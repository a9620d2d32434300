"""The pipeline on Apache Beam, for more faces than one machine should read; the extra `beam`.

Chunks are worked on by Beam's workers, which write their results into the work folder: it must be
on a file system that all of them see. What concerns all images together (copies, splits) is decided
by the program that started the build, from the small records alone; then TFDS writes the records,
on Beam again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.emotionset.chunks import Chunk, count_records, work_on
from datasets.emotionset.examples import ChunkOfSplit, examples_of_chunk
from datasets.emotionset.parallel import WorkerError
from datasets.emotionset.pipeline import Worker
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import SourceError

RUNNERS = {
    "direct": "DirectRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}


def runner_name(short: str) -> str:
    """Beam's name of a runner: "direct" is "DirectRunner"; another one is taken as it is."""
    return RUNNERS.get(short, short)


def pipeline_options(options: Sequence[str]) -> Any:
    """Beam's options, from "name=value" or "name" each.

    Raises:
      SourceError: the extra is not installed.
    """
    _import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(flags=[f"--{option}" for option in options])


def worker(runner: Any, options: Any) -> Worker:
    """Works on chunks by a Beam pipeline; see `pipeline.Worker`.

    Raises:
      SourceError: the extra is not installed, or Beam has no such runner or refuses its options.
    """
    beam = _import_beam()
    try:
        beam.Pipeline(runner=runner, options=options)  # which starts nothing yet
    except (ValueError, ImportError) as error:
        raise SourceError(f"Beam's runner {runner}: {' '.join(str(error).split())}") from error

    def work(chunks: list[Chunk], settings: CleaningSettings, folder: Path) -> Iterator[int]:
        try:
            with beam.Pipeline(runner=runner, options=options) as pipeline:
                # Reshuffled, or one worker would do what one `Create` holds.
                waiting = pipeline | beam.Create(chunks) | beam.Reshuffle()
                _ = waiting | beam.Map(work_on, settings=settings, folder=folder)
        except (RuntimeError, SourceError) as error:  # the former wraps a remote worker's error
            raise WorkerError(f"Beam's workers failed: {' '.join(str(error).split())}") from error
        for chunk in chunks:
            count = count_records(chunk.path(folder))
            if count is None:
                raise SourceError(
                    f"Beam's workers left no {chunk.path(folder)}: they must see the same folder "
                    "as this program"
                )
            yield count

    return work


def examples(chunks: Iterable[ChunkOfSplit], labels: Sequence[str]) -> Any:
    """A transform that gives keys and examples of the chunks, for TFDS."""
    beam = _import_beam()
    return (
        beam.Create(list(chunks))
        | beam.Reshuffle()
        | beam.FlatMap(_examples_of_chunk, labels=tuple(labels))
    )


def _examples_of_chunk(
    chunk: ChunkOfSplit, labels: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    path, records = chunk
    return examples_of_chunk(path, records, labels)


def _import_beam() -> Any:
    try:
        import apache_beam
    except ImportError as error:
        raise SourceError(
            f"Apache Beam is not installed: pip install -e '.[checkout,beam]' ({error})"
        ) from error
    return apache_beam
