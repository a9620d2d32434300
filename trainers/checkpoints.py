"""Checkpoints from which a run goes on as if nothing had happened.

`keras.callbacks.BackupAndRestore` writes its one or two backups in place and starts the epoch that
it was killed in anew, with the optimizer's later state; it knows nothing of the metrics' running
means, of the minutes gone by or of whether the model is the same. `ModelCheckpoint` keeps the best
and the last, also written in place, and has no way back. So `tf.train.Checkpoint` writes the
tensors, and this module adds what lies around them: a folder per step that appears whole or not at
all, a description to compare with, several generations, and a way back past damaged ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.files import WriteError, reason, system_reason

if TYPE_CHECKING:
    import keras

_STATE = "state.json"
_TENSORS = "tensors"
_PREFIX = "step_"
# A user's copy, such as "step_000000100.bak", is none of them.
_WHOLE = re.compile(rf"{_PREFIX}([0-9]{{9,}})|\.{_PREFIX}([0-9]{{9,}})\.replaced")


class CheckpointError(Exception):
    """No checkpoint that is there can be used."""


@dataclasses.dataclass
class Progress:
    """Where a run is, besides its tensors.

    Attributes:
      step: finished training steps.
      minutes: of training so far, over all processes that took part one after the other.
      rows: of metrics.csv.
      rollbacks: times that the run went back from a loss that was not finite.
      rate: factor of the learning rate, lowered by rollbacks.
    """

    step: int = 0
    minutes: float = 0.0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    rollbacks: int = 0
    rate: float = 1.0


class Checkpoints:
    """The checkpoints of one run.

    Attributes:
      folder: that holds one folder per checkpoint; it need not exist.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict[str, Any],
        keep: int = 3,
        chief: bool = True,
        defaults: dict[str, Any] | None = None,
    ) -> None:
        """Names the folder; touches nothing.

        Args:
          folder: as the attribute.
          identity: plain JSON values that a run and its checkpoints must have in common.
          keep: generations kept; the best one is kept besides.
          chief: whether this process writes. Of several that train together, all call `save`:
            TensorFlow may have to ask each of them for its part of a tensor.
          defaults: what a checkpoint means that does not know one of the names in `identity`: it
            is older than that option.
        """
        self.folder = folder
        self._identity = _as_read_back(identity)
        self._defaults = _as_read_back(defaults or {})
        self._keep = keep
        self._chief = chief

    def steps(self) -> list[int]:
        """Steps of the finished checkpoints, the oldest first."""
        names = [path.name for path in self.folder.glob(f"*{_PREFIX}*") if path.is_dir()]
        found = [match for name in names if (match := _WHOLE.fullmatch(name))]
        return sorted({int(match[1] or match[2]) for match in found})

    def figure(self, step: int) -> float | None:
        """The figure that the checkpoint of this step was saved with, if it can be read."""
        try:
            return json.loads((self._found(step) / _STATE).read_text())["figure"]
        except (OSError, ValueError, KeyError, TypeError):  # damaged
            return None

    def save(self, model: keras.Model, progress: Progress, figure: float | None = None) -> None:
        """Writes a checkpoint and removes those that are no longer needed.

        Those of later steps go as well: the run went back from them.

        Args:
          model: compiled, with its optimizer built.
          progress: where the run is.
          figure: validation figure of exactly these weights, the smaller the better; it takes the
            place of the one that an earlier checkpoint of this step had.

        Raises:
          WriteError: it could not be written; the earlier ones are as they were.
        """
        place = self._place(progress.step)
        try:
            if self._chief:
                self._write(place, model, progress, figure)
            else:
                with tempfile.TemporaryDirectory() as folder:
                    _write_tensors(model, Path(folder))
        except OSError as error:
            kept = f"; the last one that is whole is {self._last()}" if self.steps() else ""
            raise WriteError(
                f"could not write the checkpoint {place}: {reason(error)}{kept}"
            ) from error
        if self._chief:
            self._remove_needless(progress.step)

    def _write(
        self, place: Path, model: keras.Model, progress: Progress, figure: float | None
    ) -> None:
        aside = self.folder / f".{place.name}.{os.getpid()}.partial"
        state = {
            **dataclasses.asdict(progress),
            "figure": figure,
            "identity": self._identity,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            _write_tensors(model, aside)
            (aside / _STATE).write_text(json.dumps(state, indent=1))
            _flush_to_disk(aside)
            self._settle()
            if place.exists():  # a run that was taken back to an earlier step passes here again
                # A folder cannot be renamed onto one. Killed between the two, the run finds the old
                # one under its other name.
                place.rename(self._replaced(progress.step))
            aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(OSError):  # which would hide the reason
                self._settle()

    def _settle(self) -> None:
        """Removes what was replaced; where nothing came into its place, puts it back.

        Only where nobody reads: it moves what another process may just have found.
        """
        for step in self.steps():
            place, replaced = self._place(step), self._replaced(step)
            if not place.exists():
                replaced.rename(place)
            else:
                shutil.rmtree(replaced, ignore_errors=True)

    def restore(self, model: keras.Model) -> tuple[Progress, list[str]]:
        """Puts the newest usable checkpoint into the model and its optimizer.

        Args:
          model: compiled, with its optimizer built.

        Returns:
          Where the run is, from the start if there is no checkpoint; and what to tell the user of
          checkpoints that could not be read.

        Raises:
          CheckpointError: a checkpoint is of another configuration, or all of them are damaged.
        """
        complaints: list[str] = []
        leftovers = self.folder.glob(f".{_PREFIX}*.partial") if self._chief else ()
        for rest in leftovers:  # of a process that was killed
            shutil.rmtree(rest, ignore_errors=True)
        for step in reversed(self.steps()):
            place = self._found(step)
            try:
                state = json.loads((place / _STATE).read_text())
                self._check_identity(place, state["identity"])
                names = [field.name for field in dataclasses.fields(Progress)]
                progress = Progress(**{name: state[name] for name in names})
                _load_tensors(model, place / _TENSORS)
            except CheckpointError:
                raise
            except Exception as error:  # whatever damage does to JSON and tensors
                complaints.append(f"{place} is damaged ({_said(error)})")
                continue
            return progress, complaints
        if complaints:
            raise CheckpointError(
                f"no checkpoint can be read: {'; '.join(complaints)}. Begin anew with --overwrite "
                "or in another --run_dir"
            )
        return Progress(), []

    def _check_identity(self, place: Path, found: dict[str, Any]) -> None:
        found = {**{name: self._defaults.get(name) for name in self._identity}, **found}
        names = [*self._identity, *(name for name in found if name not in self._identity)]
        differences = [
            f"{name} is {json.dumps(self._identity.get(name))}, there {json.dumps(found.get(name))}"
            for name in names
            if self._identity.get(name) != found.get(name)
        ]
        if differences:
            raise CheckpointError(
                f"{place} is of another configuration: {'; '.join(differences)}. Give the flags "
                "of that run, or another --run_dir"
            )

    def _remove_needless(self, last: int) -> None:
        steps = [step for step in self.steps() if step <= last]
        keep = set(steps[-self._keep :])
        figures = {step: self.figure(step) for step in steps}
        scored = {step: figure for step, figure in figures.items() if figure is not None}
        if scored:
            keep.add(min(scored, key=scored.__getitem__))
        for step in self.steps():
            if step not in keep:
                shutil.rmtree(self._place(step), ignore_errors=True)

    def _last(self) -> Path:
        return self._found(self.steps()[-1])

    def _found(self, step: int) -> Path:
        place = self._place(step)
        return place if place.exists() else self._replaced(step)

    def _place(self, step: int) -> Path:
        return self.folder / f"{_PREFIX}{step:09d}"

    def _replaced(self, step: int) -> Path:
        """Where a checkpoint waits until a new one of the same step has taken its place."""
        return self.folder / f".{_PREFIX}{step:09d}.replaced"


def _tensors(model: keras.Model) -> dict[str, Any]:
    """Every variable that the next step depends on, or that the epoch's figures do."""
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    # By position: paths of Keras variables need not be unique.
    return {f"variable_{i:04d}": variable.value for i, variable in enumerate(variables)}


def _write_tensors(model: keras.Model, folder: Path) -> None:
    """Raises `OSError` where they cannot be written."""
    import tensorflow as tf

    try:
        tf.train.Checkpoint(**_tensors(model)).write(str(folder / _TENSORS))
    except tf.errors.OpError as error:
        if system_reason(error) is None:  # such as another process that is gone
            raise
        raise OSError(reason(error)) from error


def _load_tensors(model: keras.Model, prefix: Path) -> None:
    import tensorflow as tf

    # Read whole before the first variable changes, so that a damaged file changes none.
    reader = tf.train.load_checkpoint(str(prefix))
    wanted = _tensors(model)
    values = {name: reader.get_tensor(f"{name}/.ATTRIBUTES/VARIABLE_VALUE") for name in wanted}
    for name, variable in wanted.items():
        variable.assign(values[name])


def _flush_to_disk(folder: Path) -> None:
    # Without it, a machine that loses power may keep the new name and lose the content.
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _said(error: Exception) -> str:
    # Of a KeyError the text is the key alone.
    return f"no {error} in it" if isinstance(error, KeyError) else reason(error)


def _as_read_back(values: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(values))
