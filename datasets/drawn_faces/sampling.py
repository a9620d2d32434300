"""People and expressions drawn at random: parameters from a seed."""

from __future__ import annotations

import numpy as np

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces.parameters import FACE_RANGES, UNIT_NAMES, ActionUnits, FaceParameters

# Independent random streams of one seed: the same person shows any emotion.
_PERSON_STREAM, _EXPRESSION_STREAM, TEXTURE_STREAM = 0, 1, 2
_STREAM_ROOT = 0x0FACE

# Activation ranges per emotion, as variants of equal weight: people are angry with tight lips or
# with bared teeth, and smile with or without teeth.  Units not listed stay near 0.
_PROTOTYPES: dict[str, tuple[dict[str, tuple[float, float]], ...]] = {
    "anger": (
        {
            "brow_lower": (0.85, 1.0), "upper_lid_raise": (0.3, 0.6), "lid_tighten": (0.4, 0.8),
            "lip_press": (0.7, 1.0), "chin_raise": (0.3, 0.8), "lip_corner_depress": (0.1, 0.35),
            "nose_wrinkle": (0.0, 0.2),
        },
        {
            "brow_lower": (0.85, 1.0), "upper_lid_raise": (0.3, 0.6), "lid_tighten": (0.4, 0.8),
            "teeth_bare": (0.7, 1.0), "upper_lip_raise": (0.1, 0.35),
            "nose_wrinkle": (0.1, 0.35),
        },
    ),
    "disgust": (
        {
            "nose_wrinkle": (0.8, 1.0), "upper_lip_raise": (0.7, 1.0), "brow_lower": (0.3, 0.55),
            "lid_tighten": (0.4, 0.8), "cheek_raise": (0.2, 0.5),
            "lip_corner_depress": (0.25, 0.6), "chin_raise": (0.2, 0.6), "lips_part": (0.0, 0.25),
        },
        {
            "nose_wrinkle": (0.8, 1.0), "upper_lip_raise": (0.8, 1.0), "brow_lower": (0.3, 0.55),
            "lid_tighten": (0.4, 0.8), "cheek_raise": (0.2, 0.5),
            "lip_corner_depress": (0.3, 0.6), "lips_part": (0.4, 0.7), "jaw_drop": (0.05, 0.2),
        },
    ),
    "fear": (
        {
            "inner_brow_raise": (0.8, 1.0), "outer_brow_raise": (0.3, 0.55),
            "brow_lower": (0.45, 0.7), "upper_lid_raise": (0.8, 1.0), "lid_tighten": (0.0, 0.2),
            "lip_stretch": (0.7, 1.0), "lips_part": (0.5, 0.9), "jaw_drop": (0.15, 0.4),
        },
    ),
    "happy": (
        {
            "cheek_raise": (0.5, 1.0), "lip_corner_pull": (0.75, 1.0), "lips_part": (0.6, 1.0),
            "jaw_drop": (0.0, 0.25),
        },
        {
            "cheek_raise": (0.6, 1.0), "lip_corner_pull": (0.75, 1.0), "lips_part": (0.6, 1.0),
            "jaw_drop": (0.1, 0.4),
        },
        {"cheek_raise": (0.5, 0.9), "lip_corner_pull": (0.8, 1.0), "lips_part": (0.0, 0.05)},
    ),
    "neutral": ({},),
    "sad": (
        {
            "inner_brow_raise": (0.8, 1.0), "brow_lower": (0.25, 0.5),
            "lip_corner_depress": (0.75, 1.0), "chin_raise": (0.3, 0.8), "lid_droop": (0.35, 0.7),
            "eyes_down": (0.0, 0.8),
        },
    ),
    "surprise": (
        {
            "inner_brow_raise": (0.85, 1.0), "outer_brow_raise": (0.85, 1.0),
            "upper_lid_raise": (0.7, 1.0), "jaw_drop": (0.65, 1.0), "lips_part": (0.6, 1.0),
            "lip_pucker": (0.4, 0.9),
        },
    ),
}  # fmt: skip
_REST = 0.06  # no face is perfectly relaxed
_REST_UNITS = ("inner_brow_raise", "outer_brow_raise", "brow_lower", "upper_lid_raise",
               "lid_tighten", "lip_corner_pull", "lip_corner_depress", "lid_droop")  # fmt: skip


