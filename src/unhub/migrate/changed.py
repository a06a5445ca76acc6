"""The files of a work tree that differ from a git revision."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from unhub.image.errors import UsageError
from unhub.migrate.walk import shown


def changed_since(revision: str, base: Path) -> frozenset[str]:
    """Files that differ from ``revision`` or that git does not track yet, as paths to show.

    Raises :class:`UsageError` outside a git work tree and for an unknown revision.
    """
    top = Path(os.fsdecode(_git(base, "rev-parse", "--show-toplevel", fails="this is no git work tree").removesuffix(b"\n")))
    question = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = os.fsdecode(_git(base, *question, fails=f"git knows no revision {revision!r}")).strip()
    names = _git(top, "diff", "--name-only", "-z", "--no-renames", "--diff-filter=d", commit, "--")
    names += _git(top, "ls-files", "-z", "--others", "--exclude-standard")
    # git answers with the real path of its top; the base may have been reached through a link
    real_base = Path(os.path.realpath(base))
    return frozenset(shown(top / name, real_base) for name in os.fsdecode(names).split("\0") if name)


def _git(folder: Path, *arguments: str, fails: str = "git failed") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"cannot tell what changed: {error.strerror or error}") from None
    if done.returncode != 0:
        raise UsageError(f"cannot tell what changed: {fails}")
    return done.stdout
