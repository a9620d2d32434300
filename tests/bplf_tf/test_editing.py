"""Editing with a flow, at weights away from their start; and the posterior of labels."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from bplf_tf import BPLF, ModelConfig, editing
from bplf_tf.likelihood import label_posterior
from tests.bplf_tf.random_weights import randomise

CLASSES = ("anger", "happy", "neutral")


def make(classes=CLASSES):
    config = ModelConfig(image_shape=(8, 8, 1), classes=classes, levels=2, depth=2, width=4)
    return randomise(BPLF(config))


@pytest.fixture(scope="module")
def model():
    return make()


def images_of(count, seed=0):
    return np.random.default_rng(seed).integers(60, 190, (count, 8, 8, 1), np.uint8)


# The posterior


def test_classify_is_bayes_theorem(model):
    images, prior = images_of(4), [0.2, 0.5, 0.3]
    log_prob = np.stack([model.log_prob(images, label) for label in CLASSES], axis=1)
    expected = softmax(log_prob.astype(np.float64) + np.log(prior), axis=1)
    posterior = model.classify(images, prior)
    assert posterior.dtype == np.float64
    np.testing.assert_allclose(posterior, expected, rtol=1e-6)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    np.testing.assert_allclose(
        model.classify(images), softmax(log_prob.astype(np.float64), axis=1), rtol=1e-6
    )


def test_densities_of_draws_are_averaged_not_their_logarithms(model):
    images = images_of(3)
    draws = np.stack([model._log_prob_of_draws(images, label, 7, 5) for label in CLASSES])
    expected = softmax(logsumexp(draws.astype(np.float64), axis=1), axis=0).T
    np.testing.assert_allclose(model.classify(images, seed=7, draws=5), expected, rtol=1e-6)


def test_a_prior_of_zero_and_very_small_densities():
    log_prob = np.array([[[-10_000.0]], [[-9_990.0]], [[-20_000.0]]])
    np.testing.assert_allclose(
        label_posterior(log_prob, [1, 0, 0]), [[1, 0, 0]], rtol=0, atol=1e-15
    )
    expected = 1 / (1 + np.exp(-10))
    np.testing.assert_allclose(label_posterior(log_prob)[0, 1], expected, rtol=1e-12)
    for prior in ([0.5, 0.5], [0.5, 0.6, -0.1], [0.5, 0.6, 0.7], [np.nan, 0.5, 0.5]):
        with pytest.raises(ValueError, match="prior must be 3 probabilities that sum to 1"):
            label_posterior(log_prob, prior)


def test_samples_of_a_model_are_told_apart_better_than_by_chance():
    trained = make()
    trained.prior.mean.assign(np.random.default_rng(0).normal(0, 3, trained.prior.mean.shape))
    labels = np.repeat([0, 1, 2], 30)
    samples = trained.sample(labels, n=90, temperature=0.5, seed=0)
    assert np.mean(editing.likeliest_labels(trained, samples) == labels) > 0.8


# Editing


def test_an_edit_can_be_kept_within_a_region(model):
    images = images_of(3)
    edited = editing.transfer(model, images, "happy", source="neutral", strength=2.0)
    within = editing.blend_region(images, edited, "mouth")
    np.testing.assert_array_equal(within[:, :3], images[:, :3])
    assert (within != images).any()


def test_transfer_is_the_models_and_finds_the_source_itself(model):
    images = images_of(5)
    expected = model.transfer(images, "anger", "happy", 0.7)
    given = editing.transfer(model, images, "happy", source="anger", strength=0.7)
    np.testing.assert_array_equal(given, expected)
    found = model.classify(images).argmax(axis=1)
    np.testing.assert_array_equal(
        editing.transfer(model, images, "happy"), model.transfer(images, found, "happy")
    )
    assert (expected != images).any()


def test_mixtures(model):
    np.testing.assert_allclose(
        editing.mixture(CLASSES, {"happy": 3, "neutral": 1}), [0, 0.75, 0.25]
    )
    images = images_of(3)
    np.testing.assert_array_equal(
        editing.transfer(model, images, {"happy": 1, "anger": 1}, source="neutral"),
        model.transfer(images, "neutral", [0.5, 0.5, 0.0]),
    )
    for shares, message in [
        ({"bored": 1}, "unknown label 'bored'; the labels are anger, happy, neutral"),
        ({"happy": -1}, "share of happy must be"),
        ({"happy": 0}, "needs a share above 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            editing.mixture(CLASSES, shares)


def test_a_sweep_begins_with_the_images(model):
    images = images_of(4)
    strip = editing.sweep(model, images, "happy", [0, 0.5, 1], source="neutral")
    assert strip.shape == (4, 3, 8, 8, 1)
    np.testing.assert_array_equal(strip[:, 0], images)
    np.testing.assert_array_equal(strip[:, 2], model.transfer(images, "neutral", "happy"))


def test_a_reference_moves_a_face_as_it_moved_itself(model):
    images = images_of(3)
    calm, moved = images_of(1, seed=1), images_of(1, seed=2)
    # Its own change is the whole change.
    np.testing.assert_array_equal(
        editing.transfer_from(model, calm, calm, moved, label="neutral"), moved
    )
    np.testing.assert_array_equal(
        editing.transfer_from(model, images, calm, moved, strength=0.0, label="neutral"), images
    )
    # Each image's own label, given or found out.
    found = editing.likeliest_labels(model, images)
    by_one = [
        editing.transfer_from(model, images[i : i + 1], calm, moved, label=found[i : i + 1])
        for i in range(3)
    ]
    np.testing.assert_array_equal(
        editing.transfer_from(model, images, calm, moved), np.concatenate(by_one)
    )


def test_changes_of_several_references_are_averaged_and_the_length_goes_along(model):
    images, calm, moved = images_of(2), images_of(4, seed=1), images_of(4, seed=2)
    z = model.encode(images, "neutral").astype(np.float64)
    before, after = (model.encode(one, "neutral").astype(np.float64) for one in (calm, moved))
    length = lambda latents: np.linalg.norm(latents, axis=1, keepdims=True)  # noqa: E731
    changed = z + 0.5 * (after - before).mean(axis=0)
    longer = (length(after) / length(before)).mean() ** 0.5
    changed *= length(z) * longer / length(changed)
    expected = model.decode(changed, "neutral").astype(int)
    given = editing.transfer_from(model, images, calm, moved, 0.5, "neutral")
    assert np.abs(given - expected).max() <= 1  # of rounding
    assert (given != images).any()


def test_a_reference_needs_no_labels():
    model = make(classes=())
    calm, moved = images_of(1, seed=1), images_of(1, seed=2)
    np.testing.assert_array_equal(editing.transfer_from(model, calm, calm, moved), moved)
    between = editing.interpolate(model, calm, moved, steps=3)
    np.testing.assert_array_equal(between[:, [0, 2]], np.stack([calm, moved], axis=1))
    for function in (
        lambda: editing.transfer(model, calm, "happy"),
        lambda: model.classify(calm),
    ):
        with pytest.raises(ValueError, match="an unconditional model has no labels"):
            function()


def test_interpolation_ends_at_the_faces(model):
    first, last = images_of(3), images_of(3, seed=1)
    between = editing.interpolate(model, first, last, 5, "anger", ["happy", "anger", "neutral"])
    assert between.shape == (3, 5, 8, 8, 1)
    np.testing.assert_array_equal(between[:, 0], first)
    np.testing.assert_array_equal(between[:, -1], last)
    guessed = editing.interpolate(model, first, last, 2)
    np.testing.assert_array_equal(guessed, np.stack([first, last], axis=1))


def test_interpolation_between_labels(model):
    images = images_of(2)
    strip = editing.interpolate_labels(model, images, "neutral", "happy", 3, source="neutral")
    np.testing.assert_array_equal(
        strip, editing.sweep(model, images, "happy", [0, 0.5, 1], source="neutral")
    )


def test_an_arc_keeps_the_length_and_its_ends():
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 3, 500))
    end *= np.linalg.norm(start, axis=-1, keepdims=True) / np.linalg.norm(
        end, axis=-1, keepdims=True
    )
    np.testing.assert_allclose(editing.arc(start, end, 0.0), start)
    np.testing.assert_allclose(editing.arc(start, end, 1.0), end)
    middle = editing.arc(start, end, 0.3)
    np.testing.assert_allclose(np.linalg.norm(middle, axis=-1), np.linalg.norm(start, axis=-1))
    np.testing.assert_allclose(editing.arc(start, start, 0.5), start)


def test_bad_calls_are_refused(model):
    images = images_of(2)
    for function, message in [
        (lambda: editing.transfer(model, images, "happy", strength=5), r"strength must lie in -1"),
        (lambda: editing.transfer(model, images, "happy", strength=np.nan), "got nan"),
        (lambda: editing.transfer(model, images, "bored"), "unknown label 'bored'"),
        (lambda: editing.transfer(model, images / 255, "happy"), "must be uint8"),
        (lambda: editing.sweep(model, images, "happy", []), "at least one strength"),
        (lambda: editing.transfer(model, images, ["happy"] * 3), "got 3 labels for 2 images"),
        (
            lambda: editing.transfer(model, images, "happy", ["anger"]),
            "got 1 labels for 2 images",
        ),
        (
            lambda: editing.transfer(model, images[:, :4], "happy"),
            r"shape \[B, 8, 8, 1\], got \[2, 4, 8, 1\]",
        ),
        (
            lambda: editing.transfer(model, [images[0], images[1, :4]], "happy"),
            r"images must all have one shape, got \[4, 8, 1\], \[8, 8, 1\]",
        ),
        (
            lambda: editing.transfer_from(model, images, images[:, :4], images[:, :4]),
            r"shape \[B, 8, 8, 1\], got \[2, 4, 8, 1\]",
        ),
        (
            lambda: editing.interpolate(model, images, images[:, :4], 3, "happy", "anger"),
            r"shape \[B, 8, 8, 1\], got \[2, 4, 8, 1\]",
        ),
        (lambda: editing.interpolate(model, images, images[:1]), "2 first images and 1 last"),
        (lambda: editing.interpolate(model, images, images, 1), "steps must be .* got 1"),
        (
            lambda: editing.transfer_from(model, images, images, images[:1]),
            "got 2 neutral references and 1 expressive ones",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            function()


def test_of_one_label_there_is_nothing_to_turn_it_into():
    model, images = make(("happy",)), images_of(2)
    for function in (
        lambda: editing.transfer(model, images, "happy"),
        lambda: editing.sweep(model, images, "happy", [0.5]),
        lambda: editing.interpolate_labels(model, images, "happy", "happy"),
    ):
        with pytest.raises(ValueError, match=r"knows the label 'happy' alone; .* two or more"):
            function()
    editing.transfer_from(model, images, images, images[::-1])
    editing.interpolate(model, images, images[::-1], 3)
