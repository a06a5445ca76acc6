"""``unhub doctor``: a failed build explained from its log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from unhub.cli.output import colourful, say, terminal_width, write

if TYPE_CHECKING:
    from unhub.cli.configuration import Configuration
    from unhub.doctor.log.diagnosis import Diagnosis
    from unhub.doctor.log.explaining import Report
    from unhub.doctor.log.ranking import Ranked

FORMS = ("text", "json", "github")
STANDARD_INPUT = "-"
FOUND = 1


@click.command(
    "doctor", short_help="Explain a failed build from its log, or check this machine.", context_settings={"allow_interspersed_args": False}
)
@click.option("--log", metavar="FILE", help="Explain a build's log; - reads it from standard input.")
@click.option("--watch", is_flag=True, help="Run CMD, pass its output through unchanged, and explain at the end.")
@click.option("--format", "form", type=click.Choice(FORMS), default=FORMS[0], show_default=True, help="How to show it.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="UNHUB_CONFIG",
    metavar="FILE",
    help="The settings file, in place of the nearest unhub.toml.",
)
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
def command(log: str | None, watch: bool, form: str, config: Path | None, cmd: tuple[str, ...]) -> int:
    """Explain a failed build: the first true cause among its follow-ups, why it happened, what to do.

    With --log ends with 1 where a cause was found, else with 0. With --watch ends as CMD does; write -- before a CMD
    whose name begins with a hyphen.
    """
    if watch:
        return _watch(cmd, form, config)
    if cmd:
        raise click.UsageError(f"There is no argument {cmd[0]!r} here. A log is named by --log, a command to run stands behind --watch.")
    if log is None:
        raise click.UsageError("Nothing to look at: name a log by --log FILE, or a command to run by --watch CMD.")
    return _log(log, form, config)


def _log(name: str, form: str, config: Path | None) -> int:
    found, diagnosis = _begin(config)
    report = _report(found, diagnosis, _read(name, diagnosis))
    for piece in _pieces(report, form, sys.stdout):
        write(piece)
    return FOUND if report.causes else 0


def _read(name: str, diagnosis: Diagnosis) -> Ranked:
    from unhub.image.errors import UnreadableError, UsageError

    try:
        if name == STANDARD_INPUT:
            return diagnosis.read(sys.stdin.buffer)
        with open(name, "rb") as stream:
            return diagnosis.read(stream)
    except FileNotFoundError:
        raise UsageError(f"cannot read the log {name}: there is no such file", hint="A - reads it from standard input") from None
    except OSError as error:
        raise UnreadableError(f"cannot read the log {name}: {error.strerror or error}") from None


def _watch(cmd: tuple[str, ...], form: str, config: Path | None) -> int:
    from unhub.doctor.watching import watch

    if not cmd:
        raise click.UsageError("There is no command to watch. Write it behind --watch: unhub doctor --watch docker build .")
    found, diagnosis = _begin(config)
    status = watch(cmd, diagnosis.line)
    report = _report(found, diagnosis, diagnosis.end())
    if report.causes or report.warnings:
        for piece in _pieces(report, form, sys.stderr):
            print(piece, end="", file=sys.stderr)
    elif status:
        say(f"unhub: {cmd[0]} ended with {status}, and its output shows nothing that unhub knows")
    return status


def _begin(config: Path | None) -> tuple[Configuration, Diagnosis]:
    from unhub.cli.configuration import load
    from unhub.data.symptoms import consequences, symptoms
    from unhub.doctor.log.diagnosis import Diagnosis

    found = load(Path.cwd(), config)
    own = _own_data(found)
    return found, Diagnosis(symptoms(own), consequences(own))


def _report(found: Configuration, diagnosis: Diagnosis, result: Ranked) -> Report:
    from unhub.data.facts import builtin, overridden
    from unhub.doctor.log.explaining import report
    from unhub.doctor.log.targets import target_by
    from unhub.migrate.mapping import Mapper, MappingOptions

    migrate, own = found.settings.migrate, _own_data(found)
    options = MappingOptions(
        origin=migrate.from_, targets=migrate.to, rules=migrate.rule, accept=frozenset({"unverified-digests"}), short_names="docker.io"
    )
    return report(diagnosis, result, target_by(Mapper(options, overridden(own) if own else builtin())))


def _own_data(found: Configuration) -> Path | None:
    name = found.settings.data.file
    return (found.folder or Path()) / name if name else None


def _pieces(report: Report, form: str, stream: TextIO) -> Iterable[str]:
    from unhub.cli.explanations import Pages
    from unhub.doctor.log import annotations, records

    if form == "json":
        return [records.render(report)]
    if form == "github":
        return annotations.render(report)
    return (f"{line}\n" for line in Pages(terminal_width(stream), colourful(stream)).report(report))
