"""A SavedModel loaded and called as a server does: by the v1 loader, without Python's checks."""

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2


class ServedModel:
    """Calls of signatures by name.

    What is fed goes to the C++ runtime as it is: shapes and types are not compared with the
    signature's before, as TensorFlow Serving does not, but `tf.saved_model.load` does. Nor are
    inputs that are missing, which the server refuses before.
    """

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            self.meta_graph = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self._callables = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    @property
    def signatures(self):
        return self.meta_graph.signature_def

    def __call__(self, name, **inputs):
        """Outputs by name, as arrays; raises `tf.errors.OpError` with the runtime's status."""
        signature = self.signatures[name]
        fed, outputs = sorted(inputs), sorted(signature.outputs)
        key = (name, *fed)
        if key not in self._callables:
            options = config_pb2.CallableOptions(
                feed=[signature.inputs[one].name for one in fed],
                fetch=[signature.outputs[output].name for output in outputs],
            )
            self._callables[key] = self.session._make_callable_from_options(options)
        values = self._callables[key](*(np.asarray(inputs[one]) for one in fed))
        return dict(zip(outputs, values, strict=True))
