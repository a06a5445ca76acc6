"""``python -m unhub.aws.password_process``: ask AWS for ECR Public's password in a process of its own, answered on standard output.

The SDK takes some 20 MB of memory and half a second to load. A server that needs a password twice a day has them back so.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import Final

import msgspec

from unhub.aws.login import ACTION, fetch_password
from unhub.image.errors import AwsError, MissingExtra, UnhubError

SECONDS: Final = 90.0
"""The longest that AWS is asked: three tries in each of a few places where credentials may be."""

COMMAND: Final = (sys.executable, "-P", "-m", "unhub.aws.password_process")


class Told(msgspec.Struct, omit_defaults=True):
    """A password and when it ends (seconds since 1970), or why there is none."""

    username: str = ""
    password: str = ""
    expires_at: float = 0.0
    failed: str = ""
    hint: str | None = None


def main() -> None:
    """Write one JSON object."""
    try:
        found = fetch_password()
        told = Told(found.username, found.password, found.expires_at.timestamp())
    except UnhubError as error:
        told = Told(failed=error.message, hint=error.hint)
    sys.stdout.buffer.write(msgspec.json.encode(told))


def ask() -> tuple[str, str, float]:
    """User name, password, and when it ends (seconds since 1970); blocks.

    Raises :class:`MissingExtra` without boto3, and :class:`AwsError` for everything else.
    """
    if find_spec("boto3") is None:
        raise MissingExtra("log in to ECR Public", "aws")
    try:
        done = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
        told = msgspec.json.decode(done.stdout, type=Told)
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError):  # whose words might hold the password
        raise AwsError(f"cannot {ACTION}: the process that asks AWS did not answer") from None
    if told.failed:
        raise AwsError(told.failed, hint=told.hint)
    return told.username, told.password, told.expires_at


if __name__ == "__main__":
    main()
