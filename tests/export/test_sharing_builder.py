"""What is written once is read everywhere, and nothing else is taken for it."""

import flatbuffers
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from export.sharing_builder import SharingBuilder

BUILDERS = {"ordinary": flatbuffers.Builder, "sharing": SharingBuilder}


def numbers(*values):
    return np.array(values, np.int32)


def tensor(*shape, scale=1.0):
    return schema.TensorT(
        shape=numbers(*shape),
        quantization=schema.QuantizationParametersT(scale=np.array([scale], np.float32)),
    )


def operation(*inputs, version=0):
    return schema.OperatorT(
        opcodeIndex=version,
        inputs=numbers(*inputs),
        outputs=numbers(2),
        builtinOptionsType=schema.BuiltinOptions.AddOptions,
        builtinOptions=schema.AddOptionsT(fusedActivationFunction=len(inputs)),
    )


def model():
    """Parts that are equal, nearly equal, empty and absent; texts as long as lists are."""
    tensors = [
        tensor(1, 2),
        tensor(1, 2),
        tensor(2, 1),
        tensor(1, 2, scale=2),
    ]
    operations = [operation(0, 1), operation(0, 1), operation(0), operation(0, 1, version=1)]
    graphs = [
        schema.SubGraphT(tensors=tensors, operators=operations, name=b"four"),
        schema.SubGraphT(tensors=list(tensors), operators=operations[:2], name=b"ab"),
        schema.SubGraphT(tensors=tensors[:2], operators=[], inputs=numbers(), name=b""),
        schema.SubGraphT(tensors=[tensors[1], tensors[0]], operators=operations[::-1]),
    ]
    buffers = [schema.BufferT(), *(schema.BufferT(data=np.arange(4, dtype=np.uint8)),) * 2]
    return schema.ModelT(version=3, description=b"four", subgraphs=graphs, buffers=buffers)


def written(builder):
    builder.Finish(model().Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def plain(part):
    if isinstance(part, np.ndarray | list):
        return [plain(one) for one in part]
    if hasattr(part, "__dict__"):
        return {name: plain(value) for name, value in vars(part).items()}
    return part


@pytest.mark.parametrize("size", [1, 100, 10_000])  # of the first bytes, which grow
def test_reads_as_what_an_ordinary_builder_writes(size):
    contents = {name: written(builder(size)) for name, builder in BUILDERS.items()}
    read = {
        name: plain(schema.ModelT.InitFromPackedBuf(content)) for name, content in contents.items()
    }
    assert read["sharing"] == read["ordinary"]
    assert len(contents["sharing"]) < 0.6 * len(contents["ordinary"])


def test_equal_parts_lie_in_one_place():
    read = schema.Model.GetRootAs(written(SharingBuilder(100)))
    first, second = read.Subgraphs(0), read.Subgraphs(1)
    places = [first.Tensors(i)._tab.Pos for i in range(4)]
    assert places[0] == places[1]
    assert len(set(places)) == 3
    assert [second.Tensors(i)._tab.Pos for i in range(4)] == places
    # Both lists of tensors too.
    lists = [graph._tab.Vector(graph._tab.Offset(4)) for graph in (first, second)]
    assert lists[0] == lists[1]
    operations = [first.Operators(i)._tab.Pos for i in range(4)]
    assert operations[0] == operations[1]
    assert len(set(operations)) == 3
