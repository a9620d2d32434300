"""`svd_protocol="pca"`: an exact flow of the whole image, whose levels see its main part."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bplf_tf import BPLF, ModelConfig, load_model, preset_config
from bplf_tf.catalogue import cost
from tests.bplf_tf import flow_checks
from tests.bplf_tf.flow_checks import CLASSES
from tests.bplf_tf.random_weights import randomise


def _config(**changes: Any) -> ModelConfig:
    values = {"image_shape": (8, 4, 1), "classes": CLASSES, "levels": 1, "depth": 2, "width": 4}
    return ModelConfig(svd_protocol="pca", **{**values, "dtype": "float64", **changes})


@pytest.mark.parametrize(
    "changes", [{}, {"classes": (), "split_prior": "standard", "heavy_tails": False}], ids=str
)
def test_density_and_inversion(changes: dict) -> None:
    flow_checks.check_density(_config(**changes))


def test_gradients_in_constant_memory() -> None:
    flow_checks.check_constant_memory(_config())


@pytest.mark.slow
def test_components_are_saved_and_nothing_is_truncated(tmp_path: Path) -> None:
    config = _config(image_shape=(16, 16, 3), levels=2, dtype="float32")
    model = BPLF(config)
    images, labels = flow_checks.images(config, 32), flow_checks.labels(config, 32)
    before = model.pca.rows.numpy()
    model.initialize(images, labels)
    assert np.abs(model.pca.rows.numpy() - before).max() > 0.1
    randomise(model, scale=0.05)
    assert model.explain_nonfinite(images, labels) is None
    assert model.latent_sizes == [384, 192, 96, 96]
    latents = model.encode(images, labels)
    np.testing.assert_array_equal(model.decode(latents, labels), images)
    assert model.sample("sad", n=2, seed=0).shape == (2, 16, 16, 3)
    assert cost(config)[0] == model.count_params()
    path = tmp_path / "model.keras"
    model.save(path)
    np.testing.assert_array_equal(
        load_model(path).log_prob(images, labels), model.log_prob(images, labels)
    )


def test_a_flattened_flow_sees_the_main_part() -> None:
    config = preset_config(
        "nice_dense", "tiny", (4, 4, 1), CLASSES, svd_protocol="pca", width=4, dtype="float64"
    )
    assert config.level_channels == (4,)
    flow_checks.check_density(config)
