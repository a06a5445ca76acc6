"""Makefiles: the images of the container commands in recipes and variables (rules #56, #59, #69, #72)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from unhub.formats._format import Format
from unhub.formats._make.lines import Kind, Line, lines
from unhub.formats._make.text import as_shell_text, as_word, variable
from unhub.formats._shell import script as shell_script
from unhub.formats._shell.tree import Assignment, Script
from unhub.image.found import Finding, Found, Span
from unhub.image.source import Source

FORMAT = Format(
    name="makefile",
    title="Makefiles",
    tier="A",
    files=("makefile", "gnumakefile", "makefile.*", "*.makefile", "*.mk", "*.mak", "*.make"),
    positions=("the commands of recipes, as in shell scripts", "$(shell …)", "variables that hold an image or a command, in the same file"),
    gaps=("variables of an included makefile", "arguments of $(call …)"),
    order=50,
    needles=shell_script.NEEDLES,
)


def find(source: Source) -> Iterator[Finding]:
    """The images that recipes, and variables that hold a command, name."""
    script = Script()
    exported: list[Assignment] = []
    for line in lines(source.data):
        script.add(_script(source, line))
        if line.kind is Kind.ASSIGNMENT and line.sign != "!=":
            assignment = _assigned(source.data, line)
            script.assignments.append(("", assignment))
            if line.exported:
                exported.append(Assignment(line.name, assignment.span, assignment.value))
    yield from _once(shell_script.of_script(source, script, exported))


def _assigned(data: bytes, line: Line) -> Assignment:
    word = as_word(data, line.span.start, line.span.end)
    return Assignment(variable(line.name), line.span, word, append=line.sign == "+=")


def _script(source: Source, line: Line) -> Script:
    """The commands of one line; of a rule or condition only the variables it uses."""
    data = source.data
    if line.kind is Kind.RULE:
        return Script(elsewhere=[(as_word(data, line.span.start, line.span.end), "part of a target")])
    if line.kind is Kind.CONDITION:
        return Script(elsewhere=[(as_word(data, line.span.start, line.span.end), "compared with something")])
    text = as_shell_text(data, line.span.start, line.span.end)
    script = shell_script.read(source, text, line.name)
    if line.kind is Kind.ASSIGNMENT:
        script.assignments = []
    return script


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out the uses of a variable whose image was found where the variable's command is written."""
    found = list(findings)
    written = {finding.span for finding in found if isinstance(finding, Found) and _parts_span(finding) == finding.span}
    for finding in found:
        if isinstance(finding, Found) and _parts_span(finding) != finding.span and _parts_span(finding) in written:
            continue
        yield finding


def _parts_span(found: Found) -> Span | None:
    """The bytes that spell a reference, where that is one piece of this file."""
    spans = [part.span for part in found.parts if part.path is None]
    return spans[0] if len(spans) == 1 else None
