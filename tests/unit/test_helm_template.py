"""Helm templates: which files are theirs, and that every literal is found whatever surrounds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats import helm_template
from unhub.formats._choice import choose
from unhub.image.found import Class, Finding, Found, Skipped
from unhub.image.source import FormatSettings, Source

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: "


def find(text: str, *, defaults: bool = False) -> list[Finding]:
    return list(helm_template.find(Source("c/templates/x.yaml", text.encode(), FormatSettings(helm_defaults=defaults))))


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("chart/templates/pod.yaml", "image: x", True),
        ("chart/templates/tests/pod.yaml", "image: x", True),
        ("chart/templates/_helpers.tpl", "image: x", True),
        ("chart/charts/sub/templates/pod.yaml", "image: x", False),
        ("ci/templates/job.yml", "image: x", False),
        ("pod.yaml", "apiVersion: v1\nimage: {{ .x }}", True),
        ("pod.yaml", "apiVersion: v1\nimage: {{ x }}", False),
        ("pod.yaml", "apiVersion: v1\nimage: ${{ .x }}", False),
        ("pod.yaml", "image: {{ .x }}", False),
        ("pod.yaml", "apiVersion: v1\nkind: Pod\nimage: {{ x }}", True),
        ("pod.yaml", "apiVersion: v1\nkind: Pod\nimage: '{{ x }}'", False),
    ],
)
def test_a_template_is_known_by_its_chart_or_its_actions(path: str, data: str, wanted: bool) -> None:
    entry = choose(Source(path, data.encode(), read={"chart/Chart.yaml": b"name: c"}.get))
    assert (entry is not None and entry.format.name == "helm_template") == wanted


def test_a_value_that_comes_from_values_is_skipped_with_their_names() -> None:
    (skipped,) = find(POD + '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"')
    assert isinstance(skipped, Skipped)
    assert skipped.class_ is Class.VARIABLE
    assert ".Values.image.repository, .Values.image.tag" in skipped.reason


def test_a_default_is_read_on_request() -> None:
    text = POD + '{{ .Values.image | default "node:20" }}'
    assert isinstance(find(text)[0], Skipped)
    (found,) = find(text, defaults=True)
    assert isinstance(found, Found)
    assert (str(found.reference), found.text) == ("docker.io/library/node:20", "node:20")


def test_an_action_over_several_lines_is_one_finding() -> None:
    (skipped,) = find(POD + '{{ include "a" (dict\n  "b" .) }}\n')
    assert skipped.where == "containers[a].image"
    assert isinstance(skipped, Skipped)
    assert skipped.text.endswith('"b" .) }}')


def test_an_action_below_the_key_is_not_passed_over() -> None:
    (skipped,) = find(POD + "\n        {{- .Values.image }}\n")
    assert isinstance(skipped, Skipped)
    assert skipped.class_ is Class.VARIABLE


def test_a_broken_document_is_read_by_lines_and_the_next_as_usual() -> None:
    findings = find("a: [\nimage: node\n---\n" + POD + "nginx\n---\nb: {{ .x }}\n")
    assert [(str(finding.reference), bool(finding.note)) for finding in findings if isinstance(finding, Found)] == [
        ("docker.io/library/node", True),
        ("docker.io/library/nginx", False),
    ]


def test_a_helper_named_after_an_image_is_one() -> None:
    findings = find('{{ define "x.image" }}node:20{{ end }}{{ define "x.imagePullPolicy" }}Always{{ end }}')
    assert [str(finding.reference) for finding in findings if isinstance(finding, Found)] == ["docker.io/library/node:20"]


_AROUND = st.lists(
    st.sampled_from(
        ["    {{- if .a }}", "    {{- end }}", "  {{ toYaml .b | indent 4 }}", "{{/* c\n */}}", '      args: ["{{ .d }}"]',
         "    - name: {{ .e }}",
         "      # image: redis", "", "      env: {{ .f }}", "      {{- else }}", "        {}", "   odd: indent", "---", "{{"]
    ),
    max_size=10,
)  # fmt: skip


@given(_AROUND, _AROUND)
def test_a_literal_on_its_line_is_found_whatever_surrounds_it(before: list[str], after: list[str]) -> None:
    container = ["    - name: z", '      image: "node:20"']
    text = "\n".join(["apiVersion: v1", "kind: Pod", "spec:", "  containers:", *before, *container, *after])
    found = [finding for finding in find(text) if isinstance(finding, Found)]
    place = text.encode().index(b"node:20")
    assert any(finding.span == (place, place + 7) for finding in found)


@given(st.text(alphabet="{}-.image:\n \"'x%|>", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    data = (POD + text).encode()
    for finding in find(POD + text):
        assert 0 <= finding.span.start <= finding.span.end <= len(data)
