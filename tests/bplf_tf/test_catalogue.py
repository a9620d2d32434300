"""`presets()`: what it counts is what a model has and computes."""

import math

import numpy as np
import pytest
import tensorflow as tf

import bplf_tf
from bplf_tf import BPLF, PRESETS, preset_config
from bplf_tf.bijectors import Invert1x1Conv
from bplf_tf.catalogue import cost

SHAPE = (8, 8, 3)


@pytest.mark.parametrize("name", [name for name in PRESETS if not name.endswith("_svd")])
def test_counts_are_those_of_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"parts": 4} if name == "dlf" else {}
    config = preset_config(name, "tiny", SHAPE, ("a", "b"), depth=3, width=8, **changes)
    parameters, flops = cost(config)
    model = BPLF(config)
    assert parameters == model.count_params()

    counted = []

    def counting(function):
        def convolve(x, kernel):
            positions = math.prod(x.shape[-3:-1])
            counted.append(2 * positions * math.prod(kernel.shape))
            return function(x, kernel)

        return convolve

    for module in ("networks.conv", "layers.split_prior"):
        original = __import__(f"bplf_tf.{module}", fromlist=["convolve"]).convolve
        monkeypatch.setattr(f"bplf_tf.{module}.convolve", counting(original))
    multiply = Invert1x1Conv._inverse_and_log_det

    def multiplied(self, y):
        counted.append(2 * math.prod(y.shape[-3:]) * y.shape[-1])
        return multiply(self, y)

    monkeypatch.setattr(Invert1x1Conv, "_inverse_and_log_det", multiplied)
    model.distribution("a").bijector.inverse(tf.constant(np.zeros(SHAPE, np.float32)))
    assert sum(counted) == flops


def test_lists_all_presets_with_their_sources() -> None:
    listed = bplf_tf.presets("tiny", image_shape=(16, 16, 1))
    assert [preset.name for preset in listed] == list(PRESETS)
    by_name = {preset.name: preset for preset in listed}
    for preset in listed:
        assert preset.parameters > 0
        assert preset.flops_per_image > 0
        assert preset.source
        assert f"{preset.parameters:,}" in str(preset)
    assert by_name["glow"].parameters == by_name["glow_svd"].parameters
    assert by_name["bplf_3x3"].parameters > by_name["bplf_inception_a"].parameters
    with pytest.raises(ValueError, match="unknown size 'huge'"):
        bplf_tf.presets("huge")
