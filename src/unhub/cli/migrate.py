"""``unhub migrate``: the move shown, checked, or written."""

from __future__ import annotations

import datetime
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click
from click.core import ParameterSource

from unhub.cli.network import Network, network_options
from unhub.cli.options import Proving, Selection, Wishes, proving_options, selection_options, wishes_options
from unhub.cli.output import colourful, printable, say, terminal_width, write, write_bytes
from unhub.cli.setup import SYSTEMS, show_notes, with_setup
from unhub.image.errors import UsageError, WriteFailed

if TYPE_CHECKING:
    from unhub.cli.prover import Prover
    from unhub.cli.session import Session
    from unhub.migrate.item import Item
    from unhub.migrate.journal import Run
    from unhub.migrate.plan import Plan

WOULD_CHANGE = 1
UNREADABLE = 3
REFUSED = 4
NO_ANSWER = 5

KEPT_SHOWN = 20
"""Most references of which it is said one by one that they stay."""


class _Options(TypedDict):
    """What click hands over beside the shared options."""

    write: bool
    check: bool
    exit_code: bool
    verify: bool | None
    on_missing: str | None
    pin: bool | None
    form: str | None
    summary: Path | None
    setup: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be done with the plan, and how it is to be shown (``None``: as fits what is done)."""

    write: bool
    check: bool
    exit_code: bool
    verify: bool | None
    on_missing: str | None
    pin: bool | None
    form: str | None
    summary: Path | None
    setup: str | None
    asks: bool = False
    off: bool = False


@click.command("migrate", short_help="Show, check or write the move away from Docker Hub.")
@selection_options
@wishes_options
@proving_options
@network_options
@click.option("--write", is_flag=True, help="Make the change: every file or none. `unhub undo` takes it back.")
@click.option("--check", is_flag=True, help="Write nothing, and end with 1 where something would change.")
@click.option("--exit-code", is_flag=True, help="End with 1 where something would change, or was written.")
@click.option(
    "--verify/--no-verify",
    default=None,
    envvar="UNHUB_VERIFY",
    help="Ask the registries whether the target serves the same image.  [default: with --write]",
)
@click.option(
    "--on-missing",
    type=click.Choice(["keep", "warn", "fail"]),
    envvar="UNHUB_ON_MISSING",
    help="What to do about references that no target serves the same image for: keep Docker Hub, keep it and say so, or write "
    "nothing at all and end with 1.  [default: warn]",
)
@click.option("--pin/--no-pin", default=None, envvar="UNHUB_PIN", help="Write the verified digest behind each tag.")
@click.option("--format", "form", type=click.Choice(["diff", "json", "sarif", "github"]), help="How to show it.  [default: diff]")
@click.option(
    "--summary", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.md", help="Write the text for a pull request, too."
)
@click.option("--setup", type=click.Choice(SYSTEMS), help="Put the login into the files of this CI in the same run (see `unhub setup`).")
def command(selection: Selection, wishes: Wishes, proving: Proving, network: Network, **options: Unpack[_Options]) -> int:
    """Show what would change below PATHS (default: here) as a diff for `git apply`; with --write, change it.

    Bytes outside the image names stay as they are, and each edited file is read back and compared with the plan before
    anything is written. --write asks the registries first, and moves only what is the same image there; Docker Hub is
    asked by HEAD only, which it does not count as a pull. Without --write no network is used, unless --verify is given;
    --check never uses it: files, settings and lock file alone decide.
    """
    from unhub.cli.session import Session

    wanted = _wanted(options, proving)
    session = Session.open(selection, wishes, remember=False)
    wanted = _settled(wanted, session)
    if wanted.setup and session.reads_standard_input:
        raise UsageError("cannot use --setup with standard input: it looks at a tree")
    if wanted.write and session.reads_standard_input:
        raise UsageError("cannot use --write with standard input", hint="The changed file is written to standard output anyway")
    if wanted.write:
        put_back_killed(session.base)
    if wanted.asks:
        from unhub.cli.prover import Prover

        with Prover(session, proving, network, datetime.datetime.now(datetime.UTC)) as prover:
            session = session.proving(prover.verifier, pin=bool(wanted.pin))
            plan = session.plan(ask=prover.ask)
        return _finish(plan, session, wanted, prover)
    if not wanted.off and not proving.no_lock:
        session = session.remembering(proving.lock, pin=bool(wanted.pin))
    return _finish(session.plan(), session, wanted, None)


def _wanted(options: _Options, proving: Proving) -> _Wanted:
    """What the options ask for; raises :class:`UsageError` for what does not fit together."""
    wanted = _Wanted(**options)
    by_flag = click.get_current_context().get_parameter_source("verify") is ParameterSource.COMMANDLINE
    if wanted.write and wanted.check:
        raise UsageError("cannot use --write together with --check")
    if wanted.check and wanted.verify and by_flag:
        raise UsageError("cannot use --check together with --verify", hint="--check uses no network: `unhub verify` compares the images")
    if wanted.check and (proving.refresh or proving.write_lock or proving.deep or proving.spend):
        raise UsageError("cannot use --check together with --refresh, --write-lock, --deep or --spend: it asks nobody")
    return replace(wanted, asks=bool(wanted.verify) and (wanted.write or by_flag))


def _settled(wanted: _Wanted, session: Session) -> _Wanted:
    """The wishes with the settings below them."""
    settings = session.migrate
    verify = settings.verify if wanted.verify is None else wanted.verify
    pin = settings.pin if wanted.pin is None else wanted.pin
    if wanted.pin and not verify:
        raise UsageError("cannot use --pin without verification: only a digest that was seen at the target is written")
    asks = wanted.asks or (verify and wanted.write)
    return replace(wanted, asks=asks, off=not verify, pin=pin and verify, on_missing=wanted.on_missing or settings.on_missing)


def _finish(plan: Plan, session: Session, wanted: _Wanted, prover: Prover | None) -> int:
    """Write what is to be written, show everything, and tell the exit status."""
    setup = with_setup(plan, session, wanted.setup) if wanted.setup else None
    stays = kept(plan)
    fails = bool(stays) and wanted.on_missing == "fail"
    if prover is not None and prover.nobody_answered and stays:
        wanted = replace(wanted, write=False)
        status: int | None = NO_ANSWER
    else:
        status = WOULD_CHANGE if fails else None
        wanted = replace(wanted, write=wanted.write and not fails)
    run = write_plan(plan, session.base) if wanted.write else None
    _show(plan, session, wanted, run)
    if setup is not None:
        show_notes(setup)
    _say_proof(plan, stays, session, wanted, prover)
    _say_written(plan, wanted, run, because="no registry answered" if status == NO_ANSWER else "--on-missing fail" if fails else None)
    if wanted.summary is not None:
        _write_summary(wanted.summary, plan, wrote=run is not None)
    return status or _status(plan, wanted, strict=session.selection.strict)


def kept(plan: Plan) -> list[Item]:
    """The references that stay only because no target was seen to serve the same image."""
    return [item for item in plan.items if item.decision.evidence is not None and item.decision.class_ == "no-target"]


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
    _say_summary(plan)


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


def _say_summary(plan: Plan) -> None:
    from unhub.cli.table import Table

    for line in Table(terminal_width(sys.stderr), colourful(sys.stderr)).summary(plan):
        say(line)
    for refusal in plan.refused:
        say(f"unhub: cannot migrate {printable(refusal.path)}: {refusal.reason}. The file is left as it is; please report this")


def _say_proof(plan: Plan, stays: Sequence[Item], session: Session, wanted: _Wanted, prover: Prover | None) -> None:
    """What verification found, and what it cost; or that there was none."""
    reasons = dict.fromkeys(item.decision.reason or "" for item in stays)
    if stays and wanted.on_missing != "keep":
        for reason in list(reasons)[:KEPT_SHOWN]:
            say(printable(reason))
        if len(reasons) > KEPT_SHOWN:
            say(f"… and {len(reasons) - KEPT_SHOWN} more; --format json has them all")
    if stays:
        say(f"{len(stays)} {'reference stays' if len(stays) == 1 else 'references stay'} at Docker Hub: not seen to be the same image")
    moving = [item.decision.evidence for item in plan.items if item.fix]
    seen = Counter(str(evidence.verdict) for evidence in moving if evidence)
    if seen and not wanted.off:
        unseen = len(moving) - seen.total()
        rest = f"; not verified: {unseen}" if unseen else ""
        say(f"verified: {', '.join(f'{count} {verdict}' for verdict, count in seen.most_common())}{rest}")
    if prover is not None:
        _say_facts(prover, session)
        _say_asked(prover, unlocked=bool(stays))
    elif wanted.off and moving:
        say("not verified: nobody has compared the images (--no-verify, or verify in the settings)")


def _say_facts(prover: Prover, session: Session) -> None:
    from unhub.cli.verification_table import VerdictTable
    from unhub.migrate.verification.contradiction import contradictions

    mapper = session.mapper
    for line in VerdictTable().facts(contradictions(prover.verifier.evidences, mapper.targets, mapper.knowledge)):
        say(line)


def _say_asked(prover: Prover, *, unlocked: bool) -> None:
    from unhub.cli.verification_table import cost

    for line in cost(prover.traffic):
        say(line)
    written = prover.save_lock()
    if written is not None:
        say(f"what was seen is kept in {os.path.relpath(written)}")
    elif unlocked and prover.verifier.lock.changed and not prover.verifier.lock.exists:
        say("`--write-lock` keeps this in unhub.lock, so that `unhub migrate --check` knows it, too")


def _say_written(plan: Plan, wanted: _Wanted, run: Run | None, *, because: str | None) -> None:
    files = changed_files(plan)
    if run is not None:
        say(f"changed {len(run.files)} files:" if len(run.files) != 1 else "changed 1 file:")
        for path in run.files:
            say(f"  {printable(path)}")
        say("`unhub undo` takes this back")
    elif because is not None:
        say(f"nothing was written: {because}")
    elif not files:
        say("nothing to change")
    elif not wanted.check:
        asks = "" if wanted.off or wanted.asks else "; not verified yet, --write asks the registries first"
        say(f"nothing was written; `unhub migrate --write` changes {len(files)} file{'s' if len(files) != 1 else ''}{asks}")


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
