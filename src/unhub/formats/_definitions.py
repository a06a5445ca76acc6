"""Names that a CI file gives values, and the values that an expression of the system comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from unhub.formats._scripts import shell_name, shell_variables
from unhub.formats._variables import Value, Variable, scalar_value, spell, trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node
from unhub.image.found import Part, Span

_DEPTH_MAX = 8


class Definitions(Struct):
    """What names stand for at one level of a file; what is not found here is asked from ``parent``.

    ``pattern`` is an expression of the system; its one group that matches is the name as
    users write it (``parameters.image``). ``environment`` holds what shells see.
    """

    document: Document
    pattern: re.Pattern[bytes]
    parent: Definitions | None = None
    expressions: dict[str, list[tuple[Node, str]]] = field(default_factory=dict[str, list[tuple[Node, str]]])
    environment: dict[str, list[tuple[Node, str]]] = field(default_factory=dict[str, list[tuple[Node, str]]])
    depth: int = 0

    def inside(self) -> Definitions:
        """A level below this one."""
        return Definitions(self.document, self.pattern, self)

    def define(self, name: str, node: Node | None, where: str) -> None:
        """Give an expression a value; a list gives it several."""
        _put(self.document, self.expressions, name, node, where)

    def export(self, node: Node | None, where: str) -> None:
        """Give shells the variables of a mapping, or of a list of mappings."""
        for number, mapping in enumerate(self._mappings(node)):
            for pair in self.document.pairs(mapping):
                place = f"{where}.{pair.name}" if number == 0 else f"{where}[{number}].{pair.name}"
                _put(self.document, self.environment, pair.name or "", pair.value, place)

    def _mappings(self, node: Node | None) -> Iterator[Mapping]:
        mapping = self.document.mapping(node)
        sequence = self.document.sequence(node)
        items: Iterable[Node | None] = sequence.items if sequence else (mapping,)
        for item in items:
            inner = self.document.mapping(item)
            if inner is not None:
                yield inner

    def split(self, text: bytes) -> Sequence[Variable]:
        """The expressions of a text that the system evaluates."""
        found: list[Variable] = []
        for match in self.pattern.finditer(text):
            name = next((group for group in match.groups() if group is not None), b"").decode("utf-8", "replace")
            written = match[0].decode("utf-8", "replace")
            values = self._values(name, environment=False)
            unknown = "" if values else f"the value of {written} is not known here"
            found.append(Variable(Span(match.start(), match.end()), name, values, chooses=len(values) > 1, unknown=unknown))
        return found

    def split_script(self, text: bytes) -> Sequence[Variable]:
        """The expressions and the shell variables of a piece of a script."""
        found = [variable for variable in self.split(text) if variable.values or not shell_name(text, variable)]
        taken = [variable.span for variable in found]
        for variable in shell_variables(text, self._exported):
            if not any(span.start <= variable.span.start < span.end for span in taken):
                found.append(variable)
        return sorted(found, key=lambda variable: variable.span)

    def _exported(self, name: str) -> Variable | None:
        values = self._values(name, environment=True)
        return Variable(Span(0, 0), f"${name}", values, chooses=len(values) > 1) if values else None

    def _values(self, name: str, *, environment: bool) -> tuple[Value, ...]:
        level: Definitions | None = self
        while level is not None:
            known = level.environment if environment else level.expressions
            if name in known:
                return tuple(self._read(known[name]))
            level = level.parent
        return ()

    def _read(self, values: Iterable[tuple[Node, str]]) -> Iterator[Value]:
        seen: set[Span] = set()
        for node, where in values:
            scalar = self.document.scalar(node)
            if scalar is None or scalar.is_null or scalar.span in seen:
                continue
            seen.add(scalar.span)
            variables: list[Variable] = []
            if self.depth < _DEPTH_MAX:
                deeper = replace(self, depth=self.depth + 1)
                variables = [variable.placed(scalar.mapped) for variable in deeper.split(scalar.mapped.data)]
            parts: tuple[Part, ...] | None = None
            if variables:
                settled = [v if v.single else replace(v, values=(), unknown=v.unknown or f"{v.name} has several values") for v in variables]
                parts = spell(scalar.mapped, trimmed(scalar), settled)[0].parts
            yield scalar_value(scalar, where, node=node, parts=parts)


def _put(document: Document, known: dict[str, list[tuple[Node, str]]], name: str, node: Node | None, where: str) -> None:
    if node is None:
        return
    values = document.sequence(node)
    if values is None:
        known.setdefault(name, []).append((node, where))
        return
    for number, item in enumerate(values.items):
        known.setdefault(name, []).append((item, f"{where}[{number}]"))
