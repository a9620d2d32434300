"""`datasets.files`, by the name that the trainers know."""

from datasets.files import (
    WriteError,
    reason,
    system_reason,
    write_csv,
    write_json,
    write_text,
    written_aside,
)

__all__ = [
    "WriteError",
    "reason",
    "system_reason",
    "write_csv",
    "write_json",
    "write_text",
    "written_aside",
]
