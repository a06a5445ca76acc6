"""Docker Compose itself as the second opinion on interpolation and on .env files."""

from __future__ import annotations

import json
from pathlib import Path

from tests.tools import run, tool
from unhub.formats._compose.values import Values
from unhub.formats._yaml.parse import Mapping, Scalar, parse
from unhub.image.source import Source

TEMPLATES = (
    "${FOO}", "$FOO/x", "$FOO-x", "ok${missing:-def}", "ok${BAR:-def}", "ok${BAR-def}", "${missing:-/non:-alphanumeric}",
    "${missing:-${FOO:-def}}", "${missing:-${BAR:-def}}", "${missing:-a${BAR:-b}c}", "${missing:-a{b}c}", "ok${FOO:+yes}",
    "ok${FOO+yes$FOO}", "ok${BAR:+yes}", "ok${BAR+yes}", "ok${FOO:?err}", "ok${BAR?err}", "$$FOO", "$${FOO}", "$$$FOO",
    "${missing:-it-${FOO}}", "a${FOO:-x}b${BAR:-y}", "${missing:-a:+b}", "${missing:-a?b}", "${FOO:+a:-b}",
)  # fmt: skip

DOTENV = rb"""# a comment
FOO=first
BAR=
A1=node:20
A2 = node:20
  export A3=node:20 # why
A4: node:20
A5='node:20' # why
A6="node:20"
A7='it # stays'
A8='two
lines'
A9="tab\tquote\"end"
B1=a#b
B2=#b
B3=  x#y #z
B4=''
B5=one
B5=two
B6=${A1}-x
B7='${A1}'
B8="${A1}"
B9="\${A1}"
C1=$$A1
C2=${nope:-def}
C3="a\\nb"
C4=a b c
C5=a\nb
C6=a "b" c
C7='it\'s'
C8=x'y
C9='a\nb'
"""


def ours(labels: dict[str, str], dotenv: bytes) -> dict[str, str | None]:
    """Each text in a file of its own: a file's values are remembered by their place."""
    source = Source("compose.yaml", b"", read=lambda path: dotenv if path == ".env" else None)
    return {name: Values(source).text(_scalar(text)) for name, text in labels.items()}


def _scalar(text: str) -> Scalar:
    root = parse(json.dumps({"a": text}).encode())[0].root
    assert isinstance(root, Mapping)
    value = root.get("a")
    assert isinstance(value, Scalar)
    return value


def theirs(labels: dict[str, str], dotenv: bytes, folder: Path) -> dict[str, str]:
    (folder / ".env").write_bytes(dotenv)
    (folder / "compose.json").write_text(json.dumps({"services": {"web": {"image": "x", "labels": labels}}}))
    output = run([tool("docker-compose"), "-f", "compose.json", "config", "--format", "json"], folder)
    # what Compose prints is a Compose file again, so its dollars are doubled
    return {name: text.replace("$$", "$") for name, text in json.loads(output)["services"]["web"]["labels"].items()}


def test_interpolation_gives_what_compose_gives(tmp_path: Path) -> None:
    labels = {f"l{number}": text for number, text in enumerate(TEMPLATES)}
    assert ours(labels, DOTENV) == theirs(labels, DOTENV, tmp_path)


def test_a_dotenv_file_says_what_compose_reads_in_it(tmp_path: Path) -> None:
    labels = {f"l{name}": f"[${{{name}}}]" for name in (f"{letter}{number}" for letter in "ABC" for number in range(1, 10))}
    assert ours(labels, DOTENV) == theirs(labels, DOTENV, tmp_path)
