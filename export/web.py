"""Exports a trained model as a web page that runs it, to draw faces and to change expressions.

The page of a pixel model, which draws no faces, changes expressions alone.

    python -m export.web --model=runs/faces/model.keras --out=site
    python -m http.server --directory site

Any static server will do; the page asks no other host for anything.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from datasets import flags
from datasets.files import folder_written_aside
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from export.export_settings import PRECISIONS, ExportSettings, check_precision
from export.web_runtime import RuntimeUnavailable, check_npm, fetch_runtime

_PAGE = Path(__file__).parent / "page"


@dataclasses.dataclass(frozen=True)
class WebSettings(ExportSettings):
    """What to export. Each field is a flag of the same name."""

    out: str | None = setting(None, "Folder to write, which must not exist. Required.")
    precision: str = setting(
        "float16", f"Of the weights, as in export.tflite: {', '.join(PRECISIONS)}."
    )

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        super().check()
        if not self.out:
            raise ValueError("--out is required: the folder to write, such as site")
        if Path(self.out).exists():
            raise FileExistsError(f"--out={self.out} exists: remove it or choose another folder")
        check_precision(self.precision)


def main(settings: WebSettings) -> int:
    """Exports and tells how to look at the page; returns the exit code."""
    try:
        settings.check()
        check_npm()
        import_tensorflow()
        from bplf_tf import BPLF
        from export.loading import load_any

        file, model = load_any(settings.model or "")
        if isinstance(model, BPLF) and not model.config.classes:
            raise ValueError(f"{file} was trained without labels: the page has nothing to choose")
    except (ValueError, OSError, RuntimeUnavailable) as error:
        raise flags.UserError(str(error)) from error

    from export import model_card
    from export.flatbuffer import flatbuffer

    out = Path(settings.out or "").absolute()
    try:
        # LiteRT.js takes no batch of another size than the file's.
        content, exported = flatbuffer(model, settings.precision, rows=1)
        with folder_written_aside(out) as aside:
            shutil.copytree(_PAGE, aside, dirs_exist_ok=True)
            fetch_runtime(aside / "runtime")
            (aside / "model.tflite").write_bytes(content)
            description = model_card.describe(
                model,
                file,
                exported,
                settings.data,
                settings.data_licence,
                name=out.name,
                format=f"web page, weights in {settings.precision}",
                precision=settings.precision,
            )
            model_card.write(aside, description)
    except (ValueError, RuntimeUnavailable) as error:
        raise flags.UserError(str(error)) from error
    print(f"wrote {settings.out}; to look at it: python -m http.server --directory {settings.out}")
    return 0


if __name__ == "__main__":
    flags.run(WebSettings, main)
