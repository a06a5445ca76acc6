"""A source knows its name, its folder, its neighbours and where its text begins."""

from __future__ import annotations

import pytest

from unhub.image.source import BYTE_ORDER_MARK, Source


@pytest.mark.parametrize(
    ("path", "name", "folder"), [("Dockerfile", "Dockerfile", ""), ("a/b/c.yaml", "c.yaml", "a/b"), ("/abs/x", "x", "/abs")]
)
def test_the_name_and_folder_of_a_path(path: str, name: str, folder: str) -> None:
    source = Source(path, b"")
    assert (source.name, source.folder) == (name, folder)


@pytest.mark.parametrize(
    ("path", "relative", "beside"),
    [
        ("compose.yaml", ".env", ".env"),
        ("a/b/compose.yaml", ".env", "a/b/.env"),
        ("a/b/compose.yaml", "./x/../Dockerfile", "a/b/Dockerfile"),
        ("a/b/compose.yaml", "../Dockerfile", "a/Dockerfile"),
        ("a/compose.yaml", "../../x", "../x"),
        ("compose.yaml", "../x", "../x"),
        ("compose.yaml", "../../x", "../../x"),
        ("/abs/a/compose.yaml", "../x", "/abs/x"),
        ("compose.yaml", ".", ""),
    ],
)
def test_a_neighbour_is_named_relative_to_the_folder(path: str, relative: str, beside: str) -> None:
    assert Source(path, b"").beside(relative) == beside


def test_a_byte_order_mark_stands_before_the_text() -> None:
    assert Source("x", BYTE_ORDER_MARK + b"a").body_start == 3
    assert Source("x", b"a").body_start == 0


def test_without_a_reader_there_are_no_neighbours() -> None:
    assert Source("x", b"").read("y") is None