def random_stream(seed: int, stream: int) -> np.random.Generator:
    """Random numbers that depend on (seed, stream) alone, the same on every platform."""
    if not 0 <= int(seed) < 2**63:
        raise ValueError(f"seed must be an integer in [0, 2**63), got {seed!r}.")
    entropy = (_STREAM_ROOT, stream, int(seed))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def sample_person(seed: int) -> FaceParameters:
    """The person, pose, light and camera of `seed`; independent of the emotion."""
    rng = random_stream(seed, _PERSON_STREAM)
    names = list(FACE_RANGES)
    low, high = np.array([FACE_RANGES[name] for name in names]).T
    # The mean of two uniform draws: extremes are rarer than middling faces.
    drawn = low + (high - low) * rng.random((2, len(names))).mean(axis=0)
    values = dict(zip(names, map(float, drawn), strict=True))
    u = dict(zip(_HABITS, map(float, rng.random(len(_HABITS))), strict=True))

    bearded_type = u["type"] < 0.5
    if bearded_type:
        values["hair_length"] *= 0.45
        values["jaw_width"] = 0.35 + 0.65 * values["jaw_width"]
        values["beard"] = 0.55 + 0.45 * u["beard_density"] if u["beard"] < 0.22 else 0.0
        moustache = values["beard"] > 0 or u["moustache"] < 0.14
        values["moustache"] = 0.5 + 0.45 * u["moustache_density"] if moustache else 0.0
        values["stubble"] = u["stubble"] ** 2
    else:
        values["hair_length"] = 0.25 + 0.75 * u["long_hair"]
        values["jaw_width"] *= 0.6
        values["hair_recession"] *= 0.3
        values["brow_thickness"] *= 0.85
        values["brow_ridge"] *= 0.6
        values["upper_lip"] *= 1.15
        values["lip_darkness"] = min(0.50, values["lip_darkness"] * 1.2)
        values["beard"] = values["moustache"] = values["stubble"] = 0.0
    values["glasses"] = 0.65 + 0.35 * u["glasses_opacity"] if u["glasses"] < 0.14 else 0.0
    values["skin_tone"] = u["skin"] ** 1.5
    values["wrinkles"] = u["age"] ** 1.5
    values["hair_greyness"] = max(0.0, (u["age"] - 0.72) / 0.28) * u["grey"]
    values["hair_lightness"] = u["blond"] ** 1.6 * (1.0 - 0.9 * values["skin_tone"])
    values["iris_lightness"] = u["iris"] * (1.0 - 0.9 * values["skin_tone"])
    values["hair_fringe"] = max(0.0, 2.0 * u["fringe"] - 1.0)
    return FaceParameters(**values)


_HABITS = ("type", "beard", "beard_density", "moustache", "moustache_density", "stubble",
           "long_hair", "glasses", "glasses_opacity", "skin", "age", "grey", "blond", "iris",
           "fringe")  # fmt: skip


def sample_expression(seed: int, emotion: str | int) -> ActionUnits:
    """The action units with which the person of `seed` shows `emotion`.

    Args:
        seed: int in [0, 2**63).
        emotion: a name of `EMOTIONS` or its index.

    Raises:
        ValueError: the emotion or the seed is unknown.
    """
    name = emotion_name(emotion)
    rng = random_stream(seed, _EXPRESSION_STREAM)
    variants = _PROTOTYPES[name]
    variant = variants[int(rng.random() * len(variants))]
    intensity = 0.72 + 0.28 * rng.random()
    draws = dict(zip(UNIT_NAMES, rng.random(len(UNIT_NAMES)), strict=True))
    values = {}
    for unit in UNIT_NAMES:
        low, high = variant.get(unit, (0.0, _REST if unit in _REST_UNITS else 0.0))
        values[unit] = float(intensity * (low + (high - low) * draws[unit]))
    return ActionUnits(**values)


def emotion_name(emotion: str | int) -> str:
    """The name of an emotion given by name or index."""
    if isinstance(emotion, str) and emotion in EMOTIONS:
        return emotion
    is_index = isinstance(emotion, (int, np.integer)) and not isinstance(emotion, bool)
    if is_index and 0 <= int(emotion) < len(EMOTIONS):
        return EMOTIONS[int(emotion)]
    raise ValueError(
        f"emotion must be one of {', '.join(EMOTIONS)} or an index in [0, {len(EMOTIONS)}), "
        f"got {emotion!r}."
    )
