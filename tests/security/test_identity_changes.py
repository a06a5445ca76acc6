"""Who was let in is kept out within a second by every worker: keys switched off, policies detached, users deleted, and back."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_line import unhub
from tests.gallery import ALIAS, EVERYTHING, Gallery, running_gallery
from tests.hub import Said, ask

WITHIN = 1.0
"""Seconds after which a change must be true everywhere."""

SLOW = 0.5
"""Seconds beyond that for a machine that has other work, too."""

ASKED = 12
"""Requests on connections of their own, so that each of the two workers gets some."""


@dataclass
class Site:
    gallery: Gallery
    folder: Path

    def admin(self, *arguments: str) -> None:
        """Change something, and wait for as long as that may take to be true everywhere."""
        mirror = self.gallery.mirror
        ended = unhub("admin", *arguments, cwd=self.folder, env={"UNHUB_SERVER": mirror.url, "UNHUB_TOKEN": mirror.token})
        assert ended.status == 0, ended.err
        time.sleep(WITHIN + SLOW)

    def token(self, who: str) -> tuple[str, str]:
        """A password and the bearer token that it gives."""
        data = self.gallery.client(who).get_authorization_token()["authorizationData"]["authorizationToken"]
        said = ask(f"{self.gallery.mirror.url}/token/", authorization=f"Basic {data}")
        return data, str(said.json["token"])

    def upload(self, token: str) -> Said:
        return ask(f"{self.gallery.mirror.url}/v2/{ALIAS}/app/blobs/uploads/", "POST", body=b"", authorization=f"Bearer {token}")

    def describe(self, who: str) -> Said:
        return self.gallery.ask(who, "DescribeImages", {"repositoryName": "app"})


def everywhere(ask_one: Callable[[], Said]) -> set[tuple[int, str]]:
    """What several requests are answered: status and code."""
    found: set[tuple[int, str]] = set()
    for _ in range(ASKED):
        said = ask_one()
        told = said.json if said.body.startswith(b"{") else {}
        code = told.get("__type") or next((error["code"] for error in told.get("errors", ())), "")
        found.add((said.status, str(code)))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("changes")
    users = dict.fromkeys(("owner", "switched", "detached", "deleted", "revoked"), EVERYTHING)
    with running_gallery(folder, users=users, arguments=["--workers", "2"]) as gallery:
        gallery.client("owner").create_repository(repositoryName="app")
        yield Site(gallery, folder)


def test_a_key_that_is_switched_off_opens_no_door_and_opens_them_again(site: Site) -> None:
    password, token = site.token("switched")
    key = site.gallery.key("switched").id
    assert everywhere(lambda: site.describe("switched")) == {(200, "")}
    assert everywhere(lambda: site.upload(token)) == {(202, "")}

    site.admin("key", "disable", key)

    assert everywhere(lambda: site.describe("switched")) == {(400, "UnrecognizedClientException")}
    assert everywhere(lambda: site.upload(token)) == {(400, "DENIED")}
    said = everywhere(lambda: ask(f"{site.gallery.mirror.url}/token/", authorization=f"Basic {password}"))
    assert {status for status, _ in said} <= {400, 401, 403}

    site.admin("key", "enable", key)

    assert everywhere(lambda: site.describe("switched")) == {(200, "")}
    assert everywhere(lambda: site.upload(token)) == {(400, "DENIED")}, "what was given out before stays worthless"
    assert everywhere(lambda: site.upload(site.token("switched")[1])) == {(202, "")}


def test_a_policy_that_is_detached_allows_nothing_any_more(site: Site) -> None:
    _, token = site.token("detached")
    assert everywhere(lambda: site.describe("detached")) == {(200, "")}
    assert everywhere(lambda: site.upload(token)) == {(202, "")}

    site.admin("policy", "detach", "detached", "detached")

    assert everywhere(lambda: site.describe("detached")) == {(400, "AccessDeniedException")}
    assert everywhere(lambda: site.upload(token)) == {(403, "DENIED")}

    site.admin("policy", "attach", "detached", "detached.json")

    assert everywhere(lambda: site.describe("detached")) == {(200, "")}
    assert everywhere(lambda: site.upload(token)) == {(202, "")}


def test_a_user_that_is_deleted_is_nobody(site: Site) -> None:
    password, token = site.token("deleted")
    assert everywhere(lambda: site.upload(token)) == {(202, "")}

    site.admin("user", "delete", "deleted")

    assert everywhere(lambda: site.describe("deleted")) == {(400, "UnrecognizedClientException")}
    assert everywhere(lambda: site.upload(token)) == {(400, "DENIED")}
    assert everywhere(lambda: site.upload(password)) == {(400, "DENIED")}, "the raw authorization token neither"


def test_what_was_given_out_is_revoked_and_the_key_is_not(site: Site) -> None:
    _, token = site.token("revoked")
    pulled = f"{site.gallery.mirror.url}/v2/{ALIAS}/app/tags/list"
    assert everywhere(lambda: ask(pulled, authorization=f"Bearer {token}")) == {(200, "")}

    site.admin("revoke", "--user", "revoked")

    assert everywhere(lambda: ask(pulled, authorization=f"Bearer {token}")) == {(400, "DENIED")}
    assert everywhere(lambda: site.describe("revoked")) == {(200, "")}
    assert base64.b64decode(site.token("revoked")[0]).startswith(b"AWS:")


def test_a_new_name_of_the_registry_is_good_at_every_door(site: Site) -> None:
    anonymous = ask(f"{site.gallery.mirror.url}/token/").json["token"]
    named = f"{site.gallery.mirror.url}/v2/acme-too/app/tags/list"
    assert everywhere(lambda: ask(named, authorization=f"Bearer {anonymous}")) == {(404, "NAME_UNKNOWN")}

    site.admin("account", "alias", "acme-too")

    assert everywhere(lambda: ask(named, authorization=f"Bearer {anonymous}")) == {(200, "")}
    rows = site.gallery.client("owner").describe_repositories()["repositories"]
    assert {row["repositoryUri"] for row in rows} == {"public.ecr.aws/acme-too/app"}
