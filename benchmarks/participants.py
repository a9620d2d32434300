"""Who takes part: the flags that say so, the interpreters, and the heading that names them."""

from __future__ import annotations

import dataclasses
import sys

from absl import flags

from benchmarks import report
from benchmarks.contenders import CONTENDERS, DEFAULT_CONTENDERS, Contender, choose, has_normflows

CHOSEN = flags.DEFINE_list(
    "contenders",
    list(DEFAULT_CONTENDERS),
    f"Who takes part, out of {', '.join(CONTENDERS)}.",
)
TORCH_PYTHON = flags.DEFINE_string(
    "torch_python",
    None,
    "Python interpreter that can import torch and normflows, for their contenders; the default "
    "is the current one. They are left out where it cannot.",
)


def _are_contenders(names: list[str]) -> bool:
    try:
        return bool(choose(names))
    except ValueError as error:
        raise flags.ValidationError(str(error)) from error


flags.register_validator(CHOSEN, _are_contenders)

CPU_TIME = flags.DEFINE_bool(
    "cpu_time",
    False,
    "Give every contender one thread and measure CPU time in place of the clock: figures of one "
    "core, which hold on a busy machine too.",
)


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
        wanted = choose(CHOSEN.value)
        torch_python = TORCH_PYTHON.value or sys.executable
        has_torch = any(contender.torch for contender in wanted) and has_normflows(torch_python)
        able = [contender for contender in wanted if has_torch or not contender.torch]
        python = {c.name: torch_python if c.torch else sys.executable for c in able}
        return cls(able, python, [c.name for c in wanted if c.name not in python])

    def heading(self) -> str:
        """The machine, whether it is busy, and a line for each contender."""
        lines = [report.machine()]
        if not CPU_TIME.value and (busy := report.load_warning()):
            lines.append(busy)
        lines += [f"  {contender.name}: {contender.about}" for contender in self.contenders]
        if self.missing:
            names = ", ".join(self.missing)
            lines.append(f"  left out, no torch and normflows in the interpreter: {names}")
        return "\n".join(lines)
