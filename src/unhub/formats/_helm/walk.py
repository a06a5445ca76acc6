"""Where the images of a Helm values document are: a walk over its mappings and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._helm.fields import Group, group, is_image_key, is_images_key, is_set
from unhub.formats._yaml.parse import Alias, Document, Mapping, Node, Pair, Scalar, Sequence

_EMBEDDED = re.compile(rb"^[ \t]*(?:- +)?[\"']?image[\"']?[ \t]*:", re.MULTILINE)
_SETTING = re.compile(r"(?i).*(?:policy|secrets?|registry|digest|tag|enabled|sha|version)")
"""Keys of an ``images`` map that are settings of all its images rather than the name of one."""

_REGISTRY = re.compile(r"(?:default)?(?:image|docker|container)[._-]?registry", re.IGNORECASE)


class Place(Struct, frozen=True):
    """A node of the document, the keys that lead to it, and whether it is one of several images."""

    node: Node
    path: tuple[str, ...] = ()
    images: bool = False
    listed: bool = False

    @property
    def key(self) -> str:
        """The last key, list positions left out."""
        return next((key for key in reversed(self.path) if not key.startswith("[")), "")

    @property
    def where(self) -> str:
        """The keys as a chart's author writes them: ``sidecars[0].image``."""
        return dotted(self.path)


class ImageAt(Struct, frozen=True):
    """A group of fields that spell an image, and the mapping they stand in."""

    place: Place
    group: Group
    mapping: Mapping


class TextAt(Struct, frozen=True):
    """A text that is a reference by its place: an item of ``images``."""

    place: Place


class ManifestAt(Struct, frozen=True):
    """A block scalar that holds YAML with images in it."""

    place: Place
    scalar: Scalar


class PrefixAt(Struct, frozen=True):
    """A registry that is put before, or in place of, that of every image (rule #51)."""

    place: Place
    scalar: Scalar


At = ImageAt | TextAt | ManifestAt | PrefixAt


def dotted(path: tuple[str, ...]) -> str:
    """Keys joined by dots, list positions without."""
    return "".join(key if key.startswith("[") or not number else f".{key}" for number, key in enumerate(path))


def walk(document: Document) -> Iterator[At]:
    """Everything that holds an image, in the order of the file. An alias is followed where it is written out."""
    stack = [Place(document.root)]
    while stack:
        place = stack.pop()
        node = place.node
        if isinstance(node, Mapping):
            yield from _mapping(document, place, node)
            stack += reversed(list(_children(place, node)))
        elif isinstance(node, Sequence):
            yield from _settings(place, node)
            items = [Place(item, (*place.path, f"[{number}]"), place.images, True) for number, item in enumerate(node.items)]
            stack += reversed(items)
        elif place.images and isinstance(node, Scalar | Alias):
            yield TextAt(place)
        elif isinstance(node, Scalar) and node.style in "|>" and _EMBEDDED.search(node.mapped.data):
            yield ManifestAt(place, node)


def _children(place: Place, mapping: Mapping) -> Iterator[Place]:
    holds_images = place.images and not place.listed and not _is_one_image(mapping)
    for pair in mapping.pairs:
        name = pair.name or "?"
        path = (*place.path, name)
        if holds_images and name.lower() == "tags":
            yield Place(pair.value, path, images=True)
        elif holds_images and _SETTING.fullmatch(name) is None:
            yield Place(pair.value, path, images=True, listed=True)
        else:
            yield Place(pair.value, path, images=is_images_key(name))


def _is_one_image(mapping: Mapping) -> bool:
    return bool({"repository", "repo", "image"} & mapping.keys())


def _mapping(document: Document, place: Place, mapping: Mapping) -> Iterator[At]:
    own = bool(place.path) and not place.path[-1].startswith("[") and is_image_key(place.key)
    one = own or (place.images and (place.listed or _is_one_image(mapping)))
    pairs = list(document.pairs(mapping))
    groups = group(pairs, place.key, image_key=one, listed=place.listed)
    taken = [id(pair) for found in groups if found.names for pair in found.fields.get("registry", [])]
    for found in groups:
        if found.names or (own and not found.key):
            yield ImageAt(place, found, mapping)
    shared = "global" in place.path or (place.images and not one)
    for pair in pairs:
        name = pair.name or ""
        if id(pair) in taken or not (_REGISTRY.fullmatch(name) or (shared and name.lower() in ("registry", "hub"))):
            continue
        if isinstance(pair.value, Scalar) and is_set(pair.value):
            yield PrefixAt(Place(pair.value, (*place.path, name)), pair.value)


def _settings(place: Place, sequence: Sequence) -> Iterator[At]:
    """``--set`` written as a list of ``name`` and ``value`` (helmfile's ``set``, Argo CD's ``parameters``)."""
    pairs: list[Pair] = []
    for item in sequence.items:
        if isinstance(item, Mapping):
            name, value = item.get("name"), item.get("value")
            if isinstance(name, Scalar) and value is not None and "." in name.text:
                pairs.append(Pair(key=name, value=value, span=item.span))
    if pairs:
        mapping = Mapping(span=sequence.span, pairs=pairs)
        for found in group(pairs, place.key, image_key=False):
            yield ImageAt(place, found, mapping)
