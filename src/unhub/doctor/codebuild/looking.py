"""The checks of a project, one after the other: each a function of the project and what AWS and the settings say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unhub.aws.session import Session
from unhub.doctor.codebuild.project import Project, read_project
from unhub.doctor.log.targets import Target
from unhub.doctor.verdict import Checked, Verdict, skipped
from unhub.image.errors import AwsError, UnhubError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check of a project may ask: AWS, and what becomes of an image."""

    session: Session
    target: Target


@dataclass(frozen=True, slots=True)
class ProjectCheck:
    """One check of a project."""

    name: str
    title: str
    look: Callable[[Project, Surroundings], Verdict]


def look(name: str, around: Surroundings) -> list[Checked]:
    """Every check of a project. Raises :class:`UsageError` for a name that there is not, and :class:`AwsError`."""
    from unhub.doctor.codebuild import buildspec, image, privileged, registry_credential, role

    project = read_project(around.session, name)
    checks = (image.CHECK, registry_credential.CHECK, privileged.CHECK, role.CHECK, buildspec.CHECK)
    return [Checked(check.name, check.title, _verdict(check, project, around)) for check in checks]


def _verdict(check: ProjectCheck, project: Project, around: Surroundings) -> Verdict:
    try:
        return check.look(project, around)
    except AwsError as error:
        return skipped(f"{error.message}. {error.hint}" if error.hint else error.message)
    except UnhubError as error:
        return skipped(str(error))
