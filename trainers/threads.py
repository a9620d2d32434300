"""How many CPU threads share the work of one TensorFlow operation."""

from __future__ import annotations

import os

# Up to so many cores, one thread per operation is quicker: a flow is many small operations, and
# those that do not need each other run side by side anyway.
FEW_CORES = 2


def set_threads(per_operation: int, cores: int) -> None:
    """Sets the threads within one operation; must come before TensorFlow's first computation.

    Args:
      per_operation: number of threads; 0 chooses one where there are at most `FEW_CORES` cores,
        and leaves the choice to TensorFlow elsewhere, and to TF_NUM_INTRAOP_THREADS if it is set.
      cores: that this process may use.

    Raises:
      ValueError: a number was asked for when TensorFlow had already started its threads.
    """
    import tensorflow as tf

    if not per_operation and "TF_NUM_INTRAOP_THREADS" in os.environ:
        return  # TensorFlow's own setting
    threads = per_operation or (1 if cores <= FEW_CORES else 0)
    if threads == tf.config.threading.get_intra_op_parallelism_threads():
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        if per_operation:
            raise ValueError(
                f"--threads_per_operation={per_operation} must be set before TensorFlow's first "
                f"computation in this process"
            ) from error
