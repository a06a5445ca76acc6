"""What a pull request should say of a migration: what moved, what stayed and why, how to take it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from unhub.image.found import Class
from unhub.migrate.item import Item
from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import canonical, target
from unhub.migrate.verification.verdict import short

_LEFT = (Class.NO_TARGET, Class.CONFLICT, Class.VARIABLE, Class.SHORT_NAME, Class.INVALID, Class.IGNORED)
_UNVERIFIED = "not verified"
_ROWS = 200
"""Most rows of a table; GitHub refuses a pull request's text above 65,536 characters."""


def render(plan: Plan, *, wrote: bool) -> str:
    """The text, in GitHub's Markdown."""
    moved = [item for item in plan.items if item.fix is not None and item.fix.edits]
    left = [item for item in plan.items if item.fix is None and item.decision.class_ in _LEFT]
    parts = (_opening(plan, moved, wrote), _moved(moved), _notes(moved), _left(left), _unread(plan), _closing(moved))
    return "".join(f"{line}\n" for part in parts for line in part)


def _opening(plan: Plan, moved: list[Item], wrote: bool) -> Iterator[str]:
    files = sum(1 for path in plan.after if plan.after[path] != plan.before[path])
    places = sorted({str(item.decision.rule) for item in moved})
    yield "## Images that no longer come from Docker Hub" if moved else "## No image has to move"
    yield ""
    if moved:
        verb = "This changes" if wrote else "This would change"
        where_to = ", ".join(map(_code, places))
        yield f"{verb} {_count(len(moved), 'image reference')} in {_count(files, 'file')} (to {where_to})."
        pinned = any(
            item.reference and item.reference.digest is None and item.decision.target and item.decision.target.digest for item in moved
        )
        added = "; verified digests are added" if pinned else ""
        yield f"Only the names of images change; tags, digests and every other byte stay{added}."
        yield ""


def _moved(moved: list[Item]) -> Iterator[str]:
    if not moved:
        return
    counts = Counter((canonical(item) or item.finding.text, target(item) or "", _verdict(item)) for item in moved)
    rows = [(_code(old), _code(new), str(count), said) for (old, new, said), count in sorted(counts.items())]
    yield from _table(("was", "is now", "places", "verified"), rows)
    if any(said == _UNVERIFIED for _, _, said in counts):
        yield "“Not verified”: nobody has yet compared the image behind the new name with the one behind the old name."
        yield ""


def _verdict(item: Item) -> str:
    """The verdict with the digest it is about, or that there is none."""
    evidence = item.decision.evidence
    if evidence is None:
        return _UNVERIFIED
    return f"{evidence.verdict} ({_code(short(evidence.target_digest))})" if evidence.target_digest else str(evidence.verdict)


def _notes(moved: list[Item]) -> Iterator[str]:
    reasons = Counter(item.decision.reason for item in moved if item.decision.reason)
    if reasons:
        yield "### To know"
        yield ""
        for reason, count in reasons.most_common():
            yield f"- {_count(count, 'place')}: {_text(reason)}"
        yield ""


def _left(left: list[Item]) -> Iterator[str]:
    if left:
        yield "### Left as it was"
        yield ""
        rows = [_left_row(item) for item in left]
        yield from _table(("place", "image", "class", "why"), rows)


def _left_row(item: Item) -> tuple[str, ...]:
    place = _code(f"{item.path}:{item.line}:{item.column}")
    return place, _code(item.finding.text), str(item.decision.class_), _text(item.decision.reason or "")


def _unread(plan: Plan) -> Iterator[str]:
    unreadable = [file for file in plan.skipped if file.unreadable]
    if unreadable:
        yield "### Could not be read"
        yield ""
        for file in unreadable[:_ROWS]:
            yield f"- {_code(file.path)}: {_text(file.reason)}"
        yield ""


def _closing(moved: list[Item]) -> Iterator[str]:
    if not moved:
        return
    yield "### To take it back, or to keep one"
    yield ""
    yield "- `unhub undo` where `unhub migrate --write` ran, or revert this commit."
    yield "- A comment `unhub: ignore` on a line, `unhub: ignore-next-line` above it, or `unhub: ignore-file` keeps what stands there."
    yield "- A rule in `unhub.toml` keeps an image everywhere:"
    yield '  `[[migrate.rule]]` with `match = "docker.io/library/node"` and `target = "keep"`.'


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield _row(heading)
    yield _row(["---"] * len(heading))
    for row in rows[:_ROWS]:
        yield _row(row)
    yield ""
    if len(rows) > _ROWS:
        yield f"… and {len(rows) - _ROWS} more."
        yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Code that survives a table: no pipe ends a cell, no backtick ends the code, no line break ends the row."""
    flat = _flat(text).replace("|", "\\|")
    fence = "``" if "`" in flat else "`"
    space = " " if "`" in flat else ""
    return f"{fence}{space}{flat}{space}{fence}"


def _text(text: str) -> str:
    flat = _flat(text)
    for mark in "\\`*_|<>[]#":
        flat = flat.replace(mark, f"\\{mark}")
    return flat.replace("@", "@\u2060")  # a word joiner, so that nobody is mentioned


def _flat(text: str) -> str:
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in shown)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
