"""Write docs/reference/commands.md from the commands themselves; with ``--check`` only say whether it is current."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from scripts.written import write_or_check

from unhub.cli.group import COMMANDS, group

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
HEAD = """\
# Commands

<!-- Written by `python -m scripts.commands` from the commands; do not edit. -->

Every command has `--help`. A variable of the environment, where one is named, beats the settings file; an option beats
both. Every command ends with one of the [exit statuses](exit-status.md). Messages go to standard error, results to
standard output; `NO_COLOR` is honoured.
"""


def page() -> str:
    """The text of the page."""
    context = click.Context(group, info_name="unhub")
    parts = [HEAD]
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        parts += _section(command, click.Context(command, info_name=name, parent=context))
    return "".join(parts)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    """A command; of a group the commands below it, too."""
    yield _command(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _section(below, click.Context(below, info_name=name, parent=context))


def _command(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or "").replace("\b", "")
    options = [_option(option, context) for option in command.params if isinstance(option, click.Option)]
    table = "\n| option | meaning | variable |\n|---|---|---|\n" + "".join(options) if options else ""
    return f"\n## {context.command_path}\n\n```text\n{usage}\n```\n\n{_plain(text)}\n{table}"


def _plain(text: str) -> str:
    """Indented examples of a help text as code blocks, the rest as it is."""
    return "\n".join(f"    {line}" if line.startswith(("bash:", "zsh:", "fish:")) else line for line in text.splitlines())


def _option(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    kind = option.make_metavar(context) if not option.is_flag else ""
    help_text = re.sub(r"\[default: ([^\]]*)\]", r"(default: \1)", option.help or "").replace("|", "\\|")
    default = f" (default: {option.default})" if option.show_default and option.default else ""
    variable = f"`{option.envvar}`" if isinstance(option.envvar, str) else ""
    shown = f" `{kind}`" if kind else ""
    return f"| {names}{shown.replace('|', ', ')} | {help_text}{default} | {variable} |\n"


def main() -> int:
    """Write the page, or compare it with ``--check``."""
    return write_or_check(PAGE, page(), "commands")


if __name__ == "__main__":
    sys.exit(main())
