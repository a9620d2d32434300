"""Weights of a TFLite file in float16."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

# As TFLite's own 8-bit weights. Below lie the flow's own 1x1 convolutions of up to 31 channels,
# which so stay inverses of each other in both directions.
_LEAST_NUMBERS = 1024
_WITH_WEIGHTS = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
)
_WEIGHTS = 1  # which input of these they are
# Of DEQUANTIZE, which makes float32 of them: once, when the interpreter prepares a function.
_VERSION = 3


def halve_weights(model: Any) -> None:
    """Writes the weights of convolutions and label tables in float16.

    TFLite's converter would do so with every constant, scales and shifts included: the file is no
    smaller for it, and twice as many pixels of a sample differ, some by several grey levels.

    Args:
      model: a TFLite file as `tensorflow.lite.tools.flatbuffer_utils` reads it; changed.
    """
    halves: dict[int, int] = {}  # buffers in float16, by those that they stand for
    for graph in model.subgraphs:
        widened: dict[int, int] = {}
        operations = []
        for operation in graph.operators:
            if model.operatorCodes[operation.opcodeIndex].builtinCode in _WITH_WEIGHTS:
                weights = int(operation.inputs[_WEIGHTS])
                if weights not in widened and _can_be_halved(model, graph.tensors[weights]):
                    operations.append(_widening(model, graph, weights, halves))
                    widened[weights] = len(graph.tensors) - 1
                if weights in widened:
                    operation.inputs = np.array(operation.inputs)
                    operation.inputs[_WEIGHTS] = widened[weights]
            operations.append(operation)
        graph.operators = operations


def _can_be_halved(model: Any, tensor: Any) -> bool:
    if tensor.type != schema.TensorType.FLOAT32 or model.buffers[tensor.buffer].data is None:
        return False
    numbers = _numbers(model, tensor)
    return numbers.size >= _LEAST_NUMBERS and bool(np.isfinite(_half(numbers)).all())


def _numbers(model: Any, tensor: Any) -> np.ndarray:
    return np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)


def _half(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float16)


def _widening(model: Any, graph: Any, weights: int, halves: dict[int, int]) -> Any:
    """The operation that makes float32 of weights in float16; its result is the last tensor."""
    tensor = graph.tensors[weights]
    if tensor.buffer not in halves:
        data = _half(_numbers(model, tensor)).view(np.uint8)
        halves[tensor.buffer] = len(model.buffers)
        model.buffers.append(schema.BufferT(data=data))
    narrow, wide = copy.copy(tensor), copy.copy(tensor)
    narrow.type, narrow.buffer = schema.TensorType.FLOAT16, halves[tensor.buffer]
    wide.buffer = 0
    graph.tensors += [narrow, wide]
    return schema.OperatorT(
        opcodeIndex=_dequantize(model),
        inputs=np.array([len(graph.tensors) - 2], np.int32),
        outputs=np.array([len(graph.tensors) - 1], np.int32),
    )


def _dequantize(model: Any) -> int:
    """Number of the operation among those that the file uses."""
    code = schema.BuiltinOperator.DEQUANTIZE
    for index, one in enumerate(model.operatorCodes):
        if one.builtinCode == code and one.version >= _VERSION:
            return index
    model.operatorCodes.append(
        schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=_VERSION)
    )
    return len(model.operatorCodes) - 1
