"""``unhub setup``: the login to ECR Public, put into the files of a CI."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from unhub.cli.output import colourful, printable, say, styled, write, write_bytes
from unhub.image.errors import UsageError

if TYPE_CHECKING:
    from unhub.cli.session import Session
    from unhub.migrate.item import Item
    from unhub.migrate.journal import Run
    from unhub.migrate.plan import Plan
    from unhub.migrate.run import RunOptions
    from unhub.setup.outcome import Note
    from unhub.setup.plan import SetupPlan

WOULD_CHANGE = 1
UNREADABLE = 3
REFUSED = 4

SYSTEMS = ("codebuild", "github-actions", "gitlab-ci", "circleci", "bitbucket", "azure-pipelines", "jenkins")
"""The CIs that can be set up, as :data:`unhub.setup.plan.SYSTEMS` has them; written out so that ``--help`` imports nothing."""


class _Options(TypedDict):
    """What click hands over."""

    system: str
    paths: tuple[str, ...]
    write: bool
    check: bool
    show_diff: bool
    form: str | None
    region: str
    robust: bool
    repair: bool
    remove_hub_login: bool
    role: str | None
    connection: str | None
    use_gitignore: bool
    config: Path | None
    strict: bool


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of a call: the plan, and the run that wrote it, if one did."""

    setup: SetupPlan
    run: Run | None


@click.command("setup", short_help="Insert the login into a CI's files.")
@click.argument("system", metavar="CI", type=click.Choice(SYSTEMS))
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
@click.option("--write", is_flag=True, help="Make the change: every file or none. `unhub undo` takes it back.")
@click.option("--diff", "show_diff", is_flag=True, help="Show the change as a diff for `git apply` (the default without --write).")
@click.option("--check", is_flag=True, help="Write nothing, and end with 1 where something would change.")
@click.option("--format", "form", type=click.Choice(["diff", "json"]), help="How to show it.  [default: diff]")
@click.option(
    "--region", type=click.Choice(["us-east-1", "us-west-2"]), default="us-east-1", show_default=True, help="Whose ECR Public API to ask."
)
@click.option("--robust", is_flag=True, help="Write the login so that any POSIX shell stops at AWS's own error.")
@click.option("--repair", is_flag=True, help="Mend logins that are there: a wrong or missing region, a place behind the first pull.")
@click.option("--remove-hub-login", is_flag=True, help="Take out logins to Docker Hub, where the tree takes nothing from there any more.")
@click.option("--role", metavar="ARN", help="The IAM role that a CI outside AWS assumes; without it, a variable of the CI names it.")
@click.option("--connection", metavar="NAME", help="Azure Pipelines: the service connection to AWS.  [default: aws]")
@click.option("--no-ignore", "use_gitignore", flag_value=False, default=True, help="Look at files that git ignores, too.")
@click.option(
    "--config", type=click.Path(path_type=Path), envvar="UNHUB_CONFIG", metavar="FILE", help="The settings file, in place of unhub.toml."
)
@click.option("--strict", is_flag=True, help="End with status 3 when something could not be read.")
def command(**options: Unpack[_Options]) -> int:
    """Insert the login to ECR Public into the files of a CI below PATHS (default: here), and keep every other byte.

    Without --write this shows a diff. Files in which nothing builds or pulls images are left, and so is a
    login that is there already. Each edited file is read back before anything is written. No network is used.
    """
    if options["write"] and (options["check"] or options["show_diff"]):
        raise UsageError("cannot use --write together with --check or --diff")
    session = _session(options)
    if options["write"]:
        from unhub.cli.migrate import put_back_killed

        put_back_killed(session.base)
    setup = plan(session, options)
    run = None
    if options["write"]:
        from unhub.cli.migrate import write_plan

        run = write_plan(setup.plan, session.base)
    done = _Done(setup, run)
    if options["form"] == "json":
        write(json.dumps(_as_json(done), indent=2, ensure_ascii=False) + "\n")
    else:
        if not options["write"]:
            _show_diff(setup, session.base)
        show_notes(setup)
        _say_result(done, check=options["check"])
    return _status(done, options)


def _session(options: _Options) -> Session:
    from unhub.cli.options import Selection, Wishes
    from unhub.cli.session import Session

    said: dict[str, Any] = {**_nothing(Selection), **{name: options[name] for name in ("paths", "use_gitignore", "config", "strict")}}
    return Session.open(Selection(**said), Wishes(**_nothing(Wishes)))


def _nothing(kind: type) -> dict[str, Any]:
    """Options that say nothing, so that the settings file and the defaults decide."""
    return {field.name: () if str(field.type).startswith("tuple") else None for field in fields(kind)}


def plan(session: Session, options: _Options) -> SetupPlan:
    """The plan for one call of ``unhub setup``."""
    from unhub.setup.outcome import Wishes
    from unhub.setup.plan import plan_setup, system_named

    wishes = Wishes(
        options["region"], options["robust"], options["repair"], options["remove_hub_login"], options["role"], options["connection"]
    )
    system = system_named(options["system"])
    return plan_setup(system, _run_options(session), session.formats, wishes, lambda: _left_in_tree(session))


