"""The tables ``[account.ID]`` of the settings: identities that a mirror has from its first start on."""

from __future__ import annotations

import msgspec


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that refuses keys it does not know."""


class _Identity(_Table, frozen=True, kw_only=True):
    """``policies`` are files with policy documents, relative to the settings file; ``managed`` are AWS's own policies by name or ARN."""

    policies: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()


class User(_Identity, frozen=True, kw_only=True):
    """``[account.ID.user.NAME]``: a user, with an access key if its id is given.

    The key's secret never stands in the file: it is the one line of ``secret-file``, or the value of the environment's
    ``secret-variable``.
    """

    access_key: str | None = msgspec.field(default=None, name="access-key")
    secret_file: str | None = msgspec.field(default=None, name="secret-file")
    secret_variable: str | None = msgspec.field(default=None, name="secret-variable")


class Role(_Identity, frozen=True, kw_only=True):
    """``[account.ID.role.NAME]``: a role; its sessions are made by ``unhub admin key create``."""


class Account(_Table, frozen=True, kw_only=True):
    """``[account.ID]``: an account (12 digits) and its registry, with the registry's ``aliases``, the displayed one first.

    The first account of the file is the default one of a mirror that has none yet.
    """

    aliases: tuple[str, ...] = ()
    verified: bool | None = None
    """``None``: as it is, and not verified where the account is made."""
    user: dict[str, User] = {}
    role: dict[str, Role] = {}
