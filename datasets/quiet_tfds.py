"""TFDS without its log lines and progress bars, which bury what a user wants to read."""

import contextlib
from collections.abc import Iterator

from absl import logging


@contextlib.contextmanager
def quiet_tfds() -> Iterator[None]:
    """Keeps warnings and errors; information and progress bars are left out inside the block."""
    import tensorflow_datasets as tfds

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        tfds.enable_progress_bar()
