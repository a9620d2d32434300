"""Continuous parameters of a drawn face.

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
    skin_roughness: float = _range(0.012, 0.055, "standard deviation of the skin's texture")
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
    glasses_size: float = _range(0.18, 0.255, "half-width of a lens")
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
