import numpy as np
import pytest

from bplf_tf.metrics.pairs import mean_over_people, mse, psnr, ssim, ssim_outside
from bplf_tf.regions import blend_region


def pictures(count=3, side=12, channels=1):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def test_known_cases():
    true = pictures()
    other = true.copy()
    other[1] ^= 1  # one grey level
    other[2] = 255 - true[2]
    np.testing.assert_allclose(mse(other, true)[:2], [0, 1])
    np.testing.assert_allclose(psnr(other, true)[:2], [58.92, 48.13], atol=0.01)
    similar = ssim(other, true)
    assert similar[0] == pytest.approx(1, abs=1e-6)
    assert similar[0] > similar[1] > 0.9 > 0 > similar[2]


def test_ssim_is_that_of_wang_et_al():
    """A window of 11x11 in an image of 11x11: the formula at one place."""
    first, second = pictures(2, 11)[..., 0].astype(float)
    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()
    mean_1, mean_2 = (window * first).sum(), (window * second).sum()
    variance_1 = (window * first**2).sum() - mean_1**2
    variance_2 = (window * second**2).sum() - mean_2**2
    covariance = (window * first * second).sum() - mean_1 * mean_2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = ((2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)) / (
        (mean_1**2 + mean_2**2 + c1) * (variance_1 + variance_2 + c2)
    )
    images = pictures(2, 11)
    assert ssim(images[:1], images[1:])[0] == pytest.approx(expected, rel=1e-5)


def test_an_edit_of_eyes_and_mouth_leaves_the_rest():
    images = pictures(2, 48, 3)
    others = 255 - images
    inside = blend_region(blend_region(images, others, "eyes"), others, "mouth")
    outside = blend_region(others, images, "face")
    assert ssim(inside, images).max() < 0.7
    assert ssim_outside(inside, images).min() > 0.75
    assert ssim_outside(outside, images).max() < ssim_outside(inside, images).min()
    np.testing.assert_allclose(ssim_outside(images, images), 1, atol=1e-6)


def test_mistakes():
    true = pictures()
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(true[:, :8], true[:, :8])
    with pytest.raises(ValueError, match="one shape"):
        ssim(true, true[:2])


def test_people_are_the_observations():
    values = np.array([1.0, 1.0, 1.0, 4.0])
    figures = mean_over_people(values, ["a", "a", "a", "b"])
    assert figures["mean"] == 2.5
    # Student's t of one degree of freedom at 97.5 % is 12.7062.
    assert figures["interval"] == pytest.approx(
        12.7062 * np.std([1, 4], ddof=1) / np.sqrt(2), rel=1e-5
    )
    assert mean_over_people(values[:2], ["a", "a"]) == {"mean": 1, "interval": None, "people": 1}
