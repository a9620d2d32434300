"""What stands around an exported function: checks of what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from export.inputs import Input, finite_rows
from export.signatures import Signature, Tensors


def raising(signature: Signature, most_rows: int) -> Callable[..., Tensors]:
    """The function with checks that end a call with an error status and a sentence.

    Args:
      signature: what to guard.
      most_rows: rows that a call may have, so that one call cannot take all memory.
    """

    def function(*given: tf.Tensor) -> Tensors:
        values = [_of_shape(value, one) for value, one in zip(given, signature.inputs, strict=True)]
        values = _after(_batch_checks(values, signature.inputs, most_rows), values)
        checks = [_check(value, one) for value, one in zip(values, signature.inputs, strict=True)]
        values = _after(checks, values)
        raw = signature.body(*values)
        used = [raw[output.name] for output in signature.outputs]
        finite = [
            tf.debugging.Assert(
                tf.reduce_all(tf.math.is_finite(value)),
                [f"{signature.name} gives no finite result for this input"],
            )
            for value in used
        ]
        finished = _after(finite, used)
        return {
            output.name: output.finish(value)
            for output, value in zip(signature.outputs, finished, strict=True)
        }

    return function


def blanking(signature: Signature) -> Callable[..., Tensors]:
    """The function for interpreters that cannot raise: rows that are not accepted come back blank.

    Blank: an image of zeros, NaN where numbers are expected. So is what is not finite.
    """

    def function(*given: tf.Tensor) -> Tensors:
        accepted = [one.valid(value) for value, one in zip(given, signature.inputs, strict=True)]
        raw = signature.body(*given)
        return {
            output.name: output.finish(_blanked(raw[output.name], output.blank, accepted))
            for output in signature.outputs
        }

    return function


def _of_shape(value: tf.Tensor, one: Input) -> tf.Tensor:
    # A server feeds whatever it is sent. Hidden from the optimisers of graphs, which would take
    # the shape that is promised for granted, and the check for done.
    hidden = tf.raw_ops.PlaceholderWithDefault(input=value, shape=None)
    return tf.ensure_shape(hidden, one.spec().shape, name=f"shape_of_{one.name}")


def _batch_checks(
    values: list[tf.Tensor], inputs: tuple[Input, ...], most_rows: int
) -> list[tf.Operation]:
    rows = [tf.shape(value)[0] for value in values]
    names = ", ".join(one.name for one in inputs)
    return [
        tf.debugging.Assert(
            tf.reduce_all(tf.equal(rows, rows[0])),
            [f"{names} must have the same number of rows, got", tf.stack(rows)],
        ),
        tf.debugging.Assert(
            (rows[0] >= 1) & (rows[0] <= most_rows),
            [f"a call must have 1 to {most_rows} rows, got", rows[0]],
        ),
    ]


def _check(value: tf.Tensor, one: Input) -> tf.Operation:
    valid = one.valid(value)
    told: list[str | tf.Tensor] = [f"{one.name} must {one.accepted}"]
    if one.shown is not None:
        told = [f"{told[0]}, got", one.shown(tf.boolean_mask(value, ~valid)[:1])]
    return tf.debugging.Assert(tf.reduce_all(valid), told, summarize=20)


def _after(checks: list[tf.Operation], values: list[tf.Tensor]) -> list[tf.Tensor]:
    with tf.control_dependencies(checks):
        return [tf.identity(value) for value in values]


def _blanked(raw: tf.Tensor, blank: float, accepted: list[tf.Tensor]) -> tf.Tensor:
    keep = finite_rows(raw)
    for rows in accepted:
        keep = keep & rows
    return tf.where(tf.reshape(keep, [-1] + [1] * (raw.shape.rank - 1)), raw, blank)
