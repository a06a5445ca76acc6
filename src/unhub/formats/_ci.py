"""The images of one document of a CI file: image positions with variables, and the commands of its scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build, shell
from unhub.formats._embed import embedded
from unhub.formats._scripts import MASK, assigned, commands, mask, shell_name
from unhub.formats._shell.script import NEEDLES
from unhub.formats._text import Mapped, decode
from unhub.formats._variable_uses import Outputs, Spans, VariableUses
from unhub.formats._variables import Value, Variable, spell, trimmed
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, Finding, Found, Part, PulledBy, Skipped, Span, Wrap
from unhub.image.source import Source

_PODMAN = re.compile(r"\b(?:podman|buildah)\b")
_LOCAL = "names an image that is on the machine already"
"""How the shell format explains the source of a ``docker tag`` that it saw nobody pull."""

Split = Callable[[bytes], Sequence[Variable]]
"""The variables of a text, in order, with what is known of them at its place."""


def plain(text: bytes) -> Sequence[Variable]:
    """A text of a system without variables."""
    return ()


class _Use(Struct, frozen=True):
    """One outcome for a text: its parts or why it is left alone, at its own place or at a value's."""

    parts: tuple[Part, ...] = ()
    skip: tuple[Class, str] | None = None
    value: Value | None = None


