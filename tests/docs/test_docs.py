"""The documentation says what the code does: commands, options, keys, classes, statuses and examples exist."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from ruamel.yaml import YAML
from scripts import commands

from tests.tools import ROOT
from unhub.cli import main as entry
from unhub.cli.group import COMMANDS, group
from unhub.config.accounts import Account, Role, User
from unhub.config.parse import parse
from unhub.config.settings import CallerTerms, Data, Migrate, Position, Rule, Settings, Terms
from unhub.image import errors
from unhub.image.errors import UnhubError
from unhub.image.found import Class

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PLANNED = {"backup", "restore"}
"""Commands of later versions; a page may name one only where it says that it is not there yet."""

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def pages() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def blocks(page: Path, language: str) -> list[str]:
    found = FENCE.findall(page.read_text("utf-8"))
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, name, text in found if name == language]


def calls(page: Path) -> Iterator[list[str]]:
    """Every call of unhub in a page: in code blocks, and between backticks where it has a command."""
    text = page.read_text("utf-8")
    in_blocks = [
        line for language in ("console", "bash", "text", "yaml") for block in blocks(page, language) for line in block.splitlines()
    ]
    inline = re.findall(r"`(unhub [^`]+)`", FENCE.sub("", text))
    for line in [*in_blocks, *inline]:
        for match in re.finditer(r"(?:^|[\s(;])(unhub [a-z-][^#|>)`;…]*)", line):
            words = shlex.split(match[1].partition(" < ")[0].replace('"${', "").replace('"', ""))
            yield words[1:]


def options_of(command: click.Command, words: list[str] | None = None) -> set[str]:
    """The options of a command; of a group those of the command that ``words`` name below it, or of all of them."""
    own = {"--help", "-h", *(name for option in command.params for name in [*option.opts, *option.secondary_opts])}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context) if words is None else words[:1]:
            below = command.get_command(context, name)
            own |= options_of(below, words[1:] if words else None) if below is not None else set()
    return own


def _unknown_below(command: click.Command, words: list[str]) -> list[str]:
    """A group's command that does not exist; ``unhub cache [OPTIONS] COMMAND`` is its usage."""
    if not isinstance(command, click.Group) or len(words) < 2 or words[1].startswith(("-", "[")):
        return []
    return [] if command.get_command(click.Context(command), words[1]) else [" ".join(words)]


@pages()
def test_every_command_and_option_of_a_page_exists(page: Path) -> None:
    wrong: list[str] = []
    for words in calls(page):
        name = words[0]
        if name.startswith("-"):
            wrong += [word for word in words if word not in {"--version", "-V", "--help", "-h"}]
        elif name in COMMANDS:
            command = group.get_command(click.Context(group), name)
            assert command is not None
            wrong += _unknown_below(command, words)
            wrong += [
                " ".join(words) for word in words[1:] if word.startswith("-") and word != "-" and word not in options_of(command, words[1:])
            ]
        elif name not in PLANNED or page.name not in {"story.md"}:
            wrong.append(" ".join(words))
    assert wrong == []


@pages()
def test_every_long_option_that_a_page_names_belongs_to_some_command(page: Path) -> None:
    known = {name for command in COMMANDS for name in options_of(group.get_command(click.Context(group), command) or click.Command(""))}
    others = {
        "--network",
        "--build-arg",
        "--build-context",
        "--from",
        "--mount",
        "--platform",
        "--region",
        "--username",
        "--password-stdin",
        "--version",
        "--update-goldens",
        "--print",
        "--check",
        "--label-file",
        "--set",
        "--image",
        "--env-file",
    }
    named = set(re.findall(r"`(--[a-z][a-z-]+)[ `=]", page.read_text("utf-8")))
    assert named - known - others == set()


def test_every_command_has_its_section_and_every_page_is_current() -> None:
    assert commands.PAGE.read_text("utf-8") == commands.page(), "run: python -m scripts.commands"


def test_every_exit_status_is_told() -> None:
    text = (ROOT / "docs" / "reference" / "exit-status.md").read_text("utf-8")
    told = {int(status) for status in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, UnhubError)]
    used = {0, 1, entry.INTERRUPTED, entry.BROKEN_PIPE, *(kind.exit_status for kind in kinds)}
    assert told == used


def test_every_class_is_told() -> None:
    text = (ROOT / "docs" / "reference" / "classes.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) == {str(class_) for class_ in Class}


def test_every_setting_is_told_with_its_default() -> None:
    text = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    told = {name.strip(" `") for row in rows for name in row[1].split(",")}
    tables = (Migrate, Rule, Position, Data, Account, User, Role, Terms, CallerTerms)
    inner = {"rule", "user", "role", "anonymous", "account", "aws", "operations"}
    keys = {field.encode_name for table in tables for field in msgspec.structs.fields(table)} - inner
    assert told == keys
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(Migrate) if field.name != "rule"}
    for row in rows:
        for name in (name.strip(" `") for name in row[1].split(",")):
            if len(row) == 5 and name in defaults:
                default = list(defaults[name]) if isinstance(defaults[name], tuple) else defaults[name]
                assert tomllib.loads(f"x = {row[2].strip(' `')}")["x"] == default, name


def test_every_field_of_a_finding_is_told() -> None:
    page = ROOT / "docs" / "reference" / "json.md"
    (example,) = blocks(page, "json")
    told = {
        name
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert set(json.loads(example)["findings"][0]) == told


def test_the_example_of_the_json_is_what_scan_writes(tmp_path: Path) -> None:
    from tests.tools import unhub

    (tmp_path / "Dockerfile").write_text("FROM node:20\n")
    (example,) = blocks(ROOT / "docs" / "reference" / "json.md", "json")
    assert json.loads(unhub(tmp_path, "scan", "--format", "json", status=1)) == json.loads(example)


@pages()
def test_settings_in_the_pages_are_valid(page: Path) -> None:
    for block in blocks(page, "toml"):
        assert isinstance(parse(block, page.name), Settings)


@pages()
def test_yaml_in_the_pages_is_valid(page: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    for block in blocks(page, "yaml"):
        assert yaml.load(block) is not None


@pages()
def test_a_planned_command_is_named_only_where_the_page_says_so(page: Path) -> None:
    if page.name == "story.md":
        return
    for paragraph in page.read_text("utf-8").split("\n\n"):
        named = [name for name in PLANNED if f"`{name}`" in paragraph or f"`unhub {name}" in paragraph]
        if named:
            assert re.search(r"not there yet|planned|not do yet|exists", paragraph), f"{named} in {paragraph!r}"
