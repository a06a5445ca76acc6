"""GitLab CI: an ID token, the role, and the login in ``before_script`` or in front of the first use in ``script``.

Syntax: docs.gitlab.com, "CI/CD YAML syntax reference" and "Configure OpenID Connect in AWS" (2026-08). A job's ``before_script``
takes the place of the default one, so a job never gets one that would hide another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.data.iam import iam_knowledge
from unhub.formats._choice import choose
from unhub.formats._gitlab.jobs import NO_JOBS
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence
from unhub.image.errors import RefusedError
from unhub.image.source import Source
from unhub.setup.commands import Does
from unhub.setup.events import Story
from unhub.setup.file import CiFile
from unhub.setup.login_line import token_lines
from unhub.setup.outcome import FileSetup, Status, System, Wishes
from unhub.setup.script_list import Step, remove_login, steps_of, tell
from unhub.setup.yaml_text import Value

TOKEN = "AWS_ID_TOKEN"  # noqa: S105 - the name of a variable
_EXTENDS_MAX = 11
"""Levels of ``extends`` that GitLab follows (its reference, "extends")."""
_BEHIND_TOKENS = ("variables", "rules", "before_script", "script", "after_script")
_DOCKER_IMAGE = re.compile(r"(?:.*/)?docker(?::.*)?")
_HAS_CREDENTIALS = re.compile(rb"AWS_WEB_IDENTITY_TOKEN_FILE|assume-role|AWS_ACCESS_KEY_ID|AWS_PROFILE")
_KANIKO = re.compile(rb"/kaniko/executor")


def recognise(source: Source) -> bool:
    """Whether a file is a pipeline or a part of one."""
    entry = choose(source)
    return entry is not None and entry.format.name == "gitlab-ci"


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The ID token, the role and the login for every job that uses images."""
    file = _Pipeline(source, wishes)
    return file.finish(file.set_up)


SYSTEM = System("gitlab-ci", "GitLab CI", ("gitlab-ci",), recognise, set_up)


class _Pipeline(CiFile):
    """One file of a pipeline."""

    def set_up(self) -> None:
        for document in self.documents:
            root = document.mapping(document.root)
            if root is not None and root.get("spec") is None:
                _Jobs(self, document, root).set_up()


