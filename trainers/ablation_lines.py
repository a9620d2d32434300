"""What an ablation's runs say together: means over seeds, and differences paired by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from bplf_tf.metrics.confidence import Estimate, estimate
from trainers.ablation_questions import Contrast
from trainers.ablation_rows import Row, alike, curve
from trainers.statistics import paired_difference

# What was trained for less proves nothing.
LEAST_MINUTES = 10.0
LEAST_SEEDS = 3

OfSeeds = Mapping[int, Row]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One method beside another.

    Attributes:
      difference: of bits/dim of untouched held-out images, paired by seed; None without a pair.
      answered: whether enough pairs were trained for long enough, both of each.
      unlike: seeds of both that are no pair: at equal wall-clock time, runs of different machines
        or cores had different means.
      reached: when it had the other one's final figure, by the learning curves; None if never.
      parameters: how many times the other one's.
    """

    difference: Estimate | None
    answered: bool
    unlike: tuple[int, ...]
    reached: Reached | None = None
    parameters: float | None = None


@dataclasses.dataclass(frozen=True)
class Reached:
    """When a method had reached what the first one has in the end, pair by pair.

    Attributes:
      minutes: until then; None where the pairs were made on different machines or cores.
      steps: until then.
      count, pairs: pairs in which it did, of how many.
    """

    minutes: Estimate | None
    steps: Estimate
    count: int
    pairs: int


@dataclasses.dataclass(frozen=True)
class Line:
    """A method of a table that has runs.

    Attributes:
      method: its name.
      bits: bits/dim of untouched held-out images.
      difference: of them to the first method's, paired by seed; None for the first itself.
      truncated: bits/dim of truncated images, for methods that train on such.
      nats: the paper's log-likelihood.
      steps, minutes, parameters: means over the seeds.
      answered: whether it and the first method were trained for long enough, with enough seeds.
      reached: when it had the first method's final figure, by the learning curves; None if never.
      svd_rank: of the last training images, where they are truncated, such as "14".
      rollbacks: how often a run went back from a loss that was not finite, by seed, if it did.
      unlike: seeds that cannot be compared with the first method's.
      failed: what went wrong, by seed.
    """

    method: str
    bits: Estimate
    difference: Estimate | None
    truncated: Estimate | None
    nats: Estimate
    steps: float
    minutes: float
    parameters: int
    answered: bool
    reached: Reached | None = None
    svd_rank: str = ""
    rollbacks: Mapping[int, int] = dataclasses.field(default_factory=dict)
    unlike: tuple[int, ...] = ()
    failed: Mapping[int, str] = dataclasses.field(default_factory=dict)


def by_method(rows: Sequence[Row], methods: Sequence[str]) -> dict[str, dict[int, Row]]:
    """The runs that came to their end, by method and seed."""
    return {name: _of_seeds(rows, name, failed=False) for name in methods}


def _of_seeds(rows: Sequence[Row], method: str, failed: bool) -> dict[int, Row]:
    chosen = [row for row in rows if row["method"] == method and bool(row["failed"]) == failed]
    return {int(row["seed"]): row for row in chosen}


def lines(rows: Sequence[Row], methods: Sequence[str]) -> list[Line]:
    """Of one data set and budget, the methods that have runs, in their order.

    Args:
      rows: of the csv.
      methods: names, the reference first.
    """
    of_methods = by_method(rows, methods)
    first = of_methods[methods[0]]
    result = []
    for name, runs in of_methods.items():
        if not runs:
            continue
        compared = compare(runs, first)
        truncated = _figures(runs, "bits_per_dim_truncated")
        rollbacks = {seed: int(row.get("rollbacks") or 0) for seed, row in runs.items()}
        failed = _of_seeds(rows, name, failed=True)
        result.append(
            Line(
                name,
                _mean(runs, "bits_per_dim"),
                None if name == methods[0] else compared.difference,
                estimate(list(truncated.values())) if truncated else None,
                _mean(runs, "nats"),
                _mean(runs, "steps").mean,
                _mean(runs, "minutes").mean,
                _parameters(runs),
                compared.answered and _long_enough(runs.values()),
                compared.reached,
                ", ".join(dict.fromkeys(filter(None, (r.get("svd_rank") for r in runs.values())))),
                {seed: count for seed, count in rollbacks.items() if count},
                compared.unlike,
                {seed: row["failed"] for seed, row in failed.items()},
            )
        )
    return result


def absent(rows: Sequence[Row], methods: Sequence[str], unfit: Mapping[str, str]) -> dict[str, str]:
    """Why a method has no figures, for those that have none.

    Args:
      rows: of the csv.
      methods: all of the table.
      unfit: why some of them cannot be made.
    """
    reasons = {}
    for name in methods:
        if name in unfit:
            reasons[name] = f"left out: {unfit[name]}"
        elif not _of_seeds(rows, name, failed=False):
            failed = _of_seeds(rows, name, failed=True)
            why = dict.fromkeys(row["failed"] for row in failed.values())
            reasons[name] = f"failed: {'; '.join(why)}" if failed else "no run yet"
    return reasons


def contrast(rows: Sequence[Row], of: Contrast, column: str = "bits_per_dim") -> Comparison:
    """A difference that answers a question; of another column, where all runs have it."""
    runs = by_method(rows, (of.method, of.less))
    return compare(runs[of.method], runs[of.less], column)


def compare(runs: OfSeeds, others: OfSeeds, column: str = "bits_per_dim") -> Comparison:
    """One method's runs beside another's."""
    both = sorted(_figures(runs, column).keys() & _figures(others, column).keys())
    pairs = [seed for seed in both if _comparable(runs[seed], others[seed])]
    bits, of_others = ({seed: float(of[seed][column]) for seed in pairs} for of in (runs, others))
    return Comparison(
        paired_difference(bits, of_others),
        len(pairs) >= LEAST_SEEDS and _long_enough(of[s] for of in (runs, others) for s in pairs),
        tuple(seed for seed in both if seed not in pairs),
        _reached(runs, others),
        _parameters(runs) / _parameters(others) if both else None,
    )


def _parameters(runs: OfSeeds) -> int:
    return int(next(iter(runs.values()))["parameters"])


def _comparable(row: Row, other: Row) -> bool:
    return row.get("budget") != "minutes" or alike(row, other)


def _long_enough(rows: Iterable[Row]) -> bool:
    return all(_minutes(row) >= LEAST_MINUTES for row in rows)


def _minutes(row: Row) -> float:
    # A run that its last validation took beyond the budget counts as one that had it whole.
    return float(row["amount"] if row.get("budget") == "minutes" else row["minutes"])


def _figures(runs: OfSeeds, column: str) -> dict[int, float]:
    return {seed: float(row[column]) for seed, row in runs.items() if row[column]}


def _mean(runs: OfSeeds, column: str) -> Estimate:
    return estimate(list(_figures(runs, column).values()))


def _reached(runs: OfSeeds, first: OfSeeds) -> Reached | None:
    minutes, steps, pairs = list[float](), list[int](), 0
    for seed in sorted(runs.keys() & first.keys()):
        own, target = curve(runs[seed]), curve(first[seed])
        if not (own and target and _comparable(runs[seed], first[seed])):
            continue
        pairs += 1
        point = next((p for p in own if p.bits_per_dim <= target[-1].bits_per_dim), None)
        if point is not None:
            steps.append(point.step)
            if alike(runs[seed], first[seed]):
                minutes.append(point.minutes)
    if not steps:
        return None
    alike_all = len(minutes) == len(steps)
    return Reached(estimate(minutes) if alike_all else None, estimate(steps), len(steps), pairs)
