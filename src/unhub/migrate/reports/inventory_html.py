"""The merged scans as one HTML page: no script, nothing loaded from elsewhere, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from unhub.image.found import Class
from unhub.image.reference import DOCKER_HUB
from unhub.migrate.inventory import Inventory, Repository, Use, pulls

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --hub: #d9480f; --else: #2b8a3e; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2.5rem; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { position: sticky; top: 0; background: Canvas; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.bar { display: block; height: .7rem; min-width: 2px; background: var(--else); }
.bar.hub { background: var(--hub); }
.big { font-size: 1.3rem; }
"""


def render(inventory: Inventory) -> str:
    """The whole page."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><title>Where our images come from</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<style>{_STYLE}</style></head><body>",
            *_opening(inventory),
            *_registries(inventory),
            *_left(inventory),
            *_repositories(inventory.repositories),
            *_images(inventory),
            *_skipped(inventory),
            "</body></html>",
            "",
        ]
    )


def _opening(inventory: Inventory) -> Iterator[str]:
    everything = list(inventory.uses)
    hub = [use for use in everything if use.needs_docker_hub]
    movable = [use for use in hub if use.class_ is Class.MIGRATABLE]
    yield "<h1>Where our images come from</h1>"
    yield (
        f'<p class="big">One build of all {len(inventory.repositories)} repositories pulls {pulls(everything)} images, '
        f"{pulls(hub)} of them from Docker Hub; {pulls(movable)} of these can move.</p>"
    )
    yield "<p>A pull is counted once an image and repository, as into an empty cache. Nothing was asked of any registry.</p>"


def _registries(inventory: Inventory) -> Iterator[str]:
    total = max(pulls(inventory.uses), 1)
    rows = (
        [
            _code(registry),
            str(pulls(uses)),
            f'<span class="bar{" hub" if registry == DOCKER_HUB else ""}" style="width:{100 * pulls(uses) // total}%"></span>',
            str(len({use.image for use in uses})),
            str(len({use.repository for use in uses})),
            str(sum(use.references for use in uses)),
        ]
        for registry, uses in inventory.registries()
    )
    yield from _table("Registries", ("registry", "pulls#", "", "images#", "repositories#", "references#"), rows)


def _left(inventory: Inventory) -> Iterator[str]:
    rows = (
        [_code(image), escape(class_), _text(reason), str(len({use.repository for use in uses})), str(sum(use.references for use in uses))]
        for (image, class_, reason), uses in inventory.left()
    )
    yield from _table("What stays at Docker Hub, and why", ("image", "class", "why", "repositories#", "references#"), rows)


def _repositories(repositories: Sequence[Repository]) -> Iterator[str]:
    rows = (
        [
            _text(row.name),
            str(len(row.images)),
            str(len(row.images_where(_needs_hub))),
            str(len(row.images_where(_can_move))),
            str(row.references),
            str(row.unknown),
            str(row.unreadable_files),
        ]
        for row in repositories
    )
    heading = ("repository", "images#", "from Docker Hub#", "can move#", "references#", "not known#", "files not read#")
    yield from _table("Repositories", heading, rows)


def _images(inventory: Inventory) -> Iterator[str]:
    rows = (
        [_code(image), _targets(uses), str(len({use.repository for use in uses})), str(sum(use.references for use in uses))]
        for image, uses in inventory.images()
    )
    yield from _table("Images", ("image", "can move to", "repositories#", "references#"), rows)


def _targets(uses: Iterable[Use]) -> str:
    return "<br>".join(sorted({_code(use.target) for use in uses if use.target and use.class_ is Class.MIGRATABLE}))


def _skipped(inventory: Inventory) -> Iterator[str]:
    if inventory.skipped:
        yield from _table("Scans that could not be read", ("file", "why"), ([_code(name), _text(why)] for name, why in inventory.skipped))


def _needs_hub(use: Use) -> bool:
    return use.needs_docker_hub


def _can_move(use: Use) -> bool:
    return use.class_ is Class.MIGRATABLE


def _table(title: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; a heading that ends in ``#`` is over numbers."""
    marks = [' class="number"' if name.endswith("#") else "" for name in heading]
    yield f"<h2>{escape(title)}</h2>"
    yield "<table><thead><tr>" + "".join(f"<th{mark}>{escape(name.rstrip('#'))}</th>" for mark, name in zip(marks, heading, strict=True))
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks, row, strict=True)) + "</tr>"
    yield "</tbody></table>"


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return escape("".join(char if char.isprintable() else "\ufffd" for char in shown))
