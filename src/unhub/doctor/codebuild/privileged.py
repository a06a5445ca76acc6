"""Privileged mode: without it there is no Docker daemon in a build."""

from __future__ import annotations

from unhub.doctor.codebuild.buildspec import uses_docker
from unhub.doctor.codebuild.looking import ProjectCheck, Surroundings
from unhub.doctor.codebuild.project import Project
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, warning


def look(project: Project, around: Surroundings) -> Verdict:
    """Needed where a command calls docker; of a buildspec in the source that is not known here."""
    del around
    if project.privileged:
        return ok("it is on")
    mend = Remedy("Switch it on:", project.changed('"privilegedMode": false', '"privilegedMode": true'))
    if project.buildspec is None:
        return warning(f"it is off: docker commands fail; whether there are any stands in {project.buildspec_place}", mend)
    if uses_docker(project.buildspec):
        return failed("it is off, and the buildspec calls docker: there is no daemon to answer", mend)
    return ok("it is off, and the buildspec calls no docker")


CHECK = ProjectCheck("privileged-mode", "Privileged mode", look)
