"""Where things lie on this machine: the journal, and the top that a diff's names are relative to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from unhub.migrate.journal import Journal, locate


def journal_for(base: Path) -> Journal:
    """The journal of work in ``base``: in its git directory, else in the user's state folder (XDG)."""
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or ""
    folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return Journal(locate(base, folder))


def diff_names(base: Path) -> Callable[[str], bytes]:
    """How a diff names the files: from the top of git's work tree, outside of one from ``base``.

    So ``git apply`` takes the diff in any folder of the work tree: it reads names of git
    diffs from the top (git-apply(1), and ``is_toplevel_relative`` in its source).
    """
    top = _top(base)
    real_base = os.path.realpath(base)

    def name(path: str) -> bytes:
        absolute = os.path.join(real_base, path)
        relative = os.path.relpath(absolute, top or real_base)
        outside = relative == os.pardir or relative.startswith(os.pardir + os.sep)
        return os.fsencode((absolute.lstrip(os.sep) if outside else relative).replace(os.sep, "/"))

    return name


def _top(base: Path) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(base), "rev-parse", "--show-toplevel"], capture_output=True, check=False)
    except OSError:
        return None
    return os.fsdecode(done.stdout.removesuffix(b"\n")) if done.returncode == 0 else None


def mirror_data() -> Path:
    """Where a mirror keeps everything unless told otherwise: ``$XDG_STATE_HOME/unhub/mirror``.

    A relative path in the variable counts as none (XDG Base Directory specification).
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "unhub" / "mirror"
