"""The contenders that the flags choose, their interpreters, and the heading that names them."""

from __future__ import annotations

import dataclasses
import sys

from benchmarks import common_flags, report
from benchmarks.contenders import Contender, choose, has_normflows


@dataclasses.dataclass(frozen=True)
class Participants:
    """Who takes part in a benchmark.

    Attributes:
      contenders: those that can run here.
      python: interpreter by contender's name.
      missing: names of those that were wanted and cannot run.
    """

    contenders: list[Contender]
    python: dict[str, str]
    missing: list[str]

    @classmethod
    def from_flags(cls) -> Participants:
        """Those of `--contenders` that the interpreters can run."""
        wanted = choose(common_flags.CONTENDERS.value)
        torch_python = common_flags.TORCH_PYTHON.value or sys.executable
        has_torch = any(contender.torch for contender in wanted) and has_normflows(torch_python)
        able = [contender for contender in wanted if has_torch or not contender.torch]
        python = {c.name: torch_python if c.torch else sys.executable for c in able}
        return cls(able, python, [c.name for c in wanted if c.name not in python])

    def heading(self, load_warning: bool = True) -> str:
        """The machine, and a line for each contender.

        Args:
          load_warning: say so where the machine is busy and times are taken by the clock.
        """
        lines = [report.machine()]
        if load_warning and not common_flags.CPU_TIME.value and (busy := report.load_warning()):
            lines.append(busy)
        lines += [f"  {contender.name}: {contender.about}" for contender in self.contenders]
        if self.missing:
            names = ", ".join(self.missing)
            lines.append(f"  left out, no torch and normflows in the interpreter: {names}")
        return "\n".join(lines)
