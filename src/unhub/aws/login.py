"""ECR Public's password from AWS: in a region that has the API, whatever the profile's default region is."""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime
import json
import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol, cast

from unhub import __version__
from unhub.aws.failures import Asked, explained
from unhub.data.aws import api_regions, registry_password
from unhub.image.errors import AwsError, MissingExtra, UsageError

ACTION = "get ECR Public's password"


@dataclass(frozen=True, slots=True)
class Password:
    """What ``docker login`` needs for ECR Public. ``expires_at`` is in UTC; ``region`` gave it out."""

    username: str
    password: str = field(repr=False)
    expires_at: datetime.datetime
    region: str


class _Client(Protocol):
    def get_authorization_token(self) -> dict[str, object]: ...


class _Session(Protocol):
    def client(self, service: str, *, region_name: str, config: object) -> _Client: ...


def checked_region(region: str | None) -> str:
    """A region that has ECR Public's API; the usual one for ``None``. Raises :class:`UsageError` for any other."""
    known = api_regions()
    if region is None:
        return known[0]
    if region not in known:
        raise UsageError(
            f"cannot log in to ECR Public through the region {region!r}: its API is only in {' and '.join(known)}",
            hint="Leave the region out: images come from everywhere, only the password comes from there. Asked in another region, AWS's "
            "command line says 'Could not connect to the endpoint URL', and docker behind its pipe then says "
            "'Cannot perform an interactive login from a non TTY device'",
        )
    return region


def fetch_password(*, region: str | None = None, profile: str | None = None) -> Password:
    """Ask AWS for a password, with whatever credentials boto3 finds: profile, SSO, role, container, environment.

    ``AWS_ENDPOINT_URL_ECR_PUBLIC`` and the rest of AWS's settings count, but for the region. Blocks,
    with time-outs. Raises :class:`UsageError` for a region without the API, :class:`MissingExtra`
    without boto3, and :class:`AwsError` for everything else.
    """
    region = checked_region(region)
    asked = Asked(ACTION, region, profile)
    try:
        import boto3  # pyright: ignore[reportMissingTypeStubs]
        from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise MissingExtra("log in to ECR Public", "aws") from None
    config = Config(
        connect_timeout=5,
        read_timeout=15,
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_extra=f"unhub/{__version__}",
    )
    with _without_logs():
        try:
            session = cast(_Session, boto3.Session(profile_name=profile, region_name=region))
            answer = session.client("ecr-public", region_name=region, config=config).get_authorization_token()
        except Exception as error:  # boto3 raises its own two trees, ValueError for URLs, EOFError where it wants to ask
            raise explained(error, asked) from None
    return password_of(answer, asked)


def password_of(answer: dict[str, object], asked: Asked) -> Password:
    """The password in an answer to ``GetAuthorizationToken``; raises :class:`AwsError` where there is none."""
    data = answer.get("authorizationData")
    fields = cast("dict[str, object]", data if isinstance(data, dict) else {})
    token, expires = fields.get("authorizationToken"), fields.get("expiresAt")
    username, password = _pair(token if isinstance(token, str) else "", asked)
    if isinstance(expires, datetime.datetime):
        until = expires.astimezone(datetime.UTC)
    else:
        until = expiry_of(password) or datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=registry_password().hours)
    return Password(username, password, until, asked.region)


def _pair(token: str, asked: Asked) -> tuple[str, str]:
    try:
        text = base64.b64decode(token, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    username, _, password = text.partition(":")
    if not username or not password or not password.isprintable() or any(char.isspace() for char in password):
        raise AwsError(
            f"cannot {asked.action}: the answer has no authorizationToken that is USER:PASSWORD in base64",
            hint="Is there a proxy on the way, or another server behind AWS_ENDPOINT_URL_ECR_PUBLIC?",
        )
    return username, password


def expiry_of(password: str) -> datetime.datetime | None:
    """When a password of ECR Public expires by its own word (base64 of JSON with ``expiration``), in UTC; ``None`` for another one."""
    try:
        value: object = json.loads(base64.b64decode(password, validate=True))
        expiration = cast("dict[str, object]", value).get("expiration") if isinstance(value, dict) else None
        if isinstance(expiration, int | float):
            return datetime.datetime.fromtimestamp(expiration, datetime.UTC)
    except (binascii.Error, ValueError, OverflowError, OSError, RecursionError):
        pass
    return None


@contextlib.contextmanager
def _without_logs() -> Generator[None]:
    """Keep the SDK from logging requests and answers, which hold credentials and the password, whatever level is set."""
    loggers = [logging.getLogger(name) for name in ("boto3", "botocore", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
