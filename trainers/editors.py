"""A flow or a pixel model as one function from faces to edited faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bplf_tf.files import is_pixel_model
from datasets.quiet_tensorflow import import_tensorflow
from trainers.face_patches import FacePatch

Reference = tuple[np.ndarray, FacePatch]
"""A photograph, uint8 `[h, w]` or `[h, w, 3]`, and where in it the face is."""

Edit = Callable[[np.ndarray], np.ndarray]
"""uint8 `[B, H, W, C]` to uint8 `[B, S, H, W, C]`: each face at S strengths."""


@dataclasses.dataclass(frozen=True)
class Editor:
    """A model that is loaded.

    Attributes:
      image_shape: (height, width, channels) of the faces that it takes.
      edit: what it makes of them.
    """

    image_shape: tuple[int, int, int]
    edit: Edit


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is to be made of a face.

    Attributes:
      target: a label, or the shares of several; None where references say it.
      source: a label, or None to find it out.
      strengths: how much of it, once for each result.
      region: within which part of the face, or None for all of it.
    """

    target: str | dict[str, float] | None
    source: str | None
    strengths: Sequence[float]
    region: str | None


def load_editor(path: str, wish: Wish, references: Sequence[Sequence[Reference]] = ()) -> Editor:
    """Loads a model and checks that it can do what is wished.

    Args:
      path: a run directory or model.keras of a flow, or the .npz of a pixel model.
      wish: what is wanted.
      references: of a flow: people's faces, neutral, and the same with an expression.

    Raises:
      FileNotFoundError: there is no such model.
      ValueError: the file is no model, or the model cannot do that.
    """
    if is_pixel_model(path):
        if references:
            raise ValueError("references take a flow: a pixel model knows its expressions by name")
        return _pixel_editor(path, wish)
    import_tensorflow()
    return _flow_editor(path, wish, references)


def _pixel_editor(path: str, wish: Wish) -> Editor:
    from bplf_tf.pixel_synthesis import NEUTRAL, PixelSynthesis

    model = PixelSynthesis.load(path)
    height, width, channels = model.image_shape or (0, 0, 0)
    shape = (height, width, 3 if channels == -1 else channels)
    target = wish.target
    if isinstance(target, dict):
        total = sum(target.values())
        target = {name: share / total for name, share in target.items()}
    assert target is not None  # without references there is one

    def edit(images: np.ndarray) -> np.ndarray:
        edited = [
            _within(wish.region, images, model.transform(images, target, t, wish.source or NEUTRAL))
            for t in wish.strengths
        ]
        return np.stack(edited, axis=1)

    edit(np.zeros((1, *shape), np.uint8))  # an unknown label is told before any file is read
    return Editor(shape, edit)


def _flow_editor(path: str, wish: Wish, references: Sequence[Sequence[Reference]]) -> Editor:
    from bplf_tf import editing, load_model
    from bplf_tf.labels import condition_vectors

    if len({len(faces) for faces in references}) > 1:
        neutral, expressive = map(len, references)
        raise ValueError(
            f"got {neutral} neutral references and {expressive} expressive ones; the k-th of both, "
            "by name, must be of one person"
        )
    if references and not references[0]:
        raise ValueError("the folders of references have no pictures")
    model = load_model(path)
    shape, classes = model.config.image_shape, model.config.classes
    if wish.target is not None and not classes:
        raise ValueError(f"--model={path} was trained without labels: it takes references")
    if wish.target is not None:
        editing.check_several_labels(classes)
    if isinstance(wish.target, dict):
        editing.mixture(classes, wish.target)
    elif wish.target is not None:
        condition_vectors(wish.target, classes, model.config.dtype)
    if wish.source is not None:
        condition_vectors(wish.source, classes, model.config.dtype)
    low, high = editing.STRENGTHS
    for strength in wish.strengths:
        if not low <= strength <= high:
            raise ValueError(f"strength must lie in {low:g}..{high:g}, got {strength:g}")
    examples = [
        np.stack([patch.cut(pixels, shape) for pixels, patch in faces]) for faces in references
    ]

    def edit(images: np.ndarray) -> np.ndarray:
        source: Any = wish.source
        if source is None and classes:
            source = editing.likeliest_labels(model, images)
        if examples:
            calm, moved = examples
            strip = np.stack(
                [
                    editing.transfer_from(model, images, calm, moved, t, source)
                    for t in wish.strengths
                ],
                axis=1,
            )
        else:
            strip = editing.sweep(model, images, wish.target, wish.strengths, source)
        within = [_within(wish.region, images, strip[:, i]) for i in range(strip.shape[1])]
        return np.stack(within, axis=1)

    return Editor(shape, edit)


def _within(region: str | None, images: np.ndarray, edited: np.ndarray) -> np.ndarray:
    from bplf_tf.regions import blend_region

    return edited if region is None else blend_region(images, edited, region)
