"""Images that a CI's platform pulls before any step runs, so that no login step helps: what does, where anything does."""

from __future__ import annotations

from typing import Final

from unhub.data.facts import builtin
from unhub.image.found import Found, PulledBy
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.image.source import Source
from unhub.migrate.look import Lines, LookedAt, look
from unhub.setup.login_line import HOSTS
from unhub.setup.outcome import Note

_ANONYMOUS = "from ECR Public it does so without a login, within the limits of callers without one (`unhub limits`)"

HOW: Final = {
    "codebuild": f"CodeBuild pulls it itself; {_ANONYMOUS}. A project's registryCredential is a fixed secret, and ECR Public's password "
    "lasts 12 hours. A copy in private ECR with imagePullCredentialsType SERVICE_ROLE needs no login",
    "github-actions": f"the runner pulls it itself; {_ANONYMOUS}. To log in: a job before it hands the password on, and "
    "`credentials: {username: AWS, password: …}` beside the image takes it",
    "gitlab-ci": f"the runner pulls it itself; {_ANONYMOUS}. To log in: the CI/CD variable DOCKER_AUTH_CONFIG, best as "
    '{"credHelpers": {"public.ecr.aws": "ecr-login"}} with that helper on the runner, since a password in it lasts 12 hours only',
    "circleci": f"CircleCI pulls it itself; {_ANONYMOUS}. `auth:` beside the image takes a fixed password, and ECR Public's lasts "
    "12 hours; `aws_auth:` is for private ECR",
    "bitbucket": f"Bitbucket pulls it itself; {_ANONYMOUS}. `username:` and `password:` of `image:` are fixed values, and ECR Public's "
    "password lasts 12 hours; `aws:` with `oidc-role` is for private ECR",
    "azure-pipelines": f"the agent pulls it itself; {_ANONYMOUS}. `endpoint:` of a container resource names a service connection with a "
    "fixed password, and ECR Public's lasts 12 hours",
    "jenkins": f"the agent pulls it itself, with the login of the user that it runs as; without one, {_ANONYMOUS}. "
    "docker-credential-unhub or the ECR credential helper in that user's ~/.docker/config.json logs in without a step",
}
"""What there is for images of the platform, by CI."""


def notes(system: str, source: Source) -> list[Note]:
    """One note for a file with images that the platform pulls from Docker Hub or ECR Public."""
    looked = look(source)
    if not isinstance(looked, LookedAt):
        return []
    lines = Lines(source.data)
    places = [
        (lines.line(found.span.start), found.text)
        for found in looked.references
        if isinstance(found, Found) and found.pulled_by is PulledBy.PLATFORM and _concerned(found.reference)
    ]
    if not places:
        return []
    several = f" and {len(places) - 1} more" if len(places) > 1 else ""
    text = f"{places[0][1]}{several}: pulled before any step, so the login does not reach it: {HOW[system]}"
    return [Note(source.path, places[0][0], "platform", text)]


def _concerned(reference: Reference) -> bool:
    """Whether a login to ECR Public would matter: an image from there or from Docker Hub, and none of the CI's own."""
    own = any(reference.repository.startswith(row.prefix) for row in builtin().lookalike)
    return reference.registry in HOSTS or (reference.registry == DOCKER_HUB and not own)
