"""Options that several commands share, each group gathered into one object."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, cast

import click

Command = Callable[..., int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which files to look at, and under which settings file."""

    paths: tuple[str, ...]
    only: tuple[str, ...]
    changed_since: str | None
    use_gitignore: bool
    stdin_name: str | None
    config: Path | None
    jobs: int | None
    strict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user said about moving; ``None`` or empty where the settings file or the default decides."""

    from_: str | None
    to: tuple[str, ...]
    unsafe: bool | None
    accept: tuple[str, ...]
    require_login: bool | None
    gitlab_alias: bool | None
    build_outputs: bool | None
    helm_defaults: bool | None
    include_comments: bool | None
    docs: bool | None
    short_names: Literal["report", "docker.io"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """How the user wants images to be compared. ``max_lag`` is a number and a unit (``72h``), ``None`` for the settings' one."""

    deep: bool
    spend: int
    max_lag: str | None
    refresh: bool
    lock: Path | None
    no_lock: bool
    write_lock: bool


def _place(flag: str, *names: str, multiple: bool = False, help: str) -> Callable[[Command], Command]:
    return click.option(flag, *names, envvar=_variable(flag), multiple=multiple, metavar="PLACE", help=help)


def _switch(name: str, help: str) -> Callable[[Command], Command]:
    """A flag with its opposite, so that a command can also switch off what the settings file switches on."""
    return click.option(f"--{name}/--no-{name}", default=None, envvar=_variable(name), help=help)


def _variable(flag: str) -> str:
    return "UNHUB_" + flag.lstrip("-").replace("-", "_").upper()


_SELECTION = (
    click.argument("paths", nargs=-1, type=click.Path(path_type=str, allow_dash=True)),
    click.option("--only", multiple=True, metavar="FORMAT", help="Look at files of this format only; repeatable (see `unhub formats`)."),
    click.option("--changed-since", metavar="REV", help="Only files that differ from this git revision, untracked ones included."),
    click.option("--no-ignore", "use_gitignore", flag_value=False, default=True, help="Look at files that git ignores, too."),
    click.option("--stdin-name", metavar="NAME", help="What the file on standard input (`-`) is called; its format follows from this."),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="UNHUB_CONFIG",
        metavar="FILE",
        help="The settings file, in place of the nearest unhub.toml.",
    ),
    click.option("--jobs", type=click.IntRange(min=1), envvar="UNHUB_JOBS", metavar="N", help="Use at most this many processors."),
    click.option("--strict", is_flag=True, help="End with status 3 when something could not be read."),
)

_WISHES = (
    _place("--from", "from_", help="Where images are now: docker-hub (default), ecr-public, mirror:HOST[/PREFIX]."),
    _place(
        "--to",
        multiple=True,
        help="Where they shall come from; repeatable, the first that serves wins: ecr-public (default), mirror:HOST[/PREFIX], "
        "ecr-pull-through:ACCOUNT/REGION/PREFIX, docker-hub.",
    ),
    _switch("unsafe", "Move references of which a part is unknown, too."),
    click.option(
        "--accept",
        multiple=True,
        envvar=_variable("accept"),
        type=click.Choice(["same-platforms", "different", "missing", "unknown", "unverified-digests"]),
        help="Take this verdict of the verification, too, beside same and lagging; unverified-digests takes digest-pinned references "
        "that nobody could compare. Repeatable.",
    ),
    _switch("require-login", "Leave what is pulled before a login step can run."),
    _switch("gitlab-alias", "Give moved GitLab services their old host name as alias."),
    _switch("build-outputs", "Treat an image beside build as pulled."),
    _switch("helm-defaults", "Look at defaults inside Helm templates."),
    _switch("include-comments", "Look into comments."),
    _switch("docs", "Look into Markdown."),
    click.option(
        "--short-names",
        type=click.Choice(["report", "docker.io"]),
        envvar=_variable("short-names"),
        help="What an unqualified name in a Containerfile or quadlet means.",
    ),
)


_PROVING = (
    click.option("--deep", is_flag=True, help="Look behind the target's tags, too: every platform's manifest, configuration and layers."),
    click.option(
        "--spend",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Permit N counted pulls at Docker Hub, to compare the platforms of what differs.  [default: 0]",
    ),
    click.option(
        "--max-lag",
        envvar=_variable("max-lag"),
        metavar="TIME",
        help="How old a digest that Docker Hub had may be, to count as lag: 90m, 72h, 7d.  [default: 72h]",
    ),
    click.option("--refresh", is_flag=True, help="Ask the registries although the lock file knows the answer."),
    click.option("--lock", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The lock file, in place of unhub.lock."),
    click.option("--no-lock", is_flag=True, help="Read and write no lock file."),
    click.option("--write-lock", is_flag=True, help="Keep what was seen in the lock file, also where there is none yet."),
)


def selection_options(command: Command) -> Command:
    """Give a command the options of :class:`Selection`, handed over as ``selection``."""
    return _gathered(command, "selection", Selection, _SELECTION)


def wishes_options(command: Command) -> Command:
    """Give a command the options of :class:`Wishes`, handed over as ``wishes``."""
    return _gathered(command, "wishes", Wishes, _WISHES)


def proving_options(command: Command) -> Command:
    """Give a command the options of :class:`Proving`, handed over as ``proving``."""
    return _gathered(command, "proving", Proving, _PROVING)


def _gathered(
    command: Command, name: str, kind: type[Selection] | type[Wishes] | type[Proving], options: tuple[Callable[[Command], Command], ...]
) -> Command:
    @functools.wraps(command)
    def gathering(**values: object) -> int:
        # click made the values of the fields' types
        gathered = kind(**{field.name: values.pop(field.name) for field in fields(kind)})  # pyright: ignore[reportArgumentType]
        return command(**{name: gathered}, **values)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), cast(Command, gathering))