class CiImages:
    """Collects image positions and scripts of one document and turns them into findings.

    A variable that the file itself gives a value is followed there: one value stands in for
    the variable, and each of several (a matrix) is an image of its own. ``prefixes`` are
    the ways in which the system writes a variable (``env.``, ``$``), to see its other uses.
    """

    def __init__(self, source: Source, document: Document, prefixes: Sequence[str] = ("$", "${")) -> None:
        self.source = source
        self.document = document
        self.images = Images(source.data, document)
        self._direct: list[Finding] = []
        self._followed: dict[Span, Variable] = {}
        self._partial: set[str] = set()
        self._uses: list[Span] = []
        self.variables: set[str] = set()
        """The names of every variable that was met where an image stands."""
        self._prefixes = prefixes

    def image(
        self,
        node: Node | None,
        where: str,
        pulled_by: PulledBy,
        split: Split = plain,
        *,
        scheme: str = "",
        note: str | None = None,
        host_name: str | None = None,
        host_wrap: Wrap | None = None,
        host_replaced: str | None = None,
    ) -> None:
        """Note an image position. A text that is empty names no image and is passed over (rule #61)."""
        scalar = self.document.scalar(node)
        if node is None or scalar is None or not scalar.mapped.data.strip():
            return
        inner = trimmed(scalar, scheme)
        here = Position(
            node, where, pulled_by, note,
            host_name=host_name, host_wrap=host_wrap, host_replaced=host_replaced, strip_scheme=scheme,
        )  # fmt: skip
        variables = [v.placed(scalar.mapped) for v in split(scalar.mapped.data) if v.span.start >= inner.start]
        for use in self._uses_of(scalar.mapped, inner, variables):
            if use.value is not None:
                self._at_value(use, use.value, here)
            elif use.skip:
                self.images.add(replace(here, skip=use.skip))
            else:
                self.images.add(replace(here, parts=_reader(use.parts)) if variables else here)

    def text(
        self, text: Mapped, inner: Span, where: str, pulled_by: PulledBy, split: Split = plain, *, like: Found | Skipped | None = None
    ) -> None:
        """Note a reference that is a piece of a text (``image=…`` among options).

        ``like`` is what the shell format made of it before its variables were followed.
        """
        variables = [variable.placed(text, inner.start) for variable in split(text.data[inner.start : inner.end])]
        span = text.outer(inner)
        short_name = like is not None and _PODMAN.search(like.where) is not None
        together = like.together if isinstance(like, Found) else None
        for use in self._uses_of(text, inner, variables):
            if use.value is not None:
                self._at_value(use, use.value, Position(List(span=span, items=[]), where, pulled_by, short_name=short_name))
            elif use.skip:
                self.skip(span, where, *use.skip, pulled_by)
            else:
                built = _build.build(self.source.data, span, use.parts, where=where, pulled_by=pulled_by, short_name=short_name)
                self._direct.append(replace(built, together=together) if isinstance(built, Found) else built)

    def skip(self, span: Span, where: str, class_: Class, reason: str, pulled_by: PulledBy | None = None) -> None:
        """Note a text that is left alone, and why."""
        self._direct.append(Skipped(span, decode(self.source.data[span.start : span.end]), where, class_, reason, pulled_by))

    def add(self, finding: Finding) -> None:
        """Note a finding made elsewhere."""
        self._direct.append(finding)

    def _at_value(self, use: _Use, value: Value, here: Position) -> None:
        if value.node is None:
            where = value.where or here.where
            self._direct.append(
                _build.build(self.source.data, value.span, use.parts, where=where, pulled_by=here.pulled_by, host_name=here.host_name)
            )
            return
        in_text = use.parts != value.parts
        at_value = replace(here, node=value.node, where=value.where, parts=_reader(use.parts), skip=use.skip, in_text=in_text)
        self.images.add(replace(at_value, host_wrap=None, strip_scheme=""))

    def _uses_of(self, text: Mapped, inner: Span, variables: Sequence[Variable]) -> Iterator[_Use]:
        """What a text comes to: itself, and the values that are images because of it."""
        if not variables:
            yield _Use(_build.mapped(text, inner))
            return
        whole = len(variables) == 1 and variables[0].span == inner
        for variable in variables:
            self._follow(variable, text, partial=not whole)
        first = variables[0]
        proxied = first.proxied or (first.single.proxied if first.single else "")
        if proxied and first.span.start == inner.start:
            yield _Use(skip=(Class.ALREADY_MIRRORED, proxied))
        elif whole and first.single is None:
            yield _Use(skip=(Class.VARIABLE, _choice(first, self.source.data)))
            for value in first.values:
                if not value.names_nothing:
                    yield _Use(value.parts, (Class.ALREADY_MIRRORED, value.proxied) if value.proxied else None, value)
        else:
            for spelling in spell(text, inner, variables):
                yield _Use(spelling.parts, value=spelling.value)

    def _follow(self, variable: Variable, text: Mapped, *, partial: bool) -> None:
        self._uses.append(text.outer(variable.span))
        self.variables.add(variable.name)
        for value in variable.values:
            self.images.store(self.document.resolve(value.node))
            self._followed.setdefault(value.span, variable)
        if partial and not variable.chooses:
            self._partial.add(variable.name)

    def script(self, text: Mapped, where: str, split: Split, expressions: re.Pattern[bytes] | None = None) -> None:
        """Look at the commands of a shell script. ``expressions`` is how the system writes its own variables."""
        lower = text.data.lower()
        if not any(needle in lower for needle in NEEDLES):
            return
        own = assigned(text.data)
        masked = mask(text, expressions) if expressions else text

        def visible(line: bytes) -> Sequence[Variable]:
            return [_hidden(variable) if shell_name(line, variable) in own else variable for variable in split(line)]

        for finding in embedded(self.source, masked, shell.find, where):
            self._command(finding, visible)

    def foreign_script(self, text: Mapped, where: str, language: str) -> None:
        """Report the docker commands of a script in a language that is not read here."""
        for span in commands(text.data):
            reason = f"a command in a {language} script, which is not read here; change it by hand"
            self.skip(text.outer(span), where, Class.UNREADABLE, reason, PulledBy.BUILD)

    def _command(self, finding: Finding, split: Split) -> None:
        """A finding of the shell format, with the system's variables followed and its expressions unmasked."""
        if not isinstance(finding, Found | Skipped):
            self._direct.append(finding)
            return
        raw = self.source.data[finding.span.start : finding.span.end]
        quotes = 1 if len(raw) > 1 and raw[:1] in b"\"'" and raw[:1] == raw[-1:] else 0
        inner = Span(finding.span.start + quotes, finding.span.end - quotes)
        variables = () if _is_settled(finding) else split(self.source.data[inner.start : inner.end])
        if any(variable.values or variable.proxied for variable in variables):
            text = Mapped.plain(self.source.data, *inner)
            self.text(text, Span(0, len(text.data)), finding.where, PulledBy.BUILD, split, like=finding)
        else:
            self._direct.append(self._unmasked(finding, raw, split))

    def _unmasked(self, finding: Found | Skipped, raw: bytes, split: Split) -> Found | Skipped:
        text = decode(raw) if MASK.search(finding.text) else finding.text
        names = [decode(raw[variable.span.start : variable.span.end]) for variable in split(raw)] or [text]
        if isinstance(finding, Skipped):
            reason = MASK.sub(lambda _: names[0], finding.reason)
            return replace(finding, text=text, reason=reason)
        note = finding.note and MASK.sub(lambda _: names[0], finding.note)
        return replace(finding, text=text, note=note)

    def findings(self) -> Iterator[Finding]:
        """Everything that was noted, judged together."""
        noted = [*self.images.findings(), *self._direct]
        made = [finding for finding in noted if isinstance(finding, Skipped) and _is_output(finding)]
        outputs = Outputs((finding.text, finding.span.start) for finding in made)
        broken = self._broken(Spans(finding.span for finding in made))
        followed = Spans(self._followed)
        for finding in noted:
            yield self._judged(finding, outputs, followed, broken) if isinstance(finding, Found) else finding

    def _judged(self, found: Found, outputs: Outputs, followed: Spans, broken: dict[Span, tuple[str, int]]) -> Found | Skipped:
        """A reference that is made by this file, or whose new name would break something in it, is left alone."""
        place = outputs.place_of(found) if found.pulled_by is PulledBy.BUILD else None
        if place is not None:
            return self._kept(found, Class.BUILD_OUTPUT, f"is built, tagged or pushed at line {self._line(place)}")
        for part in found.parts:
            value = followed.at(part.span.start)
            if value is not None and part.path is None and value in broken:
                name, use = broken[value]
                reason = f"the value of {name} is also used at line {self._line(use)}, where a new one would break something"
                return self._kept(found, Class.CONFLICT, reason)
        return found

    def _kept(self, found: Found, class_: Class, reason: str) -> Skipped:
        return Skipped(found.span, found.text, found.where, class_, reason, found.pulled_by)

    def _line(self, at: int) -> int:
        return self.source.data.count(b"\n", 0, at) + 1

    def _broken(self, outputs: Spans) -> dict[Span, tuple[str, int]]:
        """The values that must stay: the variable's name, and a use that a new value would break.

        A value that is a whole reference may well be printed; it must only not be compared,
        and not name what is built. A value that is a piece of one (a registry) may be the
        place to log in to or to push to.
        """
        if not self._followed:
            return {}
        uses = VariableUses(self.source.data, self.document, self._prefixes)
        images = Spans(self._uses)
        broken: dict[Span, tuple[str, int]] = {}
        for value, variable in self._followed.items():
            place = uses.compared(variable)
            for span in uses.of(variable) if place is None else ():
                elsewhere = images.at(span.start) is None if variable.name in self._partial else outputs.at(span.start) is not None
                if elsewhere:
                    place = span.start
                    break
            if place is not None:
                broken[value] = (variable.name, place)
        return broken


def _reader(parts: tuple[Part, ...]) -> Callable[[Scalar, Span], Sequence[Part]]:
    return lambda _scalar, _inner: parts


def _is_settled(finding: Found | Skipped) -> bool:
    """Whether the shell format knows the whole reference, or has another reason to leave it alone."""
    if isinstance(finding, Found):
        return all(part.known for part in finding.parts)
    return finding.class_ is not Class.VARIABLE


def _is_output(finding: Skipped) -> bool:
    """Whether this names something built; the source of a ``docker tag`` may as well have been pulled."""
    return finding.class_ is Class.BUILD_OUTPUT and not finding.reason.startswith(_LOCAL)


def _choice(variable: Variable, data: bytes) -> str:
    if not variable.values:
        return variable.unknown
    places = ", ".join(sorted({str(data.count(b"\n", 0, value.span.start) + 1) for value in variable.values}, key=int))
    reason = f"takes its value from {variable.name}, line{'s' if ',' in places else ''} {places}"
    return f"{reason}; {variable.unknown}" if variable.unknown else reason


def _hidden(variable: Variable) -> Variable:
    return replace(variable, values=(), unknown=f"the value of {variable.name} is set in the script")
