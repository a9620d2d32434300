"""Trains a model: `python -m trainers.fit --flagfile=drawn_faces.flags --run_dir=runs/faces`.

The run directory then holds config.json (all that was resolved), metrics.csv (a row per epoch),
model.keras (averaged weights of the last epoch), best.keras (of the best one), the pictures
samples/epoch_NNN.png, checkpoints to go on from and, at the end, result.json.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import flags
from datasets.cores import cores
from datasets.files import WriteError
from datasets.quiet_tensorflow import import_tensorflow
from trainers import environment
from trainers.checkpoints import CheckpointError, Checkpoints
from trainers.child_processes import InUseError
from trainers.nonfinite import NONFINITE, NonFiniteError
from trainers.run_directory import RunDirectory
from trainers.schedule import Schedule
from trainers.settings import FitSettings
from trainers.termination import Terminated, sigterm_as_ctrl_c, sigterm_ends_at_once
from trainers.threads import set_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import ImageSource
    from trainers.run import Run


LOST = 4
"""Exit code of a process whose fellows are gone."""


def main(settings: FitSettings) -> int:
    """Checks, trains, reports; returns the exit code."""
    resume = _resume_command(settings)
    # Not to resume: with --overwrite that would go on with the run that is still there.
    again = f"nothing was written. Start again with\n  {environment.fit_command(sys.argv[1:])}"
    try:
        with sigterm_as_ctrl_c():
            run = prepare(settings)
            again = ""
            _print_fallback(run)
            if run.team.chief:
                _print_start(run)
            return _train(run, resume)
    except KeyboardInterrupt as error:  # a second Ctrl-C, or one outside of training, or SIGTERM
        again = again or f"{_kept(run)}. Go on with\n  {resume}"
        print(f"\ninterrupted\n{again}", file=sys.stderr)
        return 128 + signal.SIGTERM if isinstance(error, Terminated) else flags.INTERRUPTED


def _train(run: Run, resume: str) -> int:
    from trainers.resuming import Interrupted
    from trainers.same_run import DifferentRunError
    from trainers.strategies import LostProcessError
    from trainers.training import train

    try:
        with _directory_held(run):
            result = train(run)
    except NonFiniteError as error:
        print(f"\nerror: {error}\n{_kept(run)}", file=sys.stderr)
        if run.settings.on_nonfinite == "stop":
            again = f"{resume} --on_nonfinite=rollback"
            print(f"To go on from it, where need be at lower rates:\n  {again}", file=sys.stderr)
        return NONFINITE
    except Interrupted as stopped:
        print(f"\n{stopped}: saved. Go on with\n  {resume}", file=sys.stderr)
        return 128 + stopped.signal
    except LostProcessError as error:
        print(
            f"\nerror: another process of this run is gone ({error}). Start all of them again with"
            f"\n  {resume}",
            file=sys.stderr,
        )
        return LOST
    except WriteError as error:
        print(
            f"\nerror: {error}\n{_kept(run)}. When the reason is put right, go on with\n  {resume}",
            file=sys.stderr,
        )
        return flags.USER_ERROR
    except (CheckpointError, DifferentRunError) as error:
        raise flags.UserError(str(error)) from error
    if result:
        _print_end(run, result)
    return 0


@contextlib.contextmanager
def _directory_held(run: Run) -> Iterator[None]:
    """Has the run directory to itself for the block, where this process is the one that writes.

    Raises:
      UserError: another process trains there, or has trained there meanwhile.
      WriteError: the directory cannot be written to.
    """
    if not run.team.chief:
        yield
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(run.directory.alone())
            # Another process may have begun and ended a run since it was looked at.
            run.directory.check(run.settings.overwrite, run.settings.resume)
        except WriteError:
            raise
        except (InUseError, OSError) as error:
            raise flags.UserError(str(error)) from error
        yield


def prepare(settings: FitSettings) -> Run:
    """Checks settings and run directory, loads the data and resolves the model. Writes nothing.

    Raises:
      UserError: for anything the user can put right.
    """
    try:
        settings.check()
        directory = RunDirectory(Path(settings.run_dir or ""))
        alone = settings.strategy != "multi_worker" and "TF_CONFIG" not in os.environ
        if alone:  # a mistake is told sooner than TensorFlow can be imported
            directory.check_unused()
            directory.check(settings.overwrite, settings.resume)
        import_tensorflow()
        _make_deterministic(settings)
        set_threads(settings.threads_per_operation, cores())
        from trainers.strategies import make_team

        # Several processes wait for each other in it.
        with contextlib.nullcontext() if alone else sigterm_ends_at_once():
            team = make_team(settings.strategy, settings.cpu_devices)
        if team.chief and not alone:  # which may have begun to write before another process looks
            directory.check_unused()
            directory.check(settings.overwrite, settings.resume)
        train_source = _load(settings, "train", settings.limit)
        validation = _load(settings, settings.validation_split, settings.validation_limit)
        _check_same_kind(train_source, validation)
        config = settings.model_config(train_source.image_shape, train_source.classes)
    except (ValueError, OSError, ImportError, InUseError) as error:
        raise flags.UserError(str(error)) from error

    from datasets.input import steps_per_epoch
    from trainers.run import Run

    steps = settings.steps_per_epoch or steps_per_epoch(train_source, settings.batch_size)
    ends = [settings.max_steps, settings.epochs and settings.epochs * steps]
    schedule = Schedule(
        peak=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        total_steps=min((end for end in ends if end is not None), default=None),
        max_minutes=settings.max_minutes,
    )
    return Run(settings, directory, config, train_source, validation, steps, schedule, team)


def _load(settings: FitSettings, split: str, limit: int | None) -> ImageSource:
    import datasets

    return datasets.load(
        settings.dataset,
        split,
        data_path=settings.data_path,
        image_size=settings.image_size,
        channels=settings.channels,
        limit=limit,
    )


def _check_same_kind(train_source: ImageSource, validation: ImageSource) -> None:
    for what in ("image_shape", "classes"):
        first, second = getattr(train_source, what), getattr(validation, what)
        if first != second:
            raise ValueError(
                f"the splits do not fit together: {what} is {first} in {train_source.split} "
                f"and {second} in {validation.split}"
            )


def _make_deterministic(settings: FitSettings) -> None:
    if settings.deterministic:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _resume_command(settings: FitSettings) -> str:
    arguments = [argument for argument in sys.argv[1:] if argument != "--overwrite"]
    if settings.overwrite and "--overwrite" not in sys.argv:  # as in a flag file
        arguments.append("--nooverwrite")
    if not settings.resume:
        arguments.append("--resume")
    return environment.fit_command(arguments)


def _kept(run: Run) -> str:
    steps = Checkpoints(run.directory.checkpoints, {}).steps()
    checkpoint = f"the last checkpoint is of step {steps[-1]}" if steps else "no checkpoint yet"
    if run.directory.model.exists():
        return f"{run.directory.model} holds the model of the last finished epoch; {checkpoint}"
    return f"no epoch was finished, so there is no model; {checkpoint}"


def _print_fallback(run: Run) -> None:
    """Says where other data stand for those that were asked for; any machine may lack them."""
    provenance = run.train.provenance
    if provenance.get("fallback"):
        line = "!" * 78
        print(f"{line}\nDrawn faces instead of {run.settings.dataset}: {provenance.get('reason')}.")
        print(f"The figures below are not figures of real faces.\n{line}", flush=True)


def _print_start(run: Run) -> None:
    sources = run.train.provenance.get("sources", {})
    for source in sources.values():  # of a set that datasets.build built
        print(f"{source['title']}: {source['images']} images to train on; {source['licence']}")
    config = run.config
    height, width, channels = config.image_shape
    kind = f"{len(config.classes)} labels" if config.classes else "no labels"
    print(
        f"{len(run.train)} images of {height}x{width}x{channels} to train on, "
        f"{len(run.validation)} to validate on, {kind}"
    )
    print(
        f"{run.settings.preset}, {config.levels} levels of {_said(config.depth)} steps, "
        f"width {_said(config.width)}, networks in {config.network_dtype}",
        flush=True,
    )


def _said(per_level: int | tuple[int, ...]) -> str:
    return " + ".join(map(str, per_level)) if isinstance(per_level, tuple) else str(per_level)


def _print_end(run: Run, result: dict[str, Any]) -> None:
    from trainers.measure import table

    pictures = sorted(run.directory.samples.glob("epoch_*.png"))
    print(f"\nTrained for {result['steps']} steps, {result['minutes']:.1f} minutes")
    print(table(result))
    print(f"pictures  {pictures[-1] if pictures else run.directory.samples}")
    print(f"model     {run.directory.model}")
    print(f"metrics   {run.directory.metrics}", flush=True)


if __name__ == "__main__":
    flags.run(FitSettings, main)
