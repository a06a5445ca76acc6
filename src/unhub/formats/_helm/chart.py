"""The values that Helm merges below a file of values: the chart's own, and those of unpacked subcharts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._helm.fields import Group, group, is_image_key
from unhub.formats._template.mask import Masked, mask
from unhub.formats._yaml.parse import Document, Mapping, Node, parse
from unhub.image.errors import UnreadableError
from unhub.image.source import Source

_OWN = re.compile(r"values\.ya?ml")
_TERRAFORM = re.compile(rb"[$%]\{")


class Below(Struct, frozen=True):
    """Fields of an image that a file below gives: the file's path, its document, its masked text."""

    path: str
    document: Document
    masked: Masked
    group: Group


def read_values(data: bytes) -> tuple[Masked, list[Document]]:
    """The documents of a file of values, template text masked.

    Raises :class:`UnreadableError` where it is not YAML even so.
    """
    masked = mask(data, terraform=_TERRAFORM.search(data) is not None)
    return masked, parse(masked.data)


class Chart:
    """The files of values that lie below ``source``, read when they are asked for."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._read: dict[str, tuple[Masked, list[Document]] | None] = {}

    def below(self, path: tuple[str, ...], key: str) -> Iterator[Below]:
        """The image at the same keys in each file below, the nearest first."""
        if not path or any(name.startswith("[") for name in path):
            return
        for file, keys in self._files(path):
            values = self._values(file)
            if values is None:
                continue
            masked, documents = values
            for document in documents[:1]:
                mapping = _descend(document, keys)
                if mapping is None:
                    continue
                for found in group(document.pairs(mapping), path[-1], image_key=is_image_key(path[-1])):
                    if found.key == key:
                        yield Below(file, document, masked, found)

    def _files(self, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        source = self.source
        if _OWN.fullmatch(source.name) is None:
            yield source.beside("values.yaml"), path
            yield source.beside("../values.yaml"), path
        yield source.beside(f"charts/{path[0]}/values.yaml"), path[1:]

    def _values(self, file: str) -> tuple[Masked, list[Document]] | None:
        if file not in self._read:
            self._read[file] = self._load(file)
        return self._read[file]

    def _load(self, file: str) -> tuple[Masked, list[Document]] | None:
        chart = file.removesuffix("values.yaml") + "Chart.yaml"
        data = self.source.read(file) if self.source.read(chart) is not None else None
        if data is None:
            return None
        try:
            return read_values(data)
        except UnreadableError:
            return None


def _descend(document: Document, keys: tuple[str, ...]) -> Mapping | None:
    node: Node | None = document.root
    for key in keys:
        mapping = document.mapping(node)
        node = mapping.get(key) if mapping else None
    return document.mapping(node)
