"""Where ``unhub.lock`` lies: beside the settings, else at the top of the repository, else here."""

from __future__ import annotations

from pathlib import Path

from unhub.cli.configuration import Configuration


def lock_path(configuration: Configuration, start: Path) -> Path:
    """The path of the lock file for work in ``start``, whether it exists or not."""
    if configuration.folder is not None:
        return configuration.folder / "unhub.lock"
    top = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
    return top / "unhub.lock"
