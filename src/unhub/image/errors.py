"""The one tree of errors that unhub raises on purpose.

::

    UnhubError                      exit status 5 unless said otherwise
    ├── UsageError                  2   the command line or the configuration is wrong
    │   └── ConfigurationError      2   names file, line and column
    ├── InvalidReference            2   a text is no image reference; knows the place in it
    ├── InvalidDigest               2   a text is no digest
    ├── MissingExtra                2   a part of unhub that this command needs is not installed
    ├── UnreadableError             3   a file cannot be read or understood
    │   └── InvalidPolicy           3   a text is no IAM policy; knows the place in it
    ├── RegistryError               5   a registry, its token service, or the way there; names the host
    │   ├── Unreachable             5   no answer: name, connection, TLS, time-out, offline
    │   ├── NotFound                5   404: no such manifest, tag, blob or repository
    │   ├── AccessRefused           5   401, 403 or a refused login: private, misspelt, or stale credentials
    │   ├── RateLimited             5   429, of one of the kinds that are told apart
    │   └── BadAnswer               5   an answer that breaks the protocol: wrong digest, HTML, too large
    ├── ServeError                  5   what the mirror answers instead of content: HTTP status, the registry's code
    ├── ApiRefused                  5   what an AWS-shaped API answers instead of a result: AWS's code, HTTP status
    ├── TokenRefused                5   a password or token of this registry is malformed, expired or revoked
    ├── CredentialsError            5   a credential file or helper cannot be read, run or written
    ├── AwsError                    5   AWS refused or could not be asked; keeps AWS's own code
    └── RefusedError                4   acting would risk the user's files
        ├── SelfCheckFailed         4   an edit does not do what was planned
        ├── ChangedSince            4   a file is not what the plan or the journal saw
        └── WriteFailed             4   no space, no permission; everything was put back

A message reads verb, object, cause; ``hint`` says what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class UnhubError(Exception):
    """Any failure that is explained to the user instead of shown as a traceback.

    ``code`` is a stable word for programs, ``exit_status`` what the process ends with
    (see ``docs/contracts.md``), ``hint`` one sentence on what to do, or ``None``.
    """

    code = "failed"
    exit_status = 5

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class UsageError(UnhubError):
    """The command line asks for something that does not exist or does not fit together."""

    code = "usage"
    exit_status = 2


class ConfigurationError(UsageError):
    """A setting is unknown, misspelt or of the wrong type; the message names the place."""

    code = "configuration"


class InvalidReference(UnhubError):
    """A text is not an image reference.

    ``position`` counts characters from 0 and points at what is wrong in ``text``.
    """

    code = "invalid-reference"
    exit_status = 2

    def __init__(self, text: str, position: int, reason: str) -> None:
        super().__init__(f"cannot parse {text!r}: {reason} at character {position + 1}")
        self.text = text
        self.position = position
        self.reason = reason


class InvalidDigest(UnhubError):
    """A text is not a digest of an algorithm that is known here; ``reason`` says what is wrong."""

    code = "invalid-digest"
    exit_status = 2

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"cannot read digest {text!r}: {reason}")
        self.text = text
        self.reason = reason


class UnreadableError(UnhubError):
    """A file cannot be read, or cannot be understood by its format."""

    code = "unreadable"
    exit_status = 3


class InvalidPolicy(UnreadableError):
    """A text is no policy document that IAM would take.

    ``path``, ``line`` and ``column`` (both from 1) point at what is wrong, ``reason`` says what it is.
    """

    code = "invalid-policy"

    def __init__(self, path: str, line: int, column: int, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"cannot read the policy {path}:{line}:{column}: {reason}", hint=hint)
        self.path = path
        self.line = line
        self.column = column
        self.reason = reason


class MissingExtra(UsageError):
    """A command needs an extra that is not installed; the hint says what to install."""

    code = "missing-extra"

    def __init__(self, action: str, extra: str) -> None:
        super().__init__(f"cannot {action}: unhub's extra {extra!r} is not installed", hint=f"Install it: pip install 'unhub[{extra}]'")


class RegistryError(UnhubError):
    """A registry did not give what was asked for.

    ``host`` is the registry's host and port, ``status`` its HTTP status, ``None`` without an answer.
    """

    code = "registry"

    def __init__(self, message: str, *, host: str, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.host = host
        self.status = status


class Unreachable(RegistryError):
    """No answer came: the name, the connection, TLS or the time-out failed, or unhub is offline."""

    code = "unreachable"


class NotFound(RegistryError):
    """The registry says that there is no such manifest, tag, blob or repository (404)."""

    code = "not-found"


class AccessRefused(RegistryError):
    """The registry or its token service refuses: private, misspelt, or credentials that no longer hold."""

    code = "access-refused"


class LimitKind(StrEnum):
    """Which limit a 429 speaks of (docker-hub.md, "The four kinds of 429"; ECR Public's two)."""

    PULLS = "pulls"
    """Docker Hub's pull limit of an address or account."""
    ABUSE = "abuse"
    """Docker Hub's limit on all requests of an address, logged in or not."""
    LOGINS = "logins"
    """Too many failed logins of a user name or address."""
    API = "api"
    """The limit of hub.docker.com's own API; pulls are unaffected."""
    RATE = "rate"
    """ECR Public: too many pulls a second ("Rate exceeded")."""
    DATA = "data"
    """ECR Public: the month's bytes of callers without a login are used up ("Data limit exceeded")."""
    OTHER = "other"
    """A 429 without a text that is known."""


class RateLimited(RegistryError):
    """A registry answered 429. ``retry_after`` is in seconds, ``None`` where nothing tells how long."""

    code = "rate-limited"

    def __init__(self, message: str, *, host: str, kind: LimitKind, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, host=host, status=429, hint=hint)
        self.kind = kind
        self.retry_after = retry_after


class BadAnswer(RegistryError):
    """An answer breaks the protocol: a wrong digest, HTML in place of JSON, more bytes than allowed."""

    code = "bad-answer"


class ServeError(UnhubError):
    """What the mirror answers where it cannot serve.

    ``status`` is the HTTP status, ``registry_code`` a code of the distribution specification ("Error Codes"),
    ``retry_after`` seconds after which asking again succeeds, ``None`` where nobody knows.
    """

    code = "serve"

    def __init__(self, message: str, *, status: int, registry_code: str, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.registry_code = registry_code
        self.retry_after = retry_after


class ApiRefused(UnhubError):
    """What an AWS-shaped API answers instead of a result.

    ``aws_code`` is AWS's name of the error (``InvalidSignatureException``), ``status`` the HTTP status; the message is
    worded as AWS words it, since clients and people look for that. ``members`` are what the error's shape has beside it.
    """

    code = "api-refused"

    def __init__(
        self, message: str, *, aws_code: str, status: int, hint: str | None = None, members: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.aws_code = aws_code
        self.status = status
        self.members: Mapping[str, str | int] = members or {}


class TokenFault(StrEnum):
    """Why a password or token of the registry does not count."""

    INVALID = "invalid"
    """Not made here, damaged, of another kind, or signed with a key that is gone."""
    EXPIRED = "expired"
    REVOKED = "revoked"


class TokenRefused(UnhubError):
    """A password or token that was presented does not count; ``fault`` says why. The message never repeats it."""

    code = "token-refused"

    def __init__(self, message: str, *, fault: TokenFault, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.fault = fault


class CredentialsError(UnhubError):
    """A credential file or helper cannot be read, run or written."""

    code = "credentials"


class AwsError(UnhubError):
    """AWS refused a call, or could not be asked. ``aws_code`` is AWS's own word (``AccessDeniedException``), or ``None``."""

    code = "aws"

    def __init__(self, message: str, *, aws_code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.aws_code = aws_code


class RefusedError(UnhubError):
    """Acting would risk the user's files, so nothing was done."""

    code = "refused"
    exit_status = 4


class SelfCheckFailed(RefusedError):
    """An edited file does not read back as planned; the file was not written."""

    code = "self-check-failed"


class ChangedSince(RefusedError):
    """A file differs from what the plan or the journal saw; it was not touched."""

    code = "changed-since"


class WriteFailed(RefusedError):
    """Writing failed half way; every file was put back as it was."""

    code = "write-failed"
