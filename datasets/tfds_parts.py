"""The training and the test part of a data set that TensorFlow Datasets (TFDS) knows."""

import contextlib
import logging
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from datasets.npz import Parts
from datasets.quiet_tfds import quiet_tfds

PROBE_SECONDS = 10

logger = logging.getLogger(__name__)


def read_tfds(name: str, data_dir: Path | None) -> tuple[Parts, str]:
    """Reads a TFDS image-classification data set into memory, downloading it on its first use.

    Args:
        name: TFDS' name of it; it has the splits "train" and "test".
        data_dir: TFDS' data directory; None is TFDS' default (`~/tensorflow_datasets`).

    Returns:
        "train" and "test", each as (uint8 `[N, H, W, C]`, int32 `[N]`) in TFDS' order, and the
        folder that they were read from.

    Raises:
        FileNotFoundError: If it is neither prepared nor can be downloaded.
    """
    import tensorflow_datasets as tfds

    with quiet_tfds():
        builder = tfds.builder(name, data_dir=data_dir)
        prepared = builder.is_prepared()
    if not prepared:
        _download(name, builder)
    parts = {}
    for part in ("train", "test"):
        with quiet_tfds():
            dataset = builder.as_dataset(split=part, batch_size=-1, shuffle_files=False)
        examples = tfds.as_numpy(dataset)
        parts[part] = (examples["image"], examples["label"].astype(np.int32))
    return parts, str(builder.data_dir)


def _download(name: str, builder: Any) -> None:
    logger.warning("%s is not in %s: TFDS downloads it", name, builder.data_dir)
    try:
        _probe(next(iter(builder.url_infos)))
        with quiet_tfds():
            builder.download_and_prepare()
    except ImportError:
        raise
    except Exception as error:  # TFDS lets the errors of several network and file libraries through
        raise FileNotFoundError(
            f"{name} is not in {builder.data_dir}, and TFDS could not download it "
            f"({type(error).__name__}: {error}). Without a network, give "
            f"--data_path={name}.npz (x_train, y_train, x_test, y_test), or as --data_path the "
            f"data directory of a TFDS that has it."
        ) from error


def _probe(url: str) -> None:
    """Raises OSError soon if the host cannot be reached: TFDS itself tries for several minutes."""
    # An HTTP error is an answer too: what it thinks of the request is TFDS' to find out.
    request = urllib.request.Request(url, method="HEAD")
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
