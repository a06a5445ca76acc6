"""What looking at a file yields: references found, texts skipped, names declared.

All places are byte offsets into the file, so that an edit can replace exactly the bytes
of a name and nothing else. A byte-order mark counts; an end is exclusive.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from unhub.image.reference import Reference


class Span(NamedTuple):
    """Bytes ``start`` up to, not including, ``end``."""

    start: int
    end: int


class Role(StrEnum):
    """What a part of a reference spells."""

    TEXT = "text"
    """A piece of a reference written in one word: pieces in order make the whole text."""
    REGISTRY = "registry"
    """A registry host in a field of its own (Helm's ``registry:``)."""
    REPOSITORY = "repository"
    """A repository in a field of its own; the whole name when there is no registry field."""
    TAG = "tag"
    """A tag in a field of its own."""
    DIGEST = "digest"
    """A digest in a field of its own."""


class PulledBy(StrEnum):
    """Who pulls: a build step, which can log in first, or the platform before any step runs."""

    BUILD = "build"
    PLATFORM = "platform"


class Safety(StrEnum):
    """How sure the text is: ``safe`` = literal or evaluated from defaults, ``unsafe`` = a part
    is unknown (applied only on request), ``shown`` = never applied, only shown."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    SHOWN = "shown"


class Class(StrEnum):
    """What becomes of a reference; every reference ends in exactly one (docs/contracts.md, 4)."""

    MIGRATABLE = "migratable"
    MIGRATED = "migrated"
    ALREADY_MIRRORED = "already-mirrored"
    NOT_DOCKER_HUB = "not-docker-hub"
    NO_TARGET = "no-target"
    VARIABLE = "variable"
    BUILD_OUTPUT = "build-output"
    STAGE = "stage"
    IGNORED = "ignored"
    INVALID = "invalid"
    SHORT_NAME = "short-name"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"


class Part(Struct, frozen=True):
    """A piece of a reference and the bytes that spell it.

    ``text`` is the value after evaluation. ``known`` is false for a variable without a
    value (``text`` is then empty). ``literal`` is false where the bytes spell the text in
    another way (escapes), so that they cannot be replaced. ``path`` names another file
    (a ``.env``) that holds the bytes. A part of zero width is where a missing field would
    stand, with the text that it means by being missing; ``before`` and ``after`` are then
    written around the new text.
    """

    text: str
    span: Span
    role: Role = Role.TEXT
    known: bool = True
    literal: bool = True
    path: str | None = None
    before: bytes = b""
    after: bytes = b""


class Wrap(Struct, frozen=True):
    """Bytes to put around ``span`` (the reference with its quotes) so that a service keeps its host name."""

    span: Span
    before: bytes
    after: bytes


class Found(Struct, frozen=True):
    """A reference that is pulled.

    ``span`` and ``text`` cover it as written at the place of use, quotes and ``docker://``
    excluded. ``parts`` spell it, possibly elsewhere (an ARG's default). ``reference`` is
    the parsed value; it has no tag where the tag is unknown. ``where`` is the position in
    its users' words. ``note`` is said to the user in any case. ``selected_as`` is the name a
    Kustomize selector would have to equal. ``host_name`` is the name under which other
    containers reach this one, when it is made from the image name; ``host_wrap`` then
    keeps it. ``host_replaced`` is a host name that is made from the image name too, but
    beside an alias, so that only a tree that uses it would miss it. References of one file
    with the same ``together`` move all or none: an image that is pulled by its name and
    then saved, tagged or loaded by it. ``values_key`` holds the keys of a
    Helm value (``image.repository``).
    """

    span: Span
    text: str
    where: str
    pulled_by: PulledBy
    parts: tuple[Part, ...]
    reference: Reference
    safety: Safety = Safety.SAFE
    note: str | None = None
    short_name: bool = False
    context_name: str | None = None
    selected_as: str | None = None
    host_name: str | None = None
    host_wrap: Wrap | None = None
    host_replaced: str | None = None
    together: str | None = None
    values_key: str | None = None


class Skipped(Struct, frozen=True):
    """A text at the place of a reference that is left as it is, and why."""

    span: Span
    text: str
    where: str
    class_: Class
    reason: str
    pulled_by: PulledBy | None = None


class DeclaredKind(StrEnum):
    """What a file gives a name to."""

    CONTEXT = "context"
    """A named build context: it takes the place of an image of that name in a FROM."""
    SELECTOR = "selector"
    """A Kustomize ``images[].name``: it looks for that very name in manifests."""
    BUILT = "built"
    """The name of an image that a tool builds and puts in the place of that name (Skaffold)."""
    HOST = "host"
    """A host name that is used somewhere in the file."""
    OUTPUT = "output"
    """A name and tag that a build gives to its image, so that nobody pulls it; no tag means ``latest``."""
    PREFIXED = "prefixed"
    """Keys of a Helm chart's values (``image.repository``) that a template puts a registry before."""


class Declared(Struct, frozen=True):
    """A name that changes what a reference elsewhere means.

    ``scope`` holds the paths (POSIX, in the same form as the source's path) of files or
    folders that the declaration reaches; empty means the folder of the declaring file.
    """

    kind: DeclaredKind
    key: str
    span: Span
    where: str
    scope: tuple[str, ...] = ()


Finding = Found | Declared | Skipped
