"""Masks of the parts of a face, and what they leave as it was."""

import numpy as np
import pytest

from bplf_tf.regions import REGIONS, blend_region, region_mask
from datasets.drawn_faces import pair

BLACK, WHITE = np.zeros([2, 48, 48, 1], np.uint8), np.full([2, 48, 48, 1], 255, np.uint8)


@pytest.mark.parametrize("region", REGIONS)
def test_regions_are_soft_and_mirror_symmetric(region):
    mask = region_mask(region, 48, 40)
    assert mask.shape == (48, 40, 1)
    assert mask.max() == 1
    assert 0.02 < mask.mean() < 0.9
    np.testing.assert_allclose(mask, mask[:, ::-1], atol=1e-6)
    assert np.abs(np.diff(mask, axis=0)).max() < 0.5


def test_mouth_and_eyes_lie_where_drawn_faces_move():
    change = np.zeros([48, 48])
    for seed in range(6):
        for emotion in ("anger", "happy", "surprise"):
            neutral, expressive = (face.astype(float) for face in pair(seed, emotion))
            change += np.abs(expressive - neutral)[..., 0]
    for region, half in (("mouth", np.s_[24:]), ("eyes", np.s_[:24])):
        mask = region_mask(region, 48, 48)[half, :, 0]
        within, outside = (np.average(change[half], weights=w) for w in (mask, 1 - mask))
        assert within > 2.5 * outside
    both = [region_mask(region, 48, 48) for region in ("mouth", "eyes")]
    assert (both[0] * both[1]).max() < 0.3


def test_outside_nothing_changes():
    for region in REGIONS:
        mask = np.broadcast_to(region_mask(region, 48, 48), BLACK.shape)
        blended = blend_region(BLACK, WHITE, region)
        assert (blended[mask == 0] == 0).all()
        assert (blended[mask == 1] == 255).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_any_mask(dtype):
    mask = np.zeros([48, 48], dtype)
    mask[:10] = 255 if dtype == np.uint8 else 1
    blended = blend_region(BLACK, WHITE, mask)
    assert (blended[:, :10] == 255).all()
    assert (blended[:, 10:] == 0).all()
    each = np.stack([mask, np.zeros_like(mask)])
    assert (blend_region(BLACK, WHITE, each)[1] == 0).all()


def test_what_is_no_region():
    for region, message in [
        ("nose", r"eyes, mouth, face or a mask \[48, 48\], got 'nose'"),
        (np.zeros([3, 48]), r"must have shape \[48, 48\].*got \[3, 48\]"),
        (np.full([48, 48], 2.0), r"must lie in \[0, 1\]"),
        (np.full([48, 48], np.nan), r"must lie in \[0, 1\]"),
        (np.zeros([48, 48], int), "must be bool, uint8 or floats"),
        (np.zeros([3, 48, 48]), "3 masks for 2 images"),
    ]:
        with pytest.raises(ValueError, match=message):
            blend_region(BLACK, WHITE, region)
    with pytest.raises(ValueError, match=r"^images must all have one shape, got \[40, 48, 1\], "):
        blend_region([BLACK[0], BLACK[0, :40]], WHITE, "mouth")
    with pytest.raises(ValueError, match="must have one shape"):
        blend_region(BLACK, WHITE[:1], "mouth")
    with pytest.raises(ValueError, match="edited images must be uint8"):
        blend_region(BLACK, WHITE.astype(float), "mouth")
