"""What AWS knows of us: credentials, identity, region, and calls that only read. boto3 stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from unhub import __version__
from unhub.aws.failures import Asked, explained
from unhub.data.aws import api_regions
from unhub.image.errors import AwsError, MissingExtra

T = TypeVar("T")

METHODS: Mapping[str, str] = {
    "env": "the environment (AWS_ACCESS_KEY_ID)",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "sso": "single sign-on",
    "login": "aws login",
    "assume-role": "a role that the profile assumes",
    "assume-role-with-web-identity": "a role, by the token in AWS_WEB_IDENTITY_TOKEN_FILE",
    "container-role": "the role of this container or build",
    "iam-role": "the role of this instance",
    "custom-process": "the profile's credential_process",
}
"""botocore's names of where credentials came from, in words."""


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials that were found, without the secret: the end of the access key, and where they came from."""

    key_ending: str
    source: str


class Session(Protocol):
    """What a check asks of AWS. Everything blocks, and raises :class:`AwsError`."""

    def credentials(self) -> Found | None:
        """The credentials that would be used; ``None`` where there are none."""
        ...

    def region(self) -> str | None:
        """The default region of the profile or environment."""
        ...

    def identity(self) -> str:
        """The ARN of the caller."""
        ...

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """One call that only reads; ``operation`` is boto3's name, as ``batch_get_projects``."""
        ...


class _Credentials(Protocol):
    access_key: str
    method: str


class _Boto(Protocol):
    region_name: str | None

    def get_credentials(self) -> _Credentials | None: ...
    def client(self, service: str, *, region_name: str | None, config: object) -> object: ...


class Boto:
    """:class:`Session` by boto3, with its own ways to credentials. Raises :class:`MissingExtra` without boto3."""

    def __init__(self, profile: str | None = None, region: str | None = None) -> None:
        try:
            import boto3  # pyright: ignore[reportMissingTypeStubs]
            from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            raise MissingExtra("ask AWS", "aws") from None
        self._profile = profile
        self._region = region
        self._config = Config(
            connect_timeout=5,
            read_timeout=8,
            retries={"mode": "standard", "total_max_attempts": 2},
            user_agent_extra=f"unhub/{__version__}",
        )
        self._clients: dict[str, object] = {}
        self._session = cast(_Boto, self._asked("use AWS's settings", lambda: boto3.Session(profile_name=profile, region_name=region)))

    def credentials(self) -> Found | None:
        """See :class:`Session`."""

        def found() -> Found | None:
            credentials = self._session.get_credentials()
            if credentials is None:
                return None
            return Found(credentials.access_key[-4:], METHODS.get(credentials.method, credentials.method))

        return self._asked("find AWS credentials", found)

    def region(self) -> str | None:
        """See :class:`Session`."""
        return self._region or self._session.region_name

    def identity(self) -> str:
        """See :class:`Session`."""
        answer = self._call("ask AWS who we are", "sts", "get_caller_identity", {}, api_regions()[0])
        return str(answer.get("Arn", ""))

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """See :class:`Session`."""
        return self._call(f"ask {service} ({operation})", service, operation, parameters, self._region)

    def _call(self, action: str, service: str, operation: str, parameters: dict[str, Any], region: str | None) -> dict[str, Any]:
        def called() -> dict[str, Any]:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, region_name=region, config=self._config)
            return getattr(self._clients[service], operation)(**parameters)

        return self._asked(action, called)

    def _asked(self, action: str, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except AwsError:
            raise
        except Exception as error:  # boto3 raises its own two trees, ValueError for URLs, EOFError where it wants to ask
            raise explained(error, Asked(action, self._region or api_regions()[0], self._profile)) from None
