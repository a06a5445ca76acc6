"""Our client against Debian's docker-registry: open, with passwords, with TLS and its own CA, with a token service."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.clients.registries import PASSWORD, USER, Registry, TokenService, docker_registry, push
from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, NotFound, Unreachable, UsageError
from unhub.image.reference import Reference
from unhub.registry.client import ClientSettings, RegistryClient
from unhub.registry.credentials import Credential, Credentials, NoCredentials

T = TypeVar("T")
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
FILES = {"bin/one": b"one" * 1000, "bin/two": b"two" * 100_000}


class Login:
    """The one account of the test registries, for every registry."""

    def __init__(self, secret: str = PASSWORD) -> None:
        self._secret = secret

    def find(self, registry: str) -> Credential:
        return Credential(USER, self._secret, "the test")


def reference(registry: Registry, suffix: str = "team/app:1") -> Reference:
    return Reference.parse(f"{registry.name}/{suffix}")


def ask(
    registry: Registry,
    credentials: Credentials,
    work: Callable[[RegistryClient], Awaitable[T]],
    *,
    trust: bool = True,
    notice: Callable[[str], None] = print,
) -> T:
    """Run some work with a client; http where the registry speaks it, and its CA trusted unless said otherwise."""
    files: tuple[Path, ...] = ()
    if registry.ca and trust:
        authority = registry.folder / "ca.pem"
        authority.write_bytes(registry.ca)
        files = (authority,)
    settings = ClientSettings(insecure=frozenset() if registry.ca else frozenset({registry.name}), ca_files=files, attempts=2)

    async def run() -> T:
        async with RegistryClient(settings, credentials, notice=notice) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.fixture
def tokens() -> Iterator[TokenService]:
    with TokenService().running() as service:
        yield service


def test_an_open_registry(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry") as registry:
        digest = push(registry, "team/app", "1", FILES)
        for tag in ("2", "3"):
            push(registry, "team/app", tag, FILES)

        async def work(client: RegistryClient) -> None:
            head = await client.head_manifest(reference(registry))
            fetched = await client.get_manifest(reference(registry))
            assert (str(head.digest), head.size) == (digest, len(fetched.manifest.data))
            assert str(fetched.manifest.digest) == digest
            for layer in fetched.manifest.layers:
                assert await client.head_blob(reference(registry), layer.digest) == layer.size
                assert len(await client.read_blob(reference(registry), layer.digest, size_max=10_000_000)) == layer.size
            assert sorted([tag async for tag in client.tags(reference(registry))]) == ["1", "2", "3"]
            assert await client.referrers(reference(registry), head.digest) == ()
            by_digest = reference(registry, f"team/app@{digest}")
            assert (await client.head_manifest(by_digest)).digest == head.digest
            with pytest.raises(NotFound, match="404"):
                await client.get_manifest(reference(registry, "team/app:none"))
            with pytest.raises(NotFound):
                await client.head_blob(reference(registry), Digest("sha256", "0" * 64))

        ask(registry, NoCredentials(), work)


def test_passwords(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", passwords=True) as registry:
        digest = push(registry, "team/app", "1", FILES, authorization=BASIC)

        async def head(client: RegistryClient) -> str:
            return str((await client.head_manifest(reference(registry))).digest)

        assert ask(registry, Login(), head) == digest
        for credentials in (NoCredentials(), Login("wrong-Pa55word")):
            with pytest.raises(AccessRefused) as refused:
                ask(registry, credentials, head)
            assert "wrong-Pa55word" not in str(refused.value)


def test_tls_with_its_own_authority(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", tls=True, passwords=True) as registry:
        digest = push(registry, "team/app", "1", FILES, authorization=BASIC)

        async def head(client: RegistryClient) -> str:
            return str((await client.head_manifest(reference(registry))).digest)

        assert ask(registry, Login(), head) == digest
        with pytest.raises(Unreachable) as unreachable:
            ask(registry, Login(), head, trust=False)
        assert "certificate" in str(unreachable.value)
        assert "--ca" in str(unreachable.value)


def test_a_token_service(tmp_path: Path, tokens: TokenService) -> None:
    with docker_registry(tmp_path / "registry", token_service=tokens) as registry:

        async def missing(client: RegistryClient) -> None:
            with pytest.raises(NotFound):
                await client.head_manifest(reference(registry))
            for _ in range(5):
                with pytest.raises(NotFound):
                    await client.head_manifest(reference(registry))

        ask(registry, NoCredentials(), missing)
        assert tokens.requests == [(None, ("repository:team/app:pull",))], "one token for all of it"
        ask(registry, Login(), missing)
        assert tokens.requests[1:] == [(USER, ("repository:team/app:pull",))]
        said: list[str] = []
        ask(registry, Login("wrong"), missing, notice=said.append)
        assert tokens.requests[2:] == [(None, ("repository:team/app:pull",))], "a login that no longer holds is worse than none"
        assert len(said) == 1
        assert "wrong" not in said[0]


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(UsageError, match="plain http"):
        RegistryClient(ClientSettings(insecure=frozenset({"registry.example"})), NoCredentials())
