"""The commands: known by name and one line of help, each imported only when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, cast

import click

from unhub import __version__


class Lazy(NamedTuple):
    """Where a command lives, and its line in ``unhub --help``: so that the help imports no command."""

    module: str
    help: str


COMMANDS = {
    "scan": Lazy("unhub.cli.scan", "Show every image reference and what would become of it."),
    "migrate": Lazy("unhub.cli.migrate", "Show, check or write the move away from Docker Hub."),
    "undo": Lazy("unhub.cli.undo", "Put back what a run of migrate --write changed."),
    "verify": Lazy("unhub.cli.verify", "Prove that the target is the same image, before or after a move."),
    "login": Lazy("unhub.cli.login", "Log in to ECR Public, in the right region, where docker, podman and helm look."),
    "iam-policy": Lazy("unhub.cli.iam_policy", "Write the least IAM policy for ECR Public, or check one."),
    "setup": Lazy("unhub.cli.setup", "Insert the login into a CI's files."),
    "run-buildspec": Lazy("unhub.cli.run_buildspec", "Run a buildspec's commands here, as CodeBuild runs them."),
    "doctor": Lazy("unhub.cli.doctor", "Explain a failed build from its log, or check this machine."),
    "limits": Lazy("unhub.cli.limits", "Show the pull limits, what is left of them, and when they will be reached."),
    "facts": Lazy("unhub.cli.facts", "List every dated fact that decisions rest on, and how to override it."),
    "status": Lazy("unhub.cli.status", "Show a running mirror: cache, hit ratio, budget, flights, health of upstreams."),
    "cache": Lazy("unhub.cli.cache", "Warm, check, move, purge, block and pin what a mirror keeps."),
    "admin": Lazy("unhub.cli.admin", "Manage the accounts, users, roles, policies and keys of a mirror that speaks ECR Public."),
    "usage": Lazy("unhub.cli.usage", "Show what callers of a mirror pulled, what is left of their limits, and the cost."),
    "report": Lazy("unhub.cli.report", "Merge the scans of many repositories into one report."),
    "formats": Lazy("unhub.cli.formats", "List the kinds of files that are understood, and how far."),
    "renovate": Lazy("unhub.cli.renovate", "Write what Renovate needs to keep updating the moved images."),
    "client-config": Lazy("unhub.cli.client_config", "Write a client's settings for the mirror."),
    "serve": Lazy("unhub.cli.serve", "Run the mirror: a registry that keeps serving when Docker Hub says 429."),
    "certificate": Lazy("unhub.cli.certificate", "Make a certificate for the mirror, and tell how each client trusts it."),
    "demo-hub": Lazy("unhub.cli.demo_hub", "Run a stand-in for Docker Hub and ECR Public on this machine, for tests."),
    "completion": Lazy("unhub.cli.completion", "Print the script that completes commands in a shell."),
}
"""Every command, in the order of the help; each module exports ``command``."""


class LazyGroup(click.Group):
    """A group that knows its commands by name only, until one is called."""

    table: Mapping[str, Lazy] = COMMANDS
    """The commands, in the order of the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of :attr:`table`."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` where there is none of that name."""
        lazy = self.table.get(cmd_name)
        return cast(click.Command, import_module(lazy.module).command) if lazy else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to run; for a misspelt one say which may be meant."""
        if not ctx.resilient_parsing and args[0] not in self.table and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.table, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self.table.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="unhub %(version)s")
def group() -> None:
    """Leave Docker Hub: find every image reference of a source tree, and move it to ECR Public or any mirror.

    Start with `unhub scan`; `unhub migrate` then shows the diff, and `unhub migrate --write` applies it.
    """
