"""Where a trained classifier and its figures are written. No TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.files import write_json, written_aside

if TYPE_CHECKING:
    from bplf_tf.metrics.expression_classifier import ExpressionClassifier


def check_place(out: str | None, overwrite: bool) -> None:
    """Checks that a classifier can be written to `out`.

    Raises:
      ValueError: none is given, or it does not end in .keras.
      FileExistsError: there is such a file, and it is not to be replaced.
    """
    if not out:
        raise ValueError("--out is required: the .keras file to write the classifier to")
    path = Path(out)
    if path.suffix != ".keras":
        raise ValueError(f"--out must end in .keras, got {out!r}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: give --overwrite to replace it")


def make_place(out: str | None) -> None:
    """Makes the folder of `out`, before anything is trained for it.

    Raises:
      OSError: it cannot be made.
    """
    folder = Path(out or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # such as a file in its place
        raise OSError(f"--out={out}: the folder {folder} cannot be made: {error}") from error


def write_classifier(classifier: ExpressionClassifier, out: str, record: dict[str, Any]) -> None:
    """Writes the model, and what is to be known of it to a JSON file of the same name."""
    path = Path(out)
    with written_aside(path) as aside:
        classifier.save(aside)
    write_json(path.with_suffix(".json"), record)
    print(f"wrote {path} and {path.with_suffix('.json')}")
