"""What the commands of a CI's scripts do about images: use them, log in somewhere, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from unhub.formats._commands.usage import Role
from unhub.formats._shell import script as shell_script
from unhub.formats._shell.inner import base_name, with_inner
from unhub.formats._shell.tree import Assignment, Command, Script
from unhub.formats._shell.uses import Reader, Run
from unhub.formats._shell.values import Field, Values
from unhub.formats._text import Mapped
from unhub.image.found import Span
from unhub.image.source import Source
from unhub.setup.login_line import HOSTS, REGIONS


class Does(StrEnum):
    """What a command does, as far as a login matters."""

    USE = "use"
    """Builds or pulls images."""
    LOGIN = "login"
    """Logs in to ECR Public."""
    PASSWORD = "password"  # noqa: S105 - a word
    """Gets ECR Public's password (``aws ecr-public get-login-password``)."""
    HUB_LOGIN = "hub-login"
    """Logs in to Docker Hub."""
    PIPEFAIL = "pipefail"
    """Switches ``pipefail`` on for the commands behind it."""
    TRACE = "trace"
    """Makes the shell print every command (``set -x``)."""
    INSTALL = "install"
    """Puts ``aws`` or docker on the machine."""
    CALL = "call"
    """Runs something of the tree: a script, a make target, a script of package.json."""


@dataclass(frozen=True, slots=True)
class Act:
    """A command that matters. ``text`` counts the texts that were looked at, from 0; ``shown`` is its name for people.

    ``path`` is the file that it stands in where the CI's own file only calls that.
    ``region`` is that of a :attr:`Does.PASSWORD`: ``None`` where none is given, ``""`` where it is not known.
    """

    does: Does
    text: int
    span: Span
    shown: str
    words: tuple[str | None, ...]
    region: str | None = None
    path: str = ""

    @property
    def region_is_right(self) -> bool:
        """Whether the password comes from a region that has ECR Public's API."""
        return self.region in REGIONS


_ENGINES = frozenset({"docker", "podman", "nerdctl", "finch", "buildah", "skopeo", "crane", "oras", "regctl", "helm"})
_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"})
_LOGIN_VALUES = frozenset({"-u", "--username", "-p", "--password", "--authfile", "--cert-dir", "--tls-verify", "--registry-config"})
_COMPOSE_PULLS = frozenset({"up", "build", "pull", "run", "create", "watch"})
_COMPOSE_VALUES = frozenset({
    "-f", "--file", "-p", "--project-name", "--profile", "--env-file", "--project-directory", "--ansi", "--progress", "--parallel",
    "--context", "-c", "-H", "--host", "--log-level",
})  # fmt: skip
_READS = frozenset({"dockerfile", "bake", "compose"})
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CALLERS = frozenset({"make", "gmake", "npm", "yarn", "pnpm", "sh", "bash", "dash", "ash", "zsh", ".", "source"})


def acts(source: Source, texts: Sequence[Mapped], environment: Sequence[Assignment] = ()) -> list[Act]:
    """What the texts do, which one shell (or one machine) runs after another, in that order."""
    script = Script()
    for number, text in enumerate(texts):
        script.add(shell_script.read(source, text, str(number)))
    whole = with_inner(source.data, script)
    values = Values(whole, environment)
    reader = Reader(values, {})
    region = _assigned_region([*(assignment for _, assignment in whole.assignments), *environment])
    found = [act for command in whole.commands if command.where.isdigit() for act in _acts(source, command, reader, values, region)]
    return sorted(found, key=lambda act: (act.text, act.span))


def of_text(source: Source, text: Mapped) -> list[Act]:
    """What one text does."""
    return acts(source, [text])


def _acts(source: Source, command: Command, reader: Reader, values: Values, region: str | None) -> Iterator[Act]:
    fields = values.fields(command.words, command.function)
    words = tuple(field.text for field in fields)
    for does, given in _doings(command, fields, words, reader):
        known = _region(fields, command, region) if does is Does.PASSWORD else None
        yield Act(does, int(command.where), command.span, _shown(given), given, known)


def _shown(words: Sequence[str | None]) -> str:
    """The first words of a command, up to its flags: they name it, and what follows may be a secret."""
    named = takewhile(lambda word: word is not None and not word.startswith("-"), words)
    return " ".join([word for word in named if word][:3])[:60]


