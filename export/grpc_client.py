"""Calls of a served model by TensorFlow Serving's gRPC API. Needs the extra `serving`."""

from __future__ import annotations

import json
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from export.serving_error import ServingError, one_line

_SERVICE = "tensorflow.serving.PredictionService"
# gRPC takes 4 MB of an answer where nothing is said; the latents of 256 images of 48x48x3 have 7.
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class GrpcClient:
    """One model behind one address; see `RestClient`."""

    def __init__(
        self,
        target: str,
        model: str = "bplf",
        timeout: float = 10.0,
        retries: int = 3,
        secure: bool = False,
    ) -> None:
        """Prepares; nothing is sent.

        Args:
          target: host and port, such as localhost:8500.
          model: its name there.
          timeout: seconds in which an answer has to come, retries included.
          retries: times that a request is sent again, at most 4, where the server is unavailable.
          secure: whether to use TLS, with the system's certificates.
        """
        self._target, self._model, self._timeout = target, model, timeout
        options = [("grpc.service_config", _service_config(retries)), *_ANY_SIZE]
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
            if secure
            else grpc.insecure_channel(target, options)
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, function: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Calls a function of the model.

        Args:
          function: its name (signature).
          inputs: an array for each input, of the dtype that the function takes.

        Returns:
          Outputs by name; files and names as bytes.

        Raises:
          ServingError: no answer, or an error in the server's words.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = function
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        try:
            answer = self._stub.Predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise ServingError(self._told(error)) from error
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def _told(self, error: Any) -> str:
        details = one_line(error.details() or "")
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"no answer from {self._target} within {self._timeout:g} s"
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            return f"cannot reach {self._target}: {details}"
        return f"the server refused: {details} ({error.code().name})"

    def close(self) -> None:
        """Closes the connections."""
        self._channel.close()


def _service_config(retries: int) -> str:
    method: dict[str, Any] = {"name": [{"service": _SERVICE}]}
    if retries:
        method["retryPolicy"] = {
            "maxAttempts": min(retries, 4) + 1,  # gRPC takes no more than five
            "initialBackoff": "0.2s",
            "maxBackoff": "5s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
    return json.dumps({"methodConfig": [method]})
