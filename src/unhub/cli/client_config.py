"""``unhub client-config``: the settings that make a client ask the mirror."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from unhub.cli.output import colourful, printable, say, styled, write
from unhub.image.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from unhub.migrate.write import Replacement
    from unhub.setup.clients.client import Client, ClientFile, ClientSettings
    from unhub.setup.clients.mirror import Mirror

CLIENTS = (
    "docker",
    "containerd",
    "buildkit",
    "podman",
    "k3s",
    "kaniko",
    "codebuild",
    "github-actions",
    "gitlab-runner",
    "kind",
    "testcontainers",
)
"""The names of :data:`unhub.setup.clients.every.CLIENTS`; written out so that ``--help`` imports nothing."""

LARGEST = 1024 * 1024
"""Bytes of a CA file or of settings that are read."""


class _Options(TypedDict):
    """What click hands over."""

    name: str
    server: str | None
    ca: Path | None
    registries: tuple[str, ...]
    form: str
    folder: Path | None
    config: Path | None


@click.command("client-config", short_help="Write a client's settings for the mirror.")
@click.argument("name", metavar="CLIENT", type=click.Choice(CLIENTS))
@click.option("--server", metavar="URL", help="The mirror, as the client reaches it.  [default: http://127.0.0.1:5000]")
@click.option(
    "--ca", type=click.Path(path_type=Path), metavar="FILE", help="The certificate (PEM) of the authority that signed the mirror's."
)
@click.option(
    "--registry",
    "registries",
    multiple=True,
    metavar="HOST",
    help="Another registry that the mirror has, like quay.io (repeatable).  [default: the upstreams of the settings file]",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to show it.")
@click.option(
    "--write", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write the files below DIR: / on the client's own machine."
)
@click.option(
    "--config", type=click.Path(path_type=Path), envvar="UNHUB_CONFIG", metavar="FILE", help="The settings file, in place of unhub.toml."
)
def command(**options: Unpack[_Options]) -> int:
    """Show what makes CLIENT ask the mirror for Docker Hub's images, so that no Dockerfile has to change.

    CLIENT is docker, containerd, buildkit, podman (with buildah, skopeo and CRI-O), k3s, kaniko, codebuild,
    github-actions, gitlab-runner, kind or testcontainers. Each says what it was tried with. Nothing is restarted.
    """
    from unhub.setup.clients.every import CLIENTS as known
    from unhub.setup.clients.mirror import DEFAULT, DOCKER_HUB, Mirror

    client, folder = known[options["name"]], options["folder"]
    ca = _read(options["ca"], "the CA") if options["ca"] else None
    hosts = options["registries"] or _upstream_hosts(options["config"])
    mirror = Mirror.at(options["server"] or DEFAULT, ca=ca, registries=(DOCKER_HUB, *hosts))
    settings = client.settings(mirror)
    written = _write(settings, folder) if folder else None
    if options["form"] == "json":
        write(json.dumps(_as_json(client, mirror, settings, written or ()), indent=2, ensure_ascii=False) + "\n")
    else:
        write("\n".join(_text(client, mirror, settings, written)) + "\n")
    for warning in client.warnings(mirror):
        say(warning)
    return 0


def _upstream_hosts(config: Path | None) -> tuple[str, ...]:
    """The registries of ``[upstream.NAME]``, where this is the mirror's own machine."""
    from unhub.cli.configuration import load

    upstreams = load(Path.cwd(), config).settings.upstream
    return tuple(host for upstream in upstreams.values() for host in upstream.hosts)


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as handle:
            data = handle.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UsageError(f"cannot read {what} from {path}: it is larger than {LARGEST} bytes")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {what} from {path}: it is not UTF-8") from None
    except OSError as error:
        raise UsageError(f"cannot read {what} from {path}: {error.strerror or error}") from None


def _write(settings: ClientSettings, folder: Path) -> tuple[str, ...]:
    """Write all files or none; the paths of those that changed. Raises :class:`RefusedError` for one that is somebody's own."""
    from unhub.migrate.write import replace_all

    replacements = [found for file in settings.files if not file.part and (found := _replacement(file, folder))]
    if replacements:
        replace_all(replacements, secrets.token_hex(6))
    return tuple(replacement.shown for replacement in replacements)


def _replacement(file: ClientFile, folder: Path) -> Replacement | None:
    """What becomes of a file below ``folder``; ``None`` where it is so already."""
    from unhub.migrate.write import Replacement

    path = Path(os.path.realpath(folder / file.path.lstrip("/")))
    mode = 0o755 if file.executable else 0o644
    if not path.exists():
        return Replacement(path, str(path), None, file.text.encode(), mode)
    before = _read(path, "the settings")
    if before == file.text:
        return None
    if file.merge is None:
        raise RefusedError(
            f"cannot write {path}: it is there already, with other content", hint="Compare it with what is shown without --write"
        )
    after = file.merge(before)
    return Replacement(path, str(path), before.encode(), after.encode(), mode) if after != before else None


def _text(client: Client, mirror: Mirror, settings: ClientSettings, written: tuple[str, ...] | None) -> Iterator[str]:
    """The lines for a person; ``written`` is ``None`` where nothing was to be written."""
    colours = colourful(sys.stdout)
    yield f"{styled(client.title, 'bold', on=colours)}, for the mirror {mirror.url}"
    yield f"({client.tried})"
    if written is not None:
        yield from ("", *([f"wrote {printable(path)}" for path in written] or ["every file is as it should be already"]))
    for file in settings.files:
        if written is None or file.part:
            yield from ("", styled(f"{file.path}{' (add this)' if file.part else ''}", "cyan", on=colours))
            yield from (f"    {line}".rstrip() for line in file.text.splitlines())
    yield from ("", f"then:  {settings.restart}")
    yield from (f"check: {check}" for check in settings.check)
    yield from (f"note:  {note}" for note in settings.notes)
    forbid = f"; to forbid that: {client.gone.prevent}" if client.gone.prevent else ""
    yield f"when the mirror is gone it {client.gone.says}{forbid}"


def _as_json(client: Client, mirror: Mirror, settings: ClientSettings, written: tuple[str, ...]) -> dict[str, object]:
    """The document of ``--format json``."""
    return {
        "schema": 1,
        "client": client.name,
        "title": client.title,
        "server": mirror.url,
        "registries": mirror.registries,
        "files": [
            {"path": file.path, "content": file.text, "part": file.part, "mode": "0755" if file.executable else "0644"}
            for file in settings.files
        ],
        "written": [printable(path) for path in written],
        "restart": settings.restart,
        "check": settings.check,
        "notes": settings.notes,
        "warnings": client.warnings(mirror),
        "tried": {"version": client.tried.version, "test": client.tried.test, "how": client.tried.how},
        "mirror_gone": {
            "falls_back": client.gone.falls_back,
            "says": client.gone.says,
            "limited": client.gone.limited,
            "tried": client.gone.tried,
            "prevent": client.gone.prevent,
        },
        "facts": [{"says": fact.says, "source": fact.source, "date": fact.date.isoformat()} for fact in client.facts],
    }
