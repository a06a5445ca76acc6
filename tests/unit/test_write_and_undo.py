"""Writing is all or nothing, also on a full disk and a kill in the middle; undo restores every byte."""

from __future__ import annotations

import datetime
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from unhub.data.facts import builtin
from unhub.image.errors import ChangedSince, RefusedError, UsageError, WriteFailed
from unhub.image.source import FormatSettings
from unhub.migrate.journal import Journal, State, locate
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.undo import undo
from unhub.migrate.write import recover, write_plan

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: {image}\n"


def plan_of(base: Path) -> Plan:
    return plan_run(RunOptions(base=base), FormatSettings(), Mapper(MappingOptions(), builtin()))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    base = tmp_path / "tree"
    base.mkdir()
    for name, image in (("a.yaml", "node:20"), ("b.yaml", "golang:1.22"), ("c.yaml", "alpine:3.19"), ("d.yaml", "quay.io/x/y:1")):
        (base / name).write_text(POD.format(image=image))
    return base


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def contents(base: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(base.iterdir())}


def test_writing_changes_what_was_planned_and_undo_restores_every_byte(tree: Path, journal: Journal) -> None:
    before = contents(tree)
    run = write_plan(plan_of(tree), tree, journal, NOW)
    assert run is not None
    assert run.files == ["a.yaml", "b.yaml", "c.yaml"]
    assert b"public.ecr.aws/docker/library/node:20" in (tree / "a.yaml").read_bytes()
    assert undo(journal).state is State.UNDONE
    assert contents(tree) == before


def test_a_run_without_changes_leaves_no_trace(tree: Path, journal: Journal) -> None:
    write_plan(plan_of(tree), tree, journal, NOW)
    assert write_plan(plan_of(tree), tree, journal, NOW) is None
    assert len(journal.runs()) == 1


def test_mode_and_ownership_are_kept_and_no_partial_file_stays(tree: Path, journal: Journal) -> None:
    (tree / "a.yaml").chmod(0o755)
    write_plan(plan_of(tree), tree, journal, NOW)
    assert stat.S_IMODE((tree / "a.yaml").stat().st_mode) == 0o755
    assert sorted(contents(tree)) == ["a.yaml", "b.yaml", "c.yaml", "d.yaml"]


def test_a_link_named_by_the_user_stays_a_link(tree: Path, journal: Journal) -> None:
    (tree / "real").mkdir()
    (tree / "a.yaml").rename(tree / "real" / "a.yaml")
    (tree / "a.yaml").symlink_to("real/a.yaml")
    plan = plan_run(RunOptions(base=tree, paths=("a.yaml",)), FormatSettings(), Mapper(MappingOptions(), builtin()))
    write_plan(plan, tree, journal, NOW)
    assert (tree / "a.yaml").is_symlink()
    assert b"public.ecr.aws" in (tree / "real" / "a.yaml").read_bytes()


def test_a_file_that_changed_since_it_was_looked_at_stops_the_whole_run(tree: Path, journal: Journal) -> None:
    plan = plan_of(tree)
    (tree / "b.yaml").write_text("mine\n")
    before = contents(tree)
    with pytest.raises(ChangedSince, match=r"b\.yaml: it changed since"):
        write_plan(plan, tree, journal, NOW)
    assert contents(tree) == before
    assert journal.runs() == []


def test_a_read_only_file_stops_the_whole_run(tree: Path, journal: Journal) -> None:
    (tree / "b.yaml").chmod(0o444)
    before = contents(tree)
    with pytest.raises(WriteFailed, match=r"b\.yaml: it is read-only"):
        write_plan(plan_of(tree), tree, journal, NOW)
    assert contents(tree) == before


def test_undo_refuses_a_file_changed_since_unless_forced(tree: Path, journal: Journal) -> None:
    before = contents(tree)
    write_plan(plan_of(tree), tree, journal, NOW)
    (tree / "b.yaml").write_text("mine\n")
    with pytest.raises(ChangedSince, match=r"b\.yaml: it changed since run"):
        undo(journal)
    assert b"public.ecr.aws" in (tree / "a.yaml").read_bytes(), "all or nothing"
    undo(journal, force=True)
    assert contents(tree) == before


