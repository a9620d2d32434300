"""The TFLite form of a model's exported functions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from bplf_tf import BPLF, PixelSynthesis
from bplf_tf.plain import plain_operations
from export.archive import write_functions
from export.guards import blanking
from export.pixel_signatures import pixel_signatures
from export.sharing_builder import SharingBuilder
from export.signatures import Signature, signatures


def flatbuffer(
    model: BPLF | PixelSynthesis, precision: str, rows: int | None = None
) -> tuple[bytes, list[Signature]]:
    """A TFLite file, with builtin operations alone, of all functions without strings.

    Steps are written out instead of looped over, and the functions share their weights.

    Args:
      model: with the weights to export.
      precision: of the weights, one of `export.export_settings.PRECISIONS`.
      rows: of every call, for interpreters that take no other number; None leaves it free.

    Raises:
      ValueError: for a model that cannot be exported.
    """
    if isinstance(model, PixelSynthesis):
        found = pixel_signatures(model)
    else:
        found = _signatures_of_flow(model)
    found = [one for one in found if not one.has_strings]
    with tempfile.TemporaryDirectory() as folder:
        with plain_operations():
            write_functions([(one, blanking(one)) for one in found], Path(folder), rows)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[one.name for one in found]
        )
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        # The tables of the labels have few rows and many columns: a scale for each column would
        # take more room than the column.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        return _compact(converter.convert()), found


def _signatures_of_flow(model: BPLF) -> list[Signature]:
    if model.config.svd_protocol == "bijector":
        raise ValueError(
            "TFLite has no singular value decomposition, which svd_protocol='bijector' needs in "
            "every call: export a SavedModel"
        )
    # TFLite has no bfloat16.
    return signatures(model.for_export(unroll=True, network_dtype="float32"))


def _compact(content: bytes) -> bytes:
    """The same file without what only a reader of it needs: names of tensors, empty buffers.

    With all steps written out these would be half of a small model's file.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    owners = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    for tensor in owners:
        tensor.name = None
    owners += model.metadata or []
    kept = model.buffers[:1]  # by definition the empty one
    places: dict[bytes, int] = {}
    for owner in owners:
        data = model.buffers[owner.buffer].data
        key = b"" if data is None else bytes(data)
        if key and key not in places:
            places[key] = len(kept)
            kept.append(model.buffers[owner.buffer])
        owner.buffer = places.get(key, 0)
    model.buffers = kept
    for index, graph in enumerate(model.subgraphs):
        owned = [one for one in model.signatureDefs if one.subgraphIndex == index]
        _number_from_the_end(graph, owned)
    builder = SharingBuilder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _number_from_the_end(graph: Any, owned: list[Any]) -> None:
    """Numbers the tensors of a function in the order in which they are met from its end.

    Functions that end alike, with a latent becoming an image, then have equal operations there,
    and the file holds these once.
    """
    numbers: dict[int, int] = {}

    def meet(tensors: Iterable[int]) -> None:
        for tensor in tensors:
            if tensor >= 0:  # -1 stands for an input that is left out
                numbers.setdefault(int(tensor), len(numbers))

    meet(graph.outputs)
    for operation in reversed(graph.operators):
        meet(operation.outputs)
        meet(operation.inputs)
    meet(graph.inputs)
    meet(range(len(graph.tensors)))
    new = np.array([*(numbers[old] for old in range(len(numbers))), -1], np.int32)
    graph.tensors = [graph.tensors[old] for old in np.argsort(new[:-1])]
    for owner in [graph, *graph.operators]:
        owner.inputs, owner.outputs = new[owner.inputs], new[owner.outputs]
    for tensor in (tensor for one in owned for tensor in [*one.inputs, *one.outputs]):
        tensor.tensorIndex = int(new[tensor.tensorIndex])
