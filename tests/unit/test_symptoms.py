"""The symptoms as data: complete, in agreement with the list they were collected in, and safe against hostile logs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.tools import ROOT
from unhub.data.symptoms import Symptom, consequences, loose, symptoms
from unhub.doctor.log.matching import Matcher, fold
from unhub.image.errors import ConfigurationError

COLLECTED = ROOT.parent / "shared" / "reference" / "symptoms.md"
ALL = symptoms()
SHOWN = [symptom for symptom in ALL if symptom.pattern]


def of_each(rows: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("symptom", rows, ids=lambda symptom: symptom.id)


def test_there_are_67_and_their_numbers_and_ids_are_their_own() -> None:
    assert [symptom.number for symptom in ALL] == list(range(1, 68))
    assert len({symptom.id for symptom in ALL}) == 67
    assert [symptom.id for symptom in ALL if not symptom.pattern] == ["wrong-but-successful"]
    assert all(symptom.role == "silent" for symptom in ALL if not symptom.pattern)


@of_each(SHOWN)
@pytest.mark.parametrize("change", [str, str.upper, str.lower], ids=["as it is", "upper case", "lower case"])
def test_a_sample_shows_its_own_symptom_in_any_letter_case(symptom: Symptom, change: Any) -> None:
    matcher = Matcher(ALL)
    found = matcher.joined(change(symptom.sample)) if symptom.spans else matcher.line(change(symptom.sample))
    assert symptom.id in {match.symptom.id for match in found}


@of_each(SHOWN)
def test_needles_are_written_as_folded_texts_are(symptom: Symptom) -> None:
    assert symptom.needles
    assert [fold(needle) for needle in symptom.needles] == list(symptom.needles)


@of_each(ALL)
def test_what_it_refers_to_exists_and_what_it_says_is_whole(symptom: Symptom) -> None:
    known = {one.id for one in ALL} | {one.kind for one in ALL}
    assert set(symptom.echo_of) <= known
    texts = [symptom, *symptom.case]
    for text in texts:
        assert text.fix, "every symptom and case has something to do"
        assert text.cause.endswith((".", "}."))
        assert text.title[-1] not in ".:"
        for step in text.fix:
            assert step.do.endswith(":" if step.run else (".", "`")), step.do
    names = set(loose(symptom.pattern).groupindex) if symptom.pattern else set[str]()
    filled = {name for text in texts for piece in _pieces(text) for name in re.findall(r"\{([a-z_]+)\|", piece)}
    given = {name.rstrip("0123456789") for name in names} | {"reference", "host", "region", "subject_option", "suggestion", "target"}
    assert filled <= given


def _pieces(text: Any) -> list[str]:
    return [text.title, text.cause, *(step.do for step in text.fix), *(step.run or "" for step in text.fix)]


@of_each(ALL)
def test_conditions_of_cases_are_patterns(symptom: Symptom) -> None:
    for case in symptom.case:
        assert case.here or case.near or case.registry or case.param
        for pattern in (case.here, case.near):
            assert pattern is None or loose(pattern)


def test_hyphens_and_blanks_between_letters_are_the_same() -> None:
    assert loose("a non-TTY device").search("A NON TTY DEVICE")
    assert loose("too many requests").search("Too-Many-Requests")
    assert loose(r"[a-z]x-y [^ ]").search("ax y !")
    assert not loose("a-b").search("ab")


def _collected() -> list[dict[str, Any]]:
    if not COLLECTED.is_file():
        pytest.skip("the collected list of symptoms is not at hand")
    blocks = re.findall(r"```yaml\n(.*?)```", COLLECTED.read_text("utf-8"), re.DOTALL)
    return [row for block in blocks for row in YAML(typ="safe").load(block)]


def test_every_collected_sample_shows_the_symptom_of_that_number() -> None:
    matcher = Matcher(ALL)
    for row in _collected():
        symptom = ALL[row["n"] - 1]
        assert symptom.id == row["id"]
        assert symptom.confidence.partition(";")[0] == row["confidence"].partition(";")[0]
        if row["sample"]:
            found = matcher.joined(row["sample"]) if symptom.spans else matcher.line(row["sample"])
            assert symptom.id in {match.symptom.id for match in found}, row["sample"]


def test_no_collected_sentence_is_copied() -> None:
    for row in _collected():
        symptom = ALL[row["n"] - 1]
        assert len(row["cause"].split()) < 5 or row["cause"].lower() not in symptom.cause.lower()


# What makes backtracking patterns slow: the start of the pattern many times, then much that nearly goes on.
FILLERS = ["a", " ", ": ", "docker.io/", "{", '"', "\\", "User: ", ": " * 2 + "x "]


@of_each(SHOWN)
def test_no_line_makes_a_pattern_slow(symptom: Symptom) -> None:
    sample = str(symptom.sample)
    matcher = Matcher([symptom])
    for cut in (len(sample) // 3, len(sample) // 2, len(sample) - 1):
        for filler in FILLERS:
            text = ((sample[:cut] + filler * 20) * 200)[:32_768]
            begin = time.process_time()
            matcher.line(text)
            matcher.joined(text)
            assert time.process_time() - begin < 0.5, filler


def test_a_user_may_replace_a_symptom_and_add_one(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    row = '[[symptom]]\nid = "{id}"\nnumber = {number}\nemitter = "us"\ntitle = "T"\ncause = "C."\nkind = "network"\n'
    row += 'pattern = "our own error"\nneedles = ["our own error"]\ndate = 2026-11-23\nsource = "us"\nconfidence = "source"\n'
    row += 'fix = [{{ do = "Ask us." }}]\n'
    own.write_text(row.format(id="registry-unreachable", number=60) + row.format(id="ours", number=101), "utf-8")
    found = symptoms(own)
    assert [symptom.number for symptom in found] == [*range(1, 68), 101]
    assert found[59].title == "T"
    own = tmp_path / "broken.toml"
    own.write_text('[[symptom]]\nid = "ours"\n', "utf-8")
    with pytest.raises(ConfigurationError, match="ours"):
        symptoms(own)


def test_consequences_are_patterns() -> None:
    assert all(loose(row.pattern) and row.says for row in consequences())
