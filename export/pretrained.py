"""Puts the model of a run into the library, for `bplf_tf.load_pretrained`.

python -m export.pretrained --model=runs/drawn_faces --name=drawn_faces
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

from bplf_tf.files import model_path
from datasets import flags
from datasets.files import folder_written_aside, write_json
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow

FOLDER = Path(__file__).parents[1] / "bplf_tf" / "pretrained_models"
MOST_BYTES = 3_000_000


@dataclasses.dataclass(frozen=True)
class PretrainedSettings:
    """What to take. Each field is a flag of the same name."""

    model: str | None = setting(None, "The run directory of the model. Required.")
    name: str | None = setting(None, "By which load_pretrained finds it. Required.")

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        if not self.model:
            raise ValueError("--model is required: a run directory")
        if not (self.name and re.fullmatch("[a-z][a-z0-9_]*", self.name)):
            raise ValueError(f"--name must be a word of a-z, 0-9 and _, got {self.name!r}")
        if (FOLDER / self.name).exists():
            raise FileExistsError(f"{FOLDER / self.name} exists: remove it first")
        size = model_path(self.model).stat().st_size
        if size > MOST_BYTES:
            raise ValueError(
                f"the model has {size / 1e6:.1f} MB; what comes with the library has at most "
                f"{MOST_BYTES / 1e6:.0f} MB"
            )
        for name in ("config.json", "result.json"):
            if not (Path(self.model) / name).is_file():
                raise FileNotFoundError(f"{self.model} has no {name}: it is no finished run")
        config = json.loads((Path(self.model) / "config.json").read_text(encoding="utf-8"))
        sources = {of["source"] for of in config["data"].values()}
        if sources != {"drawn_faces"}:
            raise ValueError(
                f"{self.model} saw {', '.join(sorted(sources))}: only weights trained on "
                "drawn faces, which belong to this project, may come with it"
            )


def main(settings: PretrainedSettings) -> int:
    """Copies the model and writes its card; returns the exit code."""
    try:
        settings.check()
        import_tensorflow()
        from bplf_tf import load_model

        run, name = Path(settings.model or ""), settings.name or ""
        model = load_model(run)
    except (ValueError, OSError) as error:
        raise flags.UserError(str(error)) from error

    from export import model_card

    with folder_written_aside(FOLDER / name) as aside:
        shutil.copyfile(run / "model.keras", aside / "model.keras")
        write_json(aside / "config.json", _of_any_machine(run, name))
        shutil.copyfile(run / "result.json", aside / "result.json")
        description = model_card.describe(
            model,
            aside / "model.keras",
            exported=(),  # a Keras file has the methods of `BPLF`, not the functions of an export
            data=None,
            data_licence=None,
            name=name,
            format="Keras file",
        )
        model_card.write(aside, description)
    print(f"wrote {FOLDER / name}")
    return 0


def _of_any_machine(run: Path, name: str) -> dict[str, Any]:
    """The run's config.json, with a run directory that everyone can have."""
    config: dict[str, Any] = json.loads((run / "config.json").read_text(encoding="utf-8"))
    given = config["settings"]["run_dir"]
    config["settings"]["run_dir"] = f"runs/{name}"
    config["command"] = config["command"].replace(given, f"runs/{name}")
    return config


if __name__ == "__main__":
    flags.run(PretrainedSettings, main)
