"""TFDS without its lines of information, which bury what a user wants to read."""

import contextlib
import io
from collections.abc import Iterator

from absl import logging


@contextlib.contextmanager
def quiet_tfds(bars: bool = True) -> Iterator[None]:
    """Keeps errors inside the block and, if `bars`, what TFDS prints: its progress."""
    import tensorflow_datasets as tfds

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    with contextlib.ExitStack() as silence:
        if not bars:
            tfds.disable_progress_bar()
            silence.callback(tfds.enable_progress_bar)
            silence.enter_context(contextlib.redirect_stdout(io.StringIO()))
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
