"""Variables and locals of a Terraform module, from the file at hand and from its usual neighbours."""

from __future__ import annotations

from unhub.formats._hcl.nodes import Template
from unhub.formats._hcl.parse import read_hcl
from unhub.formats._hcl.values import Value
from unhub.formats._lazy import lazy
from unhub.formats._yaml.nodes import Document, Mapping, Node
from unhub.image.errors import UnreadableError
from unhub.image.source import Source

_NEIGHBOURS = ("variables.tf", "locals.tf", "main.tf", "vars.tf", "variable.tf", "inputs.tf")
"""Files of a module that hold variables and locals by convention."""

_GIVEN = "terraform.tfvars"
"""Values that Terraform reads by itself, over the defaults."""


class Names:
    """What ``var.…`` and ``local.…`` stand for."""

    def __init__(self, source: Source, root: Mapping) -> None:
        self._source = source
        self._root = root
        self._read: dict[str, Mapping | None] = {}

    def lookup(self, name: str) -> Value | None:
        """The value of a name: what terraform.tfvars gives it, else its default, here before in a neighbour."""
        kind, _, rest = name.partition(".")
        if kind not in ("var", "local") or not rest:
            return None
        first, *steps = rest.split(".")
        given = self._neighbour(_GIVEN) if kind == "var" else None
        node = given.get(first) if given else None
        if node is not None:
            return _inside(node, steps, self._source.beside(_GIVEN))
        for path, root in self._files:
            found = self._in(path, root, kind, first)
            if found is not None:
                return _inside(found, steps, path)
        return None

    @lazy
    def _files(self) -> list[tuple[str | None, Mapping | None]]:
        names = [name for name in _NEIGHBOURS if name != self._source.name]
        return [(None, self._root), *((self._source.beside(name), None) for name in names)]

    def _in(self, path: str | None, root: Mapping | None, kind: str, name: str) -> Node | None:
        if path is not None:
            root = self._neighbour(path.rpartition("/")[2])
        if root is None:
            return None
        for block in root.values("variable" if kind == "var" else "locals"):
            if isinstance(block, Mapping):
                value = block.get(name)
                found = value.get("default") if kind == "var" and isinstance(value, Mapping) else None if kind == "var" else value
                if found is not None:
                    return found
        return None

    def _neighbour(self, name: str) -> Mapping | None:
        if name not in self._read:
            data = self._source.read(self._source.beside(name)) if name != self._source.name else None
            self._read[name] = _mapping(data) if data is not None else None
        return self._read[name]


def _mapping(data: bytes) -> Mapping | None:
    try:
        root = read_hcl(data).root
    except UnreadableError:
        return None
    return root if isinstance(root, Mapping) else None


def _inside(node: Node | None, steps: list[str], path: str | None) -> Value | None:
    for step in steps:
        node = node.get(step) if isinstance(node, Mapping) else None
    if node is None or (isinstance(node, Template) and path is not None and node.interpolations):
        return None
    return Value(node, path)


def mapping(document: Document) -> Mapping:
    """The top of a file."""
    root = document.root
    return root if isinstance(root, Mapping) else Mapping(span=root.span, pairs=[])
