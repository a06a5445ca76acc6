"""What went wrong between us and AWS, in words, with AWS's own code and what to do.

boto3 is not imported here: errors are told apart by the names of their classes and by AWS's codes
(codebuild-and-iam.md, 6.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from unhub.image.errors import AwsError


@dataclass(frozen=True, slots=True)
class Asked:
    """What was tried, for messages: ``action`` reads "cannot <action>"; ``profile`` is ``None`` for the default one."""

    action: str
    region: str
    profile: str | None = None

    @property
    def profile_option(self) -> str:
        """What to add to an ``aws`` command so that it means the same profile."""
        return f" --profile {self.profile}" if self.profile else ""


class Explanation(NamedTuple):
    """Why, and what to do next."""

    cause: str
    hint: str


def explained(error: Exception, asked: Asked) -> AwsError:
    """The error of boto3 or botocore as ours; ``aws_code`` is AWS's word where AWS answered at all."""
    response = _error_of(error)
    if response is not None:
        code, message = response
        operation = getattr(error, "operation_name", "") or "the call"
        cause, hint = _refused(code, message, asked)
        said = f"; AWS said to {operation}: {code}: {_line(message)}" if message else f"; AWS answered {operation} with {code}"
        return AwsError(f"cannot {asked.action}: {cause}{said}", aws_code=code, hint=hint)
    for kind in type(error).__mro__:
        if explain := _CLIENT_SIDE.get(kind.__name__):
            cause, hint = explain(error, asked)
            return AwsError(f"cannot {asked.action}: {cause}", hint=hint)
    return AwsError(f"cannot {asked.action}: {_line(str(error)) or type(error).__name__}", hint="`unhub doctor` checks the way to AWS")


def _line(text: str) -> str:
    return " ".join(text.split())[:600]


def _error_of(error: Exception) -> tuple[str, str] | None:
    """AWS's code and message of a ``ClientError``; ``None`` for another error."""
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return None
    details = cast("Mapping[str, object]", response).get("Error")
    fields = cast("Mapping[str, object]", details if isinstance(details, Mapping) else {})
    return str(fields.get("Code") or "Unknown"), str(fields.get("Message") or "")


# AWS answered

