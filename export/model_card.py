"""What an exported model says of itself: `model.json` for programs, `model_card.md` for people."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bplf_tf
from bplf_tf import BPLF, PixelSynthesis
from datasets.files import write_text
from export.pixel_signatures import image_shape_of, labels_of, strengths_of
from export.signatures import Signature

_MEASURED = "model.keras"  # the model of a run that its `result.json` tells of
_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy")
_NOT_KNOWN = "not known"

_FLOW, _PIXEL_MODEL = "flow", "pixel_model"
_KINDS = {
    _FLOW: (
        "A BPLF, a conditional normalizing flow of images",
        "For drawing faces of an expression, for changing the expression of a face, and for "
        "studying how likely images are. Every image it draws is made up; it shows no person. It "
        "draws what its training data held, faults and one-sidedness included.",
    ),
    _PIXEL_MODEL: (
        "A pixel model, the regression of each pixel of an expressive face on a neutral one, for "
        "images",
        "For changing the expression of faces that it takes for neutral; what it makes of them was "
        "never photographed. It knows expressions as its training data had them, faults and "
        "one-sidedness included.",
    ),
}
"""What the card says of each kind of model: what it is, and what it is for."""
_USE = (
    "Labels are names of expressions as the training data gives them; they do not tell what "
    "anybody feels. The model is not meant for judging people, nor for passing pictures off as "
    "photographs of somebody."
)


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
      file: its file; of a flow's, `config.json` of its run is looked for beside it, and
        `result.json` beside the `model.keras` that it measures, not beside other models of the run.
      exported: the functions; none for a model that stays a Keras file.
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
        config = _json(file.with_name("config.json"))
        if file.name == _MEASURED:
            result = _json(file.with_name("result.json"))
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
        "command": _shareable_command(config.get("command")),
        "trained_with": {name: config[name] for name in ("versions", "git") if name in config},
        "versions": {
            "bplf-tf": bplf_tf.__version__,
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
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


def files(description: dict[str, Any], stem: str = "model") -> dict[str, str]:
    """What `<stem>.json` and `<stem>_card.md` hold, by the files' names."""
    content = json.dumps(description, indent=2, allow_nan=False) + "\n"
    return {f"{stem}.json": content, f"{stem}_card.md": card(description)}


def write(folder: Path, description: dict[str, Any]) -> None:
    """Writes `model.json` and `model_card.md` into a folder."""
    for name, text in files(description).items():
        write_text(folder / name, text)


def card(description: dict[str, Any]) -> str:
    """The description as Markdown."""
    sections = {
        f"# Model card: {description['name']}": [_model(description), _labels(description)],
        "## Use": [_KINDS[description["kind"]][1], _USE],
        "## Training data": _training_data(description),
        "## Training": _training(description),
        "## Figures": [_figures(description), _precision(description)],
        "## Functions": _functions(description["signatures"]),
        "## Made with": [
            _versions(description["versions"]),
            f"SHA-256 of the model's file: `{description['weights_sha256']}`",
        ],
    }
    texts = ["\n\n".join([title, *filter(None, of)]) for title, of in sections.items() if any(of)]
    return "\n\n".join(texts) + "\n"


def _model(description: dict[str, Any]) -> str:
    height, width, channels = description["image_shape"]
    kind = "grey" if channels == 1 else "RGB"
    return (
        f"{_KINDS[description['kind']][0]} of {width}x{height} pixels, {kind}, "
        f"with {description['parameters']:,} parameters. Format: {description['format']}."
    )


def _labels(description: dict[str, Any]) -> str:
    labels = ", ".join(f"{i} {name}" for i, name in enumerate(description["labels"]))
    return f"Labels: {labels or 'none'}."


def _training_data(description: dict[str, Any]) -> list[str]:
    provenance = description["data_provenance"]
    lines = [
        f"Data: {description['data']}.",
        f"Licence of the data: {description['data_licence']}.",
        "\n".join(f"* `{split}`: {_split(of)}" for split, of in provenance.items() if _split(of)),
    ]
    citations = dict.fromkeys(
        one["citation"]
        for of in provenance.values()
        for one in of.get("sources", {}).values()
        if one.get("citation")
    )
    return [*lines, *citations, _more_in_json(provenance)]


