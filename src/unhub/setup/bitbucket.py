"""Bitbucket Pipelines: ``oidc: true``, the role, and the login in front of the first use in a step's script.

Syntax: support.atlassian.com, "Bitbucket Pipelines configuration reference" and "Deploy on AWS using OpenID Connect" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._choice import choose
from unhub.formats._yaml.parse import Document, Mapping, Node, Sequence
from unhub.image.errors import RefusedError
from unhub.image.source import Source
from unhub.setup.commands import Does
from unhub.setup.events import Story
from unhub.setup.file import CiFile
from unhub.setup.login_line import token_lines
from unhub.setup.outcome import FileSetup, Status, System, Wishes
from unhub.setup.script_list import Step, remove_login, steps_of, tell

_HAS_CREDENTIALS = re.compile(rb"AWS_WEB_IDENTITY_TOKEN_FILE|assume-role|AWS_ACCESS_KEY_ID|AWS_PROFILE")
_TOKEN = "BITBUCKET_STEP_OIDC_TOKEN"  # noqa: S105 - the name of a variable
_BEHIND_OIDC = ("services", "caches", "max-time", "size", "script", "after-script", "artifacts")


def recognise(source: Source) -> bool:
    """Whether a file holds pipelines of Bitbucket."""
    entry = choose(source)
    return entry is not None and entry.format.name == "bitbucket"


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The token, the role and the login for every step that uses images."""
    file = _Pipelines(source, wishes)
    return file.finish(file.set_up)


SYSTEM = System("bitbucket", "Bitbucket Pipelines", ("bitbucket",), recognise, set_up)


class _Pipelines(CiFile):
    """One file of pipelines."""

    def set_up(self) -> None:
        for document in self.documents:
            for step, where in _steps(document):
                self._step(document, step, where)

    def _step(self, document: Document, step: Mapping, where: str) -> None:
        place = step.text("name") or where
        steps = steps_of(document, step, "script")
        told = tell(self.source, steps)
        has_login = self.logins(told, place)
        use = told.first(Does.USE)
        if use is not None:
            self.result.status = Status.PRESENT
            if not has_login:
                self._insert(document, step, steps, told, place)
        self.hub_logins(told, place, lambda event: remove_login(self.editor, told, steps, event))

    def _insert(self, document: Document, step: Mapping, steps: list[Step], told: Story, place: str) -> None:
        use = steps[told.all(Does.USE)[0].at]
        lines = [self.line()]
        if use.sequence is None:
            self.by_hand(step, f"{place}: the script is no list of its own; log in there by hand: {self.line()}")
            return
        try:
            if not any(_HAS_CREDENTIALS.search(one.text.data) for one in steps):
                self._oidc(document, step)
                lines = [*token_lines(_TOKEN, "bitbucket-$BITBUCKET_BUILD_NUMBER", self.wishes.role), *lines]
        except RefusedError as error:
            self.by_hand(step, f"{place}: {error.message}; log in there by hand: {self.line()}")
            return
        for line in lines:
            self.editor.insert_item(use.sequence, use.number, line)
        if not told.all(Does.INSTALL):
            self.note(step, "aws-cli", "the image of the step has to have aws for the login")

    def _oidc(self, document: Document, step: Mapping) -> None:
        pair = self.own(step, "oidc", document)
        if pair is None:
            self.editor.insert_pair(step, "oidc", value=True, before=_BEHIND_OIDC)
        elif step.text("oidc") != "true":
            raise RefusedError(f"line {self.editor.line(pair.span.start)}: oidc is switched off")
        if self.wishes.role is None:
            self.note(
                step, "role", "the repository variable AWS_ROLE_ARN names the role, which has to trust the repository's OIDC provider"
            )


def _steps(document: Document) -> Iterator[tuple[Mapping, str]]:
    """Every mapping with a script of its own; what an alias repeats comes once, where it is written."""
    pending: list[tuple[Node, str]] = [(document.root, "")]
    while pending:
        node, where = pending.pop()
        below: list[tuple[Node, str]] = []
        if isinstance(node, Sequence):
            below = [(item, f"{where}[{number}]") for number, item in enumerate(node.items)]
        elif isinstance(node, Mapping):
            if node.get("script") is not None:
                yield node, where
            below = [(pair.value, f"{where}.{pair.name}".lstrip(".")) for pair in node.pairs if pair.name not in ("script", "after-script")]
        pending.extend(reversed(below))
