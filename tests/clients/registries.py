"""Debian's docker-registry, started by the tests: plain, with passwords, with TLS, with a token service."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import http.server
import io
import json
import socket
import ssl
import subprocess
import tarfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.tools import tool

USER, PASSWORD = "builder", "s3cret-Pa55word"


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Registry:
    """A running registry. ``name`` is its host and port as references spell it; ``ca`` its authority's certificate (PEM)."""

    name: str
    url: str
    folder: Path
    ca: bytes | None = None
    log: Path = field(default=Path("/dev/null"))


@contextlib.contextmanager
def docker_registry(
    folder: Path, *, passwords: bool = False, tls: bool = False, token_service: TokenService | None = None
) -> Iterator[Registry]:
    """Run docker-registry on loopback with everything it keeps in ``folder``."""
    program = tool("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "of the test"},
    }
    ca = None
    if tls:
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1", "public.ecr.aws")
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
        ca = authority.cert_pem.bytes()
        settings["http"]["tls"] = {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")}
    if passwords:
        line = subprocess.run([tool("htpasswd"), "-nbB", USER, PASSWORD], capture_output=True, check=True).stdout
        (folder / "htpasswd").write_bytes(line)
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    if token_service:
        (folder / "token.pem").write_bytes(token_service.certificate)
        settings["auth"] = {
            "token": {
                **{"realm": f"{token_service.url}/token", "service": token_service.service, "issuer": token_service.issuer},
                "rootcertbundle": str(folder / "token.pem"),
            }
        }
    (folder / "settings.yml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", str(folder / "settings.yml")], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _await_port(process, port, log)
        yield Registry(f"localhost:{port}", f"{'https' if tls else 'http'}://localhost:{port}", folder, ca, log)
    finally:
        process.kill()
        process.wait(20)


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"docker-registry does not start:\n{log.read_text('utf-8', 'replace')[-3000:]}", pytrace=False)
        time.sleep(0.05)


class TokenService:
    """A token service as distribution's specification describes it; knows one account, and nobody else may push.

    ``requests`` holds for each request who asked (``None``: anonymous) and for which scopes.
    """

    issuer = "tests"
    service = "registry.test"

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = _self_signed(self._key)
        self.requests: list[tuple[str | None, tuple[str, ...]]] = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[TokenService]:
        """Answer in a thread until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(20)

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        scopes = tuple(" ".join(query.get("scope", ())).split())
        header = request.headers.get("Authorization", "")
        user = None
        if header.startswith("Basic "):
            if base64.b64decode(header[6:]).decode() != f"{USER}:{PASSWORD}":
                self._send(request, 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})
                return
            user = USER
        self.requests.append((user, scopes))
        self._send(request, 200, {"token": self._token(user, scopes), "expires_in": 300})

    @staticmethod
    def _send(request: http.server.BaseHTTPRequestHandler, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _token(self, user: str | None, scopes: tuple[str, ...]) -> str:
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = [action for action in actions.split(",") if user or action == "pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        claims = {
            "iss": self.issuer,
            "aud": self.service,
            "sub": user or "",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "access": access,
        }
        certificate = x509.load_pem_x509_certificate(self.certificate).public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(certificate).decode()]}
        signed = f"{_encoded(head)}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _self_signed(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def push(registry: Registry, repository: str, tag: str, layers: dict[str, bytes], *, authorization: str = "") -> str:
    """Put a small image into a registry by plain HTTP requests and return its digest."""
    context = ssl.create_default_context(cadata=registry.ca.decode()) if registry.ca else None

    def request(method: str, url: str, body: bytes | None = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization:
            sent["Authorization"] = authorization
        return urllib.request.urlopen(urllib.request.Request(url, data=body, method=method, headers=sent), timeout=20, context=context)

    def blob(data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        with request("POST", f"{registry.url}/v2/{repository}/blobs/uploads/", b"") as answer:
            place = urllib.parse.urljoin(registry.url, answer.headers["Location"])
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        with request("PUT", joined, data, Content_Type="application/octet-stream"):
            pass
        return {"digest": digest, "size": len(data)}

    descriptors, ids = [], []
    for name, data in layers.items():
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
        ids.append(f"sha256:{hashlib.sha256(buffer.getvalue()).hexdigest()}")
        layer = blob(gzip.compress(buffer.getvalue(), mtime=0))
        descriptors.append({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **layer})
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps(
        {
            **{"schemaVersion": 2, "mediaType": kind, "layers": descriptors},
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **blob(json.dumps(config).encode())},
        }
    ).encode()
    with request("PUT", f"{registry.url}/v2/{repository}/manifests/{tag}", manifest, Content_Type=kind):
        pass
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"