def _split(of: dict[str, Any]) -> str:
    """One split of the data, in words."""
    said = []
    if "images" in of:
        classes = of.get("class_counts", {})
        counts = ", ".join(f"{name} {count:,}" for name, count in classes.items())
        said.append(f"{of['images']:,} images" + (f" ({counts})" if counts else ""))
    if "split_rule" in of:
        said.append(of["split_rule"])
    if "removed" in of:
        removed = "; ".join(f"{one['count']:,} {one['what']}" for one in of["removed"])
        said.append(f"removed: {removed or 'nothing'}")
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in said)


def _more_in_json(provenance: dict[str, Any]) -> str:
    if not provenance:
        return ""
    return "`data_provenance` in the JSON file beside this card has the rest."


def _training(description: dict[str, Any]) -> list[str]:
    if description["kind"] == _PIXEL_MODEL:
        return ["Fitted in closed form; the JSON file beside this card has its settings."]
    metrics, trained = description["metrics"], description["trained_with"]
    told = []
    if description["command"]:
        told.append(f"Trained by `{description['command']}`.")
    if "steps" in metrics:
        minutes = f" in {metrics['minutes']:.1f} minutes" if "minutes" in metrics else ""
        told.append(f"{metrics['steps']:,} steps{minutes}.")
    if "versions" in trained:
        told.append(f"With {_versions(trained['versions'])}.")
    if trained.get("git", {}).get("commit"):
        changed = ", with changed files" if trained["git"].get("changed_files") else ""
        told.append(f"Code: commit {trained['git']['commit']}{changed}.")
    return told or ["No `config.json` of a run lay beside the model."]


def _figures(description: dict[str, Any]) -> str:
    if description["kind"] == _PIXEL_MODEL:
        return "`python -m trainers.synthesis` measures pixel models on pairs of faces."
    metrics = description["metrics"]
    if "bits_per_dim" not in metrics:
        return (
            f"No `result.json` of this file: a finished run has one of its `{_MEASURED}`. "
            "`python -m trainers.evaluate` measures any model."
        )
    text = f"{metrics['bits_per_dim']:.4f} bits/dim on {metrics['images']:,} held-out images"
    if metrics.get("standard_error") is not None:
        text += f", standard error {metrics['standard_error']:.4f}"
    per_label = metrics.get("per_label", {})
    named = ", ".join(f"{name} {one['bits_per_dim']:.4f}" for name, one in per_label.items())
    text = f"{text}." + (f" Of each label: {named}." if named else "")
    if metrics.get("inverse_error") is not None:
        text += (
            " Largest error of an image that is encoded and decoded, of the pixel range: "
            f"{metrics['inverse_error']:.1e}."
        )
    return text


def _precision(description: dict[str, Any]) -> str:
    precision = description.get("precision", "float32")
    if precision == "float32" or "bits_per_dim" not in description["metrics"]:
        return ""
    return (
        f"Measured before the weights were written in {precision}; `python -m export.report` "
        "tells what that changes."
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


def _functions(found: dict[str, Any]) -> list[str]:
    if not found:
        return []
    lines = ["| function | takes | gives |", "| --- | --- | --- |"]
    for name, one in found.items():
        takes = "; ".join(
            f"`{given}` {about['dtype']} {about['shape']}" for given, about in one["inputs"].items()
        )
        gives = "; ".join(f"`{output}`, {about}" for output, about in one["outputs"].items())
        lines.append(f"| `{name}`: {one['about']} | {takes} | {gives} |")
    return ["\n".join(lines), "-1 stands for the number of rows of a call."]


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


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


def _shareable_command(command: str | None) -> str | None:
    """A command without these folders."""
    if command is None:
        return None
    parts = (word.partition("=") for word in shlex.split(command))
    return shlex.join(
        _shareable(name) + equals + _shareable(value) for name, equals, value in parts
    )


def _sources(provenance: dict[str, Any]) -> str:
    return _joined(", ", (of["source"] for of in provenance.values() if "source" in of))


def _licences(provenance: dict[str, Any]) -> str:
    return _joined("; ", (str(of["licence"]) for of in provenance.values() if "licence" in of))


def _joined(separator: str, texts: Iterable[str]) -> str:
    return separator.join(sorted(set(texts)))
