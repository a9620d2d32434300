"""NICE's diagonal scale is TFP's."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import DiagonalScale


def test_it_is_that_of_tfp():
    rng = np.random.default_rng(0)
    log_scale, x = rng.normal(size=(2, 3, 4)), tf.constant(rng.normal(size=(5, 2, 3, 4)))
    own, other = DiagonalScale(log_scale), tfp.bijectors.Scale(log_scale=-log_scale)
    for name in ("forward", "inverse"):
        np.testing.assert_allclose(getattr(own, name)(x), getattr(other, name)(x), rtol=1e-12)
        log_det = f"{name}_log_det_jacobian"
        np.testing.assert_allclose(
            getattr(own, log_det)(x, 3), getattr(other, log_det)(x, 3), rtol=1e-12
        )
