"""What an exported model says of itself: `model.json` for programs, `model_card.md` for people."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bplf_tf import BPLF, PixelSynthesis
from datasets.files import write_json, write_text
from export.pixel_signatures import image_shape_of, labels_of, strengths_of
from export.signatures import Signature

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy")
_NOT_KNOWN = "not known"

_FLOW, _PIXEL_MODEL = "flow", "pixel_model"
_KINDS = {
    _FLOW: (
        "A BPLF, a conditional normalizing flow of images",
        "Every image it draws is made up; it shows no person. It draws what its training data "
        "held, faults and one-sidedness included.",
    ),
    _PIXEL_MODEL: (
        "A pixel model, the regression of each pixel of an expressive face on a neutral one, for "
        "images",
        "It draws nothing of its own: it changes faces that it takes for neutral, and what it "
        "makes of them was never photographed. It knows expressions as its training data had them, "
        "faults and one-sidedness included.",
    ),
}
"""What the card says of each kind of model: what it is, and what its images are."""


def describe(
    model: BPLF | PixelSynthesis,
    file: Path,
    exported: Sequence[Signature],
    data: str | None,
    data_licence: str | None,
    **details: Any,
) -> dict[str, Any]:
    """Everything that the card says, as plain JSON values.

    Args:
      model: that was exported.
      file: its file; of a flow's, `config.json` and `result.json` of its run are looked for beside
        it.
      exported: the functions.
      data: what the model was trained on, in words of the user; None takes the run's.
      data_licence: likewise.
      **details: of the target, such as its format.
    """
    config: dict[str, Any] = {}
    result: dict[str, Any] = {}
    if isinstance(model, PixelSynthesis):
        about = _about_pixel_model(model)
    else:
        about = _about_flow(model)
        config, result = _json(file.with_name("config.json")), _json(file.with_name("result.json"))
    provenance = {split: _shareable(of) for split, of in config.get("data", {}).items()}
    return {
        **details,
        **about,
        "signatures": {one.name: _signature(one) for one in exported},
        "weights_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "data": data or _sources(provenance) or _NOT_KNOWN,
        "data_licence": data_licence or _licences(provenance) or _NOT_KNOWN,
        "data_provenance": provenance,
        "metrics": result,
        "command": config.get("command"),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _about_flow(model: BPLF) -> dict[str, Any]:
    return {
        "kind": _FLOW,
        "labels": list(model.config.classes),
        "image_shape": list(model.config.image_shape),
        "parameters": model.count_params(),
        "model": model.config.to_dict(),
    }


def _about_pixel_model(model: PixelSynthesis) -> dict[str, Any]:
    return {
        "kind": _PIXEL_MODEL,
        "labels": list(labels_of(model)),
        "image_shape": list(image_shape_of(model)),
        "strengths": list(strengths_of(model)),
        "parameters": model.parameters,
        "model": {
            **dataclasses.asdict(model.features),
            "shared_channels": model.shared_channels,
            "invertible": model.invertible,
            "ridges": model.ridges,
        },
    }


def write(folder: Path, description: dict[str, Any], stem: str = "model") -> None:
    """Writes `<stem>.json` and `<stem>_card.md` into a folder."""
    write_json(folder / f"{stem}.json", description)
    write_text(folder / f"{stem}_card.md", card(description))


def card(description: dict[str, Any]) -> str:
    """The description as Markdown."""
    height, width, channels = description["image_shape"]
    kind = "grey" if channels == 1 else "RGB"
    labels = ", ".join(f"{i} {name}" for i, name in enumerate(description["labels"]))
    what, images = _KINDS[description["kind"]]
    sections = {
        f"# Model card: {description['name']}": [
            f"{what} of {width}x{height} pixels, {kind}, "
            f"with {description['parameters']:,} parameters, as {description['format']}.",
            f"Labels: {labels or 'none'}.",
            f"{images} Labels are names of expressions as the data's annotators gave them; they do "
            "not tell what anybody feels, and the model is not meant for judging people.",
        ],
        "## Training data": [
            f"Data: {description['data']}.",
            f"Licence of the data: {description['data_licence']}.",
            "`data_provenance` in the JSON file beside this card tells how it was split, and what "
            "was removed.",
            f"Trained by `{description['command']}`." if description["command"] else "",
        ],
        "## Figures": [_figures(description)],
        "## Functions": [_functions(description["signatures"])],
        "## Made with": [
            ", ".join(f"{name} {version}" for name, version in description["versions"].items()),
            f"SHA-256 of the model's file: `{description['weights_sha256']}`",
        ],
    }
    return (
        "\n\n".join("\n\n".join([title, *filter(None, texts)]) for title, texts in sections.items())
        + "\n"
    )


def _signature(signature: Signature) -> dict[str, Any]:
    return {
        "about": signature.about,
        "inputs": {
            one.name: {
                "dtype": one.dtype.name,
                "shape": [-1, *one.shape],
                "must": one.accepted,
            }
            for one in signature.inputs
        },
        "outputs": {one.name: one.about for one in signature.outputs},
    }


def _functions(found: dict[str, Any]) -> str:
    lines = ["| function | takes | gives |", "| --- | --- | --- |"]
    for name, one in found.items():
        takes = "; ".join(
            f"`{given}` {about['dtype']} {about['shape']}" for given, about in one["inputs"].items()
        )
        gives = "; ".join(f"`{output}`, {about}" for output, about in one["outputs"].items())
        lines.append(f"| `{name}`: {one['about']} | {takes} | {gives} |")
    return "\n".join(lines)


def _figures(description: dict[str, Any]) -> str:
    if description["kind"] == _PIXEL_MODEL:
        return "`python -m trainers.synthesis` measures pixel models on pairs of faces."
    metrics = description["metrics"]
    if "bits_per_dim" not in metrics:
        return "No `result.json` of a finished run lay beside the model."
    text = f"{metrics['bits_per_dim']:.4f} bits/dim on {metrics['images']} held-out images"
    if metrics.get("standard_error") is not None:
        text += f", standard error {metrics['standard_error']:.4f}"
    per_label = metrics.get("per_label", {})
    named = ", ".join(f"{name} {one['bits_per_dim']:.4f}" for name, one in per_label.items())
    return f"{text}." + (f" Of each label: {named}." if named else "")


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _shareable(provenance: Any) -> Any:
    """A provenance without the folders of the machine that it was made on."""
    if isinstance(provenance, dict):
        return {name: _shareable(value) for name, value in provenance.items()}
    if isinstance(provenance, list):
        return [_shareable(value) for value in provenance]
    if isinstance(provenance, str) and Path(provenance).is_absolute():
        return Path(provenance).name
    return provenance


def _sources(provenance: dict[str, Any]) -> str:
    return ", ".join(sorted({of["source"] for of in provenance.values() if "source" in of}))


def _licences(provenance: dict[str, Any]) -> str:
    return "; ".join(sorted({str(of["licence"]) for of in provenance.values() if "licence" in of}))
