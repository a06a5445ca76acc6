"""``unhub migrate``: the move shown, checked, or written."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from unhub.cli.options import Selection, Wishes, selection_options, wishes_options
from unhub.cli.output import colourful, printable, say, terminal_width, write, write_bytes
from unhub.image.errors import UsageError, WriteFailed

if TYPE_CHECKING:
    from unhub.cli.session import Session
    from unhub.migrate.journal import Run
    from unhub.migrate.plan import Plan

WOULD_CHANGE = 1
UNREADABLE = 3
REFUSED = 4


class _Options(TypedDict):
    """What click hands over beside the shared options."""

    write: bool
    check: bool
    exit_code: bool
    form: str | None
    summary: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be done with the plan, and how it is to be shown (``None``: as fits what is done)."""

    write: bool
    check: bool
    exit_code: bool
    form: str | None
    summary: Path | None


@click.command("migrate", short_help="Show, check or write the move away from Docker Hub.")
@selection_options
@wishes_options
@click.option("--write", is_flag=True, help="Make the change: every file or none. `unhub undo` takes it back.")
@click.option("--check", is_flag=True, help="Write nothing, and end with 1 where something would change.")
@click.option("--exit-code", is_flag=True, help="End with 1 where something would change, or was written.")
@click.option("--format", "form", type=click.Choice(["diff", "json", "sarif", "github"]), help="How to show it.  [default: diff]")
@click.option(
    "--summary", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.md", help="Write the text for a pull request, too."
)
def command(selection: Selection, wishes: Wishes, **options: Unpack[_Options]) -> int:
    """Show what would change below PATHS (default: here) as a diff for `git apply`; with --write, change it.

    Bytes outside the image names stay as they are, and each edited file is read back and compared with
    the plan before anything is written. No network is used.
    """
    wanted = _Wanted(**options)
    if wanted.write and wanted.check:
        raise UsageError("cannot use --write together with --check")
    from unhub.cli.session import Session

    session = Session.open(selection, wishes)
    if wanted.write and session.reads_standard_input:
        raise UsageError("cannot use --write with standard input", hint="The changed file is written to standard output anyway")
    if wanted.write:
        put_back_killed(session.base)
    plan = session.plan()
    run = write_plan(plan, session.base) if wanted.write else None
    _show(plan, session, wanted, run)
    if wanted.summary is not None:
        _write_summary(wanted.summary, plan, wrote=run is not None)
    return _status(plan, wanted, strict=selection.strict)


def put_back_killed(base: Path) -> None:
    """Put back what a killed run left, so that the plan is made of a whole tree."""
    from unhub.cli.places import journal_for
    from unhub.migrate.write import put_back_killed

    for run in put_back_killed(journal_for(base)):
        say(f"run {run.id} was killed in the middle; its files were put back first")


def write_plan(plan: Plan, base: Path) -> Run | None:
    """Write a plan's files, all or none; imported late, since most calls write nothing."""
    from unhub.cli.places import journal_for
    from unhub.migrate.write import write_plan

    return write_plan(plan, base, journal_for(base), datetime.datetime.now(datetime.UTC))


def _show(plan: Plan, session: Session, wanted: _Wanted, run: Run | None) -> None:
    if wanted.form in ("json", "sarif", "github"):
        for piece in _pieces(wanted.form, plan, run):
            write(piece)
    elif session.reads_standard_input and wanted.form is None and not wanted.check:
        write_bytes(_changed_text(plan, session))
    elif wanted.form == "diff" or not wanted.write:
        _show_diff(plan, session.base)
    _say_result(plan, wanted, run)


def _pieces(form: str, plan: Plan, run: Run | None) -> Iterable[str]:
    from unhub.migrate.reports import github, json_report, sarif

    match form:
        case "json":
            return json_report.render(plan, run.id if run else None)
        case "sarif":
            return [sarif.render(plan)]
        case _:
            return github.render(plan)


def _changed_text(plan: Plan, session: Session) -> bytes:
    """Standard input as it would be, or as it was where nothing changes."""
    return next(iter(plan.after.values()), session.standard_input)


def _show_diff(plan: Plan, base: Path) -> None:
    from unhub.cli.diff import colour
    from unhub.cli.places import diff_names
    from unhub.migrate.reports import diff

    pieces = diff.render(plan, diff_names(base))
    if colourful(sys.stdout):
        pieces = (colour(piece) for piece in pieces)
    write_bytes(b"".join(pieces))


def _say_result(plan: Plan, wanted: _Wanted, run: Run | None) -> None:
    from unhub.cli.table import Table

    for line in Table(terminal_width(sys.stderr), colourful(sys.stderr)).summary(plan):
        say(line)
    for refusal in plan.refused:
        say(f"unhub: cannot migrate {printable(refusal.path)}: {refusal.reason}. The file is left as it is; please report this")
    files = changed_files(plan)
    if run is not None:
        say(f"changed {len(run.files)} files:" if len(run.files) != 1 else "changed 1 file:")
        for path in run.files:
            say(f"  {printable(path)}")
        say("`unhub undo` takes this back")
    elif not files:
        say("nothing to change")
    elif not wanted.check:
        say(f"nothing was written; `unhub migrate --write` changes {len(files)} file{'s' if len(files) != 1 else ''}")


def changed_files(plan: Plan) -> list[str]:
    """The files whose bytes change."""
    return [path for path in sorted(plan.after) if plan.after[path] != plan.before[path]]


def _write_summary(path: Path, plan: Plan, *, wrote: bool) -> None:
    from unhub.migrate.reports import summary_markdown

    try:
        path.write_bytes(summary_markdown.render(plan, wrote=wrote).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise WriteFailed(f"cannot write the summary {path}: {error.strerror or error}") from None


def _status(plan: Plan, wanted: _Wanted, *, strict: bool) -> int:
    if plan.refused:
        return REFUSED
    if strict and any(file.unreadable for file in plan.skipped):
        return UNREADABLE
    return WOULD_CHANGE if (wanted.check or wanted.exit_code) and changed_files(plan) else 0
