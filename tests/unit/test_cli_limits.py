"""``unhub limits`` against the stand-ins: what is left in every state of Docker Hub, and what builds make of it."""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.command_line import Ended, process, unhub
from tests.hub import docker_hub, ecr_public, environment
from tests.unit.test_facts import TODAY
from unhub.cli.limits_ask import said_limit
from unhub.data.terms import TermsData
from unhub.demo.running import Hub
from unhub.demo.settings import Account
from unhub.image.reference import Reference
from unhub.migrate.verification.lock import Lock
from unhub.migrate.verification.verdict import Evidence, Verdict
from unhub.registry.answers import Budget

DOCKERFILE = "FROM golang:1.22-alpine AS build\nFROM node:20-alpine\nFROM acme/tool:1\n"
WORKFLOW = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    container: node:20-alpine\n    steps: []\n"
GOLDENS = Path(__file__).parent.parent / "golden" / "limits"
START = datetime.datetime(2026, 11, 25, 9, 0, tzinfo=datetime.UTC)
PASSWORD = "dckr_pat_not-to-be-seen"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two official images and another one built, one pulled by the platform; no login stored."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "ci.yml").write_text(WORKFLOW)
    (tmp_path / "unhub.toml").write_text('[registry."public.ecr.aws"]\nrate = 0\n')
    (tmp_path / "docker").mkdir()
    return tmp_path


@pytest.fixture
def hub() -> Iterator[Hub]:
    with docker_hub(accounts=(Account(name="ci", password=PASSWORD), Account(name="paid", password=PASSWORD, limit=None))) as hub:
        yield hub


@pytest.fixture
def ecr() -> Iterator[Hub]:
    with ecr_public() as ecr:
        yield ecr


def limits(tree: Path, *hubs: Hub, arguments: tuple[str, ...] = ()) -> Ended:
    with mock.patch("unhub.cli.limits.current_time", return_value=START):
        return unhub("limits", *arguments, cwd=tree, env={**environment(*hubs), "DOCKER_CONFIG": str(tree / "docker")})


def log_in(tree: Path, name: str, password: str = PASSWORD) -> None:
    auth = base64.b64encode(f"{name}:{password}".encode()).decode()
    (tree / "docker" / "config.json").write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}}))


def line(answer: Any, caller: str, counts: str = "pulls", *, before_login: bool = False) -> Any:
    """One limit of the JSON."""
    rows = [row for registry in answer["registries"] for row in registry["limits"]]
    (found,) = [row for row in rows if (row["caller"], row["counts"], row["before_login"]) == (caller, counts, before_login)]
    return found


# ------------------------------------------------------------------ what is left


def test_a_fresh_address_has_everything_left_and_asking_costs_nothing(tree: Path, hub: Hub) -> None:
    ended = limits(tree, hub, arguments=("--no-sizes",))
    assert ended.status == 0
    assert "asked by HEAD, which costs nothing" in ended.text
    assert "not logged in: 100 of 100 pulls in 6 h are left, counted for 127.0.0.1" in ended.text
    assert hub.counts.total == 0
    assert {(record.method, record.kind) for record in hub.requests if record.kind == "manifest"} == {("HEAD", "manifest")}


def test_what_is_used_shortens_the_way_to_the_limit(tree: Path, hub: Hub) -> None:
    hub.set(limit=10)
    for _ in range(2):
        pull(hub)
    answer = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "96", "--format", "json")).json
    used = hub.counts.total
    assert used >= 2
    assert answer["asked"][0] | {"says": ""} == {
        "registry": "docker.io",
        "caller": "anonymous",
        "says": "",
        "limit": 10,
        "used": used,
        "remaining": 10 - used,
        "window_seconds": 21600,
        "source": "127.0.0.1",
        "contradicts": "docker-hub-2026-11.anonymous.pulls",
        "error": None,
    }
    now = line(answer, "anonymous")["now"]
    assert (now["used"], now["per_build"], now["builds_that_fit"]) == (used, 4, (10 - used) // 4)
    assert now["reached_after_builds"] == (10 - used) // 4
    assert now["reached_at"] == (START + datetime.timedelta(minutes=15 * ((10 - used) // 4))).isoformat()


def test_a_used_up_limit_is_said_and_the_next_build_is_refused(tree: Path, hub: Hub) -> None:
    hub.exhaust()
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "1", "--exit-code"))
    assert ended.status == 1
    assert "0 of 100 pulls in 6 h are left" in ended.text
    assert "4 a build; not even one build fits" in ended.text


def test_a_limit_that_refuses_even_head_is_used_up(tree: Path, hub: Hub) -> None:
    """Whether HEAD goes on at 0 is not measured (docker-hub.md 3.3): a refusal is an answer, too."""
    said = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600"}
    hub.fault("status", path="*/ratelimitpreview/*", method="HEAD", status=429, headers=said, count=None)
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "1", "--exit-code"))
    assert ended.status == 1
    assert "not logged in: used up: even this question is refused (429)" in ended.text
    assert "not even one build fits" in ended.text


