"""A build from beginning to end, which leaves a whole data set or what was there before."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets.emotionset import pipeline
from datasets.emotionset.collection import Built
from datasets.emotionset.settings import CleaningSettings, config_name
from datasets.emotionset.source import Source, SourceError
from datasets.emotionset.splits import SplitError
from datasets.emotionset.version import DATASET, VERSION
from datasets.emotionset.work_folder import FOLDER, BusyError, only_build
from datasets.files import reason, system_reason
from datasets.quiet_tensorflow import import_tensorflow
from datasets.quiet_tfds import quiet_tfds

_RESULT = "result"  # where TFDS writes, beside the finished chunks


class BuildError(Exception):
    """The build could not be made; says why, and what is left to go on from."""


def build(
    run: Any, settings: CleaningSettings, sources: tuple[Source, ...], files: dict[str, Path]
) -> Path:
    """Builds EmotionSet.

    Args:
      run: out, overwrite, processes, beam_runner, beam_options and bars, as `datasets.build` has
        them.
      settings: cleaning, size and splits.
      sources: what to read.
      files: what was given for them, by the names of the flags.

    Returns:
      the folder with the data, `out/emotion_set/<configuration>/<version>`.

    Raises:
      BuildError: it is there already, a source is not usable, nothing is left, or it cannot be
        written. What was there before is as it was.
    """
    out = Path(run.out)
    place = _place(out, settings)
    if place.exists() and not run.overwrite:
        raise BuildError(
            f"{place} is there already: give --overwrite to replace it, or choose another --out"
        )
    fresh = [folder for folder in (out, *out.parents) if not folder.exists()]
    result = out / FOLDER / _RESULT
    with _told(out), only_build(out), _removed_if_empty([out / FOLDER, *fresh]):
        try:
            beam = _beam(run)
            worker = pipeline.workers(beam, run.processes)
            built, work = pipeline.run(sources, settings, out, files, worker, run.bars)
            if run.bars:
                kept = built.proof["kept"]
                print(f"Writing {kept:,} images and the report", file=sys.stderr, flush=True)
            _write(built, beam, result)
            _put(result, place, out)
            work.remove()
        except BaseException:
            shutil.rmtree(result, ignore_errors=True)
            raise
    return place


@contextlib.contextmanager
def _removed_if_empty(folders: list[Path]) -> Iterator[None]:
    """Removes folders, the innermost first, that hold nothing after an error."""
    try:
        yield
    except BaseException:
        for folder in folders:
            with contextlib.suppress(OSError):  # there is something in it, or it never was there
                folder.rmdir()
        raise


def _place(out: Path, settings: CleaningSettings) -> Path:
    name = config_name(settings.image_size, settings.channels)
    return out / DATASET / name / VERSION


def _beam(run: Any) -> tuple[Any, Any]:
    """Beam's runner and its options; None each without Beam."""
    if run.beam_runner is None:
        return None, None
    from datasets.emotionset.on_beam import pipeline_options, runner_name

    return runner_name(run.beam_runner), pipeline_options(run.beam_options)


def _write(built: Built, beam: tuple[Any, Any], result: Path) -> None:
    """Lets TFDS write the data set, with the report, into a folder of its own."""
    import_tensorflow()
    import tensorflow_datasets as tfds

    from datasets.emotionset.builder import EmotionSet

    runner, options = beam
    config = tfds.download.DownloadConfig(beam_runner=runner, beam_options=options)
    shutil.rmtree(result, ignore_errors=True)  # of a build that was killed
    with quiet_tfds(bars=False):
        builder = EmotionSet.for_built(built, str(result))
        builder.download_and_prepare(download_dir=str(result / "downloads"), download_config=config)


def _put(result: Path, place: Path, out: Path) -> None:
    """Renames what was written to where it belongs; what was there goes when that is done."""
    new = result / place.relative_to(out)
    place.parent.mkdir(parents=True, exist_ok=True)
    old = result / "replaced"
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    # TFDS' note of the default configuration, which is the same for all of them.
    note = Path(DATASET, ".config")
    if not (out / note).exists():
        (result / note).rename(out / note)


@contextlib.contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turns what users can put right into a `BuildError` of one line."""
    from datasets.emotionset.parallel import WorkerError

    try:
        yield
    except (SourceError, BusyError) as error:
        raise BuildError(str(error)) from error
    except SplitError as error:
        raise BuildError(f"nothing was written: {error}") from error
    except WorkerError as error:
        raise BuildError(f"{error}.{_left(out)}") from error
    except KeyboardInterrupt:
        if left := _left(out):
            print(f"\n{left.strip()}", file=sys.stderr)
        raise
    except Exception as error:
        if system_reason(error) is None and not isinstance(error, OSError):
            raise
        name = getattr(error, "filename", None)
        what = f" ({os.fspath(name)})" if name else ""
        full = getattr(error, "errno", None) == errno.ENOSPC
        advice = " Make room and run the command again." if full else ""
        text = f"could not build {out}: {reason(error)}{what}.{advice}"
        raise BuildError(f"{text}{_left(out)}") from error


def _left(out: Path) -> str:
    if not any((out / FOLDER).rglob("chunk_*.npz")):
        return ""
    return (
        f" Nothing half-built is left; finished parts are kept in {out / FOLDER}, from which the "
        "same command goes on."
    )
