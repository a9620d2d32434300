"""What becomes of generated faces: counted, judged, drawn again."""

import dataclasses

import numpy as np
import pytest

from datasets.balancing import counts
from datasets.balancing.generating import (
    CONFIDENCE,
    COPY,
    LIKELIHOOD,
    REPETITION,
    Draw,
    Generator,
    Limits,
)
from datasets.balancing.neighbours import LEAST, grey_levels_apart, usual_distance
from tests.started_flow import few_faces, started_flow

REAL = {"anger": 5, "disgust": 2, "happy": 9}
NO_LIMITS = Limits(log_prob_quantile=0, confidence=0, distance=0, attempts=4)


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("max", (4, 7, 0)),
        ("6", (1, 4, 0)),
        ("disgust=5", (0, 3, 0)),
        ("disgust=2,anger=7", (2, 0, 0)),
    ],
)
def test_missing_images(text, lacking):
    assert counts.missing(text, REAL) == dict(zip(REAL, lacking, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("most", "--counts must be max .* a number for every label.*got 'most'"),
        ("0", "--counts must be"),
        ("-3", "--counts must be"),
        ("disgust=", "--counts must be"),
        ("disgust=5,", "--counts must be"),
        ("fear=5", "the labels are anger, disgust, happy, not 'fear'"),
        ("anger=6,anger=7", "names anger twice"),
        ("2", "no more than there is: 5 anger, 2 disgust, 9 happy"),
    ],
)
def test_counts_that_are_none(text, message):
    with pytest.raises(ValueError, match=message):
        counts.missing(text, REAL)


def test_neighbours_are_apart_in_grey_levels():
    rng = np.random.default_rng(0)
    bank = rng.integers(0, 200, (40, 6, 5, 1), np.uint8)
    images = np.stack([bank[31] + 3, bank[12][:, ::-1], rng.integers(0, 256, (6, 5, 1), np.uint8)])
    distances, places = grey_levels_apart(images.astype(np.uint8), bank)
    assert distances[:2] == pytest.approx([3, 0])
    assert places[:2].tolist() == [31, 12]
    other = np.sqrt(np.mean((images[2].astype(float) - bank[places[2]]) ** 2))
    mirrored = np.sqrt(np.mean((images[2][:, ::-1].astype(float) - bank[places[2]]) ** 2))
    assert distances[2] == pytest.approx(min(other, mirrored))


def test_the_usual_distance_is_what_nearly_all_held_out_images_keep():
    rng = np.random.default_rng(1)
    bank = rng.integers(0, 256, (60, 8, 8, 1), np.uint8)
    held_out = rng.integers(0, 256, (300, 8, 8, 1), np.uint8)
    distance = usual_distance(held_out, bank, seed=0)
    distances, _ = grey_levels_apart(held_out, bank)
    assert (distances < distance).mean() == pytest.approx(0.01, abs=0.005)
    assert distance > 20
    copies = np.concatenate([held_out, bank[:30]])  # data whose splits share images
    assert usual_distance(copies, bank, seed=0) == LEAST


@pytest.fixture(scope="module")
def train():
    return few_faces()


@pytest.fixture(scope="module")
def model(train):
    return started_flow(train)


class Brightness:
    """A classifier whose faces are happy as far as they are bright."""

    labels = ("happy", "sad")
    image_shape = (16, 16, 1)

    def probabilities(self, images):
        happy = images.mean(axis=(1, 2, 3)) / 255
        return np.stack([happy, 1 - happy], axis=1).astype(np.float32)


def made(model, train, wanted=8, label="happy", classifier=None, draw=Draw(), **limits):  # noqa: B008
    changed = dataclasses.replace(NO_LIMITS, **limits)
    generator = Generator(model, train, classifier, changed, draw)
    outcome = generator.fill(label, wanted)
    assert outcome.attempts == len(outcome.made) + sum(outcome.rejected.values())
    assert outcome.attempts <= changed.attempts * wanted
    return outcome


@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_a_face_can_be_drawn_again_by_its_numbers(model, train, strength):
    outcome = made(model, train, draw=Draw(0.7, strength))
    assert not outcome.short
    face = outcome.made[5]
    again = model.sample("happy", face.number + 1, 0.7, face.seed, strength)[face.number]
    assert np.abs(again.astype(int) - face.image).max() <= 1
    images = np.stack([one.image for one in outcome.made])
    np.testing.assert_allclose(
        [one.log_prob for one in outcome.made], model.log_prob(images, "happy"), rtol=1e-5
    )
    distances, nearest = grey_levels_apart(images, train.images)
    assert [one.distance for one in outcome.made] == distances.tolist()
    assert [one.nearest for one in outcome.made] == nearest.tolist()
    assert face.confidence is None


