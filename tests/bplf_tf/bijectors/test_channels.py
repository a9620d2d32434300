"""Halves of the channels: the same as a plain split, for every shape."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from bplf_tf.bijectors.channels import join_channels, split_channels


@given(
    batch=st.lists(st.integers(0, 3), max_size=2),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    channels=st.integers(2, 9),
    dynamic=st.booleans(),
)
def test_halves_equal_a_split_and_join_again(
    batch: list[int], size: tuple[int, int], channels: int, dynamic: bool
) -> None:
    shape = [*batch, *size, channels]
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    def halve_and_join(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        first, second = split_channels(x)
        return first, second, join_channels(first, second)

    if dynamic:
        signature = tf.TensorSpec([None] * (len(shape) - 1) + [channels])
        first, second, joined = tf.function(halve_and_join, input_signature=[signature])(x)
    else:
        first, second, joined = halve_and_join(tf.constant(x))
    np.testing.assert_array_equal(first, x[..., : channels // 2])
    np.testing.assert_array_equal(second, x[..., channels // 2 :])
    np.testing.assert_array_equal(joined, x)


def test_a_number_that_is_not_finite_stays_where_it_is() -> None:
    x = tf.constant([[[[1.0, np.nan, np.inf, 4.0]]]])
    first, second = split_channels(x)
    np.testing.assert_array_equal(first[0, 0], [[1.0, np.nan]])
    np.testing.assert_array_equal(second[0, 0], [[np.inf, 4.0]])


@pytest.mark.parametrize("shape", [[2, 2, 1], [2, 2, None]])
def test_too_few_or_unknown_channels_are_refused(shape: list[int | None]) -> None:
    @tf.function(input_signature=[tf.TensorSpec(shape)])
    def halve(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return split_channels(x)

    with pytest.raises(ValueError, match="known number of at least 2 channels"):
        halve.get_concrete_function()
