"""What the real consumers of a file read out of it: the images that would be pulled.

Nothing here uses code of ``unhub``: the consumers' own answer is what the tests compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.tools import run, tool

ECR_PUBLIC = "public.ecr.aws/docker/library/"
CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")


def moved(image: str) -> str:
    """The name an image must have after migrating to ECR Public: official images only, nothing pinned by digest."""
    name = image
    for hub in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(hub)
    name = name.removeprefix("library/")
    return image if "/" in name or "@" in name else ECR_PUBLIC + name


def built_by_skaffold(tree: Path) -> frozenset[str]:
    """The names that the tree's own Skaffold files build: nobody pulls those, so they must stay."""
    files = [*tree.rglob("skaffold*.yaml"), *tree.rglob("skaffold*.yml")]
    documents = [document for file in files for document in YAML(typ="safe", pure=True).load_all(file)]
    builds = [document.get("build") or {} for document in documents if isinstance(document, dict)]
    return frozenset(artifact["image"] for build in builds for artifact in build.get("artifacts") or ())


def kustomize(folder: Path) -> list[str]:
    """The images of the pods that ``kustomize build`` makes."""
    return _pod_images(run([tool("kustomize"), "build", "."], folder))


def helm(folder: Path, *options: str) -> list[str]:
    """The images of the pods that ``helm template`` makes of the chart in ``folder``."""
    return _pod_images(run([tool("helm"), "template", "release", ".", "--kube-version", "1.33.0", *options], folder))


def compose(folder: Path, file: str) -> dict[str, list[str]]:
    """By service, what ``docker compose config`` would pull: its image (unless it is built here) and image volumes.

    Images of build contexts (``docker-image://``) count too; the FROMs of inline Dockerfiles are given as written.
    """
    command = [tool("docker-compose"), "--file", file, "--profile", "*", "config", "--format", "json", "--no-path-resolution"]
    services: dict[str, dict[str, Any]] = json.loads(run(command, folder)).get("services", {})
    return {name: list(_compose_images(service)) for name, service in services.items()}


def bake_definitions(folder: Path) -> dict[str, dict[str, Any]]:
    """The targets as ``docker buildx bake --print`` understands them."""
    return json.loads(run([tool("docker-buildx"), "bake", "--print"], folder))["target"]


def bake(folder: Path) -> list[str]:
    """The images that bake's targets name in contexts and inline Dockerfiles."""
    return [image for _, target in sorted(bake_definitions(folder).items()) for image in _build_images(target)]


def _compose_images(service: dict[str, Any]) -> Iterator[str]:
    build = service.get("build")
    if service.get("image") and not build:
        yield service["image"]
    for volume in service.get("volumes", ()):
        if volume.get("type") == "image":
            yield volume["source"]
    if build:
        yield from _build_images(build)


def _build_images(build: dict[str, Any]) -> Iterator[str]:
    contexts = build.get("contexts") or build.get("additional_contexts") or {}
    for _, place in sorted(contexts.items()):
        if place.startswith("docker-image://"):
            yield place.removeprefix("docker-image://")
    for line in (build.get("dockerfile-inline") or build.get("dockerfile_inline") or "").splitlines():
        words = line.split()
        if words[:1] == ["FROM"]:
            yield words[1]


def _pod_images(manifests: str) -> list[str]:
    images: list[str] = []
    for document in YAML(typ="safe", pure=True).load_all(StringIO(manifests)):
        images.extend(_images_below(document))
    return images


def _images_below(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for child in node:
            yield from _images_below(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key in CONTAINER_LISTS and isinstance(child, list):
                yield from (container["image"] for container in child if "image" in container)
            elif key == "volumes" and isinstance(child, list):
                yield from (volume["image"]["reference"] for volume in child if isinstance(volume.get("image"), dict))
            yield from _images_below(child)
