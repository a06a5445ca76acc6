"""AWS for tests: answers ``GetAuthorizationToken`` of ECR Public on loopback, or whatever a test wants instead."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HOURS = 12


def a_password(expires_at: float, word: str = "one") -> str:
    """A password of the form that AWS gives out (ecr-public.md, 2.4)."""
    payload = {"payload": word * 20, "datakey": word, "version": "3", "type": "DATA_KEY", "expiration": int(expires_at)}
    return base64.b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()


def a_token(expires_at: float, word: str = "one") -> dict[str, Any]:
    token = base64.b64encode(f"AWS:{a_password(expires_at, word)}".encode()).decode()
    return {"authorizationData": {"authorizationToken": token, "expiresAt": expires_at}}


@dataclass
class StandIn:
    """What it answers and what it was asked. ``body`` of ``None`` means a new token each time."""

    url: str = ""
    status: int = 200
    body: bytes | None = None
    delay: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)

    def refuse(self, code: str, message: str, status: int = 400) -> None:
        self.status, self.body = status, json.dumps({"__type": code, "message": message}).encode()

    def answer(self, body: object) -> None:
        self.status, self.body = 200, body if isinstance(body, bytes) else json.dumps(body).encode()

    def environment(self, home: str) -> dict[str, str]:
        """Settings under which boto3 and aws ask this and nothing else, with a default region that has no ECR Public."""
        return {
            "AWS_ENDPOINT_URL_ECR_PUBLIC": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            **nobody(home),
        }

    def next(self) -> bytes:
        expires_at = time.time() + HOURS * 3600
        word = f"secret{len(self.passwords)}"
        self.passwords.append(a_password(expires_at, word))
        return json.dumps(a_token(expires_at, word)).encode()


def nobody(home: str) -> dict[str, str]:
    """Settings without any AWS credentials."""
    return {
        "HOME": home,
        "AWS_DEFAULT_REGION": "ap-northeast-1",
        "AWS_REGION": "ap-northeast-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": f"{home}/.aws/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{home}/.aws/credentials",
        "NO_PROXY": "127.0.0.1,localhost",
    }


class _Handler(BaseHTTPRequestHandler):
    stand_in: ClassVar[StandIn]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.stand_in.asked.append(dict(self.headers))
        time.sleep(self.stand_in.delay)
        body = self.stand_in.next() if self.stand_in.body is None else self.stand_in.body
        self.send_response(self.stand_in.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextlib.contextmanager
def aws_stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
