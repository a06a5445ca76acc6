"""Kustomize: entries, where a missing newName is put, and what selectors reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats import kustomize
from unhub.formats._choice import choose
from unhub.image.errors import UnreadableError
from unhub.image.found import Declared, Finding, Found, Safety, Skipped
from unhub.image.reference import Reference
from unhub.image.source import Source
from unhub.migrate.edits import apply, merge, plan_fix

TARGET = Reference("public.ecr.aws", "docker/library/node")


def find(data: bytes, path: str = "kustomization.yaml", files: dict[str, bytes] | None = None) -> list[Finding]:
    return list(kustomize.find(Source(path, data, read=(files or {}).get)))


def images(data: bytes) -> list[Found]:
    return [finding for finding in find(data) if isinstance(finding, Found)]


def moved(data: bytes) -> bytes:
    edits = [edit for found in images(data) for edit in plan_fix(found, TARGET, "kustomization.yaml").edits]
    return apply(data, merge(edits))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"images:\n- name: node\n", b"images:\n- name: node\n  newName: T/node\n"),
        (b"images:\n- name: node", b"images:\n- name: node\n  newName: T/node"),
        (b"images:\r\n  - name: node # c\r\n", b"images:\r\n  - name: node # c\r\n    newName: T/node\r\n"),
        (b"images:\n-   name: node\n    newTag: x\n", b"images:\n-   name: node\n    newName: T/node\n    newTag: x\n"),
        (b"images:\n- newTag: x\n  name: node\n", b"images:\n- newTag: x\n  name: node\n  newName: T/node\n"),
        (b"images: [{name: node}]", b"images: [{name: node, newName: T/node}]"),
        (b'{"images": [{"name": "node"}]}', b'{"images": [{"name": "node", "newName": "T/node"}]}'),
        (b"images:\n- name: x\n  newName: node\n", b"images:\n- name: x\n  newName: T/node\n"),
        (b'images:\n- name: x\n  newName: "docker.io/node"\n', b'images:\n- name: x\n  newName: "T/node"\n'),
        (b"images:\n- name: node\n  newName: ''\n", b"images:\n- name: node\n  newName: 'T/node'\n"),
        (b"images:\n- name: node\n  newName: # none\n", b"images:\n- name: node\n  newName: T/node # none\n"),
    ],
)
def test_only_new_name_is_written(before: bytes, after: bytes) -> None:
    assert moved(before) == after.replace(b"T/node", str(TARGET).encode())


def test_what_was_written_is_read_back_as_the_image() -> None:
    (found,) = images(moved(b"images:\n- name: node\n  newTag: '20'\n"))
    assert str(found.reference) == f"{TARGET}:20"
    assert found.where == "images[node]"


def test_a_null_new_name_and_a_shared_one_are_only_shown() -> None:
    for data in (b"images:\n- name: node\n  newName: null\n", b"images:\n- name: x\n  newName: &n node\n- name: y\n  newTag: *n\n"):
        assert images(data)[0].safety is Safety.SHOWN


def test_tag_and_digest_of_an_entry_belong_to_the_reference() -> None:
    digest = "sha256:" + "a" * 64
    (found,) = images(f"images: [{{name: node, newTag: 1.10, digest: '{digest}'}}]".encode())
    assert str(found.reference) == f"docker.io/library/node:1.10@{digest}"


def scope(data: bytes, path: str, files: dict[str, bytes] | None = None) -> tuple[str, ...]:
    (declared,) = [finding for finding in find(data, path, files) if isinstance(finding, Declared)]
    return declared.scope


ENTRY = b"\nimages: [{name: node}]"


def test_a_selector_reaches_resources_bases_components_and_patches() -> None:
    data = b"resources: [a.yaml, ../b]\nbases: [./c]\ncomponents: [../d]\n"
    data += b"patches: [{path: p.yaml}, {patch: x}]\npatchesStrategicMerge: [q.yaml]"
    assert scope(data + ENTRY, "o/kustomization.yaml") == ("o/kustomization.yaml", "o/a.yaml", "b", "o/c", "d", "o/q.yaml", "o/p.yaml")


def test_a_selector_follows_bases_through_their_kustomizations_and_loops() -> None:
    files = {"b/kustomization.yaml": b"resources: [../c, x.yaml]", "c/Kustomization": b"resources: [../b]"}
    assert scope(b"resources: [../b]" + ENTRY, "o/kustomization.yaml", files) == ("o/kustomization.yaml", "b", "c", "b/x.yaml")


def test_remote_resources_and_texts_are_no_paths() -> None:
    data = b"resources: ['https://example.org/x.yaml', '/abs']\npatchesStrategicMerge:\n- |\n  a: b\n  c: d"
    assert scope(data + ENTRY, "kustomization.yaml") == ("kustomization.yaml",)


def test_a_component_reaches_everything() -> None:
    assert scope(b"kind: Component" + ENTRY, "o/kustomization.yaml") == ("",)


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("a/kustomization.yaml", "images: []", True),
        ("a/Kustomization", "images: []", True),
        ("a/kustomization.yml", "images: []", True),
        ("a/patch.yaml", "- op: replace\n  path: /spec/containers/0/image\n  value: x", True),
        ("a/patch.json", '[{"op": "replace", "path": "/a/image", "value": "x"}]', True),
        ("a/t.yaml", "kind: ImageTagTransformer\nimageTag: {name: x}", True),
        ("a/other.yaml", "image: x", False),
        ("a/pod.yaml", "apiVersion: v1\nkind: Pod\nop: add\nimage: a/b", False),
    ],
)
def test_kustomizations_are_known_by_name_and_patches_by_content(path: str, data: str, wanted: bool) -> None:
    entry = choose(Source(path, data.encode()))
    assert (entry is not None and entry.format.name == "kustomize") == wanted


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ("{op: replace, path: /spec/containers/0/image, value: node}", ["node"]),
        ("{op: add, path: /spec/containers/-, value: {name: x, image: node}}", ["node"]),
        ("{op: add, path: /spec/initContainers, value: [{image: node}, {image: nginx}]}", ["node", "nginx"]),
        ("{op: add, path: /spec, value: {template: {spec: {containers: [{image: node}]}}}}", ["node"]),
        ("{op: remove, path: /spec/containers/0/image}", []),
        ("{op: replace, path: /metadata/name, value: node}", []),
        ("{op: replace, path: /spec/containers/0/imagePullPolicy, value: Always}", []),
    ],
)
def test_operations_of_a_patch_give_images_by_their_path(patch: str, found: list[str]) -> None:
    findings = find(f"[{patch}]".encode(), "patch.yaml")
    assert [finding.text for finding in findings if isinstance(finding, Found)] == found


def test_a_test_operation_is_skipped_because_it_compares() -> None:
    (skipped,) = find(b"- {op: test, path: /spec/containers/0/image, value: node}", "patch.yaml")
    assert isinstance(skipped, Skipped)
    assert "compares" in skipped.reason


@given(st.text(alphabet="imagesnw:-{}[]' \n&*x", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    data = b"images:\n- name: node\n" + text.encode()
    try:
        findings = find(data)
    except UnreadableError:
        return
    for finding in findings:
        assert 0 <= finding.span.start <= finding.span.end <= len(data)
