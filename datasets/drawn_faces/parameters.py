"""Continuous parameters of a drawn face, and how they are drawn at random.

A picture is a function of two records: `FaceParameters` (who it is, and how, and in which light,
the person is photographed) and `ActionUnits` (what the facial muscles do).  Lengths are in *face
units*: the picture spans [-1, 1] in x (to the right) and y (downwards), so one unit is half the
picture.  Angles are in radians.

The action units follow the Facial Action Coding System (Ekman and Friesen, 1978); the numbers in
their descriptions are FACS' own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from bplf_tf.config import EMOTIONS

# Independent random streams of one seed: the same person shows any emotion.
_PERSON_STREAM, _EXPRESSION_STREAM, TEXTURE_STREAM = 0, 1, 2
_STREAM_ROOT = 0x0FACE


def _range(low: float, high: float, meaning: str) -> Any:
    """A field whose default is the middle of its range; the range is kept as metadata."""
    return dataclasses.field(
        default=0.5 * (low + high), metadata={"low": low, "high": high, "meaning": meaning}
    )


@dataclass(frozen=True)
class FaceParameters:
    """Identity, pose, light and camera of one face: all floats, each with a range."""

    # Head
    head_width: float = _range(0.58, 0.70, "half-width at the temples")
    crown_height: float = _range(0.94, 1.08, "distance from the origin up to the crown")
    chin_height: float = _range(0.80, 0.93, "distance from the origin down to the chin")
    jaw_width: float = _range(0.0, 1.0, "0: tapering jaw, 1: jaw as wide as the temples")
    jaw_squareness: float = _range(2.2, 3.6, "exponent of the lower outline")
    chin_prominence: float = _range(0.02, 0.10, "height of the chin above the face")
    cheek_fullness: float = _range(0.0, 0.09, "height of the lower cheeks")
    cheekbone_height: float = _range(0.0, 0.10, "height of the cheekbones")
    brow_ridge: float = _range(0.01, 0.07, "height of the bony ridge under the brows")
    ear_size: float = _range(0.13, 0.20, "half-height of the ears")
    ear_spread: float = _range(0.02, 0.10, "how far the ears stand off")
    # Eyes
    eye_spacing: float = _range(0.265, 0.325, "distance of an eye from the middle")
    eye_height: float = _range(-0.20, -0.10, "y of the eyes")
    eye_width: float = _range(0.125, 0.165, "half-width of an eye")
    eye_openness: float = _range(0.044, 0.066, "half-height of a relaxed eye")
    eye_tilt: float = _range(-0.20, 0.08, "slope of an eye; negative: outer corner higher")
    eye_depth: float = _range(0.05, 0.13, "depth of the sockets")
    eye_bags: float = _range(0.0, 1.0, "strength of the fold under the eyes")
    lid_crease: float = _range(0.2, 1.0, "strength of the fold of the upper lid")
    iris_size: float = _range(0.062, 0.076, "radius of the iris")
    iris_lightness: float = _range(0.0, 1.0, "0: dark brown, 1: pale blue")
    # Brows
    brow_gap: float = _range(0.15, 0.205, "distance between brow and eye")
    brow_thickness: float = _range(0.022, 0.050, "half-thickness of a brow at its inner end")
    brow_length: float = _range(0.19, 0.25, "half-length of a brow")
    brow_arch: float = _range(0.0, 0.05, "height of the brow's arch")
    brow_density: float = _range(0.5, 1.0, "opacity of the brows")
    # Nose
    nose_length: float = _range(0.28, 0.40, "distance from the eyes to the tip")
    nose_width: float = _range(0.085, 0.135, "distance of a nostril's wing from the middle")
    nose_height: float = _range(0.12, 0.22, "height of the tip above the face")
    nose_bridge: float = _range(0.045, 0.075, "standard deviation of the bridge's profile")
    # Mouth
    mouth_gap: float = _range(0.235, 0.295, "distance from the tip of the nose to the mouth")
    mouth_width: float = _range(0.20, 0.265, "half-width of the relaxed mouth")
    upper_lip: float = _range(0.024, 0.052, "thickness of the upper lip")
    lower_lip: float = _range(0.034, 0.066, "thickness of the lower lip")
    lip_darkness: float = _range(0.18, 0.50, "how much darker than skin the lips are")
    # Skin and hair
    skin_tone: float = _range(0.0, 1.0, "0: very light, 1: very dark")
    skin_redness: float = _range(0.0, 1.0, "blush of cheeks, nose and ears (tells in colour)")
    skin_roughness: float = _range(0.010, 0.045, "standard deviation of the skin's texture")
    skin_shine: float = _range(0.0, 0.22, "strength of specular light")
    wrinkles: float = _range(0.0, 1.0, "depth of folds: age")
    hair_lightness: float = _range(0.0, 1.0, "0: black, 1: blond")
    hair_greyness: float = _range(0.0, 1.0, "0: pigmented, 1: white")
    hair_volume: float = _range(0.02, 0.16, "thickness of the hair above the skull")
    hair_length: float = _range(0.0, 1.0, "0: cropped, 1: past the shoulders")
    hair_part: float = _range(-0.35, 0.35, "x of the parting")
    hair_fringe: float = _range(0.0, 1.0, "how far the hair falls into the forehead")
    hairline: float = _range(0.50, 0.76, "distance from the origin up to the hairline")
    hair_recession: float = _range(0.0, 0.22, "depth of the bays above the temples")
    beard: float = _range(0.0, 1.0, "density of the beard")
    moustache: float = _range(0.0, 1.0, "density of the moustache")
    stubble: float = _range(0.0, 1.0, "darkness of a shaven beard")
    # Glasses and clothes
    glasses: float = _range(0.0, 1.0, "opacity of glasses; 0: none")
    glasses_size: float = _range(0.17, 0.225, "half-width of a lens")
    glasses_roundness: float = _range(0.0, 1.0, "0: square lenses, 1: round")
    clothes_lightness: float = _range(0.08, 0.85, "reflectance of the clothes")
    neck_width: float = _range(0.30, 0.46, "half-width of the neck")
    # Asymmetry: + means more on the right of the picture
    brow_asymmetry: float = _range(-1.0, 1.0, "one brow higher than the other")
    eye_asymmetry: float = _range(-1.0, 1.0, "one eye wider than the other")
    mouth_asymmetry: float = _range(-1.0, 1.0, "one corner of the mouth stronger than the other")
    # Pose and gaze
    yaw: float = _range(-0.30, 0.30, "turn of the head")
    pitch: float = _range(-0.14, 0.14, "nod of the head")
    roll: float = _range(-0.14, 0.14, "tilt of the head")
    shift_x: float = _range(-0.08, 0.08, "x of the head in the picture")
    shift_y: float = _range(-0.20, -0.06, "y of the head in the picture")
    scale: float = _range(1.20, 1.50, "size of the head")
    gaze_x: float = _range(-1.0, 1.0, "where the eyes look, left to right")
    gaze_y: float = _range(-0.5, 0.5, "where the eyes look, up to down")
    # Light and camera
    light_azimuth: float = _range(-1.05, 1.05, "direction of the key light; 0: from the camera")
    light_elevation: float = _range(0.30, 0.95, "height of the key light")
    light_strength: float = _range(0.75, 1.15, "brightness of the key light")
    light_fill: float = _range(0.22, 0.50, "brightness of the ambient light")
    light_warmth: float = _range(-1.0, 1.0, "colour of the key light: blue to yellow")
    background: float = _range(0.10, 0.80, "mean brightness of the background")
    background_gradient: float = _range(-0.16, 0.16, "change of the background over half a picture")
    background_angle: float = _range(0.0, 3.14, "direction of that change")
    grain: float = _range(1.5, 3.0, "standard deviation of the sensor's noise, grey levels")


@dataclass(frozen=True)
class ActionUnits:
    """Muscle activations, 0 (relaxed) to 1 (full); all 0 is a neutral face."""

    inner_brow_raise: float = 0.0  # AU 1
    outer_brow_raise: float = 0.0  # AU 2
    brow_lower: float = 0.0  # AU 4, with the brows drawn together
    upper_lid_raise: float = 0.0  # AU 5
    cheek_raise: float = 0.0  # AU 6, with crow's feet
    lid_tighten: float = 0.0  # AU 7
    nose_wrinkle: float = 0.0  # AU 9
    upper_lip_raise: float = 0.0  # AU 10
    lip_corner_pull: float = 0.0  # AU 12
    lip_corner_depress: float = 0.0  # AU 15
    chin_raise: float = 0.0  # AU 17
    lip_pucker: float = 0.0  # AU 18
    lip_stretch: float = 0.0  # AU 20
    lip_press: float = 0.0  # AU 23 and 24
    lips_part: float = 0.0  # AU 25
    jaw_drop: float = 0.0  # AU 26 and 27
    lid_droop: float = 0.0  # AU 43, partly
    eyes_down: float = 0.0  # AU 64
    teeth_bare: float = 0.0  # clenched rows of teeth in a squared mouth: AU 10 + 16 + 25


FACE_RANGES: dict[str, tuple[float, float]] = {
    f.name: (f.metadata["low"], f.metadata["high"]) for f in dataclasses.fields(FaceParameters)
}
UNIT_NAMES: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(ActionUnits))

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
    values["glasses"] = 0.55 + 0.45 * u["glasses_opacity"] if u["glasses"] < 0.14 else 0.0
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
    if isinstance(emotion, (int, np.integer)) and not isinstance(emotion, bool):
        if 0 <= int(emotion) < len(EMOTIONS):
            return EMOTIONS[int(emotion)]
    raise ValueError(
        f"emotion must be one of {', '.join(EMOTIONS)} or an index in [0, {len(EMOTIONS)}), "
        f"got {emotion!r}."
    )
