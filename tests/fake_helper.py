"""A credential helper for tests: a script that keeps logins in a file, or misbehaves as told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_SCRIPT = """#!{python}
import json, os, sys, time
from pathlib import Path
folder = Path({folder!r})
verb, message = sys.argv[1], sys.stdin.read()
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[1:], message]) + "\\n")
path = folder / "logins.json"
logins = json.loads(path.read_text()) if path.exists() else {{}}
{behaviour}
if verb == "store":
    login = json.loads(message)
    logins[login["ServerURL"]] = login
    path.write_text(json.dumps(logins))
elif verb == "get":
    if message not in logins:
        print("credentials not found in native keychain")
        sys.exit(1)
    print(json.dumps(logins[message]))
elif verb == "erase":
    logins.pop(message, None)
    path.write_text(json.dumps(logins))
"""


class FakeHelper:
    """``docker-credential-<name>`` in ``folder``, which belongs on PATH."""

    def __init__(self, folder: Path, name: str = "fake", behaviour: str = "") -> None:
        self.folder, self.name = folder, name
        folder.mkdir(exist_ok=True)
        program = folder / f"docker-credential-{name}"
        program.write_text(_SCRIPT.format(python=sys.executable, folder=str(folder), behaviour=behaviour))
        program.chmod(0o755)

    @property
    def logins(self) -> dict[str, dict[str, str]]:
        path = self.folder / "logins.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def calls(self) -> list[tuple[list[str], str]]:
        path = self.folder / "calls"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
