"""Every fact has a date, a source and a confidence, and lines that really override it."""

from __future__ import annotations

import csv
import datetime
import io
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.command_line import unhub
from unhub.data import rows
from unhub.data.facts import NO_TAG, builtin, official_images, overridden, override_lines
from unhub.data.listing import Fact, list_facts, older_than
from unhub.data.override import override_text, toml_value
from unhub.data.rows import Row, shipped
from unhub.data.terms import TermsData
from unhub.image.errors import ConfigurationError

CONFIDENCE = {"source", "source (measured)", "issue report", "unverified"}
TODAY = datetime.date(2026, 11, 25)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "unhub.toml").write_text('[data]\nfile = "own.toml"\n')
    (tmp_path / "own.toml").write_text("")
    return tmp_path


# ------------------------------------------------------------------ every row of every file


@pytest.mark.parametrize("row", shipped(), ids=lambda row: f"{row.file}-{row.kind}-{':'.join(row.key)}")
def test_every_row_of_every_data_file_is_a_fact_with_date_source_and_confidence(row: Row) -> None:
    assert type(row.fields["date"]) is datetime.date
    assert datetime.date(2015, 1, 1) <= row.fields["date"] <= TODAY + datetime.timedelta(days=3650)
    assert row.fields["source"].strip()
    assert row.fields["confidence"].partition(";")[0] in CONFIDENCE
    assert row.key, "a fact has a name that stays"


def test_names_of_facts_are_unique_and_every_fact_says_something() -> None:
    facts = list_facts()
    assert len(facts) == len(shipped()) == len({fact.id for fact in facts})
    assert all(fact.value.strip() and "\n" not in fact.value for fact in facts)


@pytest.mark.parametrize("fact", [fact for fact in list_facts() if fact.override_in == "the data file"], ids=lambda fact: fact.id)
def test_the_lines_of_a_fact_put_into_a_data_file_take_its_place(fact: Fact, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(fact.override, "utf-8")
    facts = {other.id: other for other in list_facts(own)}
    assert len(facts) == len(shipped())
    assert facts[fact.id].state == "overridden"
    assert facts[fact.id].fields == fact.fields
    assert sum(other.state != "shipped" for other in facts.values()) == 1


def test_what_the_settings_override_says_so_and_is_refused_in_the_data_file(tmp_path: Path) -> None:
    rate = next(fact for fact in list_facts() if fact.id == "rate:public.ecr.aws:anonymous")
    assert (rate.override_in, rate.override) == ("unhub.toml", '[registry."public.ecr.aws"]\nrate = 1\n')
    own = tmp_path / "own.toml"
    own.write_text(override_text("rate", rate.fields))
    with pytest.raises(ConfigurationError, match=r"unhub\.toml has 'rate' under \[registry\.\"HOST\"\]"):
        rows.own_rows(own)


@pytest.mark.parametrize("kind", ["shared", "realm", "actions"])
def test_a_kind_that_no_reader_looks_for_in_the_data_file_is_refused_there(kind: str, tmp_path: Path) -> None:
    assert all(not fact.override for fact in list_facts() if fact.kind == kind)
    (tmp_path / "own.toml").write_text(f'[[{kind}]]\nregistry = "docker.io"\nhost = "evil.example"\n')
    with pytest.raises(ConfigurationError, match="cannot be overridden there"):
        rows.own_rows(tmp_path / "own.toml")


# ------------------------------------------------------------------ TOML as we write it


NAMES = st.text(min_size=1, max_size=8)
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.dates(min_value=datetime.date(1000, 1, 1))
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_row_reads_back_as_it_was_written(fields: dict[str, object]) -> None:
    assert tomllib.loads(override_text("fact", fields)) == {"fact": [fields]}


def test_what_toml_cannot_say_is_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match="cannot write NoneType as TOML"):
        toml_value(None)


# ------------------------------------------------------------------ a fact that verification contradicts


def test_a_repository_that_is_there_after_all_is_missing_no_more(tmp_path: Path) -> None:
    row = next(row for row in builtin().missing if row.repository == "library/azul-zulu")
    own = tmp_path / "own.toml"
    own.write_text(override_lines(row, date=TODAY, source="unhub verify"))
    mended = [row for row in overridden(own).missing if row.repository == "library/azul-zulu"]
    assert [(row.tags, row.date, row.source) for row in mended] == [((NO_TAG,), TODAY, "unhub verify")]
    assert not mended[0].matches("library/azul-zulu", "21")


