"""The files of a work tree that differ from a git revision."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from unhub.formats._format import is_candidate
from unhub.image.errors import UsageError
from unhub.migrate.walk import shown


def changed_since(revision: str, base: Path, paths: Sequence[str]) -> list[str]:
    """Files below ``paths`` that differ from ``revision`` or that git does not track yet, as paths to show.

    Raises :class:`UsageError` outside a git work tree and for an unknown revision.
    """
    top = _git(base, "rev-parse", "--show-toplevel", says="--changed-since needs a git work tree").removesuffix(b"\n")
    commit = _git(base, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", says=f"git knows no revision {revision!r}")
    names = _git(base, "diff", "--name-only", "-z", "--no-renames", "--diff-filter=d", os.fsdecode(commit).strip(), "--")
    names += _git(Path(os.fsdecode(top)), "ls-files", "-z", "--others", "--exclude-standard")
    root = os.fsdecode(top)
    tops = [os.path.realpath(base / path) for path in paths]
    real = (os.path.join(root, name) for name in os.fsdecode(names).split("\0") if name)
    inside = {path for path in real if any(path == above or path.startswith(above.rstrip(os.sep) + os.sep) for above in tops)}
    real_base = os.path.realpath(base)
    chosen = (shown(path, Path(real_base)) for path in inside if os.path.isfile(path) and not os.path.islink(path))
    return sorted(path for path in chosen if is_candidate(path))


def _git(folder: Path, *arguments: str, says: str = "git failed") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"cannot ask git what changed: {error.strerror or error}") from None
    if done.returncode != 0:
        raise UsageError(f"cannot tell what changed: {says}")
    return done.stdout
