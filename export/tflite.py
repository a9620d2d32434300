"""Exports a trained model as a TFLite file, for phones, browsers and small machines.

python -m export.tflite --model=runs/faces/model.keras --precision=float16 --out=bplf.tflite
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from datasets import flags
from datasets.files import written_aside
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from export.export_settings import PRECISIONS, ExportSettings, check_precision


@dataclasses.dataclass(frozen=True)
class TFLiteSettings(ExportSettings):
    """What to export. Each field is a flag of the same name."""

    out: str = setting("bplf.tflite", "File to write; its description is written beside it.")
    precision: str = setting(
        "float16",
        f"Of the weights: {', '.join(PRECISIONS)}. float16 is about half the file and hardly "
        "changes samples; dynamic_int8 is the smallest and quickest, and changes more pixels.",
    )

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        super().check()
        check_precision(self.precision)
        if Path(self.out).suffix != ".tflite":
            raise ValueError(f"--out must end in .tflite, got {self.out!r}")
        folder = Path(self.out).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"--out={self.out}: there is no folder {folder}")


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
        format=f"TFLite, weights in {settings.precision}",
        precision=settings.precision,
    )
    with written_aside(out) as aside:
        aside.write_bytes(content)
    model_card.write(out.parent, description, out.stem)
    print(f"wrote {out}, {len(content) / 1e6:.2f} MB: {', '.join(one.name for one in exported)}")
    return 0


if __name__ == "__main__":
    flags.run(TFLiteSettings, main)
