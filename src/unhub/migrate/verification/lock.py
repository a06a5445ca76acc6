"""``unhub.lock``: what the registries served when they were asked, so that later runs need not ask.

JSON with sorted keys, one block a reference. A refresh that sees what was there before changes one line of a
block (``seen``), so that git's diffs show what moved. Times are UTC, to the second.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import stat
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import ConfigurationError, InvalidDigest, InvalidReference, WriteFailed
from unhub.image.reference import Reference
from unhub.migrate.verification.verdict import PROVEN, Evidence, Verdict, tagged

NAME: Final = "unhub.lock"
SCHEMA: Final = 1
EARLIER: Final = 5
"""How many of Docker Hub's earlier digests a block keeps."""

_HINT = "Mend it, take the version of the last commit, or delete it and run `unhub verify --write-lock`"
_BYTE = re.compile(r"byte (\d+)")
_FIELD = re.compile(r"\.([a-z_]+)[^.]*$|`([^`]+)`")

T = TypeVar("T")


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A row that refuses keys it does not know."""


class Earlier(_Row, frozen=True, kw_only=True):
    """A digest that Docker Hub served before, from the first (``since``) to the last time it was seen (``until``)."""

    digest: str
    since: datetime.datetime
    until: datetime.datetime


class Served(_Row, frozen=True, kw_only=True):
    """What a target served, at ``seen``, or at the block's ``seen``; the fields are those of :class:`Evidence`."""

    verdict: Verdict
    seen: datetime.datetime | None = None
    digest: str | None = None
    platforms: tuple[str, ...] = ()
    cause: str | None = None
    deep: bool = False


class Block(_Row, frozen=True, kw_only=True):
    """What is known of one reference.

    ``digest`` is what Docker Hub served from the first (``since``) to the last time it was asked (``seen``);
    ``None`` where it had nothing, or was not asked because the reference itself names the digest.
    """

    seen: datetime.datetime
    digest: str | None = None
    since: datetime.datetime | None = None
    targets: dict[str, Served] = {}
    earlier: tuple[Earlier, ...] = ()


class _Document(_Row, frozen=True, kw_only=True):
    schema: int
    references: dict[str, msgspec.Raw]


class Lock:
    """The blocks by reference; ``path`` is where they are kept, ``exists`` whether they are there already."""

    def __init__(self, path: Path, blocks: dict[str, Block] | None = None, *, exists: bool = False) -> None:
        self.path = path
        self.exists = exists
        self._blocks = blocks or {}
        self._changed = False

    @property
    def changed(self) -> bool:
        """Whether something was recorded that is not written yet."""
        return self._changed

    @property
    def wanted(self) -> bool:
        """See :class:`unhub.migrate.verification.question.Proof`: a lock alone asks nobody."""
        return False

    @classmethod
    def read(cls, path: Path) -> Lock:
        """The lock at ``path``, empty where there is no file.

        Raises :class:`ConfigurationError` that names file, line and column of what is wrong in it.
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(path)
        except OSError as error:
            raise ConfigurationError(f"cannot read the lock file {path}: {error.strerror or error}") from None
        return cls(path, _parse(data, str(path)), exists=True)

    def evidence(self, origin: Reference | None, target: Reference) -> Evidence | None:
        """What was seen of a target, as evidence of that time.

        A reference that was pinned to the digest that its tag had at the target then is known by that tag.
        """
        if origin is None:
            return None
        known = self._evidence(origin, target)
        if known is None and origin.digest is not None and origin.tag is not None:
            known = self._evidence(replace(origin, digest=None), replace(target, digest=None))
            if known is None or known.target_digest != origin.digest or known.verdict not in PROVEN:
                return None
            return replace(known, origin=origin, target=target, verdict=Verdict.SAME, cause=None, origin_digest=origin.digest)
        return known

    def _evidence(self, origin: Reference, target: Reference) -> Evidence | None:
        block = self._blocks.get(_key(origin))
        served = block.targets.get(str(tagged(target))) if block else None
        if block is None or served is None:
            return None
        return Evidence(
            origin=origin,
            target=target,
            verdict=served.verdict,
            seen=served.seen or block.seen,
            cause=served.cause,
            origin_digest=origin.digest or block.digest,
            target_digest=served.digest,
            platforms=served.platforms,
            deep=served.deep,
            from_lock=True,
        )

    def last_served(self, origin: Reference, digest: str) -> datetime.datetime | None:
        """When Docker Hub was last seen to serve ``digest`` under a name; ``None`` where it never was."""
        block = self._blocks.get(_key(origin))
        if block is None:
            return None
        if block.digest == digest:
            return block.seen
        return max((row.until for row in block.earlier if row.digest == digest), default=None)

    def record(self, evidence: Evidence) -> None:
        """Keep what was seen; an ``unknown`` is no knowledge, so it takes nothing's place."""
        origin = evidence.origin
        if origin is None or evidence.seen is None or evidence.from_lock or evidence.verdict is Verdict.UNKNOWN:
            return
        key, now = _key(origin), evidence.seen.replace(microsecond=0)
        before = self._blocks.get(key) or Block(seen=now)
        block = before if origin.digest else _asked(before, evidence.origin_digest, now)
        targets = {name: _dated(row, row.seen or before.seen, block.seen) for name, row in before.targets.items()}
        served = Served(
            verdict=evidence.verdict,
            digest=evidence.target_digest,
            platforms=evidence.platforms,
            cause=evidence.cause,
            deep=evidence.deep,
        )
        targets[str(tagged(evidence.target))] = _dated(served, now, block.seen)
        self._blocks[key] = msgspec.structs.replace(block, targets=targets)
        self._changed = True

    def save(self) -> bool:
        """Write the file, whole or not at all, if something was recorded; whether it was written.

        Raises :class:`WriteFailed` where that cannot be done; the old file is then as it was.
        """
        if not self._changed:
            return False
        _replace(Path(os.path.realpath(self.path)), self.render())
        self.exists, self._changed = True, False
        return True

    def render(self) -> bytes:
        """The file's bytes."""
        blocks = msgspec.to_builtins(self._blocks, builtin_types=())
        return (json.dumps({"references": blocks, "schema": SCHEMA}, indent=1, sort_keys=True) + "\n").encode()