def with_setup(plan: Plan, session: Session, name: str) -> SetupPlan:
    """Add what setting up a CI changes to the plan of a migration; what it has to say comes back."""
    from unhub.setup.outcome import Wishes
    from unhub.setup.plan import add_setup, left_on_hub, plan_setup, system_named

    whole = session.selection.paths in ((), (".",))
    setup = plan_setup(
        system_named(name),
        _run_options(session),
        session.formats,
        Wishes(),
        lambda: left_on_hub(plan, moved=True) if whole else _left_in_tree(session),
    )
    add_setup(plan, setup)
    return setup


def _run_options(session: Session) -> RunOptions:
    from unhub.migrate.run import RunOptions

    return RunOptions(
        base=session.base,
        paths=session.selection.paths or (".",),
        use_gitignore=session.selection.use_gitignore,
        include=session.migrate.paths,
        exclude=session.migrate.not_paths,
        below=session.mapper.options.below,
        max_file_size=session.migrate.max_file_size,
    )


def _left_in_tree(session: Session) -> list[Item]:
    """What the whole tree takes from Docker Hub, whatever the paths of the call are."""
    from unhub.migrate.run import plan_run
    from unhub.setup.plan import left_on_hub

    options = _run_options(session)
    everything = replace(options, paths=(".", *options.paths), cores=os.cpu_count() or 1)
    return left_on_hub(plan_run(everything, session.formats, session.mapper, proven=False))


def _show_diff(setup: SetupPlan, base: Path) -> None:
    from unhub.cli.diff import colour
    from unhub.cli.places import diff_names
    from unhub.migrate.reports import diff

    pieces = diff.render(setup.plan, diff_names(base))
    if colourful(sys.stdout):
        pieces = (colour(piece) for piece in pieces)
    write_bytes(b"".join(pieces))


def show_notes(setup: SetupPlan) -> None:
    """Say what a person has to know, a line each."""
    colours = colourful(sys.stderr)
    for note in [*(note for file in setup.files for note in file.notes if note.kind != "no-docker"), *setup.notes]:
        say(f"{styled(f'{printable(note.path)}:{note.line}:', 'bold', on=colours)} {printable(note.text)}")
    for text in _hub_login_advice(setup):
        say(text)
    for file in setup.skipped:
        say(f"{styled(printable(file.path) + ':', 'bold', on=colours)} not looked at: {printable(file.reason)}")


def _hub_login_advice(setup: SetupPlan) -> Iterator[str]:
    """Whether the logins to Docker Hub can go."""
    if not setup.hub_logins or setup.hub_needed is None:
        return
    if setup.hub_needed:
        item = setup.hub_needed[0]
        more = f" and {len(setup.hub_needed) - 1} more" if len(setup.hub_needed) > 1 else ""
        text = printable(item.finding.text)
        yield f"the login to Docker Hub stays: {printable(item.path)}:{item.line} still needs it, or may ({text}{more})"
    elif setup.wishes.remove_hub_login:
        yield "no reference to Docker Hub is left, so its login is taken out; a push there under a name from a variable would miss it"
    else:
        yield "no reference to Docker Hub is left; --remove-hub-login takes its login out"


def _say_result(done: _Done, *, check: bool) -> None:
    from unhub.setup.outcome import Status

    setup = done.setup
    counts = Counter(file.status for file in setup.files)
    if not setup.files:
        say(f"there is no file of {setup.system.title} here")
        return
    for status, text in (
        (Status.PRESENT, "logged in already"),
        (Status.NOT_NEEDED, "without images to build or pull"),
        (Status.BY_HAND, "to be done by hand"),
        (Status.REFUSED, "refused by the self-check (please report this)"),
    ):
        if counts[status]:
            names = ", ".join(printable(file.path) for file in setup.files if file.status is status)
            say(f"{text}: {names}")
    changed = counts[Status.CHANGES]
    files = f"{changed} file{'s' if changed != 1 else ''}"
    if done.run is not None:
        say(f"changed {files}: {', '.join(printable(path) for path in done.run.files)}")
        say("`unhub undo` takes this back")
    elif not changed:
        say("nothing to change")
    elif not check:
        say(f"nothing was written; `unhub setup {setup.system.name} --write` changes {files}")
    if changed:
        say("the role of the build needs two permissions: `unhub iam-policy` writes them")


def _as_json(done: _Done) -> dict[str, object]:
    """The document of ``--format json``."""
    setup = done.setup
    return {
        "schema": 1,
        "system": setup.system.name,
        "run": done.run.id if done.run else None,
        "files": [
            {"path": printable(file.path), "status": file.status.value, "notes": [_note(note) for note in file.notes]}
            for file in setup.files
        ],
        "notes": [_note(note) for note in setup.notes],
        "hub_logins": setup.hub_logins,
        "hub_references": None if setup.hub_needed is None else len(setup.hub_needed),
        "skipped": [{"path": printable(file.path), "reason": file.reason} for file in setup.skipped],
    }


def _note(note: Note) -> dict[str, object]:
    return {"path": printable(note.path), "line": note.line, "kind": note.kind, "text": note.text}


def _status(done: _Done, options: _Options) -> int:
    from unhub.setup.outcome import Status

    statuses = {file.status for file in done.setup.files}
    by_hand = any(note.kind == "by-hand" for file in done.setup.files for note in file.notes)
    if by_hand or statuses & {Status.REFUSED, Status.BY_HAND}:
        return REFUSED
    if options["strict"] and any(file.unreadable for file in done.setup.skipped):
        return UNREADABLE
    return WOULD_CHANGE if options["check"] and Status.CHANGES in statuses else 0
