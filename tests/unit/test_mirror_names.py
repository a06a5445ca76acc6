"""One name, one meaning: every door of the mirror, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.mirror.names import Door, InvalidName, NameRules, UnknownNamespace, understand

RULES = NameRules(own=frozenset({"local", "team"}), hosts={"docker.io": "docker", "quay.io": "quay", "localhost:5001": "test"})

TABLE = [
    # path, ns, alias, path there, own, door
    ("docker/library/node", None, "docker", "library/node", False, Door.GALLERY),
    ("docker/bitnami/redis", None, "docker", "bitnami/redis", False, Door.GALLERY),
    ("docker/a/b/c", None, "docker", "a/b/c", False, Door.GALLERY),
    ("library/node", None, "docker", "library/node", False, Door.ROOT),
    ("node", None, "docker", "library/node", False, Door.ROOT),
    ("bitnami/redis", None, "docker", "bitnami/redis", False, Door.ROOT),
    ("docker/dockerfile", None, "docker", "docker/dockerfile", False, Door.ROOT),
    ("docker", None, "docker", "library/docker", False, Door.ROOT),
    ("local/app", None, "local", "app", True, Door.OWN),
    ("local/a/b/c", None, "local", "a/b/c", True, Door.OWN),
    ("team/app", None, "team", "app", True, Door.OWN),
    ("local", None, "docker", "library/local", False, Door.ROOT),
    ("quay.io/prometheus/node-exporter", None, "quay", "prometheus/node-exporter", False, Door.HOST),
    ("docker.io/node", None, "docker", "library/node", False, Door.HOST),
    ("localhost:5001/a/b", None, "test", "a/b", False, Door.HOST),
    ("library/node", "docker.io", "docker", "library/node", False, Door.NAMESPACE),
    ("node", "docker.io", "docker", "library/node", False, Door.NAMESPACE),
    ("local/app", "docker.io", "docker", "local/app", False, Door.NAMESPACE),
    ("docker/library/node", "docker.io", "docker", "docker/library/node", False, Door.NAMESPACE),
    ("prometheus/node-exporter", "quay.io", "quay", "prometheus/node-exporter", False, Door.NAMESPACE),
    ("a--b/c__d", None, "docker", "a--b/c__d", False, Door.ROOT),
]


@pytest.mark.parametrize(("path", "namespace", "alias", "there", "own", "door"), TABLE)
def test_a_name_is_understood(path: str, namespace: str | None, alias: str, there: str, own: bool, door: Door) -> None:
    name = understand(path, namespace, RULES)
    assert (name.key.alias, name.key.path, name.own, name.door, name.written) == (alias, there, own, door, path)


@pytest.mark.parametrize("namespace", ["ghcr.io", "169.254.169.254", "evil.example", "", "quay.io:443", "QUAY.IO"])
def test_a_registry_that_is_not_configured_is_never_asked(namespace: str) -> None:
    with pytest.raises(UnknownNamespace):
        understand("library/node", namespace, RULES)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "../etc",
        "a/../b",
        "A/b",
        "a b",
        "a%2fb",
        "a\x00b",
        "a:b",
        "ä",
        "-a",
        "a-",
        "a/.b",
        "ghcr.io:1/x",
        "x" * 256,
    ],
)
def test_what_is_no_name_is_refused(path: str) -> None:
    with pytest.raises(InvalidName):
        understand(path, None, RULES)


@given(st.text(max_size=40))
def test_no_text_breaks_out(text: str) -> None:
    try:
        name = understand(text, None, RULES)
    except InvalidName:
        return
    assert ".." not in name.key.path.split("/")
    assert name.key.path == name.key.path.strip("/")
    assert name.key.alias in {"docker", "local", "team", "quay", "test"}
