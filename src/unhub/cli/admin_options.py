"""What the commands of ``unhub admin`` have in common: their options, files that they read, and keys that they show."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from unhub.cli.output import printable, say, width, write
from unhub.image.errors import UsageError

FILE_MAX: Final = 64 * 1024
"""Bytes of a policy's file that are read."""

as_json = click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
of_account = click.option("--account", metavar="ID", help="The account, 12 digits. Default: the mirror's first one.")
of_role = click.option("--role", "of_role", is_flag=True, help="NAME is a role, not a user.")


def who(name: str, *, role: bool, account: str | None) -> dict[str, object]:
    """An identity as the mirror is asked about it."""
    return {"kind": "role" if role else "user", "name": name, "account": account}


def read_text(path: str) -> str:
    """A file's text, of standard input for ``-``. Raises :class:`UsageError`."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(FILE_MAX + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(FILE_MAX + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not UTF-8") from None
    if len(data) > FILE_MAX:
        raise UsageError(f"cannot read {path}: it has more than {FILE_MAX} bytes")
    return text


def show(answer: Mapping[str, Any], as_json: bool, text: Callable[[], None]) -> int:
    """Write the answer as JSON, or what ``text`` writes for people."""
    if as_json:
        write(json.dumps(answer, indent=2) + "\n")
    else:
        text()
    return 0


def show_key(key: Mapping[str, Any]) -> None:
    """Write an access key as variables that a shell can take over; the secret is shown this once."""
    write(f"AWS_ACCESS_KEY_ID={key['id']}\nAWS_SECRET_ACCESS_KEY={key['secret']}\n")
    if key["session_token"]:
        write(f"AWS_SESSION_TOKEN={key['session_token']}\n")
    until = f", and holds until {moment(key['expires_at'])}" if key["expires_at"] else ""
    say(f"the secret is shown this once{until}; `unhub admin key delete {key['id']}` takes the key back")


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Write rows, each column as wide as its widest cell."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        write("  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip() + "\n")


def moment(seconds: float) -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%MZ")
