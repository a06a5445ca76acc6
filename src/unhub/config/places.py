"""Where a key stands in a TOML text: tomllib reads values and forgets their places."""

from __future__ import annotations

import re
import tomllib

Key = tuple[str | int, ...]
"""A path of keys, and of positions in arrays: ``("migrate", "rule", 1, "match")``."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")


def places(text: str) -> dict[Key, int]:
    """The offset of each key, table and array element of a text that is good TOML.

    A table that is opened more than once (by dotted keys) has its first place.
    """
    return _Reader(text).read()


def place_of(text: str, key: Key) -> tuple[int, int]:
    """Line and column (from 1) of a key, or of the nearest table around it that has a place."""
    found = places(text)
    while key and key not in found:
        key = key[:-1]
    place = found.get(key, 0)
    return text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Key, int] = {}
        self._counts: dict[Key, int] = {}

    def read(self) -> dict[Key, int]:
        table: Key = ()
        while self._skip() < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _skip(self) -> int:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _header(self) -> Key:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        key = self._resolved(self._keys())
        self._at = self._text.index("]", self._at) + (2 if is_array else 1)
        if is_array:
            number = self._counts[key] = self._counts.get(key, -1) + 1
            self._note(key, start)
            key = (*key, number)
        self._note(key, start)
        return key

    def _resolved(self, keys: list[str]) -> Key:
        """The path of a header: below an array of tables it means the last table of that array."""
        path: Key = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            if number < len(keys) - 1 and path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _pair(self, table: Key) -> None:
        start = self._at
        keys = self._keys()
        path = table
        for key in keys:
            path = (*path, key)
            self._note(path, start)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip()
            string = _STRING.match(self._text, self._at)
            match = string or _BARE.match(self._text, self._at)
            if match is None:
                return keys
            keys.append(next(iter(tomllib.loads(f"{match[0]} = 0"))) if string else match[0])
            self._at = match.end()
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _skip_blank(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1

    def _value(self, path: Key) -> None:
        self._skip()
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._items(path, "]")
        elif opening == "{":
            self._items(path, "}")
        else:
            match = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = match.end() if match else self._at + 1

    def _items(self, path: Key, closing: str) -> None:
        self._at += 1
        number = 0
        while self._skip() < len(self._text) and self._text[self._at] != closing:
            if self._text[self._at] == ",":
                self._at += 1
            elif closing == "}":
                self._pair(path)
            else:
                self._note((*path, number), self._at)
                self._value((*path, number))
                number += 1
        self._at += 1

    def _note(self, key: Key, place: int) -> None:
        self._found.setdefault(key, place)
