"""References: the grammar and normalisation of distribution's reference package, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, InvalidReference
from unhub.image.reference import Reference, written_name_length

HEX = "0123456789abcdef" * 4
SHA256 = f"sha256:{HEX}"

VALID = {
    # rule 1, 2: Docker Hub and library/ are implied, and no tag is invented
    "node": ("docker.io", "library/node", None, None),
    "docker.io/node": ("docker.io", "library/node", None, None),
    "index.docker.io/node": ("docker.io", "library/node", None, None),
    "docker.io/library/node": ("docker.io", "library/node", None, None),
    "library/node": ("docker.io", "library/node", None, None),
    "grafana/grafana:11": ("docker.io", "grafana/grafana", "11", None),
    # rule 3: Docker Hub's endpoints keep their names
    "registry-1.docker.io/library/node": ("registry-1.docker.io", "library/node", None, None),
    # rule 4: a dot, a colon or localhost make a registry
    "localhost/node": ("localhost", "node", None, None),
    "localhost:5000/node": ("localhost:5000", "node", None, None),
    "127.0.0.1:5000/x": ("127.0.0.1:5000", "x", None, None),
    "[fc00::1]:5000/x:1": ("[fc00::1]:5000", "x", "1", None),
    "[fc00::1]/x": ("[fc00::1]", "x", None, None),
    "public.ecr.aws/docker/library/node:20": ("public.ecr.aws", "docker/library/node", "20", None),
    # rule 5: so does an upper-case first component
    "LOCALDOMAIN/node": ("LOCALDOMAIN", "node", None, None),
    "Docker/docker": ("Docker", "docker", None, None),
    # rule 7: 64 hexadecimal digits are a name behind a domain
    f"docker.io/{HEX}": ("docker.io", f"library/{HEX}", None, None),
    # rule 8
    "library/foo/bar": ("docker.io", "library/foo/bar", None, None),
    # rule 9: a host and port without a path are a name and a tag
    "192.168.0.1:80": ("docker.io", "library/192.168.0.1", "80", None),
    # rule 10, 11
    f"node@{SHA256}": ("docker.io", "library/node", None, SHA256),
    f"h.example:5000/a/b:20@{SHA256}": ("h.example:5000", "a/b", "20", SHA256),
    "a__b/c.d-e--f:_x.Y-1": ("docker.io", "a__b/c.d-e--f", "_x.Y-1", None),
    "x:" + "t" * 128: ("docker.io", "library/x", "t" * 128, None),
    "docker.io/" + "a" * 247: ("docker.io", "library/" + "a" * 247, None, None),
}

INVALID = {
    "docker/Docker": (7, "a repository must be lower case"),
    "docker.io/docker/Docker": (17, "a repository must be lower case"),
    "Node": (0, "a repository must be lower case"),
    "-docker/x": (0, "'-' cannot stand here in a repository"),
    "docker///x": (6, "'/' cannot stand here in a repository"),
    "https://github.com/x": (5, "'https:' is not a registry host"),
    "-x.example/y": (0, "'-x.example' is not a registry host"),
    HEX: (0, "64 hexadecimal digits are an image ID, not a name"),
    "node:": (5, "the tag is empty"),
    "": (0, "the reference is empty"),
    ":x": (0, "the repository ends too early"),
    "@sha256:x": (0, "the repository ends too early"),
    "node:a@": (7, "the digest is wrong (it is not algorithm:hexadecimal)"),
    "node@x:y": (5, "the digest is wrong (it is not algorithm:hexadecimal)"),
    "NO de": (0, "'N' cannot stand here in a repository"),
    "node:-x": (5, "'-' cannot start a tag"),
    "node:2 0": (6, "' ' cannot stand in a tag"),
    "node:" + "t" * 129: (133, "the tag has more than 128 characters"),
    "no de": (2, "' ' cannot stand here in a repository"),
    "foo/": (3, "'/' cannot stand here in a repository"),
    "foo.example/": (12, "the repository ends too early"),
    "docker.io/" + "a" * 248: (10, "the repository has more than 255 characters"),
    "node@": (5, "the digest is wrong (it is not algorithm:hexadecimal)"),
    "node@sha256:abc": (5, "the digest is wrong (it is not algorithm:hexadecimal)"),
    f"node:20@sha256:{HEX}0": (8, "the digest is wrong (sha256 has 64 digits, not 65)"),
    f"node@sha256:{HEX.upper()}": (5, "the digest is wrong (its digits must be lower case)"),
    f"node@md5:{HEX}": (5, "the digest is wrong (md5 is not one of sha256, sha384, sha512)"),
    "node\n": (4, "'\\n' cannot stand here in a repository"),
    "nöde": (1, "'ö' cannot stand here in a repository"),
}


@pytest.mark.parametrize("text", VALID)
def test_a_reference_is_read_as_docker_reads_it(text: str) -> None:
    reference = Reference.parse(text)
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == VALID[text]
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_reference_is_refused_at_the_right_place(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert (caught.value.position, caught.value.reason) == INVALID[text]
    assert str(caught.value) == f"cannot parse {text!r}: {INVALID[text][1]} at character {INVALID[text][0] + 1}"
    assert (caught.value.text, caught.value.code, caught.value.exit_status) == (text, "invalid-reference", 2)


def test_the_parts_of_a_reference() -> None:
    reference = Reference.parse(f"node:20@{SHA256}")
    assert reference.name == "docker.io/library/node"
    assert reference.suffix == f":20@{SHA256}"
    assert str(reference) == f"docker.io/library/node:20@{SHA256}"
    assert reference.familiar_name == "node"
    assert reference.familiar() == f"node:20@{SHA256}"
    assert Reference.parse("node").suffix == ""
    moved = reference.with_name("public.ecr.aws", "docker/library/node")
    assert str(moved) == f"public.ecr.aws/docker/library/node:20@{SHA256}"
    assert moved.familiar_name == "public.ecr.aws/docker/library/node"
    assert Reference.parse("grafana/grafana:1").familiar() == "grafana/grafana:1"
    assert Reference.parse("library/foo/bar").familiar_name == "library/foo/bar"


@pytest.mark.parametrize(
    ("text", "hub", "official", "canonical"),
    [
        ("node", True, True, "docker.io/library/node"),
        ("rocket.chat", True, True, "docker.io/library/rocket.chat"),
        ("bitnami/redis", True, False, "docker.io/bitnami/redis"),
        ("library/foo/bar", True, False, "docker.io/library/foo/bar"),
        ("registry-1.docker.io/library/node:1", True, True, "docker.io/library/node:1"),
        ("registry.hub.docker.com/library/node", True, True, "docker.io/library/node"),
        ("REGISTRY-1.docker.io/library/node", True, True, "docker.io/library/node"),
        ("registry-1.docker.io/node", True, False, "registry-1.docker.io/node"),
        ("quay.io/library/node", False, False, "quay.io/library/node"),
    ],
)
def test_docker_hub_is_known_by_all_its_names(text: str, hub: bool, official: bool, canonical: str) -> None:
    reference = Reference.parse(text)
    assert reference.is_docker_hub is hub
    assert reference.is_official is official
    assert str(reference.canonical) == canonical


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("node", "node"),
        ("node:20", "node"),
        (f"node:20@{SHA256}", "node"),
        (f"node@{SHA256}", "node"),
        ("h:5000/node:20", "h:5000/node"),
        ("[fc00::1]:5000/x:1", "[fc00::1]:5000/x"),
        ("node:", "node"),
        ("node:a:b", "node"),
        ("h:5000/a/b:1", "h:5000/a/b"),
        ("a/:x", "a/"),
        (":x", ""),
        ("a:", "a"),
        ("", ""),
    ],
)
def test_the_written_name_ends_before_tag_and_digest(text: str, name: str) -> None:
    assert text[: written_name_length(text)] == name


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_digest_is_its_algorithm_and_its_digits(algorithm: str) -> None:
    text = f"{algorithm}:{'a1' * {'sha256': 32, 'sha384': 48, 'sha512': 64}[algorithm]}"
    digest = Digest.parse(text)
    assert digest.algorithm == algorithm
    assert str(digest) == text


@pytest.mark.parametrize(
    "text", ["", "sha256", "sha256:", f"sha256:{HEX}0", f"sha256:{HEX[1:]}", f"sha256:{HEX.upper()}", f"md5:{HEX[:32]}", f":{HEX}"]
)
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest) as caught:
        Digest.parse(text)
    assert str(caught.value).startswith(f"cannot read digest {text!r}: ")


COMPONENT = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
DOMAIN = st.from_regex(
    r"([a-zA-Z0-9]{1,5}\.[a-zA-Z0-9]{1,5}(:[0-9]{1,5})?|localhost(:[0-9]{2,4})?|\[[a-f0-9]{1,4}:[a-f0-9:]{0,9}\](:[0-9]{1,4})?|[A-Z]{2,5})",
    fullmatch=True,
)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
DIGEST = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


def _first_component_is_plain(text: str) -> bool:
    """A first component with a dot is a registry, which allows other characters."""
    first, slash, _ = text.partition("/")
    return not slash or "_" not in first


REFERENCES = st.builds(
    lambda domain, path, tag, digest: (
        (f"{domain}/" if domain else "") + "/".join(path) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    ),
    st.none() | DOMAIN,
    st.lists(COMPONENT, min_size=1, max_size=4),
    st.none() | TAG,
    st.none() | DIGEST,
).filter(_first_component_is_plain)


@given(REFERENCES)
def test_parsing_what_is_printed_gives_the_same_reference(text: str) -> None:
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference
    assert str(reference).endswith(text[written_name_length(text) :])


@given(REFERENCES)
def test_the_familiar_form_means_the_same(text: str) -> None:
    reference = Reference.parse(text)
    if len(reference.familiar_name) != 64:  # 64 hexadecimal digits alone are an image ID
        assert Reference.parse(reference.familiar()) == reference


@given(st.text(max_size=40) | st.text(alphabet="aA0./:@-_[] ", max_size=30))
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference as error:
        assert 0 <= error.position <= len(text)
    else:
        assert Reference.parse(str(reference)) == reference
