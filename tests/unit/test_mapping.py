"""Where a reference goes: targets, rules, dated knowledge, and what holds it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.config.settings import Rule
from unhub.data.facts import builtin
from unhub.image.errors import ConfigurationError, UsageError
from unhub.image.found import Class, Found, Part, PulledBy, Safety, Span
from unhub.image.reference import Reference
from unhub.migrate.mapping import Decision, Mapper, MappingOptions
from unhub.migrate.targets import DockerHub, EcrPublic, Mirror, parse_place

DIGEST = "sha256:" + "0" * 64


def found(text: str, **more: object) -> Found:
    part = Part(text, Span(0, len(text)))
    return Found(Span(0, len(text)), text, "FROM", more.pop("pulled_by", PulledBy.BUILD), (part,), Reference.parse(text), **more)  # type: ignore[arg-type]


def decide(text: str, path: str = "Dockerfile", /, found_as: dict[str, object] | None = None, **options: object) -> Decision:
    mapper = Mapper(MappingOptions(**options), builtin())  # type: ignore[arg-type]
    return mapper.decide(found(text, **(found_as or {})), path)


@pytest.mark.parametrize(
    "text",
    [
        "node:20",
        "docker.io/node:20",
        "index.docker.io/library/node:20",
        "registry-1.docker.io/library/node:20",
        "registry.hub.docker.com/library/node:20",
    ],
)
def test_an_official_image_goes_to_ecr_public(text: str) -> None:
    decision = decide(text)
    assert (decision.class_, str(decision.target), decision.rule) == (
        Class.MIGRATABLE,
        "public.ecr.aws/docker/library/node:20",
        "ecr-public",
    )


@pytest.mark.parametrize("text", ["grafana/grafana:11", "amd64/node", "arm64v8/alpine", "library/foo/bar"])
def test_anything_else_has_no_place_there_but_one_at_a_mirror(text: str) -> None:
    assert decide(text).class_ is Class.NO_TARGET
    assert "official images only" in str(decide(text).reason)
    moved = decide(text, targets=("ecr-public", "mirror:m.example:5000/hub"))
    assert moved.class_ is Class.MIGRATABLE
    assert str(moved.target) == f"m.example:5000/hub/{text}"
    assert moved.rule == "mirror:m.example:5000/hub"


def test_what_ecr_public_is_known_not_to_carry_stays_with_the_date_of_that_fact() -> None:
    frontend = decide("docker/dockerfile:1")
    assert frontend.class_ is Class.NO_TARGET
    assert "does not carry the BuildKit frontend (as of 2026-11-23, issue report" in str(frontend.reason)
    assert "Instead: leave the line" in str(frontend.reason)
    assert decide("php:8.3.5-fpm").class_ is Class.NO_TARGET
    assert decide("php:8.3.7").class_ is Class.MIGRATABLE
    assert decide("azul-zulu:21").class_ is Class.NO_TARGET
    assert decide("php:8.3.5", targets=("ecr-public", "mirror:m.example")).rule == "mirror:m.example"


def test_codebuilds_own_images_only_look_like_docker_hubs() -> None:
    decision = decide("aws/codebuild/standard:7.0", targets=("mirror:m.example",))
    assert (decision.class_, decision.target) == (Class.NOT_DOCKER_HUB, None)
    assert "curated by CodeBuild" in str(decision.reason)


def test_an_endpoint_of_docker_hub_implies_no_library() -> None:
    decision = decide("registry-1.docker.io/node")
    assert decision.class_ is Class.NO_TARGET
    assert "implies no library/" in str(decision.reason)


@pytest.mark.parametrize("text", ["192.168.0.1:80", "localhost:5000"])
def test_a_host_and_port_is_not_taken_for_an_image(text: str) -> None:
    assert decide(text).class_ is Class.NO_TARGET
    assert "looks like a host and port" in str(decide(text).reason)


@pytest.mark.parametrize(
    "text", ["public.ecr.aws/docker/library/node", "mirror.gcr.io/library/node", "mcr.microsoft.com/mirror/docker/library/ubuntu"]
)
def test_what_is_on_a_mirror_stays(text: str) -> None:
    assert decide(text).class_ is Class.ALREADY_MIRRORED


@pytest.mark.parametrize("text", ["quay.io/a/b", "public.ecr.aws/nginx/nginx", "localhost/node", "LOCALDOMAIN/node", "ghcr.io/x/y:1"])
def test_what_is_elsewhere_stays(text: str) -> None:
    assert decide(text).class_ is Class.NOT_DOCKER_HUB


def test_a_pinned_digest_stays_until_it_is_accepted() -> None:
    for text in (f"node@{DIGEST}", f"node:20@{DIGEST}"):
        assert decide(text).class_ is Class.NO_TARGET
        assert "pinned digest not verified" in str(decide(text).reason)
        accepted = decide(text, accept=frozenset({"unverified-digests"}))
        assert str(accepted.target) == f"public.ecr.aws/docker/library/{text}"


def test_what_is_not_safe_is_held_back() -> None:
    assert decide("node", found_as={"safety": Safety.UNSAFE}).class_ is Class.VARIABLE
    assert decide("node", found_as={"safety": Safety.UNSAFE}, unsafe=True).class_ is Class.MIGRATABLE
    assert decide("node", found_as={"safety": Safety.SHOWN}, unsafe=True).class_ is Class.CONFLICT


def test_the_platform_pulls_without_a_login_and_the_user_is_told() -> None:
    decision = decide("node", found_as={"pulled_by": PulledBy.PLATFORM})
    assert decision.class_ is Class.MIGRATABLE
    assert "before any login step" in str(decision.reason)
    assert decide("node", found_as={"pulled_by": PulledBy.PLATFORM}, require_login=True).class_ is Class.NO_TARGET
    assert decide("node", require_login=True).class_ is Class.MIGRATABLE
    assert decide("node", found_as={"pulled_by": PulledBy.PLATFORM}, targets=("mirror:m.example",)).reason is None


def test_a_short_name_is_moved_only_when_the_user_says_what_it_is() -> None:
    assert decide("node", found_as={"short_name": True}).class_ is Class.SHORT_NAME
    assert decide("node", found_as={"short_name": True}, short_names="docker.io").class_ is Class.MIGRATABLE
    assert decide("docker.io/node", found_as={"short_name": True}).class_ is Class.MIGRATABLE


def test_a_service_known_by_its_image_name_needs_an_alias() -> None:
    decision = decide("postgres", found_as={"host_name": "postgres"})
    assert decision.class_ is Class.CONFLICT
    assert "postgres" in str(decision.reason)


def test_the_first_rule_that_matches_wins() -> None:
    rules = (
        Rule(match="docker.io/library/node", target="keep", paths=("legacy/*",)),
        Rule(match="docker.io/library/n*", target="own.example/{name}"),
        Rule(match="docker.io/*", target="own.example/hub/{repository}"),
    )
    assert decide("node:1", "legacy/Dockerfile", rules=rules).class_ is Class.NO_TARGET
    assert str(decide("node:1", rules=rules).target) == "own.example/node:1"
    assert decide("node:1", rules=rules).rule == "rule docker.io/library/n*"
    assert str(decide("grafana/grafana", rules=rules).target) == "own.example/hub/grafana/grafana"
    assert decide("quay.io/a/b", rules=rules).class_ is Class.NOT_DOCKER_HUB


@pytest.mark.parametrize(
    ("target", "says"),
    [("{nonsense}/x", "is not a template"), ("Bad/{name}", "rule 'docker"), ("own.example/{name}:1", "must not name a tag")],
)
def test_a_rule_that_makes_no_name_is_a_configuration_error(target: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        decide("node", rules=(Rule(match="docker.io/*", target=target if target != "Bad/{name}" else "own.example/{name}//x"),))


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("mirror:m.example", "m.example/library/node:20"),
        ("mirror:localhost:5000/docker/", "localhost:5000/docker/library/node:20"),
        ("mirror:[::1]:5000", "[::1]:5000/library/node:20"),
        ("ecr-pull-through:123456789012/eu-west-1/docker-hub", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/node:20"),
        ("ecr-pull-through:123456789012/us-gov-west-1/a/b", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/a/b/library/node:20"),
        ("docker-hub", "docker.io/library/node:20"),
        ("ecr-public", "public.ecr.aws/docker/library/node:20"),
    ],
)
def test_the_name_at_each_kind_of_place_and_back(spec: str, name: str) -> None:
    place = parse_place(spec)
    hub = Reference.parse("node:20")
    assert place.spec == spec
    there = place.name_of(hub)
    assert there is not None
    assert str(there) == name
    assert place.origin_of(there) == hub


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nowhere", "there is no such place"),
        ("mirror:", "would be read|is not|empty|cannot"),
        ("mirror:harbor", "would be read as a Docker Hub name"),
        ("mirror:h.example/UP", "lower case"),
        ("ecr-pull-through:1/eu-west-1/x", "ACCOUNT/REGION/PREFIX"),
        ("ecr-public:x", "there is no such place"),
    ],
)
def test_a_place_that_does_not_exist_is_refused(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_place(spec)


def test_names_that_are_not_a_places_own_have_no_origin_there() -> None:
    assert EcrPublic().origin_of(Reference.parse("public.ecr.aws/library/node")) is None
    assert EcrPublic().origin_of(Reference.parse("public.ecr.aws/docker/grafana/x")) is None
    assert EcrPublic().origin_of(Reference.parse("other.example/docker/library/node")) is None
    assert Mirror("mirror:m.example/p", "m.example", "p/").origin_of(Reference.parse("m.example/q/library/node")) is None
    assert Mirror("mirror:m.example", "m.example", "").origin_of(Reference.parse("m.example/node")) is None
    assert DockerHub().origin_of(Reference.parse("quay.io/a/b")) is None


NAMES = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,5})?", fullmatch=True)


@given(NAMES, st.none() | st.from_regex(r"[a-z0-9][a-z0-9.]{0,8}", fullmatch=True))
def test_from_hub_to_ecr_public_to_a_mirror_and_home_again(name: str, tag: str | None) -> None:
    hub = Reference("docker.io", f"library/{name}", tag)
    ecr, mirror = EcrPublic(), parse_place("mirror:m.example:5000/hub")
    there = ecr.name_of(hub)
    assert there is not None
    back = ecr.origin_of(there)
    assert back == hub
    further = mirror.name_of(back)
    assert further is not None
    assert mirror.origin_of(further) == hub
    assert DockerHub().name_of(hub) == hub
