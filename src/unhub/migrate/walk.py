"""Which files of a tree to look at: what git does not ignore, no link twice, nothing silently lost."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unhub.formats._format import is_candidate
from unhub.migrate.look import SkippedFile


@dataclass(slots=True)
class Walk:
    """The files to look at, as paths to show, with what was left out on the way."""

    files: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    ignored: int = 0


def shown(path: Path | str, base: Path) -> str:
    """A path as findings show it: with ``/``, relative to ``base`` where it lies below, else absolute."""
    absolute = os.path.abspath(os.path.join(base, path))
    relative = os.path.relpath(absolute, base)
    chosen = absolute if relative == os.pardir or relative.startswith(os.pardir + os.sep) else relative
    return chosen.replace(os.sep, "/")


def walk(paths: Sequence[str], base: Path, *, use_gitignore: bool = True) -> Walk:
    """Walk files and folders named by ``paths`` (relative to ``base``).

    Inside a git work tree git itself says what it ignores; such files are counted.
    Symbolic links are followed only where the user names them. A file named by the user
    is looked at whatever its name.
    """
    result = Walk()
    for path in paths:
        absolute = base / path
        if absolute.is_dir():
            _walk_folder(absolute, base, result, use_gitignore)
        elif absolute.is_file():
            result.files.append(shown(absolute, base))
        else:
            why = "is not a regular file" if absolute.exists() or absolute.is_symlink() else "there is no such file or folder"
            result.skipped.append(SkippedFile(shown(absolute, base), why))
    result.files = sorted(set(result.files))
    return result


def _walk_folder(top: Path, base: Path, result: Walk, use_gitignore: bool) -> None:
    ignored = _ignored_by_git(top) if use_gitignore else frozenset[str]()
    stack: list[tuple[str, frozenset[str]]] = [(os.path.abspath(top), ignored)]
    while stack:
        folder, ignored = stack.pop()
        for entry in _entries(folder, base, result):
            if entry.path in ignored:
                result.ignored += 1
            elif entry.is_symlink():
                if is_candidate(entry.path.replace(os.sep, "/")) and os.path.isfile(entry.path):
                    result.skipped.append(SkippedFile(shown(entry.path, base), "is a symbolic link; its target is looked at where it lies"))
            elif entry.is_dir(follow_symlinks=False):
                if entry.name == ".git":
                    continue
                nested = use_gitignore and os.path.exists(os.path.join(entry.path, ".git"))
                stack.append((entry.path, _ignored_by_git(Path(entry.path)) if nested else ignored))
            elif is_candidate(entry.path.replace(os.sep, "/")):
                if stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                    result.files.append(shown(entry.path, base))
                else:
                    result.skipped.append(SkippedFile(shown(entry.path, base), "is not a regular file"))


def _entries(folder: str, base: Path, result: Walk) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from list(entries)
    except OSError as error:
        result.skipped.append(SkippedFile(shown(folder, base), f"cannot be listed: {error.strerror or error}"))


def _ignored_by_git(folder: Path) -> frozenset[str]:
    """Absolute paths that git ignores below ``folder``: files, and folders as a whole."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return frozenset()
    if done.returncode != 0:
        return frozenset()
    names = os.fsdecode(done.stdout).split("\0")
    root = os.path.abspath(folder)
    return frozenset(os.path.join(root, name.rstrip("/")) for name in names if name)
