"""Answers that are kept ready for a second: what makes them no longer good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.store.images import image
from unhub.mirror.memory import Memory
from unhub.mirror.names import Door, Name
from unhub.mirror.pull import ManifestAnswer
from unhub.server.distribution.answers import Answer
from unhub.server.distribution.ready import ENTRIES_MAX, SIZE_MAX, Known, ReadyAnswers
from unhub.store.records import Block, Change, ChangeKind, RepositoryKey, StoredManifest

KEY = RepositoryKey("docker", "library/node")
PATH = (b"/v2/library/node/manifests/20", b"")
KNOWN = Known(KEY, "20", Name(KEY, False, Door.ROOT, "library/node"))


class Clock:
    now = 1000.25

    def __call__(self) -> float:
        return self.now


def stored(size: int | None = None) -> StoredManifest:
    data = image("node").data
    return StoredManifest(image("node").digest, "a/type", data if size is None else data.ljust(size), 0.0)


def ready(memory: Memory, clock: Clock, *, fresh_until: float = 5000.0, size: int | None = None, stale: str | None = None) -> ReadyAnswers:
    answers, manifest = ReadyAnswers(memory, clock), stored(size)
    made = Answer(200, [], manifest.data, size=len(manifest.data))
    answers.keep(PATH, KNOWN, ManifestAnswer(manifest, 5.0, stale, fresh_until=fresh_until), made)
    return answers


def test_an_answer_is_good_for_the_second_that_runs() -> None:
    clock = Clock()
    answers = ready(Memory(), clock)
    clock.now = 1000.99
    found = answers.find(PATH, [(b"accept", b"*/*")])
    assert found is not None
    assert (found.start["status"], found.body["body"], found.shown) == (200, stored().data, "docker/library/node")
    clock.now = 1001.0
    assert answers.find(PATH, []) is None


def test_a_condition_is_looked_at_elsewhere() -> None:
    answers = ready(Memory(), Clock())
    assert answers.find(PATH, [(b"if-none-match", b'"x"')]) is None
    assert answers.find(PATH, []) is not None


def tag_moved(memory: Memory) -> None:
    memory.apply([Change(1, ChangeKind.TAG, "docker", "library/node", "20")])


def digest_blocked(memory: Memory) -> None:
    memory.set_blocks([Block(image("node").digest, "malware", 0.0)])


def everything_forgotten(memory: Memory) -> None:
    memory.clear()


def changes_unheard_of(memory: Memory) -> None:
    memory.trusted = False


Event = Callable[[Memory], None]


@pytest.mark.parametrize("event", [tag_moved, digest_blocked, everything_forgotten, changes_unheard_of])
def test_whatever_happens_to_memory_happens_to_what_is_ready(event: Event) -> None:
    memory = Memory()
    answers = ready(memory, Clock())
    event(memory)
    assert answers.find(PATH, []) is None


def test_what_is_large_stale_or_nearly_outdated_is_not_kept() -> None:
    for answers in (
        ready(Memory(), Clock(), size=SIZE_MAX + 1),
        ready(Memory(), Clock(), stale="the upstream is gone"),
        ready(Memory(), Clock(), fresh_until=1000.9),
    ):
        assert answers.find(PATH, []) is None


def test_entries_are_bounded() -> None:
    clock, memory = Clock(), Memory()
    answers, manifest = ReadyAnswers(memory, clock), stored()
    for number in range(ENTRIES_MAX + 10):
        found = ManifestAnswer(manifest, fresh_until=5000.0)
        answers.keep((b"/%d" % number, b""), KNOWN, found, Answer(200, [], manifest.data, size=len(manifest.data)))
    kept = [number for number in range(ENTRIES_MAX + 10) if answers.find((b"/%d" % number, b""), []) is not None]
    assert len(kept) <= ENTRIES_MAX


def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    """A read that was slower than a push must not bring the old tag back."""
    memory = Memory()
    before = memory.epoch
    tag_moved(memory)
    memory.put(KEY, "20", stored(), None, 5000.0, epoch=before)
    assert memory.get(KEY, "20") is None
    memory.put(KEY, "20", stored(), None, 5000.0, epoch=memory.epoch)
    assert memory.get(KEY, "20") is not None
