"""Edits: bytes that take the place of bytes, planned for a finding, applied whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from unhub.image.errors import SelfCheckFailed
from unhub.image.found import Found, Part, Role, Span, Wrap
from unhub.image.reference import Reference, written_name_length
from unhub.migrate.pinning import end_of


class Edit(Struct, frozen=True, order=True):
    """Put ``replacement`` where the bytes of ``span`` stand, in the file ``path``."""

    path: str
    span: Span
    replacement: bytes


class Fix(Struct, frozen=True):
    """The edits that move one reference, whole or not at all."""

    edits: tuple[Edit, ...]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def plan_fix(found: Found, target: Reference, path: str, *, keep_host: bool = False) -> Fix:
    """The smallest edits that make ``found`` name ``target``; tag and digest keep their bytes, a new digest goes behind them.

    Where the new name ends like the old one only the difference is written, so that a
    variable, a continuation or a comment inside the name survives. ``keep_host`` adds the
    wrap that keeps a service's host name.
    """
    repository = tuple(part for part in found.parts if part.role is Role.REPOSITORY)
    if repository:
        registry = tuple(part for part in found.parts if part.role is Role.REGISTRY)
        changes = _field_changes(registry, repository, target)
    else:
        changes = _text_changes(_name_parts(found.parts), target.name)
    edits = [_edit(part, text, path) for part, text in changes]
    if target.digest is not None and found.reference.digest is None:
        end = end_of(found)
        edits.append(Edit(end.path or path, Span(end.span.end, end.span.end), _encode(f"@{target.digest}")))
    if keep_host and found.host_wrap is not None and target.name != found.reference.name:
        edits = _wrapped(edits, found.host_wrap, path)
    return Fix(tuple(edits))


def _wrapped(edits: list[Edit], wrap: Wrap, path: str) -> list[Edit]:
    opening, closing = Span(wrap.span.start, wrap.span.start), Span(wrap.span.end, wrap.span.end)
    before, after = wrap.before, wrap.after
    rest: list[Edit] = []
    for edit in edits:
        if edit.span == opening:
            before += edit.replacement
        elif edit.span == closing:
            after = edit.replacement + after
        else:
            rest.append(edit)
    return [Edit(path, opening, before), *rest, Edit(path, closing, after)]


def _name_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    known: list[Part] = []
    for part in parts:
        if not part.known:
            break
        known.append(part)
    return tuple(known)


def _edit(part: Part, text: bytes, path: str) -> Edit:
    return Edit(part.path or path, part.span, text)


def _field_changes(registry: Sequence[Part], repository: Sequence[Part], target: Reference) -> list[tuple[Part, bytes]]:
    if not registry:
        return _text_changes(repository, target.name)
    return _text_changes(registry, target.registry) + _text_changes(repository, target.repository)


def _text_changes(parts: Sequence[Part], new_name: str) -> list[tuple[Part, bytes]]:
    """Which bytes of which parts change so that the name they spell becomes ``new_name``."""
    text = "".join(part.text for part in parts)
    in_registry_field = bool(parts) and parts[0].role is Role.REGISTRY
    old_name = text if in_registry_field else text[: written_name_length(text)]
    if old_name == new_name:
        return []
    if len(parts) == 1 and _is_implied(parts[0]):
        return [(parts[0], parts[0].before + _encode(new_name) + parts[0].after)]
    kept = _common_tail(old_name, new_name)
    head_length, head = len(old_name) - kept, new_name[: len(new_name) - kept]
    changes: list[tuple[Part, bytes]] = []
    start = 0
    for part in parts:
        end = start + len(part.text)
        if start > head_length or (start == head_length and changes):
            break
        cut = min(end, head_length) - start
        first = not changes
        if first or cut > 0:
            changes.append(_piece(part, cut, head if first else ""))
        start = end
    return changes


def _is_implied(part: Part) -> bool:
    """Whether no byte spells the part's text: the field is missing and means that text without being there."""
    return bool(part.text) and part.span.start == part.span.end


def _common_tail(old: str, new: str) -> int:
    """Length of the longest common end that starts at a whole component of both names."""
    length = 0
    while length < min(len(old), len(new)) and old[-length - 1] == new[-length - 1]:
        length += 1
    while length:
        at_component = all(length == len(name) or name[-length] == "/" or name[-length - 1] == "/" for name in (old, new))
        if at_component:
            return length
        length -= 1
    return 0


def _piece(part: Part, cut: int, replacement: str) -> tuple[Part, bytes]:
    """Replace the first ``cut`` characters of a part."""
    width = len(_encode(part.text[:cut]))
    span = Span(part.span.start, part.span.start + width) if part.text else part.span
    piece = Part(part.text[:cut], span, part.role, path=part.path)
    text = _encode(replacement)
    return piece, part.before + text + part.after if text else text


def merge(edits: Iterable[Edit]) -> list[Edit]:
    """Distinct edits in the order of their places.

    Raises :class:`SelfCheckFailed` where two of them want the same bytes in different ways.
    """
    ordered = sorted(set(edits))
    for left, right in pairwise(ordered):
        if left.path == right.path and _collide(left.span, right.span):
            raise SelfCheckFailed(f"cannot edit {left.path}: two changes want the bytes at {right.span.start}")
    return ordered


def _collide(left: Span, right: Span) -> bool:
    if left == right:
        return True
    return max(left.start, right.start) < min(left.end, right.end)


def overlaps(edit: Span, part: Span) -> bool:
    """Whether an edit of ``edit`` changes what a part at ``part`` spells."""
    if edit.start == edit.end:
        return part.start <= edit.start <= part.end
    if part.start == part.end:
        return edit.start <= part.start <= edit.end
    return max(edit.start, part.start) < min(edit.end, part.end)


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes with every edit made, from right to left. ``edits`` are ordered and apart."""
    out = bytearray(data)
    for edit in reversed(edits):
        out[edit.span.start : edit.span.end] = edit.replacement
    return bytes(out)


def reverse(data: bytes, edits: Sequence[Edit]) -> list[Edit]:
    """The edits that turn ``apply(data, edits)`` back into ``data``."""
    back: list[Edit] = []
    shift = 0
    for edit in edits:
        start = edit.span.start + shift
        back.append(Edit(edit.path, Span(start, start + len(edit.replacement)), data[edit.span.start : edit.span.end]))
        shift += len(edit.replacement) - (edit.span.end - edit.span.start)
    return back


def moved(place: int, edits: Sequence[Edit]) -> int:
    """Where the byte at ``place`` stands after the edits."""
    shift = 0
    for edit in edits:
        if edit.span.end > place or (edit.span.end == place and edit.span.start == place):
            break
        shift += len(edit.replacement) - (edit.span.end - edit.span.start)
    return place + shift