class _Jobs:
    """The jobs of one document, hidden ones and the defaults included."""

    def __init__(self, file: CiFile, document: Document, root: Mapping) -> None:
        self.file = file
        self.document = document
        self.root = root
        self.default = document.mapping(root.get("default"))

    def set_up(self) -> None:
        for name, holder in (("", self.root), ("default", self.default)):
            if holder is not None:
                self._entry(name, holder)
        for pair in self.root.pairs:
            job = self.document.mapping(pair.value)
            if job is not None and pair.name not in NO_JOBS and isinstance(pair.value, Mapping):
                self._entry(pair.name or "", job)

    def _entry(self, name: str, entry: Mapping) -> None:
        """Put the login into a job, where something that the job itself lists uses images."""
        steps = self._steps(name, entry)
        told = tell(self.file.source, steps)
        own = {n for n, step in enumerate(steps) if step.owner is entry}
        place = name or "before_script"
        if any(_KANIKO.search(step.text.data) for step in steps if step.owner is entry):
            self.file.note(
                entry, "kaniko", f'{place}: kaniko logs in by {{"credHelpers": {{"public.ecr.aws": "ecr-login"}}}} in its config.json'
            )
        has_login = self.file.logins(_only(told, own), place) if told.first(Does.LOGIN) is None else self.file.logins(told, place)
        use = next((event for event in told.all(Does.USE)), None)
        if use is not None and use.at in own and not has_login:
            self.file.result.status = Status.PRESENT
            self._insert(name, entry, steps, told, steps[use.at])
        elif use is not None and has_login:
            self.file.result.status = Status.PRESENT
        self.file.hub_logins(_only(told, own), place, lambda event: remove_login(self.file.editor, told, steps, event))

    def _steps(self, name: str, entry: Mapping) -> list[Step]:
        """What the shell of a job runs: its ``before_script`` or the one it inherits, then its ``script``."""
        found: list[Step] = []
        for key in ("before_script", "script"):
            holder = self._holder(name, entry, key)
            if holder is not None:
                found += steps_of(self.document, holder, key, self._target)
        return found

    def _holder(self, name: str, entry: Mapping, key: str) -> Mapping | None:
        """The mapping whose ``key`` counts for a job: its own, one it extends, the defaults, the top level."""
        for holder in self._extended(entry):
            if holder.get(key) is not None:
                return holder
        if key == "before_script" and name and name != "default" and not self._refuses_defaults(entry):
            return next((holder for holder in (self.default, self.root) if holder is not None and holder.get(key) is not None), None)
        return None

    def _extended(self, entry: Mapping, level: int = 0) -> Iterator[Mapping]:
        """A job and what it extends in this file, the nearest first."""
        yield entry
        names = self.document.resolve(entry.get("extends"))
        several = [item.text for item in names.items if isinstance(item, Scalar)] if isinstance(names, Sequence) else []
        for name in [names.text] if isinstance(names, Scalar) else reversed(several):
            found = self.document.mapping(self.root.get(name))
            if found is not None and level < _EXTENDS_MAX:
                yield from self._extended(found, level + 1)

    def _refuses_defaults(self, entry: Mapping) -> bool:
        inherit = self.document.mapping(entry.get("inherit"))
        return inherit is not None and inherit.text("default") == "false"

    def _target(self, reference: Sequence) -> Node | None:
        """What ``!reference [.job, key]`` names in this file."""
        found: Node | None = self.document.root
        for item in reference.items:
            mapping = self.document.mapping(found)
            found = mapping.get(item.text) if mapping and isinstance(item, Scalar) else None
        return found

    # the login

    def _insert(self, name: str, entry: Mapping, steps: list[Step], told: Story, use: Step) -> None:
        try:
            place = self._place(name, entry, steps, use)
            lines, needs_token = self._lines(name, entry, steps, told)
            if needs_token:
                self._token(name, entry)
        except RefusedError as error:
            self.file.by_hand(entry, f"{name}: {error.message}; log in there by hand: {self.file.line()}")
            return
        if place is None:
            commands: list[Value] = list(lines)
            self.file.editor.insert_pair(entry, "before_script", commands, before=("script", "after_script"))
            return
        sequence, index = place
        for line in lines:
            self.file.editor.insert_item(sequence, index, line)

    def _place(self, name: str, entry: Mapping, steps: list[Step], use: Step) -> tuple[Sequence, int] | None:
        """The list and number for the login; ``None`` for a ``before_script`` that is to be made."""
        before = self.file.own(entry, "before_script", self.document)
        own = next((step for step in steps if step.owner is entry and step.key == "before_script"), None)
        if before is not None and own is not None and own.sequence is not None:
            return own.sequence, len(own.sequence.items) if use.key == "script" else use.number
        if before is None and self._may_create(name, entry):
            return None
        if use.key == "script" and use.sequence is not None:
            return use.sequence, use.number
        raise RefusedError(f"line {self.file.editor.line(use.node.span.start)}: {use.key} is no list of its own")

    def _may_create(self, name: str, entry: Mapping) -> bool:
        """Whether a ``before_script`` of the job's own would hide none from elsewhere."""
        if self._holder(name, entry, "before_script") is not None or name in ("", "default"):
            return False
        known = {pair.name for pair in self.root.pairs}
        names = self.document.resolve(entry.get("extends"))
        extended = [names] if isinstance(names, Scalar) else list(names.items) if isinstance(names, Sequence) else []
        elsewhere = [item for item in extended if not isinstance(item, Scalar) or item.text not in known]
        return self.root.get("include") is None and not elsewhere and not name.startswith(".") and self.file.source.name == ".gitlab-ci.yml"

    def _lines(self, name: str, entry: Mapping, steps: list[Step], told: Story) -> tuple[list[str], bool]:
        """The commands to insert, and whether they need the ID token."""
        lines: list[str] = []
        if self._runs_in_docker_image(entry) and told.first(Does.INSTALL) is None:
            lines.append("apk add --no-cache aws-cli")
        needs_token = not self._has_credentials(entry, steps)
        if needs_token:
            role = self.file.wishes.role
            lines += token_lines(TOKEN, "gitlab-$CI_JOB_ID", role)
            if not role:
                text = "the CI/CD variable AWS_ROLE_ARN names the role; `unhub iam-policy --trust` writes its trust"
                self.file.note(entry, "role", text)
        return [*lines, self.file.line()], needs_token

    def _runs_in_docker_image(self, entry: Mapping) -> bool:
        """Whether a job runs in docker's own image, which has no ``aws``."""
        for holder in (*self._extended(entry), *(one for one in (self.default, self.root) if one)):
            image = holder.get("image")
            if image is not None:
                mapping = self.document.mapping(image)
                text = (mapping.text("name") if mapping else None) or getattr(self.document.scalar(image), "text", "")
                return _DOCKER_IMAGE.fullmatch(text) is not None
        return False

    def _has_credentials(self, entry: Mapping, steps: list[Step]) -> bool:
        if any(_HAS_CREDENTIALS.search(step.text.data) for step in steps):
            return True
        for holder in (*self._extended(entry), self.root):
            variables = self.document.mapping(holder.get("variables"))
            if variables is not None and any(_HAS_CREDENTIALS.fullmatch((pair.name or "").encode()) for pair in variables.pairs):
                return True
        return False

    def _token(self, name: str, entry: Mapping) -> None:
        """The ID token, beside others that are there; the defaults have theirs under ``default``."""
        audience = next(provider.audience for provider in iam_knowledge().provider if provider.name == "gitlab")
        token: Value = {"aud": audience}
        holder = entry
        if entry is self.root:
            if self.default is None:
                self.file.editor.insert_pair(self.root, "default", {"id_tokens": {TOKEN: token}}, before=("before_script", "variables"))
                return
            holder = self.default
        inherited = next((one for one in self._tokens(name, holder) if self.document.mapping(one)), None)
        mapping = self.document.mapping(inherited)
        if mapping is not None and inherited is not mapping:
            raise RefusedError(f"line {self.file.editor.line(holder.span.start)}: id_tokens is an alias, whose value others may use")
        if mapping is None:
            self.file.editor.insert_pair(holder, "id_tokens", {TOKEN: token}, before=_BEHIND_TOKENS)
        elif mapping.get(TOKEN) is None and not self.file.editor.inserts_into(mapping):
            self.file.editor.insert_pair(mapping, TOKEN, token)

    def _tokens(self, name: str, holder: Mapping) -> Iterator[Node]:
        """The ``id_tokens`` that a job has: its own, else the default ones, whose place its own would take."""
        found = holder.get("id_tokens")
        if found is not None:
            yield found
        default = self.default.get("id_tokens") if self.default and not self._refuses_defaults(holder) else None
        if found is None and default is not None and name:
            yield default


def _only(told: Story, numbers: set[int]) -> Story:
    """The events of some steps."""
    return Story(tuple(event for event in told.events if event.at in numbers))
