"""The switches by which one step of the flow becomes another, one by one."""

from typing import Any

import numpy as np
import pytest

from bplf_tf import BPLF, ModelConfig
from tests.bplf_tf import flow_checks
from tests.bplf_tf.flow_checks import CLASSES
from tests.bplf_tf.random_weights import randomise


def _config(**changes: Any) -> ModelConfig:
    values = {"image_shape": (4, 4, 1), "classes": CLASSES, "levels": 2, "depth": 2, "width": 4}
    return ModelConfig(**{**values, "dtype": "float64", **changes})


SWITCHES = [
    {"g0": False},
    {"actnorm": True},
    {"g0": False, "actnorm": True, "log_scale_form": "sigmoid", "affine_order": "shift_scale"},
    {"log_scale_form": "sigmoid"},
    {"log_scale_form": "exp", "affine_order": "shift_scale"},
    {"log_scale_form": "learned_tanh"},
    {"coupling": "additive"},
    {"coupling": "additive", "g0": False},
    {"split_prior": "standard", "top_prior": "standard"},
    {"split_prior": "standard", "heavy_tails": False, "classes": ()},
    {"label_at": "output", "g0": False, "network": "residual"},
]


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_density_and_inversion(changes: dict) -> None:
    flow_checks.check_density(_config(**changes))


@pytest.mark.parametrize("changes", [SWITCHES[2], SWITCHES[5], SWITCHES[6]], ids=str)
def test_gradients_in_constant_memory(changes: dict) -> None:
    flow_checks.check_constant_memory(_config(**changes))


@pytest.mark.parametrize(
    ("place", "end"),
    [("g0", "output"), *[(place, "input") for place in ("g1", "split_prior", "top_prior")],
     ("g1", "output")],
)  # fmt: skip
def test_the_label_reaches_the_places_that_were_asked_for(place: str, end: str) -> None:
    model = randomise(BPLF(_config(label_into=(place,), label_at=end)))
    tables = {
        "g0": "g0_condition",
        "g1": "g1/condition_maps" if end == "input" else "g1_condition",
        "split_prior": "split_prior_0/condition",
    }
    reached = [v.path for v in model.variables if "condition" in v.path]
    assert all(tables[place] in path for path in reached) if place in tables else not reached
    assert bool(reached) == (place in tables)
    assert model.prior.mean.shape[0] == (len(CLASSES) if place == "top_prior" else 1)
    images = flow_checks.images(model.config, 4)
    assert np.abs(model.log_prob(images, "happy") - model.log_prob(images, "sad")).min() > 0
    # One label for each image, and the shapes of the distribution, whoever sees the label.
    each = model.log_prob(images, ["happy", "sad", "happy", "sad"])
    np.testing.assert_allclose(each[1::2], model.log_prob(images[1::2], "sad"), rtol=1e-9)
    assert model.distribution(["happy", "sad"]).sample(3, seed=1).shape == (3, 2, 4, 4, 1)
    assert model.sample("sad", n=2, seed=0).shape == (2, 4, 4, 1)


def test_standard_priors_with_labels_have_batch_shapes() -> None:
    model = randomise(BPLF(_config(split_prior="standard", top_prior="standard")))
    assert model.distribution(["happy", "sad"]).sample(3, seed=1).shape == (3, 2, 4, 4, 1)


@pytest.mark.parametrize("changes", SWITCHES[:7], ids=str)
def test_data_dependent_start_standardises(changes: dict) -> None:
    config = _config(**{"image_shape": (16, 16, 1), "pixel_logit": False, **changes})
    model = BPLF(config)
    images, labels = flow_checks.images(config, 64), flow_checks.labels(config, 64)
    images[:, 0] = 0  # constant border pixels
    model.initialize(images, labels)
    latents = model.encode(images, labels, seed=1)
    assert np.isfinite(latents).all()
    # Volume-preserving layers keep the data's own scale but for the split priors' part of it.
    near = (0.7, 1.1) if config.coupling == "affine" else (0.01, 1.1)
    assert near[0] < latents.std() < near[1]


def test_g0_off_leaves_the_first_half_alone_and_on_does_not() -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 4))
    for g0 in (True, False):
        step = randomise(BPLF(_config(g0=g0))).level(0, "sad").step(0)
        affine = step.bijectors[1]
        difference = np.abs(affine.inverse(x) - x)
        assert (difference[..., :2].max() > 0.01) == g0
        assert difference[..., 2:].max() > 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coupling": "spline"}, "coupling must be one of affine, additive, got 'spline'"),
        ({"log_scale_form": "softplus"}, "log_scale_form must be one of tanh, learned_tanh, "),
        ({"affine_order": "shift"}, "affine_order must be one of scale_shift, shift_scale"),
        ({"label_into": ("g2",)}, "label_into must be one of g0, g1, split_prior, top_prior"),
        ({"label_into": ()}, "the label would reach nothing"),
        ({"label_into": ("g0",), "g0": False}, "the label would reach nothing"),
        ({"label_at": "middle"}, "label_at must be one of input, output, got 'middle'"),
        ({"split_prior": "flat"}, "split_prior must be one of learned, standard"),
        ({"top_prior": None}, "top_prior must be one of learned, standard"),
    ],
)
def test_bad_switches_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _config(**changes)
