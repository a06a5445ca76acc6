"""``unhub login``: ECR Public's password, from the right region, to where docker, podman and helm look."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from unhub.cli.output import printable, say, write
from unhub.image.errors import CredentialsError, MissingExtra, UnhubError, UsageError

if TYPE_CHECKING:
    import datetime

    from unhub.aws.login import Password
    from unhub.cli.login_tools import Kept
    from unhub.registry.credentials import LoginFile

HELPER = "unhub"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    tools: tuple[str, ...]
    registry: str
    region: str | None
    profile: str | None
    print_password: bool
    helper: bool
    erase: bool


@click.command("login", short_help="Log in to ECR Public, in the right region, where docker, podman and helm look.")
@click.option(
    "--tool",
    "tools",
    multiple=True,
    type=click.Choice(["docker", "podman", "helm"]),
    help="Log this program in; repeatable. Default: docker, and podman and helm where they are in use.",
)
@click.option(
    "--registry", metavar="NAME", help="The registry's name: public.ecr.aws, or ecr-public.aws.com (IPv6 too). Default: the first."
)
@click.option("--region", metavar="REGION", envvar="UNHUB_REGION", help="Ask AWS in this region: us-east-1 (the default) or us-west-2.")
@click.option("--profile", metavar="NAME", help="Use this profile of AWS's configuration.")
@click.option(
    "--print-password", is_flag=True, help="Print the password, for `docker login --username AWS --password-stdin`; keep nothing."
)
@click.option("--helper", is_flag=True, help="Have docker-credential-unhub asked from now on, so that no login is needed at all.")
@click.option("--erase", is_flag=True, help="Take back what a login or --helper has set.")
def command(
    *,
    tools: tuple[str, ...],
    registry: str | None,
    region: str | None,
    profile: str | None,
    print_password: bool,
    helper: bool,
    erase: bool,
) -> int:
    """Get ECR Public's password from AWS, and store it as docker, podman and helm expect it.

    Any source of AWS credentials will do: profile, SSO, role, container, environment. AWS is asked in a region that
    has ECR Public's API, whatever the profile's region is. Where a credential store or helper is set, it keeps the
    password; otherwise the file does, as plain base64. Until when it holds is said.
    """
    wanted = _Wanted(
        tools=tools,
        registry=_checked_registry(registry),
        region=region,
        profile=profile,
        print_password=print_password,
        helper=helper,
        erase=erase,
    )
    _check(wanted)
    if print_password:
        return _print(wanted)
    if helper:
        return _set_helper(wanted)
    return _erase(wanted) if erase else _log_in(wanted)


def _check(wanted: _Wanted) -> None:
    modes = [
        name for name, on in (("--print-password", wanted.print_password), ("--helper", wanted.helper), ("--erase", wanted.erase)) if on
    ]
    if len(modes) > 1:
        raise UsageError(f"cannot use {' together with '.join(modes)}: they exclude each other")
    if wanted.print_password and wanted.tools:
        raise UsageError("cannot use --print-password together with --tool: it stores nothing")
    if (wanted.helper or wanted.erase) and wanted.profile:
        raise UsageError(
            f"cannot use {modes[0]} together with --profile: it asks AWS nothing",
            hint="The helper takes the profile from AWS_PROFILE when docker runs",
        )


def _checked_registry(name: str | None) -> str:
    from unhub.cli.stand_ins import is_loopback
    from unhub.data.aws import public_registries

    known = public_registries()
    if name is None:
        return known[0]
    if name not in known and not is_loopback(name):
        private = ".dkr.ecr." in name or ".dkr-ecr." in name
        raise UsageError(
            f"cannot log in to {name!r}: only ECR Public ({', '.join(known)}) takes this password",
            hint="For a private ECR registry: aws ecr get-login-password | docker login --username AWS --password-stdin " + name
            if private
            else None,
        )
    return name


# the four things it does


def _print(wanted: _Wanted) -> int:
    password = _fetched(wanted)
    write(f"{password.password}\n")
    say(f"the password holds until {until(password.expires_at)}")
    return 0


def _log_in(wanted: _Wanted) -> int:
    from unhub.data.aws import fetching_helpers
    from unhub.registry.credentials import Credential

    password = _fetched(wanted)
    credential = Credential(password.username, password.password, "AWS")
    plain: list[LoginFile] = []

    def store(file: LoginFile) -> str:
        helper = file.helper_for(wanted.registry)
        if helper and helper.name in fetching_helpers():
            return f"nothing to store: {helper.program} asks AWS by itself (credHelpers in {file.shown})"
        where = file.store(wanted.registry, credential)
        if helper is None:
            plain.append(file)
        return where

    status = _for_each(wanted, store, f"logged in to {wanted.registry} as {password.username}, until {until(password.expires_at)}")
    _warn_of_plain(plain)
    return status


def _warn_of_plain(files: list[LoginFile]) -> None:
    if files:
        shown = " and ".join(printable(file.shown) for file in files)
        say(f"warning: the password lies unencrypted in {shown}, since no credential store is set there; `unhub login --helper` needs none")
    for file in files:
        mode = stat.S_IMODE(file.path.stat().st_mode)
        if mode & 0o077:
            say(f"warning: others on this machine may read {printable(file.shown)} (mode {mode:04o}): chmod 600 {printable(file.shown)}")


def _set_helper(wanted: _Wanted) -> int:
    _check_helper()

    def set_helper(file: LoginFile) -> str:
        before = file.set_helper(wanted.registry, HELPER)
        was = f" (in place of {before!r})" if before and before != HELPER else ""
        return f"credHelpers in {file.shown}{was}"

    return _for_each(wanted, set_helper, f"docker-credential-{HELPER} logs in to {wanted.registry} from now on, whenever it is pulled from")


def _check_helper() -> None:
    """A helper that docker cannot run makes every pull fail, and one without boto3 logs nobody in."""
    import shutil
    from importlib.util import find_spec

    if find_spec("boto3") is None:
        raise MissingExtra("log in to ECR Public", "aws")
    if shutil.which(f"docker-credential-{HELPER}") is None:
        raise CredentialsError(
            f"cannot set the helper: docker-credential-{HELPER} is not on PATH, and docker would fail to pull without it",
            hint="Put the folder where unhub is installed on PATH, for docker as well",
        )


def _erase(wanted: _Wanted) -> int:
    from unhub.cli.credential_helper import cache
    from unhub.data.aws import fetching_helpers

    def erase(file: LoginFile) -> str:
        helper = file.helper_for(wanted.registry)
        gone: list[str] = []
        if helper is None or helper.name not in fetching_helpers():
            gone += file.erase(wanted.registry)
        elif helper.name == HELPER and file.unset_helper(wanted.registry):
            gone.append(f"credHelpers in {file.shown}")
        return f"removed from {' and '.join(gone)}" if gone else "there was nothing"

    status = _for_each(wanted, erase, f"no login for {wanted.registry} any more")
    if cache().forget():
        say("the passwords kept for the helper are removed, too")
    return status


def _for_each(wanted: _Wanted, act: Callable[[LoginFile], str], headline: str) -> int:
    """Do something for each program's file; the others go on where one fails, and the exit status tells."""
    from unhub.cli.login_tools import login_files, tools_in_use

    done: list[tuple[str, str]] = []
    failed: list[tuple[str, UnhubError]] = []
    for kept in login_files(tools_in_use(wanted.tools)):
        try:
            done.append((kept.names, act(_opened(kept))))
        except UnhubError as error:
            failed.append((kept.names, error))
    if not done and len(failed) == 1:
        raise failed[0][1]
    if done:
        write(f"{headline}\n{''.join(_rows(done))}")
    for names, error in failed:
        say(f"unhub: {names}: {printable(str(error))}")
    return failed[0][1].exit_status if failed else 0


def _opened(kept: Kept) -> LoginFile:
    if isinstance(kept.file, UnhubError):
        raise kept.file
    return kept.file


def _rows(done: Iterable[tuple[str, str]]) -> list[str]:
    rows = list(done)
    width = max(len(names) for names, _ in rows)
    return [f"  {names.ljust(width)}  {printable(text)}\n" for names, text in rows]


def _fetched(wanted: _Wanted) -> Password:
    from unhub.aws.login import fetch_password

    return fetch_password(region=wanted.region, profile=wanted.profile)


def until(end: datetime.datetime, now: datetime.datetime | None = None) -> str:
    """A moment in local time and from now: ``2026-11-26 03:12 CET (in 12 h)``."""
    import datetime

    seconds = (end - (now or datetime.datetime.now(datetime.UTC))).total_seconds()
    if seconds < 0:
        ahead = "it is over"
    elif seconds < 3600:
        ahead = f"in {round(seconds / 60)} min"
    else:
        ahead = f"in {round(seconds / 3600)} h"
    return f"{end.astimezone():%Y-%m-%d %H:%M %Z} ({ahead})"
