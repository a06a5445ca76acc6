"""ECR Public's API, STS and the token service under requests that nobody means well with.

500 of each in ``make test``, 10,000 in ``make soak``: no answer is the server's fault, memory does not grow, no secret is in
any answer or log.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.gallery import EVERYTHING, Gallery, Key, running_gallery
from tests.mirror import wait_until
from tests.protocol.hostile_requests import Answered, Hostile, api_requests, insider_requests, send, token_requests
from unhub.mirror.sealing import FILE

REQUESTS = int(os.environ.get("UNHUB_HOSTILE_REQUESTS", "500"))
WARM = 100
"""Requests after which memory is measured first: a worker that just started still grows into its size."""

GROWTH = 24 * 1024 * 1024
"""Bytes that the workers together may have more at the end than after the warming up."""


@dataclass
class Site:
    """A gallery under attack, and every secret that must not leave it."""

    gallery: Gallery
    passwords: list[str]
    signatures: set[str] = field(default_factory=set)

    @property
    def secrets(self) -> set[str]:
        """What neither answers to others nor logs may hold."""
        data = self.gallery.mirror.data
        return {
            *(key.secret for key in self.gallery.keys.values()),
            (data / FILE).read_text().strip(),
            (data / "admin.token").read_text().strip(),
        }

    @property
    def memory(self) -> int:
        """Bytes that the workers hold of the machine's memory."""
        pids = [pid for name, pid in self.gallery.mirror.processes.items() if name.startswith("worker")]
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for pid in pids)

    def meet(self, address: tuple[str, int], request: Hostile) -> Answered:
        """Send a request, and look at what came back."""
        answer = send(address, request)
        said = [value for name, value in request.headers if name == "Authorization"]
        self.signatures.update(found for text in said for found in re.findall(r"Signature=([0-9a-f]{64})$", text))
        assert answer.status or not request.fair, "closed without an answer"
        assert answer.status < 500, answer.body
        assert b"Traceback" not in answer.body
        self.check_kept(answer.head.decode("latin-1") + answer.body.decode("latin-1"))
        return answer

    def check_kept(self, text: str) -> None:
        assert not [secret for secret in self.secrets if secret in text]

    def check_logs(self) -> None:
        """Nothing that opens anything was written down."""
        mirror = self.gallery.mirror
        mirror.get(f"/v2/the-last-of-{len(self.signatures)}/tags/list")
        wait_until(lambda: f"the-last-of-{len(self.signatures)}/" in (mirror.folder / "mirror.log").read_text("utf-8"))
        for name in ("mirror.log", "mirror.err"):
            text = (mirror.folder / name).read_text("utf-8")
            self.check_kept(text)
            assert not [word for word in (*self.signatures, *self.passwords) if word in text], name
        assert "internal error" not in mirror.stderr
        assert "ended unexpectedly" not in mirror.stderr


def host_and_port(url: str) -> tuple[str, int]:
    host, _, port = url.partition("://")[2].rpartition(":")
    return host, int(port)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("hostile")
    users = {"owner": EVERYTHING, "nobody": (), "other/rival": EVERYTHING}
    with running_gallery(folder, users=users, arguments=["--workers", "2"]) as gallery:
        ecr = gallery.client("owner")
        ecr.create_repository(repositoryName="here")
        texts = [ecr.get_authorization_token()["authorizationData"]["authorizationToken"] for _ in range(3)]
        yield Site(gallery, [base64.b64decode(text).decode().partition(":")[2] for text in texts])


def under_attack(
    site: Site, requests: st.SearchStrategy[Hostile], address: tuple[str, int], check: Callable[[Hostile, Answered], None]
) -> None:
    """Send so many requests; then look at memory and logs."""
    processes = site.gallery.mirror.processes

    def run(number: int) -> None:
        @settings(max_examples=number, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
        @given(requests)
        def each(request: Hostile) -> None:
            check(request, site.meet(address, request))

        each()

    run(WARM)
    before = site.memory
    run(REQUESTS)
    assert site.memory - before < GROWTH
    assert site.gallery.mirror.processes == processes, "nobody had to be replaced"
    site.check_logs()


STRANGERS = {"UnknownOperationException", "InvalidSignatureException", "IncompleteSignatureException", "SerializationException"}
INSIDERS = {"InvalidParameterException", "AccessDeniedException", "RepositoryNotFoundException", "ImageAlreadyExistsException"}


@pytest.mark.parametrize(("requests", "expected"), [(api_requests, STRANGERS), (insider_requests, INSIDERS)], ids=["strangers", "insiders"])
def test_hostile_requests_to_the_api_are_refused_or_answered_and_nothing_else(
    site: Site, requests: Callable[[Mapping[str, Key], str], st.SearchStrategy[Hostile]], expected: set[str]
) -> None:
    address = host_and_port(site.gallery.url)
    codes: Counter[str] = Counter()

    def check(request: Hostile, answer: Answered) -> None:
        codes[str(answer.status)] += 1
        if answer.status >= 400 and answer.body.startswith(b"{") and request.method != "HEAD":
            told = json.loads(answer.body)
            codes[told["__type"]] += 1
            assert told["message"]

    under_attack(site, requests(site.gallery.keys, f"{address[0]}:{address[1]}"), address, check)
    assert codes["200"], "some of it was valid, so that it went the whole way"
    assert codes.keys() >= expected, codes
    assert site.gallery.client("owner").describe_registries()["registries"], "afterwards all is well"


def test_hostile_requests_to_the_token_service_are_refused_or_answered_and_nothing_else(site: Site) -> None:
    statuses: set[int] = set()

    def check(request: Hostile, answer: Answered) -> None:
        del request
        statuses.add(answer.status)

    under_attack(site, token_requests(site.passwords), host_and_port(site.gallery.mirror.url), check)
    assert {200, 400, 401} <= statuses
