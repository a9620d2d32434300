"""Copies: what counts as the same image, and how many planted ones are found."""

import io

import numpy as np
import pytest
from PIL import Image

from datasets.emotionset.duplicates import Groups, join_near
from datasets.emotionset.hashes import (
    correlations,
    digest,
    perceptual_hash,
    similar_pairs,
    thumbnail,
)
from datasets.emotionset.record import Record
from datasets.emotionset.settings import CleaningSettings
from tests.datasets.emotionset.fake_source import face

SETTINGS = CleaningSettings()


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def shifted(image, right, down):
    height, width = image.shape
    padded = np.pad(image, 1, mode="edge")
    return padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]


CHANGES = {
    "JPEG 90": lambda image: jpeg(image, 90),
    "JPEG 75": lambda image: jpeg(image, 75),
    "left": lambda image: shifted(image, 1, 0),
    "right": lambda image: shifted(image, -1, 0),
    "up": lambda image: shifted(image, 0, 1),
    "down": lambda image: shifted(image, 0, -1),
    "corner": lambda image: shifted(image, 1, 1),
    "other corner": lambda image: shifted(image, -1, 1),
    "JPEG and right": lambda image: jpeg(shifted(image, -1, 0), 85),
}


def near_groups(images, subjects=None):
    """Groups of near duplicates, with the default settings."""
    records = [
        Record(
            key=str(place),
            source="test",
            subject=None if subjects is None else subjects[place],
            perceptual_hash=perceptual_hash(image),
        )
        for place, image in enumerate(images)
    ]
    small = np.stack([thumbnail(image) for image in images])
    groups = Groups(len(images))
    join_near(
        groups, records, lambda places: small[places],
        SETTINGS.near_distance, SETTINGS.near_correlation,
    )  # fmt: skip
    return groups.of_several()


def share_found(images, change):
    """Of copies changed in one way, the share that is grouped with its original."""
    changed = [CHANGES[change](image) for image in images]
    groups = near_groups([*images, *changed])
    together = {frozenset((i, i + len(images))) for i in range(len(images))}
    found = sum(any(pair <= set(group) for group in groups) for pair in together)
    return found / len(images)


def test_the_digest_is_of_pixels_and_shape():
    grey = face(0, "happy")
    assert digest(grey) == digest(np.repeat(grey[..., None], 3, axis=2)) == digest(grey[..., None])
    assert digest(grey) != digest(grey.reshape(24, 96))
    other = grey.copy()
    other[3, 4] ^= 1
    assert digest(grey) != digest(other)
    assert digest(grey[:, ::2]) == digest(grey[:, ::2].copy())


def test_the_hash_is_the_same_for_every_size_of_an_image():
    large = face(3, "sad", 192)
    small = np.asarray(Image.fromarray(large).resize((64, 64), Image.Resampling.LANCZOS))
    assert (perceptual_hash(large) ^ perceptual_hash(small)).bit_count() <= 2
    assert perceptual_hash(np.zeros((48, 48), np.uint8)) == 0


def test_similar_pairs_are_those_of_a_plain_loop():
    hashes = np.random.default_rng(0).integers(0, 2**64, 60, np.uint64)
    hashes[10] = hashes[50] ^ np.uint64(0b1011)
    hashes[11] = hashes[12]
    expected = [
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if int(hashes[i] ^ hashes[j]).bit_count() <= 20
    ]
    assert [tuple(pair) for pair in similar_pairs(hashes, 20)] == expected
    assert (10, 50) in expected
    assert (11, 12) in expected
    assert similar_pairs(hashes[:0], 20).shape == (0, 2)
    people = np.arange(60) % 50
    people[11:13] = -1
    strangers = [(i, j) for i, j in expected if people[i] != people[j] or people[i] < 0]
    assert [tuple(pair) for pair in similar_pairs(hashes, 20, people)] == strangers
    assert (10, 50) in strangers
    people[50] = 10
    assert (10, 50) not in [tuple(pair) for pair in similar_pairs(hashes, 20, people)]


def test_correlation_makes_up_for_a_shift_and_for_brightness():
    image = face(5, "anger")
    moved = np.clip(shifted(image, 1, -1).astype(int) // 2 + 40, 0, 255).astype(np.uint8)
    constant = np.full_like(image, 7)
    pairs = np.stack([image, image, image]), np.stack([moved, face(6, "anger"), constant])
    same, other, none = correlations(*pairs)
    assert same > 0.999
    assert other < 0.98
    assert none == 0


@pytest.mark.parametrize("change", CHANGES)
def test_planted_copies_of_drawn_faces_are_found(change):
    images = [face(seed, "neutral") for seed in range(20)]
    assert share_found(images, change) >= 0.95


def test_different_people_are_not_merged():
    assert near_groups([face(seed, "happy") for seed in range(40)]) == []


def test_frames_of_one_person_are_not_near_duplicates():
    frame = face(2, "fear")
    images = [frame, jpeg(frame, 80), jpeg(frame, 85)]
    assert near_groups(images) == [[0, 1, 2]]
    assert near_groups(images, ["a", "a", "a"]) == []
    assert near_groups(images, ["a", "a", None]) == [[0, 1, 2]]
    assert near_groups(images, ["a", "b", "a"]) == [[0, 1, 2]]


@pytest.mark.real_data
@pytest.mark.parametrize("change", CHANGES)
def test_planted_copies_of_real_faces_are_found(change, shared_data):
    images = np.load(shared_data / "fer2013.npz")["images"]
    chosen = [image for image in images[7::80] if image.std() > 10]
    assert len(chosen) > 400
    assert share_found(chosen, change) >= 0.95


@pytest.mark.real_data
def test_different_photographs_of_the_same_people_are_not_merged(shared_data):
    images = np.load(shared_data / "olivetti.npz")["images"]
    merged = sum(len(group) - 1 for group in near_groups(list(images)))
    assert merged <= 0.01 * len(images)
