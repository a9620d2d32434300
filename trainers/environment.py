"""What a run ran on, for its `config.json`: versions, git commit, machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from datasets.command import command
from datasets.cores import cores, processor

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "tensorflow-datasets", "numpy")


def describe() -> dict[str, Any]:
    """Versions, git commit and machine, as plain JSON values; `None` for what is not known."""
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "git": _git(),
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """What a wall-clock time means nothing without."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": cores(),
    }


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _git() -> dict[str, Any] | None:
    commit = _git_output("rev-parse", "HEAD")
    if commit is None:  # not a checkout, or no git
        return None
    return {"commit": commit, "changed_files": bool(_git_output("status", "--porcelain"))}


def _git_output(*arguments: str) -> str | None:
    folder = str(Path(__file__).parent)
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def fit_command(arguments: list[str]) -> str:
    """`trainers.fit` as a shell in the current folder would call it, by this interpreter."""
    return command("trainers.fit", arguments)
