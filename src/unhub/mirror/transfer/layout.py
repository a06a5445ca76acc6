"""What a layout holds beside the specification's own: which repository and tag an image belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from unhub.image.errors import UnreadableError

LAYOUT_FILE: Final = "oci-layout"
LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE: Final = "index.json"

NAME: Final = "org.opencontainers.image.ref.name"
"""The name that other tools know an image by (``skopeo copy oci:FOLDER:NAME …``)."""

ALIAS: Final = "unhub.alias"
PATH: Final = "unhub.path"
TAG: Final = "unhub.tag"
OWN: Final = "unhub.own"
CHECKED: Final = "unhub.checked"
"""When an upstream last confirmed the tag, in seconds since 1970."""

INDEX_MAX: Final = 32 * 1024 * 1024
"""Bytes of the largest ``index.json`` that is read."""


class InvalidLayout(UnreadableError):
    """A file or folder is no OCI image layout, or its content is not what it says."""

    code = "invalid-layout"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One row of ``index.json``."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """``index.json``."""

    schema_version: int
    manifests: list[Entry]
    media_type: str = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one image. ``skipped`` says why it was left out, ``note`` what is to be known of one that was not."""

    reference: str
    digest: str
    blobs: int = 0
    bytes: int = 0
    note: str | None = None
    skipped: str | None = None