def _doings(
    command: Command, fields: Sequence[Field], words: tuple[str | None, ...], reader: Reader
) -> Iterator[tuple[Does, tuple[str | None, ...]]]:
    names = [base_name(word) for word in words]
    if not names:
        return
    if any(_uses_images(run, words) for run in reader.runs(command)) or _builds_otherwise(names):
        yield Does.USE, words
    server = _login_server(names, words)
    if server in HOSTS or names[:2] == ["unhub", "login"]:
        yield Does.LOGIN, words
    elif server is not None and (not server or server.removeprefix("https://").split("/")[0] in _HUB):
        yield Does.HUB_LOGIN, words
    if "ecr-public" in words and "get-login-password" in words:
        yield Does.PASSWORD, words
    if names[0] == "set":
        if "pipefail" in words and any(word and word.startswith("-") and word.endswith("o") for word in words):
            yield Does.PIPEFAIL, words
        if "xtrace" in words or any(word and word.startswith("-") and not word.startswith("--") and "x" in word for word in words[1:]):
            yield Does.TRACE, words
    if _installs(names, words):
        yield Does.INSTALL, words
    called = next((n for n, name in enumerate(names[:3]) if name in _CALLERS or (words[n] or "").endswith(".sh")), None)
    if called is not None:
        yield Does.CALL, words[called:]


def _uses_images(run: Run, words: Sequence[str | None]) -> bool:
    """Whether a command of a container tool gets images in the step itself."""
    usage = run.usage
    if usage.by_platform or (usage.stdin == "bake" and "--print" in words):
        return False
    if usage.stdin == "compose":
        return _compose_pulls(words)
    if usage.stdin in _READS:
        return True
    pulls = (use for use in run.uses if use.role in (Role.PULL, Role.CACHE, Role.TRANSPORT))
    return any(use.role is not Role.TRANSPORT or use.field.head.startswith("docker://") for use in pulls)


def _compose_pulls(words: Sequence[str | None]) -> bool:
    """Whether docker compose's subcommand gets images; one that is not known may."""
    start = next((n for n, word in enumerate(words) if word and (word == "compose" or word.endswith("docker-compose"))), None)
    if start is None:
        return "deploy" not in words
    at = start + 1
    while at < len(words):
        word = words[at]
        if word is None:
            return True
        if not word.startswith("-"):
            return word in _COMPOSE_PULLS
        at += 2 if word in _COMPOSE_VALUES else 1
    return False


def _builds_otherwise(names: Sequence[str]) -> bool:
    """Tools that build or pull without naming an image: buildpacks, AWS SAM and CDK, GoReleaser's images are not among them."""
    if names[:2] == ["pack", "build"]:
        return True
    return names[:2] == ["sam", "build"] and ("--use-container" in names or "-u" in names)


def _login_server(names: Sequence[str], words: Sequence[str | None]) -> str | None:
    """The registry that ``docker login`` and its like name: ``""`` where they name none, ``None`` for anything else."""
    engine = next((n for n, name in enumerate(names) if name in _ENGINES), None)
    if engine is None or any(name in ("echo", "printf") for name in names[:engine]):
        return None
    rest = list(words[engine + 1 :])
    if rest[:2] == ["registry", "login"] or rest[:2] == ["auth", "login"]:
        rest = rest[1:]
    if rest[:1] != ["login"]:
        return None
    at = 1
    while at < len(rest):
        word = rest[at]
        if word is None:
            return None
        if not word.startswith("-"):
            return word.removesuffix("/")
        at += 2 if word in _LOGIN_VALUES else 1
    return ""


def _assigned_region(assignments: Iterable[Assignment]) -> str | None:
    """The region that the script or its environment sets, where that is one known value."""
    found = {a.value.text if a.value else None for a in assignments if a.name in _REGION_VARIABLES}
    return found.pop() or "" if len(found) == 1 else "" if found else None


def _region(fields: Sequence[Field], command: Command, assigned: str | None) -> str | None:
    """The region of a call of ``aws``: its flag, its own environment, or what the script sets."""
    for number, field in enumerate(fields):
        if field.text == "--region":
            return (fields[number + 1].text or "") if number + 1 < len(fields) else ""
        if field.head.startswith("--region="):
            return (field.text or "").removeprefix("--region=")
    own = _assigned_region(command.assignments)
    return assigned if own is None else own


def _installs(names: Sequence[str], words: Sequence[str | None]) -> bool:
    """Whether a command installs ``aws`` or docker, or starts the daemon."""
    if "dockerd" in names or "dockerd-entrypoint.sh" in names:
        return True
    text = " ".join(word or "" for word in words)
    if "aws/install" in text or "awscli-exe" in text:
        return True
    wanted = any(
        (word or "").split("=")[0] in ("awscli", "aws-cli", "docker", "docker.io", "docker-ce", "docker-cli") for word in words[1:]
    )
    return wanted and any(word in ("install", "add") for word in words)
