"""unhub.lock: what is kept, how little of it changes, and how a damaged one is told."""

from __future__ import annotations

import datetime
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.image.errors import ConfigurationError, WriteFailed
from unhub.image.reference import Reference
from unhub.migrate.verification.lock import EARLIER, Lock
from unhub.migrate.verification.verdict import Evidence, Verdict

NODE = Reference.parse("node:20")
COPY, MIRROR = Reference.parse("public.ecr.aws/docker/library/node:20"), Reference.parse("mirror.example/library/node:20")
NOON = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)


def at(hours: int) -> datetime.datetime:
    return NOON + datetime.timedelta(hours=hours)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def evidence(letter: str = "a", hours: int = 0, target: Reference = COPY, verdict: Verdict = Verdict.SAME, **more: object) -> Evidence:
    given = {"origin_digest": digest(letter), "target_digest": digest(letter), "platforms": ("linux/amd64", "linux/arm64/v8"), **more}
    return Evidence(origin=NODE, target=target, verdict=verdict, seen=at(hours), **given)  # type: ignore[arg-type]


def written(folder: Path, *rows: Evidence) -> Lock:
    lock = Lock.read(folder / "unhub.lock")
    for row in rows:
        lock.record(row)
    assert lock.save()
    return Lock.read(folder / "unhub.lock")


def test_what_was_seen_is_known_again(tmp_path: Path) -> None:
    row = evidence(cause="because", deep=True)
    lock = written(tmp_path, row)
    assert lock.exists
    assert lock.evidence(NODE, COPY) == replace(row, from_lock=True)
    assert lock.evidence(NODE, MIRROR) is None
    assert lock.evidence(Reference.parse("node:21"), COPY) is None
    assert lock.evidence(None, COPY) is None


def test_without_a_file_nothing_is_known_and_without_news_nothing_is_written(tmp_path: Path) -> None:
    lock = Lock.read(tmp_path / "unhub.lock")
    assert not lock.exists
    assert not lock.save()
    lock.record(evidence(verdict=Verdict.UNKNOWN))
    lock.record(replace(evidence(), origin=None))
    lock.record(replace(evidence(), seen=None))
    assert not lock.save()
    assert list(tmp_path.iterdir()) == []


def test_seeing_the_same_again_changes_one_line(tmp_path: Path) -> None:
    written(tmp_path, evidence(), evidence(target=MIRROR))
    before = (tmp_path / "unhub.lock").read_text().splitlines()
    written(tmp_path, evidence(hours=5), evidence(hours=5, target=MIRROR))
    after = (tmp_path / "unhub.lock").read_text().splitlines()
    assert [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new] == [
        ('"seen": "2026-11-23T12:00:00Z",', '"seen": "2026-11-23T17:00:00Z",')
    ]


def test_a_target_that_was_not_asked_again_keeps_its_own_time(tmp_path: Path) -> None:
    written(tmp_path, evidence(), evidence(target=MIRROR))
    lock = written(tmp_path, evidence(hours=5))
    assert [lock.evidence(NODE, target).seen for target in (COPY, MIRROR)] == [at(5), at(0)]  # type: ignore[union-attr]


def test_it_is_the_same_text_in_whatever_order_things_were_seen(tmp_path: Path) -> None:
    rows = [evidence(), evidence(target=MIRROR), replace(evidence("b"), origin=Reference.parse("alpine"))]
    one, other = Lock(tmp_path / "a"), Lock(tmp_path / "b")
    for row in rows:
        one.record(row)
    for row in reversed(rows):
        other.record(row)
    assert one.render() == other.render()
    assert json.loads(one.render())["schema"] == 1


def test_docker_hubs_earlier_digests_are_remembered_with_their_times(tmp_path: Path) -> None:
    lock = written(tmp_path, evidence("a", 0), evidence("a", 10), evidence("b", 20))
    assert lock.last_served(NODE, digest("a")) == at(10)
    assert lock.last_served(NODE, digest("b")) == at(20)
    assert lock.last_served(NODE, digest("c")) is None
    assert lock.last_served(Reference.parse("alpine"), digest("a")) is None
    again = written(tmp_path, evidence("a", 30))
    assert again.last_served(NODE, digest("a")) == at(30)
    assert again.last_served(NODE, digest("b")) == at(20)


