"""``unhub run-buildspec``: the commands of a buildspec, run here as CodeBuild runs them."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from unhub.cli.output import printable, say, write
from unhub.image.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from unhub.buildspec.environment import Facts
    from unhub.buildspec.spec import Buildspec, Command

PHASES = ("install", "pre_build", "build", "post_build")
"""As :data:`unhub.buildspec.spec.PHASES` has them; written out so that ``--help`` imports nothing."""

DEFAULT = "buildspec.yml"
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Options(TypedDict):
    """What click hands over."""

    file: Path
    directory: Path | None
    phases: tuple[str, ...]
    env: tuple[str, ...]
    post_build: bool
    exports: Path | None
    dry_run: bool


@click.command("run-buildspec", short_help="Run a buildspec's commands here, as CodeBuild runs them.")
@click.argument("file", default=DEFAULT, type=click.Path(path_type=Path))
@click.option("--directory", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the commands run.  [default: FILE's folder]")
@click.option("--phase", "phases", multiple=True, type=click.Choice(PHASES), help="Run this phase only; may be given several times.")
@click.option("--env", multiple=True, metavar="NAME[=VALUE]", help="Set a variable above all others; without =VALUE, the environment's.")
@click.option(
    "--stop-after-failed-build",
    "post_build",
    flag_value=False,
    default=True,
    help="Leave out post_build when the build phase failed; CodeBuild runs it (unverified).",
)
@click.option("--exports", type=click.Path(path_type=Path), metavar="FILE", help="Write the exported variables to FILE, as JSON.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
def command(**options: Unpack[_Options]) -> int:
    """Run the commands of FILE (default: buildspec.yml) on this machine: install, pre_build, build, post_build.

    They run in place, in one shell (version 0.2), with env.variables, finally and on-failure as CodeBuild has them,
    and write a log in its form. Nothing is uploaded, cached or reported. Ends with the status of the first command
    that failed, else with 0; with 2 where FILE is not as it must be.
    """
    from unhub.buildspec.environment import variables

    spec = _read(options["file"])
    folder = _folder(options)
    environment = variables(spec, _facts(folder), os.environ, _given(options["env"]))
    for left in spec.left_out:
        say(f"unhub: {printable(spec.path)}:{left.line}: {left.key} is left out: {left.reason}")
    if options["dry_run"]:
        write(_plan(spec, folder, options))
        return 0
    return _run(spec, folder, environment, options)


def _read(file: Path) -> Buildspec:
    from unhub.buildspec.reading import SIZE_MAX, read

    try:
        with file.open("rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except OSError as error:
        raise UsageError(f"cannot read the buildspec {file}: {error.strerror or error}") from None
    if len(data) > SIZE_MAX:
        raise ConfigurationError(f"cannot run {file}: it has more than {SIZE_MAX} bytes")
    return read(str(file), data)


def _folder(options: _Options) -> Path:
    folder = (options["directory"] or options["file"].parent).absolute()
    if not folder.is_dir():
        raise UsageError(f"cannot run the buildspec in {folder}: there is no such folder")
    if os.name != "posix":
        raise UsageError("cannot run a buildspec here: its commands are for a POSIX shell", hint="Run it in Linux, in a container for one")
    return folder


def _given(env: tuple[str, ...]) -> Mapping[str, str]:
    """The variables of ``--env``; a name alone takes its value from the environment."""
    found: dict[str, str] = {}
    for text in env:
        name, equals, value = text.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError(f"cannot set a variable by --env {name!r}: that is no name of a variable")
        if not equals and name not in os.environ:
            raise UsageError(f"cannot set {name} by --env {name}: it is not in the environment", hint=f"Give its value: --env {name}=VALUE")
        found[name] = value if equals else os.environ[name]
    return found


def _facts(folder: Path) -> Facts:
    from unhub.buildspec.environment import Facts

    return Facts(str(folder), f"local:{secrets.token_hex(8)}", time.time(), _commit(folder))


def _commit(folder: Path) -> str | None:
    """The commit that is checked out in a folder; ``None`` where git or a repository is missing."""
    try:
        done = subprocess.run(["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("ascii", "replace").strip() if done.returncode == 0 else None


def _run(spec: Buildspec, folder: Path, environment: Mapping[str, str], options: _Options) -> int:
    from unhub.buildspec.build import Wishes, run
    from unhub.buildspec.environment import secrets as hidden
    from unhub.cli.build_log import BuildLog

    only = frozenset(options["phases"])
    wishes = Wishes(folder, environment, hidden(spec, environment), only, options["post_build"])
    with _ending_on_signals():
        outcome = run(spec, wishes, BuildLog(time.time))
    if options["exports"]:
        _write_exports(options["exports"], outcome.exported)
    return outcome.status


@contextmanager
def _ending_on_signals() -> Generator[None]:
    """End as on Ctrl-C, with the status that a shell reports for the signal, so that the build's processes end, too."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_exports(file: Path, exported: Mapping[str, str]) -> None:
    from unhub.cli.ready_file import write_ready_file

    write_ready_file(file, exported)


def _plan(spec: Buildspec, folder: Path, options: _Options) -> str:
    """What would run, for people: names of variables, never their values."""
    lines = [f"In {folder}, by {spec.shell}, {'one for all commands' if spec.one_shell else 'a new one for each command'}"]
    names = [*spec.variables, *(secret.name for secret in spec.secrets)]
    lines += [f"With {', '.join(names)}"] if names else []
    for phase in spec.phases:
        if not options["phases"] or phase.name in options["phases"]:
            rule = phase.on_failure
            lines.append(f"{phase.title}{f', on failure {rule.do}' if rule else ''}")
            lines += _listed(phase.commands, "") + _listed(phase.at_the_end, "finally ")
    return "".join(f"{printable(line)}\n" for line in lines)


def _listed(commands: tuple[Command, ...], when: str) -> list[str]:
    shown: list[str] = []
    for one in commands:
        first, *rest = one.text.rstrip("\n").split("\n")
        shown += [f"  {when}$ {first}", *(f"  {' ' * len(when)}  {line}" for line in rest)]
    return shown