def test_undo_makes_a_deleted_file_anew_when_forced(tree: Path, journal: Journal) -> None:
    (tree / "deep").mkdir()
    (tree / "deep" / "run.yaml").write_text(POD.format(image="redis:7"))
    (tree / "deep" / "run.yaml").chmod(0o755)
    write_plan(plan_of(tree), tree, journal, NOW)
    (tree / "deep" / "run.yaml").unlink()
    (tree / "deep").rmdir()
    with pytest.raises(ChangedSince, match=r"run\.yaml: it is gone since run"):
        undo(journal)
    assert b"public.ecr.aws" in (tree / "a.yaml").read_bytes(), "all or nothing"
    undo(journal, force=True)
    assert (tree / "deep" / "run.yaml").read_text() == POD.format(image="redis:7")
    assert stat.S_IMODE((tree / "deep" / "run.yaml").stat().st_mode) == 0o755
    assert b"public.ecr.aws" not in (tree / "a.yaml").read_bytes()


def test_names_that_are_no_text_are_written_noted_and_undone(tree: Path, journal: Journal) -> None:
    odd = tree / os.fsdecode(b"caf\xe9\n.yaml")
    odd.write_text(POD.format(image="redis:7"))
    run = write_plan(plan_of(tree), tree, journal, NOW)
    assert run is not None
    assert "caf\udce9\n.yaml" in run.files
    assert journal.runs() == [run]
    assert b"public.ecr.aws" in odd.read_bytes()
    undo(journal)
    assert odd.read_text() == POD.format(image="redis:7")


def test_undo_goes_back_run_by_run(tree: Path, journal: Journal) -> None:
    first = write_plan(plan_of(tree), tree, journal, NOW)
    (tree / "e.yaml").write_text(POD.format(image="redis:7"))
    second = write_plan(plan_of(tree), tree, journal, NOW)
    assert first
    assert second
    assert first.id != second.id
    assert undo(journal).id == second.id
    assert undo(journal).id == first.id
    with pytest.raises(UsageError, match="undone already"):
        undo(journal)
    with pytest.raises(RefusedError, match="is undone already"):
        undo(journal, first.id)
    with pytest.raises(UsageError, match="no run 'nonsense'"):
        undo(journal, "nonsense")


def test_undo_without_any_run_says_so(journal: Journal) -> None:
    with pytest.raises(UsageError, match="no run of unhub is on record here"):
        undo(journal)


def test_undo_refuses_damaged_old_bytes(tree: Path, journal: Journal) -> None:
    run = write_plan(plan_of(tree), tree, journal, NOW)
    assert run
    (journal.folder / "runs" / run.id / run.changes[0].kept).write_bytes(b"damaged")
    with pytest.raises(RefusedError, match="are damaged"):
        undo(journal)


def test_a_second_writer_is_refused(tree: Path, journal: Journal) -> None:
    with journal.locked(), pytest.raises(RefusedError, match="another unhub is writing here"):
        write_plan(plan_of(tree), tree, journal, NOW)


CHILD = textwrap.dedent(
    """
    import os, resource, signal, sys
    from pathlib import Path
    from tests.unit.test_write_and_undo import NOW, plan_of
    from unhub.migrate.journal import Journal
    from unhub.migrate.write import write_plan
    tree, journal, call, number, deed = Path(sys.argv[1]), Journal(Path(sys.argv[2])), sys.argv[3], int(sys.argv[4]), sys.argv[5]
    plan = plan_of(tree)
    real, count = getattr(os, call), [0]
    def counted(*arguments):
        count[0] += 1
        if count[0] == number:
            if deed == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(28, "No space left on device")
        return real(*arguments)
    setattr(os, call, counted)
    try:
        write_plan(plan, tree, journal, NOW)
    except Exception as error:
        print(type(error).__name__, error)
        sys.exit(9)
    sys.exit(0)
    """
)


