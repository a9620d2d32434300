"""Compares the precisions of a model's TFLite file with each other and with TensorFlow.

python -m export.report --model=runs/faces/model.keras --dataset=drawn_faces --out=precisions.md
"""

from __future__ import annotations

import dataclasses
import math
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import model_path
from datasets import flags
from datasets.files import write_text
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from export.export_settings import PRECISIONS

if TYPE_CHECKING:
    import numpy as np

    from bplf_tf import BPLF
    from datasets import ImageSource

Call = Callable[..., dict[str, Any]]

_BATCH = 16


@dataclasses.dataclass(frozen=True)
class ReportSettings:
    """What to compare. Each field is a flag of the same name."""

    model: str | None = setting(None, "A run directory, or its model.keras. Required.")
    dataset: str = setting("drawn_faces", "Data set whose validation images give bits/dim.")
    data_path: str | None = setting(None, "Where that data lies.")
    images: int = setting(64, "Images, and samples, that are compared.")
    temperature: float = setting(0.7, "Of the samples.")
    seed: int = setting(0, "Of the samples.")
    repeats: int = setting(50, "Timed calls of each contender; they take turns.")
    out: str | None = setting(None, "Also write the table to this Markdown file.")

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        if not self.model:
            raise ValueError("--model is required: the model.keras of a run")
        for name in ("images", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} must be a positive integer, got {getattr(self, name)}")
        model_path(self.model)


def main(settings: ReportSettings) -> int:
    """Measures and prints; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        import tensorflow as tf

        # As a phone or a request has it: one thread for one image.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        import datasets
        from bplf_tf import load_model

        model = load_model(settings.model or "")
        height, width, channels = model.config.image_shape
        source = datasets.load(
            settings.dataset,
            "validation",
            data_path=settings.data_path,
            image_size=(height, width),
            channels=channels,
            limit=settings.images,
        )
        if model.config.classes and model.config.classes != source.classes:
            raise ValueError(
                f"--dataset={settings.dataset} has the classes {', '.join(source.classes)}, "
                f"the model {', '.join(model.config.classes)}"
            )
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error

    text = report(model, source, settings)
    print(text)
    if settings.out:
        write_text(Path(settings.out), text + "\n")
    return 0


def report(model: BPLF, source: ImageSource, settings: ReportSettings) -> str:
    """The table and how it was made, as Markdown."""
    rows = measure(model, source, settings)
    lines = [
        "| | file, MB | size, of float32's | one sample, ms | time, of SavedModel's | "
        "samples: equal pixels | largest difference, grey levels | bits/dim, change | "
        "largest change of an image |",
        "| --- " * 9 + "|",
    ]
    of_saved_model, of_float32 = rows["SavedModel"]["seconds"], rows["float32"]["bytes"]
    for name, row in rows.items():
        cells = [
            name,
            f"{row['bytes'] / 1e6:.2f}",
            f"{row['bytes'] / of_float32:.3f}",
            f"{1000 * row['seconds']:.2f}",
            f"{row['seconds'] / of_saved_model:.3f}",
            f"{100 * row['equal_pixels']:.3f} %",
            f"{row['largest_difference']}",
            f"{row['bits_per_dim_change']:+.5f}",
            f"{row['largest_bits_per_dim_change']:.5f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    images = len(source)
    about = (
        f"{images} samples at temperature {settings.temperature:g}, seed {settings.seed}, beside "
        f"`model.sample`; bits/dim of {images} validation images of {source.name}; medians of "
        f"{settings.repeats} calls in turns, batch 1, one thread, {platform.machine()}, "
        f"{platform.system()}."
    )
    return "\n".join([*lines, "", about])


def measure(
    model: BPLF, source: ImageSource, settings: ReportSettings
) -> dict[str, dict[str, float]]:
    """Figures of TensorFlow's SavedModel and of each precision, by name.

    Returns:
      `bytes` of the file (of the whole folder for TensorFlow), `seconds` of a sample,
      `equal_pixels` as a fraction, `largest_difference` in grey levels, and the change of the
      mean and, at most, of one image's bits/dim.
    """
    from export.flatbuffer import flatbuffer
    from export.litert import TFLiteFile

    contenders: dict[str, Call] = {}
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        contenders["SavedModel"] = _saved_model(model, Path(folder))
        sizes["SavedModel"] = sum(
            path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()
        )
        for precision in PRECISIONS:
            content, _ = flatbuffer(model, precision)
            contenders[precision] = TFLiteFile(content)
            sizes[precision] = len(content)
        seconds = _timed(contenders, _sample_inputs(model, 1, settings), settings.repeats)
        return {
            name: {
                "bytes": sizes[name],
                "seconds": seconds[name],
                **_differences(model, call, source, settings),
            }
            for name, call in contenders.items()
        }


def _saved_model(model: BPLF, folder: Path) -> Call:
    import tensorflow as tf

    from export.archive import write_saved_model

    write_saved_model(model, folder, most_rows=_BATCH)
    signatures = tf.saved_model.load(str(folder)).signatures

    def call(name: str, **inputs: np.ndarray) -> dict[str, Any]:
        given = {one: tf.constant(value) for one, value in inputs.items()}
        return {one: value.numpy() for one, value in signatures[name](**given).items()}

    return call


def _sample_inputs(model: BPLF, count: int, settings: ReportSettings) -> dict[str, np.ndarray]:
    import numpy as np

    numbers = np.arange(count, dtype=np.int32)
    inputs = {
        "temperature": np.full(count, settings.temperature, np.float32),
        "seed": np.stack([np.full(count, settings.seed, np.int32), numbers], axis=1),
    }
    if model.config.classes:
        inputs["label"] = numbers % len(model.config.classes)
    return inputs


def _timed(
    contenders: dict[str, Call], inputs: dict[str, np.ndarray], repeats: int
) -> dict[str, float]:
    """Median seconds of a call of `sample` for each contender; they take turns."""
    import statistics

    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(-3, repeats):  # the first calls allocate
        for name, call in contenders.items():
            started = time.perf_counter()
            call("sample", **inputs)
            if turn >= 0:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(one) for name, one in seconds.items()}


def _differences(
    model: BPLF, call: Call, source: ImageSource, settings: ReportSettings
) -> dict[str, float]:
    import numpy as np

    count = len(source)
    inputs = _sample_inputs(model, count, settings)
    expected = model.sample(
        inputs.get("label"), count, temperature=settings.temperature, seed=settings.seed
    )
    images = _in_batches(call, "sample", "image", inputs)
    difference = np.abs(images.astype(int) - expected)
    labels = {"label": source.labels} if model.config.classes else {}
    bits = _in_batches(call, "log_prob", "bits_per_dim", {"image": source.images, **labels})
    change = bits - model.bits_per_dim(source.images, labels.get("label"))
    return {
        "equal_pixels": float((difference == 0).mean()),
        "largest_difference": int(difference.max()),
        "bits_per_dim_change": float(change.mean()),
        "largest_bits_per_dim_change": float(np.abs(change).max()),
    }


def _in_batches(call: Call, name: str, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    import numpy as np

    count = len(next(iter(inputs.values())))
    parts = []
    for number in range(math.ceil(count / _BATCH)):
        cut = slice(number * _BATCH, (number + 1) * _BATCH)
        parts.append(call(name, **{one: value[cut] for one, value in inputs.items()})[output])
    return np.concatenate(parts)


if __name__ == "__main__":
    flags.run(ReportSettings, main)
