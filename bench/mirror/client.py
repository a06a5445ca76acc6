"""A small client that pulls as docker does: the manifest of a tag, its child for this platform, configuration, layers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
HEADER_SECONDS, PULL_SECONDS = 30.0, 120.0
"""How long this client waits for an answer to begin, and for a whole build."""

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class PullFailed(Exception):
    """A pull that docker would have ended with an error."""


@dataclass(slots=True)
class Refusal:
    """A 429: when (seconds since 1970), of what, and the ``Retry-After`` it carried (0: none)."""

    at: float
    repository: str
    reference: str
    retry_after: float


@dataclass(slots=True)
class Waits:
    """What clients saw: seconds until answers began, 429s, and answers that said they may be outdated."""

    headers: list[float] = field(default_factory=list[float])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    stale: int = 0
    repeated: int = 0


class Puller:
    """One machine that builds: connections and tokens of its own. ``obey`` waits as 429 says and asks again."""

    def __init__(self, base: str, waits: Waits, *, obey: bool = False, platform: str = "amd64") -> None:
        self._base = base
        self._waits = waits
        self._obey = obey
        self._platform = platform
        self._tokens: dict[str, str] = {}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), connector=aiohttp.TCPConnector(limit=8))

    async def __aenter__(self) -> Puller:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def pull(self, repository: str, tag: str, *, layers: bool = True) -> None:
        """Pull an image, with its layers or up to them. Raises :class:`PullFailed`."""
        document = await self._manifest(repository, tag, None)
        if "manifests" in document:
            rows = (row["digest"] for row in document["manifests"] if row.get("platform", {}).get("architecture") == self._platform)
            digest = next(rows)
            document = await self._manifest(repository, digest, digest)
        blobs = [document["config"], *(document["layers"] if layers else ())]
        await asyncio.gather(*(self._blob(repository, row["digest"], row["size"]) for row in blobs))

    async def _manifest(self, repository: str, reference: str, digest: str | None) -> dict[str, Any]:
        data = await self._get(repository, f"manifests/{reference}", digest)
        return json.loads(data)

    async def _blob(self, repository: str, digest: str, size: int) -> None:
        data = await self._get(repository, f"blobs/{digest}", digest)
        if len(data) != size:
            raise PullFailed("a blob of another size")

    async def _get(self, repository: str, what: str, digest: str | None) -> bytes:
        while True:
            started = time.monotonic()
            try:
                async with asyncio.timeout(HEADER_SECONDS):
                    response = await self._asked(repository, what)
            except TimeoutError:
                raise PullFailed("no answer within 30 s") from None
            except aiohttp.ClientError as error:
                raise PullFailed(f"connection: {type(error).__name__}") from None
            self._waits.headers.append(time.monotonic() - started)
            async with response:
                if response.status == 429:
                    await self._refused(response, repository, what.partition("/")[2])
                    continue
                if response.status != 200:
                    raise PullFailed(f"{response.status} to {what.partition('/')[0]}")
                self._waits.stale += "Warning" in response.headers
                try:
                    data = await response.read()
                except (aiohttp.ClientError, OSError) as error:
                    raise PullFailed(f"body: {type(error).__name__}") from None
            wanted = digest or response.headers.get("Docker-Content-Digest", "")
            if wanted and f"sha256:{hashlib.sha256(data).hexdigest()}" != wanted:
                raise PullFailed("wrong bytes")
            return data

    async def _refused(self, response: aiohttp.ClientResponse, repository: str, reference: str) -> None:
        wait = float(response.headers.get("Retry-After") or 0)
        self._waits.refusals.append(Refusal(time.time(), repository, reference, wait))
        if not self._obey or not wait:
            raise PullFailed("429")
        self._waits.repeated += 1
        await asyncio.sleep(wait)

    async def _asked(self, repository: str, what: str) -> aiohttp.ClientResponse:
        response = await self._send(repository, what)
        if response.status != 401:
            return response
        challenge = response.headers.get("WWW-Authenticate", "")
        response.release()
        parts = dict(_PARAMETER.findall(challenge))
        query = {"service": parts["service"], "scope": parts.get("scope", f"repository:{repository}:pull")}
        async with self._session.get(parts["realm"], params=query) as answer:
            self._tokens[repository] = (await answer.json(content_type=None))["token"]
        return await self._send(repository, what)

    async def _send(self, repository: str, what: str) -> aiohttp.ClientResponse:
        headers = {"Accept": ACCEPT}
        if repository in self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens[repository]}"
        return await self._session.get(f"{self._base}/v2/{repository}/{what}", headers=headers)
