"""The instance's key, and what is encrypted with it.

A signature of AWS's can only be checked with the secret access key itself: those, and the keys that sign tokens, lie in the
database encrypted (AES-256-GCM). The key is beside the database, not in it: a copy of the database alone opens nothing.
Whatever needs no more than a comparison (session tokens) is not encrypted but hashed.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from unhub.image.errors import RefusedError

Entropy = Callable[[int], bytes]
"""So many bytes that nobody can guess."""

FILE: Final = "instance.key"
_BYTES: Final = 32
_NONCE: Final = 12
_FORMAT: Final = b"\x01"


class InstanceKey:
    """Encrypts small things, each for one purpose."""

    def __init__(self, secret: bytes, entropy: Entropy = os.urandom) -> None:
        """``secret`` has 32 bytes."""
        self._cipher = AESGCM(secret)
        self._entropy = entropy

    def __repr__(self) -> str:
        return "InstanceKey(…)"

    @classmethod
    def at(cls, path: Path, entropy: Entropy = os.urandom) -> InstanceKey:
        """The key in a file, made where there is none; of several processes that make it, one does.

        Raises :class:`RefusedError` where others may read the file, or it holds no key; ``OSError`` where it cannot be written.
        """
        try:
            text = _read(path)
        except FileNotFoundError:
            _create(path, base64.b64encode(entropy(_BYTES)) + b"\n")
            text = _read(path)
        try:
            secret = base64.b64decode(text.strip(), validate=True)
        except ValueError:
            secret = b""
        if len(secret) != _BYTES:
            hint = "Put back the file as it was: without it no access key and no token is known any more"
            raise RefusedError(f"cannot use {path}: it holds no key", hint=hint)
        return cls(secret, entropy)

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Encrypt; only :meth:`open` with the same purpose gives it back."""
        nonce = self._entropy(_NONCE)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, data, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt. Raises :class:`RefusedError` for what was sealed with another key, for another purpose, or was changed."""
        kind, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            if kind == _FORMAT:
                return self._cipher.decrypt(nonce, rest, purpose.encode())
        except (InvalidTag, ValueError):
            pass
        hint = f"Is {FILE} the one that belongs to this database?"
        raise RefusedError(f"cannot open what is stored about {purpose}: it was sealed with another key", hint=hint)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise RefusedError(
                f"cannot use {path}: others may read it", hint=f"chmod 600 {path}; if others could read it for long, make new keys"
            )
        return file.read(1024)


def _create(path: Path, text: bytes) -> None:
    """Write a new file whole, or leave the one that somebody else has made meanwhile."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
