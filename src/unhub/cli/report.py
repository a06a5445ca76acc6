"""``unhub report``: the scans of many repositories as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from unhub.cli.output import printable, say, width, write
from unhub.image.errors import UnreadableError, UsageError, WriteFailed
from unhub.image.found import Class
from unhub.migrate.inventory import Inventory, Use, names_of, pulls, read_scan
from unhub.migrate.reports import inventory_data, inventory_html

UNREADABLE = 3


@click.command("report", short_help="Merge the scans of many repositories into one report.")
@click.argument("scans", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCAN.json...")
@click.option("--name", "names", multiple=True, metavar="NAME", help="What a repository is called, in the order of the files; repeatable.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "html", "json"]), default="table", show_default=True, help="How to show it."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write there, not to standard output.")
@click.option("--strict", is_flag=True, help="End with status 3 when a scan could not be read.")
def command(scans: tuple[Path, ...], names: tuple[str, ...], form: str, output: Path | None, strict: bool) -> int:
    """Merge what `unhub scan --format json` wrote for many repositories.

    Says which registries one build of everything pulls from, which images, in which repositories, and
    what stays at Docker Hub and why. A repository is called like its file, unless --name says otherwise.
    """
    if names and len(names) != len(scans):
        raise UsageError(f"cannot name {len(scans)} scans with {len(names)} names", hint="Give one --name for each file, or none")
    for path in scans:
        if not path.exists():
            raise UsageError(f"cannot report on {path}: there is no such file")
    inventory = merged(scans, names or names_of(scans))
    for path, reason in inventory.skipped:
        say(printable(f"skipped {path}: {reason}"))
    if not inventory.repositories:
        raise UnreadableError("cannot report: not one of the files is a scan", hint="`unhub scan --format json` writes one")
    _deliver(_RENDERERS[form](inventory), output)
    return UNREADABLE if inventory.skipped and strict else 0


def merged(scans: Sequence[Path], names: Sequence[str]) -> Inventory:
    """Read the scans one after the other; what cannot be read is skipped with the reason."""
    inventory = Inventory()
    for path, name in zip(scans, names, strict=True):
        try:
            inventory.repositories.append(read_scan(path.read_bytes(), name))
        except OSError as error:
            inventory.skipped.append((str(path), f"cannot be read: {error.strerror or error}"))
        except UnreadableError as error:
            inventory.skipped.append((str(path), error.message))
    return inventory


def _deliver(text: str, output: Path | None) -> None:
    if output is None:
        write(text)
        return
    try:
        output.write_bytes(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise WriteFailed(f"cannot write {output}: {error.strerror or error}") from None


def _table(inventory: Inventory) -> str:
    parts = (_registries(inventory), _repositories(inventory), _images(inventory), _left(inventory), _summary(inventory))
    return "".join(f"{line}\n" for part in parts for line in part)


def _registries(inventory: Inventory) -> Iterator[str]:
    rows = [(registry, pulls(uses), _images_in(uses), _repositories_in(uses)) for registry, uses in inventory.registries()]
    yield from _columns(("registry", "pulls", "images", "repositories"), rows)


def _repositories(inventory: Inventory) -> Iterator[str]:
    rows = [
        (row.name, len(row.images), pulls(filter(_needs_hub, row.uses)), pulls(filter(_can_move, row.uses)), row.unknown)
        for row in inventory.repositories
    ]
    yield from _columns(("repository", "images", "from Docker Hub", "can move", "not known"), rows)


def _images(inventory: Inventory) -> Iterator[str]:
    rows = [(image, _repositories_in(uses), sum(use.references for use in uses)) for image, uses in inventory.images()]
    yield from _columns(("image", "repositories", "references"), rows)


def _left(inventory: Inventory) -> Iterator[str]:
    rows = [(image, _repositories_in(uses), class_, reason) for (image, class_, reason), uses in inventory.left()]
    if rows:
        yield from _columns(("stays at Docker Hub", "repositories", "class", "why"), rows)


def _summary(inventory: Inventory) -> Iterator[str]:
    hub = [use for use in inventory.uses if use.needs_docker_hub]
    movable = pulls(filter(_can_move, hub))
    yield (
        f"One build of all {len(inventory.repositories)} repositories pulls {pulls(inventory.uses)} images into empty caches: "
        f"{pulls(hub)} from Docker Hub, of which {movable} can move and {pulls(hub) - movable} cannot."
    )


def _needs_hub(use: Use) -> bool:
    return use.needs_docker_hub


def _can_move(use: Use) -> bool:
    return use.class_ is Class.MIGRATABLE


def _images_in(uses: Iterable[Use]) -> int:
    return len({use.image for use in uses})


def _repositories_in(uses: Iterable[Use]) -> int:
    return len({use.repository for use in uses})


def _columns(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Lines of a table: numbers to the right, texts to the left, a blank line behind."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(width(row[number]) for row in [list(heading), *cells]) for number in range(len(heading))]
    numeric = [all(isinstance(row[number], int) for row in rows) and bool(rows) for number in range(len(heading))]
    for row in [list(heading), *cells]:
        yield "  ".join(_aligned(cell, columns, right) for cell, columns, right in zip(row, widths, numeric, strict=True)).rstrip()
    yield ""


def _aligned(cell: str, columns: int, right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if right else cell + space


_RENDERERS: dict[str, Callable[[Inventory], str]] = {
    "table": _table,
    "csv": inventory_data.render_csv,
    "html": inventory_html.render,
    "json": inventory_data.render_json,
}
