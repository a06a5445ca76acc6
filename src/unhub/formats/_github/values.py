"""What an expression of GitHub Actions stands for at one place: matrix, inputs and env, as far as the file says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats._github.expressions import Context, Literal, Outcome, expressions, outcomes
from unhub.formats._scripts import shell_variables
from unhub.formats._text import decode
from unhub.formats._variables import Value, Variable, scalar_value, spell, trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node
from unhub.image.found import Part, Span

_DEPTH_MAX = 8

PREFIXES = ("matrix.", "env.", "inputs.", "$", "${", "$env:", "%")
"""How workflows and their scripts write a variable or an input."""


class Scope(Struct, frozen=True):
    """What has a value at one place: the mappings of ``env`` from the inside out, inputs, and the job's matrix."""

    document: Document
    env: tuple[tuple[Mapping, str], ...] = ()
    inputs: tuple[tuple[Mapping, str], ...] = ()
    matrix: Mapping | None = None
    matrix_where: str = ""
    job: Span | None = None
    depth: int = 0

    def inside(self, node: Mapping, where: str) -> Scope:
        """The scope within ``node``, whose ``env`` comes before those around it."""
        env = self.document.mapping(node.get("env"))
        return replace(self, env=((env, f"{where}env"), *self.env)) if env else self

    def split(self, text: bytes) -> Sequence[Variable]:
        """The expressions of a text that the platform evaluates."""
        return [self._variable(text, match.start(), match.end(), match.span(1)) for match in expressions(text)]

    def split_script(self, text: bytes) -> Sequence[Variable]:
        """The expressions and the shell variables of a piece of a script."""
        found = list(self.split(text))
        taken = [variable.span for variable in found]
        for variable in shell_variables(text, self._environment):
            if not any(span.start <= variable.span.start < span.end for span in taken):
                found.append(variable)
        return sorted(found, key=lambda variable: variable.span)

    def _variable(self, text: bytes, start: int, end: int, inner: tuple[int, int]) -> Variable:
        found = outcomes(text, *inner)
        values: list[Value] = []
        unknown: list[str] = []
        for outcome in found:
            here = list(self._values(outcome))
            values += here
            if not here:
                unknown.append(str(outcome) if isinstance(outcome, Context) else decode(text[start:end]))
        matrix = any(isinstance(outcome, Context) and outcome.path[0] == "matrix" for outcome in found)
        name = str(found[0]) if len(found) == 1 and isinstance(found[0], Context) else decode(text[start:end])
        reason = f"the value of {', '.join(unknown)} is not known here" if unknown else ""
        chooses = matrix or len(values) > 1 or len(found) > 1
        return Variable(Span(start, end), name, tuple(values), chooses=chooses, unknown=reason, reach=self.job if matrix else None)

    def _values(self, outcome: Outcome) -> Iterator[Value]:
        if isinstance(outcome, Literal) and outcome.text:
            yield Value(outcome.span, (Part(outcome.text, outcome.span),), "")
        elif isinstance(outcome, Context):
            kind, *path = outcome.path
            if outcome.path[:3] == ("github", "event", "inputs"):
                kind, path = "inputs", list(outcome.path[3:])
            if kind == "matrix" and path:
                yield from self._of_matrix(tuple(path))
            elif kind == "inputs" and len(path) == 1:
                yield from self._of_input(path[0])
            elif kind == "env" and len(path) == 1:
                yield from self._of_env(path[0])

    def _environment(self, name: str) -> Variable | None:
        values = tuple(self._of_env(name))
        return Variable(Span(0, 0), f"env.{name}", values) if values else None

    def _of_env(self, name: str) -> Iterator[Value]:
        for number, (mapping, where) in enumerate(self.env):
            node = mapping.get(name)
            if node is not None:
                # a value may use only what stands around its own env
                yield from self._value(node, f"{where}.{name}", replace(self, env=self.env[number + 1 :]))
                return

    def _of_input(self, name: str) -> Iterator[Value]:
        for mapping, where in self.inputs:
            declared = self.document.mapping(mapping.get(name))
            if declared is None:
                continue
            yield from self._value(declared.get("default"), f"{where}.{name}.default", self)
            options = self.document.sequence(declared.get("options"))
            for number, item in enumerate(options.items if options else []):
                yield from self._value(item, f"{where}.{name}.options[{number}]", self)

    def _of_matrix(self, path: tuple[str, ...]) -> Iterator[Value]:
        if self.matrix is None:
            return
        key, *rest = path
        items = self.document.sequence(self.matrix.get(key))
        for number, item in enumerate(items.items if items else []):
            yield from self._below(item, rest, f"{self.matrix_where}.{key}[{number}]")
        for more in ("include", "exclude"):
            entries = self.document.sequence(self.matrix.get(more))
            for number, item in enumerate(entries.items if entries else []):
                entry = self.document.mapping(item)
                if entry is not None and entry.get(key) is not None:
                    yield from self._below(entry.get(key), rest, f"{self.matrix_where}.{more}[{number}].{key}")

    def _below(self, node: Node | None, path: list[str], where: str) -> Iterator[Value]:
        for step in path:
            mapping = self.document.mapping(node)
            node = mapping.get(step) if mapping else None
            where = f"{where}.{step}"
        yield from self._value(node, where, self)

    def _value(self, node: Node | None, where: str, scope: Scope) -> Iterator[Value]:
        scalar = self.document.scalar(node)
        if scalar is None or node is None:
            return
        inner = trimmed(scalar)
        variables: Sequence[Variable] = () if scope.depth >= _DEPTH_MAX else replace(scope, depth=scope.depth + 1).split(scalar.mapped.data)
        parts: tuple[Part, ...] | None = None
        if variables:
            settled = [v if v.single else replace(v, values=(), unknown=v.unknown or f"{v.name} has several values") for v in variables]
            parts = spell(scalar.mapped, inner, settled)[0].parts
        yield scalar_value(scalar, where, node=node, parts=parts)
