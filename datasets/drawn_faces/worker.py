"""The process behind `parallel.draw_many`: raw faces to standard output, one after the other."""

from __future__ import annotations

import sys

from datasets.drawn_faces.parallel import draw_part


def main(arguments: list[str]) -> None:
    """Write the faces that the arguments of `parallel.draw_part` ask for."""
    first_seed, part, count, step, size, channels, faces_each, align = map(int, arguments)
    for face in draw_part(
        first_seed, part, count, step, size, channels, faces_each, align=bool(align)
    ):
        sys.stdout.buffer.write(face.tobytes())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
