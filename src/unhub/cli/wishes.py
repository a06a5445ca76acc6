"""Which images somebody wants to have at hand: read from a scan, a lock file, a source file, or a list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from unhub.image.errors import InvalidReference, UnreadableError, UsageError
from unhub.image.found import Found
from unhub.image.reference import Reference
from unhub.image.source import Source
from unhub.migrate.look import SkippedFile, look

SIZE_MAX = 64 * 1024 * 1024
"""Bytes of the largest file that is read."""

_NOT_PULLED = frozenset({"stage", "build-output", "invalid", "variable", "ignored", "unreadable"})
"""Classes of a scan that are no image of a registry."""


def wishes_of(path: str, standard_input: bytes = b"") -> list[str]:
    """The references that a file names, each once, in their order; ``-`` is standard input.

    Raises :class:`UsageError` where it cannot be read, and :class:`UnreadableError` where it names none in a known way.
    """
    data = standard_input if path == "-" else _bytes(Path(path))
    found = list(dict.fromkeys(_wishes(path, data)))
    if not found:
        raise UnreadableError(f"cannot find an image in {path}")
    return found


def _wishes(path: str, data: bytes) -> Iterable[str]:
    document = _json_object(data)
    if document is not None and isinstance(document.get("findings"), list):
        return _of_scan(document)
    if document is not None and isinstance(document.get("references"), dict):
        return _of_lock(path, document)
    looked = None if path == "-" else look(Source(Path(path).name, data, read=lambda name: _sibling(Path(path).parent, name)))
    if looked is None:
        return _of_list(path, data)
    if isinstance(looked, SkippedFile):
        raise UnreadableError(f"cannot read {path}: {looked.reason}")
    return _of_source([one for one in looked.references if isinstance(one, Found)])


def _of_scan(document: dict[str, Any]) -> Iterator[str]:
    """What ``unhub scan --format json`` found, but for what nobody pulls from a registry."""
    for row in cast(list[dict[str, Any]], document["findings"]):
        name = row.get("canonical")
        own = row.get("class") == "not-docker-hub" and str(name).startswith("docker.io/")  # a CI's own name: aws/codebuild/…
        if isinstance(name, str) and row.get("class") not in _NOT_PULLED and not own:
            yield name


def _of_lock(path: str, document: dict[str, Any]) -> Iterator[str]:
    from unhub.migrate.verification.lock import Lock

    if path != "-":
        Lock.read(Path(path))
    yield from cast(dict[str, Any], document["references"])


def _of_source(found: list[Found]) -> Iterator[str]:
    for one in found:
        if all(part.known for part in one.parts):
            yield str(one.reference.canonical)


def _of_list(path: str, data: bytes) -> Iterator[str]:
    """One reference a line; empty lines and what follows ``#`` count for nothing."""
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UnreadableError(f"cannot read {path}: it is no text") from None
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            Reference.parse(text)
        except InvalidReference as error:
            raise UnreadableError(f"cannot read {path}:{number}: {error.message}", hint="A list has one reference a line") from None
        yield text


def _json_object(data: bytes) -> dict[str, Any] | None:
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > SIZE_MAX:
            raise UsageError(f"cannot read {path}: it is larger than {SIZE_MAX} bytes")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None


def _sibling(folder: Path, name: str) -> bytes | None:
    try:
        return (folder / name).read_bytes()
    except OSError:
        return None
