"""The `tf.data` input path: from an `ImageSource` in memory to batches.

The order of the training images, their flips and shifts are a function of (seed, step) and the
position in the batch, and of nothing else: no state is kept, so a run that starts at step s sees
what a run from the beginning sees at step s, on any number of devices.
"""

import dataclasses

import tensorflow as tf

from datasets.source import ImageSource

# Kept apart from whatever else is drawn from the same seed, such as the dequantisation noise.
_ORDER_STREAM = 0x6F726465  # "orde"
_FLIP_STREAM = 0x666C6970  # "flip"
_SHIFT_STREAM = 0x73686966  # "shif"


@dataclasses.dataclass(frozen=True)
class Share:
    """Which images of every batch are dealt to a process that feeds some of the replicas.

    Replica r of R gets the images at the positions r, r + R, r + 2 R, ... of the batch. The data
    set of a process yields, for every batch, the part of each of its replicas in turn: what
    `tf.distribute.Strategy.distribute_datasets_from_function` takes.

    Attributes:
        first: The process's first replica, from 0.
        local: Its number of replicas.
        total: The number of replicas of all processes.
    """

    first: int = 0
    local: int = 1
    total: int = 1


WHOLE = Share()


def steps_per_epoch(source: ImageSource, batch_size: int) -> int:
    """The number of batches in which every image comes once; the last one may be short."""
    _check_batch_size(batch_size)
    return -(-len(source) // batch_size)


def training_dataset(
    source: ImageSource,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    flip: bool = False,
    shift: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Batches without end, in a new order at each epoch.

    Step s is batch `s % steps_per_epoch` of epoch `s // steps_per_epoch`. An epoch has every image
    once, in a pseudorandom permutation that depends on (seed, epoch); its last batch is short if
    the images do not divide evenly.

    Args:
        source: The images, which are kept in memory.
        batch_size: Images per batch, at least 1.
        seed: From 0 to 2^63 - 1.
        start_step: The number of batches to start after: the first batch is the one that another
            call with `start_step=0` would give after so many.
        flip: Whether to mirror images left to right, each with probability 1/2, by a draw that
            depends on (seed, step, position in the batch).
        shift: Pixels, from 0 up: images are moved by up to so many whole ones up or down, and left
            or right, by draws that depend on the same; what comes into sight repeats the edge.
        share: The part of each batch that this process's replicas get.

    Returns:
        A dataset of (uint8 `[B, H, W, C]`, int32 `[B]`) without end.

    Raises:
        ValueError: If `batch_size`, `seed`, `start_step` or `shift` is out of range.
    """
    steps = steps_per_epoch(source, batch_size)
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must be from 0 to 2^63 - 1; got {seed}")
    if start_step < 0:
        raise ValueError(f"start_step must be at least 0; got {start_step}")
    if not 0 <= shift < min(source.image_shape[:2]):
        raise ValueError(
            f"shift must be at least 0 and less than the images' sides; got {shift} for "
            f"{source.image_shape}"
        )
    count = len(source)
    images, labels = _in_memory(source)

    def batch(element: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        step, replica = _step_and_replica(element, share)
        epoch, batch_of_epoch = step // steps, step % steps
        first = batch_of_epoch * batch_size
        positions = tf.range(first, tf.minimum(first + batch_size, count))
        key = tf.cast(_key(seed, _ORDER_STREAM, epoch), tf.uint32)
        chosen = tf.random.experimental.index_shuffle(
            positions, seed=key, max_index=tf.constant(count - 1, tf.int64)
        )
        chosen = chosen[replica :: share.total]
        batch_images = tf.gather(images, chosen)
        if flip:
            # Drawn for a whole batch and cut: neither a short batch nor its parts change a draw.
            key = _key(seed, _FLIP_STREAM, step)
            draws = tf.random.stateless_uniform([batch_size], key, alg="philox")
            batch_images = _flip_half(batch_images, draws[replica :: share.total])
        if shift:
            key = _key(seed, _SHIFT_STREAM, step)
            moves = tf.random.stateless_uniform(
                [batch_size, 2], key, -shift, shift + 1, tf.int32, alg="philox"
            )
            batch_images = _shifted(batch_images, moves[replica :: share.total])
        return _with_shape(batch_images, tf.gather(labels, chosen), source, batch_size, share)

    dataset = tf.data.Dataset.counter(start=start_step * share.local)
    return _finish(dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE))


def evaluation_dataset(
    source: ImageSource, batch_size: int, share: Share = WHOLE
) -> tf.data.Dataset:
    """Every image once, in order, with a short last batch where they do not divide evenly.

    Args:
        source: The images, which are kept in memory.
        batch_size: Images per batch, at least 1.
        share: The part of each batch that this process's replicas get; of a short one it can be
            empty.

    Returns:
        A dataset of (uint8 `[B, H, W, C]`, int32 `[B]`).

    Raises:
        ValueError: If `batch_size` is less than 1.
    """
    steps = steps_per_epoch(source, batch_size)
    images, labels = _in_memory(source)

    def batch(element: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        step, replica = _step_and_replica(element, share)
        rows = slice(step * batch_size + replica, (step + 1) * batch_size, share.total)
        return _with_shape(images[rows], labels[rows], source, batch_size, share)

    dataset = tf.data.Dataset.range(steps * share.local)
    return _finish(dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE))


def _in_memory(source: ImageSource) -> tuple[tf.Tensor, tf.Tensor]:
    # Eager tensors that the map function captures are its inputs, not constants in its graph.
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(source.images), tf.constant(source.labels)


def _key(seed: int, stream: int, number: tf.Tensor) -> tf.Tensor:
    """A random seed, int64 `[2]`, of its own for every (seed, stream, number)."""
    start = tf.constant([seed, stream], tf.int64)
    return tf.random.experimental.stateless_fold_in(start, number, alg="philox")


def _step_and_replica(element: tf.Tensor, share: Share) -> tuple[tf.Tensor, tf.Tensor]:
    return element // share.local, share.first + element % share.local


def _flip_half(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    draws = draws[: tf.shape(images)[0]]
    return tf.where(draws[:, None, None, None] < 0.5, tf.reverse(images, [2]), images)


def _shifted(images: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
    """Moves images `[B, H, W, C]` down and to the right by `[at least B, 2]` pixels."""
    moves = moves[: tf.shape(images)[0]]
    for axis in (1, 2):
        side = tf.shape(images)[axis]
        # Of each place, the one that comes to it; beyond the edge, the edge.
        places = tf.clip_by_value(tf.range(side) - moves[:, axis - 1, None], 0, side - 1)
        images = tf.gather(images, places, axis=axis, batch_dims=1)
    return images


def _with_shape(
    images: tf.Tensor, labels: tf.Tensor, source: ImageSource, batch_size: int, share: Share
) -> tuple[tf.Tensor, tf.Tensor]:
    """Fixes the static shape; the batch size too, where every batch is full."""
    even = len(source) % batch_size == 0 and batch_size % share.total == 0
    size = batch_size // share.total if even else None
    return tf.ensure_shape(images, [size, *source.image_shape]), tf.ensure_shape(labels, [size])


def _finish(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def _check_batch_size(batch_size: int) -> None:
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1; got {batch_size!r}")
