"""From the arguments of container commands to findings: what is pulled, what is made here, what must move together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._commands.usage import Role
from unhub.formats._shell.arguments import split
from unhub.formats._shell.tree import Expansion
from unhub.formats._shell.uses import Use
from unhub.formats._shell.values import Bit, Field, Value, is_known, text_of
from unhub.formats._shell.variables import Variables
from unhub.formats._shell.word import FILLED_IN
from unhub.formats._text import decode
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Declared, DeclaredKind, Finding, Found, PulledBy, Skipped, Span
from unhub.image.reference import Reference, written_name_length

_PULLS = (Role.PULL, Role.CACHE)
_LOCALS = (Role.LOCAL, Role.PERHAPS)


def key_of(data: bytes, value: Value) -> str:
    """The same text for every spelling of an image, unknown variables by their names."""
    text = "".join(bit.part.text if bit.part.known else _name(data, bit.use) for bit in value)
    name = text[: written_name_length(text)]
    try:
        reference = Reference.parse(text if is_known(value) else name)
    except InvalidReference:
        return text
    if not is_known(value):
        return reference.name + text[len(name) :]
    return str(reference) if reference.tag or reference.digest else f"{reference}:latest"


def _name(data: bytes, span: Span) -> str:
    return "$" + decode(data[span.start : span.end]).strip('${}()"')


class _Outputs:
    """Images that a script makes or pushes."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys = frozenset(keys)
        self._names = frozenset(_name_of(key) for key in self._keys)
        self._any_tag = frozenset(_name_of(key) for key in self._keys if _is_open(key))

    def hold(self, key: str) -> bool:
        """Whether an image is made here: under this name and tag, or one of them has a tag that is not known."""
        name = _name_of(key)
        return key in self._keys or name in self._any_tag or (_is_open(key) and name in self._names)


def _name_of(key: str) -> str:
    return key[: written_name_length(key)]


def _is_open(key: str) -> bool:
    return "$" in key[written_name_length(key) :]


