"""The report of a build: `report.html`, `report.json`, `images.csv` and pictures."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datasets.emotionset import counts
from datasets.emotionset.collection import Built
from datasets.emotionset.report_page import page
from datasets.files import write_json, write_text, written_aside

FOLDER = "report"
JSON_NAME = "report.json"
_PICTURES = "pictures"
_PER_LABEL = 16  # images of a label on the sheet of what was kept
_PER_REASON = 64  # images on a sheet of what was dropped
_LIBRARIES = ("numpy", "pillow", "opencv-python-headless", "tensorflow-datasets")


def write(built: Built, folder: Path) -> None:
    """Writes all of the report into a folder, which is made.

    Raises:
      WriteError: it cannot be written.
    """
    (folder / _PICTURES).mkdir(parents=True)
    content = describe(built)
    content["pictures"] = _write_pictures(built, folder)
    _write_images(built, folder / "images.csv")
    write_json(folder / JSON_NAME, content)
    write_text(folder / "report.html", page(content))


def describe(built: Built) -> dict[str, Any]:
    """What the report says, as JSON values."""
    records = built.collection.records
    names = [source.name for source in built.sources]
    sources = {}
    for source in built.sources:
        own = [record for record in records if record.source == source.name]
        sources[source.name] = {
            "title": source.title,
            "licence": source.licence,
            "citation": source.citation,
            "address": source.address,
            "read": sum(record.digest is not None for record in own),
            "kept": sum(record.kept for record in own),
            "steps": counts.after_steps(own),
            "retention": {step: counts.retention(own, step) for step in built.settings.steps},
            "dropped": counts.by_reason(own),
            "splits": counts.by_split(own),
        }
    return {
        "labels": list(built.settings.labels),
        "sources": sources,
        "all": {
            "read": sum(record.digest is not None for record in records),
            "kept": sum(record.kept for record in records),
            "steps": counts.after_steps(records),
            "dropped": counts.by_reason(records),
            "splits": counts.by_split(records),
        },
        "paper": counts.beside_the_paper(records, names),
        **built.describe(),
        "versions": {name: _version(name) for name in _LIBRARIES},
    }


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _write_images(built: Built, path: Path) -> None:
    """A line for each image that was found: what became of it, and why."""
    columns = ("key", "source", "label", "split", "step", "reason", "detail", "subject")
    with (
        written_aside(path) as aside,
        aside.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*columns, "provenance"))
        for record in built.collection.records:
            values = [getattr(record, column) or "" for column in columns]
            writer.writerow((*values, json.dumps(record.provenance)))


def _write_pictures(built: Built, folder: Path) -> list[dict[str, str]]:
    """Writes the pictures; returns the file and the title of each, in the order to be shown."""
    from datasets.emotionset.sheets import block_sheet, named_sheet

    written = []
    for name, title, picture in (
        ("mean_faces", "Mean face of each label", named_sheet(_mean_faces(built))),
        ("kept", "Kept images", _kept_sheet(built)),
        *(
            (f"dropped_{_file_name(reason)}", title, block_sheet(images))
            for reason, title, images in _dropped(built)
        ),
    ):
        file = f"{_PICTURES}/{name}.png"
        with written_aside(folder / file) as aside:
            picture.save(aside, format="PNG")
        written.append({"file": file, "title": title})
    return written


def _mean_faces(built: Built) -> list[tuple[str, np.ndarray]]:
    sums: dict[str, np.ndarray] = {}
    numbers: dict[str, int] = {}
    for record, picture in built.collection.kept_pictures():
        label = str(record.label)
        sums[label] = sums.get(label, 0.0) + picture.astype(np.float64)
        numbers[label] = numbers.get(label, 0) + 1
    return [
        (f"{label} ({numbers[label]})", np.rint(sums[label] / numbers[label]).astype(np.uint8))
        for label in built.settings.labels
        if label in sums
    ]


def _kept_sheet(built: Built) -> Any:
    from datasets.emotionset.sheets import evenly, rows_sheet

    rows = []
    for label in built.settings.labels:
        places = [
            place
            for place, record in enumerate(built.collection.records)
            if record.kept and record.label == label
        ]
        if places:
            some = [places[i] for i in evenly(len(places), _PER_LABEL)]
            rows.append((label, built.collection.pictures(some)))
    return rows_sheet(rows)


def _dropped(built: Built) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Per reason: its name, a title, and images."""
    from datasets.emotionset.sheets import evenly

    records = built.collection.records
    place_of = {record.key: place for place, record in enumerate(records)}
    for reason, known in counts.by_reason(records).items():
        places = [
            place
            for place, record in enumerate(records)
            if record.reason == reason and record.digest is not None
        ]
        if not places:
            continue  # it was never an image
        some = [places[i] for i in evenly(len(places), _PER_REASON)]
        shown = f", {len(some)} of {known['images']}" if len(some) < known["images"] else ""
        title = f"Dropped: {reason} (step {known['step']}{shown})"
        images = list(built.collection.small_images(some))
        if records[some[0]].copy_of is not None:
            title += "; right of each what it is a copy of"
            twins = built.collection.small_images([place_of[str(records[i].copy_of)] for i in some])
            images = [image for pair in zip(images, twins, strict=True) for image in pair]
        yield reason, title, images


def _file_name(reason: str) -> str:
    """A reason comes from a source: nothing in it may lead to another folder."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", reason)[:60]
