"""Requests that TensorFlow Serving sends to itself before it takes any from outside.

The first call of a function is some hundred times as slow as those that follow. Needs the extra
`serving`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from export.signatures import Signature

FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write_warmup(folder: Path, name: str, signatures: Sequence[Signature]) -> None:
    """Writes one request for each function into the folder of a SavedModel.

    Args:
      folder: of the SavedModel.
      name: of the model as it will be served; the server takes any.
      signatures: the functions in it.
    """
    path = folder / FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature in signatures:
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request(name, signature))
            )
            writer.write(log.SerializeToString())


def request(name: str, signature: Signature, count: int = 1) -> predict_pb2.PredictRequest:
    """A request of `count` rows that the function accepts."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = name
    message.model_spec.signature_name = signature.name
    for one in signature.inputs:
        values = tf.make_tensor_proto(one.examples(count), dtype=one.dtype)
        message.inputs[one.name].CopyFrom(values)
    return message
