"""Reading a layout from somebody else: no name leads out of it, nothing is read that is larger than it may be."""

from __future__ import annotations

import os
import re
import stat
import tarfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import FileIO, RawIOBase
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from unhub.image.digest import HEX_LENGTHS, Digest
from unhub.mirror.transfer.layout import INDEX_FILE, INDEX_MAX, LAYOUT_FILE, InvalidLayout

CHUNK: Final = 1024 * 1024
HEADER_MAX: Final = 256 * 1024
"""Bytes of the longest header of a tar that is read; PAX headers may claim any size."""

MEMBERS_MAX: Final = 1_000_000

_BLOB = re.compile(r"blobs/(?P<algorithm>[a-z0-9]+)/(?P<encoded>[0-9a-f]+)")


class Reader(Protocol):
    """A layout. All calls block. Raises :class:`InvalidLayout`."""

    def index(self) -> bytes:
        """``index.json``."""
        ...

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob, ``None`` where there is none."""
        ...

    def read(self, digest: Digest) -> Iterator[bytes]:
        """A blob's bytes, not verified."""
        ...


@contextmanager
def reader(source: Path) -> Generator[Reader]:
    """A layout in a tar or a folder. Raises :class:`InvalidLayout` for anything else."""
    try:
        if source.is_dir():
            yield FolderReader(source)
            return
        file = source.open("rb", buffering=0)
    except OSError as error:
        raise InvalidLayout(f"cannot read {source}: {error.strerror or error}") from None
    with file:
        yield TarReader(source, file)


class FolderReader:
    """A folder. Symbolic links in it are not followed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / LAYOUT_FILE).is_file():
            raise InvalidLayout(f"cannot read {folder}: it is no OCI image layout, for it has no {LAYOUT_FILE}")

    def index(self) -> bytes:
        """See the protocol."""
        return b"".join(self._pieces(self._folder / INDEX_FILE, INDEX_MAX))

    def size(self, digest: Digest) -> int | None:
        """See the protocol."""
        try:
            found = self._path(digest).lstat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, digest: Digest) -> Iterator[bytes]:
        """See the protocol."""
        return self._pieces(self._path(digest), None)

    def _path(self, digest: Digest) -> Path:
        return self._folder / "blobs" / digest.algorithm / digest.encoded

    def _pieces(self, path: Path, limit: int | None) -> Iterator[bytes]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise InvalidLayout(f"cannot read {path}: {error.strerror or error}") from None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise InvalidLayout(f"cannot read {path}: it is no regular file")
            if limit is not None and found.st_size > limit:
                raise InvalidLayout(f"cannot read {path}: it is larger than {limit} bytes")
            while piece := file.read(CHUNK):
                yield piece


class TarReader:
    """A tar, not compressed as a whole. Every name in it is looked at before anything is read."""

    def __init__(self, source: Path, file: FileIO) -> None:
        self._source = source
        self._file = file
        self._blobs: dict[Digest, tuple[int, int]] = {}
        self._index: tuple[int, int] | None = None
        has_layout = False
        for name, place in self._members():
            if name == LAYOUT_FILE:
                has_layout = True
            elif name == INDEX_FILE:
                if self._index is not None:
                    raise self._wrong(f"it has two of {INDEX_FILE}")
                self._index = place
            elif (digest := _digest_of(name)) is not None:
                self._blobs[digest] = place
        if not has_layout:
            raise self._wrong(f"it is no OCI image layout, for it has no {LAYOUT_FILE}")

    def index(self) -> bytes:
        """See the protocol."""
        if self._index is None:
            raise self._wrong(f"it has no {INDEX_FILE}")
        if self._index[1] > INDEX_MAX:
            raise self._wrong(f"{INDEX_FILE} is larger than {INDEX_MAX} bytes")
        return b"".join(self._pieces(*self._index))

    def size(self, digest: Digest) -> int | None:
        """See the protocol."""
        found = self._blobs.get(digest)
        return None if found is None else found[1]

    def read(self, digest: Digest) -> Iterator[bytes]:
        """See the protocol."""
        found = self._blobs.get(digest)
        if found is None:
            raise self._wrong(f"it has no blob {digest}")
        return self._pieces(*found)

    def _members(self) -> Iterator[tuple[str, tuple[int, int]]]:
        try:
            with tarfile.open(fileobj=_Careful(self._file), mode="r:") as archive:
                number = 0
                while (member := archive.next()) is not None:
                    number += 1
                    if number > MEMBERS_MAX:
                        raise self._wrong(f"it has more than {MEMBERS_MAX} files")
                    name = self._checked(member)
                    if member.isreg():
                        yield name, (member.offset_data, member.size)
        except (tarfile.TarError, EOFError, ValueError, OSError, UnicodeError) as error:
            raise self._wrong(f"it is no tar that can be read: {error}") from None

    def _checked(self, member: tarfile.TarInfo) -> str:
        """A member's name. Raises :class:`InvalidLayout` for one that leads elsewhere, and for links and devices."""
        path = PurePosixPath(member.name)
        shown = ascii(member.name[:100])
        if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
            raise self._wrong(f"the name {shown} leads out of it")
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise self._wrong(f"{shown} is neither a file nor a folder")
        return path.as_posix()

    def _pieces(self, start: int, size: int) -> Iterator[bytes]:
        at, end = start, start + size
        while at < end:
            piece = os.pread(self._file.fileno(), min(CHUNK, end - at), at)
            if not piece:
                raise self._wrong("it ends too early")
            yield piece
            at += len(piece)

    def _wrong(self, reason: str) -> InvalidLayout:
        return InvalidLayout(f"cannot read {self._source}: {reason}")


class _Careful(RawIOBase):
    """The file as tarfile reads it: seeking as it likes, but never much at once, whatever a header claims."""

    def __init__(self, file: FileIO) -> None:
        super().__init__()
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= HEADER_MAX:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size) or b""

    def seek(self, position: int, whence: int = 0, /) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()


def _digest_of(name: str) -> Digest | None:
    match = _BLOB.fullmatch(name)
    if match is None or len(match["encoded"]) != HEX_LENGTHS.get(match["algorithm"]):
        return None
    return Digest(match["algorithm"], match["encoded"])
