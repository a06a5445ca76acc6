"""What is attached to a manifest (registry-protocol.md, 2.4)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import CONFIG, descriptor, digest_of, image, index, manifest, push, push_blob, put_manifest
from tests.protocol.serving import Response, Server
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST

REPOSITORY = "conformance/referrers"
SIGNATURE, BILL = "application/vnd.example.signature", "application/vnd.example.sbom+json"


def attach(server: Server, subject: bytes, **more: Any) -> bytes:
    """Push something that is attached to ``subject``."""
    attached = image()
    push(server, REPOSITORY, attached)
    data = manifest(attached.config, attached.layer, subject=descriptor(subject, OCI_MANIFEST), **more)
    assert put_manifest(server, REPOSITORY, digest_of(data), data).status == 201
    return data


def referrers(server: Server, digest: str, query: str = "", name: str = REPOSITORY) -> Response:
    got = server.ask("GET", f"/v2/{name}/referrers/{digest}{query}")
    assert (got.status, got["content-type"]) == (200, OCI_INDEX)
    assert (got.json["schemaVersion"], got.json["mediaType"]) == (2, OCI_INDEX)
    return got


@pytest.mark.parametrize("name", [REPOSITORY, "conformance/nobody-pushed-here", "library/held", "docker/library/held"])
def test_nothing_attached_is_an_empty_index_and_no_404(registry: Server, name: str) -> None:
    """Rule 18."""
    assert referrers(registry, digest_of(b"nobody has this"), name=name).json["manifests"] == []


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "latest", "md5:" + "0" * 32])
def test_a_broken_digest_is_refused(registry: Server, digest: str) -> None:
    """Rule 18."""
    got = registry.ask("GET", f"/v2/{REPOSITORY}/referrers/{digest}")

    assert (got.status, got.code) == (400, "DIGEST_INVALID")


def test_descriptors_say_what_is_attached(registry: Server) -> None:
    """Rule 18: the artifact type, else the type of the config; none for an index; the annotations."""
    subject = image().manifest
    notes = {"org.example.note": "näh \u2713"}
    typed = attach(registry, subject, artifactType=SIGNATURE, annotations=notes)
    plain = attach(registry, subject)
    listed = index(subject=descriptor(subject, OCI_MANIFEST))
    put_manifest(registry, REPOSITORY, digest_of(listed), listed)

    found = {row["digest"]: row for row in referrers(registry, digest_of(subject)).json["manifests"]}

    assert found == {
        digest_of(typed): {**descriptor(typed, OCI_MANIFEST), "artifactType": SIGNATURE, "annotations": notes},
        digest_of(plain): {**descriptor(plain, OCI_MANIFEST), "artifactType": CONFIG},
        digest_of(listed): descriptor(listed, OCI_INDEX),
    }


def test_a_filter_lists_only_what_matches_and_says_so(registry: Server) -> None:
    """Rule 18."""
    subject = image().manifest
    signature = attach(registry, subject, artifactType=SIGNATURE)
    attach(registry, subject, artifactType=BILL)

    filtered = referrers(registry, digest_of(subject), f"?artifactType={quote(SIGNATURE)}")

    assert [row["digest"] for row in filtered.json["manifests"]] == [digest_of(signature)]
    assert filtered["oci-filters-applied"] == "artifactType"
    assert referrers(registry, digest_of(subject)).get("oci-filters-applied") is None
    assert referrers(registry, digest_of(subject), "?artifactType=no/such").json["manifests"] == []


def test_long_lists_come_in_pages(registry: Server) -> None:
    """Rule 18: by ``Link``, which keeps the filter."""
    subject = image().manifest
    attached = {digest_of(attach(registry, subject, artifactType=BILL, annotations={"number": str(number)})) for number in range(5)}
    attach(registry, subject, artifactType=SIGNATURE)

    found: list[str] = []
    path = f"/v2/{REPOSITORY}/referrers/{digest_of(subject)}?artifactType={quote(BILL)}&n=2"
    while path:
        got = registry.ask("GET", path)
        assert got["oci-filters-applied"] == "artifactType"
        found += [row["digest"] for row in got.json["manifests"]]
        link = got.get("link")
        path = "" if link is None else link.removeprefix("<").removesuffix('>; rel="next"')

    assert found == sorted(attached)


def test_an_attachment_goes_with_its_manifest(registry: Server) -> None:
    subject = image().manifest
    data = attach(registry, subject)

    assert registry.ask("DELETE", f"/v2/{REPOSITORY}/manifests/{digest_of(data)}").status == 202

    assert referrers(registry, digest_of(subject)).json["manifests"] == []


@pytest.mark.parametrize("held_by", ["own", "pulled through"])
def test_the_fallback_tag_of_old_tools_is_an_ordinary_tag(registry: Server, own: Held, pulled_through: Held, held_by: str) -> None:
    """Rule 19."""
    if held_by == "own":
        tag = own.image.digest.replace(":", "-")
        data = index(image().manifest)
        assert put_manifest(registry, own.name, tag, data).status == 201
        assert registry.ask("GET", own.path("manifests", tag)).body == data
        return
    tag = pulled_through.image.digest.replace(":", "-")
    (registry.folder / "upstream" / pulled_through.name / "tags" / tag).write_bytes(pulled_through.image.manifest)
    assert registry.ask("GET", pulled_through.path("manifests", tag)).body == pulled_through.image.manifest


def test_what_was_pushed_earlier_is_found_when_the_subject_comes(registry: Server) -> None:
    """Rules 17 and 18."""
    subject = image()
    data = attach(registry, subject.manifest)
    push(registry, REPOSITORY, subject)

    assert [row["digest"] for row in referrers(registry, subject.digest).json["manifests"]] == [digest_of(data)]


def test_other_repositories_are_not_told(registry: Server) -> None:
    subject = image().manifest
    attach(registry, subject)
    push_blob(registry, "conformance/other", b"x")

    assert referrers(registry, digest_of(subject), name="conformance/other").json["manifests"] == []
