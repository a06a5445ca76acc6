"""What belongs to the operator: secrets, the data folder, metrics, operations; and blocks and purges that are felt everywhere."""

from __future__ import annotations

import ast
import base64
import re
import socket
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.command_line import process
from tests.hub import basic, docker_hub, ecr_public, small_image
from tests.mirror import Mirror, running_mirror, wait_until
from tests.security.test_mirror_security import ACCOUNT, PASSWORD
from unhub.demo.handles import Hub
from unhub.image.digest import Digest

SOURCE = Path(__file__).parents[2] / "src" / "unhub"
IMAGE = small_image("blocked")
LAYER = IMAGE.layers[0]
DOORS = ("library/app", "app", "docker/library/app", "docker.io/library/app")
PUSH_PASSWORD = "open-sesame-0815"


@contextmanager
def two_workers(folder: Path) -> Generator[tuple[Hub, Mirror]]:
    config = folder / "unhub.toml"
    with docker_hub(images=()) as hub:
        config.write_text(f'[upstream.docker]\nurl = "{hub.url}"\nhold = 1\nfallback = []\n')
        stack = running_mirror(folder, None, arguments=("--workers", "2", "--config", config))
        yield from _filled(hub, stack)


def _filled(hub: Hub, running: AbstractContextManager[Mirror]) -> Generator[tuple[Hub, Mirror]]:
    with running as mirror:
        hub.add(IMAGE, "library/app:1")
        assert mirror.get("/v2/library/app/manifests/1").status == 200
        assert mirror.get(f"/v2/library/app/blobs/{LAYER}").status == 200
        yield hub, mirror


def paths(digest: str) -> list[str]:
    """Every way to a digest by reading."""
    kinds = [f"blobs/{digest}"] if digest == LAYER else [f"manifests/{digest}", "manifests/1"]
    return [f"/v2/{door}/{kind}" for door in DOORS for kind in kinds] + [f"/v2/library/app/{kind}?ns=docker.io" for kind in kinds]


def statuses(mirror: Mirror, digest: str) -> set[int]:
    """What is answered to every way of reading, asked so often that both workers are."""
    found: set[int] = set()
    for _ in range(6):
        for path in paths(digest):
            found.add(mirror.get(path).status)
            found.add(mirror.get(path, "HEAD").status)
            found.add(mirror.get(path, Range="bytes=0-3").status)
            found.add(mirror.get(path, If_None_Match=f'"{digest}"').status)
    return found


def mounted(mirror: Mirror, digest: str) -> set[int]:
    sources = ("&from=library/app", "&from=docker/library/app", "")
    return {mirror.get(f"/v2/local/thief/blobs/uploads/?mount={digest}{source}", "POST").status for source in sources for _ in range(4)}


def command(mirror: Mirror, folder: Path, *arguments: str) -> float:
    """Run a command against the mirror; the time at which it ended."""
    ended = process("cache", *arguments, "--server", mirror.url, "--data", mirror.data, cwd=folder)
    assert ended.status == 0, ended.err
    return time.monotonic()


@pytest.mark.parametrize("digest", [LAYER, IMAGE.digest], ids=["a layer", "a manifest"])
def test_a_block_is_felt_within_a_second_by_all_workers_in_all_doors(tmp_path: Path, digest: str) -> None:
    with two_workers(tmp_path) as (_, mirror):
        assert statuses(mirror, digest) <= {200, 206, 304}
        done = command(mirror, tmp_path, "block", digest, "--reason", "malware, ticket 12")
        time.sleep(max(0.0, done + 1.0 - time.monotonic()))
        assert statuses(mirror, digest) == {403}
        assert mounted(mirror, digest) <= {202, 403}
        said = mirror.get(paths(digest)[0])
        assert said.code == "DENIED"
        assert "malware, ticket 12" in said.message
        done = command(mirror, tmp_path, "unblock", digest)
        time.sleep(max(0.0, done + 1.0 - time.monotonic()))
        assert statuses(mirror, digest) <= {200, 206, 304}


@pytest.mark.parametrize("digest", [LAYER, IMAGE.digest], ids=["a layer", "a manifest"])
def test_a_purge_is_felt_within_a_second_by_all_workers_in_all_doors(tmp_path: Path, digest: str) -> None:
    """Nobody out there answers any more, so whatever is still served was not purged."""
    with two_workers(tmp_path) as (hub, mirror):
        assert statuses(mirror, digest) <= {200, 206, 304}
        for site in ("registry", "token", "cdn"):
            hub.listen(site, on=False)
        done = command(mirror, tmp_path, "purge", digest)
        time.sleep(max(0.0, done + 1.0 - time.monotonic()))
        blob = mirror.data / "blobs" / "sha256"
        for path in paths(digest):
            for said in (mirror.get(path), mirror.get(path, Range="bytes=0-3"), mirror.get(path, If_None_Match=f'"{digest}"')):
                assert said.status in (404, 429, 503)
            if digest == IMAGE.digest:  # what a layer's size is stands in manifests that are still here
                assert mirror.get(path, "HEAD").status in (404, 429, 503)
        assert mounted(mirror, LAYER) == {202}
        wait_until(lambda: not list(blob.rglob(LAYER.partition(":")[2])), 30, "the file stayed")


