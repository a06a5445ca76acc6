"""``unhub scan``: every reference, with what would become of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from unhub.cli.options import Selection, Wishes, selection_options, wishes_options
from unhub.cli.output import colourful, say, terminal_width, write

if TYPE_CHECKING:
    from unhub.migrate.plan import Plan

FORMS = ("table", "json", "sarif", "csv", "github")
FOUND = 1
UNREADABLE = 3


@click.command("scan", short_help="Show every image reference and what would become of it.")
@selection_options
@wishes_options
@click.option("--format", "form", type=click.Choice(FORMS), default=FORMS[0], show_default=True, help="How to show it.")
@click.option("--all", "everything", is_flag=True, help="List stages and build outputs, too, which nobody pulls.")
@click.option("--quiet", "-q", is_flag=True, help="The summary alone, without the list (table only).")
def command(selection: Selection, wishes: Wishes, form: str, everything: bool, quiet: bool) -> int:
    """Show every image reference below PATHS (default: here) and what would become of it.

    Nothing is changed, and no network is used. Ends with 1 where a reference can move, with 0
    where none can, and with 3 under --strict where something could not be read.
    """
    from unhub.cli.session import Session

    plan = Session.open(selection, wishes).plan(proven=False)
    if form == "table":
        _show(plan, everything=everything, quiet=quiet)
    else:
        for piece in _pieces(form, plan, everything):
            write(piece)
    return status(plan, strict=selection.strict)


def _pieces(form: str, plan: Plan, everything: bool) -> Iterable[str]:
    from unhub.migrate.reports import csv_report, github, json_report, sarif

    match form:
        case "json":
            return json_report.render(plan)
        case "sarif":
            return [sarif.render(plan, everything=everything)]
        case "csv":
            return [csv_report.render(plan)]
        case _:
            return github.render(plan, everything=everything)


def status(plan: Plan, *, strict: bool) -> int:
    """The exit status: what could not be read weighs more than what was found."""
    if strict and any(file.unreadable for file in plan.skipped):
        return UNREADABLE
    return FOUND if _something_can_move(plan) else 0


def _something_can_move(plan: Plan) -> bool:
    return any(item.decision.class_ == "migratable" for item in plan.items)


def _show(plan: Plan, *, everything: bool, quiet: bool) -> None:
    from unhub.cli.table import Table

    table = Table(terminal_width(sys.stdout), colourful(sys.stdout), everything)
    if not quiet:
        write("".join(f"{line}\n" for line in table.files(plan)))
    write("".join(f"{line}\n" for line in table.summary(plan)))
    if _something_can_move(plan):
        say("`unhub migrate` shows the change, `unhub migrate --write` makes it")
