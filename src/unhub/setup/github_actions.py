"""GitHub Actions: an OIDC token, the role, and the login before the first step of a job that uses images.

Syntax: docs.github.com, "Workflow syntax for GitHub Actions" and "OpenID Connect in AWS" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._choice import candidates
from unhub.formats._github.expressions import EXPRESSION
from unhub.formats._github.workflow import repository_top
from unhub.formats._scripts import mask
from unhub.formats._yaml.parse import Alias, Document, Empty, Mapping, Node, Scalar, Sequence, parse
from unhub.image.errors import RefusedError, UnreadableError
from unhub.image.source import Source
from unhub.setup.commands import Does
from unhub.setup.events import Event, Story, of_foreign_script, of_script, story
from unhub.setup.file import CiFile
from unhub.setup.login_line import HOSTS
from unhub.setup.outcome import FileSetup, Status, System, Wishes
from unhub.setup.yaml_text import Value

CREDENTIALS = "aws-actions/configure-aws-credentials"
VERSION = "v4"
"""Major version of the credentials action that is written (its README, 2026-08)."""

_ROLE = "${{ vars.AWS_ROLE_ARN }}"
_USES = frozenset({
    "docker/build-push-action", "docker/bake-action", "addnab/docker-run-action", "shrink/actions-docker-extract", "devcontainers/ci",
    "helm/kind-action", "hoverkraft-tech/compose-action", "isbang/compose-action", "redhat-actions/buildah-build",
    "aquasecurity/trivy-action", "anchore/scan-action",
})  # fmt: skip
"""Actions that build or pull images (their README, 2026-08); ``docker/build-push-action`` stands for its workflows, too."""
_SHELLS = re.compile(r"\s*(?:/\S+/)?(?:ba|da|z|k)?sh(?:\s|$)")
_HUB = ("", "docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io")
_BEHIND_PERMISSIONS = ("needs", "environment", "concurrency", "outputs", "env", "defaults", "strategy", "container", "services", "uses",
                       "with", "secrets", "timeout-minutes", "continue-on-error", "steps")  # fmt: skip
_WORKFLOW_BEHIND = ("env", "defaults", "concurrency", "jobs")
_KEYS = ("AWS_ACCESS_KEY_ID",)
_CALLS_MAX = 4


def recognise(source: Source) -> bool:
    """Whether a file is a workflow, or an action whose steps may use docker."""
    names = [entry.name for entry in candidates(source.path)]
    if "github-actions" in names:
        return True
    return "github-action" in names and b"composite" in source.data and b"docker" in source.data


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The permission, the role and the login for every job of a workflow that uses images."""
    file = _Workflow(source, wishes)
    return file.finish(file.set_up)


SYSTEM = System("github-actions", "GitHub Actions", ("github-actions", "github-action"), recognise, set_up)


