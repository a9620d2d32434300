"""The contenders by name: which module builds each, with what options, in which interpreter."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
from collections.abc import Sequence
from typing import Any

from benchmarks.problem import Problem, Stepper


@dataclasses.dataclass(frozen=True)
class Contender:
    """One line of the tables.

    Attributes:
      name: what the flag `--contenders` calls it.
      module: module of `benchmarks.peers` that builds it.
      options: keyword arguments of that module's `build`.
      torch: it needs the interpreter that has PyTorch and normflows.
      peer: it is measured against, not measured.
      about: one line for the report.
      bfloat16: it computes in bfloat16 where it can, which the report keeps apart from float32.
    """

    name: str
    module: str
    about: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    torch: bool = False
    peer: bool = True
    bfloat16: bool = False

    def build(self, problem: Problem) -> Stepper:
        module = importlib.import_module(f"benchmarks.peers.{self.module}")
        return module.build(problem, **self.options)


def _contender(name: str, module: str, about: str, **fields: Any) -> Contender:
    known = {field.name for field in dataclasses.fields(Contender)}
    own = {key: fields.pop(key) for key in list(fields) if key in known}
    return Contender(name, module, about, fields, **own)


CONTENDERS = {
    contender.name: contender
    for contender in [
        _contender("bplf", "bplf", "float32, no XLA, through fit", peer=False),
        _contender(
            "bplf_bf16",
            "bplf",
            "networks in mixed_bfloat16, no XLA, through fit",
            peer=False,
            bfloat16=True,
            network_dtype="mixed_bfloat16",
        ),
        _contender("bplf_xla", "bplf", "float32, XLA, through fit", peer=False, jit_compile=True),
        _contender(
            "bplf_constant",
            "bplf",
            "float32, memory constant in depth, through fit",
            peer=False,
            memory="constant",
        ),
        _contender(
            "bplf_3x3", "bplf", "networks 3x3,3x3,3x3, through fit", peer=False, preset="bplf_3x3"
        ),
        _contender(
            "bplf_3x3_constant",
            "bplf",
            "networks 3x3,3x3,3x3, memory constant in depth, through fit",
            peer=False,
            preset="bplf_3x3",
            memory="constant",
        ),
        _contender("tfp_glow", "tfp_glow", "float32, tf.function, no XLA"),
        _contender("tfp_glow_xla", "tfp_glow", "float32, tf.function, XLA", jit_compile=True),
        _contender(
            "normflows_glow",
            "normflows_glow",
            "float32, eager PyTorch, default memory format, fused Adam",
            torch=True,
        ),
        _contender(
            "normflows_glow_channels_last",
            "normflows_glow",
            "float32, eager PyTorch, channels-last, fused Adam",
            torch=True,
            channels_last=True,
        ),
        _contender(
            "normflows_glow_bf16",
            "normflows_glow",
            "bfloat16 autocast, eager PyTorch, channels-last, fused Adam",
            torch=True,
            bfloat16=True,
            channels_last=True,
            autocast=True,
        ),
    ]
}

DEFAULT_CONTENDERS = (
    "bplf",
    "bplf_bf16",
    "tfp_glow",
    "normflows_glow",
    "normflows_glow_channels_last",
    "normflows_glow_bf16",
)


def choose(names: Sequence[str]) -> list[Contender]:
    """The contenders called `names`.

    Raises:
      ValueError: if `names` is empty, has a name twice, or a name is unknown.
    """
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(
            f"Contenders must be different names out of {', '.join(CONTENDERS)}; "
            f"got {', '.join(names) or 'none'}."
        )
    return [CONTENDERS[name] for name in names]


def has_normflows(python: str) -> bool:
    """Whether the interpreter `python` can import PyTorch and normflows."""
    find = (
        "import importlib.util as u, sys;"
        "sys.exit(not all(u.find_spec(name) for name in ('torch', 'normflows')))"
    )
    try:
        return subprocess.run([python, "-c", find], check=False).returncode == 0
    except OSError as error:
        raise ValueError(f"--torch_python: cannot run {python!r}: {error}.") from error