def test_what_is_kept_is_for_this_user_alone(tmp_path: Path) -> None:
    with docker_hub(images=()) as hub, running_mirror(tmp_path, hub) as mirror:
        hub.add(IMAGE, "library/app:1")
        assert mirror.get("/v2/library/app/manifests/1").status == 200
        assert mirror.get(f"/v2/library/app/blobs/{LAYER}").status == 200
        assert mirror.data.stat().st_mode & 0o777 == 0o700
        assert (mirror.data / "admin.token").stat().st_mode & 0o777 == 0o600
        assert len(mirror.token) >= 32
        for path in (mirror.data / "run").iterdir():
            assert path.stat().st_mode & 0o077 == 0 or path.suffix == ".json", path
        for name in ("blobs", "spool", "uploads", "run"):
            assert (mirror.data / name).stat().st_mode & 0o077 == 0, name


def test_secrets_are_compared_in_constant_time() -> None:
    """No ``==`` on a secret: not the admin token, not the push password, not an upload's owner."""
    for path, function in (
        ("server/operations/access.py", "has_token"),
        ("server/distribution/open_access.py", "compare_digest"),
        ("mirror/uploads.py", "_check"),
    ):
        text = (SOURCE / path).read_text("utf-8")
        assert "compare_digest" in text, path
        assert function in text, path
    for path in (*(SOURCE / "server").rglob("*.py"), *(SOURCE / "mirror").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
                sides = {ast.unparse(one).rpartition(".")[2].lstrip("_") for one in (node.left, *node.comparators)}
                assert not sides & {"token", "password", "push_password", "secret"}, f"{path.name}:{node.lineno}"


def test_operations_need_the_admin_token(tmp_path: Path) -> None:
    with docker_hub(images=()) as hub, running_mirror(tmp_path, hub) as mirror:
        token = mirror.token
        wrong = (
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {token[:-1]}",
            f"Bearer {token}x",
            f"Basic {token}",
            token,
            basic("admin", token),
            "Bearer " + "x" * 9000,
        )
        for path, method in (
            ("purge", "POST"), ("block", "POST"), ("unblock", "POST"), ("blocks", "GET"), ("pins", "GET"), ("pin", "POST"),
            ("unpin", "POST"),
            ("pulls?digest=" + LAYER, "GET"), ("reload", "POST"), ("warm", "POST"), ("", "GET"), ("nothing", "GET"),
        ):  # fmt: skip
            for given in wrong:
                said = mirror.get(f"/_unhub/{path}", method, body=b"{}", Authorization=given)
                assert said.status in (401, 431), (path, given[:30])
        assert mirror.get("/_unhub/blocks", Authorization=f"Bearer {token}").status == 200


def test_metrics_and_status_are_for_this_machine_alone(tmp_path: Path) -> None:
    """Through a proxy on this machine, and under a stranger's name (DNS rebinding), too; and from its other addresses."""
    with docker_hub(images=()) as hub, running_mirror(tmp_path, hub, listen="0.0.0.0:0", arguments=("--allow-plain-http",)) as mirror:
        port = mirror.url.rpartition(":")[2]
        for path in ("/metrics", "/_unhub/status"):
            local = Mirror(mirror.process, {**mirror.facts, "url": f"http://127.0.0.1:{port}"}, mirror.folder, 0.0)
            assert local.get(path).status == 200
            for headers in (
                {"Host": "evil.example"},
                {"X_Forwarded_For": "127.0.0.1"},
                {"Forwarded": "for=127.0.0.1"},
                {"X_Real_IP": "127.0.0.1"},
            ):
                name, value = next(iter(headers.items()))
                assert local.get(path, "GET", body=None, **{name: value}).status == 401, name
            if (address := own_address()) is not None:
                there = Mirror(mirror.process, {**mirror.facts, "url": f"http://{address}:{port}"}, mirror.folder, 0.0)
                assert there.get(path).status == 401
                assert there.get(path, Host="127.0.0.1").status == 401
                assert there.get(path, Authorization=f"Bearer {mirror.token}").status == 200
                assert there.get("/healthz").status == 200


def own_address() -> str | None:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def test_no_page_of_another_origin_reads_an_answer(tmp_path: Path) -> None:
    with docker_hub(images=()) as hub, running_mirror(tmp_path, hub) as mirror:
        for path in (
            "/v2/",
            "/v2/_catalog",
            "/v2/library/none/manifests/1",
            "/_unhub/status",
            "/_unhub/blocks",
            "/metrics",
            "/healthz",
            "/",
        ):
            for method in ("GET", "OPTIONS", "POST"):
                said = mirror.get(path, method, Origin="https://evil.example", Access_Control_Request_Method="POST")
                assert not [name for name in said.headers if name.startswith("access-control")]
                assert method != "OPTIONS" or said.status in (401, 405)


def test_bodies_of_operations_are_bounded(tmp_path: Path) -> None:
    with docker_hub(images=()) as hub, running_mirror(tmp_path, hub) as mirror:
        login = f"Bearer {mirror.token}"
        for path in ("purge", "block", "unblock", "pin", "unpin", "warm"):
            assert mirror.get(f"/_unhub/{path}", "POST", body=b'{"what": "' + b"x" * 200_000 + b'"}', Authorization=login).status == 413
            for body in (b"", b"[]", b"{", b"\xff", b'{"unknown": 1}', b"[" * 60_000):
                assert mirror.get(f"/_unhub/{path}", "POST", body=body, Authorization=login).status == 400, (path, body[:20])
        assert mirror.get("/_unhub/pulls?digest=../../etc", Authorization=login).status == 400


def test_no_secret_is_logged_kept_or_shown(tmp_path: Path) -> None:
    """A run with a login, a push password and signed links, in good and bad times: none of it is found in what it leaves behind."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "push").write_text(PUSH_PASSWORD)
    with docker_hub(images=(), accounts=(ACCOUNT,)) as hub, ecr_public(images=()) as ecr:
        hub.add(IMAGE, "library/app:1")
        config = tmp_path / "unhub.toml"
        config.write_text(
            f'[serve]\npush-password-file = "push"\n[upstream.docker]\nurl = "{hub.url}"\nusername = "builder"\n'
            f'password-file = "password"\nhold = 1\n[[upstream.docker.fallback]]\nurl = "{ecr.url}/docker"\n'
        )
        with running_mirror(tmp_path, None, arguments=("--config", config)) as mirror:
            token = mirror.token
            shown = b"".join(use(mirror, hub))
            command_lines = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in mirror.processes.values())
            wait_until(lambda: len(mirror.log) > 10)
            mirror.end()
        left = {
            path: path.read_bytes()
            for path in tmp_path.rglob("*")
            if path.is_file() and path.name not in ("password", "push", "admin.token")
        }
    secrets = [PASSWORD, PUSH_PASSWORD, token, basic("builder", PASSWORD)[6:], basic("ci", PUSH_PASSWORD)[6:], "signed-secret"]
    for secret in secrets:
        for text in (shown, command_lines, *left.values()):
            assert secret.encode() not in text
            assert base64.b64encode(secret.encode()) not in text
    logs = left[tmp_path / "mirror.log"] + left[tmp_path / "mirror.err"]
    assert not re.search(rb"eyJ[\w-]{10,}\.|[?&](?:signature|sig|verify|expires|X-Amz-\w+)=", logs)


def use(mirror: Mirror, hub: Hub) -> Generator[bytes]:
    """Pulls, refusals, pushes, operations; what was answered."""
    asks: list[Callable[[], object]] = [
        lambda: hub.fault("status", site="registry", count=None, status=500, text=f"oops: {PASSWORD}"),
        lambda: hub.fault("status", site="token", count=None, status=403, text=f'{{"details": "wrong password {PASSWORD}"}}'),
        lambda: hub.fault("html", site="registry", count=None),
        lambda: hub.fault("expired-token", site="registry", count=None),
    ]
    for number, arm in enumerate([lambda: None, *asks]):
        arm()
        for path in (f"/v2/library/app/manifests/{number or 1}", f"/v2/library/app/blobs/{LAYER}", "/v2/library/app/tags/list"):
            yield mirror.get(path + "?sig=signed-secret", Authorization="Bearer signed-secret").body
        hub.clear_faults()
    for login in (basic("ci", PUSH_PASSWORD), basic("ci", "wrong")):
        yield mirror.get("/v2/local/app/blobs/uploads/", "POST", Authorization=login).body
    for path in ("status", "blocks", "pulls?digest=" + str(Digest.parse(LAYER))):
        yield mirror.get(f"/_unhub/{path}", Authorization=f"Bearer {mirror.token}").body
    yield mirror.get("/metrics").body
