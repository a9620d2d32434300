"""`datasets.flags`, by the name that the trainers know."""

from datasets.flags import INTERRUPTED, USER_ERROR, UserError, define, read, run

__all__ = ["INTERRUPTED", "USER_ERROR", "UserError", "define", "read", "run"]