_CLOCK = re.compile(r"signature expired|signature not yet current|is now earlier than|is still later than|too skewed", re.IGNORECASE)
_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_CLOCK_CODES = {"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}


def _refused(code: str, message: str, asked: Asked) -> Explanation:
    if code in _CLOCK_CODES or _CLOCK.search(message):
        return Explanation(
            "this machine's clock is wrong", "Set the clock (timedatectl set-ntp true; restart a virtual machine that slept)"
        )
    name = code.removesuffix("Exception")
    if explain := _ANSWERS.get(name):
        return explain(message, asked)
    if code.isdigit() or code in ("Unknown", "UnknownError"):
        return Explanation(
            "the answer is not one of AWS's", "Is there a proxy on the way that answers itself? AWS_ENDPOINT_URL and HTTPS_PROXY decide"
        )
    return Explanation("AWS refused", "The code says why; `unhub doctor` checks credentials, region and permissions")


def _denied(message: str, asked: Asked) -> Explanation:
    del asked
    action = _ACTION.search(message)
    what = f"the permission {action[1]} is missing" if action else "a permission is missing"
    if "explicit deny" in message:
        what = f"{action[1]} is denied by a policy" if action else "a policy denies it"
        return Explanation(
            what, "An Allow does not help against an explicit deny: look for it in the user's or role's policies, boundary and organization"
        )
    return Explanation(what, "`unhub iam-policy` prints the least policy that allows it, and how to attach it")


def _expired(message: str, asked: Asked) -> Explanation:
    del message
    return Explanation(
        "the AWS credentials have expired",
        f"Renew them (aws sso login{asked.profile_option}, or new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN)",
    )


def _unknown_key(message: str, asked: Asked) -> Explanation:
    del message, asked
    return Explanation(
        "AWS does not know the access key",
        "Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN or the profile: deleted, mistyped, a token of other keys, "
        "or keys of another partition (China, GovCloud), which has no ECR Public",
    )


def _wrong_secret(message: str, asked: Asked) -> Explanation:
    del message, asked
    return Explanation("the secret key does not belong to the access key", "Check AWS_SECRET_ACCESS_KEY or the profile")


def _throttled(message: str, asked: Asked) -> Explanation:
    del message, asked
    return Explanation(
        "too many calls at once in this account",
        "Try again in some seconds; docker-credential-unhub asks once in hours (`unhub login --helper`)",
    )


def _unsupported(message: str, asked: Asked) -> Explanation:
    del message
    return Explanation(f"ECR Public's API in {asked.region} does not do that", "Leave the region out; us-east-1 has everything")


def _broken(message: str, asked: Asked) -> Explanation:
    del message, asked
    return Explanation("AWS has a failure of its own", "Try again; anonymous pulls go on meanwhile")


def _unsigned(message: str, asked: Asked) -> Explanation:
    del message, asked
    return Explanation("the request came to AWS without a whole signature", "Is there a proxy on the way that takes headers out?")


def _not_opted_in(message: str, asked: Asked) -> Explanation:
    del message, asked
    return Explanation("the account is not active for the service", "Finish the account's registration in the AWS console")


_ANSWERS: Mapping[str, Callable[[str, Asked], Explanation]] = {
    "AccessDenied": _denied,
    "UnauthorizedOperation": _denied,
    "ExpiredToken": _expired,
    "TokenRefreshRequired": _expired,
    "UnrecognizedClient": _unknown_key,
    "InvalidClientTokenId": _unknown_key,
    "InvalidAccessKeyId": _unknown_key,
    "AuthFailure": _unknown_key,
    "InvalidSignature": _wrong_secret,
    "SignatureDoesNotMatch": _wrong_secret,
    "Throttling": _throttled,
    "ThrottledException": _throttled,
    "TooManyRequests": _throttled,
    "RequestLimitExceeded": _throttled,
    "RequestThrottled": _throttled,
    "SlowDown": _throttled,
    "UnsupportedCommand": _unsupported,
    "UnknownOperation": _unsupported,
    "Server": _broken,
    "InternalFailure": _broken,
    "InternalServerError": _broken,
    "InternalError": _broken,
    "ServiceUnavailable": _broken,
    "MissingAuthenticationToken": _unsigned,
    "IncompleteSignature": _unsigned,
    "OptInRequired": _not_opted_in,
}


# AWS was not asked, or did not answer


def _kwargs(error: Exception) -> Mapping[str, object]:
    return cast("Mapping[str, object]", getattr(error, "kwargs", {}))


def _no_credentials(error: Exception, asked: Asked) -> Explanation:
    del error, asked
    return Explanation(
        "there are no AWS credentials",
        "Log in (aws login, aws sso login), set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role "
        "is attached; inside docker in CodeBuild pass AWS_CONTAINER_CREDENTIALS_RELATIVE_URI on",
    )


def _partial(error: Exception, asked: Asked) -> Explanation:
    del asked
    return Explanation(_line(str(error)), "Access key and secret key go together")


def _no_profile(error: Exception, asked: Asked) -> Explanation:
    del asked
    profile = _kwargs(error).get("profile")
    return Explanation(
        f"there is no profile {profile!r} in AWS's configuration",
        "`aws configure list-profiles` shows those there are; AWS_PROFILE names one, too",
    )


def _bad_config(error: Exception, asked: Asked) -> Explanation:
    del asked
    return Explanation(_line(str(error)), "Mend AWS's configuration (~/.aws/config, ~/.aws/credentials)")


def _sso(error: Exception, asked: Asked) -> Explanation:
    del error
    return Explanation("the SSO session has expired, or there is none", f"Run: aws sso login{asked.profile_option}")


def _console_login(error: Exception, asked: Asked) -> Explanation:
    return Explanation(_line(str(error)), f"Run: aws login{asked.profile_option}")


def _retrieval(error: Exception, asked: Asked) -> Explanation:
    del asked
    return Explanation(
        _line(str(error)), "The profile's credential_process, its web identity file or the instance's metadata service failed; try it alone"
    )


def _mfa(error: Exception, asked: Asked) -> Explanation:
    del error, asked
    return Explanation(
        "the profile wants an MFA code, and nobody is there to type it", "Get a session with the code first, or use another profile"
    )


def _unreachable(error: Exception, asked: Asked) -> Explanation:
    url = _kwargs(error).get("endpoint_url") or _kwargs(error).get("proxy_url") or "the endpoint"
    return Explanation(
        f"{url} cannot be reached",
        f"Check the network, DNS, HTTPS_PROXY and AWS_ENDPOINT_URL_ECR_PUBLIC; the region {asked.region} is right"
        if "ecr-public" in str(url)
        else "Check the network, DNS, HTTPS_PROXY and AWS_ENDPOINT_URL",
    )


def _slow(error: Exception, asked: Asked) -> Explanation:
    del asked
    url = _kwargs(error).get("endpoint_url") or "the endpoint"
    return Explanation(f"{url} did not answer in time", "Try again; check HTTPS_PROXY and the firewall")


def _tls(error: Exception, asked: Asked) -> Explanation:
    del asked
    return Explanation(
        f"TLS failed: {_line(str(error))}", "Where a proxy has certificates of its own, name its CA in AWS_CA_BUNDLE; also check the clock"
    )


_CLIENT_SIDE: Mapping[str, Callable[[Exception, Asked], Explanation]] = {
    "NoCredentialsError": _no_credentials,
    "NoAuthTokenError": _no_credentials,
    "PartialCredentialsError": _partial,
    "ProfileNotFound": _no_profile,
    "ConfigNotFound": _bad_config,
    "ConfigParseError": _bad_config,
    "InvalidConfigError": _bad_config,
    "UnknownCredentialError": _bad_config,
    "SSOError": _sso,
    "TokenRetrievalError": _sso,
    "UnknownTokenProviderError": _sso,
    "LoginError": _console_login,
    "CredentialRetrievalError": _retrieval,
    "MetadataRetrievalError": _retrieval,
    "RefreshWithMFAUnsupportedError": _mfa,
    "EOFError": _mfa,
    "SSLError": _tls,
    "ConnectTimeoutError": _slow,
    "ReadTimeoutError": _slow,
    "ProxyConnectionError": _unreachable,
    "ConnectionError": _unreachable,
    "HTTPClientError": _unreachable,
}
