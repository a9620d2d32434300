"""ModelConfig and presets."""

import pytest

from bplf_tf import EMOTIONS, PRESETS, SIZES, ModelConfig, preset_config


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str, size: str) -> None:
    config = preset_config(name, size, image_shape=(48, 40, 3), classes=("a", "b"), depth=3)
    assert ModelConfig.from_json(config.to_json()) == config
    assert config.depth == 3
    assert (config.svd_protocol == "paper") == name.endswith("svd")


def test_depth_and_width_may_differ_by_level() -> None:
    config = ModelConfig(depth=(2, 4, 6), width=16, dropout=0.1)
    assert config.depths == (2, 4, 6)
    assert config.widths == (16, 16, 16)
    assert ModelConfig.from_json(config.to_json()) == config


def test_paper_size_is_that_of_the_sources() -> None:
    config = preset_config("bplf_3x3", "paper")
    assert (config.levels, config.depth, config.width) == (3, 32, 512)
    assert config.classes == EMOTIONS == tuple(sorted(EMOTIONS))


def test_a_size_fits_any_number_of_levels() -> None:
    small = SIZES["small"]
    depth, width = small["depth"], small["width"]
    two = preset_config("bplf_3x3", "small", levels=2)
    assert (two.depth, two.width) == (depth[:2], width[:2])
    four = preset_config("bplf_3x3", "small", levels=4)
    assert (four.depths, four.widths) == ((*depth, depth[-1]), (*width, width[-1]))
    assert preset_config("bplf_3x3", "small", levels=2, width=8).widths == (8, 8)
    with pytest.raises(ValueError, match="levels must be a positive integer, got -1"):
        preset_config("bplf_3x3", "small", levels=-1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_shape": (28, 28, 1)}, r"divisible by 2\*\*levels = 8, got 28x28.*levels=2"),
        ({"image_shape": (27, 28, 1), "levels": 1}, "pad or crop, for instance to 28x28"),
        ({"image_shape": (48, 48)}, "three positive integers"),
        ({"image_shape": (48, 48, 2)}, "1 or 3 channels, got 2"),
        ({"depth": 0}, "depth must be a positive integer, got 0"),
        ({"width": 2.5}, "width must be a positive integer, got 2.5"),
        ({"width": (8, 8)}, r"width must be one integer or one per level \(3\), got \(8, 8\)"),
        ({"depth": (8, 0, 8)}, "depth must be a positive integer, got 0"),
        ({"network": "5x5"}, "network must be one of 3x3_3x3_3x3, 3x3_1x1_3x3, .*got '5x5'"),
        ({"network_dtype": "int8"}, "network_dtype must be one of"),
        ({"classes": ("a", "a")}, "distinct"),
        ({"svd_protocol": "none"}, "svd_protocol must be one of paper, anneal, bijector"),
        ({"svd_protocol": "pca", "image_shape": (40, 48, 1)}, "divisible by .* = 16, got 40x48"),
        ({"svd_protocol": "pca", "svd_rank": 3}, "takes no svd_rank; got 3"),
        ({"svd_rank": 49}, r"svd_rank must lie in 1\.\.48"),
        ({"svd_slope": 1.0}, "strictly between 0 and 1"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
        ({"dropout": float("nan")}, r"dropout must lie in \[0, 1\), got nan"),
        ({"dropout": "0.2"}, r"dropout must lie in \[0, 1\), got '0.2'"),
        ({"log_scale_bound": 0.0}, "log_scale_bound must be positive"),
    ],
)
def test_bad_values_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**changes)


def test_unknown_names_list_those_that_exist() -> None:
    with pytest.raises(ValueError, match="unknown preset 'glowing'; the presets are bplf_3x3, "):
        preset_config("glowing")
    with pytest.raises(ValueError, match="unknown size 'huge'; the sizes are tiny, small"):
        preset_config("bplf_3x3", "huge")
    with pytest.raises(ValueError, match=r"unknown ModelConfig fields \['levles'\]"):
        preset_config("bplf_3x3", levles=2)
