"""Insertions into YAML and JSON that leave every other byte alone, each proven by reading the file again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from unhub.formats._text import decode, encode
from unhub.formats._yaml.parse import Alias, Document, Empty, Mapping, Node, Pair, Scalar, Sequence, parse
from unhub.image.errors import RefusedError, SelfCheckFailed, UnreadableError
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK
from unhub.migrate.edits import Edit, apply, merge, reverse
from unhub.setup.yaml_text import Style, Value, flow, flow_pair, item_lines, pair_lines, value_lines

_BREAK = re.compile(rb"\r\n|\r|\n")
_BLANKS = re.compile(rb"[ \t\r\n]*")

Content = list[object]
"""What a node says, whatever its style: its kind, then its anchor, tag and content. Lists, so that insertions can be made in them."""


def content(node: Node, known: dict[int, Content] | None = None) -> Content:
    """What a node says; ``known`` gets the content of every node below it by the node's identity."""
    name = type(node).__name__
    own: Content = [name, node.anchor, node.tag]
    if isinstance(node, Scalar):
        own += [node.text, node.is_text]
    elif isinstance(node, Alias):
        own.append(node.name)
    elif isinstance(node, Sequence):
        own.append([content(item, known) for item in node.items])
    elif isinstance(node, Mapping):
        own.append([[content(pair.key, known), content(pair.value, known)] for pair in node.pairs])
    if known is not None:
        known[id(node)] = own
    return own


def content_of(value: Value) -> Content:
    """What a value to insert will say."""
    if isinstance(value, dict):
        return ["Mapping", None, None, [[content_of(key), content_of(item)] for key, item in value.items()]]
    if isinstance(value, list):
        return ["Sequence", None, None, [content_of(item) for item in value]]
    if isinstance(value, str):
        return ["Scalar", None, None, value, True]
    return ["Scalar", None, None, str(value).lower(), False]


@dataclass(slots=True)
class _Operation:
    """One change of the content.

    ``new`` comes before item ``at`` of a list or mapping (empty: that item goes), or in the node's place (``None``).
    """

    node: Node
    at: int | None
    new: Content


@dataclass(slots=True)
class _Insertion:
    """Bytes to put at one place; ``depth`` is the column of what is inserted, deeper things come first."""

    at: int
    depth: int
    text: bytes
    order: int = field(default=0)


