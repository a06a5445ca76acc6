"""Which settings hold: flag over environment over the nearest file over the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import POD, repository, unhub


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "pod.yaml").write_text(POD.format(image="node:20"))
    return repository(folder)


def target(folder: Path, *arguments: str | Path, **env: str) -> str | None:
    return unhub("scan", "--format", "json", *arguments, cwd=folder, env=env).json["findings"][0]["target"]


def to(host: str) -> str:
    return f'[migrate]\nto = ["mirror:{host}"]\n'


def test_flag_beats_environment_beats_file_beats_default(tree: Path) -> None:
    assert target(tree) == "public.ecr.aws/docker/library/node:20"
    (tree / "unhub.toml").write_text(to("file.example"))
    assert target(tree) == "file.example/library/node:20"
    assert target(tree, UNHUB_TO="mirror:env.example") == "env.example/library/node:20"
    assert target(tree, "--to", "mirror:flag.example", UNHUB_TO="mirror:env.example") == "flag.example/library/node:20"


def test_several_targets_stand_in_the_environment_with_blanks_between(tree: Path) -> None:
    (tree / "app" / "pod.yaml").write_text(POD.format(image="grafana/grafana"))
    assert target(tree, UNHUB_TO="ecr-public mirror:m.example/hub") == "m.example/hub/grafana/grafana"


def test_a_switch_of_the_file_can_be_switched_off(tree: Path) -> None:
    (tree / "unhub.toml").write_text("[migrate]\nrequire_login = true\n")
    assert unhub("scan", cwd=tree).status == 0
    assert unhub("scan", "--no-require-login", cwd=tree).status == 1
    assert unhub("scan", cwd=tree, env={"UNHUB_REQUIRE_LOGIN": "0"}).status == 1


def test_the_nearest_file_upward_to_the_top_of_the_repository_holds(tree: Path) -> None:
    (tree.parent / "unhub.toml").write_text(to("outside.example"))
    assert target(tree / "app") == "public.ecr.aws/docker/library/node:20"
    (tree / "unhub.toml").write_text(to("top.example"))
    assert target(tree / "app") == "top.example/library/node:20"
    (tree / "app" / "unhub.toml").write_text(to("near.example"))
    assert target(tree / "app") == "near.example/library/node:20"
    assert target(tree) == "top.example/library/node:20"


def test_outside_of_a_repository_only_the_working_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pod.yaml").write_text(POD.format(image="node:20"))
    (tmp_path / "unhub.toml").write_text(to("m.example"))
    assert target(tmp_path) == "m.example/library/node:20"
    assert target(tmp_path / "inner") == "public.ecr.aws/docker/library/node:20"


def test_a_tree_that_lies_elsewhere_brings_its_own_settings(tree: Path, tmp_path: Path) -> None:
    (tree / "unhub.toml").write_text(to("m.example"))
    (tmp_path / "here").mkdir()
    assert target(tmp_path / "here", tree) == "m.example/library/node:20"
    assert target(tmp_path / "here", tree / "app" / "pod.yaml") == "m.example/library/node:20"


def test_pyproject_holds_where_there_is_no_unhub_toml_beside_it(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[tool.unhub.migrate]\nto = ['mirror:py.example']\n")
    assert target(tree / "app") == "py.example/library/node:20"
    (tree / "unhub.toml").write_text(to("own.example"))
    assert target(tree / "app") == "own.example/library/node:20"


@pytest.mark.parametrize("text", ['[project]\nname = "unhub-user"\n', "[tool.other]\nx = 1\n", "unhub = [broken", ""])
def test_a_pyproject_without_our_table_is_nobodys_business(text: str, tree: Path) -> None:
    (tree / "pyproject.toml").write_text(text)
    assert target(tree) == "public.ecr.aws/docker/library/node:20"


def test_a_broken_pyproject_with_our_table_is_said(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[tool.unhub]\nx = \n")
    ended = unhub("scan", cwd=tree)
    assert ended.status == 2
    assert ended.err.startswith("unhub: pyproject.toml:2:5: cannot read the settings: ")


def test_a_file_that_is_named_holds_alone(tree: Path, tmp_path: Path) -> None:
    (tree / "unhub.toml").write_text(to("near.example"))
    (tmp_path / "other.toml").write_text(to("named.example"))
    assert target(tree, "--config", tmp_path / "other.toml") == "named.example/library/node:20"
    assert target(tree, UNHUB_CONFIG=str(tmp_path / "other.toml")) == "named.example/library/node:20"


def test_an_unknown_key_ends_with_2_and_names_file_line_and_column(tree: Path) -> None:
    (tree / "unhub.toml").write_text("[migrate]\nunsafe = true\n  tos = []\n")
    ended = unhub("scan", cwd=tree / "app")
    assert ended.status == 2
    assert ended.out == b""
    name = str(tree / "unhub.toml")
    assert ended.err == f"unhub: {name}:3:3: cannot read the settings: there is no setting 'tos' here\n  Did you mean 'to'?\n"


@pytest.mark.parametrize(("write", "says"), [(None, "No such file or directory"), (b"\n\xff", ":2:1: cannot read the settings: not UTF-8")])
def test_settings_that_cannot_be_read_end_with_2(write: bytes | None, says: str, tree: Path) -> None:
    if write is not None:
        (tree / "mine.toml").write_bytes(write)
    ended = unhub("scan", "--config", "mine.toml", cwd=tree)
    assert ended.status == 2
    assert says in ended.err


def test_path_globs_start_at_the_folder_of_the_settings_wherever_one_works(tree: Path) -> None:
    (tree / "lib").mkdir()
    (tree / "lib" / "pod.yaml").write_text(POD.format(image="redis:7"))
    (tree / "unhub.toml").write_text(
        '[migrate]\nnot-paths = ["lib/**"]\n[[migrate.rule]]\nmatch = "*"\ntarget = "m.example/{repository}"\npaths = ["app/*"]\n'
    )
    assert [row["target"] for row in unhub("scan", "--format", "json", cwd=tree).json["findings"]] == ["m.example/library/node:20"]
    assert target(tree / "app") == "m.example/library/node:20"
    assert unhub("scan", cwd=tree / "lib").status == 0


def test_facts_of_ones_own_take_the_place_of_ours(tree: Path) -> None:
    (tree / "facts").mkdir()
    (tree / "facts" / "own.toml").write_text(
        '[[missing]]\ntarget = "ecr-public"\nrepository = "library/node"\nsays = "we know it is missing"\n'
        'date = 2026-01-02\nsource = "us"\nconfidence = "source"\n'
    )
    (tree / "unhub.toml").write_text('[data]\nfile = "facts/own.toml"\n')
    (finding,) = unhub("scan", "--format", "json", cwd=tree / "app").json["findings"]
    assert finding["class"] == "no-target"
    assert "we know it is missing (as of 2026-01-02, source: us)" in finding["reason"]


def test_facts_that_cannot_be_read_end_with_2(tree: Path) -> None:
    (tree / "unhub.toml").write_text('[data]\nfile = "nowhere.toml"\n')
    assert unhub("scan", cwd=tree).status == 2


def test_custom_positions_of_kubernetes_are_handed_on(tree: Path) -> None:
    (tree / "app" / "pod.yaml").write_text("apiVersion: x/v1\nkind: Prometheus\nspec:\n  image: node:20\n")
    assert unhub("scan", cwd=tree).status == 0
    (tree / "unhub.toml").write_text('[kubernetes]\npositions = [{ kind = "Prometheus", path = "spec.image" }]\n')
    assert target(tree) == "public.ecr.aws/docker/library/node:20"


def test_an_unknown_place_ends_with_2_and_lists_the_known(tree: Path) -> None:
    ended = unhub("scan", "--to", "ecr", cwd=tree)
    assert ended.status == 2
    assert ended.err.startswith("unhub: cannot use 'ecr': there is no such place\n  Use ecr-public")