def _dated(served: Served, seen: datetime.datetime, block_seen: datetime.datetime) -> Served:
    """The row with its own time, where that is not the block's."""
    return msgspec.structs.replace(served, seen=None if seen == block_seen else seen)


def _asked(before: Block, digest: str | None, now: datetime.datetime) -> Block:
    """The block with what Docker Hub serves now, and what it served before among the earlier ones."""
    if digest is None:
        return before
    if digest == before.digest:
        return msgspec.structs.replace(before, seen=now)
    earlier = tuple(row for row in before.earlier if row.digest != digest)
    if before.digest is not None:
        earlier = (Earlier(digest=before.digest, since=before.since or before.seen, until=before.seen), *earlier)
    return msgspec.structs.replace(before, seen=now, digest=digest, since=now, earlier=earlier[:EARLIER])


def _key(reference: Reference) -> str:
    return str(tagged(reference))


def _replace(path: Path, data: bytes) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise WriteFailed(f"cannot write the lock file {path}: {error.strerror or error}") from None


def _parse(data: bytes, name: str) -> dict[str, Block]:
    document = _decoded(data, _Document, data, name, 0)
    if document.schema != SCHEMA:
        raise _wrong(data, name, data.find(b'"schema"'), f"its schema is {document.schema}, this version reads {SCHEMA}")
    blocks: dict[str, Block] = {}
    start = 0
    for key, raw in document.references.items():
        start = max(data.find(json.dumps(key).encode(), start), start)
        block = _decoded(bytes(raw), Block, data, name, start)
        _check(key, block, data, name, start)
        blocks[key] = block
    return blocks


def _decoded(piece: bytes, kind: type[T], data: bytes, name: str, start: int) -> T:
    try:
        return msgspec.json.decode(piece, type=kind)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at ")
        field = _FIELD.search(said if "unknown field" in said else where.strip("`")) or _FIELD.search(said)
        found = data.find(f'"{field[1] or field[2]}"'.encode(), start) if field else -1
        raise _wrong(data, name, max(found, start), said) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        byte = _BYTE.search(str(error))
        raise _wrong(data, name, start + int(byte[1]) if byte else len(data), re.sub(r" \(byte \d+\)", "", str(error))) from None


def _check(key: str, block: Block, data: bytes, name: str, start: int) -> None:
    """Names must be references and digests digests: they may be written into files."""
    digests = [block.digest, *(served.digest for served in block.targets.values()), *(row.digest for row in block.earlier)]
    for text, read in [
        (key, Reference.parse),
        *((target, Reference.parse) for target in block.targets),
        *((d, Digest.parse) for d in digests),
    ]:
        if text is None:
            continue
        try:
            read(text)
        except (InvalidReference, InvalidDigest) as error:
            place = data.find(json.dumps(text).encode(), start)
            raise _wrong(data, name, max(place, start), error.message) from None
    for moment in (block.seen, block.since, *(time for row in block.earlier for time in (row.since, row.until))):
        if moment is not None and moment.tzinfo is None:
            raise _wrong(data, name, start, f"a time of {key} has no time zone")


def _wrong(data: bytes, name: str, place: int, what: str) -> ConfigurationError:
    place = max(place, 0)
    line = data.count(b"\n", 0, place) + 1
    column = place - data.rfind(b"\n", 0, place)
    return ConfigurationError(f"{name}:{line}:{column}: cannot read the lock file: {what}", hint=_HINT)
