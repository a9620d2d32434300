"""What an ablation runs: methods of each table, and flags that give them equal budgets."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections.abc import Sequence

from bplf_tf.config import ModelConfig
from bplf_tf.config_checks import NETWORKS, SVD_PROTOCOLS
from bplf_tf.preset_table import PRESETS
from datasets import flags
from trainers.settings import FitSettings

_PRESET_TABLES: dict[str, tuple[str, ...]] = {
    "3": ("glow", "glow_svd", "bplf_3x3", "bplf_3x3_1x1", "bplf_3x3_svd", "bplf_3x3_1x1_svd"),
    "4": ("glow", "dlf", "bplf_3x3_svd"),
    "5": ("glow", "dlf", "bplf_3x3_svd"),
    "presets": tuple(PRESETS),
}
_NO_G0 = "_no_g0"
# What answers most for the least runs: Glow against BPLF with the same network, with the bigger one
# and with truncation, and both networks without g0.
_QUESTIONS = (
    "glow", "bplf_3x3_1x1", f"bplf_3x3_1x1{_NO_G0}", "bplf_3x3", f"bplf_3x3{_NO_G0}",
    "bplf_3x3_svd",
)  # fmt: skip
_PROTOCOLS = ("none", *SVD_PROTOCOLS)

TABLES = (*_PRESET_TABLES, "questions", "g0", "svd")
"""`3`, `4` and `5` as in the paper, those methods that exist; `presets`, all; `questions`, six that
tell most; `g0`, whether it is g0, ActNorm, the networks or the rank; `svd`, the ways to truncate.
Methods of one name are the same in all of them, so that their runs are shared."""

BUDGETS = ("steps", "minutes", "parameters", "flops")
"""What the methods of a table have in common; `parameters` and `flops` are those that the first
method has, or spends in so many steps."""

# What the paper's methods do not have, so that they differ in what their names say alone.
_PLAIN = "--nopixel_logit --noheavy_tails"
_EXTRAS = "--pixel_logit --heavy_tails"

Method = tuple[str, str]  # a name, and flags of trainers.fit


def methods(
    table: str, ranks: Sequence[str] = ("full", "half"), extras: bool = False
) -> list[Method]:
    """The methods of a table in their order, the one that others are compared with first.

    Args:
      table: one of `TABLES`.
      ranks: for the table `g0`: `"full"`, `"half"` of the smaller side, or numbers of singular
        values.
      extras: give every method this library's pixel logit and heavy tails; else none has them.

    Raises:
      ValueError: for an unknown table or rank.
    """
    if table not in TABLES:
        raise ValueError(f"--table must be one of {', '.join(TABLES)}, got {table!r}")
    if table == "svd":
        chosen = [_protocol(name) for name in _PROTOCOLS]
    elif table == "g0":
        chosen = _g0_table(ranks)
    elif table == "questions":
        chosen = [_with_or_without_g0(name) for name in _QUESTIONS]
    else:
        chosen = [(name, f"--preset={name}") for name in _PRESET_TABLES[table]]
    return [(name, f"{own} {extras_flags(extras)}") for name, own in chosen]


def extras_flags(extras: bool) -> str:
    """Flags that give a method what only this library has, or take it away."""
    return _EXTRAS if extras else _PLAIN


def _with_or_without_g0(name: str) -> Method:
    preset = name.removesuffix(_NO_G0)
    return name, f"--preset={preset}" + (" --nog0" if name != preset else "")


def _protocol(name: str) -> Method:
    return f"svd_{name}", "--preset=bplf_3x3" + (
        "" if name == "none" else f" --svd_protocol={name}"
    )


def _g0_table(ranks: Sequence[str]) -> list[Method]:
    chosen = []
    # Coupling with the small network first: what the paper starts from.
    networks = [NETWORKS[1], NETWORKS[0], *NETWORKS[2:4]]
    for network, g0, actnorm, rank in itertools.product(
        networks, (False, True), (True, False), ranks
    ):
        name = "-".join(
            [network, "g0" if g0 else "coupling", "actnorm" if actnorm else "no_actnorm", rank]
        )
        own = f"--preset=bplf_3x3 --network={network} --{'' if g0 else 'no'}g0"
        chosen.append((name, f"{own} --{'' if actnorm else 'no'}actnorm{_rank(rank)}"))
    return chosen


def _rank(rank: str) -> str:
    if rank == "full":
        return ""
    if rank == "half":
        return " --svd_protocol=paper"
    if not rank.isdigit() or rank == "0":
        raise ValueError(f"--ranks must be full, half or positive integers, got {rank!r}")
    return f" --svd_protocol=paper --svd_rank={rank}"


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every method may spend.

    Attributes:
      kind: one of `BUDGETS`.
      amount: minutes, or steps: of every method, or of the first one.
    """

    kind: str
    amount: float

    def check(self) -> None:
        """Raises `ValueError` naming the flag."""
        if self.kind not in BUDGETS:
            raise ValueError(f"--budget must be one of {', '.join(BUDGETS)}, got {self.kind!r}")
        whole = self.kind == "minutes" or self.amount == int(self.amount)
        if not self.amount > 0 or not whole:
            unit = "minutes" if self.kind == "minutes" else "steps"
            raise ValueError(f"--amount must be a positive number of {unit}, got {self.amount}")

    def __str__(self) -> str:
        """As a table names it."""
        if self.kind == "minutes":
            return f"equal wall-clock time, {self.amount:g} minutes"
        if self.kind == "steps":
            return f"equal steps, {self.amount:g}"
        of_first = f"of {self.amount:g} steps of the first method"
        if self.kind == "flops":
            return f"equal FLOPs, those {of_first}"
        return f"equal parameters, those of the first method; {self.amount:g} steps"

    @property
    def folder(self) -> str:
        """Name of the folder of its runs."""
        return f"{self.kind}_{self.amount:g}"


