"""What lies beside a run's directory: with which flags it was begun, and on what it was made."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets.files import write_text
from trainers import environment
from trainers.run_directory import RunDirectory

THEN = ", then "
"""Between what a run was made on at first and, after it was stopped, later."""


@dataclasses.dataclass(frozen=True)
class RunNotes:
    """Notes of whoever starts runs, which a run itself does not know or would overwrite.

    Attributes:
      directory: of the run; it need not exist.
    """

    directory: RunDirectory

    @property
    def _stamp(self) -> Path:
        return self.directory.path.with_name(f"{self.directory.path.name}.flags")

    @property
    def _machines(self) -> Path:
        return self.directory.path.with_name(f"{self.directory.path.name}.machines")

    def begun_with(self) -> str | None:
        """The flags that the run was begun with, if they were noted."""
        return self._stamp.read_text(encoding="utf-8").strip() if self._stamp.exists() else None

    def note_flags(self, flags: str) -> None:
        """Notes the flags that the run is begun with."""
        self._stamp.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._stamp, flags + "\n")

    def note_machine(self, cores: int, at_once: int, anew: bool = False) -> None:
        """Notes on what, on how many cores and beside how many others the run starts or goes on.

        A run knows but the last machine; and where the system cannot deal cores out, not its share.

        Args:
          cores: that the run has.
          at_once: runs at the same time.
          anew: forget what was noted before: the run begins from the start.
        """
        line = json.dumps({**environment.machine(), "cores": cores, "at_once": at_once})
        # Where there is no directory, what was noted is of a run that was removed.
        known = self._noted and not anew
        before = self._machines.read_text(encoding="utf-8") if known else ""
        write_text(self._machines, f"{before}{line}\n")

    @property
    def _noted(self) -> bool:
        return self.directory.path.exists() and self._machines.exists()

    def machines(self) -> list[dict[str, Any]]:
        """What the run was made on, as noted, one after the other; else what it knows itself."""
        if self._noted:
            lines = self._machines.read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines]
        return [json.loads(self.directory.config.read_text())["machine"]]


def machine_columns(machines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The columns `cores`, `at_once` and `machine` of a csv, of what a run was made on."""
    columns = {
        name: _in_turn(str(machine.get(name, "")) for machine in machines)
        for name in ("cores", "at_once")
    }
    columns["machine"] = _in_turn(
        " ".join(machine.get(name, "") for name in ("system", "architecture", "processor")).strip()
        for machine in machines
    )
    return columns


def _in_turn(names: Iterable[str]) -> str:
    return THEN.join(dict.fromkeys(names))


def check_same_flags(what: str, before: str, now: str, remedy: str) -> None:
    """Raises `ValueError` where a run was made with other flags than it would be now.

    Args:
      what: was made, to be named.
      before: flags of `trainers.fit`, as in a command.
      now: likewise; how they are quoted or spaced does not count.
      remedy: what to do about it, a sentence without its full stop.
    """
    if shlex.split(before) != shlex.split(now):
        raise ValueError(
            f"{what} was made with other flags: {before!r}, and now they would be {now!r}. {remedy}"
        )
