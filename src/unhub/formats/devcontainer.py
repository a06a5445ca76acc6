"""Development containers: ``devcontainer.json`` (containers.dev, "devcontainer.json reference", 2026-08)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats import _build
from unhub.formats._build_arguments import LIKELY_IMAGE, Use, is_stage, read_dockerfile, use_in
from unhub.formats._format import Format
from unhub.formats._text import decode
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence, parse
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Finding, Part, PulledBy, Skipped, Span
from unhub.image.source import Source

FORMAT = Format(
    name="devcontainer",
    title="Development containers",
    tier="B",
    files=("devcontainer.json", ".devcontainer.json", ".devcontainer/*.json", "devcontainer-template.json", "devcontainer-feature.json"),
    positions=(
        "image",
        "features: the keys",
        "build.args that a FROM of the Dockerfile uses, build.cacheFrom",
        "docker commands of initializeCommand",
    ),
    gaps=(
        "commands that run inside the container (postCreateCommand and its like)",
        "features that a metadata label of an image brings along",
    ),
    order=15,
    needles=(b"image", b"build", b"features", b"docker"),
)

_VARIABLE = re.compile(rb"\$\{[^}]*\}")
# what is not closed is taken to its end all the same: to look for the end again from every place would be quadratic
_COMMENT = rb"//[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)"
_TOKEN = re.compile(rb"\"(?:\\.|[^\"\\\n])*+\"?|" + _COMMENT + rb"|,(?=(?:\s|" + _COMMENT + rb")*+[}\]])", re.DOTALL)
_LOCAL_FEATURE = re.compile(r"\.{1,2}/.*|https?://.*")


def find(source: Source) -> Iterator[Finding]:
    """The image, the features and the build of a development container."""
    for document in parse(_strict(source.data)):
        root = document.mapping(document.root)
        if root is not None:
            yield from _Container(source, document, root).findings()


def _strict(data: bytes) -> bytes:
    """The same number of bytes without what JSON does not allow: comments, and commas before a closing bracket."""

    def blank(match: re.Match[bytes]) -> bytes:
        text = match[0]
        return text if text[:1] == b'"' else re.sub(rb"[^\r\n]", b" ", text)

    stripped = _TOKEN.sub(blank, data)
    if not stripped.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        raise UnreadableError("this is no JSON object, near line 1, column 1")
    return stripped


class _Container:
    """One file."""

    def __init__(self, source: Source, document: Document, root: Mapping) -> None:
        self.source = source
        self.document = document
        self.root = root
        self.images = Images(source.data, document, _parts)
        self.others: list[Finding] = []

    def findings(self) -> Iterator[Finding]:
        for node in self.root.values("image"):
            self.images.add(Position(node, "image", PulledBy.PLATFORM))
        self._features()
        build = self.document.mapping(self.root.get("build"))
        for arguments in build.values("args") if build else ():
            mapping = self.document.mapping(arguments)
            for pair in mapping.pairs if mapping else ():
                self._argument(pair.name or "", pair.value, build)
        for cache in build.values("cacheFrom") if build else ():
            for node in cache.items if isinstance(cache, Sequence) else [cache]:
                self._cache(node)
        for node in self.root.values("initializeCommand"):
            self._command(node)
        yield from self.images.findings()
        yield from self.others

    def _features(self) -> None:
        """The keys of ``features`` are references too, of artifacts that are pulled like images."""
        for features in self.root.values("features"):
            mapping = self.document.mapping(features)
            for pair in mapping.pairs if mapping else ():
                key = pair.key
                if not isinstance(key, Scalar) or not key.text or _LOCAL_FEATURE.fullmatch(key.text):
                    continue
                if "/" not in key.text:
                    text = decode(self.source.data[key.content.start : key.content.end])
                    reason = "a feature of the old, short kind, which stands for ghcr.io/devcontainers/features"
                    self.others.append(Skipped(key.content, text, "features", Class.NOT_DOCKER_HUB, reason, PulledBy.PLATFORM))
                else:
                    parts = _parts(key, Span(0, len(key.mapped.data)))
                    self.others.append(_build.build(self.source.data, key.content, parts, where="features", pulled_by=PulledBy.PLATFORM))

    def _argument(self, name: str, node: Node, build: Mapping | None) -> None:
        scalar = self.document.scalar(node)
        if scalar is None or not scalar.text.strip() or build is None:
            return
        file = build.text("dockerfile") or self.root.text("dockerFile") or "Dockerfile"
        dockerfile = read_dockerfile(self.source, "", file)
        use, where = use_in(dockerfile, name), f"build.args.{name}"
        if use is Use.WHOLE and is_stage(dockerfile, scalar.text.strip()):
            self.images.add(Position(node, where, PulledBy.PLATFORM, skip=(Class.STAGE, "names a stage of the Dockerfile")))
        elif use is Use.WHOLE:
            self.images.add(Position(node, where, PulledBy.PLATFORM))
        elif use is Use.PREFIX or (use is Use.UNKNOWN and LIKELY_IMAGE.fullmatch(name)):
            what = "starts the name in a FROM" if use is Use.PREFIX else "an argument of a Dockerfile that cannot be read here"
            skip = (Class.VARIABLE, f"{what}; if that is Docker Hub's, change it by hand")
            self.images.add(Position(node, where, PulledBy.PLATFORM, skip=skip))

    def _cache(self, node: Node) -> None:
        scalar = self.document.scalar(node)
        text = scalar.mapped.data if scalar else b""
        found = re.search(rb"(?:^|,)ref=([^,]*)", text) if b"type=registry" in text else None
        within = Span(*found.span(1)) if found else None
        if found or b"=" not in text:
            self.images.add(Position(node, "build.cacheFrom", PulledBy.PLATFORM, within=within))

    def _command(self, node: Node) -> None:
        """A command on the host: a text for the shell; lists and named commands are looked into."""
        from unhub.formats._embed import embedded
        from unhub.formats.shell import find as shell

        if isinstance(node, Scalar):
            self.others.extend(embedded(self.source, node.mapped, shell, "initializeCommand"))
        elif isinstance(node, Mapping):
            for pair in node.pairs:
                if isinstance(pair.value, Scalar):
                    self.others.extend(embedded(self.source, pair.value.mapped, shell, "initializeCommand"))


def _parts(scalar: Scalar, inner: Span) -> list[Part]:
    """The text, with variables (``${localEnv:TAG}``, ``${templateOption:…}``) as parts of unknown value."""
    parts: list[Part] = []
    at = inner.start
    for match in _VARIABLE.finditer(scalar.mapped.data, inner.start, inner.end):
        parts += _build.mapped(scalar.mapped, Span(at, match.start())) if match.start() > at else ()
        parts.append(Part("", scalar.mapped.outer(Span(*match.span())), known=False))
        at = match.end()
    return [*parts, *(_build.mapped(scalar.mapped, Span(at, inner.end)) if at < inner.end else ())]
