"""Testcontainers: a prefix for images of Docker Hub, its own helpers included."""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried
from unhub.setup.clients.mirror import DOCKER_HUB, Mirror

_GO = "golang.testcontainers.org/features/image_name_substitution"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """The property for Java, and the variable that the other languages read, too."""
    prefix = f"{mirror.address}/{DOCKER_HUB}/"
    return ClientSettings(
        files=(
            ClientFile("~/.testcontainers.properties", f"hub.image.name.prefix={prefix}\n", part=True),
            ClientFile("the environment of the tests", f"export TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX={prefix}\n", part=True),
        ),
        restart="nothing: it is read at each run",
        check=("the tests' log names images that begin with the prefix",),
        notes=(
            "docker pulls the images: it must trust the mirror (`unhub client-config docker` writes the certificate), and with "
            "registry-mirrors set there no prefix is needed at all",
            "an image that is written with docker.io/ in front is left alone",
            "Java, Go, .NET and Node read the variable; Python does since 4.15",
        ),
    )


CLIENT = Client(
    name="testcontainers",
    title="Testcontainers",
    settings=settings,
    tried=Tried("a whole run of Testcontainers needs images and networks that are not here; docker pulls by such names in its own tests"),
    gone=Gone(
        falls_back=False,
        says="fails: the mirror stands in the names",
        limited="does as docker with a name of the mirror: the pull fails",
        tried=False,
        source=_GO,
    ),
    facts=(
        Fact(
            "hub.image.name.prefix and TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX",
            _GO,
            _READ,
        ),
        Fact("Python reads the variable since 4.15", "testcontainers-python#961", _READ),
        Fact("names with docker.io/ are not changed", "testcontainers-java PrefixingImageNameSubstitutorTest", _READ),
    ),
)
