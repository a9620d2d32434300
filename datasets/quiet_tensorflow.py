"""Imports TensorFlow without its start-up notices, so that a log begins with what matters."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from absl import logging


def import_tensorflow() -> None:
    """Imports TensorFlow and looks for devices, with its notices held back.

    They are let through where they can matter: on a machine with an NVIDIA driver they tell
    whether the GPU was found; with TF_CPP_MIN_LOG_LEVEL set, the user has chosen; and when the
    import fails.
    """
    wanted = "TF_CPP_MIN_LOG_LEVEL" in os.environ or Path("/proc/driver/nvidia").exists()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with contextlib.nullcontext() if wanted else _standard_error_held_back():
        import tensorflow as tf

        tf.config.list_physical_devices()
    if not wanted:  # how long a saver took, which collectives it built
        logging.set_verbosity(logging.WARNING)
        tf.get_logger().setLevel("WARNING")


@contextlib.contextmanager
def _standard_error_held_back() -> Iterator[None]:
    # The level alone does not do: TensorFlow's first notices come before its logging starts, and
    # from C++, so that only the file descriptor itself catches them.
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
