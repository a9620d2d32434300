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

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._places: dict[tuple[Any, ...], int] = {}
        self._fields: list[tuple[Any, ...]] = []
        self._before = 0

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Place of a vector of these numbers."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._places:
            self._places[key] = super().CreateNumpyVector(x)
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
        # What was written of it is forgotten; counted from the end, where writing began.
        self.head = len(self.Bytes) - self._before
        self.current_vtable, self.nested = None, False
        return self._places[key]
