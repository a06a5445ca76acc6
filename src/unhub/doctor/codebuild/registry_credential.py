"""The credential for the project's image: needed, fitting, or out of place (CloudFormation's RegistryCredential)."""

from __future__ import annotations

from unhub.doctor.codebuild.looking import ProjectCheck, Surroundings
from unhub.doctor.codebuild.project import Project
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, warning


def look(project: Project, around: Surroundings) -> Verdict:
    """It goes with SERVICE_ROLE, and with images that are neither curated nor in ECR."""
    del around
    if project.registry_credential is None:
        if project.reference is not None and project.reference.is_docker_hub:
            return warning("none: the image is pulled from Docker Hub without a login", Remedy("Move the image, or give the project one"))
        return ok("none is needed")
    if project.is_curated or project.is_at_ecr:
        return failed(
            f"{project.registry_credential} is set, but {project.image} must have none",
            Remedy("Take registryCredential out of the project's environment"),
        )
    if project.pull_credentials != "SERVICE_ROLE":
        change = project.changed('"imagePullCredentialsType": "CODEBUILD"', '"imagePullCredentialsType": "SERVICE_ROLE"')
        return failed("it is not used, since imagePullCredentialsType is CODEBUILD", Remedy("Have it used:", change))
    return ok(f"{project.registry_credential} is used for {project.image}")


CHECK = ProjectCheck("registry-credential", "Registry credential", look)
