"""What a kustomization reaches: the files and folders it builds from, and theirs in turn."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._yaml.parse import Document, Mapping, Scalar, parse
from unhub.image.errors import UnreadableError
from unhub.image.source import Source

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LISTS = ("resources", "bases", "components", "patchesStrategicMerge", "crds", "generators", "transformers")
_OBJECTS = ("patches", "patchesJson6902")
_FOLDERS_MAX = 200


def scope(source: Source, document: Document, root: Mapping) -> tuple[str, ...]:
    """Paths of files and folders whose images a selector of this kustomization sees.

    A component is applied to what others build, so it may reach everything.
    """
    if root.text("kind") == "Component":
        return ("",)
    reached = dict.fromkeys([source.path])
    waiting = list(_entries(source, document, root))
    while waiting and len(reached) < _FOLDERS_MAX:
        path = waiting.pop(0)
        if path in reached:
            continue
        reached[path] = None
        waiting += _below(source, path)
    return tuple(reached)


def _entries(source: Source, document: Document, root: Mapping) -> Iterator[str]:
    for key in _LISTS:
        for value in document.lookup(root, key):
            sequence = document.sequence(value)
            for item in sequence.items if sequence else []:
                yield from _path(source, document.scalar(item))
    for key in _OBJECTS:
        for value in document.lookup(root, key):
            sequence = document.sequence(value)
            for item in sequence.items if sequence else []:
                mapping = document.mapping(item)
                yield from _path(source, document.scalar(mapping.get("path")) if mapping else None)
    if root.get("helmCharts") is not None:
        settings = document.mapping(root.get("helmGlobals"))
        yield source.beside((settings.text("chartHome") if settings else None) or "charts")


def _path(source: Source, scalar: Scalar | None) -> Iterator[str]:
    text = scalar.text.strip() if scalar else ""
    if text and "\n" not in text and "://" not in text and not text.startswith("/"):
        yield source.beside(text)


def _below(source: Source, folder: str) -> Iterator[str]:
    """What the kustomization in ``folder`` builds from."""
    if folder.endswith((".yaml", ".yml", ".json")):
        return
    for name in NAMES:
        path = f"{folder}/{name}" if folder else name
        data = source.read(path)
        if data is None:
            continue
        try:
            documents = parse(data)
        except UnreadableError:
            continue
        for document in documents:
            root = document.mapping(document.root)
            if root is not None:
                yield from _entries(Source(path, data, source.settings, source.read), document, root)