def test_one_tag_that_is_there_after_all_leaves_the_others_missing(tmp_path: Path) -> None:
    row = next(row for row in builtin().missing if row.repository == "library/php")
    own = tmp_path / "own.toml"
    own.write_text(override_lines(row, date=TODAY, source="unhub verify", carried_tag="8.3.5-fpm"))
    (mended,) = [row for row in overridden(own).missing if row.repository == "library/php"]
    assert not mended.matches("library/php", "8.3.5-fpm")
    assert mended.matches("library/php", "8.3.6")
    assert mended.alternatives == row.alternatives


def test_knowledge_is_what_it_was_before_there_was_a_list_of_facts() -> None:
    assert {row.prefix for row in builtin().mirror} >= {"public.ecr.aws/docker/", "mirror.gcr.io/"}
    assert "node" in official_images()
    assert len(builtin().renovate) == len({row.id for row in builtin().renovate}) == 4


# ------------------------------------------------------------------ a user's own figures


def test_a_user_can_override_any_figure(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    limit = next(fact for fact in list_facts() if fact.id == "limit:docker-hub-2026-11.anonymous.pulls")
    own.write_text(limit.override.replace("amount = 100", "amount = 40"))
    mine = TermsData(own).terms("docker.io").limit("anonymous", "pulls")
    assert mine is not None
    assert mine.text == "40 pulls in 6 h"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[limit]", "cannot read the data file"),
        ("[[limt]]\na = 1", "there is no kind of fact 'limt'"),
        ("limit = 3", "'limit' is no list of [[limit]] tables"),
        ('[[limit]]\nid = "x"', "[[limit]] x has no date"),
        ('[[limit]]\nid = "x"\ndate = 2026-01-01T00:00:00Z\nsource = "s"\nconfidence = "c"', "has no date"),
        ('[[limit]]\nid = "x"\ndate = 2026-01-01\nsource = "s"\nconfidence = "c"', "missing required field `profile`"),
        ('[[missing]]\ntarget = "a"\nrepository = "b"\ndate = 2026-01-01\nsource = "s"\nconfidence = "c"\nsays = 3', "$.says"),
    ],
)
def test_a_wrong_data_file_is_named_with_what_is_wrong_in_it(text: str, says: str, tree: Path) -> None:
    (tree / "own.toml").write_text(text + "\n")
    ended = unhub("facts", cwd=tree)
    assert ended.status == 2
    assert says in ended.err
    assert "own.toml" in ended.err


@pytest.mark.parametrize(("key", "value"), [("window", '"6 hours"'), ("amount", "0"), ("caller", '"friend"')])
def test_a_figure_of_ones_own_must_make_sense(key: str, value: str, tree: Path) -> None:
    limit = next(fact for fact in list_facts() if fact.id == "limit:docker-hub-2026-11.anonymous.pulls")
    lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in limit.override.splitlines()]
    (tree / "own.toml").write_text("\n".join(lines))
    assert unhub("facts", cwd=tree).status == 2


# ------------------------------------------------------------------ the command


def test_the_list_names_every_fact(tmp_path: Path) -> None:
    ended = unhub("facts", "--all", cwd=tmp_path)
    assert ended.status == 0
    for fact in list_facts():
        assert f"  {fact.id}\n" in ended.text
    assert f"{len(list_facts())} facts, the oldest" in ended.text


def test_a_named_fact_is_shown_with_the_lines_that_override_it(tmp_path: Path) -> None:
    ended = unhub("facts", "limit:docker-hub-2026-11.anonymous.pulls", cwd=tmp_path)
    assert "100 pulls in 6 h for each IPv4 address or IPv6 /64" in ended.text
    assert "to override it, in the data file:\n      [[limit]]\n" in ended.text
    assert "      amount = 100\n" in ended.text


@pytest.mark.parametrize("name", ["missing", "coverage", "coverage.toml", "missing:ecr-public:*"])
def test_facts_are_named_by_kind_file_or_glob(name: str, tmp_path: Path) -> None:
    facts = unhub("facts", name, "--format", "json", cwd=tmp_path).json["facts"]
    assert {fact["file"] for fact in facts} == {"coverage.toml"}
    assert len(facts) == len(builtin().missing)


