"""The same-length mask over template text, and what actions are worth."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats._template.mask import Region, go_regions, mask, terraform_regions
from unhub.formats._template.value import Action, condition_branches, explain
from unhub.formats._text import Mapped
from unhub.formats._yaml.parse import parse
from unhub.image.errors import UnreadableError
from unhub.image.found import Span

_PIECES = st.sampled_from(
    [
        b"{{ .Values.x }}", b"{{- if .a -}}", b"{{ end }}", b'{{ "}}" }}', b"{{ `a\n}}` }}", b"{{/* x\n}} */}}", b"{{ 'q' }}", b"{{", b"}}",
        b"${a}", b"%{ if x ~}", b"%{ endif }", b"$${x}", b'${f("}")}', b"${", b"\n", b"\r\n", b"  ", b"a: ", b"- ", b"key: |\n", b"node:20",
        b'"', b"'", b"{}", b"#", b"\xff", b"\xef\xbb\xbf", b"\t",
    ]
)  # fmt: skip
_TEMPLATES = st.lists(_PIECES, max_size=30).map(b"".join)


@given(_TEMPLATES, st.booleans())
def test_a_mask_keeps_length_and_line_ends(data: bytes, terraform: bool) -> None:
    masked = mask(data, terraform=terraform)
    assert len(masked.data) == len(data)
    assert [place for place, byte in enumerate(data) if byte in b"\r\n"] == [
        place for place, byte in enumerate(masked.data) if byte in b"\r\n"
    ]
    assert masked.original == data


@given(_TEMPLATES, st.booleans())
def test_outside_the_template_text_only_empty_branches_and_a_byte_order_mark_change(data: bytes, terraform: bool) -> None:
    masked = mask(data, terraform=terraform)
    covered = bytearray(len(data))
    for region in masked.regions:
        covered[region.start : region.end] = b"\1" * (region.end - region.start)
    for place, (was, now) in enumerate(zip(data, masked.data, strict=True)):
        if not covered[place] and was != now:
            assert now == ord(" ")
            assert was in b"{}[]\xef\xbb\xbf"


@given(_TEMPLATES)
def test_no_action_is_left_in_a_masked_text(data: bytes) -> None:
    masked = mask(data)
    for region in masked.regions:
        assert set(masked.data[region.start : region.end]) <= set(b"x \r\n")


@given(st.binary(max_size=200))
def test_any_bytes_can_be_masked(data: bytes) -> None:
    assert len(mask(data, terraform=True).data) == len(data)


@given(_TEMPLATES, st.booleans())
def test_regions_are_in_order_and_apart(data: bytes, terraform: bool) -> None:
    regions = mask(data, terraform=terraform).regions
    assert all(region.start < region.end for region in regions)
    assert all(left.end <= right.start for left, right in itertools.pairwise(regions))


def test_a_mask_takes_linear_time_on_openings_without_an_end() -> None:
    assert len(mask(b"{{ `" * 100_000 + b"}}" * 10, terraform=True).data) == 400_020
    assert len(mask(b'${"' * 100_000, terraform=True).data) == 300_000


def test_many_actions_on_one_line_are_masked_in_linear_time() -> None:
    data = b"a: " + b"{{ .x }}y" * 100_000
    assert mask(data).data == b"a: " + b"xxxxxxxxy" * 100_000


@pytest.mark.parametrize(
    ("template", "masked"),
    [
        (b"{{- if .x }}\na: b\n{{- end }}\n", b"            \na: b\n          \n"),
        (b'a: "n:{{ .x }}"', b'a: "n:xxxxxxxx"'),
        (b'a: {{ "}}" }} # c', b"a: xxxxxxxxxx # c"),
        (b"a: {{ f\n  1 }}\nb: c", b"a: xxxx\n      \nb: c"),
        (b"{{/* }} */}}\n", b"            \n"),
        (b"  {{ .a }} {{ .b }}  \n", b"                     \n"),
        (b"a: |\n{{ .long.name }}\n  text\n", b"a: |\n  xxxxxxxxxxxxxx\n  text\n"),
        (b"{{ else }}\n  {}\n{{ end }}\n", b"          \n    \n         \n"),
        (b"a: ${b}", b"a: ${b}"),
    ],
)
def test_go_templates_are_masked_as_shown(template: bytes, masked: bytes) -> None:
    assert mask(template).data == masked


@pytest.mark.parametrize(
    ("template", "masked"),
    [
        (b"%{ if a ~}\nb: ${c}\n%{ endif }\n", b"          \nb: xxxx\n          \n"),
        (b'a: ${f("}", {b = 1})}', b"a: xxxxxxxxxxxxxxxxxx"),
        (b"a: $${b} %%{c}", b"a: $${b} %%{c}"),
        (b"a: ${b\nc: d}", b"a: ${b\nc: d}"),
    ],
)
def test_terraform_templates_are_masked_as_shown(template: bytes, masked: bytes) -> None:
    assert mask(template, terraform=True).data == masked


def test_a_masked_chart_is_yaml_where_the_template_is_none() -> None:
    template = b"a:\n  {{- with .x }}\n  b: {{ . }}\n  {{- end }}\n{{ toYaml .y | indent 2 }}\n  c: |\n    d\n{{ .z }}\n    e\n"
    with pytest.raises(UnreadableError):
        parse(template)
    assert len(parse(mask(template).data)) == 1


@given(_TEMPLATES)
def test_parts_of_a_span_spell_what_stands_around_the_actions(data: bytes) -> None:
    masked = mask(data)
    parts = masked.parts(Mapped.plain(masked.data, 0, len(data)), Span(0, len(data)))
    assert b"".join(data[part.span.start : part.span.end] for part in parts if data) == data
    assert [Region(*part.span) for part in parts if not part.known] == list(masked.regions)


def _value(text: str, *, defaults: bool = False) -> list[str | None]:
    data = text.encode()
    (region,) = go_regions(data)
    return [part.text if part.known else None for part in Action(data, region, defaults).parts()]


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ('{{ "node:20" }}', ["node:20"]),
        ("{{- `node:20` | quote -}}", ["node:20"]),
        ('{{ quote "node:20" }}', ["node:20"]),
        ('{{ printf "%s:%s" "node" "20" }}', ["node", ":", "20"]),
        ('{{ printf "node:%s" .Values.tag }}', ["node:", None]),
        ('{{ "20" | printf "node:%s" }}', ["node:", "20"]),
        ('{{ (printf "node") | trim }}', ["node"]),
        ("{{ .Values.x }}", [None]),
        ('{{ include "x" . }}', [None]),
        ('{{ upper "node" }}', [None]),
        ('{{ .Values.x | default "node" }}', [None]),
        ('{{ default "node" .Values.x }}', [None]),
        ('{{ coalesce .Values.x "node" }}', [None]),
        ('{{ "a" | default "b" }}', ["a"]),
        ("{{ printf }}", [None]),
        ("{{ printf .x }}", [None]),
        ("{{}}", [None]),
        ("{{ (((( }}", [None]),
        ('{{ printf "100%%" }}', ["100", "%"]),
    ],
)
def test_an_action_is_worth_what_its_own_text_tells(action: str, value: list[str | None]) -> None:
    assert _value(action) == value


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ('{{ .Values.x | default "node" }}', ["node"]),
        ('{{ default "node" .Values.x | quote }}', ["node"]),
        ('{{ coalesce .Values.x .Values.y "node" }}', ["node"]),
        ('{{ printf "%s:%s" (.Values.a | default "node") (default "20" .Values.b) }}', ["node", ":", "20"]),
        ("{{ .Values.x | default .Values.y }}", [None]),
    ],
)
def test_defaults_count_on_request(action: str, value: list[str | None]) -> None:
    assert _value(action, defaults=True) == value


@given(st.text(alphabet='{}()|"`%s .default printfx\\', max_size=60))
def test_no_action_breaks_the_evaluation(text: str) -> None:
    data = ("{{" + text + "}}").encode()
    for region in go_regions(data):
        for part in Action(data, region, defaults=True).parts():
            assert region.start <= part.span.start <= part.span.end <= region.end


@given(st.text(alphabet='ab%sd"é', max_size=30))
def test_the_parts_of_printf_lie_where_they_are_written(template: str) -> None:
    literal = template.replace('"', "")
    data = f'{{{{ printf "{literal}" "z" }}}}'.encode()
    for part in Action(data, Region(0, len(data))).parts():
        if part.known and part.literal:
            assert data[part.span.start : part.span.end].decode() == part.text


def test_a_reason_names_the_values_and_templates_it_comes_from() -> None:
    data = b'{{ include "a.image" . }}:{{ .Values.image.tag | default "1" }}'
    regions = list(go_regions(data))
    assert (
        explain(data, regions) == 'takes its value from the template "a.image", .Values.image.tag, so it is changed in the chart\'s values'
    )
    assert "the default" in explain(data, regions[1:])
    assert explain(b"{{ $x }}", [Region(0, 8)]) == "the value of {{ $x }} is not known here"


@pytest.mark.parametrize(
    ("value", "branches"),
    [
        ("{{ if .a }}x{{ else }}y{{ end }}", ["x", "y"]),
        ("{{ if .a }}'x'{{ else if .b }} \"y\" {{ end }}", ["x", "y"]),
        ("{{ if .a }}{{ if .b }}x{{ else }}y{{ end }}{{ end }}", ["{{ if .b }}x{{ else }}y{{ end }}"]),
        ("{{ if .a }}x{{ end }}{{ if .b }}y{{ end }}", []),
        ("n{{ if .a }}x{{ end }}", []),
        ("{{ if .a }}x{{ else }}{{ end }}", ["x"]),
        ("{{ .a }}", []),
    ],
)
def test_the_branches_of_a_value_that_is_a_condition(value: str, branches: list[str]) -> None:
    data = value.encode()
    spans = condition_branches(data, Span(0, len(data)), list(go_regions(data)))
    assert [data[span.start : span.end].decode() for span in spans] == branches


def test_terraform_interpolations_may_nest() -> None:
    data = b'a: ${join(",", [for x in y : "${x}}"])}:1'
    assert [data[region.start : region.end] for region in terraform_regions(data)] == [re.split(rb":1$", data[3:])[0]]
