"""A TFLite file in LiteRT, the interpreter of phones and browsers. Needs the extra `tflite`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter


class TFLiteFile:
    """Calls of a file's functions by name, with batches of any size.

    Attributes:
      names: of the functions.
    """

    def __init__(self, file: Path | bytes, threads: int = 1) -> None:
        """Reads the file, or takes its content.

        Args:
          file: path, or content.
          threads: to compute with.
        """
        given = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
        self._interpreter = Interpreter(**given, num_threads=threads)
        self.names = list(self._interpreter.get_signature_list())
        self._runners: dict[str, Any] = {}

    def __call__(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name."""
        if name not in self._runners:
            self._runners[name] = self._interpreter.get_signature_runner(name)
        return self._runners[name](**inputs)
