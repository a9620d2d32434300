"""From sources to a clean, split, proven collection of faces."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.emotionset import set_steps, splits
from datasets.emotionset.chunks import Chunk, make_chunks
from datasets.emotionset.collection import Built, Collection
from datasets.emotionset.detectors import make_detector
from datasets.emotionset.duplicates import exact_copies
from datasets.emotionset.parallel import work_on_all
from datasets.emotionset.record import Record
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import Dropped, Source, SourceError, Unit
from datasets.emotionset.work_folder import WorkFolder, fingerprint

# Works on all chunks and yields the number of records of each, in order.
Worker = Callable[[list[Chunk], CleaningSettings, Path], Iterator[int]]


def processes(count: int | None = None) -> Worker:
    """The ordinary way to work: `count` processes on this machine, None for one per processor."""

    def work(chunks: list[Chunk], settings: CleaningSettings, folder: Path) -> Iterator[int]:
        return work_on_all(chunks, settings, folder, count)

    return work


def workers(beam: tuple[Any, Any], count: int | None = None) -> Worker:
    """Those of Beam, given its runner and its options, or `processes(count)` where both are None.

    Raises:
      SourceError: Beam cannot be used so; see `on_beam.worker`.
    """
    if beam == (None, None):
        return processes(count)
    from datasets.emotionset import on_beam

    return on_beam.worker(*beam)


def run(
    sources: Sequence[Source],
    settings: CleaningSettings,
    root: Path,
    files: dict[str, Path] | None = None,
    worker: Worker | None = None,
    bars: bool = True,
) -> tuple[Built, WorkFolder]:
    """Reads all sources, runs all steps, and proves the splits.

    Args:
      sources: what to read, each of another name.
      settings: how.
      root: existing folder beside whose contents finished work is kept; see `WorkFolder`.
      files: what was given for the sources, for the fingerprint of finished work.
      worker: how chunks are worked on; by default `processes()`.
      bars: show a progress bar per source.

    Returns:
      the collection, and the folder that its pictures lie in, which the caller removes when it has
      written them elsewhere.

    Raises:
      SourceError: a source cannot be used, or nothing is left of all of them.
      SplitError: the splits cannot be proven.
      WorkerError: a process was killed.
      OSError: results cannot be written.
    """
    files = files or {}
    if not sources:
        raise SourceError("no source was given; give at least one")
    _check_detector(settings)
    units = [(source, list(source.units())) for source in sources]
    folder = WorkFolder(root, fingerprint(settings, units, files))
    folder.create()
    try:
        paths = _work(units, settings, folder, worker or processes(), bars)
        built = _decide(Collection(paths), sources, settings, files)
    except SourceError:  # what was finished belongs to files or settings that have to change
        folder.discard()
        raise
    except BaseException:
        folder.remove_if_empty()
        raise
    return built, folder


def _check_detector(settings: CleaningSettings) -> None:
    """Says at once, and not from a worker, what the detector lacks."""
    if not settings.has("face"):
        return
    try:
        make_detector(settings, crops=False)
    except ValueError as error:
        raise SourceError(str(error)) from error
    except ImportError as error:
        raise SourceError(
            f"face detection needs the extra faces: pip install -e '.[faces]' ({error})"
        ) from error


def _work(
    units: Sequence[tuple[Source, list[Unit | Dropped]]],
    settings: CleaningSettings,
    folder: WorkFolder,
    worker: Worker,
    bars: bool,
) -> list[Path]:
    paths: list[Path] = []
    for source, items in units:
        chunks = make_chunks(source, items, len(paths))
        with _bar(source.title, len(items), bars) as bar:
            images = 0
            done = worker(chunks, settings, folder.path)
            for chunk, count in zip(chunks, done, strict=True):
                images += count
                bar.set_postfix_str(f"{images} images", refresh=False)
                bar.update(len(chunk.units))
        paths += [chunk.path(folder.path) for chunk in chunks]
    return paths


def _bar(title: str, total: int, wanted: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit=" units", disable=not wanted, file=sys.stderr)


def _decide(
    collection: Collection,
    sources: Sequence[Source],
    settings: CleaningSettings,
    files: dict[str, Path],
) -> Built:
    records = collection.records
    _make_keys_unique(records)
    splits.assign(records, settings.validation_share, settings.test_share)
    found = {"all": exact_copies(records)}
    for source in sources:
        found[source.name] = exact_copies([one for one in records if one.source == source.name])
    set_steps.run(records, settings, collection.thumbnails)
    if not any(record.kept for record in records):
        raise SourceError(f"nothing is left: {_reasons(records)}")
    return Built(
        collection=collection,
        settings=settings,
        sources=tuple(sources),
        files={name: str(path) for name, path in files.items()},
        exact_copies=found,
        proof=splits.prove(records),
    )


def _make_keys_unique(records: Sequence[Record]) -> None:
    """Numbers what was dropped unread under a name that something else has, such as a second copy.

    Raises:
      SourceError: two images have the same key, so a source is at fault.
    """
    read = Counter(record.key for record in records if record.digest is not None)
    for key, count in read.most_common(1):
        if count > 1:
            raise SourceError(f"{key} is there {count} times; keys must be unique within a source")
    taken = set(read)
    for record in records:
        if record.digest is None:
            key, number = record.key, 1
            while record.key in taken:
                number += 1
                record.key = f"{key} ({number})"
            taken.add(record.key)


def _reasons(records: Sequence[Record]) -> str:
    counts = Counter(str(record.reason) for record in records)
    listed = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    first = next((record.detail for record in records if record.detail), "")
    return f"of {len(records)} images none was kept ({listed}); the first: {first}"
