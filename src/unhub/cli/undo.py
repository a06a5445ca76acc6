"""``unhub undo``: put back what a run changed."""

from __future__ import annotations

from pathlib import Path

import click

from unhub.cli.output import printable, say, write
from unhub.cli.places import journal_for
from unhub.image.errors import UsageError
from unhub.migrate.journal import Journal
from unhub.migrate.undo import undo


@click.command("undo", short_help="Put back what a run of migrate --write changed.")
@click.option("--list", "only_list", is_flag=True, help="Show the runs, and change nothing.")
@click.option("--run", "run_id", metavar="ID", help="Undo this run in place of the last one.")
@click.option("--force", is_flag=True, help="Restore files that changed since, too; those changes are lost.")
def command(only_list: bool, run_id: str | None, force: bool) -> int:
    """Put every file of the last run of `unhub migrate --write` back, byte for byte: all files or none.

    Runs are kept for the repository (in its git directory), outside of one for the folder they were made in.
    """
    journal = journal_for(Path.cwd())
    if only_list:
        if run_id or force:
            raise UsageError("cannot use --list together with --run or --force")
        _list(journal)
        return 0
    run = undo(journal, run_id, force=force)
    say(f"run {run.id} is undone; files put back:")
    for path in run.files:
        write(f"{printable(path)}\n")
    return 0


def _list(journal: Journal) -> None:
    runs = journal.runs()
    for run in runs:
        files = f"{len(run.files)} file{'' if len(run.files) == 1 else 's'}"
        write(f"{run.id}  {run.time}  {run.state}  {files}\n")
    if not runs:
        say("no run is on record here")
