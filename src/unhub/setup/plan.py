"""A CI set up in a whole tree: every file looked at, the changes as a plan that can be shown, written and undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Final, cast

from unhub.formats._choice import candidates
from unhub.image.errors import InvalidReference, SelfCheckFailed, UnreadableError
from unhub.image.found import Class, Found
from unhub.image.reference import Reference
from unhub.image.source import FormatSettings, Source
from unhub.migrate.edits import Edit, apply, merge
from unhub.migrate.item import Item
from unhub.migrate.look import SkippedFile
from unhub.migrate.mapping import applies_to_path
from unhub.migrate.plan import Plan, Read, Refusal
from unhub.migrate.run import RunOptions, Tree
from unhub.migrate.walk import walk
from unhub.setup import platform
from unhub.setup.outcome import FileSetup, Note, Status, System, Wishes

SYSTEMS: Final = {
    "codebuild": "unhub.setup.codebuild",
    "github-actions": "unhub.setup.github_actions",
    "gitlab-ci": "unhub.setup.gitlab_ci",
    "circleci": "unhub.setup.circleci",
    "bitbucket": "unhub.setup.bitbucket",
    "azure-pipelines": "unhub.setup.azure_pipelines",
    "jenkins": "unhub.setup.jenkins",
}
"""Every CI that can be set up, and the module that knows it."""


@dataclass(slots=True)
class SetupPlan:
    """What setting up a CI does to a tree. ``plan`` holds the changes as :func:`unhub.migrate.write.write_plan` takes them.

    ``hub_needed`` are the Docker Hub references for whose sake a leftover login stays, ``None`` where nobody had to ask.
    """

    system: System
    wishes: Wishes
    files: list[FileSetup] = field(default_factory=list[FileSetup])
    skipped: list[SkippedFile] = field(default_factory=list[SkippedFile])
    notes: list[Note] = field(default_factory=list[Note])
    plan: Plan = field(default_factory=Plan)
    hub_needed: list[Item] | None = None
    read: Read = lambda path: None

    @property
    def hub_logins(self) -> int:
        """How many logins to Docker Hub the files hold."""
        return sum(file.hub_logins for file in self.files)


def system_named(name: str) -> System:
    """A CI by its name on the command line, one of :data:`SYSTEMS`."""
    return cast(System, import_module(SYSTEMS[name]).SYSTEM)


def plan_setup(
    system: System,
    options: RunOptions,
    settings: FormatSettings,
    wishes: Wishes,
    hub_references: Callable[[], list[Item]] = list,
) -> SetupPlan:
    """Look at every file of a CI and plan its login.

    ``hub_references`` gives what the tree still takes from Docker Hub (:func:`left_on_hub`); it is
    asked only where a login to Docker Hub was found, which goes on request and where nothing is left.
    """
    sources, skipped = _sources(system, options, settings)
    result = _set_up(system, sources, replace(wishes, remove_hub_login=False))
    if result.hub_logins:
        needed = hub_references()
        if wishes.remove_hub_login and not needed:
            result = _set_up(system, sources, wishes)
        result.hub_needed = needed
    result.skipped += skipped
    result.read = Tree(options.base).read
    for source in sources:
        result.notes += platform.notes(system.name, source)
    return result


def _sources(system: System, options: RunOptions, settings: FormatSettings) -> tuple[list[Source], list[SkippedFile]]:
    """The files of a CI, those that they name included, in the order of their paths."""
    walked = walk(options.paths, options.base, use_gitignore=options.use_gitignore)
    tree = Tree(options.base)
    skipped = [file for file in walked.skipped if _is_candidate(system, file.path)]
    found: dict[str, Source] = {}
    named: set[str] = set()
    for path in walked.files:
        if not _is_candidate(system, path) or not applies_to_path(options.below + path, options.include, options.exclude):
            continue
        data = tree.read(path)
        if data is None or len(data) > options.max_file_size:
            skipped.append(SkippedFile(path, "cannot be read" if data is None else f"too large: {len(data)} bytes"))
            continue
        source = Source(path, data, settings, tree.read)
        try:
            if system.recognise(source):
                found[path] = source
                named.update(system.names_files(source))
        except UnreadableError as error:
            skipped.append(SkippedFile(path, error.message))
    for path in sorted(named - found.keys()):
        data = tree.read(path)
        if data is not None:
            found[path] = Source(path, data, settings, tree.read)
    return [found[path] for path in sorted(found)], skipped


def _is_candidate(system: System, path: str) -> bool:
    return any(entry.name in system.formats for entry in candidates(path))


def _set_up(system: System, sources: Iterable[Source], wishes: Wishes) -> SetupPlan:
    result = SetupPlan(system, wishes)
    for source in sources:
        try:
            file = system.set_up(source, wishes)
        except UnreadableError as error:
            result.skipped.append(SkippedFile(source.path, error.message, system.formats[0]))
            continue
        result.files.append(file)
        if file.status is Status.CHANGES:
            result.plan.edits[file.path] = file.edits
            result.plan.before[file.path] = file.data
            result.plan.after[file.path] = file.after
        elif file.status is Status.REFUSED:
            result.plan.refused.append(Refusal(file.path, next((note.text for note in file.notes if note.kind == "refused"), "")))
    return result


def left_on_hub(plan: Plan, *, moved: bool = False) -> list[Item]:
    """The references for which a login to Docker Hub may still be needed: pulls from there, names pushed there, names not known.

    ``moved``: those that the plan moves do not count, since they will be.
    """
    return [item for item in plan.items if not (moved and item.fix is not None) and _needs_hub(item)]


def _needs_hub(item: Item) -> bool:
    match item.decision.class_:
        case Class.MIGRATABLE | Class.NO_TARGET | Class.IGNORED | Class.CONFLICT | Class.SHORT_NAME:
            return not isinstance(item.finding, Found) or item.finding.reference.registry == "docker.io"
        case Class.VARIABLE:
            return True
        case Class.BUILD_OUTPUT:
            return _is_pushed_to_hub(item.finding.text)
        case _:
            return False


def _is_pushed_to_hub(text: str) -> bool:
    """Whether an output can be one for Docker Hub: a name with an account in front and no registry."""
    try:
        reference = Reference.parse(text.strip())
    except InvalidReference:
        return False
    return reference.registry == "docker.io" and not reference.repository.startswith("library/")


def add_setup(plan: Plan, setup: SetupPlan) -> Plan:
    """Put the changes of a setup into the plan of a migration, so that one run writes, and one undo takes back, both.

    A file that both change is proven by setting up what the migration makes of it, which must come
    to the same bytes; otherwise only the migration changes it, and the plan says so in ``refused``.
    """
    for file in setup.files:
        if file.status is not Status.CHANGES:
            continue
        if file.path not in plan.edits:
            plan.edits[file.path], plan.before[file.path], plan.after[file.path] = file.edits, file.data, file.after
            continue
        try:
            edits, after = _both(plan, file, setup)
        except (SelfCheckFailed, UnreadableError) as error:
            plan.refused.append(Refusal(file.path, f"{error.message}; run `unhub setup {setup.system.name}` after the migration"))
            continue
        plan.edits[file.path], plan.after[file.path] = edits, after
    plan.refused += setup.plan.refused
    return plan


def _both(plan: Plan, file: FileSetup, setup: SetupPlan) -> tuple[list[Edit], bytes]:
    """The edits of the migration and of the setup together; raises :class:`SelfCheckFailed` where they do not fit."""
    edits = merge([*plan.edits[file.path], *file.edits])
    after = apply(file.data, edits)
    again = setup.system.set_up(Source(file.path, plan.after[file.path], read=setup.read), setup.wishes)
    if plan.before[file.path] != file.data or again.after != after:
        raise SelfCheckFailed("the login and the new names do not fit together")
    return edits, after
