"""TFDS without its lines of information, which bury what a user wants to read."""

import contextlib
from collections.abc import Iterator

from absl import logging


@contextlib.contextmanager
def quiet_tfds(bars: bool = True) -> Iterator[None]:
    """Keeps warnings and errors inside the block, and progress bars if `bars`."""
    import tensorflow_datasets as tfds

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    if not bars:
        tfds.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not bars:
            tfds.enable_progress_bar()