def test_a_stored_login_is_asked_about_beside_the_address(tree: Path, hub: Hub) -> None:
    log_in(tree, "ci")
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "96", "--format", "json"))
    assert [(one["caller"], one["limit"]) for one in ended.json["asked"]] == [("anonymous", 100), ("account", 200)]
    assert (line(ended.json, "account")["now"]["per_build"], line(ended.json, "account")["now"]["reached_after_builds"]) == (3, None)
    assert line(ended.json, "anonymous", before_login=True)["now"]["per_build"] == 1
    assert PASSWORD not in ended.text + ended.err


def test_no_login_asks_without(tree: Path, hub: Hub) -> None:
    log_in(tree, "ci")
    answer = limits(tree, hub, arguments=("--no-sizes", "--no-login", "--format", "json")).json
    assert [one["caller"] for one in answer["asked"]] == ["anonymous"]


def test_a_paid_account_is_not_limited(tree: Path, hub: Hub) -> None:
    log_in(tree, "paid")
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "1000"))
    assert "logged in:     not limited (no ratelimit headers)" in ended.text
    assert "logged in: not limited for each free account" not in ended.text
    answer = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "1000", "--format", "json")).json
    assert line(answer, "account")["amount"] is None
    assert line(answer, "account")["now"]["reached_after_builds"] is None


def test_an_address_without_a_limit_has_none(tree: Path, hub: Hub) -> None:
    hub.set(limit=None)
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "1000", "--exit-code"))
    assert "not logged in: not limited (no ratelimit headers)" in ended.text
    assert "4 a build, not limited" in ended.text
    assert ended.status == 0


def test_the_abuse_limit_leaves_the_budget_unknown(tree: Path, hub: Hub) -> None:
    hub.exhaust("abuse")
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "10"))
    assert ended.status == 5
    assert "not logged in: not known: " in ended.text
    assert "4 a build; not reached" in ended.text, "the forecast stands on the dated figures"


def test_an_unreachable_hub_leaves_the_dated_figures(tree: Path, hub: Hub) -> None:
    with hub.refusing():
        ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "100"))
    assert ended.status == 5
    assert "not logged in: not known: " in ended.text
    assert "refused after 25 builds, at 15:00" not in ended.text
    assert "4 a build; not reached: 100 of 100" in ended.text


def test_a_refused_login_is_told_and_the_address_asked_all_the_same(tree: Path, hub: Hub) -> None:
    log_in(tree, "ci", "wrong-password")
    ended = limits(tree, hub, arguments=("--no-sizes",))
    assert "not logged in: 100 of 100 pulls in 6 h are left" in ended.text
    assert "wrong-password" not in ended.text + ended.err


def test_offline_asks_nobody(tree: Path, hub: Hub, ecr: Hub) -> None:
    ended = limits(tree, hub, ecr, arguments=("--offline", "--builds-per-day", "60"))
    assert (ended.status, hub.requests, ecr.requests) == (0, (), ())
    assert "not asked (--offline)" in ended.text


def pull(hub: Hub) -> None:
    """One image pulled as a client does it, by GET."""
    import asyncio

    from unhub.registry.client import ClientSettings, RegistryClient
    from unhub.registry.credentials import NoCredentials

    async def get() -> None:
        async with RegistryClient(ClientSettings(endpoints={"docker.io": hub.url}), NoCredentials()) as client:
            await client.get_manifest(Reference.parse("node:20-alpine"))

    asyncio.run(get())


# ------------------------------------------------------------------ Docker Hub says something else


def test_another_limit_than_the_dated_one_contradicts_the_fact(tree: Path, hub: Hub) -> None:
    hub.set(limit=40)
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "60"))
    assert "fact contradicted: Docker Hub says 40 pulls in 6 h, which is reckoned with here" in ended.text
    assert "`unhub facts limit:docker-hub-2026-11.anonymous.pulls` shows the lines to override it" in ended.text
    assert "4 a build; refused after 10 builds, at 13:00" in ended.text