class Editor:
    """Collects changes of one YAML or JSON file, and proves that the result says what was asked for.

    Raises :class:`UnreadableError` where the file is no YAML.
    """

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.documents: list[Document] = parse(data)
        self._insertions: list[_Insertion] = []
        self._edits: list[Edit] = []
        self._operations: list[_Operation] = []

    @property
    def changed(self) -> bool:
        """Whether anything was asked for."""
        return bool(self._operations)

    def line(self, at: int) -> int:
        """The line of a byte, from 1."""
        return self.data.count(b"\n", 0, at) + 1

    def insert_item(self, sequence: Sequence, index: int, value: Value) -> None:
        """Put an item before item ``index`` of a list, or behind the last. Comments right above that item stay with it."""
        self._operations.append(_Operation(sequence, index, content_of(value)))
        if sequence.flow:
            bounds = [item.span for item in sequence.items]
            self._insert_flow(sequence.span, bounds, index, flow(value, as_json=self._is_json(sequence)))
            return
        column, mark = self._dash(sequence)
        lines = item_lines(value, column, self.style(sequence), mark)
        if index >= len(sequence.items):
            self._insert_lines(self._line_end(self._last(sequence)), column, lines)
            return
        place = self._above_comments(self._item_line(sequence, index, column), column)
        self._insert_lines(place, column, [*lines, ""] if self._is_spaced(sequence, column) else lines)

    def insert_pair(self, mapping: Mapping, key: str, value: Value, *, before: Collection[str] = ()) -> None:
        """Put a key into a mapping: in front of the first of the keys ``before``, else at the end."""
        index = next((n for n, pair in enumerate(mapping.pairs) if pair.name in before), len(mapping.pairs))
        if not mapping.flow and index == 0 and not self._starts_line(mapping.span.start):
            index = 1  # the first key stands behind a dash; nothing goes between them
        self._operations.append(_Operation(mapping, index, [content_of(key), content_of(value)]))
        if mapping.flow:
            as_json = self._is_json(mapping)
            self._insert_flow(mapping.span, [pair.span for pair in mapping.pairs], index, flow_pair(key, value, as_json=as_json))
            return
        column = self.column(mapping.span.start)
        lines = pair_lines(key, value, column, self.style(mapping))
        if index < len(mapping.pairs):
            start = self._line_start(mapping.pairs[index].span.start)
            place = self._above_comments(start, column)
            self._insert_lines(place, column, [*lines, ""] if place > self._line_start(0) and self._blank_above(place) else lines)
        else:
            self._insert_lines(self._line_end(self._last(mapping)), column, lines)

    def fill(self, holder: Mapping, pair: Pair, value: Value) -> None:
        """Give a key that has no value a mapping or list. Raises :class:`RefusedError` where that cannot be."""
        if not isinstance(pair.value, Empty) or pair.value.anchor or pair.value.tag or holder.flow:
            what = "an alias, whose value others may use" if isinstance(pair.value, Alias) else "written in a way that nothing is put into"
            raise RefusedError(f"line {self.line(pair.span.start)}: {pair.name} is {what}")
        self._operations.append(_Operation(pair.value, None, content_of(value)))
        column = self.column(pair.span.start)
        lines = value_lines(value, column, self.style(self.documents[0].root))
        self._insert_lines(self._line_end(pair.value.span.start), column + 1, lines)

    def remove_item(self, sequence: Sequence, index: int) -> None:
        """Take an item that has lines of its own out of a list."""
        if sequence.flow:
            raise RefusedError(f"line {self.line(sequence.span.start)}: items of a list in brackets are not taken out")
        self._operations.append(_Operation(sequence, index, []))
        column, _ = self._dash(sequence)
        start = self._item_line(sequence, index, column)
        end = self._line_end(self._last(sequence.items[index]))
        self._edits.append(Edit(self.path, Span(start, end), b""))

    def replace_texts(self, scalar: Scalar, changes: list[tuple[Span, str]]) -> None:
        """Put other characters (letters, digits, ``-``, ``=`` and blanks) for pieces of a text; spans count in the text, in order."""
        text = scalar.mapped.data
        for inner, new in reversed(changes):
            text = text[: inner.start] + encode(new) + text[inner.end :]
            self._edits.append(Edit(self.path, scalar.mapped.outer(inner), encode(new)))
        self._operations.append(_Operation(scalar, None, [*content(scalar)[:3], decode(text), True]))

    def inserts_into(self, node: Node) -> bool:
        """Whether an item or pair was put into a list or mapping."""
        return any(operation.node is node and operation.new for operation in self._operations)

    def finish(self) -> tuple[list[Edit], bytes]:
        """The edits, and the file with them. Raises :class:`SelfCheckFailed` where the result does not say what was asked for."""
        edits = merge([*self._edits, *self._merged()])
        after = apply(self.data, edits)
        if apply(after, reverse(self.data, edits)) != self.data:
            raise SelfCheckFailed(f"cannot edit {self.path}: undoing the edits does not give the file back")
        try:
            now = [content(document.root) for document in parse(after)]
        except UnreadableError as error:
            raise SelfCheckFailed(f"cannot edit {self.path}: the edited file is {error.message}") from None
        if now != self._expected():
            raise SelfCheckFailed(f"cannot edit {self.path}: the edited file does not say what was planned")
        return edits, after

    def _merged(self) -> Iterator[Edit]:
        """Insertions at one place as one edit, the deeper ones first."""
        by_place: dict[int, list[_Insertion]] = {}
        for insertion in self._insertions:
            by_place.setdefault(insertion.at, []).append(insertion)
        for at, insertions in by_place.items():
            ordered = sorted(insertions, key=lambda one: (-one.depth, one.order))
            yield Edit(self.path, Span(at, at), b"".join(one.text for one in ordered))

    def _expected(self) -> list[Content]:
        known: dict[int, Content] = {}
        roots = [content(document.root, known) for document in self.documents]
        # from the end; at one place what goes before what comes, and what came last first
        numbered = sorted(enumerate(self._operations), key=lambda one: (-(one[1].at or 0), bool(one[1].new), -one[0]))
        for _, operation in numbered:
            if operation.at is None:
                continue
            items = known[id(operation.node)][3]
            if isinstance(items, list):
                items[operation.at : operation.at + (not operation.new)] = [operation.new] if operation.new else []
        for operation in self._operations:
            if operation.at is None:
                known[id(operation.node)][:] = operation.new
        return roots

    # where things stand

    def column(self, at: int) -> int:
        """Columns in front of a byte on its line, a byte-order mark not counted."""
        return at - self._line_start(at)

    def _line_start(self, at: int) -> int:
        start = max(self.data.rfind(b"\n", 0, at), self.data.rfind(b"\r", 0, at)) + 1
        return len(BYTE_ORDER_MARK) if start == 0 and self.data.startswith(BYTE_ORDER_MARK) else start

    def _line_above(self, start: int) -> int:
        """The start of the line above the one that starts at ``start``."""
        return self._line_start(start - (2 if self.data.startswith(b"\r\n", start - 2) else 1))

    def _line_end(self, at: int) -> int:
        """The start of the next line, or the end of the file."""
        found = _BREAK.search(self.data, at)
        return found.end() if found else len(self.data)

    def _starts_line(self, at: int) -> bool:
        return not self.data[self._line_start(at) : at].strip(b" ")

    def _last(self, node: Node) -> int:
        """The end of the last byte that a node needs: comments and blank lines behind it do not belong to it."""
        while not isinstance(node, Scalar | Alias | Empty):
            if isinstance(node, Sequence) and not node.flow and node.items:
                node = node.items[-1]
            elif isinstance(node, Mapping) and not node.flow and node.pairs:
                node = node.pairs[-1].value
            else:
                return node.span.end
        end = node.span.end
        if isinstance(node, Scalar) and node.style in "|>":
            text = self.data[node.span.start : end]
            end -= len(text) - len(text.rstrip())
        return end

    def _dash(self, sequence: Sequence) -> tuple[int, str]:
        """The column of a list's dashes, and a dash with the blanks that stand behind it."""
        start = sequence.span.start
        if not self._starts_line(start):
            raise RefusedError(f"line {self.line(start)}: a list that starts in the middle of a line is not changed")
        match = re.compile(rb"-( +)(?=[^\s#])").match(self.data, start)
        return self.column(start), "-" + decode(match[1]) if match else "- "

    def _item_line(self, sequence: Sequence, index: int, column: int) -> int:
        """The start of the line with an item's dash."""
        line = self._line_start(sequence.items[index].span.start)
        lowest = self._line_start(sequence.span.start)
        while line >= lowest:
            at = line + column
            if self.data[at : at + 1] == b"-" and not self.data[line:at].strip(b" "):
                return line
            line = self._line_above(line) if line > lowest else -1
        raise RefusedError(f"line {self.line(sequence.span.start)}: the items of this list cannot be told apart")

    def _above_comments(self, place: int, column: int) -> int:
        """The start of the comments that stand right above a line in its column."""
        while place > self._line_start(0):
            above = self._line_above(place)
            text = self.data[above:place]
            if above == place or len(text) - len(text.lstrip(b" ")) != column or not text.lstrip(b" ").startswith(b"#"):
                break
            place = above
        return place

    def _blank_above(self, place: int) -> bool:
        above = self._line_above(place)
        return not self.data[above:place].strip()

    def _is_spaced(self, sequence: Sequence, column: int) -> bool:
        """Whether blank lines stand between the items of a list."""
        return len(sequence.items) > 1 and all(
            self._blank_above(self._above_comments(self._item_line(sequence, number, column), column))
            for number in range(1, len(sequence.items))
        )

    def _end_of_line(self, at: int) -> str:
        """How the line in front of ``at`` ends, else how the file's first line does."""
        for end in ("\r\n", "\n", "\r"):
            if self.data.endswith(encode(end), 0, at):
                return end
        found = _BREAK.search(self.data)
        return decode(found[0]) if found else "\n"

    # how the file is written

    def style(self, near: Node) -> Style:
        """The indentation around a node, else that of the file."""
        steps, dashes = Counter[int](), Counter[int]()
        for node in (near, *(document.root for document in self.documents)):
            if not steps:
                steps.update(self._offsets(node, Mapping))
            if not dashes:
                dashes.update(self._offsets(node, Sequence))
        step = steps.most_common(1)[0][0] if steps else 2
        return Style(step, dashes.most_common(1)[0][0] if dashes else step)

    def _offsets(self, node: Node, kind: type[Mapping | Sequence]) -> Iterator[int]:
        """How many columns the blocks of a kind stand behind their keys."""
        pending: list[Node] = [node]
        while pending:
            node = pending.pop()
            if isinstance(node, Sequence) and not node.flow:
                pending.extend(node.items)
            elif isinstance(node, Mapping) and not node.flow:
                for pair in node.pairs:
                    pending.append(pair.value)
                    if isinstance(pair.value, kind) and not pair.value.flow and self._starts_line(pair.value.span.start):
                        offset = self.column(pair.value.span.start) - self.column(pair.span.start)
                        if offset >= (1 if kind is Mapping else 0):
                            yield offset

    def _is_json(self, node: Node) -> bool:
        """Whether a flow collection writes its texts as JSON does."""
        texts = list(_scalars(node)) or [key for document in self.documents for key in _scalars(document.root)]
        return bool(texts) and all(text.style == '"' or not text.is_text for text in texts)

    # making edits

    def _insert_lines(self, at: int, depth: int, lines: list[str]) -> None:
        end = self._end_of_line(at)
        if at == len(self.data) and at > self._line_start(0) and self.data[-1:] not in (b"\n", b"\r"):
            text = "".join(end + line for line in lines)
        else:
            text = "".join(line + end for line in lines)
        self._insertions.append(_Insertion(at, depth, encode(text), len(self._insertions)))

    def _insert_flow(self, span: Span, items: list[Span], index: int, text: str) -> None:
        """Put text among the items of ``[…]`` or ``{…}``; the blanks in front of the first item stand in front of each."""
        first = span.start + 1
        match = _BLANKS.match(self.data, first)
        lead = decode(match[0]) if match and items else ""
        blanks = lead if "\n" in lead or "\r" in lead else " "
        if not items:
            self._insertions.append(_Insertion(first, 0, encode(text), len(self._insertions)))
        elif index == 0:
            at = first + len(encode(lead))
            self._insertions.append(_Insertion(at, 0, encode(f"{text},{blanks}"), len(self._insertions)))
        else:
            at = items[index - 1].end
            self._insertions.append(_Insertion(at, 0, encode(f",{blanks}{text}"), len(self._insertions)))


def _scalars(node: Node) -> Iterator[Scalar]:
    pending: list[Node] = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, Sequence):
            pending.extend(node.items)
        elif isinstance(node, Mapping):
            pending.extend(inner for pair in node.pairs for inner in (pair.key, pair.value))
