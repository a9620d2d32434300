"""The TFLite form of a model's exported functions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from bplf_tf import BPLF, PixelSynthesis
from bplf_tf.plain import plain_operations
from export.archive import write_functions
from export.compaction import compact
from export.guards import blanking
from export.half_precision import halve_weights
from export.pixel_signatures import pixel_signatures
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
        if precision == "dynamic_int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # The tables of the labels have few rows and many columns: a scale for each column would
        # take more room than the column.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        content = converter.convert()
    parsed = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    if precision == "float16":
        halve_weights(parsed)
    return compact(parsed), found


def _signatures_of_flow(model: BPLF) -> list[Signature]:
    if model.config.svd_protocol == "bijector":
        raise ValueError(
            "TFLite has no singular value decomposition, which svd_protocol='bijector' needs in "
            "every call: export a SavedModel"
        )
    # TFLite has no bfloat16.
    return signatures(model.for_export(unroll=True, network_dtype="float32"))
