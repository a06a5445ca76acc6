"""Certificates that this mirror makes for itself: a small authority, and a certificate for its names.

ECDSA on P-256 (every client takes it); with all extensions that strict verifiers want (RFC 5280, 4.2; Python's
``VERIFY_X509_STRICT``). The authority stays when the certificate is made anew, so that clients go on trusting it.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from unhub.image.errors import UsageError, WriteFailed

AUTHORITY_DAYS: Final = 3650
DAYS: Final = 397
"""The longest that browsers and Apple's systems accept (CA/Browser Forum baseline requirements, 6.3.2)."""

EARLIER: Final = datetime.timedelta(hours=1)
"""How long before now certificates begin, for clocks that are slow."""

_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where everything lies. ``authority`` is what clients must trust; the keys are for this user alone."""

    authority: Path
    authority_key: Path
    certificate: Path
    key: Path

    @classmethod
    def below(cls, folder: Path) -> CertificateFiles:
        """The files of a folder."""
        return cls(folder / "ca.crt", folder / "ca.key", folder / "server.crt", folder / "server.key")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: whether the authority is new, and when the certificate ends."""

    files: CertificateFiles
    is_new_authority: bool
    ends: datetime.datetime


def make(folder: Path, hosts: Sequence[str], now: datetime.datetime, *, days: int = DAYS) -> Made:
    """Make a certificate for names and addresses, and an authority where there is none yet.

    Raises :class:`UsageError` for a host that is none or an authority that cannot be read, :class:`WriteFailed`.
    """
    names = [_name(host) for host in hosts]
    files = CertificateFiles.below(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not (files.authority.exists() and files.authority_key.exists())
        if is_new:
            _make_authority(files, now)
        ends = _make_certificate(files, names, now, days)
    except OSError as error:
        raise WriteFailed(f"cannot write {error.filename or folder}: {error.strerror or error}") from None
    return Made(files, is_new, ends)


def _name(host: str) -> x509.GeneralName:
    text = host.strip("[]").lower().removesuffix(".")
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    if not text.isascii() or len(text) > 253 or not _HOST.fullmatch(text):
        raise UsageError(
            f"cannot make a certificate for {host!r}: it is neither a host's name nor an address", hint="Leave out ports and https://"
        )
    return x509.DNSName(text)


def _make_authority(files: CertificateFiles, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"unhub mirror authority {now:%Y-%m-%d}")])
    builder = (
        _begun(name, name, key, now, now + datetime.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    _write(files.authority_key, _pem(key), 0o600)
    _write(files.authority, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o644)


def _make_certificate(files: CertificateFiles, names: Sequence[x509.GeneralName], now: datetime.datetime, days: int) -> datetime.datetime:
    authority, authority_key = _read_authority(files)
    ends = min(now + datetime.timedelta(days=days), authority.not_valid_after_utc)
    if ends <= now:
        ended = f"{authority.not_valid_after_utc:%Y-%m-%d}"
        raise UsageError(f"cannot use the authority {files.authority}: it ended on {ended}", hint="Remove it to have a new one made")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(names[0].value)[:64])])
    builder = (
        _begun(subject, authority.subject, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    signed = builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    _write(files.key, _pem(key), 0o600)
    _write(files.certificate, signed + authority.public_bytes(serialization.Encoding.PEM), 0o644)
    return ends


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, ends: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _read_authority(files: CertificateFiles) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    hint = "Remove it to have a new one made; clients must then trust that one"
    try:
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        key = serialization.load_pem_private_key(files.authority_key.read_bytes(), None)
    except (ValueError, TypeError):
        raise UsageError(f"cannot use the authority {files.authority}: it or its key is damaged", hint=hint) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != authority.public_key():
        raise UsageError(f"cannot use the authority {files.authority}: {files.authority_key.name} is not its key", hint=hint)
    return authority, key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all; nobody sees a key before its mode is right."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
    new.replace(path)
