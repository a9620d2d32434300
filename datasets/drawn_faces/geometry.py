"""Where everything lies in a face: outlines and curves in face units, from the parameters.

A frontal, upright face; the pose is applied later, to the finished picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.drawn_faces.parameters import ActionUnits, FaceParameters

Array = np.ndarray
SIDES = (-1, 1)  # left and right of the picture
_T = np.linspace(-1.0, 1.0, 21)  # along a lid or a lip
_ARC = 1.0 - _T**2
# The widest level of the head, a little above the ears.
_TEMPLE_Y = -0.12


@dataclass(frozen=True)
class Eye:
    """One eye: closed curves are `[N, 2]` arrays of (x, y)."""

    centre: tuple[float, float]
    upper: Array  # upper lid, from the left to the right corner
    lower: Array  # lower lid, from the left to the right corner
    crease: Array  # fold of the upper lid
    bag: Array  # fold under the lower lid
    iris: tuple[float, float]


@dataclass(frozen=True)
class Mouth:
    """Lip curves from the left to the right corner, `[21, 2]` each, from top to bottom."""

    outer_upper: Array
    inner_upper: Array
    inner_lower: Array
    outer_lower: Array
    opening: float  # distance between the lips in the middle
    half_width: float


@dataclass(frozen=True)
class Geometry:
    """Everything `shading` and the painters need to know about places."""

    chin_y: float
    crown_y: float
    nose_tip_y: float
    nose_wing_y: float
    nose_wing_x: float
    mouth_y: float
    eyes: tuple[Eye, Eye]
    brows: tuple[Array, Array]  # closed polygons
    brow_y: tuple[float, float]
    mouth: Mouth
    half_width_scale: float
    jaw_taper: float
    jaw_exponent: float

    def half_width(self, y: Array) -> Array:
        """Half-width of the head at height `y`; 0 above the crown and below the chin."""
        below = np.clip((y - _TEMPLE_Y) / (self.chin_y - _TEMPLE_Y), 0.0, 1.0)
        above = np.clip((_TEMPLE_Y - y) / (_TEMPLE_Y - self.crown_y), 0.0, 1.0)
        jaw = np.sqrt(1.0 - below**self.jaw_exponent) * (1.0 - self.jaw_taper * below**1.5)
        skull = np.sqrt(1.0 - above**2.4)
        return self.half_width_scale * jaw * skull

    def outline(self, top: float, bottom: float, count: int = 25) -> tuple[Array, Array]:
        """Heights (dense towards the ends) and half-widths of the head between two heights."""
        angle = np.linspace(0.0, np.pi, count)
        y = 0.5 * (top + bottom) - 0.5 * (bottom - top) * np.cos(angle)
        return y, self.half_width(y)


def build(face: FaceParameters, units: ActionUnits) -> Geometry:
    """The geometry of one face showing `units`."""
    nose_tip_y = face.eye_height + face.nose_length - 0.03 * units.nose_wrinkle
    mouth_y = (
        face.eye_height + face.nose_length + face.mouth_gap
        - 0.02 * units.lip_corner_pull - 0.02 * units.chin_raise
    )  # fmt: skip
    mouth = _mouth(face, units, mouth_y)
    # The chin stays clear of the lower lip, and falls with the jaw.
    chin_y = max(face.chin_height, mouth_y + face.lower_lip + 0.26) + 0.17 * units.jaw_drop
    brows = tuple(_brow(face, units, side) for side in SIDES)
    return Geometry(
        chin_y=chin_y - 0.02 * units.chin_raise,
        crown_y=-face.crown_height,
        nose_tip_y=nose_tip_y,
        nose_wing_y=nose_tip_y + 0.035 - 0.04 * units.nose_wrinkle - 0.01 * units.upper_lip_raise,
        nose_wing_x=face.nose_width
        * (1.0 + 0.14 * units.nose_wrinkle + 0.10 * units.lip_corner_pull),
        mouth_y=mouth_y,
        eyes=(_eye(face, units, -1), _eye(face, units, 1)),
        brows=(brows[0][0], brows[1][0]),
        brow_y=(brows[0][1], brows[1][1]),
        mouth=mouth,
        half_width_scale=face.head_width,
        jaw_taper=0.34 - 0.30 * face.jaw_width + 0.06 * units.jaw_drop,
        jaw_exponent=face.jaw_squareness,
    )


def _stronger(asymmetry: float, side: int, amount: float) -> float:
    """A factor around 1 that is larger on one side."""
    return 1.0 + amount * asymmetry * side


def _eye(face: FaceParameters, units: ActionUnits, side: int) -> Eye:
    x, y = side * face.eye_spacing, face.eye_height
    openness = face.eye_openness * _stronger(face.eye_asymmetry, side, 0.10)
    up = openness * max(
        0.10,
        1.0 + 0.75 * units.upper_lid_raise - 0.42 * units.lid_tighten - 0.62 * units.lid_droop
        - 0.30 * units.cheek_raise - 0.14 * units.nose_wrinkle - 0.15 * units.brow_lower,
    )  # fmt: skip
    down = 0.72 * openness * max(
        -0.25,
        1.0 + 0.35 * units.upper_lid_raise - 0.50 * units.lid_tighten - 1.0 * units.cheek_raise
        - 0.25 * units.nose_wrinkle,
    )  # fmt: skip
    width = face.eye_width * (1.0 + 0.03 * units.upper_lid_raise)
    outward = side * _T  # -1 at the inner, 1 at the outer corner
    tilt = face.eye_tilt * 0.16 * outward
    # A drooping lid falls at its outer end; a glaring one is cut by the brow at its inner end.
    droop = 0.35 * up * units.lid_droop * outward - 0.35 * up * units.brow_lower * outward
    droop = droop * (1.0 - units.inner_brow_raise * 0.6 * (units.lid_droop < 0.05))
    xs = x + width * _T
    upper_y = y + tilt - up * _ARC**0.65 * (1.0 - 0.12 * outward) + droop * _ARC**0.4
    lower_y = y + tilt + down * _ARC**0.8 * (1.0 + 0.10 * outward)
    lower_y = np.maximum(lower_y, upper_y + 0.004)
    fold = 0.030 + 0.022 * (1.0 - units.lid_tighten) * (1.0 - 0.5 * units.brow_lower)
    iris = (
        x + 0.045 * face.gaze_x,
        y - 0.010 + 0.022 * face.gaze_y + 0.030 * units.eyes_down - 0.12 * units.lid_droop * up,
    )
    return Eye(
        centre=(x, y),
        upper=np.stack([xs, upper_y], axis=1),
        lower=np.stack([xs, lower_y], axis=1),
        crease=np.stack([xs, upper_y - fold * _ARC**0.3], axis=1)[2:-2],
        bag=np.stack([xs, lower_y + 0.045 * _ARC**0.5 + 0.012], axis=1)[3:-3],
        iris=iris,
    )


def _brow(face: FaceParameters, units: ActionUnits, side: int) -> tuple[Array, float]:
    lift = _stronger(face.brow_asymmetry, side, 0.12)
    base = face.eye_height - face.brow_gap - 0.010 * face.brow_asymmetry * side
    inner_up = lift * units.inner_brow_raise
    outer_up = lift * units.outer_brow_raise
    # Raising and drawing together at once (fear, sadness) lifts the inner ends all the same.
    drop = units.brow_lower * (1.0 - 0.85 * min(1.0, units.inner_brow_raise))
    frown = drop + 0.55 * units.nose_wrinkle * (1.0 - drop)
    inner = base + 0.015 - 0.125 * inner_up + 0.105 * frown
    outer = base + 0.030 - 0.105 * outer_up + 0.010 * frown + 0.035 * inner_up * (1.0 - outer_up)
    middle = (
        base - face.brow_arch - 0.055 * inner_up - 0.095 * outer_up + 0.050 * frown
        + 0.020 * inner_up * (1.0 - outer_up)
    )  # fmt: skip
    together = 0.045 * max(units.brow_lower, 0.6 * units.nose_wrinkle)
    x_inner = face.eye_spacing - 0.92 * face.brow_length - together
    x_outer = face.eye_spacing + face.brow_length - 0.4 * together
    t = np.linspace(0.0, 1.0, 13)
    # A quadratic through the three heights, with its knot at 55 % of the length.
    knot = 0.55
    y = (
        inner * (t - knot) * (t - 1.0) / knot
        + middle * t * (t - 1.0) / (knot * (knot - 1.0))
        + outer * t * (t - knot) / (1.0 - knot)
    )
    x = x_inner + (x_outer - x_inner) * t
    thickness = face.brow_thickness * (0.72 + 0.75 * t - 1.30 * t**2) * (1.0 + 0.12 * frown)
    top = np.stack([side * x, y - thickness], axis=1)
    bottom = np.stack([side * x, y + thickness], axis=1)
    return np.concatenate([top, bottom[::-1]]), float(y[4:9].mean())


def _mouth(face: FaceParameters, units: ActionUnits, mouth_y: float) -> Mouth:
    smile, stretch, bare = units.lip_corner_pull, units.lip_stretch, units.teeth_bare
    half_width = face.mouth_width * (
        1.0 + 0.36 * smile + 0.34 * stretch + 0.10 * bare + 0.06 * units.lip_corner_depress
        - 0.30 * units.lip_pucker - 0.12 * units.jaw_drop * (1.0 - smile) * (1.0 - stretch)
        - 0.05 * units.lip_press
    )  # fmt: skip
    side_strength = _stronger(face.mouth_asymmetry, 1, 0.22) + 0.0 * _T
    side_strength = 1.0 + (side_strength - 1.0) * _T  # grows towards one side
    corner = (
        -0.118 * smile + 0.100 * units.lip_corner_depress + 0.025 * stretch
        + 0.012 * units.lip_press + 0.01 * bare
    )  # fmt: skip
    line = mouth_y + side_strength * corner * np.abs(_T) ** 1.7 - 0.25 * corner
    line = line + 0.006 * face.mouth_asymmetry * _T
    # Squared mouths (bared teeth, fear) open as far near the corners as in the middle.
    squared = max(bare, 0.75 * stretch)
    shape = (1.0 - np.abs(_T) ** (2.0 + 3.5 * squared)) ** 0.8
    open_up = (
        0.030 * units.lips_part + 0.042 * smile * units.lips_part + 0.055 * bare
        + 0.025 * units.jaw_drop + 0.012 * stretch + 0.030 * units.upper_lip_raise * units.lips_part
    )  # fmt: skip
    open_down = (
        0.020 * units.lips_part + 0.060 * smile * units.lips_part + 0.075 * bare
        + 0.245 * units.jaw_drop + 0.030 * stretch * units.lips_part
    )  # fmt: skip
    # The raised upper lip is lifted beside the middle, more on one side (a sneer).
    lifted = 0.062 * units.upper_lip_raise + 0.020 * units.nose_wrinkle
    sneer = lifted * side_strength * (1.0 - _T**4) ** 1.0
    press = 1.0 - 0.72 * units.lip_press
    upper_thickness = face.upper_lip * press * (1.0 - 0.30 * smile - 0.20 * bare - 0.15 * stretch)
    lower_thickness = face.lower_lip * press * (1.0 - 0.22 * smile - 0.20 * bare - 0.15 * stretch)
    pout = 0.012 * units.lip_corner_depress + 0.018 * units.chin_raise * (1.0 - units.lip_press)
    bow = 1.0 - 0.22 * np.exp(-((_T / 0.16) ** 2))
    inner_upper = line - open_up * shape - sneer
    inner_lower = line + open_down * shape - 0.55 * sneer * (1.0 - min(1.0, units.lips_part * 1.6))
    inner_lower = np.maximum(inner_lower, inner_upper)
    outer_upper = inner_upper - upper_thickness * _ARC**0.7 * bow
    outer_lower = inner_lower + (lower_thickness + pout) * _ARC**0.75
    xs = half_width * _T
    middle = len(_T) // 2
    return Mouth(
        outer_upper=np.stack([xs, outer_upper], axis=1),
        inner_upper=np.stack([xs, inner_upper], axis=1),
        inner_lower=np.stack([xs, inner_lower], axis=1),
        outer_lower=np.stack([xs, outer_lower], axis=1),
        opening=float(inner_lower[middle] - inner_upper[middle]),
        half_width=float(half_width),
    )