class Judge:
    """Turns the uses of one script into findings."""

    def __init__(self, data: bytes, folder: str, variables: Variables) -> None:
        self._data = data
        self._folder = folder
        self._variables = variables
        self._outputs = _Outputs()
        self._pulled: frozenset[str] = frozenset()
        self._local: frozenset[str] = frozenset()

    def findings(self, uses: Iterable[Use]) -> Iterator[Finding]:
        """The findings of all uses of a script."""
        pieces = [piece for use in uses for piece in split(use)]
        self._outputs = _Outputs(key for use in pieces if use.role is Role.OUTPUT for key in self._keys(use))
        self._pulled = frozenset(key for use in pieces if use.role in _PULLS for key in self._keys(use))
        self._local = frozenset(key for use in pieces if use.role in _LOCALS for key in self._keys(use)) & self._pulled
        for use in pieces:
            yield from self._use(use)

    def _keys(self, use: Use) -> list[str]:
        return [key_of(self._data, value) for value in use.field.values if text_of(value)]

    def _use(self, use: Use) -> Iterator[Finding]:
        match use.role:
            case Role.CONTEXT:
                yield self._context(use)
            case Role.OUTPUT:
                yield from self._output(use)
            case Role.CHART_VALUE:
                reason = "sets a value of a chart, whose registry may be set elsewhere; change both by hand"
                yield self._skip(use, Class.VARIABLE, reason)
            case Role.BUILD_ARGUMENT:
                reason = "gives the build a registry to put before names; set it to the new registry by hand"
                yield self._skip(use, Class.VARIABLE, reason)
            case Role.PULL | Role.CACHE | Role.LOCAL | Role.PERHAPS:
                yield from self._image(use)
            case _:
                pass

    def _where(self, use: Use) -> str:
        return f"{use.command.where}: {use.where}" if use.command.where else use.where

    def _skip(self, use: Use, class_: Class, reason: str, span: Span | None = None) -> Skipped:
        span = span or use.field.span
        pulled_by = self._pulled_by(use) if use.role in _PULLS else None
        return Skipped(span, decode(self._data[span.start : span.end]), self._where(use), class_, reason, pulled_by)

    def _pulled_by(self, use: Use) -> PulledBy:
        return PulledBy.PLATFORM if use.usage.by_platform else PulledBy.BUILD

    def _context(self, use: Use) -> Declared:
        key = use.field.head
        return Declared(DeclaredKind.CONTEXT, key, use.field.span, f"{self._where(use)} {key}", self._folders())

    def _folders(self) -> tuple[str, ...]:
        """Where the images of a build are used: around the script, or around a folder of scripts."""
        return tuple(dict.fromkeys((self._folder, self._folder.rpartition("/")[0])))

    def _output(self, use: Use) -> Iterator[Finding]:
        if use.field.text and use.usage.stdin == "dockerfile":
            yield Declared(DeclaredKind.OUTPUT, use.field.text, use.field.span, self._where(use), self._folders())
        if use.field.head or _is_variable(use.field):
            yield self._skip(use, Class.BUILD_OUTPUT, "a name that this command gives an image or pushes it to")

    def _image(self, use: Use) -> Iterator[Finding]:
        values = [value for value in use.field.values if text_of(value) or not is_known(value)]
        if use.role is Role.PERHAPS and not any(key in self._pulled for key in self._keys(use)):
            return
        if not values:
            yield self._skip(use, Class.INVALID, "the reference is empty")
        elif len(values) == 1:
            yield from self._value(use, values[0], use.field.span)
        elif _one_name(values):
            tags = ", ".join(text_of(value)[len(_name_of(text_of(value))) :] for value in values[:8])
            yield from self._value(use, values[0], use.field.span, f"stands for {len(values)} images of that name: {tags}")
        else:
            yield from self._several(use, values)

    def _several(self, use: Use, values: list[Value]) -> Iterator[Finding]:
        count = 0
        for value in values:
            place = self._place(use, value)
            if place is None:
                continue
            count += 1
            names = dict.fromkeys(bit.variable.removeprefix(FILLED_IN) for bit in value if bit.variable)
            where = f"{use.where} ({', '.join(names)})" if names else use.where
            yield from self._value(replace(use, where=where), value, place)
        yield self._skip(use, Class.VARIABLE, _reason(count, len(values)))

    def _place(self, use: Use, value: Value) -> Span | None:
        """Where one of several values is written."""
        here = use.field.word.span
        spans = [bit.part.span for bit in value if bit.part.text and not _within(bit.part.span, here)]
        if not spans:
            spans = [bit.part.span for bit in value if bit.part.text]
        return Span(min(span.start for span in spans), max(span.end for span in spans)) if spans else None

    def _value(self, use: Use, value: Value, span: Span, note: str | None = None) -> Iterator[Finding]:
        key = key_of(self._data, value)
        if use.role in _LOCALS and not use.field.head and not is_known(value) and not _is_variable(use.field):
            return
        if self._outputs.hold(key):
            yield self._skip(use, Class.BUILD_OUTPUT, "is built, tagged or pushed in this file", span)
        elif use.role in _LOCALS and key not in self._pulled:
            reason = "names an image that is on the machine already; nothing in this file pulls it"
            yield self._skip(use, Class.BUILD_OUTPUT, reason, span)
        elif reason := self._variables.misused(_edited_bits(value)):
            yield self._skip(use, Class.CONFLICT, reason, span)
        else:
            yield self._built(use, value, span, key, note)

    def _built(self, use: Use, value: Value, span: Span, key: str, note: str | None) -> Found | Skipped:
        parts = [bit.part for bit in value]
        found = _build.build(
            self._data, span, parts, where=self._where(use), pulled_by=self._pulled_by(use), short_name=use.short_names, note=note
        )
        if isinstance(found, Found) and key in self._local:
            return replace(found, together=key)
        return found


def _one_name(values: list[Value]) -> bool:
    """Whether values differ in the tag only, their name being written in one place."""
    names = {text_of(value)[: written_name_length(text_of(value))] for value in values}
    first = {value[0].part.span for value in values if value and value[0].part.known}
    whole = all(value and value[0].part.text.startswith(_name_of(text_of(value))) for value in values)
    return all(is_known(value) for value in values) and len(names) == 1 and len(first) == 1 and whole


def _reason(known: int, all_of_them: int) -> str:
    if not known:
        return "its values are not known here"
    others = "" if known == all_of_them else ", or for another that is not known here"
    return (
        f"stands for one of {known} images, each found where it is written{others}"
        if known > 1
        else f"stands for an image found where it is written{others}"
    )


def _within(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _is_variable(field: Field) -> bool:
    return any(isinstance(piece, Expansion) and piece.name for piece in field.word.pieces)


def _edited_bits(value: Value) -> tuple[Bit, ...]:
    """The bits that a new name changes: all in front of the last component, or the first bit."""
    text = text_of(value)
    last = text.rfind("/", 0, written_name_length(text)) + 1
    out: list[Bit] = []
    at = 0
    for bit in value:
        if at < last or not out:
            out.append(bit)
        at += len(bit.part.text)
    return tuple(out)
