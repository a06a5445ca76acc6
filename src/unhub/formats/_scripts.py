"""Scripts inside CI files: joined as the system joins them, masked so that a shell parser can read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from unhub.formats._text import Mapped, Piece
from unhub.formats._variables import Variable
from unhub.formats._yaml.parse import Document, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Span

MASK = re.compile(r"\$\{_+\}")
"""What an expression of the CI system looks like after :func:`mask`."""

_SHELL_VARIABLE = re.compile(rb"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_ASSIGNED = re.compile(
    rb"(?:^|[\s;&|(])(?:(?:export|local|readonly|declare|for)\s+(?:-\w+\s+)*)?([A-Za-z_]\w*)(?:=|\s+in\s)"
    rb"|\bread\s+(?:-\w+\s+)*([A-Za-z_]\w*)"
)
_COMMAND = re.compile(
    rb"^[^#\r\n]*?\b((?:docker|podman|nerdctl)(?:\.exe)?[ \t,\"']+"
    rb"(?:image[ \t]+|container[ \t]+|buildx[ \t]+)?(?:run|pull|create|build)\b[^\r\n]*)",
    re.MULTILINE,
)


def _nowhere(_node: List) -> Node | None:
    return None


def mask(text: Mapped, pattern: re.Pattern[bytes]) -> Mapped:
    """The same text with every expression of the CI system as a shell variable of the same length.

    What the system puts there is no shell syntax, so a shell parser must not see it.
    """
    data = pattern.sub(lambda match: b"${" + b"_" * (len(match[0]) - 3) + b"}", text.data)
    return Mapped(data, text.pieces)


def assigned(script: bytes) -> frozenset[str]:
    """Names that a script gives a value to itself, so that the system's value may not be the one used."""
    return frozenset((match[1] or match[2]).decode("ascii") for match in _ASSIGNED.finditer(script))


def shell_variables(text: bytes, known: Callable[[str], Variable | None]) -> Iterator[Variable]:
    """Every ``$NAME`` and ``${NAME}`` of a text; ``known`` says what one stands for."""
    for match in _SHELL_VARIABLE.finditer(text):
        name = (match[1] or match[2]).decode("ascii")
        span = Span(match.start(), match.end())
        variable = known(name)
        yield replace(variable, span=span) if variable else Variable(span, f"${name}", unknown=f"the value of ${name} is not known here")


def shell_name(text: bytes, variable: Variable) -> str | None:
    """The name of a variable that the shell looks up, ``None`` for one that the system puts in."""
    match = _SHELL_VARIABLE.fullmatch(text, variable.span.start, variable.span.end)
    return (match[1] or match[2]).decode("ascii") if match else None


def lines(document: Document, node: Node | None, follow: Callable[[List], Node | None] = _nowhere) -> Iterator[Scalar]:
    """The lines of a script: a text, a list of texts, or lists in lists; each list once.

    ``follow`` finds what a list with a tag of the system's own (``!reference``) stands for.
    """
    waiting: list[Node | None] = [node]
    visited: set[int] = set()
    while waiting:
        node = document.resolve(waiting.pop())
        if isinstance(node, List) and node.tag is not None:
            node = document.resolve(follow(node))
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, List) and node.tag is None and id(node) not in visited:
            visited.add(id(node))
            waiting.extend(reversed(node.items))


def joined(texts: Sequence[Mapped]) -> Mapped:
    """Texts put under each other, as a system does with the lines of one script."""
    data = bytearray()
    pieces: list[Piece] = []
    for text in texts:
        pieces += [replace(piece, inner=piece.inner + len(data)) for piece in text.pieces]
        data += text.data
        if not text.data.endswith(b"\n"):
            end = pieces[-1].outer_end if pieces else 0
            pieces.append(Piece(len(data), end, 1, literal=False, width=0))
            data += b"\n"
    return Mapped(bytes(data), tuple(pieces))


def commands(script: bytes) -> Iterator[Span]:
    """The docker commands of a script in a language that is not read here, each to the end of its line."""
    for match in _COMMAND.finditer(script):
        yield Span(match.start(1), match.start(1) + len(match[1].rstrip(b" \t'\")]")))
