"""Trees as they should not be: each mishap gets a message with its place, and nothing else is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.bounded import must_end
from unhub.data.facts import builtin
from unhub.image.found import Class
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.walk import walk

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: node:20\n"


def plan_of(base: Path, **options: object) -> Plan:
    return plan_run(RunOptions(base=base, **options), FormatSettings(), Mapper(MappingOptions(), builtin()))  # type: ignore[arg-type]


def reasons(plan: Plan) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in plan.skipped}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(POD)
    return tmp_path


def good_is_found(plan: Plan) -> bool:
    return [item.path for item in plan.items if item.decision.class_ is Class.MIGRATABLE] == ["good.yaml"]


def test_broken_yaml_is_reported_with_its_place_and_the_run_goes_on(tree: Path) -> None:
    (tree / "bad.yaml").write_text(POD + "    broken: [\n")
    plan = plan_of(tree)
    assert good_is_found(plan)
    assert reasons(plan)["bad.yaml"].startswith("not valid YAML near line ")


def test_a_file_that_is_too_large_is_reported_and_not_read(tree: Path) -> None:
    with (tree / "huge.yaml").open("wb") as handle:
        handle.truncate(100_000_000)
    with must_end():
        plan = plan_of(tree)
    assert good_is_found(plan)
    assert reasons(plan) == {"huge.yaml": "too large: 100000000 bytes, more than 10000000"}


def test_deep_nesting_is_reported(tree: Path) -> None:
    (tree / "deep.yaml").write_text("apiVersion: v1\nkind: X\nimage: " + "[" * 5000 + "]" * 5000 + "\n")
    plan = plan_of(tree)
    assert good_is_found(plan)
    assert "nested" in reasons(plan)["deep.yaml"]


def test_a_yaml_bomb_is_not_expanded(tree: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 40)]
    merged = [f"b{number}: &b{number} {{<<: [{', '.join([f'*b{number - 1}'] * 9)}]}}" for number in range(1, 40)]
    text = POD + "\n".join([*lines, "b0: &b0 {image: node}", *merged]) + "\nspecs:\n  containers:\n  - <<: *b39\n    name: x\n"
    (tree / "bomb.yaml").write_text(text)
    with must_end():
        plan = plan_of(tree)
    assert "good.yaml" in {item.path for item in plan.items}


def test_nul_bytes_and_bytes_that_are_no_text_do_no_harm(tree: Path) -> None:
    (tree / "nul.yaml").write_bytes(POD.encode().replace(b"name: a", b"name: a\0b") + b"\xff\xfe# caf\xe9\n")
    (tree / "Dockerfile").write_bytes(b"FROM node:20\0\nRUN \xff\xfe\n")
    plan = plan_of(tree)
    assert "good.yaml" in {item.path for item in plan.items}
    for path, data in plan.after.items():
        assert data.count(b"\0") == plan.before[path].count(b"\0")


def test_links_in_a_circle_end(tree: Path) -> None:
    (tree / "a").mkdir()
    (tree / "a" / "up").symlink_to("..", target_is_directory=True)
    (tree / "self.yaml").symlink_to("self.yaml")
    (tree / "other.yaml").symlink_to("good.yaml")
    plan = plan_of(tree)
    assert good_is_found(plan)
    assert reasons(plan) == {"other.yaml": "is a symbolic link; its target is looked at where it lies"}


def test_a_pipe_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe.yaml")
    plan = plan_of(tree)
    assert good_is_found(plan)
    assert reasons(plan) == {"pipe.yaml": "is not a regular file"}


def test_what_is_not_there_is_said(tree: Path) -> None:
    plan = plan_of(tree, paths=("good.yaml", "missing", "gone/x.yaml"))
    assert good_is_found(plan)
    assert reasons(plan) == {"missing": "there is no such file or folder", "gone/x.yaml": "there is no such file or folder"}


def test_names_with_newlines_and_odd_bytes_are_handled(tree: Path) -> None:
    (tree / "new\nline.yaml").write_text(POD)
    (tree / os.fsdecode(b"caf\xe9.yaml")).write_text(POD)
    plan = plan_of(tree)
    assert {item.path for item in plan.items} == {"good.yaml", "new\nline.yaml", "caf\udce9.yaml"}


def test_unreadable_files_and_folders_are_named(tmp_path: Path) -> None:
    if os.geteuid() == 0 and (sys.platform != "linux" or shutil.which("setpriv") is None):
        pytest.skip("setpriv is needed to drop root's power to read everything")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "x.yaml").write_text(POD)
    (tmp_path / "secret.yaml").write_text(POD)
    (tmp_path / "good.yaml").write_text(POD)
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.unit.test_bad_input import plan_of, reasons, good_is_found
        plan = plan_of(Path(sys.argv[1]))
        assert good_is_found(plan)
        expected = {"closed": "cannot be listed: Permission denied", "secret.yaml": "cannot be read: Permission denied"}
        assert reasons(plan) == expected, reasons(plan)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    if os.geteuid() == 0:
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", *command]
    (tmp_path / "closed").chmod(0)
    (tmp_path / "secret.yaml").chmod(0)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert done.returncode == 0, done.stderr


def test_what_git_ignores_is_counted_and_not_looked_at(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    (tree / ".gitignore").write_text("node_modules/\n*.local.yaml\n!kept.local.yaml\n")
    (tree / "node_modules").mkdir()
    for name in ("node_modules/x.yaml", "dev.local.yaml", "kept.local.yaml", "tracked.local.yaml"):
        (tree / name).write_text(POD)
    subprocess.run(["git", "-C", str(tree), "add", "-f", "tracked.local.yaml"], check=True)
    walked = walk((".",), tree)
    assert walked.files == ["good.yaml", "kept.local.yaml", "tracked.local.yaml"]
    assert walked.ignored == 2, "one folder and one file"
    everything = walk((".",), tree, use_gitignore=False)
    assert "node_modules/x.yaml" in everything.files
    assert everything.ignored == 0


def test_a_repository_inside_a_repository_has_its_own_ignore_rules(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    (tree / "inner").mkdir()
    subprocess.run(["git", "init", "-q", str(tree / "inner")], check=True)
    (tree / "inner" / ".gitignore").write_text("skipped.yaml\n")
    (tree / "inner" / "skipped.yaml").write_text(POD)
    (tree / "inner" / "seen.yaml").write_text(POD)
    walked = walk((".",), tree)
    assert walked.files == ["good.yaml", "inner/seen.yaml"]
    assert walked.ignored == 1


def test_paths_are_shown_relative_below_the_working_directory_and_absolute_elsewhere(tree: Path) -> None:
    work = tree / "work"
    work.mkdir()
    (work / "in.yaml").write_text(POD)
    assert walk((".", "../good.yaml"), work).files == sorted(["in.yaml", (tree / "good.yaml").as_posix()])
    assert walk((str(work),), work).files == ["in.yaml"]


def test_many_files_on_several_cores_give_the_same_plan(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"p{number:03d}.yaml").write_text(POD)
    (tmp_path / "bad.yaml").write_text(POD + "x: [\n")
    one, two = plan_of(tmp_path, cores=1), plan_of(tmp_path, cores=3)
    assert [(item.path, item.decision) for item in one.items] == [(item.path, item.decision) for item in two.items]
    assert one.after == two.after
    assert reasons(one) == reasons(two)
