"""Side effects between files: names that the tree builds are not pulled."""

from __future__ import annotations

import pytest

from unhub.image.found import Declared, DeclaredKind, Found, PulledBy, Span
from unhub.image.reference import Reference
from unhub.migrate.conflicts import Declaration, Declarations


def declarations(key: str, *scope: str) -> Declarations:
    declared = Declared(DeclaredKind.OUTPUT, key, Span(6, 9), "services.web.image", scope)
    return Declarations([Declaration.of("app/compose.yaml", b"# one\nkey: x\n", declared)])


def found(text: str) -> Found:
    return Found(Span(0, len(text)), text, "FROM", PulledBy.BUILD, (), Reference.parse(text))


@pytest.mark.parametrize(
    ("key", "text", "is_built"),
    [
        ("web", "web", True),
        ("web", "web:latest", True),
        ("web:latest", "docker.io/library/web", True),
        ("web", "web:1", False),
        ("web:1", "web:1", True),
        ("web", "other/web", False),
        ("web", "web@sha256:" + "0" * 64, False),
        ("not a name", "web", False),
    ],
)
def test_an_image_that_the_tree_builds_is_known_by_its_name(key: str, text: str, is_built: bool) -> None:
    reason = declarations(key).built(found(text), "app/k8s/pod.yaml")
    assert (reason is not None) == is_built
    if reason:
        assert reason == "app/compose.yaml:2 gives this name to an image that is built here (services.web.image)"


def test_a_built_name_reaches_its_own_folder_unless_it_says_otherwise() -> None:
    assert declarations("web").built(found("web"), "elsewhere/pod.yaml") is None
    assert declarations("web", "elsewhere").built(found("web"), "elsewhere/pod.yaml") is not None
