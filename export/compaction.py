"""TFLite files made small: what functions have in common is held once, what none needs not at all.

With all steps of a flow written out in every function, what describes the operations takes more
room than the weights of a small model, as the converter writes it. What a file computes stays as
it is, bit for bit.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Hashable
from typing import Any, cast

import numpy as np

from export.sharing_builder import SharingBuilder

# Of the operations before it, by which one is known again in another function. Fewer do not tell
# the steps of a flow apart; more see from further away that what comes before the flow differs.
_DEPTH = 4

_FIRST_BYTES = 1 << 20  # that a builder begins with; it takes more as it needs them
_TENSORS = ("inputs", "outputs")


def compact(model: Any) -> bytes:
    """The content of a TFLite file that computes the same in fewer bytes.

    Args:
      model: a file as `tensorflow.lite.tools.flatbuffer_utils` reads it; changed. Its functions
        keep the names of their inputs and outputs; tensors lose theirs, which no interpreter needs.
    """
    _merge_buffers(model)
    _number_alike(model)
    builder = SharingBuilder(_FIRST_BYTES)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _merge_buffers(model: Any) -> None:
    """Holds equal data once, and none that no operation takes."""
    owners = [graph.tensors[one] for graph in model.subgraphs for one in _used_tensors(graph)]
    owners += model.metadata or []
    merged = model.buffers[:1]  # by definition the empty one
    places = {b"": 0}
    for owner in owners:
        buffer = model.buffers[owner.buffer]
        data = b"" if buffer.data is None else bytes(buffer.data)
        if data not in places:
            places[data] = len(merged)
            merged.append(buffer)
        owner.buffer = places[data]
    model.buffers = merged


def _number_alike(model: Any) -> None:
    """Gives all functions one list of tensors, in which what comes about alike has one number.

    Equal operations of several functions are then equal in the file too, which holds them once.
    What other functions use stands idle in a function's list, and takes no memory for its numbers.
    """
    kinds = _Kinds()
    numbers: dict[tuple[int, int], int] = {}
    tensors: list[Any] = []
    for index, graph in enumerate(model.subgraphs):
        changing = {int(one) for one in graph.inputs} | _produced(graph)
        met: collections.Counter[int] = collections.Counter()
        new = {-1: -1}
        for old, kind in kinds.of(graph).items():
            key = (kind, met[kind])
            if old in changing:  # of equal constants one is enough
                met[kind] += 1
            if key not in numbers:
                numbers[key] = len(tensors)
                tensors.append(graph.tensors[old])
            new[old] = numbers[key]
        for owner in [graph, *graph.operators]:
            owner.inputs = np.array([new[int(one)] for one in owner.inputs], np.int32)
            owner.outputs = np.array([new[int(one)] for one in owner.outputs], np.int32)
        for signature in model.signatureDefs:
            if signature.subgraphIndex == index:
                for one in [*signature.inputs, *signature.outputs]:
                    one.tensorIndex = new[one.tensorIndex]
    for tensor in tensors:
        tensor.name = None
    for graph in model.subgraphs:
        graph.tensors = tensors


def _used_tensors(graph: Any) -> list[int]:
    """Numbers of the tensors of a function, in the order in which it comes to them."""
    used = dict.fromkeys(int(one) for one in graph.inputs)
    for operation in graph.operators:
        used |= dict.fromkeys(int(one) for one in [*operation.inputs, *operation.outputs])
    used.pop(-1, None)  # stands for an input that is left out
    return list(used)


def _produced(graph: Any) -> set[int]:
    return {int(one) for operation in graph.operators for one in operation.outputs}


class _Kinds:
    """Numbers for the ways in which tensors come about, the same in all functions of a file."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, graph: Any) -> dict[int, int]:
        """The kind of each tensor that a function uses, by its number, in the order of use."""
        attributes = {
            one: self._kind(_frozen(graph.tensors[one], ("name",))) for one in _used_tensors(graph)
        }
        origins = {
            int(one): (
                (attributes[int(one)], self._kind(_frozen(operation, _TENSORS)), place),
                [int(before) for before in operation.inputs],
            )
            for operation in graph.operators
            for place, one in enumerate(operation.outputs)
        }
        found = {one: self._kind(("as it is", of)) for one, of in attributes.items()}
        for _ in range(_DEPTH):
            found |= {
                one: self._kind((*origin, *(found.get(before, -1) for before in inputs)))
                for one, (origin, inputs) in origins.items()
            }
        return found

    def _kind(self, key: Hashable) -> int:
        return self._known.setdefault(key, len(self._known))


def _frozen(part: Any, without: Collection[str] = ()) -> Hashable:
    """All that a part of a file says."""
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.tobytes()
    if isinstance(part, list):
        return tuple(_frozen(one) for one in part)
    if not hasattr(part, "__dict__"):
        return cast(Hashable, part)
    said = {name: _frozen(value) for name, value in vars(part).items() if name not in without}
    return type(part).__name__, *said.items()
