"""The edit engine: the smallest change that moves a reference, applied and reversed byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.errors import SelfCheckFailed
from unhub.image.found import Found, Part, PulledBy, Role, Span, Wrap
from unhub.image.reference import Reference
from unhub.migrate.edits import Edit, Fix, apply, merge, moved, overlaps, plan_fix, reverse

ECR_NODE = Reference("public.ecr.aws", "docker/library/node", "20")


def found(text: str, *parts: Part, host_wrap: Wrap | None = None) -> Found:
    return Found(Span(0, len(text)), text, "FROM", PulledBy.BUILD, parts, Reference.parse("node:20"), host_wrap=host_wrap)


def text_part(text: str, start: int) -> Part:
    return Part(text, Span(start, start + len(text.encode())))


def edited(data: bytes, fix: Fix) -> bytes:
    return apply(data, merge(fix.edits))


def test_a_name_that_ends_alike_only_gets_its_beginning() -> None:
    fix = plan_fix(found("node:20", text_part("node:20", 5)), ECR_NODE, "Dockerfile")
    assert fix == Fix((Edit("Dockerfile", Span(5, 5), b"public.ecr.aws/docker/library/"),))
    assert edited(b"FROM node:20\n", fix) == b"FROM public.ecr.aws/docker/library/node:20\n"


@pytest.mark.parametrize(
    ("written", "span", "replacement"),
    [
        ("docker.io/node:20", Span(0, 9), b"public.ecr.aws/docker/library"),
        ("docker.io/library/node:20", Span(0, 9), b"public.ecr.aws/docker"),
        ("index.docker.io/library/node:20", Span(0, 15), b"public.ecr.aws/docker"),
        ("library/node:20", Span(0, 0), b"public.ecr.aws/docker/"),
        ("denode:20", Span(0, 6), b"public.ecr.aws/docker/library/node"),
        ("node", Span(0, 0), b"public.ecr.aws/docker/library/"),
        ("node@sha256:" + "0" * 64, Span(0, 0), b"public.ecr.aws/docker/library/"),
    ],
)
def test_tag_and_digest_keep_their_bytes(written: str, span: Span, replacement: bytes) -> None:
    fix = plan_fix(found(written, text_part(written, 0)), ECR_NODE, "f")
    assert fix.edits == (Edit("f", span, replacement),)


def test_a_name_that_is_right_already_needs_no_edit() -> None:
    name = "public.ecr.aws/docker/library/node:20"
    assert plan_fix(found(name, text_part(name, 0)), ECR_NODE, "f") == Fix(())


def test_a_name_split_by_a_continuation_gets_the_prefix_at_its_first_byte() -> None:
    data = b"FROM no\\\nde:20\n"
    fix = plan_fix(found("no\\\nde:20", text_part("no", 5), text_part("de:20", 9)), ECR_NODE, "f")
    assert edited(data, fix) == b"FROM public.ecr.aws/docker/library/no\\\nde:20\n"


def test_a_split_name_with_a_registry_loses_it_across_the_break() -> None:
    data = b"FROM docker\\\n.io/no\\\nde:20\n"
    parts = (text_part("docker", 5), text_part(".io/no", 13), text_part("de:20", 21))
    fix = plan_fix(found("…", *parts), ECR_NODE, "f")
    assert edited(data, fix) == b"FROM public.ecr.aws/docker/library\\\n/no\\\nde:20\n"


def test_an_empty_registry_variable_gets_its_default_and_the_from_stays() -> None:
    data = b'ARG REG=""\nFROM ${REG}node:20\n'
    fix = plan_fix(found("${REG}node:20", Part("", Span(9, 9)), text_part("node:20", 22)), ECR_NODE, "f")
    assert edited(data, fix) == b'ARG REG="public.ecr.aws/docker/library/"\nFROM ${REG}node:20\n'


def test_a_registry_variable_keeps_its_slash() -> None:
    data = b"ARG REG=docker.io/\nFROM ${REG}node:20\n"
    fix = plan_fix(found("${REG}node:20", text_part("docker.io/", 8), text_part("node:20", 30)), ECR_NODE, "f")
    assert edited(data, fix) == b"ARG REG=public.ecr.aws/docker/library/\nFROM ${REG}node:20\n"


def test_registry_and_organisation_variables_change_only_in_the_registry() -> None:
    data = b"docker.io|library|node:20"
    parts = (
        text_part("docker.io", 0),
        Part("/", Span(9, 10), literal=False),
        text_part("library", 10),
        Part("/", Span(17, 18)),
        text_part("node:20", 18),
    )
    fix = plan_fix(found("…", *parts), ECR_NODE, "f")
    assert edited(data, fix) == b"public.ecr.aws/docker|library|node:20"


def test_an_unknown_tag_stays() -> None:
    data = b"FROM node:${V}\n"
    parts = (text_part("node:", 5), Part("", Span(10, 14), known=False))
    fix = plan_fix(found("node:${V}", *parts), ECR_NODE, "f")
    assert edited(data, fix) == b"FROM public.ecr.aws/docker/library/node:${V}\n"


def test_a_part_in_another_file_is_edited_there() -> None:
    part = Part("node:20", Span(4, 11), path=".env")
    fix = plan_fix(found("${IMG}", part), ECR_NODE, "compose.yaml")
    assert fix.edits == (Edit(".env", Span(4, 4), b"public.ecr.aws/docker/library/"),)


def test_a_part_that_is_not_ascii_is_measured_in_bytes() -> None:
    data = "FROM é:20".encode()
    fix = plan_fix(found("é:20", text_part("é:20", 5)), ECR_NODE, "f")
    assert edited(data, fix) == b"FROM public.ecr.aws/docker/library/node:20"


def test_helm_fields_are_edited_each() -> None:
    data = b"registry: docker.io\nrepository: node\ntag: 1.10\n"
    parts = (
        Part("docker.io", Span(10, 19), Role.REGISTRY),
        Part("node", Span(32, 36), Role.REPOSITORY),
        Part("1.10", Span(42, 46), Role.TAG),
    )
    fix = plan_fix(found("node", *parts), ECR_NODE, "f")
    assert edited(data, fix) == b"registry: public.ecr.aws\nrepository: docker/library/node\ntag: 1.10\n"


def test_a_missing_registry_value_is_written_with_its_surroundings() -> None:
    data = b"registry:\nrepository: library/node\n"
    parts = (Part("", Span(9, 9), Role.REGISTRY, before=b' "', after=b'"'), Part("library/node", Span(22, 34), Role.REPOSITORY))
    fix = plan_fix(found("node", *parts), ECR_NODE, "f")
    assert edited(data, fix) == b'registry: "public.ecr.aws"\nrepository: docker/library/node\n'


def test_a_repository_without_a_registry_field_takes_the_whole_name() -> None:
    data = b"repository: docker.io/node\ntag: 20\n"
    parts = (Part("docker.io/node", Span(12, 26), Role.REPOSITORY), Part("20", Span(32, 34), Role.TAG))
    assert edited(data, plan_fix(found("node", *parts), ECR_NODE, "f")) == b"repository: public.ecr.aws/docker/library/node\ntag: 20\n"


def test_a_wrap_goes_around_the_reference_only_when_asked() -> None:
    data = b"- postgres:16\n"
    target = Reference("public.ecr.aws", "docker/library/postgres", "16")
    service = found("postgres:16", text_part("postgres:16", 2), host_wrap=Wrap(Span(2, 13), b"{name: ", b", alias: postgres}"))
    assert edited(data, plan_fix(service, target, "f")) == b"- public.ecr.aws/docker/library/postgres:16\n"
    kept = plan_fix(service, target, "f", keep_host=True)
    assert edited(data, kept) == b"- {name: public.ecr.aws/docker/library/postgres:16, alias: postgres}\n"


def test_a_wrap_goes_around_quotes() -> None:
    data = b'- "docker.io/postgres:16"\n'
    target = Reference("public.ecr.aws", "docker/library/postgres", "16")
    service = found("…", text_part("docker.io/postgres:16", 3), host_wrap=Wrap(Span(2, 25), b"{name: ", b", alias: postgres}"))
    kept = plan_fix(service, target, "f", keep_host=True)
    assert edited(data, kept) == b'- {name: "public.ecr.aws/docker/library/postgres:16", alias: postgres}\n'
    assert len(kept.edits) == 3


def test_equal_edits_become_one_and_different_ones_are_refused() -> None:
    one, same, other = Edit("f", Span(3, 5), b"x"), Edit("f", Span(3, 5), b"x"), Edit("f", Span(4, 6), b"y")
    assert merge([one, same]) == [one]
    with pytest.raises(SelfCheckFailed, match="cannot edit f: two changes want the bytes at 4"):
        merge([other, one])
    assert merge([Edit("g", Span(4, 6), b"y"), one]) == [one, Edit("g", Span(4, 6), b"y")]
    assert len(merge([one, Edit("f", Span(5, 6), b"z")])) == 2, "side by side is no collision"
    with pytest.raises(SelfCheckFailed):
        merge([Edit("f", Span(3, 3), b"x"), Edit("f", Span(3, 3), b"y")])


@pytest.mark.parametrize(
    ("edit", "part", "answer"),
    [
        (Span(0, 3), Span(2, 5), True),
        (Span(0, 3), Span(3, 5), False),
        (Span(3, 5), Span(0, 3), False),
        (Span(2, 5), Span(0, 3), True),
        (Span(3, 3), Span(3, 5), True),
        (Span(3, 3), Span(1, 3), True),
        (Span(3, 3), Span(4, 5), False),
        (Span(3, 3), Span(1, 2), False),
        (Span(2, 4), Span(3, 3), True),
        (Span(2, 4), Span(5, 5), False),
        (Span(2, 4), Span(1, 1), False),
        (Span(3, 3), Span(3, 3), True),
    ],
)
def test_whether_an_edit_changes_what_a_part_spells(edit: Span, part: Span, answer: bool) -> None:
    assert overlaps(edit, part) is answer


EDITS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6), st.binary(max_size=8)), max_size=6)


def apart(raw: list[tuple[int, int, bytes]], size: int) -> list[Edit]:
    chosen: list[Edit] = []
    at = 0
    for start, width, replacement in sorted(raw):
        begin = max(start, at)
        end = min(begin + width, size)
        if begin > size or (chosen and chosen[-1].span.start == begin):
            continue
        chosen.append(Edit("f", Span(begin, end), replacement))
        at = end + 1
    return chosen


@given(st.binary(min_size=10, max_size=60), EDITS)
def test_reversing_gives_the_bytes_back(data: bytes, raw: list[tuple[int, int, bytes]]) -> None:
    edits = apart(raw, len(data))
    after = apply(data, edits)
    assert apply(after, reverse(data, edits)) == data
    assert len(after) == len(data) + sum(len(edit.replacement) - (edit.span.end - edit.span.start) for edit in edits)


@given(st.binary(min_size=10, max_size=60), EDITS)
def test_bytes_outside_the_edits_stay_and_move_as_said(data: bytes, raw: list[tuple[int, int, bytes]]) -> None:
    edits = apart(raw, len(data))
    after = apply(data, edits)
    for place in range(len(data)):
        if not any(edit.span.start <= place < edit.span.end for edit in edits) and not any(
            edit.span == Span(place, place) for edit in edits
        ):
            assert after[moved(place, edits)] == data[place]


@given(
    st.sampled_from(["node:20", "docker.io/node:20", "docker.io/library/node:20", "library/node:20"]),
    st.lists(st.integers(1, 24), max_size=4),
    st.binary(min_size=1, max_size=3),
)
def test_however_a_name_is_split_it_spells_the_target_afterwards(written: str, cuts: list[int], gap: bytes) -> None:
    cuts = sorted({cut for cut in cuts if cut < len(written)})
    pieces = [written[start:end] for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    data, parts = b"", []
    for piece in pieces:
        data += gap
        parts.append(text_part(piece, len(data)))
        data += piece.encode()
    fix = plan_fix(found(written, *parts), ECR_NODE, "f")
    edits = merge(fix.edits)
    after = apply(data, edits)
    assert after.count(gap) >= len(pieces) or len(gap) == 1
    spans = [(moved(part.span.start, edits), part) for part in parts]
    assert len(spans) == len(parts)
    rest = after
    for piece in [gap] * len(pieces):
        rest = rest.replace(piece, b"", 1)
    if gap not in b"public.ecr.aws/docker/library/node:20" and all(
        bytes([byte]) not in b"public.ecr.aws/docker/library/node:20" for byte in gap
    ):
        assert rest == b"public.ecr.aws/docker/library/node:20"


def test_a_field_that_is_only_implied_is_written_whole() -> None:
    data = b"- name: node\n  newTag: '20'\n"
    implied = Part("docker.io/library/node", Span(12, 12), before=b"\n  newName: ", after=b" ")
    fix = plan_fix(found("node", implied), ECR_NODE, "kustomization.yaml")
    assert edited(data, fix) == b"- name: node\n  newName: public.ecr.aws/docker/library/node \n  newTag: '20'\n"


def test_bytes_that_are_no_text_are_measured_as_they_stand() -> None:
    data = b"FROM \xffx/node:20"
    part = Part("\udcffx/node:20", Span(5, 15))
    assert edited(data, plan_fix(found("…", part), ECR_NODE, "f")) == b"FROM public.ecr.aws/docker/library/node:20"