class _Workflow(CiFile):
    """One workflow."""

    def set_up(self) -> None:
        for document in self.documents:
            root = document.mapping(document.root)
            if root is None:
                continue
            runs = document.mapping(root.get("runs"))
            if runs is not None:
                self._composite(document, runs)
            jobs = document.mapping(root.get("jobs"))
            if jobs is not None:
                self._jobs(document, root, jobs)

    def _composite(self, document: Document, runs: Mapping) -> None:
        told = story(list(step_events(self.source, document, runs.get("steps"), "")))
        use = told.first(Does.USE)
        if use is not None and told.first(Does.LOGIN) is None:
            self.note(use.node, "composite", f"this action uses images ({use.shown}); the jobs that use it get the login")

    def _jobs(self, document: Document, root: Mapping, jobs: Mapping) -> None:
        shell = _default_shell(document, root)
        needing: list[tuple[str, Mapping]] = []
        for pair in jobs.pairs:
            job = document.mapping(pair.value)
            if job is None:
                continue
            if isinstance(pair.value, Alias):
                self.note(pair.value, "alias", f"jobs.{pair.name} is an alias; what it stands for is set up")
            elif self._job(document, pair.name or "", job, _default_shell(document, job) or shell, root):
                needing.append((pair.name or "", job))
        if needing:
            self._permissions(document, root, jobs, needing)
            if self.result.status is Status.NOT_NEEDED:
                self.result.status = Status.PRESENT
            self._say_about_callers(document, root)

    def _job(self, document: Document, name: str, job: Mapping, shell: str, root: Mapping) -> bool:
        """Put the login into a job; whether the job needs the permission to get an OIDC token."""
        called = (job.text("uses") or "").strip()
        if called:
            return needs_token(self.source, called)
        told = story(list(step_events(self.source, document, job.get("steps"), shell)))
        place = f"jobs.{name}"
        steps = job.get("steps")
        use = told.first(Does.USE)
        has_login = self.logins(told, place)
        self.hub_logins(told, place, lambda event: self.remove_step(steps, event, told))
        if use is None or has_login:
            if has_login:
                self.result.status = Status.PRESENT
            return False
        if not isinstance(steps, Sequence):
            raise RefusedError(f"line {self.editor.line(job.span.start)}: the steps of {place} are an alias, which others may use")
        self.result.status = Status.PRESENT
        return self._insert(document, job, steps, use, root)

    def _insert(self, document: Document, job: Mapping, steps: Sequence, use: Event, root: Mapping) -> bool:
        known = _credentials(document, steps, use.at)
        keys = any(_has_key(document, node) for node in (root, job))
        index = use.at
        if known is None and not keys:
            role: Value = {"role-to-assume": self.wishes.role or _ROLE, "aws-region": self.wishes.region}
            action = f"{CREDENTIALS}@{VERSION}"
            self.editor.insert_item(steps, index, {"name": "Get AWS credentials", "uses": action, "with": role})
            if self.wishes.role is None:
                self.note(
                    steps, "role", "the variable AWS_ROLE_ARN of the repository names the role; `unhub iam-policy --trust` writes its trust"
                )
        self.editor.insert_item(steps, index, {"name": "Log in to ECR Public", "run": self.line(), "shell": "bash"})
        if job.get("container") is not None:
            self.note(job.get("container"), "container", "the steps run in this container, which needs aws and docker for the login")
        if known is not None:
            return known
        return not keys

    # permissions

    def _permissions(self, document: Document, root: Mapping, jobs: Mapping, needing: list[tuple[str, Mapping]]) -> None:
        """``id-token: write`` for the jobs that need it, and nothing less than they had.

        Permissions of a job take the place of the workflow's, and whatever is not named there is ``none``.
        """
        general = self.own(root, "permissions", document)
        without = [job for _, job in needing if self.own(job, "permissions", document) is None]
        others = [pair for pair in jobs.pairs if (job := document.mapping(pair.value)) and job.get("permissions") is None]
        if general is not None and without and len(without) == len(others):
            self._grant(root, general.value, "the workflow")
            without = []
        for name, job in needing:
            own = self.own(job, "permissions", document)
            if own is not None:
                self._grant(job, own.value, f"jobs.{name}")
            elif job in without:
                self._grant_anew(document, name, job, general.value if general else None)

    def _grant(self, holder: Mapping, node: Node, place: str) -> None:
        """Add the permission to those that are there."""
        if isinstance(node, Scalar) and node.text.strip() == "write-all":
            return
        if isinstance(node, Mapping):
            if node.text("id-token") == "write":
                return
            if node.get("id-token") is None:
                self.editor.insert_pair(node, "id-token", "write")
                return
        pair = next((pair for pair in holder.pairs if pair.name == "permissions"), None)
        if isinstance(node, Empty) and pair is not None:
            self.editor.fill(holder, pair, {"id-token": "write"})
            return
        self.by_hand(node, f"the permissions of {place} have to grant id-token: write; put that in by hand")

    def _grant_anew(self, document: Document, name: str, job: Mapping, general: Node | None) -> None:
        """Permissions for a job that had those of the workflow, or the repository's default ones."""
        granted = _copied(document, general)
        if granted is None:
            if isinstance(general, Scalar) and general.text.strip() == "write-all":
                return
            self.by_hand(general, f"jobs.{name} needs id-token: write beside the permissions of the workflow; put that in by hand")
            return
        if general is None:
            granted = {"contents": "read"}
            text = self.source.data[job.span.start : job.span.end]
            if b"ghcr.io" in text:
                granted["packages"] = "write"
            said = ", ".join(f"{key}: {value}" for key, value in granted.items())
            self.note(
                job,
                "permissions",
                f"jobs.{name} had the repository's default permissions; now it has {said} and id-token: write, no others",
            )
        self.editor.insert_pair(job, "permissions", {**granted, "id-token": "write"}, before=_BEHIND_PERMISSIONS)

    def _say_about_callers(self, document: Document, root: Mapping) -> None:
        triggers = set(_triggers(document, root))
        node = root.get("on")
        if "workflow_call" in triggers:
            self.note(node, "callers", "a reusable workflow gets an OIDC token only where the calling job grants id-token: write")
        if "pull_request" in triggers:
            self.note(
                node,
                "forks",
                "pull requests from forks get no OIDC token, so there the login fails; run these jobs for pushes, or pull without a login",
            )


def needs_token(source: Source, called: str, calls: int = 0) -> bool:
    """Whether a workflow of this repository that a job calls uses images, so that its caller has to grant the token."""
    found = _called(source, called) if calls < _CALLS_MAX else None
    if found is None:
        return False
    try:
        documents = parse(found.data)
    except UnreadableError:
        return False
    for document in documents:
        root = document.mapping(document.root)
        jobs = document.mapping(root.get("jobs")) if root else None
        for pair in document.pairs(jobs) if jobs else ():
            job = document.mapping(pair.value)
            if job is None:
                continue
            inner = (job.text("uses") or "").strip()
            if inner and needs_token(found, inner, calls + 1):
                return True
            told = story(list(step_events(found, document, job.get("steps"), "")))
            keys = root is not None and (_has_key(document, root) or _has_key(document, job))
            if told.first(Does.USE) is not None and not keys and _asks_for_token(document, job, told):
                return True
    return False


