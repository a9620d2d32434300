"""The training and the test part of a data set that TensorFlow Datasets (TFDS) knows."""

import logging
from pathlib import Path

import numpy as np

from datasets.npz import Parts

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

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if not Path(builder.data_dir).is_dir():
            logger.warning("%s is not in %s: TFDS downloads it", name, builder.data_dir)
        builder.download_and_prepare()
    except Exception as error:  # TFDS lets the errors of several network and file libraries through
        raise FileNotFoundError(
            f"{name} is not prepared in TFDS' data directory "
            f"({data_dir or 'the default, ~/tensorflow_datasets'}), and downloading it failed "
            f"({type(error).__name__}: {error}). Without a network, give "
            f"--data_path={name}.npz (x_train, y_train, x_test, y_test) or --data_path=the data "
            f"directory of a TFDS that has it."
        ) from error
    parts = {}
    for part in ("train", "test"):
        examples = tfds.as_numpy(builder.as_dataset(split=part, batch_size=-1, shuffle_files=False))
        parts[part] = (examples["image"], examples["label"].astype(np.int32))
    return parts, str(builder.data_dir)