def test_a_run_in_which_docker_hub_did_not_answer_proves_nothing_about_its_digest(tmp_path: Path) -> None:
    lock = written(tmp_path, evidence("a", 0), evidence("a", 10, verdict=Verdict.MISSING, origin_digest=None, target_digest=None))
    assert lock.last_served(NODE, digest("a")) == at(0)
    assert lock.evidence(NODE, COPY).seen == at(10)  # type: ignore[union-attr]


def test_only_so_many_earlier_digests_are_kept(tmp_path: Path) -> None:
    lock = written(tmp_path, *(evidence(letter, hours) for hours, letter in enumerate("0123456789")))
    known = [letter for letter in "0123456789" if lock.last_served(NODE, digest(letter)) is not None]
    assert known == list("0123456789"[-EARLIER - 1 :])


def test_a_reference_that_was_pinned_since_is_known_by_its_tag(tmp_path: Path) -> None:
    lock = written(tmp_path, evidence("a"))
    pinned, there = replace(NODE, digest=digest("a")), replace(COPY, digest=digest("a"))
    found = lock.evidence(pinned, there)
    assert found is not None
    assert (found.verdict, found.origin_digest) == (Verdict.SAME, digest("a"))
    assert lock.evidence(replace(pinned, digest=digest("b")), replace(there, digest=digest("b"))) is None


def test_the_file_is_replaced_whole_and_keeps_its_mode_also_behind_a_link(tmp_path: Path) -> None:
    written(tmp_path, evidence())
    real = tmp_path / "unhub.lock"
    real.chmod(0o640)
    (tmp_path / "link").symlink_to(real)
    lock = Lock.read(tmp_path / "link")
    lock.record(evidence("b"))
    lock.save()
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert Lock.read(real).evidence(NODE, COPY).target_digest == digest("b")  # type: ignore[union-attr]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "unhub.lock"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "none" / "unhub.lock")
    lock.record(evidence())
    with pytest.raises(WriteFailed, match="cannot write the lock file"):
        lock.save()


def text_of(folder: Path) -> str:
    written(folder, evidence(), evidence("b", 3))
    return (folder / "unhub.lock").read_text()


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("{\n", "<<<<<<< ours\n{\n", "1:1", "malformed"),
        ('"schema": 1', '"schema": 2', "26:2", "its schema is 2, this version reads 1"),
        ('"schema": 1', '"schema": "x"', "26:2", "Expected `int`"),
        ('"since": "2026-11-23T15', '"sinse": "2026-11-23T15', "13:4", "unknown field `sinse`"),
        ('"verdict": "same"', '"verdict": "fine"', "21:6", "Invalid enum value 'fine'"),
        (digest("b"), digest("b")[:-1], "4:14", "63"),
        ('"docker.io/library/node:20": {', '"docker.io/library/NODE:20": {', "3:3", "lower case"),
        ('"public.ecr.aws/docker/library/node:20"', '"public.ecr.aws/docker//node:20"', "15:5", "cannot stand here|ends too early"),
        ('"since": "2026-11-23T15:00:00Z"', '"since": "2026-11-23T15:00:00"', "3:3", "no time zone"),
        ('"seen": "2026-11-23T15:00:00Z"', '"seen": "yesterday"', "12:4", "datetime"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, place: str, says: str, tmp_path: Path) -> None:
    text = text_of(tmp_path)
    assert text.count(old) >= 1
    (tmp_path / "unhub.lock").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=says) as caught:
        Lock.read(tmp_path / "unhub.lock")
    assert caught.value.message.startswith(f"{tmp_path}/unhub.lock:{place}: cannot read the lock file: "), caught.value.message
    assert "delete it and run `unhub verify --write-lock`" in str(caught.value.hint)


def test_what_cannot_be_read_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "unhub.lock").mkdir()
    with pytest.raises(ConfigurationError, match="cannot read the lock file"):
        Lock.read(tmp_path / "unhub.lock")
    (tmp_path / "deep").write_bytes(b"[" * 100_000)
    with pytest.raises(ConfigurationError, match="cannot read the lock file"):
        Lock.read(tmp_path / "deep")


@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lock")
    raw = text_of(folder).encode()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 40)))
    (folder / "unhub.lock").write_bytes(raw[:start] + data.draw(st.binary(max_size=8)) + raw[end:])
    try:
        Lock.read(folder / "unhub.lock").evidence(NODE, COPY)
    except ConfigurationError as error:
        assert f"{os.sep}unhub.lock:" in error.message
