"""From the text of a settings file to :class:`Settings`, with the place of every mistake."""

from __future__ import annotations

import re
import tomllib

import msgspec

from unhub.config.settings import Settings
from unhub.image.errors import ConfigurationError


def parse(text: str, name: str, *, table: tuple[str, ...] = ()) -> Settings:
    """Read settings from TOML; ``table`` is where they start (``("tool", "unhub")``).

    ``name`` is the file's name for messages. Raises :class:`ConfigurationError` that names
    file, line and column of what is wrong: bad TOML, an unknown key, a wrong type.
    """
    try:
        data: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (place[1], place[2]) if place else (str(text.count("\n") + 1), "1")
        what = str(error).partition(" (at ")[0]
        raise ConfigurationError(f"{name}:{line}:{column}: cannot read the settings: {what}") from None
    for key in table:
        data = data.get(key, {}) if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    try:
        return msgspec.convert(data, Settings)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        keys = [*table, *re.findall(r"[^.$`\[\]]+|\[\d+\]|\[\.\.\.\]", path)]
        unknown = re.search(r"unknown field `([^`]+)`", message)
        if unknown:
            keys.append(unknown[1])
            message = f"there is no setting {unknown[1]!r} here"
        line, column = _place(text, keys)
        raise ConfigurationError(f"{name}:{line}:{column}: cannot read the settings: {message}") from None


def _place(text: str, keys: list[str]) -> tuple[int, int]:
    """Line and column of a key by its path; of the nearest table above it where it has no line."""
    names = [key for key in keys if not key.startswith("[")]
    index = next((int(key[1:-1]) for key in keys if re.fullmatch(r"\[\d+\]", key)), 0)
    current: list[str] = []
    seen = 0
    best = (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if header:
            current = [part.strip().strip("\"'") for part in header[1].split(".")]
            seen += line.lstrip().startswith("[[") and current == names[: len(current)]
        if current != names[: len(current)] or (header and line.lstrip().startswith("[[") and seen - 1 != index):
            continue
        if header:
            best = (number, line.index("[") + 1)
            if current == names:
                return best
        key = re.match(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([A-Za-z0-9_.-]+))\s*=", line)
        if key and not header:
            written = [*current, *(key[1] or key[2] or key[3]).split(".")]
            if written == names[: len(written)]:
                return number, len(line) - len(line.lstrip()) + 1
    return best
