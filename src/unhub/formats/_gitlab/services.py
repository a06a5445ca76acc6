"""Services of GitLab CI: a host name that is made from the image name (rule #63).

gitlab-runner (``helpers/container/services``, 2026-08) strips what follows the name, and
replaces ``/`` by ``__``, and for a second name by ``-``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from unhub.formats._text import decode, encode
from unhub.formats._variables import Variable
from unhub.formats._yaml.parse import Alias, Mapping, Node, Pair, Scalar
from unhub.image.errors import InvalidReference
from unhub.image.found import Declared, DeclaredKind, Span, Wrap
from unhub.image.reference import Reference, written_name_length

_FLOW_INDICATORS = re.compile(rb"[{}\[\],]")
_HOST = r"([a-z0-9][a-z0-9_.-]*)"
_HOST_USES = re.compile(
    rf"(?://|@){_HOST}|(?:^|\s)(?:-h|--host)[\s=]*{_HOST}|(?<![\w./:@-]){_HOST}:\d{{3,5}}(?![\w.])|\b\w*host\w*\s*[=:]\s*[\"']?{_HOST}"
    rf"|\b(?:nc|ping|curl|wget|telnet|dig|nslookup)(?:\s+-\S+)*\s+{_HOST}",
    re.IGNORECASE,
)
_HOST_KEY = re.compile(r"host|server|_url$|_addr", re.IGNORECASE)
_HOST_VALUE = re.compile(rf"\s*{_HOST}\s*", re.IGNORECASE)


def host_names(image: str) -> tuple[str, ...]:
    """The host names of a service without an alias: the first one, and the second where they differ."""
    name = image[: written_name_length(image)]
    # a port of the registry is dropped, what follows it is kept
    name = re.sub(r"^([^/]*?):\d+(?=/)", r"\1", name)
    return tuple(dict.fromkeys((name.replace("/", "__"), name.replace("/", "-"))))


def image_text(text: str, variables: Sequence[Variable]) -> str | None:
    """The image that a text with variables comes to, ``None`` where its name is not known."""
    out, at = "", 0
    data = encode(text)
    for variable in variables:
        out += decode(data[at : variable.span.start])
        if variable.single is None or not all(part.known for part in variable.single.parts):
            return out if written_name_length(out) < len(out) else None
        out += "".join(part.text for part in variable.single.parts)
        at = variable.span.end
    return out + decode(data[at:])


def is_image(text: str) -> bool:
    """Whether a text is a reference, so that a host name can be made from it."""
    try:
        Reference.parse(text)
    except InvalidReference:
        return False
    return True


def wrap_scalar(node: Node, host: str) -> Wrap | None:
    """What turns ``- postgres:15`` into ``- {name: postgres:15, alias: postgres}``."""
    if isinstance(node, Alias) or not isinstance(node, Scalar) or node.anchor or node.tag or node.style in "|>":
        return None
    plain = node.style == "plain"
    quote = b'"' if plain and _FLOW_INDICATORS.search(node.mapped.data) else b""
    return Wrap(node.span, b"{name: " + quote, quote + b", alias: " + encode(host) + b"}")


def wrap_mapping(data: bytes, mapping: Mapping, pair: Pair, host: str) -> Wrap | None:
    """What puts ``alias: postgres`` before the ``name:`` of a service, on a line of its own in block style."""
    if not isinstance(pair.value, Scalar) or pair.value.anchor or pair.value not in [own.value for own in mapping.pairs]:
        return None
    span = Span(pair.key.span.start, pair.value.span.end)
    alias = b"alias: " + encode(host)
    if mapping.flow:
        return Wrap(span, alias + b", ", b"")
    line = data.rfind(b"\n", 0, span.start) + 1
    indent = len(decode(data[line : span.start]).removeprefix("\ufeff"))
    ending = data.find(b"\n", span.start)
    newline = b"\r\n" if ending > 0 and data[ending - 1 : ending] == b"\r" else b"\n"
    return Wrap(span, alias + newline + b" " * indent, b"")


def hosts_in_script(data: bytes, scalar: Scalar, where: str, scope: tuple[str, ...]) -> Iterator[Declared]:
    """The host names that a command names: in an address, behind ``-h``, before a port."""
    span = scalar.span
    for match in _HOST_USES.finditer(decode(data[span.start : span.end])):
        host = next(group for group in match.groups() if group is not None)
        yield Declared(DeclaredKind.HOST, host.lower(), span, where, scope)


def hosts_in_variable(data: bytes, name: str, scalar: Scalar, where: str, scope: tuple[str, ...]) -> Iterator[Declared]:
    """The host names in a variable: a value that is one (``PGHOST: postgres``), or an address in it."""
    whole = _HOST_VALUE.fullmatch(scalar.text)
    if whole and _HOST_KEY.search(name):
        yield Declared(DeclaredKind.HOST, whole[1].lower(), scalar.span, where, scope)
    yield from hosts_in_script(data, scalar, where, scope)