def config_of(
    arguments: str, image_shape: tuple[int, int, int], classes: tuple[str, ...]
) -> ModelConfig:
    """The model that flags of `trainers.fit` describe.

    Raises:
      ValueError: for flags that do not exist or do not fit together.
    """
    settings = flags.parse(FitSettings, shlex.split(arguments))
    return settings.model_config(image_shape, classes)


def budget_flags(budget: Budget, configs: Sequence[ModelConfig]) -> list[str]:
    """Flags that give every model its budget, in the models' order, the reference first.

    Args:
      budget: what they may spend.
      configs: the models before it; a budget of parameters changes their widths.
    """
    if budget.kind == "minutes":
        return [f"--max_minutes={budget.amount:g}"] * len(configs)
    if budget.kind == "steps":
        return [f"--max_steps={budget.amount:g}"] * len(configs)
    from bplf_tf.catalogue import cost

    parameters, flops = zip(*map(cost, configs), strict=True)
    if budget.kind == "flops":
        steps = [max(1, round(budget.amount * flops[0] / own)) for own in flops]
        return [f"--max_steps={count}" for count in steps]
    widths = [_widths_for(parameters[0], config) for config in configs]
    return [
        f"--max_steps={budget.amount:g} --width={','.join(map(str, width))}" for width in widths
    ]


_WIDEST = 4096


def _widths_for(parameters: int, config: ModelConfig) -> tuple[int, ...]:
    """Widths in the proportion of the config's whose parameters come nearest to a number."""
    from bplf_tf.catalogue import cost

    widest = max(config.widths)

    def scaled(width: int) -> tuple[int, ...]:
        return tuple(max(4, round(own * width / widest)) for own in config.widths)

    def counted(width: int) -> int:
        return cost(dataclasses.replace(config, width=scaled(width)))[0]

    low, high = 4, widest
    while counted(high) < parameters and high < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if counted(middle) < parameters else (low, middle)
    return scaled(min((low, high), key=lambda width: abs(counted(width) - parameters)))