def _asks_for_token(document: Document, job: Mapping, told: Story) -> bool:
    """Whether a job gets, or will get, its credentials by OIDC."""
    steps = document.sequence(job.get("steps"))
    known = _credentials(document, steps, len(steps.items)) if steps else None
    return known is not False and (known is True or told.first(Does.LOGIN) is None)


def _called(source: Source, called: str) -> Source | None:
    if not called.startswith("./"):
        return None
    top = repository_top(source.path)
    path = "/".join(part for part in (top, called.removeprefix("./")) if part)
    data = source.read(path)
    return Source(path, data, source.settings, source.read) if data is not None else None


def step_events(source: Source, document: Document, node: Node | None, shell: str, calls: int = 0) -> Iterator[Event]:
    """What the steps of a job or a composite action do, actions of the same repository included."""
    steps = document.sequence(node)
    for number, item in enumerate(steps.items if steps else []):
        step = document.mapping(item)
        if step is None:
            continue
        uses = (step.text("uses") or "").strip()
        run = document.scalar(step.get("run"))
        if uses:
            yield from _action_events(source, document, step, number, calls)
        elif run is not None:
            text = mask(run.mapped, EXPRESSION)
            own = step.text("shell") or shell
            if not own or _SHELLS.match(own):
                yield from of_script(source, text, number, run)
            else:
                yield from of_foreign_script(text, number, run)


def _action_events(source: Source, document: Document, step: Mapping, number: int, calls: int) -> Iterator[Event]:
    uses = (step.text("uses") or "").strip()
    name = "/".join(uses.partition("@")[0].lower().split("/")[:2])
    inputs = document.mapping(step.get("with"))

    def given(key: str) -> str:
        return ((inputs.text(key) if inputs else None) or "").strip()

    if name == "docker/login-action":
        registry = given("registry").removesuffix("/")
        if registry in HOSTS:
            yield Event(Does.LOGIN, number, name, step)
        elif registry in _HUB and not given("registry-auth"):
            yield Event(Does.HUB_LOGIN, number, name, step)
    elif name == "aws-actions/amazon-ecr-login":
        if given("registry-type") == "public":
            yield Event(Does.LOGIN, number, name, step)
    elif name in _USES or (name == "docker/setup-buildx-action" and "public.ecr.aws" in given("driver-opts")):
        yield Event(Does.USE, number, name, step)
    elif uses.startswith("./") and calls < _CALLS_MAX:
        for file in ("action.yml", "action.yaml"):
            found = _called(source, f"{uses.rstrip('/')}/{file}")
            if found is not None:
                yield from _composite_events(found, step, number, calls)
                return


def _composite_events(found: Source, step: Node, number: int, calls: int) -> Iterator[Event]:
    try:
        documents = parse(found.data)
    except UnreadableError:
        return
    for document in documents:
        root = document.mapping(document.root)
        runs = document.mapping(root.get("runs")) if root else None
        for event in step_events(found, document, runs.get("steps"), "", calls + 1) if runs else ():
            if event.does in (Does.USE, Does.LOGIN):
                yield Event(event.does, number, f"{found.path}: {event.shown}", step)


def _credentials(document: Document, steps: Sequence, before: int) -> bool | None:
    """Whether a step in front of another gets credentials by OIDC; ``None`` where no step gets any."""
    for item in steps.items[:before]:
        step = document.mapping(item)
        if step is not None and (step.text("uses") or "").strip().lower().startswith(CREDENTIALS):
            inputs = document.mapping(step.get("with"))
            return inputs is None or inputs.get("aws-access-key-id") is None
    return None


def _has_key(document: Document, holder: Mapping) -> bool:
    env = document.mapping(holder.get("env"))
    return env is not None and any(key in env.keys() for key in _KEYS)  # noqa: SIM118 - a method of ours, no dict


def _default_shell(document: Document, holder: Mapping) -> str:
    defaults = document.mapping(holder.get("defaults"))
    run = document.mapping(defaults.get("run")) if defaults else None
    return (run.text("shell") if run else None) or ""


def _copied(document: Document, node: Node | None) -> dict[str, Value] | None:
    """The permissions of a workflow; ``None`` where they are no list of them (``read-all``)."""
    if node is None or isinstance(node, Empty):
        return {}
    mapping = document.mapping(node)
    if mapping is None or any(not isinstance(document.resolve(pair.value), Scalar) for pair in document.pairs(mapping)):
        return None
    return {pair.name or "": scalar.text for pair in document.pairs(mapping) if (scalar := document.scalar(pair.value))}


def _triggers(document: Document, root: Mapping) -> Iterator[str]:
    node = document.resolve(root.get("on"))
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Sequence):
        yield from (item.text for item in node.items if isinstance(item, Scalar))
    elif isinstance(node, Mapping):
        yield from (pair.name or "" for pair in node.pairs)
