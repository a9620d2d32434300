"""The directory of one training run: what lies where, and when a new run may use it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from datasets.files import WriteError, reason
from trainers.child_processes import InUseError, open_alone


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Paths of one run.

    Attributes:
      path: the directory; it need not exist.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Everything that was resolved before training: settings, model, data, versions."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """One row per epoch."""
        return self.path / "metrics.csv"

    @property
    def model(self) -> Path:
        """The model with averaged weights, as of the last epoch."""
        return self.path / "model.keras"

    @property
    def best(self) -> Path:
        """The model of the epoch with the lowest figure of held-out images."""
        return self.path / "best.keras"

    @property
    def result(self) -> Path:
        """The final figures; there only when the run came to its end."""
        return self.path / "result.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of what a run resumes from."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Folder of what TensorBoard shows."""
        return self.path / "tensorboard"

    @property
    def snapshots(self) -> Path:
        """Folder of models as they were on the way, `step_00000008.keras` and on."""
        return self.path / "snapshots"

    @property
    def samples(self) -> Path:
        """Folder of pictures, `epoch_001.png` and on."""
        return self.path / "samples"

    @property
    def lock(self) -> Path:
        """Empty file that a process has to itself as long as it trains here."""
        return self.path / ".lock"

    def check_unused(self) -> None:
        """Raises `InUseError` if another process trains here; touches nothing."""
        with contextlib.suppress(OSError):  # `check` says what is wrong with the directory
            if self.lock.exists():
                with self.alone():
                    pass

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps others from training here during the block, for which it makes the directory.

        The file stays, since whoever removed it might take it from under one who has just opened
        it; the lock does not, however the process ends.

        Raises:
          InUseError: another process trains here.
          WriteError: the directory cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open_alone(self.lock, keep=True)
        except InUseError as error:
            raise InUseError(
                f"another process trains in {self.path}; wait for it or choose another --run_dir"
            ) from error
        except OSError as error:
            raise WriteError(f"could not write {self.lock}: {reason(error)}") from error
        with file:
            yield

    def check(self, overwrite: bool, resume: bool = False) -> None:
        """Checks that a run can be written here; touches nothing.

        Raises:
          FileExistsError: the directory holds a run and `overwrite` is false.
          NotADirectoryError: the path, or a folder above it, is a file.
          PermissionError: it cannot be written to.
        """
        if not (overwrite or resume) and any(self._files()):
            raise FileExistsError(
                f"{self.path} already holds a run: give --resume to go on with it, --overwrite to "
                "replace it, or choose another --run_dir"
            )
        existing = self.path.absolute()
        while not existing.exists():
            existing = existing.parent
        inner = (self.checkpoints, self.samples, self.snapshots, self.tensorboard)
        for folder in (existing, *(path for path in inner if path.exists())):
            if not folder.is_dir():
                raise NotADirectoryError(f"--run_dir={self.path}: {folder} is not a directory")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(f"--run_dir={self.path}: {folder} cannot be written to")

    def create(self, resume: bool = False) -> None:
        """Makes the directory. Removes the files of an earlier run, and only those.

        Args:
          resume: leave them where they are.

        Raises:
          WriteError: it cannot be written to after all.
        """
        try:
            self._create(resume)
        except OSError as error:
            raise WriteError(f"could not write {self.path}: {reason(error)}") from error

    def _create(self, resume: bool) -> None:
        if not resume:
            for file in self._files():
                if file.is_file():
                    file.unlink()
            for folder in (self.checkpoints, self.snapshots, self.tensorboard):
                shutil.rmtree(folder, ignore_errors=True)
        self.result.unlink(missing_ok=True)
        for folder in (self.path, self.samples, self.snapshots):
            for rest in folder.glob(".*.partial.*"):
                rest.unlink()  # of a process that was killed while it wrote
        self.samples.mkdir(parents=True, exist_ok=True)

    def picture(self, epoch: int) -> Path:
        """The picture after epoch number `epoch`, counted from 1."""
        return self.samples / f"epoch_{epoch:03d}.png"

    def snapshot(self, step: int) -> Path:
        """The model after so many steps."""
        return self.snapshots / f"step_{step:08d}.keras"

    def _files(self) -> list[Path]:
        files = [self.config, self.metrics, self.model, self.best, self.result]
        files += [*sorted(self.samples.glob("epoch_*.png")), *self.checkpoints.glob("step_*")]
        return [file for file in files if file.exists()]
