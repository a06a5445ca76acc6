"""The client against Debian's registry: what distribution itself answers, not what our stand-ins think it does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.clients.registries import PASSWORD, USER, Registry, TokenService, docker_registry, push
from tests.registry_client import Said, ref, with_client
from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, NotFound, Unreachable
from unhub.registry.client import RegistryClient
from unhub.registry.credential import Credential

LOGIN = Credential(USER, PASSWORD, "the test")
WRONG = Credential(USER, "wrong", "the test")
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def digest_at(registry: Registry, login: Credential | None = None, said: Said | None = None, **settings: Any) -> str:
    settings = settings or {"insecure": frozenset({registry.name})}
    reference = ref(f"{registry.name}/corp/app:v1")
    logins = {registry.name: login} if login else {}
    return str(with_client(lambda client: client.head_manifest(reference), {}, logins=logins, said=said, **settings).digest)


def test_everything_there_is_to_ask(tmp_path: Path) -> None:
    tags = [f"v{number}" for number in range(5)]
    with docker_registry(tmp_path / "registry") as registry:
        pushed = {push(registry, "corp/app", tag, {"a": b"a", "b": b"b" * 100_000}) for tag in tags}
        app = ref(f"{registry.name}/corp/app:v1")

        async def work(client: RegistryClient) -> None:
            head = await client.head_manifest(app)
            assert {str(head.digest)} == pushed
            manifest = (await client.get_manifest(app)).manifest
            assert len(manifest.data) == head.size
            for layer in manifest.layers:
                assert await client.head_blob(app, layer.digest) == layer.size
                data = await client.read_blob(app, layer.digest, size_max=1_000_000)
                assert hashlib.sha256(data).hexdigest() == layer.digest.encoded
            assert sorted([tag async for tag in client.tags(app)]) == tags
            assert await client.referrers(app, head.digest) == ()
            with pytest.raises(NotFound, match="manifest unknown"):
                await client.get_manifest(ref(f"{registry.name}/corp/app:nope"))
            with pytest.raises(NotFound):
                await client.head_manifest(ref(f"{registry.name}/corp/other:1"))
            with pytest.raises(NotFound):
                await client.head_blob(app, Digest("sha256", "0" * 64))

        with_client(work, {}, insecure=frozenset({registry.name}))


def test_a_registry_with_passwords_and_tls(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", passwords=True, tls=True) as registry:
        digest = push(registry, "corp/app", "v1", {"a": b"a"}, authorization=BASIC)
        authority = tmp_path / "ca.pem"
        authority.write_bytes(registry.ca or b"")
        trusting = {"ca_files": (authority,)}
        assert digest_at(registry, LOGIN, **trusting) == digest
        said = Said()
        with pytest.raises(AccessRefused, match="it answered 401"):
            digest_at(registry, WRONG, said, **trusting)
        assert len(said.notices) == 1
        with pytest.raises(AccessRefused, match="it answered 401") as caught:
            digest_at(registry, **trusting)
        assert f"`docker login {registry.name}`" in (caught.value.hint or "")
        with pytest.raises(Unreachable, match="its certificate is not trusted"):
            digest_at(registry, LOGIN, ca_files=())


def test_a_registry_with_a_token_service(tmp_path: Path) -> None:
    with TokenService().running() as service, docker_registry(tmp_path / "registry", token_service=service) as registry:
        token = _push_token(service)
        digest = push(registry, "corp/app", "v1", {"a": b"a"}, authorization=f"Bearer {token}")
        service.requests.clear()
        assert digest_at(registry) == digest
        assert digest_at(registry, LOGIN) == digest
        assert service.requests == [(None, ("repository:corp/app:pull",)), (USER, ("repository:corp/app:pull",))]
        said = Said()
        assert digest_at(registry, WRONG, said) == digest, "anonymous reading goes on"
        assert len(said.notices) == 1


def test_one_token_for_a_crowd(tmp_path: Path) -> None:
    async def work(client: RegistryClient) -> None:
        await asyncio.gather(*(client.head_manifest(ref(f"{registry.name}/corp/app:v1")) for _ in range(30)))

    with TokenService().running() as service, docker_registry(tmp_path / "registry", token_service=service) as registry:
        push(registry, "corp/app", "v1", {"a": b"a"}, authorization=f"Bearer {_push_token(service)}")
        service.requests.clear()
        with_client(work, {}, insecure=frozenset({registry.name}))
        assert len(service.requests) == 1


def _push_token(service: TokenService) -> str:
    return service._token(USER, ("repository:corp/app:pull,push",))
