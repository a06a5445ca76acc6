"""The project's own image: CodeBuild pulls it before the first command, so no login in the buildspec helps."""

from __future__ import annotations

import re

from unhub.doctor.codebuild.looking import ProjectCheck, Surroundings
from unhub.doctor.codebuild.project import Project
from unhub.doctor.log.images import Mention
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, warning

_PLAIN = re.compile(r"[\w./:@-]+")


def look(project: Project, around: Surroundings) -> Verdict:
    """Where it is, and where it could be."""
    if project.is_curated:
        return ok(f"{project.image} is provided by CodeBuild")
    reference = project.reference
    if reference is None:
        return failed(f"{project.image!r} is no image", Remedy("Name an image in the project's environment"))
    if not reference.is_docker_hub:
        return ok(f"{project.image} is not at Docker Hub")
    moved = around.target(Mention(reference))
    remedies: list[Remedy] = []
    if moved.target and _PLAIN.fullmatch(project.image):
        change = project.changed(f'"image": "{project.image}"', f'"image": "{moved.target}"')
        remedies.append(Remedy(f"Name the copy: {project.image} -> {moved.target}", change))
    else:
        remedies.append(Remedy(f"It has no copy: {moved.reason or 'mirror it yourself'}"))
    how = "with the stored credential" if project.registry_credential else "without a login, from addresses that others share"
    return warning(f"{project.image} is at Docker Hub, and each build pulls it {how}", *remedies)


CHECK = ProjectCheck("environment-image", "Environment image", look)
