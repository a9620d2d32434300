"""The process behind `parallel.draw_many`: raw faces to standard output, one after the other."""

from __future__ import annotations

import sys

from datasets.drawn_faces.parallel import label_of
from datasets.drawn_faces.render import draw_face


def main(arguments: list[str]) -> None:
    """Write the faces part, part + step, ... below count; see `parallel.draw_many`."""
    first_seed, part, count, step, size, channels = map(int, arguments)
    for index in range(part, count, step):
        face = draw_face(first_seed + index, label_of(index), size, channels)
        sys.stdout.buffer.write(face.tobytes())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