def test_an_unknown_name_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    ended = unhub("facts", "limit:docker-hub-2026-11.anonymus.pulls", cwd=tmp_path)
    assert ended.status == 2
    assert "Did you mean 'limit:docker-hub-2026-11.anonymous.pulls'?" in ended.err


def test_the_lines_alone_can_be_appended_to_the_data_file(tree: Path) -> None:
    lines = unhub("facts", "missing:ecr-public:library/php", "--format", "toml", cwd=tree).text
    (tree / "own.toml").write_text(lines)
    ended = unhub("facts", "missing", "--format", "json", cwd=tree)
    assert [fact["id"] for fact in ended.json["facts"] if fact["state"] == "overridden"] == ["missing:ecr-public:library/php"]


def test_what_is_overridden_is_shown_with_what_was_shipped(tree: Path) -> None:
    lines = unhub("facts", "limit:docker-hub-2026-11.anonymous.pulls", "--format", "toml", cwd=tree).text
    (tree / "own.toml").write_text(lines.replace("amount = 100", "amount = 10"))
    text = unhub("facts", "limit:docker-hub-2026-11.anonymous.pulls", cwd=tree).text
    assert "10 pulls in 6 h" in text
    assert "your own, in the place of the shipped fact" in text
    assert "shipped: amount = 100" in text
    assert "1 of your own" in text


def test_a_row_of_ones_own_that_replaces_nothing_is_added(tree: Path) -> None:
    (tree / "own.toml").write_text(
        '[[missing]]\ntarget = "ecr-public"\nrepository = "acme/*"\nsays = "no"\ndate = 2026-11-01\nsource = "I"\nconfidence = "source"\n'
    )
    (fact,) = [fact for fact in unhub("facts", "--format", "json", cwd=tree).json["facts"] if fact["state"] == "own"]
    assert (fact["id"], fact["replaced"]) == ("missing:ecr-public:acme/*", None)


def test_several_rows_about_one_thing_all_take_its_place(tree: Path) -> None:
    lines = unhub("facts", "missing:ecr-public:library/php", "--format", "toml", cwd=tree).text.splitlines()
    row = "\n".join('tags = ["{}"]' if line.startswith("tags") else line for line in lines) + "\n"
    (tree / "own.toml").write_text(row.format("7.0") + row.format("7.1"))
    facts = unhub("facts", "missing:ecr-public:library/php", "--format", "json", cwd=tree).json["facts"]
    assert [fact["fields"]["tags"] for fact in facts] == [["7.0"], ["7.1"]]
    assert {fact["state"] for fact in facts} == {"overridden"}


def test_old_facts_are_findings(tmp_path: Path) -> None:
    ended = unhub("facts", "--older-than", "1y", "--format", "json", cwd=tmp_path)
    assert ended.status == 1
    assert all(fact["age_days"] > 365 for fact in ended.json["facts"])
    assert "price:aws-2024-03-11.account.data" in {fact["id"] for fact in ended.json["facts"]}


def test_no_old_facts_are_none(tmp_path: Path) -> None:
    ended = unhub("facts", "--older-than", "99999d", cwd=tmp_path)
    assert (ended.status, ended.text) == (0, "no such facts\n")


@pytest.mark.parametrize("age", ["180", "6mo", "-1d", "d", "1.5y", "999999d"])
def test_an_age_that_is_none_is_refused(age: str, tmp_path: Path) -> None:
    ended = unhub("facts", f"--older-than={age}", cwd=tmp_path)
    assert ended.status == 2
    assert "180d, 26w, 1y" in ended.err


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_higher_age_never_lists_more(days: int, more: int) -> None:
    facts = list_facts()
    assert {fact.id for fact in older_than(facts, days + more, TODAY)} <= {fact.id for fact in older_than(facts, days, TODAY)}


def test_csv_has_a_row_a_fact(tmp_path: Path) -> None:
    table = list(csv.DictReader(io.StringIO(unhub("facts", "--format", "csv", cwd=tmp_path).text)))
    assert [row["id"] for row in table] == [fact.id for fact in list_facts()]
    assert all(row["date"] and row["source"] and row["confidence"] for row in table)


def test_the_settings_file_can_be_named(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (tree / "own.toml").write_text("[[nothing]]\n")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert unhub("facts", cwd=elsewhere).status == 0
    assert unhub("facts", "--config", tree / "unhub.toml", cwd=elsewhere).status == 2
