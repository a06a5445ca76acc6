"""Build arguments given outside a Dockerfile: which of them take the place of an image in it."""

from __future__ import annotations

import re
from enum import StrEnum

from unhub.formats._text import decode
from unhub.image.source import Source

LIKELY_IMAGE = re.compile(
    r"(?i)(?:.*_)?(?:base|builder|runtime|from)?_?(?:image|img)(?:_(?:name|ref|base))?|base|from|(?:.*_)?base_(?:image|img)"
)
"""Names of arguments that most likely hold an image, where the Dockerfile cannot be read."""

_STAGE = re.compile(r"(?im)^[ \t]*FROM[ \t]+.*[ \t]AS[ \t]+(\S+)")


class Use(StrEnum):
    """How the Dockerfile uses an argument."""

    WHOLE = "whole"
    """It is all of a ``FROM``: its value is a reference."""
    PREFIX = "prefix"
    """It is the start of the name in a ``FROM``: a registry, or an organisation."""
    REST = "rest"
    """It is in a ``FROM``, but never at the start of the name: a tag, mostly."""
    NONE = "none"
    """No ``FROM`` has it."""
    UNKNOWN = "unknown"
    """There is no Dockerfile to read."""


def use_in(dockerfile: bytes | None, name: str) -> Use:
    """How the ``FROM`` lines of a Dockerfile use the argument ``name``.

    Written for a quick look from another file: lines that go on and arguments made of
    other arguments are not followed.
    """
    if dockerfile is None:
        return Use.UNKNOWN
    text = decode(dockerfile)
    word = re.escape(name)
    reference = rf"\$(?:\{{{word}(?::?-[^}}]*)?\}}|{word}(?!\w))"
    start = r"(?im)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*[\"']?"
    if re.search(rf"{start}{reference}[\"']?[ \t]*(?:[ \t]AS[ \t]|\r?$)", text):
        return Use.WHOLE
    if re.search(rf"{start}{reference}", text):
        return Use.PREFIX
    return Use.REST if re.search(rf"(?im)^[ \t]*FROM[ \t].*{reference}", text) else Use.NONE


def is_stage(dockerfile: bytes | None, value: str) -> bool:
    """Whether a value names a stage of the Dockerfile rather than an image (rule #16)."""
    return dockerfile is not None and any(match[1].lower() == value.lower() for match in _STAGE.finditer(decode(dockerfile)))


def read_dockerfile(source: Source, folder: str, name: str = "Dockerfile") -> bytes | None:
    """The Dockerfile ``name`` of a build whose context is ``folder``, both relative to ``source``."""
    for relative in (f"{folder}/{name}" if folder else name, name):
        if "$" in relative or "{" in relative or "://" in relative:
            return None
        data = source.read(source.beside(relative))
        if data is not None:
            return data
    return None
