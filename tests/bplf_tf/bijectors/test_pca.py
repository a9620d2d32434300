"""Principal components of rows and columns: rotations, quadrants, and what they find."""

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf.bijectors.pca import SeparableRotation, cosine_basis, principal_rotation, quadrants
from tests.bplf_tf.bijectors import checks

SHAPE = (4, 2, 3)


def rotations(seed, channels, size):
    normal = np.random.default_rng(seed).normal(size=(channels, size, size))
    return np.linalg.qr(normal)[0]


def test_bijector():
    rows, columns = rotations(0, 3, 4), rotations(1, 3, 2)

    def make(dtype):
        return SeparableRotation(tf.constant(rows, dtype), tf.constant(columns, dtype))

    checks.check_bijector(
        checks.Case(
            make=make,
            latent_shape=SHAPE,
            image_shape=SHAPE,
            dynamic_latent_shape=SHAPE,
            dynamic_image_shape=SHAPE,
        )
    )
    x = np.random.default_rng(2).normal(size=SHAPE)
    y = make(tf.float64).inverse(x).numpy()
    for c in range(3):
        np.testing.assert_allclose(y[..., c], rows[c] @ x[..., c] @ columns[c].T, atol=1e-12)


def test_quadrants():
    image = np.arange(4 * 6 * 2, dtype=np.float64).reshape(4, 6, 2)
    bijector = quadrants((4, 6, 2))
    latent = bijector.inverse(tf.constant(image)).numpy()
    assert latent.shape == (2, 3, 8)
    corners = [image[:2, :3], image[:2, 3:], image[2:, :3], image[2:, 3:]]
    np.testing.assert_array_equal(latent, np.concatenate(corners, axis=-1))
    np.testing.assert_array_equal(bijector.forward(tf.constant(latent)), image)
    assert bijector.inverse_event_shape([4, 6, 2]) == [2, 3, 8]


@pytest.mark.parametrize("size", [2, 5, 8])
def test_cosine_basis_is_orthonormal_and_sorted(size):
    basis = cosine_basis(size)
    np.testing.assert_allclose(basis @ basis.T, np.eye(size), atol=1e-12)
    changes = [np.sum(np.diff(np.sign(row)) != 0) for row in basis]
    assert changes == list(range(size))


def smooth_images(count):
    """Like photographs: the spectrum falls with the frequency."""
    rng = np.random.default_rng(0)
    falling = 1 / (1 + np.add.outer(np.arange(8), np.arange(8))) ** 2
    spectra = rng.normal(size=(count, 8, 8)) * falling
    basis = cosine_basis(8)
    return np.einsum("yi,nyx,xj->nij", basis, spectra, basis)[..., np.newaxis]


def test_the_first_half_spans_the_main_axes_and_looks_like_the_image():
    images = smooth_images(400)
    images -= images.mean(axis=0)
    rows, columns = principal_rotation(images, 1), principal_rotation(images, 2)
    for rotation in (rows, columns):
        np.testing.assert_allclose(rotation[0] @ rotation[0].T, np.eye(8), atol=1e-10)
    turned = SeparableRotation(rows, columns).inverse(tf.constant(images))
    parts = quadrants((8, 8, 1)).inverse(turned).numpy()
    energy = np.sum(parts**2, axis=(0, 1, 2))
    assert energy[0] > 0.95 * energy.sum()
    # No four rows span more of the variance than the main axes do.
    _, eigenvectors = np.linalg.eigh(np.einsum("nijc,nkjc->ik", images, images))
    spanned = rows[0, :4].T @ rows[0, :4]
    np.testing.assert_allclose(spanned, eigenvectors[:, 4:] @ eigenvectors[:, 4:].T, atol=1e-8)
    means = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4))
    assert np.corrcoef(parts[..., 0].ravel(), means.ravel())[0, 1] > 0.95
