"""Exports a trained model as a SavedModel, for TensorFlow Serving and every other TensorFlow.

python -m export.saved_model --model=runs/faces/model.keras --out=models/bplf/1
python -m export.saved_model --model=pixel.npz --out=models/pixel/1
"""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

from datasets import flags
from datasets.files import folder_written_aside
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from export.export_settings import ExportSettings


@dataclasses.dataclass(frozen=True)
class SavedModelSettings(ExportSettings):
    """What to export. Each field is a flag of the same name."""

    out: str | None = setting(
        None,
        "Folder to write: the model's name and a version number, as models/bplf/1. Required. A "
        "version that exists is not replaced.",
    )
    most_rows: int = setting(256, "Rows that a call may have: images at a time.")
    warmup: bool = setting(
        True, "Write the requests with which TensorFlow Serving warms up (extra `serving`)."
    )

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        super().check()
        if not self.out:
            raise ValueError("--out is required: the folder to write, such as models/bplf/1")
        out = Path(self.out).absolute()
        if not (out.name.isdecimal() and int(out.name) > 0):
            raise ValueError(
                f"--out={self.out} must end in a version number, such as models/bplf/1: "
                "TensorFlow Serving looks for nothing else"
            )
        if out.exists():
            raise FileExistsError(f"--out={self.out} exists: choose the next version number")
        if self.most_rows < 1:
            raise ValueError(f"--most_rows must be a positive integer, got {self.most_rows}")
        if self.warmup and importlib.util.find_spec("tensorflow_serving") is None:
            raise ValueError(
                "the warm-up requests need tensorflow-serving-api: install the extra `serving` "
                "(.venv/bin/python -m pip install -e '.[serving]'), or give --nowarmup"
            )


def main(settings: SavedModelSettings) -> int:
    """Exports and tells what was written; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from export.loading import load_any

        file, model = load_any(settings.model or "")
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error

    from export import model_card
    from export.archive import write_saved_model

    out = Path(settings.out or "").absolute()
    name = out.parent.name
    with folder_written_aside(out) as aside:
        try:
            exported = write_saved_model(model, aside, settings.most_rows)
        except ValueError as error:
            raise flags.UserError(str(error)) from error
        description = model_card.describe(
            model,
            file,
            exported,
            settings.data,
            settings.data_licence,
            name=name,
            format="SavedModel",
            version=int(out.name),
            most_rows=settings.most_rows,
        )
        model_card.write(aside, description)
        if settings.warmup:
            from export.warmup import write_warmup

            write_warmup(aside, name, exported)
    print(f"wrote {settings.out}: {', '.join(one.name for one in exported)}")
    return 0


if __name__ == "__main__":
    flags.run(SavedModelSettings, main)
