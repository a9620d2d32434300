"""Exports a trained model as a TFLite file, for phones, browsers and small machines.

python -m export.tflite --model=runs/faces/model.keras --precision=float16 --out=bplf.tflite
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from datasets import flags
from datasets.files import written_aside
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from export.export_settings import PRECISIONS, ExportSettings, check_precision

_FORMAT = "TFLite"  # how the `format` of its description begins


@dataclasses.dataclass(frozen=True)
class TFLiteSettings(ExportSettings):
    """What to export. Each field is a flag of the same name."""

    out: str = setting("bplf.tflite", "File to write; its description is written beside it.")
    precision: str = setting(
        "float16",
        f"Of the weights: {', '.join(PRECISIONS)}. float16 is about half the file and hardly "
        "changes samples; dynamic_int8 is the smallest and quickest, and changes more pixels.",
    )
    overwrite: bool = setting(False, "Replace the file, and its description, if there is one.")

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        super().check()
        check_precision(self.precision)
        if Path(self.out).suffix != ".tflite":
            raise ValueError(f"--out must end in .tflite, got {self.out!r}")
        folder = Path(self.out).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {folder}")
        for path in _places(Path(self.out)):
            _check_place(path, self.overwrite)


def _places(out: Path) -> tuple[Path, Path, Path]:
    """Where the file, its description and its card go."""
    return out, out.with_suffix(".json"), out.with_name(f"{out.stem}_card.md")


def _check_place(path: Path, overwrite: bool) -> None:
    if not path.exists():
        return
    # Such as the config.json of a run, which `--out=config.tflite` would replace.
    if path.is_dir() or (path.suffix == ".json" and not _describes_tflite(path)):
        raise FileExistsError(
            f"{path} is there already and describes no TFLite file: choose another name for --out"
        )
    if not overwrite:
        raise FileExistsError(f"{path} is there already: give --overwrite to replace it")


def _describes_tflite(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # of JSON, or of UTF-8
        return False
    return isinstance(found, dict) and str(found.get("format", "")).startswith(_FORMAT)


def main(settings: TFLiteSettings) -> int:
    """Exports and tells what was written; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from export.loading import load_any

        file, model = load_any(settings.model or "")
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error

    from export import model_card
    from export.flatbuffer import flatbuffer

    try:
        content, exported = flatbuffer(model, settings.precision)
    except ValueError as error:
        raise flags.UserError(str(error)) from error
    out = Path(settings.out)
    description = model_card.describe(
        model,
        file,
        exported,
        settings.data,
        settings.data_licence,
        name=out.stem,
        format=f"{_FORMAT}, weights in {settings.precision}",
        precision=settings.precision,
    )
    texts = model_card.files(description, out.stem)
    _write(out.parent, {out.name: content, **{name: texts[name].encode() for name in texts}})
    print(f"wrote {out}, {len(content) / 1e6:.2f} MB: {', '.join(one.name for one in exported)}")
    return 0


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes all files or none; the first takes its place last, so that it has the others."""
    with contextlib.ExitStack() as asides:
        for name, content in contents.items():
            asides.enter_context(written_aside(folder / name)).write_bytes(content)


if __name__ == "__main__":
    flags.run(TFLiteSettings, main)
