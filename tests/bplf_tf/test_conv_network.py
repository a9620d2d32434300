"""`ConvNetwork`: what it does with input from far outside of the data."""

import numpy as np
import tensorflow as tf

from bplf_tf.networks import ConvNetwork
from tests.bplf_tf.random_weights import randomise


def test_output_does_not_grow_with_input_from_outside_of_the_data() -> None:
    network = ConvNetwork(
        depth=1,
        in_channels=2,
        out_channels=4,
        width=8,
        kernel_sizes=(3, 3, 3),
        condition_size=0,
        map_shape=(6, 6, 0),
        seed=0,
    )
    randomise(network)
    slices = {name: value[0] for name, value in network.stacked(None, tf.float32).items()}
    signs = np.where(np.random.default_rng(0).random((3, 6, 6, 2)) < 0.5, -1.0, 1.0)
    far, further = (
        network.apply(slices, tf.constant(scale * signs, tf.float32)) for scale in (1e2, 1e6)
    )
    np.testing.assert_allclose(far, further, rtol=1e-5)
    assert np.max(np.abs(far)) > 0
