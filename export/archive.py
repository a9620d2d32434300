"""The SavedModel of a model's exported functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from bplf_tf import BPLF, PixelSynthesis
from datasets.files import WriteError, system_reason
from export.guards import raising
from export.pixel_signatures import pixel_signatures
from export.signatures import Signature, Tensors, signatures


def write_saved_model(
    model: BPLF | PixelSynthesis, folder: Path, most_rows: int
) -> list[Signature]:
    """Writes the SavedModel of all functions of a model into an existing, empty folder.

    Args:
      model: with the weights to export; it is copied, not changed.
      folder: to write into.
      most_rows: rows that a call of a function may have.

    Returns:
      What was written, `sample` first (of a pixel model `transform`), which is also
      `serving_default`.

    Raises:
      ValueError: for a model that cannot be exported.
      WriteError: for a full disk and the like.
    """
    if isinstance(model, PixelSynthesis):
        found = pixel_signatures(model)
    else:
        found = signatures(model.for_export())
    write_functions([(one, raising(one, most_rows)) for one in found], folder)
    return found


def write_functions(
    functions: Sequence[tuple[Signature, Callable[..., Tensors]]],
    folder: Path,
    rows: int | None = None,
) -> None:
    """Writes a SavedModel of functions, each with the inputs of its signature.

    Args:
      functions: with what they are declared as.
      folder: to write into.
      rows: of every call; None leaves their number free.

    Raises:
      WriteError: for a full disk and the like.
    """
    # Keras' archive finds the variables that the functions use. tf.saved_model.save of anything
    # that holds the model would store them twice, and TensorFlow Serving load neither.
    archive = keras.export.ExportArchive()
    for signature, function in functions:
        archive.add_endpoint(signature.name, function, [one.spec(rows) for one in signature.inputs])
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:
        if system_reason(error) is None:
            raise
        raise WriteError(f"could not write {folder}: {system_reason(error)}") from error
