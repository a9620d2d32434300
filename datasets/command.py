"""Commands of this checkout, as they can be pasted into a shell."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def command(module: str, arguments: Sequence[str]) -> str:
    """`python -m module` as a shell in the current folder would call it, by this interpreter."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return shlex.join([str(python), "-m", module, *arguments])
