"""``unhub completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from unhub.cli.output import write
from unhub.image.errors import UsageError


@click.command("completion", short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script for SHELL.

    \b
    bash: add to ~/.bashrc     eval "$(unhub completion bash)"
    zsh:  add to ~/.zshrc      eval "$(unhub completion zsh)"
    fish: save as ~/.config/fish/completions/unhub.fish
    """
    from unhub.cli.group import group

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"cannot complete in {shell!r}")
    write(kind(group, {}, "unhub", "_UNHUB_COMPLETE").source() + "\n")
    return 0
