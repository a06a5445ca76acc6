"""Writing a layout: a folder, or a tar that only gets its name when it is whole."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from io import BufferedRandom
from pathlib import Path
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import RefusedError
from unhub.mirror.transfer.layout import INDEX_FILE, LAYOUT, LAYOUT_FILE

BLOCK: Final = 512


class Growing(Protocol):
    """A blob that is being written."""

    def write(self, data: bytes) -> None:
        """Add bytes."""
        ...

    def keep(self) -> None:
        """All of them came, and they are right."""
        ...

    def drop(self) -> None:
        """Leave nothing of it."""
        ...


class Writer(Protocol):
    """A layout that is being written. All calls block; ``finish`` or ``abandon`` ends it."""

    def has(self, digest: Digest) -> bool:
        """Whether a blob is in it already."""
        ...

    def begin(self, digest: Digest, size: int) -> Growing:
        """Begin a blob of so many bytes."""
        ...

    def finish(self, index: bytes) -> None:
        """Write ``index.json``; the layout is complete."""
        ...

    def abandon(self) -> None:
        """Leave no half layout behind."""
        ...


def writer(target: Path) -> Writer:
    """Write to a tar where the name ends in ``.tar``, else to a folder. Raises :class:`RefusedError` for what is in the way."""
    if target.suffix == ".tar" and not target.is_dir():
        return TarWriter(target)
    if target.exists() and not target.is_dir():
        raise RefusedError(f"cannot write a layout to {target}: it is a file", hint="Name a folder, or a file that ends in .tar")
    if target.is_dir() and any(target.iterdir()) and not (target / LAYOUT_FILE).is_file():
        raise RefusedError(f"cannot write a layout to {target}: there is something else in it", hint="Name a new folder")
    return FolderWriter(target)


class FolderWriter:
    """A folder; what it already has of a layout is kept and used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, digest: Digest) -> bool:
        """See the protocol."""
        return self._path(digest).is_file()

    def begin(self, digest: Digest, size: int) -> Growing:
        """See the protocol."""
        del size
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _File(path)

    def finish(self, index: bytes) -> None:
        """See the protocol."""
        for name, data in ((LAYOUT_FILE, LAYOUT), (INDEX_FILE, index)):
            file = _File(self._folder / name)
            file.write(data)
            file.keep()

    def abandon(self) -> None:
        """See the protocol: blobs without an index are no layout, and serve the next attempt."""

    def _path(self, digest: Digest) -> Path:
        return self._folder / "blobs" / digest.algorithm / digest.encoded


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}")
        self._file = self._partial.open("wb")

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def keep(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._partial, self._path)

    def drop(self) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)


class TarWriter:
    """An uncompressed tar: blobs are compressed already, and a reader can seek in it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(f".{target.name}.{os.getpid()}")
        self._file: BufferedRandom = self._partial.open("w+b")
        self._there: set[Digest] = set()
        self._whole(LAYOUT_FILE, LAYOUT)

    def has(self, digest: Digest) -> bool:
        """See the protocol."""
        return digest in self._there

    def begin(self, digest: Digest, size: int) -> Growing:
        """See the protocol."""
        return _Member(self._file, f"blobs/{digest.algorithm}/{digest.encoded}", size, lambda: self._there.add(digest))

    def finish(self, index: bytes) -> None:
        """See the protocol."""
        self._whole(INDEX_FILE, index)
        self._file.write(bytes(2 * BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._partial, self._target)

    def abandon(self) -> None:
        """See the protocol."""
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def _whole(self, name: str, data: bytes) -> None:
        member = _Member(self._file, name, len(data), lambda: None)
        member.write(data)
        member.keep()


class _Member:
    """A member of the tar: taken back where it does not become what its header says."""

    def __init__(self, file: BufferedRandom, name: str, size: int, kept: Callable[[], object]) -> None:
        self._file = file
        self._kept = kept
        self._start = file.tell()
        self._size = size
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o644
        file.write(info.tobuf(tarfile.PAX_FORMAT))

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def keep(self) -> None:
        self._file.write(bytes(-self._size % BLOCK))
        self._kept()

    def drop(self) -> None:
        self._file.seek(self._start)
        self._file.truncate()
