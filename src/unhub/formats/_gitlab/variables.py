"""The variables and inputs of a GitLab CI file, and what each may stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from unhub.formats._scripts import shell_variables
from unhub.formats._variables import Value, Variable, scalar_value, spell, trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, Pair
from unhub.image.found import Part, Span

INPUT = re.compile(rb"\$\[\[\s*inputs\.([\w-]+)[^\]]*\]\]")
"""``$[[ inputs.name ]]``, put in before the file is read (docs.gitlab.com, "CI/CD inputs", 2026-08)."""

_OTHER_FORM = re.compile(rb"\$\{[A-Za-z_]\w*[^}\w][^}]*\}")
_DEPTH_MAX = 8
_PROXIED = {
    "CI_DEPENDENCY_PROXY": "goes through GitLab's dependency proxy already",
    "CI_REGISTRY": "is in the project's own GitLab registry",
    "CI_TEMPLATE_REGISTRY_HOST": "is in GitLab's registry of templates",
}


class Definition(Struct, frozen=True):
    """One value of a variable: where, and whether this place alone decides for its job."""

    node: Node
    where: str
    job: str | None
    alternative: bool = False


class Definitions(Struct):
    """Every value that the file gives a variable or an input."""

    document: Document
    variables: dict[str, list[Definition]] = field(default_factory=dict[str, list[Definition]])
    inputs: dict[str, list[Definition]] = field(default_factory=dict[str, list[Definition]])

    def add(self, node: Node | None, where: str, job: str | None, *, alternative: bool = False) -> None:
        """Note a ``variables:`` mapping; ``alternative`` where it only counts under conditions."""
        mapping = self.document.mapping(node)
        for pair in self.document.pairs(mapping) if mapping else ():
            for value, place in self._values(pair, f"{where}.{pair.name}"):
                self.variables.setdefault(pair.name or "", []).append(Definition(value, place, job, alternative))

    def add_matrix(self, node: Node | None, where: str, job: str) -> None:
        """Note ``parallel:matrix``: lists of variables with one value or several."""
        entries = self.document.sequence(node)
        for number, item in enumerate(entries.items if entries else []):
            mapping = self.document.mapping(item)
            for pair in self.document.pairs(mapping) if mapping else ():
                values = self.document.sequence(pair.value)
                place = f"{where}[{number}].{pair.name}"
                for index, value in enumerate(values.items) if values else ((None, pair.value),):
                    here = place if index is None else f"{place}[{index}]"
                    self.variables.setdefault(pair.name or "", []).append(Definition(value, here, job, alternative=True))

    def add_inputs(self, document: Document, specification: Mapping) -> None:
        """Note the inputs that the file's header declares, with their defaults and options."""
        inputs = document.mapping(specification.get("inputs"))
        for pair in document.pairs(inputs) if inputs else ():
            mapping = document.mapping(pair.value)
            if mapping is not None:
                values = list(self._choices(document, mapping, f"spec.inputs.{pair.name}", "default"))
                self.inputs.setdefault(pair.name or "", []).extend(Definition(node, where, None) for node, where in values)

    def _values(self, pair: Pair, where: str) -> Iterator[tuple[Node, str]]:
        mapping = self.document.mapping(pair.value)
        if mapping is None:
            yield pair.value, where
        else:
            yield from self._choices(self.document, mapping, where, "value")

    def _choices(self, document: Document, mapping: Mapping, where: str, key: str) -> Iterator[tuple[Node, str]]:
        value = mapping.get(key)
        if value is not None:
            yield value, f"{where}.{key}"
        options = document.sequence(mapping.get("options"))
        for number, item in enumerate(options.items if options else []):
            yield item, f"{where}.options[{number}]"


class Scope(Struct, frozen=True):
    """What variables stand for in one job; ``None`` at the top level or in what other jobs extend.

    ``alone`` says that only the job's own variables and the global ones count: it extends nothing.
    """

    definitions: Definitions
    job: str | None = None
    alone: bool = False
    depth: int = 0

    def split(self, text: bytes) -> Sequence[Variable]:
        """The variables and inputs of a text."""
        found = [replace(self._input(match[1].decode()), span=Span(match.start(), match.end())) for match in INPUT.finditer(text)]
        for match in _OTHER_FORM.finditer(text):
            written = match[0].decode("utf-8", "replace")
            found.append(
                Variable(Span(match.start(), match.end()), written, unknown=f"GitLab fills in $NAME and ${{NAME}} only, not {written}")
            )
        found += shell_variables(text, self._variable)
        return sorted(found, key=lambda variable: variable.span)

    def _input(self, name: str) -> Variable:
        values = self._read(self.definitions.inputs.get(name, []))
        unknown = "" if values else f"the value of inputs.{name} is given by who includes this file"
        return Variable(Span(0, 0), f"inputs.{name}", values, chooses=len(values) > 1, unknown=unknown)

    def _variable(self, name: str) -> Variable | None:
        proxied = next((reason for prefix, reason in _PROXIED.items() if name.startswith(prefix)), "")
        if proxied:
            return Variable(Span(0, 0), f"${name}", unknown=f"the value of ${name} is not known here", proxied=proxied)
        values = self._read(self._reaching(self.definitions.variables.get(name, [])))
        return Variable(Span(0, 0), f"${name}", values, chooses=len(values) > 1) if values else None

    def _reaching(self, definitions: list[Definition]) -> list[Definition]:
        """The definitions that count here: a job's own first, the global ones where nothing can come between."""
        if self.job is None or not self.alone:
            return definitions
        own = [definition for definition in definitions if definition.job == self.job]
        overall = [definition for definition in definitions if definition.job is None]
        settled = [definition for definition in own if not definition.alternative]
        return own if settled or any(".parallel." in d.where for d in own) else [*own, *overall]

    def _read(self, definitions: Sequence[Definition]) -> tuple[Value, ...]:
        values: dict[Span, Value] = {}
        for definition in definitions:
            scalar = self.definitions.document.scalar(definition.node)
            if scalar is None or not scalar.mapped.data.strip():
                continue
            inner = trimmed(scalar)
            inside = replace(self, depth=self.depth + 1)
            variables = [] if self.depth >= _DEPTH_MAX else [v.placed(scalar.mapped) for v in inside.split(scalar.mapped.data)]
            parts: tuple[Part, ...] | None = None
            if variables:
                settled = [v if v.single else replace(v, values=(), unknown=v.unknown or f"{v.name} has several values") for v in variables]
                parts = spell(scalar.mapped, inner, settled)[0].parts
            proxied = variables[0].proxied if variables and variables[0].span.start == inner.start else ""
            value = scalar_value(scalar, definition.where, node=definition.node, parts=parts)
            values.setdefault(value.span, replace(value, proxied=proxied))
        return tuple(values.values())
