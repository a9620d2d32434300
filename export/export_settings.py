"""The flags that all exports of a trained model share."""

from __future__ import annotations

import dataclasses

from bplf_tf.files import model_path
from datasets.flags import setting

PRECISIONS = ("float16", "float32", "dynamic_int8")


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Which model, and what its card cannot find out. Each field is a flag of the same name."""

    model: str | None = setting(
        None,
        "A run directory, or its model.keras, or the .npz of a pixel model; "
        "bplf_tf/pretrained_models/drawn_faces comes with the library. Required.",
    )
    data: str | None = setting(
        None, "What the model was trained on, for its card, where its run directory does not tell."
    )
    data_licence: str | None = setting(None, "Licence of that data, likewise.")

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `OSError` naming the flag."""
        if not self.model:
            raise ValueError(
                "--model is required: a run directory or its model.keras, the .npz of a pixel "
                "model, or bplf_tf/pretrained_models/drawn_faces"
            )
        model_path(self.model)


def check_precision(precision: str) -> None:
    """Raises `ValueError` for a precision of weights that there is not."""
    if precision not in PRECISIONS:
        raise ValueError(f"--precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
