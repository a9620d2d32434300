"""EmotionSet as `datasets.build`, or `datasets.balance`, left it: finding it and reading it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.assemble import assemble
from datasets.emotionset.version import BALANCED, DATASET
from datasets.emotionset.work_folder import FOLDER
from datasets.source import ImageSource

_SPLIT_RULE = "official splits where the source has them, else by person"
REPORT = Path("report", "report.json")
_CONFIG = re.compile(r"(\d+)_(gray|rgb)(?:_(\w+))?")


@dataclasses.dataclass(frozen=True)
class BuiltSet:
    """One configuration on disk.

    Attributes:
      path: of the version's folder.
      size: height and width of its images.
      channels: 1 or 3.
      source: the only source it is of; "" for a merged one.
    """

    path: Path
    size: int
    channels: int
    source: str

    @property
    def version(self) -> tuple[int, ...]:
        """As numbers."""
        return tuple(int(part) for part in self.path.name.split("."))

    @property
    def name(self) -> str:
        """TFDS' name of the data set."""
        return self.path.absolute().parents[1].name


def find_built(
    places: Sequence[Path], image_size: tuple[int, int] | None, channels: int | None
) -> BuiltSet | None:
    """Finds what was built.

    Args:
      places: folders, in order of preference: a data set's own folder or one somewhere above it.
      image_size: (height, width) wanted, or None.
      channels: channels wanted, or None.

    Returns:
      of the first place that has any, the one as it was built before a balanced one; of several
      the one whose images need the least change: of the size wanted (without one, 48), else the
      smallest that is larger, else the largest; the channels wanted (without any, grey); merged
      before a single source; the newest version.
    """
    wanted = max(image_size) if image_size else 48
    for place in places:
        found = _below(place)
        if found:
            return min(
                found,
                key=lambda one: (
                    one.name != DATASET,
                    one.size < wanted,
                    abs(one.size - wanted),
                    one.channels != (channels or 1),
                    bool(one.source),
                    tuple(-part for part in one.version),
                    str(one.path),
                ),
            )
    return None


def has_report(path: Path) -> bool:
    """Whether a folder is a built set, with its report."""
    return (path / REPORT).is_file()


def read_report(path: Path) -> dict[str, Any]:
    """What `report.describe` wrote beside a built set."""
    content: dict[str, Any] = json.loads((path / REPORT).read_text(encoding="utf-8"))
    return content


def read_built(
    built: BuiltSet,
    split: str,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split; see `datasets.load`.

    Raises:
      ValueError: it has no such split.
    """
    dataset, info = open_split(built, split, limit)
    count = len(dataset)
    images = np.empty((count, *info.features["image"].shape), np.uint8)
    labels = np.empty(count, np.int32)
    place = 0
    for batch in dataset.batch(500).as_numpy_iterator():
        end = place + len(batch["label"])
        images[place:end], labels[place:end] = batch["image"], batch["label"]
        place = end
    classes = tuple(info.features["label"].names)
    return assemble(
        "emotionset",
        split,
        images,
        labels,
        classes,
        built_provenance(built, split),
        image_size,
        channels,
        limit,
    )


def open_split(built: BuiltSet, split: str, limit: int | None = None) -> tuple[Any, Any]:
    """The first `limit` examples of a split as a `tf.data.Dataset`, and TFDS' info of the set.

    Raises:
      ValueError: it has no such split.
    """
    import tensorflow_datasets as tfds

    from datasets.quiet_tfds import quiet_tfds

    with quiet_tfds(bars=False):
        builder = tfds.builder_from_directory(str(built.path))
        if split not in builder.info.splits:
            raise ValueError(
                f"{built.path} has no {split} split; it has {', '.join(builder.info.splits)}"
            )
        count = builder.info.splits[split].num_examples
        dataset = builder.as_dataset(
            split=f"{split}[:{min(limit or count, count)}]",
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            shuffle_files=False,
        )
    return dataset, builder.info


def built_provenance(built: BuiltSet, split: str) -> dict[str, Any]:
    """What a split was made of, for the provenance of what is read from it."""
    content = read_report(built.path)
    sources = {
        name: {
            "title": source["title"],
            "images": sum(source["splits"][split].values()),
            "licence": source["licence"],
            "citation": source["citation"],
        }
        for name, source in content["sources"].items()
    }
    removed = [
        {"count": one["images"], "what": reason, "why": f"step {one['step']}, of all splits"}
        for reason, one in content["all"]["dropped"].items()
    ]
    licences = dict.fromkeys(f"{one['title']}: {one['licence']}" for one in sources.values())
    return {
        "source": built.name,
        "path": str(built.path.resolve()),
        "version": built.path.name,
        "sources": sources,
        "split_rule": content.get("split_rule", _SPLIT_RULE),
        "removed": removed,
        "settings": content["settings"],
        "licence": "; ".join(licences),
    }


def _below(place: Path) -> list[BuiltSet]:
    if not place.is_dir():
        return []
    found = []
    for info in (place / "dataset_info.json", *place.rglob("dataset_info.json")):
        config = _CONFIG.fullmatch(info.parent.parent.name)
        version = re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
        is_ours = info.is_file() and info.absolute().parents[2].name in (DATASET, BALANCED)
        # What is being built just now, or was when a process was killed.
        unfinished = FOLDER in info.parts or any(one.endswith(".partial") for one in info.parts)
        is_ours = is_ours and not unfinished
        if config and version and is_ours and has_report(info.parent):
            size, colour, source = config.groups()
            channels = 1 if colour == "gray" else 3
            found.append(BuiltSet(info.parent, int(size), channels, source or ""))
    return list(dict.fromkeys(found))
