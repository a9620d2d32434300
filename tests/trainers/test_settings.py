import dataclasses

import pytest

from bplf_tf.config import PRESETS, ModelConfig
from trainers.settings import FitSettings

GOOD = FitSettings(run_dir="runs/a", epochs=1)


def test_every_field_of_the_model_is_a_setting():
    from_data = {"image_shape", "classes"}
    names = {field.name for field in dataclasses.fields(FitSettings)}
    assert {field.name for field in dataclasses.fields(ModelConfig)} - from_data <= names


def test_every_setting_has_a_help_text():
    for field in dataclasses.fields(FitSettings):
        assert len(field.metadata["help"]) > 10, field.name


@pytest.mark.parametrize("preset", PRESETS)
def test_defaults_come_from_the_preset(preset):
    settings = dataclasses.replace(GOOD, preset=preset)
    settings.check()
    config = settings.model_config((48, 48, 1), ("a", "b"))
    assert config.network == PRESETS[preset]["network"]
    assert config.classes == ("a", "b")


def test_given_values_win_over_the_preset():
    settings = dataclasses.replace(
        GOOD,
        levels=2,
        depth="3",
        width="5,6",
        network_dtype="mixed_bfloat16",
        dropout=0.2,
        seed=7,
        conditional=False,
    )
    config = settings.model_config((48, 48, 1), ("a", "b"))
    assert (config.levels, config.depth, config.width) == (2, 3, (5, 6))
    assert config.network_dtype == "mixed_bfloat16"
    assert (config.seed, config.dropout) == (7, 0.2)
    assert config.classes == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run_dir": None}, "--run_dir is required"),
        ({"epochs": None}, "--epochs, --max_steps or --max_minutes"),
        ({"epochs": 0}, "--epochs must be a positive integer, got 0"),
        ({"batch_size": -3}, "--batch_size must be a positive integer, got -3"),
        ({"max_minutes": float("nan")}, "--max_minutes must be a positive number"),
        ({"learning_rate": float("inf")}, "--learning_rate must be a positive number"),
        ({"learning_rate": 0.0}, "--learning_rate must be a positive number"),
        ({"clip_norm": -1.0}, "--clip_norm must not be negative"),
        ({"seed": -1}, "--seed must not be negative"),
        ({"dropout": 1.0}, r"--dropout must lie in \[0, 1\), got 1.0"),
        ({"ema_momentum": 1.0}, r"--ema_momentum must lie in \[0, 1\)"),
        ({"channels": 2}, "--channels must be 1 or 3, got 2"),
        ({"optimizer": "lion"}, "--optimizer must be one of adam, adamax, muon, sgd, got 'lion'"),
        ({"strategy": "tpu"}, "--strategy must be one of auto, one, mirrored, multi_worker"),
        ({"cpu_devices": 0}, "--cpu_devices must be a positive integer, got 0"),
        ({"on_nonfinite": "go"}, "--on_nonfinite must be one of stop, rollback, got 'go'"),
        ({"validation_split": "train"}, "--validation_split must be one of validation, test"),
        ({"preset": "glo"}, "unknown preset 'glo'; the presets are bplf_3x3, bplf_3x3_1x1"),
        ({"size": "huge"}, "unknown size 'huge'; the sizes are tiny, small"),
        ({"network_dtype": "int8"}, "network_dtype must be one of"),
        ({"svd_protocol": "none"}, "svd_protocol must be one of"),
        ({"svd_slope": 1.5}, "svd_slope"),
        ({"svd_anneal_share": 0.0}, r"--svd_anneal_share must lie in \(0, 1\], got 0.0"),
        ({"svd_anneal_share": 0.5, "svd_anneal_steps": 9}, "--svd_anneal_steps: give one"),
        ({"depth": "0"}, "depth must be a positive integer, got 0"),
        ({"width": "64,a"}, "--width must be an integer, or one for each level.*got '64,a'"),
        ({"width": "64,64"}, r"width must be one integer or one per level \(3\), got \(64, 64\)"),
        ({"image_size": 28}, "use levels=2, with one depth"),
        ({"image_size": 16, "svd_rank": 17}, r"svd_rank must lie in 1\.\.16"),
    ],
)
def test_bad_settings_are_refused_without_data(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GOOD, **changes).check()


def test_rank_and_levels_are_left_to_the_data_where_the_size_is_not_given():
    dataclasses.replace(GOOD, svd_rank=100, levels=4).check()
