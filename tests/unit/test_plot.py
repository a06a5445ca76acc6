"""The plot of a window: every line fits, no value is lost, and without braille or colour it still tells the lines apart."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from unhub.cli.output import width
from unhub.cli.plot import ROWS, WIDEST, Look, Series, plot, points
from unhub.migrate.forecast import course

BRAILLE = """\
135 ┤                                  ⢠⠤⠤⠼⠉⠉ now
    │                             ⢠⠤⠤⠏⠉⠉
100 ┤┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄⡤⠤⠼⠉⠉⠉┄┄┄┄┄┄┄┄┄┄
    │                  ⢠⠤⠤⠼⠉⠉⠁
    │             ⢀⣀⣀⡖⠒⠚
    │        ⣀⣀⣰⠒⠒⠚
    │  ⢀⣀⣀⣰⠒⠒⠃
  0 ┤⣒⣒⣚⣀⣀⣀⣀⣀⣀⣀⣠⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠴⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠋⠉⠉⠉⠉⠉⠉⠉ after the move
    └────────────────────────────────────────
     now                                  6 h"""

ASCII = """\
135 |                                 ***** * now
    |                            ******
100 |-----------------------******---------
    |                  ******
    |            *******
    |       ******
    |  ******
  0 |###ooooooooooooooooooooooooooooooooooo o after the move
    +--------------------------------------
     now                                6 h"""


def two_lines(look: Look) -> list[str]:
    """60 builds a day for 6 hours, of 9 pulls now and of one pull after the move."""
    series = [
        Series(name, course(21_600, per_build, Fraction(60), points(look)), colour)
        for name, per_build, colour in (("now", 9, "yellow"), ("after the move", 1, "green"))
    ]
    return plot(series, 100, ("now", "6 h"), look)


def test_a_plot_in_braille_and_in_ascii() -> None:
    assert "\n".join(two_lines(Look(60, unicode=True))) == BRAILLE
    assert "\n".join(two_lines(Look(60, unicode=False))) == ASCII


def test_a_plot_in_braille_has_the_limit_at_its_height_and_labels_at_the_ends() -> None:
    lines = two_lines(Look(60, unicode=True))
    assert len(lines) == ROWS + 2
    assert lines[0].startswith("135 ┤")
    assert lines[0].endswith(" now")
    assert lines[2].startswith("100 ┤┄┄┄")
    assert lines[7].startswith("  0 ┤")
    assert lines[7].endswith(" after the move")
    assert "".join(lines).isascii() is False


def test_colours_are_only_added() -> None:
    plain, coloured = two_lines(Look(60, True)), two_lines(Look(60, True, colours=True))
    assert [
        line.replace("\x1b[0m", "").replace("\x1b[31m", "").replace("\x1b[32m", "").replace("\x1b[33m", "") for line in coloured
    ] == plain
    assert all(f"\x1b[{code}m" in "".join(coloured) for code in ("31", "32", "33"))


def test_lines_that_end_at_one_height_share_a_label() -> None:
    series = [Series(name, [3, 3], "green") for name in ("now", "after")]
    assert any(line.endswith("now, after") for line in plot(series, 10, ("a", "b"), Look(60, True)))


def test_a_line_without_values_and_a_plot_without_a_limit_are_no_problem() -> None:
    lines = plot([Series("now", [], "green"), Series("after", [0, 0], "green")], None, ("a", "b"), Look(40, True))
    assert "now" not in "".join(lines)
    assert "┄" not in "".join(lines)


@given(
    st.lists(st.lists(st.integers(0, 10**7), min_size=1, max_size=300).map(sorted), min_size=1, max_size=2),
    st.none() | st.integers(1, 10**7),
    st.integers(40, 300),
    st.booleans(),
)
def test_no_line_is_wider_than_the_terminal_and_the_highest_value_is_on_top(
    values: list[list[int]], limit: int | None, columns: int, unicode: bool
) -> None:
    series = [Series(name, one, "green") for name, one in zip("ab", values, strict=False)]
    lines = plot(series, limit, ("now", "6 h"), Look(columns, unicode))
    assert len(lines) == ROWS + 2
    assert max(map(width, lines)) <= min(columns, WIDEST)
    assert unicode or "".join(lines).isascii()
    highest = max(1, limit or 0, *(max(one) for one in values))
    assert lines[0].startswith(f"{highest:,} ") or (limit is not None and f"{limit:,}" in lines[0])
