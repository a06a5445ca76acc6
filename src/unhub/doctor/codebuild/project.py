"""A project as CodeBuild's API tells it (``BatchGetProjects``)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from unhub.aws.session import Session
from unhub.image.errors import InvalidReference, UsageError
from unhub.image.reference import Reference

_INLINE = re.compile(r"\s*(?:#|version\s*:|phases\s*:|\{|---)|.*\n", re.DOTALL)
_CURATED = re.compile(r"aws/codebuild/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What matters of a project. ``buildspec`` is the text of an inline one, ``buildspec_place`` where else it lies.

    ``pull_credentials`` is ``CODEBUILD`` or ``SERVICE_ROLE``, ``registry_credential`` the secret's name or ARN.
    """

    name: str
    image: str
    privileged: bool
    role_arn: str
    pull_credentials: str = "CODEBUILD"
    registry_credential: str | None = None
    buildspec: str | None = field(default=None, repr=False)
    buildspec_place: str = "buildspec.yml in the source"

    @property
    def role(self) -> str:
        """The name of the service role."""
        return self.role_arn.rpartition("/")[2]

    @property
    def is_curated(self) -> bool:
        """Whether CodeBuild itself provides the image; its name only looks like Docker Hub's."""
        return _CURATED.match(self.image) is not None

    @property
    def reference(self) -> Reference | None:
        """The image as a reference; ``None`` for a curated one, or a text that is none."""
        try:
            return None if self.is_curated else Reference.parse(self.image)
        except InvalidReference:
            return None

    @property
    def is_at_ecr(self) -> bool:
        """Whether the image is in private ECR."""
        return self.reference is not None and ".dkr.ecr." in self.reference.registry

    def changed(self, before: str, after: str) -> str:
        """The command that changes one field of the environment and keeps the others, secrets unseen."""
        name = shlex.quote(self.name)
        got = f"aws codebuild batch-get-projects --names {name} --query 'projects[0].environment' --output json"
        edit = shlex.quote(f"s|{before}|{after}|")
        return f'aws codebuild update-project --name {name} --environment "$({got} | sed {edit})"'


def read_project(session: Session, name: str) -> Project:
    """One project by its name. Raises :class:`UsageError` where there is none, and :class:`AwsError`."""
    answer = session.call("codebuild", "batch_get_projects", names=[name])
    projects = cast("list[Mapping[str, Any]]", answer.get("projects") or [])
    if not projects:
        raise UsageError(
            f"cannot look at the CodeBuild project {name!r}: there is none of that name in this account and region",
            hint="`aws codebuild list-projects` shows those there are; --region and --profile choose where",
        )
    return _project(projects[0])


def _project(row: Mapping[str, Any]) -> Project:
    environment: Mapping[str, Any] = row.get("environment") or {}
    credential: Mapping[str, Any] = environment.get("registryCredential") or {}
    source: Mapping[str, Any] = row.get("source") or {}
    text = str(source.get("buildspec") or "")
    inline = _INLINE.match(text) is not None
    return Project(
        name=str(row.get("name", "")),
        image=str(environment.get("image", "")),
        privileged=bool(environment.get("privilegedMode")),
        role_arn=str(row.get("serviceRole", "")),
        pull_credentials=str(environment.get("imagePullCredentialsType") or "CODEBUILD"),
        registry_credential=str(credential["credential"]) if credential.get("credential") else None,
        buildspec=text if inline else None,
        buildspec_place="the project itself" if inline else text or "buildspec.yml in the source",
    )
