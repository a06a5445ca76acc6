"""A JSON file of logins as docker, podman and helm share its form: ``auths``, ``credHelpers``, ``credsStore``."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from unhub.image.errors import CredentialsError
from unhub.registry import json_text, shared_file
from unhub.registry.credential import Credential, credential_of, docker_address, entry_of, hostname
from unhub.registry.helper_program import PREFIX, HelperProgram

Document = dict[str, object]


class LoginFile:
    """One file. What differs between the programs, their classes say.

    ``shown`` is the path for people. Everything raises :class:`CredentialsError`: for a file that
    cannot be read or is broken (with line and column), and for a helper that is missing or fails.
    The file is read once; changes read it again.
    """

    def __init__(self, path: Path, shown: str | None = None) -> None:
        self.path = path
        self.shown = shown or str(path)
        self._document = self._read()

    # what the programs do alike

    def find(self, registry: str) -> Credential | None:
        """The login for a registry: from its helper where one is set, else from ``auths``. May block."""
        server = self.address(registry)
        if helper := self.helper_for(registry):
            login = helper.get(server)
            return Credential(login.username, login.secret, f"helper {helper.name}") if login else None
        for key, entry in self._section("auths").items():
            if key == server:
                return self._credential(key, entry)
        return next((self._credential(key, entry) for key, entry in self._section("auths").items() if self.is_same(key, server)), None)

    def store(self, registry: str, credential: Credential) -> str:
        """Keep a login, through the helper where one is set; says where, for people."""
        server = self.address(registry)
        helper = self.helper_for(registry)
        if helper is None:
            self._change(lambda text: json_text.with_member(text, ("auths", server), entry_of(credential)))
            return self.shown
        helper.store(server, credential.username, credential.secret)
        self._note_stored(server, helper)
        return f"helper {helper.name}"

    def erase(self, registry: str) -> tuple[str, ...]:
        """Forget a login, in the helper and in the file; says where there was one, for people."""
        server = self.address(registry)
        erased: list[str] = []
        if helper := self.helper_for(registry):
            if helper.get(server) is not None:
                erased.append(f"helper {helper.name}")
            helper.erase(server)
        keys = [key for key in self._section("auths") if key == server or self.is_same(key, server)]
        if any(self._section("auths")[key] for key in keys):
            erased.append(self.shown)
        if keys:
            self._change(lambda text: _without(text, keys))
        return tuple(erased)

    def helper_for(self, registry: str) -> HelperProgram | None:
        """The helper that keeps this registry's login; ``None`` where the file itself does, as plain base64."""
        server = self.address(registry)
        helpers = self._section("credHelpers")
        if server in helpers:
            name = helpers[server]
            named_in = f"credHelpers in {self.shown}"
        else:
            name, named_in = self.default_helper(), f"credsStore in {self.shown}"
        if name is not None and not isinstance(name, str):
            raise CredentialsError(f"cannot read {self.shown}: the helper for {server} is no text")
        return HelperProgram(name, named_in) if name else None

    def set_helper(self, registry: str, name: str) -> str | None:
        """Have ``docker-credential-<name>`` answer for a registry; its entry in ``auths`` goes. Returns the helper it had."""
        server = self.address(registry)
        before = self._section("credHelpers").get(server)
        keys = [key for key in self._section("auths") if key == server or self.is_same(key, server)]
        self._change(lambda text: json_text.with_member(_without(text, keys), ("credHelpers", server), name))
        return before if isinstance(before, str) else None

    def unset_helper(self, registry: str) -> bool:
        """Take a registry out of ``credHelpers``; says whether it was there."""
        server = self.address(registry)
        helpers = self._section("credHelpers")
        if server not in helpers:
            return False
        path = ("credHelpers", server) if len(helpers) > 1 else ("credHelpers",)
        self._change(lambda text: json_text.without_member(text, path))
        return True

    # what differs

    def address(self, registry: str) -> str:
        """The key of a registry in this file."""
        return docker_address(registry)

    def is_same(self, key: str, server: str) -> bool:
        """Whether a key of ``auths`` that is not ``server`` to the letter means it all the same."""
        return hostname(key) == server

    def default_helper(self) -> str | None:
        """The helper for whatever ``credHelpers`` does not name."""
        return self._default_helper() or self.detected_helper()

    def detected_helper(self) -> str | None:
        """The system's own store where the file says nothing at all about logins and its helper is installed, as docker has it."""
        if self._section("auths") or self._section("credHelpers") or self._default_helper():
            return None
        name = {"darwin": "osxkeychain", "win32": "wincred"}.get(sys.platform) or ("pass" if shutil.which("pass") else "secretservice")
        return name if shutil.which(PREFIX + name) else None

    def _note_stored(self, server: str, helper: HelperProgram) -> None:
        """What the file holds beside a login that a helper keeps: docker writes an empty entry."""
        detected = self.detected_helper() == helper.name

        def edit(text: str) -> str:
            text = json_text.with_member(text, ("auths", server), {})
            return json_text.with_member(text, ("credsStore",), helper.name) if detected else text

        self._change(edit)

    # reading and changing

    def _default_helper(self) -> str | None:
        name = _field(self._document, "credsStore")
        if name is not None and not isinstance(name, str):
            raise CredentialsError(f"cannot read {self.shown}: credsStore is no text")
        return name or None

    def _section(self, name: str) -> Mapping[str, object]:
        value = _field(self._document, name)
        if value is not None and not isinstance(value, dict):
            raise CredentialsError(f"cannot read {self.shown}: {name} is no object", hint=_MEND)
        return cast(Document, value or {})

    def _credential(self, key: str, entry: object) -> Credential | None:
        if entry is not None and not isinstance(entry, dict):
            raise CredentialsError(f"cannot read {self.shown}: the entry {key} of auths is no object", hint=_MEND)
        try:
            return credential_of(cast(Document, entry or {}), f"auths in {self.shown}")
        except ValueError as error:
            raise CredentialsError(
                f"cannot read {self.shown}: in the entry {key} of auths {error}", hint=f"Log in to {key} again, or take the entry out"
            ) from None

    def _read(self) -> Document:
        return parsed(shared_file.read(self.path, self.shown) or b"", self.shown)

    def _change(self, edit: Callable[[str], str]) -> None:
        def change(data: bytes | None) -> bytes:
            parsed(data or b"", self.shown)  # nothing is written over a file that is broken
            return edit((data or b"").decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

        shared_file.change(self.path, self.shown, change)
        self._document = self._read()


_MEND = "Mend the file, or move it away and log in again"


def parsed(data: bytes, shown: str) -> Document:
    """The document in a file's bytes; raises :class:`CredentialsError` with line and column."""
    try:
        return json_text.parse(data.decode("utf-8", "surrogateescape"))
    except json.JSONDecodeError as error:
        raise CredentialsError(f"cannot read {shown}: line {error.lineno}, column {error.colno}: {error.msg}", hint=_MEND) from None
    except ValueError as error:
        raise CredentialsError(f"cannot read {shown}: {error}", hint=_MEND) from None


def _field(document: Document, name: str) -> object:
    """A field by its name in any case of letters, the last one: so Go's decoder reads it."""
    found: object = None
    for key, value in document.items():
        if key.lower() == name.lower():
            found = value
    return found


def _without(text: str, keys: list[str]) -> str:
    for key in keys:
        text = json_text.without_member(text, ("auths", key))
    return text
