"""The protocols of TensorFlow Serving, spoken by small servers over a SavedModel, for tests.

gRPC is the official stubs' own. REST bodies are those of the published description of the API
(row and column format, base64 as {"b64": ...}, errors as {"error": ...}).
"""

import base64
import contextlib
import json
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

MODEL = "bplf"


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, served, failures=0):
        self.served = served
        self.failures = failures
        self.calls = 0

    def Predict(self, request, context):
        self.calls += 1
        if self.calls <= self.failures:
            context.abort(grpc.StatusCode.UNAVAILABLE, "still loading")
        if request.model_spec.name != MODEL:
            told = f"Servable not found for request: Latest({request.model_spec.name})"
            context.abort(grpc.StatusCode.NOT_FOUND, told)
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            outputs = self.served(request.model_spec.signature_name, **inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        answer = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer


@contextlib.contextmanager
def grpc_server(servicer, host="127.0.0.1"):
    """Yields host and port."""
    server = grpc.server(  # TensorFlow Serving takes messages of any size
        futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)]
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop(None).wait()


def predict(served, body):
    """The answer to the body of a REST request, as a dictionary; raises as the model does."""
    name = body.get("signature_name", "serving_default")
    signature = served.signatures[name]
    rows = "instances" in body
    columns = body.get("inputs")
    if rows:
        columns = {one: [row[one] for row in body["instances"]] for one in body["instances"][0]}
    inputs = {
        one: _array(value, tf.as_dtype(signature.inputs[one].dtype))
        for one, value in columns.items()
    }
    outputs = {one: _plain(one, value) for one, value in served(name, **inputs).items()}
    if rows:
        count = len(body["instances"])
        single = len(outputs) == 1
        (first, *_) = outputs.values()
        return {
            "predictions": first
            if single
            else [{one: value[i] for one, value in outputs.items()} for i in range(count)]
        }
    return {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}


def _array(value, dtype):
    if dtype == tf.string:
        return np.array([_bytes(one) for one in value], dtype=object)
    return np.array(value, dtype.as_numpy_dtype)


def _bytes(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def _plain(name, value):
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    return value.tolist()


@contextlib.contextmanager
def rest_server(answer, headers=(), write=None):
    """Yields the address of a server that answers a request's path and body by a function.

    Args:
      answer: of path and body as JSON, to a status and what to send, as JSON or bytes.
      headers: that every answer has besides, as pairs.
      write: how to send, of the stream and the bytes; by default at once.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status, value = answer(self.path, json.loads(content))
            sent = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who asked has given up
                write(self.wfile, sent) if write else self.wfile.write(sent)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answers_of(served):
    """What TensorFlow Serving answers for a model: for `rest_server`."""

    def answer(path, body):
        if path != f"/v1/models/{MODEL}:predict":
            return 404, {"error": f"Servable not found for request: Latest({path})"}
        try:
            return 200, predict(served, body)
        except tf.errors.InvalidArgumentError as error:
            return 400, {"error": error.message}

    return answer
