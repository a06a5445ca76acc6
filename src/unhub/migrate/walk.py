"""Which files of a tree to look at: what git does not ignore, no link twice, nothing silently lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from unhub.formats._choice import is_candidate, needs_interpreter
from unhub.image.source import BYTE_ORDER_MARK
from unhub.migrate.look import SkippedFile


class Walk(Struct):
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


class _Folder(Struct, frozen=True):
    """A folder still to be listed: where it is, how it is shown, what git ignores in the work tree it lies in."""

    path: str
    shown: str
    ignored: frozenset[str]
    is_top: bool = False


def _walk_folder(top: Path, base: Path, result: Walk, use_gitignore: bool) -> None:
    name = shown(top, base)
    ignored = _ignored_by_git(top) if use_gitignore else frozenset[str]()
    stack = [_Folder(os.path.abspath(top), "" if name == "." else name.rstrip("/") + "/", ignored, is_top=True)]
    while stack:
        folder = stack.pop()
        entries = _entries(folder, result)
        nested = use_gitignore and not folder.is_top and any(entry.name == ".git" for entry in entries)
        ignored = _ignored_by_git(Path(folder.path)) if nested else folder.ignored
        for entry in entries:
            path = folder.shown + (entry.name if os.sep == "/" else entry.name.replace(os.sep, "/"))
            if ignored and entry.path in ignored:
                result.ignored += 1
            elif entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    stack.append(_Folder(entry.path, path + "/", ignored))
            elif is_candidate(path):
                _note_file(entry, path, result)


def _note_file(entry: os.DirEntry[str], path: str, result: Walk) -> None:
    if needs_interpreter(path) and not (entry.is_file(follow_symlinks=False) and _names_interpreter(entry.path)):
        return
    if entry.is_file(follow_symlinks=False):
        result.files.append(path)
    elif not entry.is_symlink():
        result.skipped.append(SkippedFile(path, "is not a regular file"))
    elif os.path.isfile(entry.path):
        result.skipped.append(SkippedFile(path, "is a symbolic link; its target is looked at where it lies", unreadable=False))


def _names_interpreter(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(5).removeprefix(BYTE_ORDER_MARK).startswith(b"#!")
    except OSError:
        return False


def _entries(folder: _Folder, result: Walk) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder.path) as entries:
            return list(entries)
    except OSError as error:
        result.skipped.append(SkippedFile(folder.shown.rstrip("/") or ".", f"cannot be listed: {error.strerror or error}"))
        return []


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
