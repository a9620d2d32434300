"""Colours of one person: RGB in [0, 1], display-referred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.drawn_faces.parameters import FaceParameters

Colour = np.ndarray  # float64 [3]
LUMINANCE = np.array([0.299, 0.587, 0.114])  # as Pillow turns RGB into L

_SKIN = np.array(
    [[0.95, 0.81, 0.72], [0.90, 0.71, 0.58], [0.75, 0.54, 0.41], [0.53, 0.36, 0.26],
     [0.37, 0.25, 0.19]]
)  # fmt: skip
_HAIR = np.array([[0.09, 0.075, 0.07], [0.25, 0.165, 0.11], [0.48, 0.33, 0.20], [0.78, 0.64, 0.42]])
_IRIS = np.array([[0.10, 0.065, 0.045], [0.28, 0.20, 0.12], [0.36, 0.46, 0.53]])
_GREY_HAIR = np.array([0.76, 0.75, 0.73])


@dataclass(frozen=True)
class Palette:
    """The colours of one person's parts, without light."""

    skin: Colour
    shadow: Colour  # skin in a hollow
    dark: Colour  # the deepest folds
    blush: Colour
    lip: Colour
    upper_lip: Colour
    mouth: Colour
    tongue: Colour
    teeth: Colour
    teeth_gap: Colour
    sclera: Colour
    iris: Colour
    iris_rim: Colour
    pupil: Colour
    lash: Colour
    brow: Colour
    hair: Colour
    beard: Colour
    frame: Colour
    glass: Colour
    clothes: Colour
    collar: Colour


def palette(face: FaceParameters) -> Palette:
    """The colours that follow from the parameters."""
    skin = _ramp(_SKIN, face.skin_tone)
    hair = _ramp(_HAIR, face.hair_lightness)
    hair = hair + (_GREY_HAIR - hair) * 0.85 * face.hair_greyness
    red = np.array([1.0, 0.72, 0.70])
    lip = skin * (1.0 - face.lip_darkness) * (red + (1.0 - red) * 0.25)
    iris = _ramp(_IRIS, face.iris_lightness)
    clothes = face.clothes_lightness * np.array(
        [1.0 - 0.25 * face.hair_greyness, 0.96, 0.82 + 0.3 * face.iris_lightness]
    )
    return Palette(
        skin=skin,
        shadow=skin * (0.52, 0.44, 0.42),
        dark=skin * (0.22, 0.15, 0.14),
        blush=skin * (1.0, 0.80, 0.78),
        lip=lip,
        upper_lip=lip * 0.74,
        mouth=np.array([0.16, 0.07, 0.06]),
        tongue=np.array([0.55, 0.27, 0.25]),
        teeth=np.array([1.0, 0.98, 0.92]),
        teeth_gap=np.array([0.72, 0.67, 0.60]),
        sclera=np.array([0.86, 0.84, 0.82]) - 0.14 * face.skin_tone,
        iris=iris,
        iris_rim=iris * 0.5,
        pupil=np.array([0.03, 0.03, 0.03]),
        lash=np.minimum(hair, 0.30) * 0.55,
        brow=np.minimum(hair * 0.85, skin * 0.62),
        hair=hair,
        beard=hair * 0.9 + skin * 0.04,
        frame=np.array([0.16, 0.14, 0.13]),
        glass=np.array([0.95, 0.97, 1.0]),
        clothes=clothes,
        collar=np.minimum(1.0, clothes * 0.6 + 0.35),
    )


def _ramp(stops: np.ndarray, place: float) -> Colour:
    """Linear interpolation between the rows of `stops`, `place` in [0, 1]."""
    knots = np.linspace(0.0, 1.0, len(stops))
    return np.array([np.interp(place, knots, stops[:, part]) for part in range(3)])
