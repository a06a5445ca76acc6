"""The images that the stand-ins carry: those of ``examples/codebuild`` and a few more, and how the two sides may differ.

With a static busybox the ``linux/amd64`` images run in real docker. What they hold beside it are scripts that stand in
for the programs of the same name (``go``, ``npm``, ``apk``…), just enough for the example project to build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from unhub.demo.images import CREATED, File, Image, Layer, Style, image, index, layer
from unhub.image.manifest import Platform

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64", "v8"), Platform("linux", "arm", "v7"))
"""The platforms of every image of the catalogue."""

PROBE = "ratelimitpreview/test"
"""The repository whose HEAD tells the limit and costs nothing (docker/docs, usage/pulls.md)."""

ECR_PUBLIC_PREFIX = "docker/"
"""What stands before Docker Hub's repository names at ECR Public."""

_APPLETS = (
    "sh", "ash", "cat", "chmod", "chown", "cp", "cut", "date", "echo", "env", "false", "grep", "head", "hostname", "id", "ls",
    "mkdir", "mktemp", "mv", "printf", "ps", "pwd", "rm", "sed", "sleep", "sort", "tail", "test", "touch", "tr", "true", "uname",
    "wc", "wget", "xargs",
)  # fmt: skip

_SCRIPT = "#!/bin/sh\n# A stand-in of unhub's demo hub.\n"
_GO_BUILD = """\
[ "$1" = version ] && { echo "go version go1.22.1 linux/amd64"; exit 0; }
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
[ -n "${out:-}" ] && { printf '#!/bin/sh\\necho built by the demo hub\\n' >"$out"; chmod +x "$out"; }
exit 0
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An image under a name: ``repository`` as the stand-in serves it, ``tag`` ``None`` where only the digest finds it."""

    repository: str
    tag: str | None
    image: Image
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an official image is made: its name and tags, the family of media types, what it holds and starts."""

    name: str
    tags: tuple[str, ...]
    style: Style = "oci"
    attestations: bool = True
    scripts: Mapping[str, str] = field(default_factory=dict[str, str])
    command: tuple[str, ...] = ("/bin/sh",)
    user: str | None = None


RECIPES = (
    Recipe(name="alpine", tags=("3.19", "3.19.1", "latest"), style="docker", attestations=False),
    Recipe(
        name="node",
        tags=("21.7.0-alpine3.19",),
        scripts={"usr/local/bin/node": "echo v21.7.0\n", "usr/local/bin/npm": "exit 0\n", "usr/local/bin/npx": "exit 0\n"},
        command=("node",),
        user="node",
    ),
    Recipe(
        name="node", tags=("20-alpine",), scripts={"usr/local/bin/node": "echo v20.11.1\n", "usr/local/bin/npm": "exit 0\n"}, user="node"
    ),
    Recipe(name="golang", tags=("1.22.1-alpine3.19", "1.22-alpine"), scripts={"usr/local/go/bin/go": _GO_BUILD}),
    Recipe(
        name="nginx",
        tags=("1.25-alpine",),
        scripts={"usr/sbin/nginx": "exec sleep 3600\n"},
        command=("nginx", "-g", "daemon off;"),
        user="nginx",
    ),
    Recipe(
        name="redis",
        tags=("7.2-alpine",),
        scripts={"usr/local/bin/redis-server": "exec sleep 3600\n"},
        command=("redis-server",),
        style="docker",
        attestations=False,
        user="redis",
    ),
    Recipe(name="python", tags=("3.12-alpine",), scripts={"usr/local/bin/python3": "echo Python 3.12.2\n"}, command=("python3",)),
    Recipe(name="busybox", tags=("1.36", "latest"), command=("sh",)),
    Recipe(name="hello-world", tags=("latest",), style="docker", attestations=False, command=("/bin/echo", "Hello from Docker!")),
)
"""Every official image of the catalogue; tags of one recipe share their digest."""

Difference = Literal["missing", "lag", "different", "platforms", "extra-platform", "no-layers"]
"""How ECR Public's copy may differ.

``missing``: no such tag; ``lag``: the build before this one, which Docker Hub still serves by digest; ``different``: another image;
``platforms``: another index of the same platform images, one left out; ``extra-platform``: the same and one more;
``no-layers``: the tag is there, its layers are not.
"""


def docker_hub(busybox: bytes | None = None) -> tuple[Entry, ...]:
    """What Docker Hub carries: the official images, the builds before them (by digest only), a vendor's, and the probe."""
    entries: list[Entry] = []
    for recipe in RECIPES:
        entries += [Entry(f"library/{recipe.name}", tag, made(recipe, busybox)) for tag in recipe.tags]
        entries.append(Entry(f"library/{recipe.name}", None, made(recipe, busybox, build=0)))
    vendor = Recipe(name="bitnami-kubectl", tags=("1.29",), attestations=False)
    probe = image([_own_layer(vendor, PLATFORMS[0], 1)], style="docker")
    frontend = made(Recipe(name="dockerfile-frontend", tags=("1",)), None)
    return (
        *entries,
        Entry("bitnami/kubectl", "1.29", made(vendor, busybox)),
        Entry("docker/dockerfile", "1", frontend),
        Entry(PROBE, "latest", probe),
    )


