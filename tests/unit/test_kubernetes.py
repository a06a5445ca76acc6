"""Kubernetes: which files are manifests, and where the user's own positions lead."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unhub.formats import kubernetes
from unhub.image.errors import UnreadableError
from unhub.image.found import Found, Skipped
from unhub.image.source import FormatSettings, KubernetesPosition, Source


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("pod.yaml", b"apiVersion: v1\nkind: Pod\n", True),
        ("pod.yaml", b"\xef\xbb\xbfkind: Pod\r\napiVersion: v1\r\n", True),
        ("pod.json", b'{"apiVersion": "v1", "kind": "Pod"}', True),
        ("two.yaml", b"a: b\n---\napiVersion: v1\nkind: Pod\n", True),
        ("broken.yaml", b"apiVersion: v1\nkind: Pod\nspec: [\n", True),
        ("broken.yaml", b"spec: [\napiVersion kind\n", False),
        ("chart.yaml", b"apiVersion: v2\nname: kind\n", False),
        ("inner.yaml", b"spec: {apiVersion: v1, kind: Pod}\n", False),
        ("list.yaml", b"- apiVersion: v1\n  kind: Pod\n", False),
        ("null.yaml", b"apiVersion:\nkind: Pod\n", False),
        ("skaffold.yaml", b"apiVersion: skaffold/v4beta14\nkind: Config\n", False),
        ("task.yaml", b"apiVersion: tekton.dev/v1\nkind: Task\n", False),
        ("kustomization.yaml", b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", False),
    ],
)
def test_a_manifest_is_known_by_its_top_level_keys(path: str, data: bytes, wanted: bool) -> None:
    assert kubernetes.FORMAT.recognise(Source(path, data)) == wanted


MANIFEST = b"""\
apiVersion: acme.example/v1
kind: Pool
spec:
  image: one
  pools:
  - {name: a, image: two, more: [three, {x: four}]}
  - {name: b, image: five}
  named: {a: {run: &six six}, b: {run: *six}, c: {run: seven}}
  list: [[eight]]
"""


def found(*positions: tuple[str, str]) -> list[tuple[str, str]]:
    settings_ = FormatSettings(kubernetes_positions=tuple(KubernetesPosition(kind, path) for kind, path in positions))
    findings = kubernetes.find(Source("pool.yaml", MANIFEST, settings_))
    return [(finding.where, finding.text) for finding in findings if isinstance(finding, Found)]


@pytest.mark.parametrize(
    ("kind", "path", "texts"),
    [
        ("Pool", "spec.image", ["one"]),
        ("*", "spec.image", ["one"]),
        ("Other", "spec.image", []),
        ("Pool", "spec.pools[].image", ["two", "five"]),
        ("Pool", "spec.pools.image", []),
        ("Pool", "spec.pools[].more[]", ["three"]),
        ("Pool", "spec.pools[].more[].x", ["four"]),
        ("Pool", "spec.named.*.run", ["six", "seven"]),
        ("Pool", "spec.list[][]", ["eight"]),
        ("Pool", "spec", []),
        ("Pool", "", []),
        ("Pool", "spec..image", []),
    ],
)
def test_a_named_position_leads_to_its_texts(kind: str, path: str, texts: list[str]) -> None:
    assert [text for _, text in found((kind, path))] == texts


def test_a_named_position_is_said_with_its_kind() -> None:
    assert found(("*", "spec.image")) == [("Pool spec.image", "one")]


def test_a_selector_would_have_to_equal_the_name_as_written() -> None:
    images = b"node, docker.io/library/node:20, 'a:5000/b@sha256:" + b"0" * 64 + b"', 'x:1'"
    data = b"apiVersion: v1\nkind: P\ncontainers: [{image: " + images.replace(b", ", b"}, {image: ") + b"}]\n"
    names = [finding.selected_as for finding in kubernetes.find(Source("p.yaml", data)) if isinstance(finding, Found)]
    assert names == ["node", "docker.io/library/node", "a:5000/b", "x"]


_PIECES = st.sampled_from(
    [
        *(
            "apiVersion: v1\n",
            "kind: Pod\n",
            "kind: List\n",
            "items:\n",
            "- ",
            "  ",
            "spec:\n",
            "  containers:\n",
            "  - image: node\n",
            "---\n",
        ),
        *(
            "    image: &a x\n",
            "    image: *a\n",
            "  - <<: *a\n",
            "  volumes:\n",
            "  - image: {reference: y}\n",
            "    args: [--image=z]\n",
            "\n",
        ),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=14).map("".join))
def test_whatever_a_manifest_holds_findings_cover_what_they_say(text: str) -> None:
    data = b"apiVersion: v1\nkind: Pod\n" + text.encode()
    try:
        findings = list(kubernetes.find(Source("pod.yaml", data)))
    except UnreadableError:
        return
    for finding in findings:
        assert isinstance(finding, Found | Skipped)
        assert data[finding.span.start : finding.span.end].decode() == finding.text
