import numpy as np
import pytest
from scipy import stats

from bplf_tf.metrics.pairs import METRICS, mean_over_people, mse, psnr, ssim, ssim_outside
from bplf_tf.regions import blend_region, region_mask


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
    mask = np.max([region_mask(part, 48, 48)[..., 0] for part in ("eyes", "mouth")], axis=0)
    inside = blend_region(images, others, mask == 1)
    outside = blend_region(others, images, "face")
    assert ssim(inside, images).max() < 0.8
    np.testing.assert_allclose(ssim_outside(inside, images), 1, atol=1e-6)
    assert ssim_outside(outside, images).max() < 0.9
    np.testing.assert_allclose(ssim_outside(images, images), 1, atol=1e-6)


def test_mistakes():
    true = pictures()
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(true[:, :8], true[:, :8])
    for metric in METRICS.values():
        for others in (true[:2], true[:1], true[:, :11], true[0]):
            with pytest.raises(ValueError, match="one shape"):
                metric(true, others)


def test_people_are_the_observations():
    values = np.array([1.0, 1.0, 1.0, 4.0])
    figures = mean_over_people(values, ["a", "a", "a", "b"])
    assert figures["mean"] == 2.5
    # Student's t of one degree of freedom at 97.5 % is 12.7062.
    assert figures["half_width"] == pytest.approx(
        12.7062 * np.std([1, 4], ddof=1) / np.sqrt(2), rel=1e-5
    )
    alone = mean_over_people(values[:2], ["a", "a"])
    assert alone == {"mean": 1, "half_width": None, "people": 1}


def test_shares_of_people_stay_shares():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 6)
    high = (rng.random(72) < 0.95).astype(float)
    figures = mean_over_people(high, people, share=True)
    low, upper = figures["interval"]
    assert 0 < low < figures["mean"] < upper <= 1
    # Whoever agrees counts once for each person.
    alike = mean_over_people(np.ones(72), people, share=True)
    expected = stats.binomtest(12, 12).proportion_ci(0.95, "wilson")
    assert alike["interval"] == pytest.approx([expected.low, expected.high])
    # People who are all right or all wrong are as few as they are.
    split = mean_over_people(np.repeat([0.0, 1.0], 36), people, share=True)
    width = np.diff(stats.binomtest(6, 12).proportion_ci(0.95, "wilson"))[0]
    assert width < np.diff(split["interval"])[0] < 1.3 * width
