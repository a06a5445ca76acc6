"""Finding the settings: the file that applies, and what flags and environment put over it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unhub.config.parse import parse
from unhub.config.settings import Settings
from unhub.image.errors import ConfigurationError, UsageError

OWN_FILE = "unhub.toml"
SHARED_FILE = "pyproject.toml"
SHARED_TABLE = ("tool", "unhub")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and the folder that their paths are relative to (``None`` where no file was found)."""

    settings: Settings
    folder: Path | None = None


def load(start: Path, explicit: Path | None = None) -> Configuration:
    """The settings for work in ``start``: of the file named, else of the nearest one.

    Raises :class:`ConfigurationError` that names file, line and column of a mistake, and
    :class:`UsageError` where the named file cannot be read.
    """
    if explicit is not None:
        table = SHARED_TABLE if explicit.name == SHARED_FILE else ()
        return Configuration(parse(_read(explicit), str(explicit), table=table), explicit.absolute().parent)
    for folder in _upward(start):
        own, shared = folder / OWN_FILE, folder / SHARED_FILE
        if own.is_file():
            return Configuration(parse(_read(own), _shown(own)), folder)
        if shared.is_file() and _speaks_of_us(text := _read(shared)):
            return Configuration(parse(text, _shown(shared), table=SHARED_TABLE), folder)
    return Configuration(Settings())


def start_folder(base: Path, paths: Sequence[str]) -> Path:
    """Where the search begins: the working folder, or what is common to paths that lie outside of it."""
    absolute = [os.path.abspath(base / path) for path in paths if path != "-"]
    if not absolute or all(Path(path).is_relative_to(base) for path in absolute):
        return base
    try:
        common = Path(os.path.commonpath(absolute))
    except ValueError:
        return base
    return common if common.is_dir() else common.parent


def _upward(start: Path) -> list[Path]:
    """``start`` and the folders above it up to the repository's root; only ``start`` outside of a repository."""
    folders: list[Path] = []
    for folder in (start, *start.parents):
        folders.append(folder)
        if (folder / ".git").exists():
            return folders
    return [start]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        raise ConfigurationError(f"{_shown(path)}:{line}:{column}: cannot read the settings: not UTF-8") from None
    except OSError as error:
        raise UsageError(f"cannot read the settings {_shown(path)}: {error.strerror or error}") from None


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith(os.pardir) else relative


def _speaks_of_us(text: str) -> bool:
    if "unhub" not in text:
        return False
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return re.search(r"^\s*\[+\s*tool\s*\.\s*unhub\b", text, re.MULTILINE) is not None
    return isinstance(tool, dict) and SHARED_TABLE[1] in tool
