"""``unhub renovate``: the settings that Renovate needs after the switch."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from unhub.cli.options import Selection, Wishes, selection_options, wishes_options
from unhub.cli.output import printable, say, write
from unhub.image.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from unhub.cli.session import Session
    from unhub.migrate.renovate import Lookup, Merged

FILES = ("renovate.json", ".github/renovate.json", ".gitlab/renovate.json", ".renovaterc", ".renovaterc.json")
"""Where Renovate looks for JSON, in its order; JSON5 is not rewritten, since that would lose its comments."""


@click.command("renovate", short_help="Write what Renovate needs to keep updating the moved images.")
@selection_options
@wishes_options
@click.option(
    "--lookup",
    type=click.Choice(["target", "docker-hub"]),
    default="target",
    show_default=True,
    help="Where Renovate looks for new versions: at the new place, or at Docker Hub, which gives release times but may be ahead.",
)
@click.option("--write", "in_place", is_flag=True, help="Merge it into the Renovate settings of this folder; `unhub undo` takes it back.")
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="The Renovate settings, in place of the usual names.")
def command(selection: Selection, wishes: Wishes, lookup: Lookup, in_place: bool, file: Path | None) -> int:
    """Show the JSON to add to Renovate's settings for the images below PATHS that have moved, or will.

    Rules of Renovate's presets, and yours, that name an image as it was called at Docker Hub no longer
    match. This writes them for the new names, and adds the new names to your rules. Not verified against
    a running Renovate: read as of 2026-11-23 in its source.
    """
    from unhub.cli.session import Session
    from unhub.migrate.renovate import configuration, merge, moved_images

    session = Session.open(selection, wishes)
    moved = moved_images(session.plan(), session.mapper.targets)
    ours = configuration(moved, session.mapper.knowledge, lookup)
    path = file if file is not None else _settings_file(session.base)
    if not in_place:
        write(json.dumps(ours, indent=2, ensure_ascii=False) + "\n")
    elif path is None:
        raise UsageError("cannot find Renovate's settings here", hint=f"Looked for {', '.join(FILES)}; name the file with --file")
    else:
        _merge_into(path, session, merge(_read(path), ours, moved))
    if lookup == "target" and moved:
        say("Registries other than Docker Hub give no release times: minimumReleaseAge needs --lookup docker-hub")
    return 0


def _settings_file(base: Path) -> Path | None:
    return next((Path(name) for name in FILES if (base / name).is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        value: object = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UnreadableError(
            f"cannot read {path}: {error}", hint="With comments in it, merge by hand what `unhub renovate` prints"
        ) from None
    if not isinstance(value, dict):
        raise UnreadableError(f"cannot read {path}: it holds no JSON object")
    return cast(dict[str, Any], value)


def _merge_into(path: Path, session: Session, merged: Merged) -> None:
    """Write the settings as every change is written: with the journal, so that they can be put back."""
    from unhub.cli.places import journal_for
    from unhub.migrate.plan import Plan
    from unhub.migrate.write import write_plan

    before = path.read_bytes()
    after = _like(before, merged.configuration)
    shown = path.as_posix()
    plan = Plan(before={shown: before}, after={shown: after})
    run = write_plan(plan, session.base, journal_for(session.base), datetime.datetime.now(datetime.UTC))
    for name in merged.extended:
        say(printable(f"added {name}"))
    for name in merged.look_at:
        say(printable(f"look at {name}: a pattern may miss the new names"))
    say(printable(f"changed {shown}; `unhub undo` takes this back" if run else f"nothing to change in {shown}"))


def _like(before: bytes, value: dict[str, Any]) -> bytes:
    """JSON in the hand of the file it replaces: its indentation, line ends and last line."""
    text = before.decode("utf-8-sig")
    if json.loads(text) == value:
        return before
    indent = re.search(r"\n([ \t]+)\S", text)
    new = json.dumps(value, indent=indent[1] if indent else None, ensure_ascii=False)
    new += "\n" if text.endswith("\n") else ""
    return new.replace("\n", "\r\n" if "\r\n" in text else "\n").encode("utf-8")