def child(tree: Path, journal: Journal, call: str, number: int, deed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(tree), str(journal.folder), call, str(number), deed]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_kill_at_any_moment_leaves_whole_files_and_the_next_run_puts_them_back(tree: Path, tmp_path: Path, call: str) -> None:
    before = contents(tree)
    for number in range(1, 20):
        journal = Journal(tmp_path / f"journal-{number}")
        done = child(tree, journal, call, number, "kill")
        after = plan_of(tree)
        for name, data in contents(tree).items():
            if not name.startswith("."):
                assert data == before[name] or b"public.ecr.aws/docker/library/" in data, "a half-written file"
        if done.returncode == 0:
            assert after.after == {}
            return
        assert done.returncode == -signal.SIGKILL
        with journal.locked():
            recover(journal)
        if contents(tree) != before:
            assert journal.runs()[-1].state is State.DONE, f"not put back after a kill at {call} number {number}"
            undo(journal)
        assert contents(tree) == before
    pytest.fail("the write never came to its end")


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_at_any_moment_changes_nothing(tree: Path, tmp_path: Path, call: str) -> None:
    before = contents(tree)
    for number in range(1, 20):
        done = child(tree, Journal(tmp_path / f"journal-{number}"), call, number, "fail")
        if done.returncode == 0:
            return
        assert done.returncode == 9, done.stderr
        assert done.stdout.startswith("WriteFailed"), done.stdout
        assert "No space left on device" in done.stdout
        assert contents(tree) == before
    pytest.fail("the write never came to its end")


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a full file system of its own needs root on Linux")
def test_a_really_full_file_system_changes_nothing(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        set -e
        mount -t tmpfs -o size=64k tmpfs "$1"
        mkdir "$1/tree"
        for i in 1 2 3; do
            printf 'apiVersion: v1\\nkind: Pod\\nspec:\\n  containers:\\n    - image: node:20\\n' > "$1/tree/$i.yaml"
        done
        dd if=/dev/zero of="$1/fill" bs=1k count=100 2>/dev/null || true
        sha256sum "$1"/tree/* > "$2/before"
        "$3" -c "
        from pathlib import Path
        from tests.unit.test_write_and_undo import NOW, plan_of
        from unhub.migrate.journal import Journal
        from unhub.migrate.write import write_plan
        tree = Path('$1/tree')
        try:
            write_plan(plan_of(tree), tree, Journal(Path('$2/journal')), NOW)
        except Exception as error:
            print(type(error).__name__, error)
        "
        sha256sum "$1"/tree/* | cmp - "$2/before" && ls -A "$1/tree"
        """
    )
    script = script.replace("\n        ", "\n")
    (tmp_path / "small").mkdir()
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path / "small"), str(tmp_path), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert "WriteFailed" in done.stdout, done.stdout + done.stderr
    assert "No space left on device" in done.stdout
    assert "every file is as it was" in done.stdout
    assert done.stdout.splitlines()[-3:] == ["1.yaml", "2.yaml", "3.yaml"]


def test_the_journal_lies_in_the_git_directory_never_in_the_tree(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "repository")], check=True)
    inner = tmp_path / "repository" / "deep"
    inner.mkdir()
    assert locate(inner, tmp_path / "state") == tmp_path / "repository" / ".git" / "unhub"
    plain = tmp_path / "plain"
    plain.mkdir()
    assert tmp_path / "state" in locate(plain, tmp_path / "state").parents


def test_a_run_killed_before_it_was_noted_does_not_stand_in_the_way_of_the_next(tree: Path, journal: Journal) -> None:
    first = write_plan(plan_of(tree), tree, journal, NOW)
    assert first is not None
    undo(journal)
    (journal.folder / "runs" / first.id / "run.json").unlink()
    second = write_plan(plan_of(tree), tree, journal, NOW)
    assert second is not None
    assert second.id != first.id
