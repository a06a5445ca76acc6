"""What every format owes: goldens of both kinds, and findings that hold on any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounded import must_end
from tests.golden.case import HERE, all_cases
from unhub.formats._format import Entry, entries
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Declared, Found, Skipped
from unhub.image.source import FormatSettings, Source

ENTRIES = entries()
EVERYTHING = FormatSettings(helm_defaults=True, include_comments=True, docs=True, build_outputs=True)
SAMPLES = {
    entry.format.name: [data for case in all_cases() if case.name.startswith(f"{entry.format.name}/") for data in case.before.values()][:12]
    for entry in ENTRIES
}

each_format = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.format.name)


@each_format
def test_a_format_has_goldens_that_rewrite_and_that_must_not(entry: Entry) -> None:
    kinds = {case.kind for case in all_cases() if case.folder.parent == HERE / entry.format.name}
    assert kinds == {"rewrite", "no-op"}


@each_format
def test_a_format_says_what_it_understands(entry: Entry) -> None:
    format = entry.format
    assert format.name == format.name.lower()
    assert format.title
    assert format.positions
    assert format.tier in ("A", "B")
    assert all(glob == glob.lower() for glob in format.files)
    assert all(needle == needle.lower() for needle in format.needles)


def check(entry: Entry, data: bytes) -> None:
    source = Source("folder/file", data, EVERYTHING)
    try:
        with must_end():
            findings = list(entry.find(source))
    except UnreadableError as error:
        assert error.message
        return
    for finding in findings:
        assert 0 <= finding.span.start <= finding.span.end <= len(data), finding
        assert finding.where
        if isinstance(finding, Declared):
            continue
        assert finding.text.encode("utf-8", "surrogateescape").strip() == data[finding.span.start : finding.span.end].strip(), finding
        if isinstance(finding, Skipped):
            assert isinstance(finding.class_, Class)
            assert finding.reason
        else:
            check_parts(finding, data)


def check_parts(found: Found, data: bytes) -> None:
    for part in found.parts:
        if part.path is None:
            assert 0 <= part.span.start <= part.span.end <= len(data), found
            # an empty text may be spelled by bytes: null
            if part.known and part.literal and part.text and part.span.start != part.span.end:
                assert part.text.encode("utf-8", "surrogateescape") == data[part.span.start : part.span.end], found


@each_format
def test_findings_hold_on_the_goldens_cut_anywhere(entry: Entry) -> None:
    for data in SAMPLES[entry.format.name]:
        for cut in range(0, len(data), max(1, len(data) // 25)):
            check(entry, data[:cut])
            check(entry, data[cut:])


@each_format
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_findings_hold_on_damaged_goldens(entry: Entry, data: st.DataObject) -> None:
    sample = bytearray(data.draw(st.sampled_from(SAMPLES[entry.format.name])))
    for place, junk in data.draw(st.lists(st.tuples(st.integers(0, max(0, len(sample) - 1)), st.binary(max_size=4)), max_size=4)):
        sample[place : place + 1] = junk
    check(entry, bytes(sample))