def ecr_public(busybox: bytes | None = None, differences: Mapping[str, Difference] | None = None) -> tuple[Entry, ...]:
    """What ECR Public carries below ``docker/library/``: the same images, but for ``differences``.

    These are named by Docker Hub's name (``library/node:20-alpine``), or by ``library/node`` for all its tags.
    """
    differences = differences or {}
    entries: list[Entry] = []
    for recipe in RECIPES:
        for tag in recipe.tags:
            name = f"library/{recipe.name}"
            entries += _copy(recipe, tag, busybox, differences.get(f"{name}:{tag}") or differences.get(name))
    return tuple(entries)


def without_layers(differences: Mapping[str, Difference], busybox: bytes | None = None) -> frozenset[str]:
    """The digests of the layers that are gone where a difference says ``no-layers``."""
    return frozenset(
        digest
        for recipe in RECIPES
        for tag in recipe.tags
        if (differences.get(f"library/{recipe.name}:{tag}") or differences.get(f"library/{recipe.name}")) == "no-layers"
        for digest in made(recipe, busybox).layers
    )


def is_carried(name: str) -> bool:
    """Whether the catalogue has ``library/NAME`` or ``library/NAME:TAG``."""
    repository, _, tag = name.partition(":")
    return any(repository == f"library/{recipe.name}" and (not tag or tag in recipe.tags) for recipe in RECIPES)


def _copy(recipe: Recipe, tag: str, busybox: bytes | None, difference: Difference | None) -> Iterator[Entry]:
    repository = f"{ECR_PUBLIC_PREFIX}library/{recipe.name}"
    match difference:
        case "missing":
            yield Entry(repository, None, made(recipe, busybox, build=0))
        case "lag":
            yield Entry(repository, tag, made(recipe, busybox, build=0))
        case "different":
            yield Entry(repository, tag, made(recipe, busybox, build=7))
        case "platforms":
            yield Entry(repository, tag, made(recipe, busybox, platforms=PLATFORMS[:-1]))
        case "extra-platform":
            yield Entry(repository, tag, made(recipe, busybox, platforms=(*PLATFORMS, Platform("linux", "s390x"))))
        case _:
            yield Entry(repository, tag, made(recipe, busybox))


def made(recipe: Recipe, busybox: bytes | None = None, *, build: int = 1, platforms: tuple[Platform, ...] = PLATFORMS) -> Image:
    """An image by its recipe. Another ``build`` is another image throughout: 0 is older than 1, the current one."""
    created = f"2024-02-{7 + build:02}T00:00:00Z" if build != 1 else CREATED
    members = [_single(recipe, busybox, build, platform, created) for platform in platforms]
    return index(members, style=recipe.style, attestations=recipe.attestations)


def _single(recipe: Recipe, busybox: bytes | None, build: int, platform: Platform, created: str) -> Image:
    runs = busybox if platform == PLATFORMS[0] else None
    layers = [_base_layer(runs, platform), _own_layer(recipe, platform, build)]
    environment = "PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    config = {"Env": [environment], "Cmd": list(recipe.command), "WorkingDir": "/"}
    return image(layers, platform=platform, style=recipe.style, created=created, config=config)


@cache
def _base_layer(busybox: bytes | None, platform: Platform) -> Layer:
    files = {
        "etc/os-release": File(b'NAME="Demo Linux"\nID=demo\nVERSION_ID=3.19\n'),
        "etc/passwd": File(
            b"root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nnginx:x:101:101::/:/bin/sh\nredis:x:999:999::/:/bin/sh\n"
        ),
        "etc/group": File(b"root:x:0:\nnode:x:1000:\nnginx:x:101:\nredis:x:999:\n"),
        "etc/ssl/certs/ca-certificates.crt": File(b"# the demo hub trusts nobody\n"),
        "etc/demo-platform": File(f"{platform}\n".encode()),
        "tmp": File(mode=0o1777),
        "root": File(mode=0o700),
        "home/node": File(mode=0o755),
        "etc/nginx/conf.d": File(mode=0o755),
        "sbin/apk": _script("exit 0\n"),
    }
    if busybox is not None:
        files["bin/busybox"] = File(busybox, mode=0o755)
        files |= {f"bin/{applet}": File(link="busybox") for applet in _APPLETS}
    return layer(files)


def _own_layer(recipe: Recipe, platform: Platform, build: int) -> Layer:
    files = {f"etc/demo-{recipe.name}": File(f"{recipe.name}:{recipe.tags[0]} for {platform}, build {build}\n".encode())}
    return layer(files | {path: _script(text) for path, text in recipe.scripts.items()})


def _script(text: str) -> File:
    return File((_SCRIPT + text).encode(), mode=0o755)
