"""Helm values: which keys are images, where their parts lie, and that nothing breaks on odd input."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats import helm_values
from unhub.formats._choice import choose
from unhub.image.errors import UnreadableError
from unhub.image.found import Finding, Found, Role, Safety, Skipped
from unhub.image.source import Source


def find(text: str | bytes, path: str = "values.yaml", files: dict[str, bytes] | None = None) -> list[Finding]:
    data = text.encode() if isinstance(text, str) else text
    return list(helm_values.find(Source(path, data, read=(files or {}).get)))


def references(text: str, **options: Any) -> list[str]:
    return [str(finding.reference) for finding in find(text, **options) if isinstance(finding, Found)]


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        ("image: node:20", "docker.io/library/node:20"),
        ("image: {repository: node, tag: 20}", "docker.io/library/node:20"),
        ("image: {registry: quay.io, repository: a/b, tag: 1}", "quay.io/a/b:1"),
        ("image: {registry: localhost:5000, repository: a/b, tag: 1}", "localhost:5000/a/b:1"),
        ("image: {registry: docker.io/library/, repository: node}", "docker.io/library/node"),
        ("image: {repository: 'localhost:5000/b', tag: 1}", "localhost:5000/b:1"),
        ("image: {name: node, tag: 20}", "docker.io/library/node:20"),
        ("image: {name: node, version: 20}", "docker.io/library/node:20"),
        ("image: {repository: node, version: 20, tag: 18}", "docker.io/library/node:18"),
        ("image: {registry: docker.io, image: library/node, tag: 20}", "docker.io/library/node:20"),
        ("{image: node, tag: 20}", "docker.io/library/node:20"),
        ("{image: node, imageTag: 20}", "docker.io/library/node:20"),
        ("{image: 'node:18', tag: 20}", "docker.io/library/node:18"),
        ("{repository: node, tag: 20}", "docker.io/library/node:20"),
        ("{repository: node, pullPolicy: Always}", "docker.io/library/node"),
        ("{imageRepository: node, imageTag: 20, imageRegistry: docker.io}", "docker.io/library/node:20"),
        ("{web-image-repository: node, web-image-tag: 20}", "docker.io/library/node:20"),
        ("{dockerRepository: node, dockerTag: 20}", "docker.io/library/node:20"),
        ("image.repository: node\nimage.tag: 20", "docker.io/library/node:20"),
        ("nodeImage: node", "docker.io/library/node"),
        ("IMAGE: node", "docker.io/library/node"),
        ("containerImageRef: node", "docker.io/library/node"),
        ("images: [node]", "docker.io/library/node"),
        ("images: {web: node}", "docker.io/library/node"),
        ("images: {web: {repository: node, tag: 1}, pullPolicy: x}", "docker.io/library/node:1"),
        ("images: {repository: node, tag: 1}", "docker.io/library/node:1"),
        ("images: {tags: {web: node}}", "docker.io/library/node"),
        ("images: [{name: node, tag: 1}]", "docker.io/library/node:1"),
        ("image: {repository: &r node, tag: 1}\nname: x", "docker.io/library/node:1"),
    ],
)
def test_an_image_is_known_by_its_keys(values: str, reference: str) -> None:
    assert references(values) == [reference]


@pytest.mark.parametrize(
    "values",
    [
        "repository: node",
        "git: {repository: node, tag: v1}",
        "x: {repository: node, tag: v1, branch: main}",
        "x: {repository: 'git@example.org:a/b', tag: v1}",
        "x: {repository: 'https://example.org', tag: v1}",
        "image: {pullPolicy: Always, tag: 20}",
        "image: true",
        "image: 3",
        "image: ''",
        "image:",
        "image: {repository: '', tag: 1}",
        "image: auto",
        "image: a.png",
        "vmImage: ubuntu-24.04",
        "imagePullSecrets: [{name: node}]",
        "imagePullSecret: node",
        "images: {pullPolicy: Always, pullSecrets: [x], tag: 1}",
        "images: [{name: node, size: 3}]",
        "name: node",
        "{name: node, version: 3}",
        "# image: node",
        "a: [1, 2]",
        "",
    ],
)
def test_what_is_no_image_is_not_found(values: str) -> None:
    assert references(values) == []


def test_a_tag_of_values_keeps_the_text_it_is_written_with() -> None:
    (found,) = find("image: {repository: node, tag: 1.10}")
    assert isinstance(found, Found)
    assert [(part.role, part.text) for part in found.parts] == [(Role.REPOSITORY, "node"), (Role.TAG, "1.10")]
    assert found.note is not None
    assert "renders as 1.1" in found.note


@pytest.mark.parametrize(
    ("tag", "rendered"),
    [
        ("1.10", "1.1"),
        ("8.0", "8"),
        ("20240101", "2.0240101e+07"),
        ("1000000", "1e+06"),
        ("999999", None),
        ("16.1", None),
        ("'1.10'", None),
    ],
)
def test_a_number_that_helm_renders_in_another_way_is_said(tag: str, rendered: str | None) -> None:
    (found,) = find(f"image: {{repository: node, tag: {tag}}}")
    assert isinstance(found, Found)
    assert (found.note or "").endswith(f"which Helm renders as {rendered}") == (rendered is not None)


def test_a_global_registry_makes_every_image_of_the_document_shown_only() -> None:
    findings = find("global: {imageRegistry: r.example.org}\na: {image: node}\nb: {image: {repository: nginx, tag: 1}}")
    assert [type(finding) for finding in findings] == [Skipped, Found, Found]
    assert all(finding.safety is Safety.SHOWN for finding in findings if isinstance(finding, Found))


@pytest.mark.parametrize(
    "values",
    [
        "images: {registry: x.example.org, web: node}",
        "global: {hub: x.example.org}\nimage: node",
        "imageRegistry: x.io\nweb: {image: node}",
    ],
)
def test_a_registry_for_all_images_may_have_other_names(values: str) -> None:
    (shown,) = [finding for finding in find(values) if isinstance(finding, Found)]
    assert shown.safety is Safety.SHOWN


CHART = {"c/Chart.yaml": b"name: c", "c/values.yaml": b"web: {image: {registry: quay.io, repository: a/b, tag: 1}}"}


def test_values_of_an_environment_take_the_registry_from_the_chart() -> None:
    assert references("web: {image: {repository: a/c}}", path="c/values-prod.yaml", files=CHART) == ["quay.io/a/c"]
    assert references("web: {image: {repository: a/c}}", path="c/ci/values-prod.yaml", files=CHART) == ["quay.io/a/c"]


def test_values_of_an_environment_may_give_a_tag_or_registry_only() -> None:
    assert references("web: {image: {tag: 2}}", path="c/values-prod.yaml", files=CHART) == ["quay.io/a/b:2"]
    assert references("web: {image: {registry: docker.io}}", path="c/values-prod.yaml", files=CHART) == ["docker.io/a/b"]


def test_values_of_a_parent_chart_take_the_registry_from_an_unpacked_subchart() -> None:
    files = {"c/charts/sub/Chart.yaml": b"name: sub", "c/charts/sub/values.yaml": b"image: {registry: quay.io, repository: a/b}"}
    assert references("sub: {image: {repository: a/c}}", path="c/values.yaml", files=files) == ["quay.io/a/c"]


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("values.yaml", "image: x", True),
        ("deploy/values-prod.yml", "image: x", True),
        ("prod-values.yaml", "image: x", True),
        ("prod.values.yaml", "image: x", True),
        ("values/prod.yaml", "image: x", True),
        ("helm-values/prod.yaml", "image: x", True),
        ("values.yaml.gotmpl", "image: x", True),
        ("values.json", '{"image": "x"}', True),
        ("chart/other.yaml", "image: x", True),
        ("chart/ci/test.yaml", "image: x", True),
        ("chart/Chart.yaml", "image: x", True),
        ("chart/templates/values.yaml", "image: x", False),
        ("values.schema.json", '{"image": "x"}', False),
        ("values.yaml", "apiVersion: v1\nkind: Pod\nimage: x", False),
        ("values.yaml", "extra:\n  apiVersion: v1\n  kind: Pod\n  image: x", True),
        ("evaluations.yaml", "image: x", False),
        ("other/some.yaml", "image: x", False),
    ],
)
def test_values_are_known_by_name_folder_or_chart(path: str, data: str, wanted: bool) -> None:
    files = {"chart/Chart.yaml": b"name: c"}
    entry = choose(Source(path, data.encode(), read=files.get))
    assert (entry is not None and entry.format.name == "helm_values") == wanted


def test_values_that_are_no_yaml_are_reported() -> None:
    with pytest.raises(UnreadableError, match="line 2"):
        find("a: b\n  image: [x\nc: d")


_LINES = st.lists(
    st.sampled_from(
        ["image: node:20", "image:", "  repository: nginx", "  registry: docker.io", "  registry:", "  tag: 1", "a: &x", "  <<: *x",
         "b: *x",
         "images:", "  - alpine", "  - image: x", "c: |", "  image: y", "  {{ if .x }}", "  {{ end }}", "%{ if y }", "d: ${e}", "global:",
         "  imageRegistry: z", "{a: b}", "---", "\t", "é: ñ"]
    ),
    max_size=14,
)  # fmt: skip


@given(_LINES)
def test_every_part_of_a_finding_lies_where_it_is_written(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    try:
        findings = find(data)
    except UnreadableError:
        return
    for finding in findings:
        assert 0 <= finding.span.start <= finding.span.end <= len(data)
        for part in finding.parts if isinstance(finding, Found) else ():
            if part.known and part.literal and part.span.start < part.span.end and part.text:
                assert data[part.span.start : part.span.end].decode() == part.text


@given(st.binary(max_size=120))
def test_any_bytes_give_findings_or_one_known_error(data: bytes) -> None:
    try:
        findings = find(b"image: " + data)
    except UnreadableError:
        return
    assert all(finding.span.end <= len(data) + 7 for finding in findings)
