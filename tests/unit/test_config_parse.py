"""Settings: what is read, and that every mistake is reported with its file, line and column."""

from __future__ import annotations

import textwrap
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.config.parse import parse
from unhub.config.places import places
from unhub.config.settings import Migrate, Position, Rule, Settings
from unhub.image.errors import ConfigurationError


def test_no_text_means_the_defaults() -> None:
    assert parse("", "unhub.toml") == Settings()


def test_every_table_is_read() -> None:
    text = """
        [migrate]
        from = "docker-hub"
        to = ["mirror:m.example/hub", "ecr-public"]
        short_names = "docker.io"
        accept = ["unverified-digests"]
        not-paths = ["vendor/**"]

        [[migrate.rule]]
        match = "docker.io/library/*"
        target = "keep"
        paths = ["legacy/**"]

        [kubernetes]
        positions = [{ kind = "Prometheus", path = "spec.image" }]

        [data]
        file = "facts.toml"
    """
    settings = parse(textwrap.dedent(text), "unhub.toml")
    assert settings.migrate == Migrate(
        from_="docker-hub",
        to=("mirror:m.example/hub", "ecr-public"),
        short_names="docker.io",
        accept=("unverified-digests",),
        not_paths=("vendor/**",),
        rule=(Rule(match="docker.io/library/*", target="keep", paths=("legacy/**",)),),
    )
    assert settings.kubernetes.positions == (Position(kind="Prometheus", path="spec.image"),)
    assert settings.data.file == "facts.toml"


def test_the_table_of_pyproject_is_read_and_the_rest_is_nobodys_business() -> None:
    text = '[project]\nname = "x"\n[tool.other]\nunknown = 1\n[tool.unhub.migrate]\nunsafe = true\n'
    assert parse(text, "pyproject.toml", table=("tool", "unhub")).migrate.unsafe
    assert parse('[project]\nname = "x"\n', "pyproject.toml", table=("tool", "unhub")) == Settings()


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[migrat]\n", "1:1", "there is no setting 'migrat' here"),
        ("\n\n[migrate]\nfoo = 1\n", "4:1", "there is no setting 'foo' here"),
        ("[migrate]\n  foo = 1\n", "2:3", "there is no setting 'foo' here"),
        ("x = 1\n", "1:1", "there is no setting 'x' here"),
        ("migrate.foo = 1\n", "1:1", "there is no setting 'foo' here"),
        ('[migrate]\nunsafe = true\n"fo o" = 1\n', "3:1", "there is no setting 'fo o' here"),
        ("migrate = { unsafe = true, foo = 1 }\n", "1:28", "there is no setting 'foo' here"),
        ("migrate = 3\n", "1:1", "Expected `object`, got `int`"),
        ("[migrate]\nto = [\n  'ecr-public',\n  2,\n]\n", "4:3", "Expected `str`, got `int`"),
        ("[migrate]\nmax_file_size = 0\n", "2:1", "Expected `int` >= 1"),
        ("[migrate]\nshort_names = 'x'\n", "2:1", "Invalid enum value 'x'"),
        ("[migrate]\naccept = ['everything']\n", "2:11", "Invalid enum value 'everything'"),
        ("[[migrate.rule]]\nmatch = 'a'\n", "1:1", "missing required field `target`"),
        (
            "[[migrate.rule]]\nmatch='a'\ntarget='b'\n\n[[migrate.rule]]\nmatch='c'\ntarget='d'\ntypo=1\n",
            "8:1",
            "there is no setting 'typo'",
        ),
        ("[[migrate.rule]]\nmatch='a'\ntarget='b'\n[[migrate.rule]]\nmatch=1\ntarget='d'\n", "5:1", "Expected `str`, got `int`"),
        ("[migrate]\nrule = [{match='a', target='b'},\n {match='a', target='b', typo=1}]\n", "3:26", "there is no setting 'typo'"),
        ('[migrate]\nto = [\'x # no comment\', """a\nb=1\n"""] # c = 1\nfoo = 1\n', "5:1", "there is no setting 'foo' here"),
        ("[[kubernetes.positions]]\nkind='a'\npath='b'\n[[kubernetes.positions]]\nkind='a'\n", "4:1", "missing required field `path`"),
        ("[migrate]\nto = \n", "2:6", "Invalid value"),
        ("[migrate\n", "1:9", "Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2", "2:6", "Cannot overwrite a value"),
        ("[migrate]\nunsafe = true", "", ""),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, place: str, says: str) -> None:
    if not place:
        assert parse(text, "unhub.toml").migrate.unsafe
        return
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "unhub.toml")
    assert caught.value.message.startswith(f"unhub.toml:{place}: cannot read the settings: ")
    assert says in caught.value.message
    assert caught.value.exit_status == 2


def test_a_mistake_in_pyproject_has_the_place_in_the_whole_file() -> None:
    text = '[project]\nname = "x"\n\n[tool.unhub.migrate]\nfrmo = "docker-hub"\n'
    with pytest.raises(ConfigurationError, match=r"^pyproject\.toml:5:1: .*no setting 'frmo' here\. Did you mean 'from'\?"):
        parse(text, "pyproject.toml", table=("tool", "unhub"))


def test_an_unknown_key_that_resembles_nothing_lists_what_is_known() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("[data]\nqqq = 1\n", "unhub.toml")
    assert caught.value.hint == "Known here: file"


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse("\ufeff[migrate]\nunsafe = true\n", "unhub.toml").migrate.unsafe


_SIMPLE = st.text(alphabet="ab#=[]{}.,\"'\\ \n", max_size=6)
_KEYS = st.text(alphabet='abc -."', min_size=1, max_size=4)


def _toml_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@given(
    st.lists(
        st.tuples(_KEYS, _SIMPLE, st.sampled_from(["{} = {}", "{} = [{}, 1]", "{} = {{ x = {} }}"])),
        unique_by=lambda row: row[0],
        max_size=6,
    )
)
def test_the_place_of_every_key_is_where_the_key_stands(rows: list[tuple[str, str, str]]) -> None:
    lines = [form.format(_toml_string(key), _toml_string(value)) for key, value, form in rows]
    text = "\n# a = 1\n\n".join(["[table]", *lines])
    data = tomllib.loads(text)
    found = places(text)
    for key in data["table"]:
        assert text[found["table", key] :].startswith(f"{_toml_string(key)} = ")


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('[registry."a.example"]\nca = "x"\n[registry."quay.io:443"]\nendpiont = "x"\n', "4:1", "Did you mean 'endpoint'?"),
        ('[upstream.docker]\nurl = "x"\n[[upstream.docker.fallback]]\nurl = "x"\nrates = 1\n', "5:1", "'rate'"),
        ("[alias.team]\nshadow = true\n[alias.others]\nshadows = true\n", "4:1", "'shadow'"),
    ],
)
def test_a_mistake_in_one_of_several_tables_is_told_with_its_place(text: str, place: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"unhub\.toml:{place}: ") as caught:
        parse(text, "unhub.toml")
    assert hint in str(caught.value)
