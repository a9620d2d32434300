"""Draws images from a served model, by REST or gRPC, into PNG files.

python -m export.client --url=http://localhost:8501 --label=happy --n=4 --out=faces
python -m export.client --url=grpc://localhost:8500 --label=happy --n=4 --out=faces
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datasets import flags
from datasets.files import WriteError, reason, written_aside
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from export.serving_error import ServingError

_SCHEMES = ("http", "https", "grpc", "grpcs")
_ROWS = 16  # of one call
_PNG = b"\x89PNG\r\n\x1a\n"

Draw = Callable[[str, float, list[list[int]]], list[bytes]]


@dataclasses.dataclass(frozen=True)
class ClientSettings:
    """What to ask for. Each field is a flag of the same name."""

    url: str = setting(
        "http://localhost:8501",
        "The server: http(s)://host:port for REST, grpc(s)://host:port for gRPC.",
    )
    model: str = setting("bplf", "Name of the model there.")
    label: str | None = setting(None, "Name of the label to sample. Required.")
    n: int = setting(4, "Number of images.")
    temperature: float = setting(0.7, "Factor of the latents' standard deviation, 0 to 10.")
    seed: int = setting(0, "The same seed gives the same images.")
    out: str = setting("samples", "Folder to write <label>_<number>.png into.")
    timeout: float = setting(
        10.0, f"Seconds to wait for an answer, retries included. A call asks for {_ROWS} images."
    )
    retries: int = setting(3, "Times to try again where the server cannot be reached; at most 4.")

    def check(self) -> None:
        """Checks what needs no server; raises `ValueError` naming the flag."""
        try:
            address = urlsplit(self.url)
            port = address.port
        except ValueError as error:
            raise ValueError(f"--url={self.url}: {error}") from error
        if address.scheme not in _SCHEMES or not address.hostname:
            raise ValueError(f"--url must be {', '.join(_SCHEMES)}://host:port, got {self.url!r}")
        if address.scheme.startswith("grpc"):
            if not port:
                raise ValueError(f"--url={self.url}: gRPC needs a port, such as 8500")
            if importlib.util.find_spec("tensorflow_serving") is None:
                raise ValueError(
                    "gRPC needs tensorflow-serving-api: install the extra `serving` "
                    "(.venv/bin/python -m pip install -e '.[serving]'), or use REST"
                )
        if not self.label:
            raise ValueError("--label is required: the name of a label of the model")
        if "/" in self.label or "\\" in self.label:
            raise ValueError(f"--label={self.label!r} cannot be part of a file's name")
        if self.n < 1:
            raise ValueError(f"--n must be a positive integer, got {self.n}")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(
                f"--temperature must be a finite number of at least 0, got {self.temperature}"
            )
        if not -(2**31) <= self.seed < 2**31:
            raise ValueError(f"--seed must be a 32-bit integer, got {self.seed}")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ValueError(f"--timeout must be positive, got {self.timeout}")
        if not 0 <= self.retries <= 4:
            raise ValueError(f"--retries must lie in 0..4, got {self.retries}")


def main(settings: ClientSettings) -> int:
    """Asks, writes and tells what was written; returns the exit code."""
    try:
        settings.check()
        files = drawn(settings)
    except (ValueError, ServingError) as error:
        raise flags.UserError(str(error)) from error
    folder = Path(settings.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"could not make the folder {folder}: {reason(error)}") from error
    for number, file in enumerate(files):
        with written_aside(folder / f"{settings.label}_{number}.png") as aside:
            aside.write_bytes(file)
    print(f"wrote {len(files)} images into {folder}")
    return 0


def drawn(settings: ClientSettings) -> list[bytes]:
    """PNG files of the images, in their order.

    Raises:
      ServingError: no answer, an error in the server's words, or an answer that is no PNG.
    """
    draw = _by_grpc(settings) if settings.url.startswith("grpc") else _by_rest(settings)
    files: list[bytes] = []
    for start in range(0, settings.n, _ROWS):
        numbers = range(start, min(start + _ROWS, settings.n))
        part = draw(
            settings.label or "", settings.temperature, [[settings.seed, i] for i in numbers]
        )
        if len(part) != len(numbers) or not all(
            isinstance(file, bytes) and file.startswith(_PNG) for file in part
        ):
            raise ServingError(f"{settings.url} answered with something that is no PNG files")
        files += part
    return files


def _by_rest(settings: ClientSettings) -> Draw:
    from export.rest_client import RestClient

    client = RestClient(settings.url, settings.model, settings.timeout, settings.retries)

    def draw(label: str, temperature: float, seeds: list[list[int]]) -> list[bytes]:
        count = len(seeds)
        inputs: dict[str, list[Any]] = {
            "label": [label] * count,
            "temperature": [temperature] * count,
            "seed": seeds,
        }
        answer = client.predict("sample_png", inputs)
        return answer if isinstance(answer, list) else []

    return draw


def _by_grpc(settings: ClientSettings) -> Draw:
    import_tensorflow()
    import numpy as np

    from export.grpc_client import GrpcClient

    address = urlsplit(settings.url)
    client = GrpcClient(
        address.netloc.rpartition("@")[2],  # not `hostname`, which has lost the brackets of IPv6
        settings.model,
        settings.timeout,
        settings.retries,
        secure=address.scheme == "grpcs",
    )

    def draw(label: str, temperature: float, seeds: list[list[int]]) -> list[bytes]:
        count = len(seeds)
        answer = client.predict(
            "sample_png",
            {
                "label": np.array([label.encode()] * count, dtype=object),
                "temperature": np.full(count, temperature, np.float32),
                "seed": np.array(seeds, np.int32),
            },
        )
        return list(answer.get("png_bytes", []))

    return draw


if __name__ == "__main__":
    flags.run(ClientSettings, main)
