"""One registry for all tests that do not break it, and each kind of repository with an image in it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.protocol.content import Image, image, lay_upstream, push
from tests.protocol.serving import Server, serving


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    with serving(tmp_path_factory.mktemp("registry") / "data") as server:
        yield server


@dataclass(frozen=True)
class Held:
    """A repository that has an image under the tag ``latest``, by the name and the query that clients use."""

    server: Server
    name: str
    image: Image
    query: str = ""

    def path(self, kind: str, reference: str) -> str:
        return f"/v2/{self.name}/{kind}/{reference}{self.query}"


@pytest.fixture(scope="session")
def own(registry: Server) -> Held:
    held = Held(registry, "conformance/held", image())
    push(registry, held.name, held.image, "latest")
    return held


@pytest.fixture(scope="session")
def pulled_through(registry: Server) -> Held:
    held = Held(registry, "library/held", image())
    lay_upstream(registry, held.name, held.image, "latest", "1.0")
    return held


@pytest.fixture(params=["own", "pulled through", "pulled through as docker/…", "pulled through by ?ns="])
def held(request: pytest.FixtureRequest, own: Held, pulled_through: Held) -> Held:
    """Every kind of repository that can be read, by every door."""
    doors = {
        "own": own,
        "pulled through": Held(pulled_through.server, "held", pulled_through.image),
        "pulled through as docker/…": Held(pulled_through.server, "docker/library/held", pulled_through.image),
        "pulled through by ?ns=": Held(pulled_through.server, "library/held", pulled_through.image, "?ns=docker.io"),
    }
    return doors[request.param]
