"""``unhub verify``: whether the target serves the same image, for a tree or for references."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unhub.cli.network import Network, network_options
from unhub.cli.options import Proving, Selection, Wishes, proving_options, selection_options, wishes_options
from unhub.cli.output import colourful, printable, say, terminal_width, write
from unhub.image.errors import InvalidReference, UsageError

if TYPE_CHECKING:
    from unhub.cli.prover import Prover
    from unhub.cli.session import Session
    from unhub.image.reference import Reference
    from unhub.migrate.verification.contradiction import Contradiction
    from unhub.migrate.verification.subjects import Result, Subject

BELOW = 1
UNREADABLE = 3
NO_ANSWER = 5
_LOST = ("missing", "different")


@click.command("verify", short_help="Prove that the target is the same image, before or after a move.")
@selection_options
@wishes_options
@proving_options
@network_options
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "github"]), default="table", show_default=True, help="How to show it."
)
@click.option("--quiet", "-q", is_flag=True, help="Only what is not accepted, and the summary (table only).")
def command(selection: Selection, wishes: Wishes, proving: Proving, network: Network, *, form: str, quiet: bool) -> int:
    """Compare what the targets serve with what Docker Hub serves, for each distinct reference.

    PATHS are files and folders (default: here) or image references (node:20). Docker Hub is asked by HEAD only, which it
    does not count as a pull. A reference that has moved already is compared with the one it stands for. Ends with 1 where
    a verdict is neither same nor lagging nor accepted (--accept), and with 5 where no registry answered at all.
    """
    trees, references = _sorted_out(selection.paths)
    from unhub.cli.prover import Prover
    from unhub.cli.session import Session

    session = Session.open(replace(selection, paths=tuple(trees)), wishes, remember=False)
    with Prover(session, proving, network, datetime.datetime.now(datetime.UTC)) as prover:
        session = session.proving(prover.verifier)
        subjects, left_out, unreadable = _subjects(session, trees, references)
        prover.ask([subject.question for subject in subjects if subject.question is not None])
    return _finish(session, prover, subjects, left_out, form, quiet=quiet, unreadable=unreadable)


def _sorted_out(arguments: Sequence[str]) -> tuple[list[str], list[Reference]]:
    """The arguments that are paths, and those that are references; says how one is read that could be both."""
    from unhub.image.reference import Reference

    trees: list[str] = []
    references: list[Reference] = []
    for argument in arguments:
        if argument == "-" or os.path.lexists(argument):
            if _looks_like_image(argument):
                kind = "folder" if os.path.isdir(argument) else "file"
                say(f"{printable(argument)} is a {kind} here, so it is read as a path; docker.io/library/{argument} is the image")
            trees.append(argument)
            continue
        if argument.startswith(("/", ".", "~")) or os.path.isdir(argument.partition("/")[0]):
            raise UsageError(f"cannot look at {argument}: there is no such file or folder")
        try:
            references.append(Reference.parse(argument))
        except InvalidReference as error:
            raise UsageError(f"cannot verify {argument!r}: no such file, and no image reference: {error.reason}") from None
    if not trees and not references:
        trees = ["."]
    return trees, references


def _looks_like_image(argument: str) -> bool:
    from unhub.data.facts import official_images

    return argument in official_images()


def _subjects(session: Session, trees: Sequence[str], references: Sequence[Reference]) -> tuple[list[Subject], Mapping[str, int], bool]:
    from unhub.migrate.verification.subjects import subject_of_reference, subjects_of_tree

    named = {subject.name: subject for subject in (subject_of_reference(reference, session.mapper) for reference in references)}
    if not trees:
        return list(named.values()), {}, False
    plan = session.plan(proven=False)
    found, left_out = subjects_of_tree(plan.items, session.mapper)
    return [*named.values(), *found], left_out, any(file.unreadable for file in plan.skipped)


def _finish(
    session: Session, prover: Prover, subjects: Sequence[Subject], left_out: Mapping[str, int], form: str, *, quiet: bool, unreadable: bool
) -> int:
    from unhub.migrate.verification.contradiction import contradictions
    from unhub.migrate.verification.subjects import results

    done = results(subjects, prover.verifier, session.mapper)
    facts = contradictions(prover.verifier.evidences, session.mapper.targets, session.mapper.knowledge)
    lock = prover.save_lock()
    match form:
        case "json":
            _write_json(done, facts, prover, left_out, lock)
        case "github":
            for line in _annotations(done):
                write(line)
        case _:
            _write_table(done, facts, prover, left_out, quiet=quiet)
    if lock is not None:
        say(f"what was seen is kept in {os.path.relpath(lock)}")
    return _status(done, prover, strict=session.selection.strict and unreadable)


def _status(done: Sequence[Result], prover: Prover, *, strict: bool) -> int:
    if strict:
        return UNREADABLE
    if all(result.accepted for result in done):
        return 0
    if prover.nobody_answered and not any(result.evidence.from_lock for result in done):
        say("unhub: cannot verify: no registry answered")
        return NO_ANSWER
    return BELOW


def _write_table(
    done: Sequence[Result], facts: Sequence[Contradiction], prover: Prover, left_out: Mapping[str, int], *, quiet: bool
) -> None:
    from unhub.cli.verification_table import VerdictTable, cost

    table = VerdictTable(terminal_width(sys.stdout), colourful(sys.stdout))
    shown = [result for result in done if not (quiet and result.accepted)]
    lines = [*table.rows(shown), *([""] if shown else []), *table.facts(facts), *table.summary(done, left_out), *cost(prover.traffic)]
    write("".join(f"{line}\n" for line in lines))


def _write_json(
    done: Sequence[Result], facts: Sequence[Contradiction], prover: Prover, left_out: Mapping[str, int], lock: Path | None
) -> None:
    from unhub.migrate.reports import verification_json

    budget = prover.traffic.budgets.get("docker.io")
    summary = {
        "not_compared": dict(left_out),
        "requests": dict(prover.traffic.requests),
        "pulls_spent": prover.traffic.pulls_spent,
        "pulls_left": budget.remaining if budget else None,
        "pull_limit": budget.limit if budget else None,
        "lock": None if lock is None else os.path.relpath(lock).replace(os.sep, "/"),
    }
    write(verification_json.render(done, facts, summary))


def _annotations(done: Sequence[Result]) -> Iterator[str]:
    from unhub.migrate.reports import github

    for result in done:
        if result.accepted:
            continue
        evidence = result.evidence
        level = "error" if evidence.verdict.value in _LOST else "warning"
        meant = f". Did you mean {result.suggestion.familiar()}?" if result.suggestion else ""
        text = f"{result.subject.name} is {evidence.verdict} at {evidence.target.registry}: {evidence.cause or 'no reason'}{meant}"
        title = f"unhub: {evidence.verdict}"
        if not result.subject.items:
            yield github.annotation(level, None, title, text)
        for item in result.subject.items:
            yield github.annotation(level, item, title, text)
