"""The variables that the commands of a build see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unhub.buildspec.spec import Buildspec
from unhub.image.errors import UsageError

SUCCEEDING = "CODEBUILD_BUILD_SUCCEEDING"
"""``1`` until a command fails, then ``0``."""

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
MASKED_FROM = 4
"""Characters from which on the value of a secret is hidden in the log: a shorter one would hide half of it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the build: its folder, its id, when it began (seconds since 1970), the commit that is built, if any."""

    folder: str
    build_id: str
    began: float
    commit: str | None = None


def variables(spec: Buildspec, facts: Facts, machine: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """All variables: this machine's, those of the buildspec in their place, and what was given for this run above both.

    A variable that CodeBuild would take from Parameter Store or Secrets Manager must be in ``machine`` or ``given``;
    :class:`UsageError` names those that are not. Values are never expanded, as CodeBuild does not.
    """
    kept = {secret.name for secret in spec.secrets}
    missing = [secret for secret in spec.secrets if secret.name not in machine and secret.name not in given]
    if missing:
        names = ", ".join(f"{secret.name} ({secret.store}, line {secret.line})" for secret in missing)
        first = missing[0].name
        raise UsageError(
            f"cannot run {spec.path}: AWS keeps the value of {names}, and it is not fetched here",
            hint=f"Set {first} in the environment, or give it for this run: --env {first}=VALUE",
        )
    own = {name: value for name, value in spec.variables.items() if name not in kept}
    found = {**machine, **own, **_of_codebuild(facts), **given}
    region = next((found[name] for name in _REGIONS if found.get(name)), None)
    return {**(dict.fromkeys(_REGIONS, region) if region else {}), **found}


def secrets(spec: Buildspec, variables: Mapping[str, str]) -> list[str]:
    """The values that the log must not show."""
    return [value for secret in spec.secrets if len(value := variables.get(secret.name, "")) >= MASKED_FROM]


def _of_codebuild(facts: Facts) -> dict[str, str]:
    """The variables of CodeBuild that make sense on any machine (build-env-ref-env-vars)."""
    commit = {"CODEBUILD_RESOLVED_SOURCE_VERSION": facts.commit} if facts.commit else {}
    return {
        **commit,
        SUCCEEDING: "1",
        "CODEBUILD_BUILD_ID": facts.build_id,
        "CODEBUILD_BUILD_NUMBER": "1",
        "CODEBUILD_INITIATOR": "unhub",
        "CODEBUILD_SRC_DIR": facts.folder,
        "CODEBUILD_START_TIME": str(int(facts.began * 1000)),
    }
