"""Arguments that hold an image inside a longer text: ``key=docker-image://…``, ``type=registry,ref=…``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._commands.usage import Role
from unhub.formats._shell.uses import Use
from unhub.formats._shell.values import Field
from unhub.image.errors import InvalidReference
from unhub.image.reference import Reference

_TRANSPORT = re.compile(
    r"(docker|registry|image|oci|oci-archive|oci-dir|docker-archive|docker-daemon|containers-storage|dir|file|sbom|fs|archive|local|tarball|"
    r"sif|podman|ostree|atomic|purl|cpe|shub|library|oras|singularity|https?):(//)?"
)
_PULLED_TRANSPORTS = ("docker://", "registry:", "registry://", "image://")
_DAEMON_SCHEMES = frozenset({"grype", "syft", "dive"})
_TAKES_FILES = frozenset({"grype", "syft", "dive", "dockle", "snyk", "skopeo", "singularity", "apptainer"})
_FILE = re.compile(r"^[./~]|\.(?:ya?ml|json|tar|tgz|sif|gz)$")
_IMAGE_ARGUMENT = re.compile(r"IMAGE|IMG|BASE|FROM|PARENT|BUILDER|RUNTIME|STAGE", re.IGNORECASE)
_NOT_IMAGE_ARGUMENT = re.compile(
    r"TAG|VERSION|VARIANT|DIGEST|ARCH|PLATFORM|NAME$|URL|DIR|PATH|USER|COMMIT|BRANCH|DATE|REGISTRY", re.IGNORECASE
)
_REGISTRY_PREFIX = re.compile(r"(?:index\.|registry-1\.|registry\.hub\.)?docker\.(?:io|com)(?:/library)?/?")
_CHART_IMAGE = re.compile(r"(?:^|\.)(?:\w*[iI]mage)(?:\.(?:repository|name|registry))?$|(?:^|\.)repository$|imageRegistry$")


def split(use: Use) -> Iterator[Use]:
    """The uses that one argument holds."""
    match use.role:
        case Role.PULL | Role.LOCAL | Role.PERHAPS:
            yield from _without_transport(use)
        case Role.TRANSPORT | Role.DESTINATION:
            if use.field.head.startswith("docker://"):
                yield use.narrow(use.field.cut(9), Role.PULL if use.role is Role.TRANSPORT else Role.OUTPUT)
        case Role.CONTEXT:
            yield from _context(use)
        case Role.BUILD_ARGUMENT:
            yield from _build_argument(use)
        case Role.BUILD_OPTION:
            yield from _build_option(use)
        case Role.BAKE_OPTION:
            yield from _bake_option(use)
        case Role.FIELDS:
            yield from _fields(use)
        case Role.ASSIGNED:
            name, equals, _ = use.field.head.partition("=")
            if equals:
                yield use.narrow(use.field.cut(len(name) + 1), Role.PULL)
        case Role.CACHE | Role.CACHE_OUTPUT:
            yield from _cache(use)
        case Role.FILTER:
            if use.field.head.startswith("ancestor="):
                yield use.narrow(use.field.cut(9), Role.LOCAL)
        case Role.CHART_VALUE:
            yield from _chart_values(use)
        case Role.OUTPUT:
            yield use
        case _:
            pass


def _without_transport(use: Use) -> Iterator[Use]:
    head = use.field.head
    for transport in _PULLED_TRANSPORTS:
        if head.startswith(transport):
            yield use.narrow(use.field.cut(len(transport)))
            return
    match = _TRANSPORT.match(head)
    if match and (match[2] or match[1] not in ("registry", "docker", "image", "archive", "library")):
        return
    if match and use.tool in _DAEMON_SCHEMES and match[1] in ("docker", "podman"):
        yield use.narrow(use.field.cut(match.end()))
    elif use.tool not in _TAKES_FILES or not _FILE.search(head):
        yield use


def _context(use: Use) -> Iterator[Use]:
    key, equals, rest = use.field.head.partition("=")
    if not equals:
        return
    yield use.narrow(use.field.cut(0, len(key)))
    if rest.startswith("docker-image://"):
        yield use.narrow(use.field.cut(len(key) + 1 + len("docker-image://")), Role.PULL, f"{use.where} {key}")


def _build_argument(use: Use) -> Iterator[Use]:
    name, equals, _ = use.field.head.partition("=")
    value = use.field.cut(len(name) + 1)
    if not equals or not value.head:
        yield from _variable_argument(use, name, value, given=bool(equals))
        return
    where = f"{use.where} {name}"
    if name == "BUILDKIT_SYNTAX":
        yield use.narrow(value, Role.PULL, where)
    elif _REGISTRY_PREFIX.fullmatch(value.text or ""):
        yield use.narrow(value, Role.BUILD_ARGUMENT, where)
    elif _is_image(name, value):
        yield use.narrow(value, Role.PULL, where)


def _variable_argument(use: Use, name: str, value: Field, *, given: bool) -> Iterator[Use]:
    if given and value.text is None and "IMAGE" in name.upper() and not _NOT_IMAGE_ARGUMENT.search(name):
        yield use.narrow(value, Role.PULL, f"{use.where} {name}")


def _is_image(name: str, value: Field) -> bool:
    """Whether an ARG is sure to be an image: by its name, and by a value that can be one."""
    if not _IMAGE_ARGUMENT.search(name) or _NOT_IMAGE_ARGUMENT.search(name):
        return False
    text = value.text or value.head
    try:
        Reference.parse(text.rstrip(":@/"))
    except InvalidReference:
        return False
    return ":" in text or "@" in text or ("IMAGE" in name.upper() and not text[0].isdigit())


def _build_option(use: Use) -> Iterator[Use]:
    key, equals, rest = use.field.head.partition("=")
    value = use.field.cut(len(key) + 1)
    if not equals:
        return
    if key == "source":
        yield use.narrow(value, Role.PULL, f"{use.where} source")
    elif key.startswith("build-arg:"):
        yield from _build_argument(use.narrow(use.field.cut(len("build-arg:")), Role.BUILD_ARGUMENT, f"{use.where} build-arg"))
    elif key.startswith("context:"):
        name = key.removeprefix("context:")
        yield use.narrow(use.field.cut(len("context:"), len(key)), Role.CONTEXT)
        if rest.startswith("docker-image://"):
            yield use.narrow(value.cut(len("docker-image://")), Role.PULL, f"{use.where} context:{name}")


def _bake_option(use: Use) -> Iterator[Use]:
    key, equals, _ = use.field.head.partition("=")
    if not equals:
        return
    shift = len(key) + 1
    steps = key.split(".", 2)
    attribute = steps[1] if len(steps) > 1 else ""
    if attribute in ("contexts", "args") and len(steps) == 3:
        inner = use.field.cut(len(key) - len(steps[2]))
        role = Role.CONTEXT if attribute == "contexts" else Role.BUILD_ARGUMENT
        yield from split(use.narrow(inner, role, f"{use.where} {attribute}"))
    elif attribute in ("cache-from", "cache-to", "tags"):
        role = {"cache-from": Role.CACHE, "cache-to": Role.CACHE_OUTPUT, "tags": Role.OUTPUT}[attribute]
        yield from split(use.narrow(use.field.cut(shift), role, f"{use.where} {attribute}"))


def _fields(use: Use) -> Iterator[Use]:
    """``key=value,key=value``: buildx drivers, mounts of type image, CodeBuild's environment."""
    head = use.field.head
    keys = _pairs(head)
    wanted = use.usage.field_keys or ("name",)
    if use.usage.field_keys in (("source", "src"),) and ("type", "image") not in {(key, head[start:end]) for key, start, end in keys}:
        return
    role = Role.OUTPUT if not use.usage.field_keys else Role.PULL
    for key, start, end in keys:
        if key in wanted:
            yield use.narrow(use.field.cut(start, None if end == len(head) else end), role, f"{use.where} {key}")


def _pairs(text: str) -> list[tuple[str, int, int]]:
    pairs: list[tuple[str, int, int]] = []
    at = 0
    for item in text.split(","):
        key, equals, _ = item.strip().strip('"').partition("=")
        start = at + item.find("=") + 1
        if equals:
            pairs.append((key, start, at + len(item.rstrip('"'))))
        at += len(item) + 1
    return pairs


def _cache(use: Use) -> Iterator[Use]:
    role = Role.OUTPUT if use.role is Role.CACHE_OUTPUT else Role.CACHE
    head = use.field.head
    if "=" not in head:
        yield use.narrow(use.field, role)
        return
    for key, start, end in _pairs(head):
        if key == "ref":
            yield use.narrow(use.field.cut(start, None if end == len(head) else end), role)


def _chart_values(use: Use) -> Iterator[Use]:
    head = use.field.head
    for key, start, end in _pairs(head):
        value = use.field.cut(start, None if end == len(head) else end)
        if _CHART_IMAGE.search(key) and (value.head or value.text is None):
            yield use.narrow(value, where=f"{use.where} {key}")
