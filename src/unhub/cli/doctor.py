"""``unhub doctor``: a failed build explained from its log, or this machine looked at."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypedDict, Unpack

import click

from unhub.cli.network import Network, network_options
from unhub.cli.output import colourful, say, terminal_width, write

if TYPE_CHECKING:
    from unhub.cli.configuration import Configuration
    from unhub.doctor.log.diagnosis import Diagnosis
    from unhub.doctor.log.explaining import Report
    from unhub.doctor.log.ranking import Ranked
    from unhub.doctor.log.targets import Target
    from unhub.doctor.verdict import Checked

FORMS = ("text", "json", "github")
STANDARD_INPUT = "-"
FOUND = 1


class _Options(TypedDict):
    """What click hands over."""

    log: str | None
    watch: bool
    form: str
    codebuild: str | None
    everything: bool
    region: str | None
    profile: str | None
    config: Path | None
    network: Network
    cmd: tuple[str, ...]


@click.command(
    "doctor", short_help="Explain a failed build from its log, or check this machine.", context_settings={"allow_interspersed_args": False}
)
@click.option("--log", metavar="FILE", help="Explain a build's log; - reads it from standard input.")
@click.option("--watch", is_flag=True, help="Run CMD, pass its output through unchanged, and explain at the end.")
@click.option("--format", "form", type=click.Choice(FORMS), default=FORMS[0], show_default=True, help="How to show it; github: logs only.")
@click.option("--codebuild", metavar="PROJECT", help="Look at a CodeBuild project instead: role, image, privileged mode, buildspec.")
@click.option("--all", "everything", is_flag=True, help="Show what was seen of that which is well, too (checks only).")
@click.option("--profile", metavar="NAME", help="Use this profile of AWS's configuration (checks only).")
@click.option("--region", metavar="REGION", help="With --codebuild: the project's region, in place of the default one.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="UNHUB_CONFIG",
    metavar="FILE",
    help="The settings file, in place of the nearest unhub.toml.",
)
@network_options
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
def command(**options: Unpack[_Options]) -> int:
    """Check this machine, or explain a failed build.

    Without --log and --watch: clock, host names, proxies, certificates, ECR Public and Docker Hub, AWS credentials,
    region and permissions, stored logins and docker's daemon are looked at; nothing is changed and no pull is spent.
    Ends with 1 where a check fails.

    With --codebuild a project of AWS CodeBuild is looked at in the same way, read only.

    With --log: the first true cause among its follow-ups, why it happened, what to do. Ends with 1 where a cause was
    found, else with 0. With --watch ends as CMD does; write -- before a CMD whose name begins with a hyphen.
    """
    cmd, log, config, form = options["cmd"], options["log"], options["config"], options["form"]
    if options["watch"]:
        return _watch(cmd, form, config)
    if cmd:
        raise click.UsageError(f"There is no argument {cmd[0]!r} here. A log is named by --log, a command to run stands behind --watch.")
    if log is not None:
        return _log(log, form, config)
    return _checks(options)


def _checks(options: _Options) -> int:
    import asyncio

    from unhub.doctor.verdict import Status

    if options["form"] == "github":
        raise click.UsageError("--format github is for logs: use text or json.")
    project = options["codebuild"]
    if project is None and options["region"]:
        raise click.UsageError("--region goes with --codebuild: this machine is looked at as it is set up.")
    checked = asyncio.run(_looked(options)) if project is None else _looked_at_project(project, options)
    _show(checked, options)
    return FOUND if any(one.verdict.status is Status.FAILED for one in checked) else 0


async def _looked(options: _Options) -> list[Checked]:
    from unhub.cli.configuration import load
    from unhub.cli.machine import now, probing, this_machine
    from unhub.doctor.checking import look
    from unhub.doctor.web import TransportWeb

    settings = probing(options["network"], load(Path.cwd(), options["config"]))
    async with TransportWeb(settings, now) as web:
        return await look(this_machine(settings, web, options["profile"]))


def _looked_at_project(project: str, options: _Options) -> list[Checked]:
    from unhub.aws.session import Boto
    from unhub.cli.configuration import load
    from unhub.doctor.codebuild.looking import Surroundings, look
    from unhub.image.errors import UsageError

    if options["network"].offline:
        raise UsageError(f"cannot look at the CodeBuild project {project!r}: unhub is offline (--offline)")
    session = Boto(options["profile"], options["region"])
    if session.region() is None:
        raise UsageError("cannot look at a CodeBuild project: no AWS region is set", hint="Say where it is: --region eu-west-1")
    return look(project, Surroundings(session, _target(load(Path.cwd(), options["config"]))))


def _show(checked: list[Checked], options: _Options) -> None:
    from unhub.cli.verdicts import Sheet, render_json

    if options["form"] == "json":
        write(render_json(checked))
        return
    sheet = Sheet(terminal_width(sys.stdout), colourful(sys.stdout), options["everything"])
    write("".join(f"{line}\n" for line in sheet.lines(checked)))


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
    from unhub.doctor.log.explaining import report

    return report(diagnosis, result, _target(found))


def _target(found: Configuration) -> Target:
    """What becomes of an image, by the settings."""
    from unhub.data.facts import builtin, overridden
    from unhub.doctor.log.targets import target_by
    from unhub.migrate.mapping import Mapper, MappingOptions

    migrate, own = found.settings.migrate, _own_data(found)
    options = MappingOptions(
        origin=migrate.from_, targets=migrate.to, rules=migrate.rule, accept=frozenset({"unverified-digests"}), short_names="docker.io"
    )
    return target_by(Mapper(options, overridden(own) if own else builtin()))


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
