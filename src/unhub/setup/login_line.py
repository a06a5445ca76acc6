"""The login as it is written into files: the article's line, and forms that fail with AWS's own error."""

from __future__ import annotations

from enum import StrEnum

from unhub.data.aws import api_regions, public_registries
from unhub.image.errors import UsageError

HOSTS = public_registries()
"""Names of ECR Public's registry; a login to either is one."""
HOST = HOSTS[0]
"""The registry that is logged in to."""
REGIONS = api_regions()
"""Regions with ECR Public's API; the first is recommended."""
PASSWORD = "ECR_PUBLIC_PASSWORD"  # noqa: S105 - the name of a variable
"""The shell variable of the POSIX form; its name is long so that it takes nobody else's place."""


class Form(StrEnum):
    """How the login is written."""

    LINE = "line"
    """The article's line. In a shell without ``pipefail`` a failure of ``aws`` shows, but the status is docker's."""
    PIPEFAIL = "pipefail"
    """bash: the line with ``set -o pipefail``, in a subshell so that no later command gets the option."""
    ROBUST = "robust"
    """Any POSIX shell: ``docker login`` does not run where ``aws`` failed."""


def login(form: Form, region: str) -> str:
    """The login for a shell, in one line. Raises :class:`UsageError` for a region without ECR Public's API."""
    if region not in REGIONS:
        raise UsageError(f"cannot log in through {region}: ECR Public's API is in {' and '.join(REGIONS)} only")
    password = f"aws ecr-public get-login-password --region {region}"
    docker = f"docker login --username AWS --password-stdin {HOST}"
    match form:
        case Form.LINE:
            return f"{password} | {docker}"
        case Form.PIPEFAIL:
            return f"(set -o pipefail; {password} | {docker})"
        case Form.ROBUST:
            return f"{PASSWORD}=$({password}) && printf '%s' \"${PASSWORD}\" | {docker}"


def token_lines(token: str, session: str, role: str | None) -> list[str]:
    """Commands that make ``aws`` assume a role with the OIDC token of a variable, for a job of a CI outside AWS.

    The AWS CLI itself exchanges the token, which lies in a file that only the job's user can read; it is in no
    argument and in no output. ``role`` is an ARN, ``None`` where the CI's variable ``AWS_ROLE_ARN`` names it.
    """
    named = f" AWS_ROLE_ARN={role}" if role else ""
    return [
        f'export{named} AWS_ROLE_SESSION_NAME="{session}" AWS_WEB_IDENTITY_TOKEN_FILE="$(mktemp)"',
        f'printf \'%s\' "${token}" > "$AWS_WEB_IDENTITY_TOKEN_FILE"',
    ]
