"""What the checks really ask: hosts over TLS, docker's socket, programs; all of it on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from unhub.doctor.docker_api import DEFAULT_HOST, DockerApi, docker_host
from unhub.doctor.machine import Certificate, NoReply, Reply, in_thread
from unhub.doctor.programs import runner
from unhub.doctor.web import TransportWeb, resolve
from unhub.registry.settings import ClientSettings


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"OK" if self.path == "/_ping" else json.dumps({"ServerVersion": "27.0.1"}).encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "here"

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def https(folder: Path) -> Iterator[tuple[int, Path]]:
    authority = trustme.CA(organization_name="Shop Authority")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        yield server.server_address[1], folder / "ca.pem"


def asked(settings: ClientSettings, *urls: str) -> list[Reply | NoReply]:
    async def ask() -> list[Reply | NoReply]:
        async with TransportWeb(settings, now) as web:
            return [await web.get(url) for url in urls]

    return asyncio.run(ask())


def certificate(settings: ClientSettings, port: int) -> Certificate | NoReply:
    async def ask() -> Certificate | NoReply:
        async with TransportWeb(settings, now) as web:
            return await web.certificate("localhost", port)

    return asyncio.run(ask())


def test_a_host_is_asked_once_and_its_date_is_kept(tmp_path: Path) -> None:
    with https(tmp_path) as (port, authority):
        url = f"https://localhost:{port}/"
        one, two, missing = asked(ClientSettings(ca_files=(authority,)), url, url, f"{url}missing")
    assert isinstance(one, Reply)
    assert one is two
    assert one.answer.header("date")
    assert abs((one.at - now()).total_seconds()) < 60
    assert isinstance(missing, Reply)
    assert missing.answer.status == 404


def test_the_certificate_of_a_registry_may_have_an_authority_of_its_own(tmp_path: Path) -> None:
    with https(tmp_path) as (port, authority):
        url = f"https://localhost:{port}"
        settings = ClientSettings(endpoints={"docker.io": url}, ca={"docker.io": authority})
        (found,) = asked(settings, f"{url}/v2/")
        shown = certificate(settings, port)
    assert isinstance(found, Reply)
    assert isinstance(shown, Certificate)
    assert shown.issuer == "Shop Authority"
    assert shown.until > now()


def test_an_authority_that_is_not_known_is_told_as_such(tmp_path: Path) -> None:
    with https(tmp_path) as (port, _):
        (found,) = asked(ClientSettings(), f"https://localhost:{port}/")
        shown = certificate(ClientSettings(), port)
    assert isinstance(found, NoReply)
    assert "certificate is not trusted" in found.cause
    assert isinstance(shown, NoReply)
    assert "certificate is not trusted" in shown.cause


def test_nobody_there_is_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused, unknown = asked(ClientSettings(), f"http://127.0.0.1:{port}/", "https://no-such-host.invalid/")
    assert isinstance(refused, NoReply)
    assert not refused.is_unresolved
    assert isinstance(unknown, NoReply)
    assert unknown.is_unresolved
    assert isinstance(certificate(ClientSettings(connect_seconds=2), port), NoReply)


def test_proxies_are_those_of_the_client_and_their_passwords_stay_hidden() -> None:
    async def ask(url: str) -> str | None:
        async with TransportWeb(
            ClientSettings(proxies={"https": "http://me:hunter2@proxy.example:3128", "no": "inside.example"}), now
        ) as web:
            return web.proxy(url)

    shown = asyncio.run(ask("https://public.ecr.aws/v2/"))
    assert shown
    assert "proxy.example:3128" in shown
    assert "hunter2" not in shown
    assert asyncio.run(ask("https://inside.example/")) is None
    assert asyncio.run(ask("http://127.0.0.1:5000/")) is None


def test_names_resolve_or_tell_why_not() -> None:
    assert "127.0.0.1" in asyncio.run(resolve("localhost"))  # pyright: ignore
    assert isinstance(asyncio.run(resolve("no-such-host.invalid")), NoReply)


# docker's daemon


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def docker(host: str, *paths: str) -> list[Any]:
    async def ask() -> list[Any]:
        return [await DockerApi(host, now).get(path) for path in paths]

    return asyncio.run(ask())


def test_the_daemon_is_asked_over_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with serving(UnixServer(str(path), Handler)):
        ping, info = docker(f"unix://{path}", "/_ping", "/info")
    assert (ping.answer.status, ping.answer.body) == (200, b"OK")
    assert json.loads(info.answer.body) == {"ServerVersion": "27.0.1"}


def test_a_daemon_over_plain_tcp_is_asked_too() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        (ping,) = docker(f"tcp://127.0.0.1:{server.server_address[1]}", "/_ping")
    assert ping.answer.status == 200


def test_no_socket_a_dead_one_and_other_kinds(tmp_path: Path) -> None:
    (missing,) = docker(f"unix://{tmp_path}/none.sock", "/_ping")
    assert missing.cause == "there is no such socket"
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    (refused,) = docker(f"unix://{dead}", "/_ping")
    assert refused.cause == "nobody listens there"
    assert docker("ssh://builder", "/_ping") == [None]
    (broken,) = docker("tcp://no host", "/_ping")
    assert isinstance(broken, NoReply)


def test_where_docker_looks_for_its_daemon(tmp_path: Path) -> None:
    assert docker_host({}, tmp_path) == DEFAULT_HOST
    assert docker_host({"DOCKER_HOST": "tcp://x:2375"}, tmp_path) == "tcp://x:2375"
    (tmp_path / "config.json").write_text('{"currentContext": "rootless"}', "utf-8")
    assert docker_host({}, tmp_path) == DEFAULT_HOST, "a context without a file"
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"rootless").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text('{"Endpoints": {"docker": {"Host": "unix:///run/user/1000/docker.sock"}}}', "utf-8")
    assert docker_host({}, tmp_path) == "unix:///run/user/1000/docker.sock"
    assert docker_host({"DOCKER_CONTEXT": "default"}, tmp_path) == DEFAULT_HOST
    (folder / "meta.json").write_text("[]", "utf-8")
    assert docker_host({}, tmp_path) == DEFAULT_HOST


# programs and threads


def program(folder: Path, text: str) -> str:
    path = folder / "a-program"
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path.name


def run(folder: Path, *command: str, seconds: float = 20) -> Any:
    async def start() -> Any:
        return await runner({"PATH": f"{folder}:/usr/bin:/bin"})(command, seconds)

    return asyncio.run(start())


def test_a_program_tells_its_status_and_both_streams(tmp_path: Path) -> None:
    found = run(tmp_path, program(tmp_path, 'echo out "$1"; echo err >&2; exit 3'), "list")
    assert (found.status, found.out, found.err) == (3, "out list\n", "err\n")
    assert run(tmp_path, "no-such-program") is None


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    begin = time.monotonic()
    found = run(tmp_path, program(tmp_path, "sleep 60 & sleep 60"), seconds=0.3)
    assert found.status == 124
    assert time.monotonic() - begin < 20


def test_much_output_is_cut(tmp_path: Path) -> None:
    found = run(tmp_path, program(tmp_path, "head -c 1000000 /dev/zero"))
    assert (found.status, len(found.out)) == (0, 65_536)


def test_work_in_a_thread_gives_its_result_or_its_error_and_holds_up_nobody() -> None:
    def fail() -> None:
        raise ValueError("x")

    assert asyncio.run(in_thread(lambda: 5)) == 5
    with pytest.raises(ValueError, match="x"):
        asyncio.run(in_thread(fail))

    async def impatient() -> None:
        async with asyncio.timeout(0.1):
            await in_thread(lambda: time.sleep(1))

    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert time.monotonic() - begin < 0.9
    time.sleep(1.1)  # the thread ends after the loop, and must not complain
