"""Every rule of the protocol that we know of has a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

RULES = range(1, 31)
"""The numbers of the reference page on the registry protocol."""


def test_every_rule_is_tested() -> None:
    named: set[int] = set()
    for module in Path(__file__).parent.glob("test_*.py"):
        for group in re.findall(r"[Rr]ules? ([0-9][0-9, and]*)", module.read_text("utf-8")):
            named |= {int(number) for number in re.findall(r"[0-9]+", group)}

    assert set(RULES) - named == set()
