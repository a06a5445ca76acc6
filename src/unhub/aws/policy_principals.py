"""The elements ``Principal`` and ``NotPrincipal`` of resource and trust policies, and who is asking."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACCOUNT = re.compile(r"(?:arn:[a-z-]+:iam::)?([0-9]{12})(?::root)?")

KINDS = ("AWS", "Service", "Federated", "CanonicalUser")
"""The kinds of principals that IAM knows."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: every name that a policy may use for it, and its account (12 digits).

    A user has its ARN; an assumed role has the role's ARN and the session's. ``kind`` is one of :data:`KINDS`.
    A caller without a login is no :class:`Caller` but ``None``.
    """

    names: tuple[str, ...]
    account: str | None = None
    kind: str = "AWS"

    @property
    def is_root(self) -> bool:
        """Whether it is the account's own root user."""
        return self.account is not None and any(name.endswith(f":iam::{self.account}:root") for name in self.names)


@dataclass(frozen=True, slots=True)
class Principals:
    """Who a statement is about: everybody, or names by kind. ``excluded``: everybody but these."""

    everybody: bool = False
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Meant:
    """Whether a statement is about a caller, and whether only by way of its account.

    An account that is named hands the decision on to its own identity policies (unverified): within one
    account that alone allows nobody anything.
    """

    meant: bool
    delegated: bool = False


def is_meant(principals: Principals, caller: Caller | None) -> Meant:
    """Whether a statement of a resource policy is about this caller."""
    by_name = principals.everybody or _by_name(principals, caller)
    by_account = not by_name and _by_account(principals, caller)
    if principals.excluded:
        return Meant(not by_name and not by_account)
    return Meant(by_name or by_account, delegated=by_account and caller is not None and not caller.is_root)


def _by_name(principals: Principals, caller: Caller | None) -> bool:
    if any(kind == "AWS" and "*" in names for kind, names in principals.names):
        return True
    return caller is not None and any(kind == caller.kind and set(names) & set(caller.names) for kind, names in principals.names)


def _by_account(principals: Principals, caller: Caller | None) -> bool:
    if caller is None or caller.account is None or caller.kind != "AWS":
        return False
    named = (_ACCOUNT.fullmatch(name) for kind, names in principals.names if kind == "AWS" for name in names)
    return any(account is not None and account[1] == caller.account for account in named)
