"""An inline buildspec: its images and its login. One in the source is a matter of ``unhub scan`` and ``unhub setup``."""

from __future__ import annotations

from unhub.doctor.codebuild.looking import ProjectCheck, Surroundings
from unhub.doctor.codebuild.project import Project
from unhub.doctor.log.images import Mention
from unhub.doctor.log.targets import Moved
from unhub.doctor.verdict import Remedy, Verdict, ok, skipped, warning
from unhub.formats import buildspec
from unhub.image.errors import UnreadableError
from unhub.image.found import Found
from unhub.image.source import Source
from unhub.setup import codebuild
from unhub.setup.outcome import Status, Wishes

NAME = "buildspec.yml"
LOGIN = b"get-login-password"
"""What is in every form of the login that would be inserted."""


def look(project: Project, around: Surroundings) -> Verdict:
    """What it takes from Docker Hub, and whether it logs in before."""
    if project.buildspec is None:
        return skipped(
            f"it lies elsewhere: {project.buildspec_place}",
            Remedy("In a checkout of the source, see its images and insert the login:", "unhub setup codebuild"),
        )
    source = Source(NAME, project.buildspec.encode())
    try:
        moved = [around.target(Mention(found.reference)) for found in _at_hub(source)]
        setup = codebuild.set_up(source, Wishes())
    except UnreadableError as error:
        return warning(f"it cannot be read: {error.message}")
    lacks_login = any(LOGIN in edit.replacement for edit in setup.edits)
    return _verdict(moved, setup.status, lacks_login=lacks_login)


def _verdict(moved: list[Moved], status: Status, *, lacks_login: bool) -> Verdict:
    save = "Save it as a file, let unhub change it, and give it back to the project:"
    remedies: list[Remedy] = []
    says: list[str] = []
    if moved:
        says.append(f"it takes {'an image' if len(moved) == 1 else f'{len(moved)} images'} from Docker Hub")
        remedies.append(Remedy(save, "unhub migrate --write buildspec.yml"))
    if lacks_login:
        says.append("it pulls or builds without a login to ECR Public")
        remedies.append(Remedy(save, "unhub setup codebuild --write buildspec.yml"))
    if not says:
        return ok("it takes nothing from Docker Hub" + (", and logs in to ECR Public" if status is not Status.NOT_NEEDED else ""))
    return warning(", and ".join(says), *remedies).having(*(f"{one.reference} -> {one.target or one.reason}" for one in moved))


def _at_hub(source: Source) -> list[Found]:
    found = (item for item in buildspec.find(source) if isinstance(item, Found))
    return [item for item in found if item.reference.is_docker_hub]


def uses_docker(text: str) -> bool:
    """Whether an inline buildspec calls docker: a build, a pull or a run. A text that cannot be read may."""
    try:
        return codebuild.set_up(Source(NAME, text.encode()), Wishes()).status is not Status.NOT_NEEDED
    except UnreadableError:
        return "docker" in text


CHECK = ProjectCheck("buildspec", "Buildspec", look)