def test_an_overridden_fact_is_what_docker_hub_says_again(tree: Path, hub: Hub) -> None:
    hub.set(limit=40)
    lines = unhub("facts", "limit:docker-hub-2026-11.anonymous.pulls", "--format", "toml", cwd=tree).text
    (tree / "own.toml").write_text(lines.replace("amount = 100", "amount = 40"))
    (tree / "unhub.toml").write_text('[data]\nfile = "own.toml"\n')
    assert "contradicted" not in limits(tree, hub, arguments=("--no-sizes",)).text


@pytest.mark.parametrize(
    ("budget", "text", "differs"),
    [
        (Budget(100, 3, 21_600), "100 pulls in 6 h", False),
        (Budget(100, 3, None), "100 pulls in 6 h", False),
        (Budget(100, 3, 3_600), "100 pulls in 1 h", True),
        (Budget(100, 3, 90), "100 pulls in 90 s", True),
        (Budget(7, 3, 21_600), "7 pulls in 6 h", True),
        (Budget(None, 3, 21_600), "100 pulls in 6 h", False),
        (Budget(0, 0, 0), "100 pulls in 6 h", False),
    ],
)
def test_what_the_headers_say_is_compared_with_the_dated_limit(budget: Budget, text: str, differs: bool) -> None:
    limit, contradicts = said_limit(budget, TermsData().terms("docker.io").limit("anonymous", "pulls"))
    assert limit is not None
    assert (limit.text, contradicts) == (text, differs)


def test_other_terms_are_a_what_if_that_nobody_contradicts(tree: Path, hub: Hub) -> None:
    ended = limits(tree, hub, arguments=("--no-sizes", "--builds-per-day", "60", "--terms", "docker-hub-2025-04"))
    assert "contradicted" not in ended.text
    assert "not logged in: 10 pulls in 1 h" in ended.text
    assert "4 a build; refused after 2 builds, at 09:48" in ended.text


# ------------------------------------------------------------------ sizes and platforms


def test_sizes_are_asked_at_ecr_public_and_never_at_docker_hub(tree: Path, hub: Hub, ecr: Hub) -> None:
    answer = limits(tree, hub, ecr, arguments=("--format", "json")).json
    sizes = {one["reference"]: one["bytes"] for one in answer["images"]["after"]}
    assert sizes.pop("docker.io/acme/tool:1") is None
    assert all(size and size > 500 for size in sizes.values())
    assert line(answer, "anonymous", "bytes")["after"]["per_build"] == sum(
        one["bytes"] for one in answer["images"]["after"] if one["bytes"]
    )
    assert hub.counts.total == 0
    assert {record.method for record in hub.requests if record.kind == "manifest"} == {"HEAD"}


def test_each_platform_that_is_built_for_is_a_pull(tree: Path, hub: Hub, ecr: Hub) -> None:
    arguments = ("--platform", "linux/amd64", "--platform", "linux/arm64", "--platform", "windows/amd64", "--format", "json")
    answer = limits(tree, hub, ecr, arguments=arguments).json
    pulls = {one["reference"]: one["pulls"] for one in answer["images"]["after"]}
    assert pulls["public.ecr.aws/docker/library/node:20-alpine"] == 2, "it has no image for Windows"
    assert pulls["docker.io/acme/tool:1"] == 3, "nothing is known of it"


def test_offline_the_lock_file_tells_the_platforms(tree: Path) -> None:
    lock = Lock(tree / "unhub.lock")
    origin, target = Reference.parse("node:20-alpine"), Reference.parse("public.ecr.aws/docker/library/node:20-alpine")
    digest = "sha256:" + "a" * 64
    seen = datetime.datetime.combine(TODAY, datetime.time(), datetime.UTC)
    evidence = Evidence(
        origin=origin,
        target=target,
        verdict=Verdict.SAME,
        seen=seen,
        origin_digest=digest,
        target_digest=digest,
        platforms=("linux/amd64",),
    )
    lock.record(evidence)
    lock.save()
    answer = limits(tree, arguments=("--offline", "--platform", "linux/amd64", "--platform", "linux/arm64", "--format", "json")).json
    pulls = {one["reference"]: one["pulls"] for one in answer["images"]["now"]}
    assert (pulls["docker.io/library/node:20-alpine"], pulls["docker.io/library/golang:1.22-alpine"]) == (1, 2)


