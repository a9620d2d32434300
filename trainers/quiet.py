"""`datasets.quiet_tensorflow`, by the name that the trainers know."""

from datasets.quiet_tensorflow import import_tensorflow

__all__ = ["import_tensorflow"]
