"""Every rewriting rule has a golden that rewrites and one that changes nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.golden.case import HERE, all_cases

RULES = tomllib.loads((HERE / "rules.toml").read_text("utf-8"))["rule"]
CASES = all_cases()
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "rewriting-rules.md"


def kinds(rule: str) -> set[str]:
    return {case.kind for case in CASES if rule in case.rules}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_shown_by_goldens(rule: str) -> None:
    only = RULES[rule].get("only", "")
    needed = {"no-op"} if only.startswith("no-op") else {"rewrite"} if only.startswith("rewrite") else {"rewrite", "no-op"}
    assert needed <= kinds(rule), f"rule #{rule} ({RULES[rule]['says']}) has no golden for {sorted(needed - kinds(rule))}"


def test_goldens_cite_only_rules_that_exist() -> None:
    for case in CASES:
        assert set(case.rules) <= set(RULES), case.name


def test_the_list_of_rules_is_the_shared_one() -> None:
    if not REFERENCE.exists():
        assert len(RULES) == 74
        return
    numbers = set(re.findall(r"^\| (\d+b?) \|", REFERENCE.read_text("utf-8"), re.MULTILINE))
    assert numbers == set(RULES)
