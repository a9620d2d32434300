"""FlatBuffers in which equal parts are written once."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np


class SharingBuilder(flatbuffers.Builder):
    """A builder that refers to an equal vector or table instead of writing it again.

    FlatBuffers are read by following offsets, so that several places may refer to one part. With
    all steps of a flow written out in every function, most tensors, options and scales are equal
    to others, and take more room than the weights of a small model.
    """

    current_vtable: Any
    nested: bool
    vectorNumElems: Any

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._places: dict[tuple[Any, ...], int] = {}
        self._fields: list[tuple[Any, ...]] = []  # of the table that is being written
        self._references: list[int] | None = None  # of the vector that is being written
        self._before = 0

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Place of a vector of these numbers."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._places:
            self._places[key] = super().CreateNumpyVector(x)
        return self._places[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        """Begins a vector."""
        self._references, self._before = [], self.Offset()
        return int(super().StartVector(elemSize, numElems, alignment))

    def PrependUOffsetTRelative(self, off: int) -> None:
        """Adds a reference to the vector or the table."""
        if self._references is not None:
            self._references.append(off)
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: int | None = None) -> int:
        """Place of the vector, or, if it is one of references, of the one that is equal to it."""
        references, self._references = self._references, None
        if references is None or len(references) != self.vectorNumElems:
            return int(super().EndVector(numElems))
        key = ("references", *references)
        if key not in self._places:
            self._places[key] = int(super().EndVector(numElems))
            return self._places[key]
        self._forget()
        self.vectorNumElems = None
        return self._places[key]

    def StartObject(self, numfields: int) -> None:
        """Begins a table."""
        super().StartObject(numfields)
        self._fields, self._before = [], self.Offset()

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:
        """Adds a number to the table."""
        self._fields.append((o, flags.bytewidth, repr(x), repr(d)))
        super().PrependSlot(flags, o, x, d)

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:
        """Adds a reference to the table."""
        self._fields.append((o, "reference", x, d))
        super().PrependUOffsetTRelativeSlot(o, x, d)

    def EndObject(self) -> int:
        """Place of the table, or of the one that is equal to it."""
        key = (len(self.current_vtable), *self._fields)
        if key not in self._places:
            self._places[key] = super().EndObject()
            return self._places[key]
        self._forget()
        self.current_vtable = None
        return self._places[key]

    def _forget(self) -> None:
        """Takes back what was written of the part: places are counted from the end."""
        self.head = len(self.Bytes) - self._before
        self.nested = False
