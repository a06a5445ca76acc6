"""Nomad jobs, HCL or JSON (developer.hashicorp.com, "Job specification", 2026-08)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._format import Format
from unhub.formats._hcl.images import images, skipped, starts_with
from unhub.formats._hcl.json_text import read_hcl_json
from unhub.formats._hcl.parse import read_hcl
from unhub.formats._hcl.values import Value, Values, children, value_text
from unhub.formats._yaml.nodes import Document, Mapping, Node, Sequence
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source

_JOB = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*job[ \t]+\"?[^\"{\n]*\"?[ \t]*\{", re.MULTILINE)
_TASKS = re.compile(rb"\b(?:group|task)[ \t]+\"")
_PULLING = frozenset({"docker", "podman", "containerd-driver"})


def _recognise(source: Source) -> bool:
    name = source.name.lower()
    if name.endswith((".nomad", ".nomad.hcl", ".nomad.json", ".nomad.tpl")):
        return True
    if name.endswith(".json"):
        return b'"TaskGroups"' in source.data
    return _JOB.search(source.data) is not None and _TASKS.search(source.data) is not None


FORMAT = Format(
    name="nomad",
    title="Nomad jobs",
    tier="B",
    files=("*.nomad", "*.nomad.*", "*.hcl", "*.json"),
    positions=(
        "task.config.image of the docker, podman and containerd drivers",
        "defaults of variables and locals that it uses",
        "jobs as JSON, as the API takes them: TaskGroups[].Tasks[].Config.image",
    ),
    gaps=("variables given on the command line or in a file of their own", "Levant's and nomad-pack's templates"),
    order=35,
    needles=(b"image",),
    recognise=_recognise,
)


class _At(Struct, frozen=True):
    """A value, the keys that lead to it, and the driver of the task around it."""

    node: Node
    keys: tuple[str, ...] = ()
    driver: str = ""


def find(source: Source) -> Iterator[Finding]:
    """The images of the tasks of a job."""
    document = read_hcl_json(source.data) if source.name.lower().endswith(".json") else read_hcl(source.data)
    yield from _Job(source, document).findings()


class _Job:
    """One file."""

    def __init__(self, source: Source, document: Document) -> None:
        self.source = source
        self.root = document.root if isinstance(document.root, Mapping) else Mapping(span=document.root.span, pairs=[])
        self.values = Values(self._lookup)

    def findings(self) -> Iterator[Finding]:
        waiting = [_At(self.root)]
        while waiting:
            at = waiting.pop()
            if at.keys[-2:] in (("config", "image"), ("Config", "image")):
                yield from self._image(at)
            else:
                waiting.extend(reversed(list(self._children(at))))

    def _image(self, at: _At) -> Iterator[Finding]:
        where = ".".join(key for key in at.keys if key not in ("job", "Job"))
        if at.driver and at.driver not in _PULLING:
            reason = f"the {at.driver} driver runs a machine image, not a container"
            yield skipped(self.source.data, at.node, where, Class.NOT_DOCKER_HUB, reason, pulled_by=PulledBy.PLATFORM)
            return
        has_scheme = starts_with(self.values.parts(at.node), "docker://")
        scheme = "docker://" if at.driver == "podman" and has_scheme else ""
        yield from images(self.source.data, self.values, at.node, where, PulledBy.PLATFORM, scheme=scheme)

    def _children(self, at: _At) -> Iterator[_At]:
        node = at.node
        if not isinstance(node, Mapping):
            yield from (_At(child, at.keys, at.driver) for child in children(node) if isinstance(node, Sequence))
            return
        driver = value_text(node.get("driver") or node.get("Driver")) or at.driver
        for pair in node.pairs:
            if pair.name == "dynamic" and isinstance(pair.value, Mapping):
                for inner in pair.value.pairs:
                    content = inner.value.get("content") if isinstance(inner.value, Mapping) else None
                    yield _At(content or inner.value, (*at.keys, inner.name or ""), driver)
            else:
                yield _At(pair.value, (*at.keys, pair.name or ""), driver)

    def _lookup(self, name: str) -> Value | None:
        kind, _, rest = name.partition(".")
        for block in self.root.values({"var": "variable", "local": "locals"}.get(kind, "")):
            found = block.get(rest) if isinstance(block, Mapping) else None
            if kind == "var":
                found = found.get("default") if isinstance(found, Mapping) else None
            if found is not None:
                return Value(found)
        return None
