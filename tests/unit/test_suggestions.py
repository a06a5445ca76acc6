"""Near misses of official images: a forgotten library/, a misspelt name."""

from __future__ import annotations

import pytest

from unhub.data.facts import builtin, official_images
from unhub.image.reference import Reference
from unhub.migrate.targets import EcrPublic, parse_place
from unhub.migrate.verification.suggest import Suggestions, closest

PLACES = (EcrPublic(), parse_place("mirror:mirror.example:5000/hub"))


def suggested(text: str) -> str | None:
    found = Suggestions(builtin(), PLACES).suggest(Reference.parse(text))
    return None if found is None else found.familiar()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("public.ecr.aws/docker/node:20", "public.ecr.aws/docker/library/node:20"),
        ("public.ecr.aws/library/node", "public.ecr.aws/docker/library/node"),
        ("public.ecr.aws/node:20", "public.ecr.aws/docker/library/node:20"),
        ("public.ecr.aws/docker/docker/node", "public.ecr.aws/docker/library/node"),
        ("public.ecr.aws/docker/library/nodejs", "public.ecr.aws/docker/library/node"),
        ("public.ecr.aws/docker/ngnix", "public.ecr.aws/docker/library/nginx"),
        ("docker.io/docker/node:20", "node:20"),
        ("mirror.gcr.io/node:20", "mirror.gcr.io/library/node:20"),
        ("mirror.example:5000/hub/postgres:16", "mirror.example:5000/hub/library/postgres:16"),
        ("ngnix", "nginx"),
        ("postgress:16", "postgres:16"),
        ("pyhton:3.12", "python:3.12"),
    ],
)
def test_what_may_be_meant(written: str, meant: str) -> None:
    assert suggested(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "node",
        "public.ecr.aws/docker/library/node",
        "public.ecr.aws/nginx/nginx",
        "public.ecr.aws/datadog/agent",
        "docker/dockerfile:1",
        "grafana/grafana",
        "nothing-like-it-at-all",
        "quay.io/node",
        "mirror.gcr.io/library/node",
        "mirror.example:5000/other/node",
    ],
)
def test_nothing_is_suggested_without_a_reason(written: str) -> None:
    assert suggested(written) is None


def test_no_official_image_is_taken_for_another() -> None:
    for name in official_images():
        assert suggested(name) is None
        assert closest(name, official_images()) == name
