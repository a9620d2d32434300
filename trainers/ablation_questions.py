"""Which differences of an ablation answer which question: pairs that differ in one thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Contrast(NamedTuple):
    """A difference that answers a question: the method's figure less the other one's."""

    question: str
    method: str
    less: str


_GLOW = "is BPLF better than Glow?"
_PAPER = "the paper's BPLF beside the others"
_G0 = "is it g0, or would an ActNorm do?"
_BOTH = "does g0 add to an ActNorm?"
_ACTNORM = "what does an ActNorm do without g0?"
_NETWORK = "is it the bigger network?"
_INCEPTION = "do the Inception networks pay?"
_SVD = "does truncation help on untouched images?"

_BY_NAME = (
    Contrast(_GLOW, "bplf_3x3_1x1", "glow"),  # with the same network
    Contrast(_GLOW, "bplf_3x3", "glow"),
    Contrast(_GLOW, "bplf_3x3_1x1_svd", "glow_svd"),
    Contrast(_GLOW, "bplf_3x3_svd", "glow_svd"),
    Contrast(_PAPER, "bplf_3x3_svd", "glow"),
    Contrast(_PAPER, "bplf_3x3_svd", "dlf"),
    Contrast(_G0, "bplf_3x3_1x1", "bplf_3x3_1x1_no_g0_actnorm"),
    Contrast(_G0, "bplf_3x3", "bplf_3x3_no_g0_actnorm"),
    Contrast(_ACTNORM, "bplf_3x3_no_g0_actnorm", "bplf_3x3_no_g0"),
    Contrast(_NETWORK, "bplf_3x3", "bplf_3x3_1x1"),
    Contrast(_NETWORK, "bplf_3x3_no_g0_actnorm", "bplf_3x3_1x1_no_g0_actnorm"),
    Contrast(_NETWORK, "bplf_3x3_svd", "bplf_3x3_1x1_svd"),
    Contrast(_INCEPTION, "bplf_inception_a", "bplf_3x3"),
    Contrast(_INCEPTION, "bplf_inception_b", "bplf_3x3"),
    Contrast(_INCEPTION, "bplf_inception_a", "bplf_3x3_1x1"),  # which is smaller still
    Contrast(_INCEPTION, "bplf_inception_b", "bplf_3x3_1x1"),
    Contrast(_SVD, "glow_svd", "glow"),
    Contrast(_SVD, "bplf_3x3_1x1_svd", "bplf_3x3_1x1"),
    Contrast(_SVD, "bplf_3x3_svd", "bplf_3x3"),
    *(Contrast(_SVD, f"bplf_3x3_{way}", "bplf_3x3") for way in ("anneal", "bijector", "pca")),
)

_BIG, _SMALL = "3x3_3x3_3x3", "3x3_1x1_3x3"
_ORDER = (_G0, _BOTH, _ACTNORM, _NETWORK, _INCEPTION, _SVD)


def contrasts(names: Sequence[str]) -> list[Contrast]:
    """The differences between methods of a table that answer a question.

    Args:
      names: of the table's methods, as of `trainers.ablation_plan.methods`.
    """
    of_grid = _of_grid([name for name in names if name.count("-") == 3])
    return [
        contrast
        for contrast in (*_BY_NAME, *of_grid)
        if contrast.method in names and contrast.less in names
    ]


def _of_grid(names: Iterable[str]) -> list[Contrast]:
    """Of the table g0, whose names are network, g0 or coupling, ActNorm or none, and rank."""
    parts = [name.split("-") for name in names]
    networks = list(dict.fromkeys(part[0] for part in parts))
    ranks = list(dict.fromkeys(part[3] for part in parts))
    found = []
    for network in networks:
        for rank in ranks:
            with_actnorm = f"{network}-coupling-actnorm-{rank}"
            bplf = f"{network}-g0-no_actnorm-{rank}"
            found += [
                Contrast(_G0, bplf, with_actnorm),
                Contrast(_BOTH, f"{network}-g0-actnorm-{rank}", with_actnorm),
                Contrast(_ACTNORM, with_actnorm, f"{network}-coupling-no_actnorm-{rank}"),
            ]
            if network == _BIG:
                found.append(Contrast(_NETWORK, bplf, f"{_SMALL}-g0-no_actnorm-{rank}"))
            elif network != _SMALL:
                for other in (_BIG, _SMALL):
                    found.append(Contrast(_INCEPTION, bplf, f"{other}-g0-no_actnorm-{rank}"))
            if rank != "full":
                found.append(Contrast(_SVD, bplf, f"{network}-g0-no_actnorm-full"))
    return sorted(found, key=lambda contrast: _ORDER.index(contrast.question))
