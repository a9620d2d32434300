"""Two of TensorFlow Serving's messages, which tensorflow-serving-api leaves out.

Written down from its sources, tensorflow_serving/servables/tensorflow/session_bundle_config.proto
and tensorflow_serving/config/monitoring_config.proto: the fields that are there in every version.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_PACKAGE = "tensorflow.serving"
_Field = descriptor_pb2.FieldDescriptorProto
_Int64Value, _StringValue = "google.protobuf.Int64Value", "google.protobuf.StringValue"

_FIELDS = {
    "BatchingParameters": (
        ("max_batch_size", 1, _Int64Value),
        ("batch_timeout_micros", 2, _Int64Value),
        ("max_enqueued_batches", 3, _Int64Value),
        ("num_batch_threads", 4, _Int64Value),
        ("thread_pool_name", 5, _StringValue),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
    ),
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
    "MonitoringConfig": (("prometheus_config", 1, f"{_PACKAGE}.PrometheusConfig"),),
}
_PLAIN = {"bool": _Field.TYPE_BOOL, "string": _Field.TYPE_STRING, "int64": _Field.TYPE_INT64}


def _field(name, number, kind):
    plain = kind.removeprefix("repeated ")
    repeated = _Field.LABEL_REPEATED if plain != kind else _Field.LABEL_OPTIONAL
    field = _Field(name=name, number=number, label=repeated)
    if plain in _PLAIN:
        field.type = _PLAIN[plain]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{plain}"
    return field


def _classes():
    file = descriptor_pb2.FileDescriptorProto(
        name="left_out.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in _FIELDS.items():
        file.message_type.add(name=name, field=[_field(*one) for one in fields])
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


_CLASSES = _classes()
BatchingParameters = _CLASSES["BatchingParameters"]
MonitoringConfig = _CLASSES["MonitoringConfig"]
