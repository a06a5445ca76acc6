"""Pushing to a registry with plain requests, streamed at C speed where the bytes are many."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from unhub.demo.images import Image


class Connection:
    """A connection to a registry that is kept for many requests."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=None if ca is None else str(ca))
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=60)
        self._connection.blocksize = 256 * 1024

    def ask(self, method: str, path: str, body: bytes | memoryview | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body. Names are written with ``_``."""
        self._connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = self._connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def expect(self, status: int, method: str, path: str, body: bytes | memoryview | None = None, **headers: str) -> dict[str, str]:
        """The headers of an answer with this status. Raises :class:`RuntimeError` for another one."""
        found, said, text = self.ask(method, path, body, **headers)
        if found != status:
            raise RuntimeError(f"{method} {path}: {found} {text[:200]!r}")
        return said

    def download(self, path: str, **headers: str) -> tuple[int, int]:
        """Status and the number of bytes, read and thrown away."""
        self._connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = self._connection.getresponse()
        buffer, count = memoryview(bytearray(1 << 20)), 0
        while got := response.readinto(buffer):
            count += got
        return response.status, count

    def push_blob(self, repository: str, digest: str, data: bytes) -> None:
        """In one piece, as docker and most others do: POST, then PUT."""
        place = _path(self.expect(202, "POST", f"/v2/{repository}/blobs/uploads/", b"")["location"])
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        self.expect(201, "PUT", joined, data, Content_Type="application/octet-stream")

    def push_blob_streamed(self, repository: str, digest: str, data: bytes) -> None:
        """As zb's "Chunk Streamed": POST, one PATCH with all of it, an empty PUT."""
        place = _path(self.expect(202, "POST", f"/v2/{repository}/blobs/uploads/", b"")["location"])
        said = self.expect(202, "PATCH", place, data, Content_Type="application/octet-stream")
        place = _path(said["location"])
        self.expect(201, "PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", b"")

    def close(self) -> None:
        self._connection.close()


def _path(location: str) -> str:
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def push_image(url: str, repository: str, tag: str, made: Image, *, ca: Path | None = None) -> None:
    """Put an image with everything below it into a registry."""
    connection = Connection(url, ca)
    try:
        for digest, data in made.blobs.items():
            connection.push_blob(repository, digest, data)
        for document in reversed(made.documents):
            where = tag if document is made.root else document.digest
            connection.expect(201, "PUT", f"/v2/{repository}/manifests/{where}", document.data, Content_Type=document.media_type)
    finally:
        connection.close()
