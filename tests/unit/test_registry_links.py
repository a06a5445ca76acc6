"""The Link header of paginated lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.registry.addresses import parse_url
from unhub.registry.links import next_page

PAGE = parse_url("https://r.example/v2/a/b/tags/list?n=2")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        (['</v2/a/b/tags/list?n=2&last=x>; rel="next"'], "https://r.example/v2/a/b/tags/list?n=2&last=x"),
        (["<?n=2&last=x>; rel=next"], "https://r.example/v2/a/b/tags/list?n=2&last=x"),
        (['<https://r.example/v2/c>; title="a, b; rel=prev"; rel="next"'], "https://r.example/v2/c"),
        (['</prev>; rel="prev", </next>; REL="last Next"'], "https://r.example/next"),
        (['</prev>; rel="prev"', "</next>;rel=next"], "https://r.example/next"),
        (["</other>; rel=prev"], None),
        (["</no-relation>"], None),
        (["no brackets; rel=next"], None),
    ],
)
def test_the_next_page_is_found(lines: list[str], expected: str | None) -> None:
    found = next_page(lines, PAGE)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/v2/",
        "http://r.example/v2/",
        "//evil.example/v2/",
        "https://r.example:8443/v2/",
        "https://r.example@evil.example/",
    ],
)
def test_a_next_page_at_another_host_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"another host|user name"):
        next_page([f"<{target}>; rel=next"], PAGE)


@given(st.text('<>;,=" relnxt/?\\a', max_size=200))
def test_no_header_makes_it_fail_in_another_way(line: str) -> None:
    with contextlib.suppress(ValueError):
        next_page([line], PAGE)
