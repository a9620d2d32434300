"""Trains a model: `python -m trainers.fit --flagfile=drawn_faces.flags --run_dir=runs/faces`.

The run directory then holds config.json (all that was resolved), metrics.csv (a row per epoch),
model.keras (averaged weights), samples/epoch_NNN.png and, at the end, result.json.
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.config import ModelConfig
from trainers import environment, flags
from trainers.checkpoints import CheckpointError, Checkpoints, Progress
from trainers.files import write_json
from trainers.quiet import import_tensorflow
from trainers.run_directory import RunDirectory
from trainers.schedule import Schedule
from trainers.settings import FitSettings
from trainers.threads import set_threads

if TYPE_CHECKING:
    import keras

    from bplf_tf import BPLF
    from datasets import ImageSource
    from trainers.agreement import Agreement
    from trainers.strategies import Team

_INVERSE_ERROR_IMAGES = 64
_FINAL_INVERSE_ERROR_IMAGES = 1000

NONFINITE = 3
"""Exit code of a run that a non-finite loss stopped."""
LOST = 4
"""Exit code of a process whose fellows are gone."""
INTERRUPTED = 130
"""Exit code of a run that Ctrl-C stopped, as shells have it."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run with everything resolved and checked, before any time is spent on it.

    Attributes:
      settings: what the user asked for.
      directory: where the run is written.
      config: the model.
      train: images to train on.
      validation: held-out images.
      steps_per_epoch: steps from one validation to the next.
      schedule: learning rate and end.
      team: the devices to train on.
    """

    settings: FitSettings
    directory: RunDirectory
    config: ModelConfig
    train: ImageSource
    validation: ImageSource
    steps_per_epoch: int
    schedule: Schedule
    team: Team


def main(settings: FitSettings) -> int:
    """Checks, trains, reports; returns the exit code."""
    run = prepare(settings)
    if run.team.chief:
        _print_start(run)
    from trainers.callbacks import NonFiniteError
    from trainers.resuming import Interrupted
    from trainers.strategies import LostProcessError

    try:
        result = train(run)
    except NonFiniteError as error:
        print(f"\nerror: {error}\n{_kept_model(run)}", file=sys.stderr)
        return NONFINITE
    except Interrupted as stopped:
        print(f"\n{stopped}: saved. Go on with\n  {_resume_command()}", file=sys.stderr)
        return 128 + stopped.signal
    except LostProcessError as error:
        print(
            f"\nerror: another process of this run is gone ({error}). Start all of them again with"
            f"\n  {_resume_command()}",
            file=sys.stderr,
        )
        return LOST
    except KeyboardInterrupt:  # a second Ctrl-C, or one outside of training
        print(f"\ninterrupted\n{_kept_model(run)}", file=sys.stderr)
        return INTERRUPTED
    except CheckpointError as error:
        raise flags.UserError(str(error)) from error
    if result:
        _print_end(run, result)
    return 0


def prepare(settings: FitSettings) -> Run:
    """Checks settings and run directory, loads the data and resolves the model. Writes nothing.

    Raises:
      UserError: for anything the user can put right.
    """
    try:
        settings.check()
        directory = RunDirectory(Path(settings.run_dir or ""))
        import_tensorflow()
        _make_deterministic(settings)
        set_threads(settings.threads_per_operation, environment.cores())
        from trainers.strategies import make_team

        team = make_team(settings.strategy, settings.cpu_devices)
        if team.chief:  # which may have begun to write before another process looks
            directory.check(settings.overwrite, settings.resume)
        train_source = _load(settings, "train", settings.limit)
        validation = _load(settings, settings.validation_split, settings.validation_limit)
        _check_same_kind(train_source, validation)
        config = settings.model_config(train_source.image_shape, train_source.classes)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    from datasets.input import steps_per_epoch

    steps = settings.steps_per_epoch or steps_per_epoch(train_source, settings.batch_size)
    ends = [settings.max_steps, settings.epochs and settings.epochs * steps]
    schedule = Schedule(
        peak=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        total_steps=min((end for end in ends if end is not None), default=None),
        max_minutes=settings.max_minutes,
    )
    return Run(settings, directory, config, train_source, validation, steps, schedule, team)


def train(run: Run) -> dict[str, Any] | None:
    """Trains and writes the run directory.

    Returns:
      The final figures, as in result.json; None in a process that is not the chief.

    Raises:
      NonFiniteError: a loss or figure was not finite; says the step and where it arose.
    """
    import tensorflow as tf

    from bplf_tf import BPLF
    from datasets.input import training_dataset
    from trainers.agreement import Agreement
    from trainers.averaging import make_optimizer
    from trainers.callbacks import NonFiniteError, ScheduledRun, Stopwatch
    from trainers.measure import spread
    from trainers.resuming import StopSignal

    settings, team = run.settings, run.team
    with team.strategy.scope():
        model = BPLF(run.config)
        model.compile(optimizer=make_optimizer(settings), jit_compile=settings.jit_compile)
    model.optimizer.keep_weights = True
    checkpoints = Checkpoints(
        run.directory.checkpoints,
        {**settings.identity(), **run.config.to_dict(), "images": len(run.train)},
        settings.keep_checkpoints,
        team.chief,
    )
    progress = _restored(run, checkpoints, model) if settings.resume else Progress()
    # The directory comes into being when nothing is left that a user could have got wrong.
    if team.chief:
        run.directory.create(settings.resume)
        write_json(run.directory.config, describe(run, model))
    if not model.initialized:
        model.initialize(*_first_images(run))

    watch = Stopwatch()
    validation = spread(run.validation, settings.epoch_validation_limit)
    watch.start(progress.minutes)
    try:
        with team.together(), StopSignal() as stop:
            agreement = Agreement(team, watch, stop)
            scheduled = ScheduledRun(run.schedule, agreement.minutes)
            callbacks = [
                agreement,
                scheduled,
                *_callbacks(run, model, agreement, checkpoints, progress),
            ]
            for epochs in _epochs(run, progress.step):
                if run.schedule.finished(
                    int(model.optimizer.iterations.numpy()), agreement.minutes()
                ):
                    break
                model.fit(
                    team.dataset(
                        functools.partial(
                            training_dataset,
                            run.train,
                            settings.batch_size,
                            settings.seed,
                            int(model.optimizer.iterations.numpy()),
                            settings.flip,
                        )
                    ),
                    **_validation(run, validation),
                    shuffle=False,  # the data set has its own order
                    callbacks=callbacks,
                    verbose=0,  # `ProgressBar` is a callback
                    **epochs,
                )
    except tf.errors.InvalidArgumentError as error:
        if "non-finite loss" not in str(error):
            raise
        raise NonFiniteError(_explain_nonfinite(run, model, scheduled.step)) from error
    result = _finish(run, model, scheduled.last_step_minutes) if team.chief else None
    # TensorFlow takes a process that leaves before the others for one that crashed.
    team.sum([0.0])
    return result


def _validation(run: Run, source: ImageSource) -> dict[str, Any]:
    from datasets.input import evaluation_dataset, steps_per_epoch

    batch_size = run.settings.batch_size
    if run.team.share.total == 1:
        return {"validation_data": evaluation_dataset(source, batch_size)}
    # Keras cannot count the batches of a distributed data set, and would warn when they end.
    return {
        "validation_data": run.team.dataset(
            lambda share: evaluation_dataset(source, batch_size, share).repeat()
        ),
        "validation_steps": steps_per_epoch(source, batch_size),
    }


# `ScheduledRun` ends the run; Keras only needs a number that is never reached.
_KERAS_EPOCHS = 10**9


def _epochs(run: Run, step: int) -> list[dict[str, int]]:
    """Arguments of the calls of `fit` from a step on: the rest of an epoch, then whole ones."""
    epoch, done = divmod(step, run.steps_per_epoch)
    rest = []
    if done:
        left = run.steps_per_epoch - done
        rest = [{"initial_epoch": epoch, "epochs": epoch + 1, "steps_per_epoch": left}]
        epoch += 1
    every = {"initial_epoch": epoch, "epochs": _KERAS_EPOCHS}
    return [*rest, {**every, "steps_per_epoch": run.steps_per_epoch}]


def _restored(run: Run, checkpoints: Checkpoints, model: BPLF) -> Progress:
    progress, complaints = checkpoints.restore(model)
    _check_same_step(run.team, progress.step, checkpoints.folder)
    if not run.team.chief:
        return progress
    for complaint in complaints:
        print(f"warning: {complaint}: going back to the checkpoint before it", file=sys.stderr)
    if progress.step:
        print(f"Going on after step {progress.step}, {progress.minutes:.1f} minutes", flush=True)
    else:
        print(f"No checkpoint in {checkpoints.folder}: beginning at step 0", flush=True)
    return progress


def _check_same_step(team: Team, step: int, folder: Path) -> None:
    if team.several_processes:
        processes, steps, squares = team.sum([1.0, float(step), float(step) ** 2])
        if processes * squares != steps**2:
            raise CheckpointError(
                f"the processes found checkpoints of different steps, this one of step {step} in "
                f"{folder}: --run_dir must be on a file system that all of them see"
            )


def _first_images(run: Run) -> tuple[Any, Any]:
    """The same images for the data-dependent start in every process, whatever its share."""
    from bplf_tf.inputs import first_images
    from bplf_tf.model import START_IMAGES
    from datasets.input import training_dataset

    settings = run.settings
    dataset = training_dataset(run.train, settings.batch_size, settings.seed, flip=settings.flip)
    images, labels = first_images(dataset, None, START_IMAGES)
    return images, labels if settings.conditional else None


def describe(run: Run, model: BPLF) -> dict[str, Any]:
    """Everything that defines the run, as plain JSON values."""
    return {
        "command": shlex.join(["python", "-m", "trainers.fit", *sys.argv[1:]]),
        "settings": dataclasses.asdict(run.settings),
        "model": run.config.to_dict(),
        "parameters": model.count_params(),
        "steps_per_epoch": run.steps_per_epoch,
        "total_steps": run.schedule.total_steps,
        "data": {source.split: source.provenance for source in (run.train, run.validation)},
        **environment.describe(),
    }


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


def _callbacks(
    run: Run,
    model: BPLF,
    agreement: Agreement,
    checkpoints: Checkpoints,
    progress: Progress,
) -> list[keras.callbacks.Callback]:
    from trainers import callbacks
    from trainers.averaging import AverageInValidation
    from trainers.measure import spread
    from trainers.resuming import CheckpointWriter, RunningMeans

    settings = run.settings
    few = spread(run.validation, _INVERSE_ERROR_IMAGES)
    metrics = callbacks.MetricsFile(run.directory.metrics, progress.rows)
    writing = [
        metrics,
        callbacks.ModelFile(run.directory.model),
        callbacks.SampleGrid(
            run.directory.picture,
            run.validation.images,
            run.validation.labels,
            samples_per_label=settings.samples_per_label,
            temperature=settings.sample_temperature,
            seed=settings.seed,
        ),
    ]
    return [
        *([RunningMeans(model)] if progress.step % run.steps_per_epoch else []),
        AverageInValidation(),
        callbacks.ImagesPerSecond(settings.batch_size, len(run.train)),
        callbacks.InverseError(few.images, few.labels if settings.conditional else None),
        callbacks.NonFiniteGuard(),
        *(writing if run.team.chief else []),
        # After the pictures: whoever resumes from a checkpoint finds all that came before it.
        CheckpointWriter(
            checkpoints,
            metrics,
            agreement.minutes,
            run.steps_per_epoch,
            settings.checkpoint_steps,
            settings.checkpoint_minutes,
            agreement.signal,
        ),
        *([callbacks.ProgressBar(run.schedule, agreement.minutes)] if run.team.chief else []),
    ]


def _finish(run: Run, model: BPLF, minutes: float) -> dict[str, Any]:
    """Evaluates the model file itself on all validation images, and writes the result."""
    from bplf_tf import load_model
    from trainers.measure import measure

    print("Evaluating model.keras on all validation images", flush=True)
    result = {
        "steps": int(model.optimizer.iterations.numpy()),
        "minutes": minutes,
        **measure(
            load_model(run.directory.model),
            run.validation,
            batch_size=run.settings.batch_size,
            inverse_images=_FINAL_INVERSE_ERROR_IMAGES,
        ),
    }
    write_json(run.directory.result, result)
    return result


def _explain_nonfinite(run: Run, model: BPLF, step: int) -> str:
    """Finds where a non-finite loss arose, on the very batch of the step that met it."""
    from datasets.input import training_dataset

    settings = run.settings
    dataset = training_dataset(
        run.train, settings.batch_size, settings.seed, start_step=step, flip=settings.flip
    )
    images, labels = next(dataset.as_numpy_iterator())
    where = model.locate_nonfinite(images, labels if settings.conditional else None)
    place = where or "nowhere in the forward pass: a gradient, or the step's own noise"
    return f"non-finite loss at step {step}; it arises at: {place}"


def _make_deterministic(settings: FitSettings) -> None:
    if settings.deterministic:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _resume_command() -> str:
    arguments = [argument for argument in sys.argv[1:] if argument != "--overwrite"]
    if "--resume" not in arguments:
        arguments.append("--resume")
    return shlex.join(["python", "-m", "trainers.fit", *arguments])


def _kept_model(run: Run) -> str:
    if run.directory.model.exists():
        return f"{run.directory.model} holds the model of the last finished epoch"
    return "no epoch was finished, so there is no model"


def _print_start(run: Run) -> None:
    provenance = run.train.provenance
    if provenance.get("fallback"):
        line = "!" * 78
        print(f"{line}\nDrawn faces instead of {run.settings.dataset}: {provenance.get('reason')}.")
        print(f"The figures below are not figures of real faces.\n{line}")
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