def test_an_image_that_ecr_public_does_not_have_has_no_size(tree: Path, hub: Hub, ecr: Hub) -> None:
    ecr.remove("docker/library/golang:1.22-alpine")
    ended = limits(tree, hub, ecr, arguments=("--builds-per-day", "10"))
    assert ended.status == 0
    assert "The size of 1 image at ECR Public is not known; public.ecr.aws/docker/library/golang:1.22-alpine: " in ended.text
    assert re.search(
        r"Is ECR Public without a login enough\? .* After the move: not known \(at least \S+ \S+ of 500 GB a month\)", ended.text
    )
    assert "at least " in ended.text


# ------------------------------------------------------------------ the whole page


def golden(name: str, text: str, request: pytest.FixtureRequest) -> None:
    path = GOLDENS / f"{name}.txt"
    if request.config.getoption("--update-goldens"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


PAGES = {
    "forecast": ("--builds-per-day", "240"),
    "without-builds": (),
    "article": ("--builds-per-hour", "4", "--terms", "aws-2024-03-11", "--platform", "linux/amd64", "--platform", "linux/arm64"),
    "many-addresses": ("--builds-per-day", "2000", "--addresses", "20", "--runners", "10"),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_as_it_was_read_and_found_good(name: str, tree: Path, request: pytest.FixtureRequest) -> None:
    with mock.patch("unhub.cli.limits.speaks_unicode", return_value=True):
        ended = limits(tree, arguments=("--offline", *PAGES[name]))
    golden(name, f"$ unhub limits {' '.join(('--offline', *PAGES[name]))}\n{ended.text}", request)


def test_a_price_is_always_an_estimate_that_is_not_verified_and_no_bill(tree: Path, hub: Hub, ecr: Hub) -> None:
    ended = limits(tree, hub, ecr, arguments=("--builds-per-day", "9000000", "--addresses", "100000", "--platform", "linux/amd64"))
    (said,) = re.findall(r"a month of logged-in builds after the move: .*", ended.text)
    assert "within what is free" in said or ("an estimate of" in said and "unverified" in said and "not a bill" in said)
    lines = unhub("facts", "limit:aws-2026-11.account.data", "--format", "toml", cwd=tree).text
    (tree / "own.toml").write_text(lines.replace("5000000000000", "1"))
    (tree / "unhub.toml").write_text('[data]\nfile = "own.toml"\n[registry."public.ecr.aws"]\nrate = 0\n')
    ended = limits(tree, hub, ecr, arguments=("--builds-per-day", "9000000", "--platform", "linux/amd64"))
    (said,) = re.findall(r"a month of logged-in builds after the move: .*", ended.text)
    assert re.search(r"an estimate of \S+ USD \(0\.09 USD a GB above the free data of the month; unverified, 2026-03-01; not a bill", said)


def test_a_tree_without_images_shows_the_limits_alone(tmp_path: Path) -> None:
    ended = limits(tmp_path, arguments=("--offline", "--builds-per-day", "10"))
    assert "one build pulls nothing now, nothing after the move" in ended.text
    assert "not logged in: 100 pulls in 6 h for each IPv4 address or IPv6 /64" in ended.text
    assert "now: " not in ended.text


def test_a_terminal_without_unicode_gets_ascii(tree: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii", "DOCKER_CONFIG": str(tree)}
    ended = process("limits", "--offline", "--builds-per-day", "240", cwd=tree, env=env)
    assert ended.status == 0
    assert ended.text.isascii()
    assert "240 |" in ended.text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--builds-per-day", "1", "--builds-per-hour", "1"), "together with"),
        (("--builds-per-day", "0"), "0"),
        (("--builds-per-day", "nan"), "nan"),
        (("--platform", "linux"), "cannot read the platform 'linux'"),
        (("--terms", "aws-2030"), "aws-2024-03-11"),
        (("--addresses", "0"), "0"),
    ],
)
def test_a_mistake_in_the_call_is_told(arguments: tuple[str, ...], says: str, tree: Path) -> None:
    ended = limits(tree, arguments=("--offline", *arguments))
    assert ended.status == 2
    assert says in ended.err


def test_a_reference_that_is_not_known_is_not_counted_and_said(tree: Path) -> None:
    (tree / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nFROM node:20\n")
    ended = limits(tree, arguments=("--offline",))
    assert "Not counted: 1 reference whose image the tree does not tell." in ended.text
