"""Draws what is sent to a SavedModel: right inputs, and wrong ones.

Right ones are drawn so that the model itself can be asked for the same.
"""

import zlib

import numpy as np
import tensorflow as tf

from export import png
from tests.export.png_files import KINDS, SIDE, file_of, split

SEED = 11
NUMBERS = 8  # of the images of that seed
TEMPERATURES = (0.3, 0.7, 1.0)
STRENGTHS = (0.0, 0.5, 1.0, 1.5)


class Caller:
    """Draws the inputs of calls, right in most."""

    def __init__(self, rng, classes, images):
        self.rng, self.classes, self.images = rng, classes, images[:64]

    def inputs(self, wanted):
        """Of a signature's inputs: all right in six of ten calls."""
        rows = int(self.rng.choice([1, 1, 1, 2, 2, 3, 8]))
        if self.chance(0.04):
            rows = int(self.rng.choice([0, 9]))
        careful = self.chance(0.6)
        given = {}
        for name, about in sorted(wanted.items()):  # a map's own order changes
            dtype = tf.as_dtype(about.dtype)
            of_its_own = not careful and self.chance(0.1)
            count = int(self.rng.integers(0, 10)) if of_its_own else rows
            value = self.right(name, dtype, count)
            wrong = not careful and self.chance(0.8 if name == "png_bytes" else 0.3)
            given[name] = self.wrong(name, dtype, value) if wrong else value
        if not careful and self.chance(0.1):
            del given[str(self.rng.choice(sorted(given)))]
        return given

    def right_inputs(self, wanted, rows):
        """Of a signature's inputs: all right."""
        return {
            name: self.right(name, tf.as_dtype(about.dtype), rows)
            for name, about in sorted(wanted.items())
        }

    def chance(self, share):
        return self.rng.random() < share

    def right(self, name, dtype, rows):
        rng = self.rng
        if name == "png_bytes":
            return objects([self.file() for _ in range(rows)])
        if dtype == tf.string:
            return objects(rng.choice(self.classes, rows).tolist())
        if name == "temperature":
            some = rng.choice(TEMPERATURES, rows) if self.chance(0.8) else rng.uniform(0, 10, rows)
            return some.astype(np.float32)
        if name == "strength":
            some = rng.choice(STRENGTHS, rows) if self.chance(0.8) else rng.uniform(-10, 10, rows)
            return some.astype(np.float32)
        if name == "seed":
            if self.chance(0.8):
                return np.stack(
                    [np.full(rows, SEED), rng.integers(0, NUMBERS, rows)], axis=1
                ).astype(np.int32)
            return rng.integers(-(2**31), 2**31, [rows, 2]).astype(np.int32)
        if name == "condition":
            return rng.dirichlet(np.ones(7), rows).astype(np.float32).reshape(rows, 7)
        if name == "latent":
            return rng.normal(size=[rows, SIDE**2]).astype(np.float32)
        if name == "image":
            return self.images[rng.integers(len(self.images), size=rows)]
        return rng.integers(0, 7, rows).astype(np.int32)

    def file(self):
        if self.chance(0.2):
            return KINDS[str(self.rng.choice(sorted(KINDS)))]
        return png.encoded(self.images[self.rng.integers(len(self.images))])

    def wrong(self, name, dtype, value):
        """Of another shape or type, or with values that are not accepted; by chance still right."""
        rng = self.rng
        if self.chance(0.15):
            shape = [int(side) for side in rng.integers(0, 5, rng.integers(0, 6))]
            if not value.size:  # NumPy would fill strings with the integer 0
                return np.full(shape, b"" if value.dtype == object else 0, value.dtype)
            return np.resize(value, shape)
        if self.chance(0.1) and dtype != tf.string:
            return value.astype(str(rng.choice(["float32", "int64", "float64", "bool"])))
        if name == "png_bytes":
            return objects([self.damaged(file) for file in value])
        value = value.copy()
        if not value.size:
            return value
        at = np.unravel_index(rng.integers(value.size), value.shape)
        if dtype == tf.string:
            value[at] = str(rng.choice(["", "Happy", "happy\0", "hapy", "\x00", "é" * 50]))
        elif dtype.is_floating:
            some = (np.nan, np.inf, -np.inf, -11, 1e6, 1e10, -1e38)
            value[at] = rng.choice(some)
        elif dtype == tf.int32:
            value[at] = rng.choice([-1, 7, 100, 2**31 - 1, -(2**31)])
        return value

    def damaged(self, file):
        """Bytes changed or cut off anywhere; or inside of chunks, whose checksums are right."""
        rng = self.rng
        kind = rng.integers(4)
        if kind == 0:
            changed = bytearray(file)
            for _ in range(int(rng.choice([1, 3, 30]))):
                changed[rng.integers(len(changed))] = rng.integers(256)
            return bytes(changed)
        if kind == 1:
            return file[: rng.integers(len(file))]
        header, *chunks, end = split(file)
        if kind == 2:  # behind the header
            number = rng.integers(len(chunks))
            content = bytearray(chunks[number])
            for _ in range(int(rng.choice([1, 3, 30]))):
                content[rng.integers(4, len(content))] = rng.integers(256)
            chunks[number] = bytes(content)
        elif self.chance(0.5):  # rows that are missing, in a stream that is whole
            rows = zlib.decompress(b"".join(one[4:] for one in chunks if one[:4] == b"IDAT"))
            chunks = [b"IDAT" + zlib.compress(rows[: rng.integers(len(rows))])]
        else:
            chunks = [chunks[i] for i in rng.integers(0, len(chunks), rng.integers(0, 4))]
        return file_of(header, *chunks, end)


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