def test_the_same_for_a_seed_and_others_for_another_seed_or_label(model, train):
    def pictures(**changes):
        return np.stack([one.image for one in made(model, train, **changes).made])

    first = pictures()
    np.testing.assert_array_equal(pictures(), first)
    np.testing.assert_array_equal(pictures(wanted=3), first[:3])
    assert (pictures(draw=Draw(seed=1)) != first).mean() > 0.5
    # No label has the latents of another one: seeds of samples are all different.
    seeds = {
        made(model, train, wanted=1, label=label, draw=Draw(seed=seed)).made[0].seed
        for label in train.classes
        for seed in (0, 1, 2)
    }
    assert len(seeds) == 21


def test_unlikely_faces_are_rejected(model, train):
    happy = train.images[train.labels == train.classes.index("happy")]
    # There are but ten of them, so that all real faces are asked.
    real = model.log_prob(train.images, train.labels)
    free = made(model, train, wanted=40, draw=Draw(1.0))
    drawn = np.array([one.log_prob for one in free.made])
    # A limit that some of the drawn faces come up to, and some do not.
    shares = {q: (drawn >= np.quantile(real, q)).mean() for q in np.linspace(0.02, 0.98, 49)}
    quantile = min(shares, key=lambda q: abs(shares[q] - 0.5))
    assert 0.2 < shares[quantile] < 0.8
    expected = np.quantile(real, quantile)
    outcome = made(model, train, wanted=8, draw=Draw(1.0), log_prob_quantile=float(quantile))
    assert outcome.min_log_prob == pytest.approx(expected, rel=1e-6)
    assert len(happy) < 20
    accepted = [one.number for one in free.made if one.log_prob >= expected][:8]
    assert [one.number for one in outcome.made] == accepted
    assert outcome.rejected[LIKELIHOOD] == accepted[-1] + 1 - 8 > 0
    # At a temperature of 3 nothing is likely.
    nothing = made(model, train, wanted=2, draw=Draw(3.0), log_prob_quantile=0.5)
    assert nothing.short == 2
    assert nothing.rejected[LIKELIHOOD] == nothing.attempts == 8


def test_references_are_drawn_at_random(model, train, monkeypatch):
    """Of data sorted by anything the first images are of one kind."""
    monkeypatch.setattr("datasets.balancing.generating._MOST_REFERENCES", 12)
    monkeypatch.setattr("datasets.balancing.generating._FEWEST_REFERENCES", 5)
    happy = train.labels == train.classes.index("happy")
    order = np.argsort(np.where(happy, train.images.mean(axis=(1, 2, 3)), -1))
    many = dataclasses.replace(
        train,
        images=np.concatenate([train.images[order]] * 3),
        labels=np.concatenate([train.labels[order]] * 3),
    )
    asked = []

    class Asked:
        config = model.config

        def log_prob(self, images, labels):
            asked.append(images)
            return model.log_prob(images, labels)

    for seed in (0, 0, 1):
        generator = Generator(
            Asked(),
            many,
            None,
            dataclasses.replace(NO_LIMITS, log_prob_quantile=0.5),
            Draw(seed=seed),
        )
        generator._min_log_prob("happy")
    assert [len(images) for images in asked] == [12] * 3
    np.testing.assert_array_equal(asked[0], asked[1])
    assert (asked[0] != asked[2]).any()
    own = many.images[many.labels == train.classes.index("happy")]
    assert (asked[0] != own[:12]).any()


def test_faces_that_the_classifier_does_not_recognise_are_rejected(model, train):
    free = made(model, train, wanted=30, classifier=Brightness())
    least = float(np.median([one.confidence for one in free.made]))
    outcome = made(model, train, classifier=Brightness(), confidence=least)
    expected = [one.number for one in free.made if one.confidence >= least][:8]
    assert [one.number for one in outcome.made] == expected
    assert outcome.rejected[CONFIDENCE] == outcome.made[-1].number + 1 - 8


@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_of_training_images_are_rejected(model, train, mirrored):
    third = made(model, train).made[2].image
    images = np.concatenate([train.images, third[None, :, :: -1 if mirrored else 1]])
    known = dataclasses.replace(
        train, images=images, labels=np.append(train.labels, np.int32(3)).astype(np.int32)
    )
    outcome = made(model, known, distance=1.0)
    assert outcome.rejected[COPY] == 1
    assert [one.number for one in outcome.made] == [0, 1, 3, 4, 5, 6, 7, 8]


def test_repetitions_are_rejected(model, train):
    outcome = made(model, train, draw=Draw(0.0), distance=0.5)
    assert len(outcome.made) == 1
    assert outcome.rejected[REPETITION] == outcome.attempts - 1 == 31
    assert outcome.short == 7
