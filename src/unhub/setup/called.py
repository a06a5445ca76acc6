"""What the scripts, make targets and package scripts do that a CI's commands call in the same tree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from msgspec import structs

from unhub.formats._make.lines import Kind, lines
from unhub.formats._make.text import as_shell_text
from unhub.formats._shell.inner import SHELLS, base_name
from unhub.formats._shell.tree import Assignment
from unhub.formats._text import Mapped, encode
from unhub.image.errors import UnreadableError
from unhub.image.source import Source
from unhub.setup.commands import Act, Does, acts

_DEPTH_MAX = 4
"""How many calls from file to file are followed."""
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_PACKAGE_TOOLS = frozenset({"npm", "yarn", "pnpm"})
_PACKAGE_COMMANDS = frozenset({"ci", "install", "i", "add", "publish", "pack", "audit", "cache", "config", "version", "exec", "dlx"})
_CHANGES_FOLDER = re.compile(rb"(?:^|[;&|\s(])cd[ \t]+[\"']?(?:\$\{?CODEBUILD_SRC_DIR\}?/)?([\w./-]+)", re.MULTILINE)


def all_acts(source: Source, texts: Sequence[Mapped], environment: Sequence[Assignment] = ()) -> list[Act]:
    """What the texts do, what they call in the tree included; that stands where it is called, and is shown with its file."""
    folders = ["", *dict.fromkeys(match.decode("ascii").strip("/") for text in texts for match in _CHANGES_FOLDER.findall(text.data))]
    return list(_followed(source, acts(source, texts, environment), folders, frozenset()))


def _followed(source: Source, found: Sequence[Act], folders: Sequence[str], seen: frozenset[str]) -> Iterator[Act]:
    for act in found:
        if act.does is not Does.CALL:
            yield act
            continue
        key = " ".join(word or "?" for word in act.words)
        if key in seen or len(seen) >= _DEPTH_MAX:
            continue
        for called, texts in _called(source, act.words, folders):
            inner = _inner(called, texts)
            for deeper in _followed(called, inner, folders, seen | {key}):
                yield replace(deeper, text=act.text, span=act.span, path=deeper.path or called.path)


def _inner(called: Source, texts: Sequence[Mapped]) -> list[Act]:
    try:
        return acts(called, texts)
    except UnreadableError:
        return []


def _called(source: Source, words: Sequence[str | None], folders: Sequence[str]) -> Iterator[tuple[Source, list[Mapped]]]:
    """The files that a command runs, each with the texts of it that are run."""
    name = base_name(words[0])
    if name in ("make", "gmake"):
        yield from _make(source, words[1:], folders)
    elif name in _PACKAGE_TOOLS:
        yield from _package(source, [word for word in words[1:] if word and not word.startswith("-")], folders)
    else:
        runs_file = name in SHELLS or name in (".", "source")
        script = next((word for word in words[1:] if word and not word.startswith("-")), None) if runs_file else words[0]
        found = _read(source, folders, script) if script else None
        if found is not None:
            yield found, [Mapped.plain(found.data, found.body_start, len(found.data))]


def _read(source: Source, folders: Sequence[str], name: str) -> Source | None:
    """A file of the tree by the name that a command has for it."""
    name = re.sub(r"^(?:\$\{?CODEBUILD_SRC_DIR\}?/)?(?:\./)*", "", name)
    if name.startswith(("/", "~")) or "$" in name:
        return None
    for folder in folders:
        path = Source(f"{folder}/x" if folder else "x", b"").beside(name)
        data = source.read(path)
        if data is not None:
            return structs.replace(source, path=path, data=data)
    return None


def _make(source: Source, words: Sequence[str | None], folders: Sequence[str]) -> Iterator[tuple[Source, list[Mapped]]]:
    folder, names, targets = "", list(_MAKEFILES), list[str]()
    rest = iter(words)
    for word in rest:
        if word in ("-C", "--directory"):
            folder = (next(rest, None) or "").strip("/") + "/"
        elif word in ("-f", "--file", "--makefile"):
            names = [next(rest, None) or ""]
        elif word and not word.startswith("-") and "=" not in word:
            targets.append(word)
    found = next((read for name in names if name and (read := _read(source, folders, folder + name))), None)
    if found is not None:
        yield found, _recipes(found.data, targets)


def _recipes(data: bytes, targets: Sequence[str]) -> list[Mapped]:
    """The recipe lines of targets and of what they need first; of the first target where none is named."""
    needs: dict[str, list[str]] = {}
    recipes: dict[str, list[Mapped]] = {}
    for line in lines(data):
        for name in line.name.split():
            if line.kind is Kind.RULE:
                needs.setdefault(name, []).extend(_prerequisites(data[line.span.start : line.span.end]))
            elif line.kind is Kind.RECIPE:
                recipes.setdefault(name, []).append(as_shell_text(data, line.span.start, line.span.end))
    waiting = list(targets) or [name for name in needs if not name.startswith(".")][:1]
    order: list[str] = []
    while waiting:
        name = waiting.pop()
        if name not in order:
            order.append(name)
            waiting += needs.get(name, [])
    return [text for name in reversed(order) for text in recipes.get(name, [])]


def _prerequisites(rule: bytes) -> list[str]:
    return rule.decode("utf-8", "replace").partition(":")[2].lstrip(":").replace("|", " ").split()


def _package(source: Source, words: Sequence[str], folders: Sequence[str]) -> Iterator[tuple[Source, list[Mapped]]]:
    """``npm run NAME`` and its like: the script of that name in ``package.json``, with the ones around it."""
    names = words[1:2] if words[:1] in (["run"], ["run-script"]) else [word for word in words[:1] if word not in _PACKAGE_COMMANDS]
    found = _read(source, folders, "package.json") if names else None
    if found is None:
        return
    try:
        package = cast(object, json.loads(found.data))
    except ValueError:
        return
    scripts = cast("dict[str, object]", package).get("scripts") if isinstance(package, dict) else None
    known = cast("dict[str, object]", scripts) if isinstance(scripts, dict) else {}
    texts = [text for name in (f"pre{names[0]}", names[0], f"post{names[0]}") if isinstance(text := known.get(name), str)]
    if texts:
        data = encode("\n".join(texts))
        yield structs.replace(found, data=data), [Mapped.plain(data, 0, len(data))]
