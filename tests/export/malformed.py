"""Ways in which a request can be wrong: all else in it is right."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from PIL import Image

from tests.export.png_files import SIDE, UNSOUND, picture, promising, saved

LABELS = ("label", "source", "target")
UNKNOWN = ("", "Happy", " happy", "happy\0", "hapy", "3", "\0", "é" * 50, b"\xff\xfe", "x" * 9000)


@dataclasses.dataclass(frozen=True)
class Malformed:
    """One kind.

    Attributes:
      concerns: whether an input, by name and dtype, can be wrong like this.
      spoil: makes it so, given a random generator and the right values; None leaves it out.
      told: what the refusal says.
      all_inputs: whether every input of the request is spoilt, and not one of those it concerns.
    """

    concerns: Callable
    spoil: Callable
    told: str
    all_inputs: bool = False


def named(*names):
    return lambda name, dtype: name in names


def one_row(value_of):
    """Spoils one row, anywhere among right ones, or one number of it."""

    def spoil(rng, values):
        spoilt = values.copy()
        at = rng.integers(values.size)
        spoilt.flat[at] = value_of(rng, values.flat[at])
        return spoilt

    return spoil


def one_of(values):
    return one_row(lambda rng, _: values[rng.integers(len(values))])


def of_another_size(rng, images):
    height, width, channels = SIDE, SIDE, 1
    while (height, width, channels) == (SIDE, SIDE, 1):
        height, width = (int(rng.choice([0, 1, SIDE - 1, SIDE, 2 * SIDE])) for _ in range(2))
        channels = int(rng.choice([1, 1, 3]))
    return np.zeros([len(images), height, width, channels], np.uint8)


def out_of_range(rng, _):
    return rng.choice([-1, 7, rng.integers(7, 2**31), rng.integers(-(2**31), 0)])


OTHER_SIZES = [picture(height, width) for height, width in ((15, 16), (16, 17), (48, 48), (1, 1))]
# One of a few bytes, and one with all the pixels that it says it has.
HUGE = [promising(10_000, 10_000), saved(Image.new("1", (10_000, 10_000)))]

KINDS = {
    "unknown label": Malformed(
        lambda name, dtype: name in LABELS and dtype == tf.string,
        one_of(UNKNOWN),
        "(label|source|target) must be one of anger, .*, got",
    ),
    "label out of range": Malformed(
        lambda name, dtype: name in LABELS and dtype == tf.int32,
        one_row(out_of_range),
        r"(label|source|target) must lie in 0\.\.6 \(0 anger, .*\), got",
    ),
    "image of another size": Malformed(named("image"), of_another_size, r"(?i)shape"),
    "not a number": Malformed(
        lambda name, dtype: dtype == tf.float32,
        one_of([np.nan]),
        r"(temperature|strength|condition|latent) must (lie in|be \d+ numbers in)",
    ),
    "temperature negative": Malformed(
        named("temperature"),
        one_row(lambda rng, _: -(10 ** rng.uniform(-6, 38))),
        r"temperature must lie in 0\.\.10, got.*-",
    ),
    "temperature huge": Malformed(
        named("temperature"),
        one_row(lambda rng, _: 10 ** rng.uniform(1.001, 38)),
        r"temperature must lie in 0\.\.10, got",
    ),
    "seed missing": Malformed(
        named("seed"), lambda rng, values: None, "must feed a value for .*seed"
    ),
    "batch of 0": Malformed(
        lambda name, dtype: True,
        lambda rng, values: values[:0],
        r"a call must have 1 to 8 rows, got.*\b0\b",
        all_inputs=True,
    ),
    "PNG cut off": Malformed(
        named("png_bytes"),
        one_row(lambda rng, file: file[: rng.integers(len(file))]),
        "png_bytes must be a PNG of 16x16 pixels, got.*(no PNG|breaks off)",
    ),
    "PNG of another size": Malformed(
        named("png_bytes"),
        one_of(OTHER_SIZES),
        r"png_bytes must be a PNG of 16x16 pixels, got.*a PNG of \d+x\d+ pixels",
    ),
    "PNG of 10,000x10,000": Malformed(
        named("png_bytes"),
        one_of(HUGE),
        "png_bytes must be a PNG of 16x16 pixels, got.*a PNG of 10000x10000 pixels",
    ),
    "PNG that loses its transparency": Malformed(
        named("png_bytes"),
        one_of(list(UNSOUND.values())),
        "png_bytes must be a PNG of which no part is damaged or out of place",
    ),
}
