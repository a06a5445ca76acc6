"""Logins to ECR Public that are there already: whether they can work, and how a wrong region is mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unhub.formats._shell.scan import scan
from unhub.formats._shell.tree import Word
from unhub.formats._text import Mapped
from unhub.formats._yaml.parse import Scalar
from unhub.image.found import Span
from unhub.setup.commands import Act, Does
from unhub.setup.login_line import REGIONS
from unhub.setup.yaml_insertion import Editor


@dataclass(frozen=True, slots=True)
class Judged:
    """The logins among what a CI's scripts do, and the calls of ``aws`` whose region is missing or wrong."""

    logins: tuple[Act, ...]
    wrong: tuple[Act, ...]


def judge(acts: Sequence[Act]) -> Judged:
    """The logins, and what is wrong with how they get the password."""
    logins = tuple(act for act in acts if act.does is Does.LOGIN)
    wrong = tuple(act for act in acts if act.does is Does.PASSWORD and not act.region_is_right)
    return Judged(logins, wrong)


def repair_texts(editor: Editor, scalar: Scalar, acts: Sequence[Act], region: str) -> bool:
    """Give every ``get-login-password`` of a command without a right region the right one; whether anything was done."""
    if not any(act.does is Does.PASSWORD and not act.region_is_right for act in acts):
        return False
    repairs = region_repairs(scalar.mapped, region)
    if repairs:
        editor.replace_texts(scalar, repairs)
    return bool(repairs)


def region_repairs(text: Mapped, region: str) -> list[tuple[Span, str]]:
    """What to write where, so that the region of each call is right; spans count in the text."""
    found: list[tuple[Span, str]] = []
    for command in scan(text.data).commands:
        names = [word.text for word in command.words]
        if "ecr-public" in names and "get-login-password" in names:
            verb = command.words[names.index("get-login-password")]
            repair = _repair(command.words, verb, region)
            if repair is not None:
                found.append(repair)
    return sorted(found)


def _repair(words: Sequence[Word], verb: Word, region: str) -> tuple[Span, str] | None:
    for number, word in enumerate(words):
        text = word.text
        if text == "--region" and number + 1 < len(words):
            value = words[number + 1]
            return None if value.text in REGIONS else (value.span, region)
        if (text or "").startswith("--region="):
            return None if (text or "")[9:] in REGIONS else (word.span, f"--region={region}")
    return Span(verb.span.end, verb.span.end), f" --region {region}"


def named(act: Act) -> str:
    """A command for people: its first words, and the file it stands in where that is another one."""
    return f"{act.path}: {act.shown}" if act.path else act.shown


def region_problem(act: Act) -> str:
    """What is wrong with the region of a login."""
    known = {None: "the login names no region, so the default of the environment decides", "": "the region of the login is not known here"}
    what = known.get(act.region, f"the login goes through {act.region}")
    return f"{what}; ECR Public's API is in {' and '.join(REGIONS)} only"
