"""The training of one run, from the resolved settings to the written run directory."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from bplf_tf import BPLF, load_model, svd
from bplf_tf.config import ModelConfig
from datasets import ImageSource
from datasets.files import WriteError, system_reason, write_json
from trainers import callbacks
from trainers.agreement import Agreement
from trainers.averaging import AverageInValidation, make_optimizer
from trainers.checkpoints import CheckpointError, Checkpoints, Progress
from trainers.measure import measure, spread
from trainers.nonfinite import NonFiniteError
from trainers.pace import AnnealedRank, ImagesPerSecond, ProgressBar, ScheduledRun, Stopwatch
from trainers.resuming import CheckpointWriter, Interrupted, RunningMeans, StopSignal
from trainers.run import Run
from trainers.run_files import MetricsFile, ModelFile, Snapshots
from trainers.same_run import check_same_run
from trainers.settings import FitSettings
from trainers.strategies import Team

_INVERSE_ERROR_IMAGES = 64
_FINAL_INVERSE_ERROR_IMAGES = 1000

# A run that is not finite after so many rollbacks has another reason than its learning rate.
_MOST_ROLLBACKS = 3
_ROLLBACK_RATE = 0.5


def train(run: Run) -> dict[str, Any] | None:
    """Trains and writes the run directory.

    Returns:
      The final figures, as in result.json; None in a process that is not the chief.

    Raises:
      NonFiniteError: a loss or figure was not finite; says the step and where it arose.
      Interrupted: a signal asked the run to stop.
      LostProcessError: another process of the run is gone.
      CheckpointError: no checkpoint could be read, or the last one is of another configuration.
      DifferentRunError: the processes of the run have other flags or data than each other.
      WriteError: a file of the run directory could not be written.
    """
    with run.team.together():
        return _train(run)


def _train(run: Run) -> dict[str, Any] | None:
    settings, team = run.settings, run.team
    check_same_run(run)
    with team.strategy.scope():
        model = BPLF(run.config)
        model.compile(optimizer=make_optimizer(settings), jit_compile=settings.jit_compile)
        if settings.svd_anneal_share is not None:
            model.annealing = svd.Annealing()
    model.optimizer.keep_weights = True
    checkpoints = Checkpoints(
        run.directory.checkpoints,
        {**settings.identity(), **run.config.to_dict(), "images": len(run.train), **run.data},
        settings.keep_checkpoints,
        team.chief,
        # Of the data a checkpoint may not tell: earlier versions wrote down their number alone.
        defaults={**FitSettings().identity(), **ModelConfig().to_dict(), **run.data},
    )
    progress = _restored(run, checkpoints, model) if settings.resume else Progress()
    # The directory comes into being when nothing is left that a user could have got wrong.
    if team.chief:
        run.directory.create(settings.resume)
        write_json(run.directory.config, run.describe(model))
    if not model.initialized:
        model.initialize(*run.first_images())
    with StopSignal() as stop:
        try:
            minutes, rollbacks = _fit_and_roll_back(run, model, checkpoints, progress, stop)
            if team.chief:
                stop.raise_from_now_on(int(model.optimizer.iterations.numpy()))
            result = _finish(run, model, minutes, rollbacks) if team.chief else None
        except Interrupted:
            team.wait_for_all()
            raise
        team.wait_for_all()
    return result


def _fit_and_roll_back(
    run: Run, model: BPLF, checkpoints: Checkpoints, progress: Progress, stop: StopSignal
) -> tuple[float, int]:
    """Trains to the end of the run, from earlier checkpoints where need be.

    Returns:
      Minutes of training, and how often it went back.
    """
    watch = Stopwatch()
    while True:
        watch.start(progress.minutes)
        try:
            agreement = Agreement(run.team, watch, stop)
            return _fit(run, model, checkpoints, progress, agreement), progress.rollbacks
        except NonFiniteError as error:
            progress = _rolled_back(run, model, checkpoints, error)


def _fit(
    run: Run, model: BPLF, checkpoints: Checkpoints, progress: Progress, agreement: Agreement
) -> float:
    """Trains from where the run is to its end; returns the minutes of training."""
    schedule = dataclasses.replace(run.schedule, peak=run.schedule.peak * progress.rate)
    scheduled = ScheduledRun(schedule, agreement.minutes)
    scheduled.last_step_minutes = progress.minutes  # of a run that was at its end already
    validation = spread(run.validation, run.settings.epoch_validation_limit)
    every = [
        agreement,
        scheduled,
        *([AnnealedRank(run.annealed, agreement.minutes)] if model.annealing else []),
        *_callbacks(run, model, validation, agreement, checkpoints, progress),
    ]
    for epochs in run.epochs(progress.step):
        step = int(model.optimizer.iterations.numpy())
        if schedule.finished(step, agreement.minutes()):
            break
        try:
            model.fit(
                run.training_data(step),
                **run.validation_data(validation),
                shuffle=False,  # the data set has its own order
                callbacks=every,
                verbose=0,  # `ProgressBar` is a callback
                **epochs,
            )
        except tf.errors.InvalidArgumentError as error:
            if "non-finite loss" not in str(error):
                raise
            raise NonFiniteError(_explain_nonfinite(run, model, scheduled.step)) from error
        except tf.errors.OpError as error:
            folder, why = run.directory.tensorboard, system_reason(error)
            if why is None or str(folder) not in str(error):
                raise
            raise WriteError(f"could not write {folder}: {why}") from error
    return scheduled.last_step_minutes


def _rolled_back(
    run: Run, model: BPLF, checkpoints: Checkpoints, error: NonFiniteError
) -> Progress:
    """Goes back to the last checkpoint with a lower learning rate, or raises the error."""
    if run.settings.on_nonfinite != "rollback":
        raise error
    progress, complaints = checkpoints.restore(model)
    # None writes, below, before all have read.
    _check_same_step(run.team, progress.step, checkpoints.folder)
    if run.team.chief:
        _warn_of_damage(complaints)
    if not progress.step:
        raise NonFiniteError(f"{error}; there is no checkpoint to go back to") from error
    if progress.rollbacks == _MOST_ROLLBACKS:
        raise NonFiniteError(f"{error}; gave up after {_MOST_ROLLBACKS} rollbacks") from error
    progress.rollbacks += 1
    progress.rate *= _ROLLBACK_RATE
    # Written at once, so that a run that is killed now does not forget it. The weights are those of
    # the checkpoint, and so is their figure, by which it may be the best one.
    checkpoints.save(model, progress, checkpoints.figure(progress.step))
    if run.team.chief:
        print(
            f"\nwarning: {error}\nGoing back to step {progress.step} with {progress.rate:g} times "
            "the learning rate",
            file=sys.stderr,
            flush=True,
        )
    return progress


def _restored(run: Run, checkpoints: Checkpoints, model: BPLF) -> Progress:
    progress, complaints = checkpoints.restore(model)
    _check_same_step(run.team, progress.step, checkpoints.folder)
    if not run.team.chief:
        return progress
    _warn_of_damage(complaints)
    if progress.step:
        print(f"Going on after step {progress.step}, {progress.minutes:.1f} minutes", flush=True)
    else:
        print(f"No checkpoint in {checkpoints.folder}: beginning at step 0", flush=True)
    return progress


def _warn_of_damage(complaints: list[str]) -> None:
    for complaint in complaints:
        print(f"warning: {complaint}: going back to the checkpoint before it", file=sys.stderr)


def _check_same_step(team: Team, step: int, folder: Path) -> None:
    if not all(team.same([step])):
        raise CheckpointError(
            f"the processes found checkpoints of different steps, this one of step {step} in "
            f"{folder}: --run_dir must be on a file system that all of them see"
        )


def _callbacks(
    run: Run,
    model: BPLF,
    validation: ImageSource,
    agreement: Agreement,
    checkpoints: Checkpoints,
    progress: Progress,
) -> list[keras.callbacks.Callback]:
    settings = run.settings
    few = spread(run.validation, _INVERSE_ERROR_IMAGES)
    metrics = MetricsFile(run.directory.metrics, progress.rows)
    writing = [
        metrics,
        ModelFile(run.directory.model, run.directory.best, _lowest(progress.rows)),
        *([Snapshots(run.directory.snapshot)] if settings.snapshots else []),
        callbacks.SampleGrid(
            run.directory.picture,
            run.validation.images,
            run.validation.labels,
            samples_per_label=settings.samples_per_label,
            temperature=settings.sample_temperature,
            seed=settings.seed,
            tensorboard=run.directory.tensorboard / "pictures" if settings.tensorboard else None,
        ),
    ]
    if settings.tensorboard:
        folder = run.directory.tensorboard
        writing.append(keras.callbacks.TensorBoard(str(folder), write_graph=False))
        if settings.log_scale_histograms:
            writing.append(callbacks.LogScaleHistograms(folder / "log_scales"))
    # Those that add to the logs come before those that look into them.
    return [
        *([RunningMeans(model)] if progress.step % run.steps_per_epoch else []),
        AverageInValidation(),
        ImagesPerSecond(settings.batch_size, len(run.train)),
        callbacks.InverseError(few.images, few.labels if settings.conditional else None),
        *(
            [callbacks.BitsPerDim(validation.images, validation.labels)]
            if settings.bits_per_label
            else []
        ),
        callbacks.NonFiniteGuard(),  # before anything is written
        *(writing if run.team.chief else []),
        # After the pictures: whoever resumes from a checkpoint finds all that came before it.
        CheckpointWriter(
            checkpoints,
            progress,
            metrics,
            agreement.minutes,
            run.steps_per_epoch,
            settings.checkpoint_steps,
            settings.checkpoint_minutes,
            agreement.signal,
        ),
        *([ProgressBar(run.schedule, agreement.minutes)] if run.team.chief else []),
    ]


def _lowest(rows: list[dict[str, Any]]) -> float:
    return min((row["val_bits_per_dim"] for row in rows), default=math.inf)


def _finish(run: Run, model: BPLF, minutes: float, rollbacks: int) -> dict[str, Any]:
    """Evaluates the model file itself on all validation images, and writes the result."""
    print("Evaluating model.keras on all validation images", flush=True)
    steps = int(model.optimizer.iterations.numpy())
    result = {
        "steps": steps,
        "minutes": minutes,
        "rollbacks": rollbacks,
        **measure(
            load_model(run.directory.model),
            run.validation,
            batch_size=run.settings.batch_size,
            inverse_images=_FINAL_INVERSE_ERROR_IMAGES,
        ),
    }
    if svd.truncates(run.config):
        result["svd_rank"] = svd.rank_at(run.config, run.annealed(steps, minutes))
    write_json(run.directory.result, result)
    return result


def _explain_nonfinite(run: Run, model: BPLF, step: int) -> str:
    """Finds where a non-finite loss arose, on the very batch of the step that met it."""
    settings = run.settings
    images, labels = next(run.batches(step).as_numpy_iterator())
    where = model.explain_nonfinite(images, labels if settings.conditional else None, step)
    place = where or "nowhere: computed again, all is finite"
    return f"non-finite loss or gradient at step {step}; it arises at: {place}"
