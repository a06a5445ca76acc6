"""The steps of a workflow's job or of a composite action."""

from __future__ import annotations

import re
from collections.abc import Callable

from unhub.formats._build_arguments import LIKELY_IMAGE, Use, is_stage, use_in
from unhub.formats._ci import CiImages
from unhub.formats._docker_actions import INPUTS, MAYBE_IMAGE, Item, Kind, items
from unhub.formats._github.expressions import EXPRESSION
from unhub.formats._github.values import Scope
from unhub.formats._text import decode
from unhub.formats._variables import trimmed
from unhub.formats._yaml.parse import Mapping, Node, Scalar
from unhub.image.found import Class, Declared, DeclaredKind, PulledBy

DOCKER_SCHEME = "docker://"
_SHELLS = re.compile(r"\s*(?:/\S+/)?(?:ba|da|z|k)?sh(?:\s|$)")


class Steps:
    """Looks at steps one after the other.

    ``root`` is the path of the repository's top; ``image_inputs`` tells which inputs an
    action of the same repository uses as images.
    """

    def __init__(self, images: CiImages, root: str, image_inputs: Callable[[str], frozenset[str]]) -> None:
        self.source = images.source
        self.document = images.document
        self.images = images
        self.root = root
        self.image_inputs = image_inputs

    def visit(self, node: Node | None, where: str, scope: Scope, shell: str) -> None:
        """Every step of a list; ``shell`` is what ``run`` uses where a step does not say."""
        steps = self.document.sequence(node)
        for number, item in enumerate(steps.items if steps else []):
            step = self.document.mapping(item)
            if step is not None:
                self._step(step, f"{where}[{number}]", scope, shell)

    def _step(self, step: Mapping, where: str, scope: Scope, shell: str) -> None:
        scope = scope.inside(step, f"{where}.")
        uses = step.text("uses") or ""
        if uses.strip().lower().startswith(DOCKER_SCHEME):
            self.images.image(step.get("uses"), f"{where}.uses", PulledBy.PLATFORM, scope.split, scheme=DOCKER_SCHEME)
        elif uses:
            self._inputs(uses.strip(), step, where, scope)
        run = self.document.scalar(step.get("run"))
        if run is not None:
            self._run(run, f"{where}.run", scope, step.text("shell") or shell)

    def _run(self, run: Scalar, where: str, scope: Scope, shell: str) -> None:
        if not shell or _SHELLS.match(shell):
            self.images.script(run.mapped, where, scope.split_script, EXPRESSION)
        else:
            self.images.foreign_script(run.mapped, where, shell.split(maxsplit=1)[0])

    def _inputs(self, uses: str, step: Mapping, where: str, scope: Scope) -> None:
        inputs = self.document.mapping(step.get("with"))
        if inputs is None:
            return
        action = uses.partition("@")[0].lower()
        known = INPUTS.get("/".join(action.split("/")[:2]), {})
        called = self.image_inputs(uses)
        for pair in self.document.pairs(inputs):
            value = self.document.scalar(pair.value)
            if pair.name is None or value is None:
                continue
            place = f"{where}.with.{pair.name}"
            if pair.name in known:
                self._known(known[pair.name], value, inputs, place, scope)
            elif pair.name in called:
                self.images.image(pair.value, place, PulledBy.BUILD, scope.split)
            else:
                self.unclear(pair.name, value, place, action)

    def unclear(self, name: str, node: Node, place: str, action: str) -> None:
        """Report an input that may hold an image, of an action or workflow that is not known here."""
        value = self.document.scalar(node)
        if value is not None and MAYBE_IMAGE.fullmatch(name) and value.text.strip() not in ("", "true", "false"):
            span = value.mapped.outer(trimmed(value))
            reason = f"an input of {action}, of which it is not known whether it pulls it; change it by hand if it does"
            self.images.skip(span, place, Class.VARIABLE, reason)

    def _known(self, kind: Kind, value: Scalar, inputs: Mapping, place: str, scope: Scope) -> None:
        for item in items(kind, value.mapped):
            where = f"{place}.{item.name}" if item.name else place
            match item.kind:
                case Kind.OUTPUT:
                    self.images.skip(value.mapped.outer(item.span), where, Class.BUILD_OUTPUT, "names what is built, not what is pulled")
                case Kind.BUILD_ARGS:
                    self._build_argument(item, value, inputs, where, scope)
                case Kind.CONTEXTS:
                    self._context(item, value, inputs, where, scope)
                case _:
                    self.images.text(value.mapped, item.span, where, PulledBy.BUILD, scope.split)

    def _context(self, item: Item, value: Scalar, inputs: Mapping, where: str, scope: Scope) -> None:
        key = item.name.lower().removesuffix(":latest")
        self.images.add(Declared(DeclaredKind.CONTEXT, key, value.mapped.outer(item.span), where, (self._folder(inputs),)))
        if item.span.end > item.span.start:
            self.images.text(value.mapped, item.span, where, PulledBy.BUILD, scope.split)

    def _folder(self, inputs: Mapping) -> str:
        """The folder that is built, as a path of the tree; the top of the repository where it is not clear."""
        context = (inputs.text("context") or ".").strip()
        if "$" in context or "://" in context or context.startswith("/"):
            return self.root
        relative = context.removeprefix("./").strip("/")
        return "/".join(part for part in (self.root, "" if relative == "." else relative) if part)

    def _build_argument(self, item: Item, value: Scalar, inputs: Mapping, where: str, scope: Scope) -> None:
        """A build argument is an image where the Dockerfile uses it as the whole of a FROM."""
        dockerfile = self._dockerfile(inputs)
        use = use_in(dockerfile, item.name)
        text = decode(value.mapped.data[item.span.start : item.span.end])
        if use is Use.WHOLE and not is_stage(dockerfile, text):
            self.images.text(value.mapped, item.span, where, PulledBy.BUILD, scope.split)
        elif use is Use.PREFIX or (use is Use.UNKNOWN and LIKELY_IMAGE.fullmatch(item.name)):
            seen = "the start of a FROM" if use is Use.PREFIX else "of a Dockerfile that cannot be looked at from here"
            reason = f"a build argument, {seen}; change it by hand if it names an image"
            self.images.skip(value.mapped.outer(item.span), where, Class.VARIABLE, reason)

    def _dockerfile(self, inputs: Mapping) -> bytes | None:
        """The Dockerfile that a build reads: ``file`` counts from the top of the repository."""
        file, context = (inputs.text("file") or "").strip(), (inputs.text("context") or "").strip()
        if "$" in file or (not file and "$" in context):
            return None
        folder = self.root if file else self._folder(inputs)
        return self.source.read("/".join(part for part in (folder, (file or "Dockerfile").removeprefix("./")) if part))
