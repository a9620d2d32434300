"""Learning rate and end of a run as pure functions of the step and the minutes gone by."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then a cosine from the peak to 0, over progress instead of steps.

    Progress goes from 0 to 1. Where a run ends after a number of steps it is the share of the
    steps; where it ends by the clock, the share of the minutes, so that the cosine reaches 0 as
    the time runs out however fast the machine is; where both are set, whichever is further on.

    Attributes:
      peak: learning rate after the warm-up.
      warmup_steps: length of the linear warm-up; 0 for none.
      total_steps: the run's last step, or `None` when only the clock ends it.
      max_minutes: the run's last minute, or `None` when only the steps end it.
    """

    peak: float
    warmup_steps: int = 0
    total_steps: int | None = None
    max_minutes: float | None = None

    def progress(self, step: int, minutes: float) -> float:
        """Share of the run that is done after `step` steps and `minutes`, in [0, 1]."""
        shares = [0.0]
        if self.total_steps is not None:
            shares.append(step / self.total_steps)
        if self.max_minutes is not None:
            shares.append(minutes / self.max_minutes)
        return min(1.0, max(shares))

    def learning_rate(self, step: int, minutes: float) -> float:
        """Learning rate of the step that follows `step` finished ones."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.progress(step, minutes)))
        return self.peak * warm * cosine

    def finished(self, step: int, minutes: float) -> bool:
        """Whether the run ends after `step` steps and `minutes`."""
        return self.progress(step, minutes) >= 1.0
