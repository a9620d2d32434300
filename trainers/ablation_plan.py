"""What an ablation runs: methods of each table, and flags that give them equal budgets."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import shlex
from collections.abc import Mapping, Sequence

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
    "inception": ("bplf_3x3", "bplf_3x3_1x1", "bplf_inception_a", "bplf_inception_b"),
}
_NO_G0, _ACTNORM = "_no_g0", "_actnorm"
# What answers most for the least runs: Glow against BPLF with the same network, with the bigger one
# and with truncation, and both networks without g0. Without g0, nothing normalises the first half
# of the channels: so that g0 is not compared with that lack, an ActNorm stands in for it. Once it
# does not, which tells how much is due to it.
_QUESTIONS = (
    "glow", "bplf_3x3_1x1", f"bplf_3x3_1x1{_NO_G0}{_ACTNORM}", "bplf_3x3",
    f"bplf_3x3{_NO_G0}{_ACTNORM}", f"bplf_3x3{_NO_G0}", "bplf_3x3_svd",
)  # fmt: skip
# Of a run, until the rank is full: the other half trains on untouched images.
_ANNEAL_SHARE = 0.5
_TRUNCATED = "bplf_3x3"

TABLES = (*_PRESET_TABLES, "questions", "g0", "svd")
"""`3`, `4` and `5` as in the paper, those methods that exist; `presets`, all; `inception`, BPLF's
networks; `questions`, few that tell most; `g0`, whether it is g0, ActNorm, the networks or the
rank; `svd`, the ways to truncate.
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
        chosen = [(_TRUNCATED, f"--preset={_TRUNCATED}"), *map(_protocol, SVD_PROTOCOLS)]
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
    with_or_without, *actnorm = name.split(_ACTNORM)
    preset = with_or_without.removesuffix(_NO_G0)
    own = f"--preset={preset}" + (" --nog0" if with_or_without != preset else "")
    return name, own + (" --actnorm" if actnorm else "")


def _protocol(name: str) -> Method:
    if name == "paper":  # a preset has it, whose runs are shared
        return f"{_TRUNCATED}_svd", f"--preset={_TRUNCATED}_svd"
    own = f"--preset={_TRUNCATED} --svd_protocol={name}"
    if name == "anneal":
        own += f" --svd_anneal_share={_ANNEAL_SHARE:g}"
    return f"{_TRUNCATED}_{name}", own


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
        whole = self.kind == "minutes" or float(self.amount).is_integer()
        if not self.amount > 0 or not whole:
            unit = "minutes" if self.kind == "minutes" else "steps"
            raise ValueError(f"--amount must be a positive number of {unit}, got {self.amount}")

    def __str__(self) -> str:
        """As a table names it."""
        if self.kind == "minutes":
            return f"equal wall-clock time, {self.number} minutes"
        if self.kind == "steps":
            return f"equal steps, {self.number}"
        of_first = f"of {self.number} steps of the first method"
        if self.kind == "flops":
            return f"equal FLOPs, those {of_first}"
        return f"equal parameters, those of the first method; {self.number} steps"

    @property
    def number(self) -> str:
        """The amount as a flag takes it: steps without an exponent, however many."""
        return f"{self.amount:g}" if self.kind == "minutes" else str(int(self.amount))

    @property
    def folder(self) -> str:
        """Name of the folder of its runs."""
        return f"{self.kind}_{self.number}"


def config_of(
    arguments: str, image_shape: tuple[int, int, int], classes: tuple[str, ...]
) -> ModelConfig:
    """The model that flags of `trainers.fit` describe.

    Raises:
      ValueError: for flags that do not exist or do not fit together.
    """
    settings = flags.parse(FitSettings, shlex.split(arguments))
    return settings.model_config(image_shape, classes)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Methods with their share of the budget.

    Attributes:
      flags: of `trainers.fit`, by method, in the methods' order.
      unfit: why a method is left out, by method: it does not fit the images, or the budget.
    """

    flags: dict[str, str]
    unfit: dict[str, str]


def fitted(
    of_methods: Mapping[str, str],
    budget: Budget,
    image_shape: tuple[int, int, int],
    classes: tuple[str, ...],
) -> Fitted:
    """Gives each method its share of the budget, and leaves out those that cannot be made.

    Args:
      of_methods: flags of `trainers.fit` by method, the one that others are compared with first.
      budget: what they may spend.
      image_shape: (height, width, channels).
      classes: names of the labels.

    Raises:
      ValueError: the first method cannot be made.
    """
    fitting: dict[str, str] = {}
    unfit: dict[str, str] = {}
    first: ModelConfig | None = None
    for name, own in of_methods.items():
        try:
            config = config_of(own, image_shape, classes)
            text = f"{own} {budget_flags(budget, config, first or config)}"
            config_of(text, image_shape, classes)
        except ValueError as error:
            if first is None:  # or it is what all of them share that is wrong
                raise
            unfit[name] = str(error)
            continue
        first = first or config
        fitting[name] = text
    return Fitted(fitting, unfit)


def budget_flags(budget: Budget, config: ModelConfig, first: ModelConfig) -> str:
    """Flags that give a model its budget.

    Args:
      budget: what it may spend.
      config: the model before it; a budget of parameters changes its width.
      first: the model that others are compared with.

    Raises:
      ValueError: no width gives it as many parameters as the first one has.
    """
    if budget.kind == "minutes":
        return f"--max_minutes={budget.number}"
    if budget.kind == "flops":
        return f"--max_steps={max(1, round(budget.amount * _cost(first)[1] / _cost(config)[1]))}"
    steps = f"--max_steps={budget.number}"
    if budget.kind == "steps":
        return steps
    widths = config.widths if config == first else _widths_for(_cost(first)[0], config)
    return f"{steps} --width={','.join(map(str, widths))}"


@functools.cache
def _cost(config: ModelConfig) -> tuple[int, int]:
    from bplf_tf.catalogue import cost

    return cost(config)


_NARROWEST, _WIDEST = 4, 4096
_TOLERANCE = 0.02
"""By which numbers of parameters that are called equal may differ."""


def _widths_for(parameters: int, config: ModelConfig) -> tuple[int, ...]:
    """Widths near the proportion of the config's with which it has so many parameters.

    Raises:
      ValueError: if the nearest number differs by more than the tolerance.
    """

    def off(widths: tuple[int, ...]) -> float:
        return _cost(dataclasses.replace(config, width=widths))[0] / parameters - 1

    widest = max(config.widths)

    def scaled(width: int) -> tuple[int, ...]:
        return tuple(max(_NARROWEST, round(own * width / widest)) for own in config.widths)

    low, high = _NARROWEST, max(widest, _NARROWEST)
    while off(scaled(high)) < 0 and high < _WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if off(scaled(middle)) < 0 else (low, middle)
    best = min(scaled(low), scaled(high), key=lambda widths: abs(off(widths)))
    # Where one channel more in every level is too much, one more in some of them is not.
    for level in range(config.levels):
        if abs(off(best)) <= _TOLERANCE:
            break
        nearby = [
            (*best[:level], best[level] + change, *best[level + 1 :])
            for change in (-2, -1, 0, 1, 2)
        ]
        best = min(
            (widths for widths in nearby if widths[level] >= _NARROWEST),
            key=lambda widths: abs(off(widths)),
        )
    if abs(off(best)) > _TOLERANCE:
        raise ValueError(
            f"no width gives it the first method's {parameters:,} parameters: with "
            f"{','.join(map(str, best))} it has {1 + off(best):.3g} times as many"
        )
    return best
