"""Meters of one worker: each answer once, none lost while the database is busy, months by the calendar, memory bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from unhub.mirror import meters
from unhub.mirror.meters import DAY, Meter
from unhub.mirror.month_totals import CALLERS_MAX, IDLE, REFRESH, Month, MonthTotals
from unhub.server.counters import Counters
from unhub.server.metering import Metering, first_day_kept, is_manifest
from unhub.server.note import Note
from unhub.store.records_identity import MeterRow

OURS = "123456789012"
NODE = "docker/library/node"


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def day_of(text: str) -> int:
    return int(at(text) // DAY)


class Store:
    """Meters in memory, as several workers share them; fails where it is told to."""

    def __init__(self) -> None:
        self.rows: list[MeterRow] = []
        self.batches = 0
        self.reads: list[list[tuple[str, str]]] = []
        self.fails = False
        self.entered = asyncio.Event()
        self.go_on: asyncio.Event | None = None

    async def add(self, rows: Sequence[MeterRow]) -> None:
        self.entered.set()
        if self.go_on is not None:
            await self.go_on.wait()
        if self.fails:
            raise OperationalError("insert", {}, Exception("database is locked"))
        self.rows += rows
        self.batches += 1

    async def totals(self, first: int, last: int, callers: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        self.reads.append(list(callers))
        sums = Counter[tuple[str, str]]()
        for row in self.rows:
            if first <= row.day <= last and not row.exempt:
                sums[(row.account, "" if row.account else row.address)] += row.bytes_answered
        return {who: sums[who] for who in callers if who in sums}

    @property
    def sums(self) -> Counter[tuple[str, str, str]]:
        sums = Counter[tuple[str, str, str]]()
        for row in self.rows:
            sums[(row.account, row.address, row.repository)] += row.bytes_answered
        return sums


class Clock:
    def __init__(self, text: str = "2026-11-26T12:00:00") -> None:
        self.now = at(text)

    def __call__(self) -> float:
        return self.now


def metering(store: Store, clock: Clock, **options: bool) -> tuple[Metering, Counters]:
    counters = Counters(1)
    return Metering(store, counters.slot(0), now=clock, **options), counters  # type: ignore[arg-type]


def answered(
    size: int = 100, *, status: int = 200, name: str = NODE, account: str = "", caller: str = "192.0.2.7", exempt: bool = False
) -> Note:
    note = Note(caller, caller, exempt=exempt)
    note.status, note.bytes, note.name, note.account = status, size, name, account
    return note


# ------------------------------------------------------------------ what is counted


def test_answers_about_repositories_are_counted_by_caller_and_day() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        one, counters = metering(store, clock)
        one.answered(answered(100), "GET", manifest=True)
        one.answered(answered(5000), "GET", manifest=False)
        one.answered(answered(40, status=206), "GET", manifest=False)
        one.answered(answered(70, account=OURS), "GET", manifest=True)
        one.answered(answered(9, exempt=True), "GET", manifest=True)
        await one.flush()
        day = day_of("2026-11-26")
        assert store.rows == [
            MeterRow(day, "", "192.0.2.7", NODE, False, 1, 5140),
            MeterRow(day, OURS, "192.0.2.7", NODE, False, 1, 70),
            MeterRow(day, "", "192.0.2.7", NODE, True, 1, 9),
        ]
        totals = counters.totals()
        assert [totals[f"bytes.{name}"] for name in ("anonymous", "account", "exempt")] == [5140, 70, 9]
        assert [totals[f"pulls.{name}"] for name in ("anonymous", "account", "exempt")] == [1, 1, 1]

    run(work)


@pytest.mark.parametrize(
    ("note", "method"),
    [
        (answered(status=404), "GET"),
        (answered(status=401), "GET"),
        (answered(status=429), "GET"),
        (answered(status=500), "GET"),
        (answered(name=""), "GET"),
        (answered(status=201), "PUT"),
        (answered(0), "HEAD"),
    ],
)
def test_refusals_pushes_and_questions_are_not(note: Note, method: str) -> None:
    async def work() -> None:
        store = Store()
        one, _ = metering(store, Clock())
        one.answered(note, method, manifest=True)
        await one.flush()
        assert store.rows == []

    run(work)


def test_a_head_of_a_manifest_is_a_pull_where_the_terms_say_so() -> None:
    async def work() -> None:
        store = Store()
        one, _ = metering(store, Clock(), counts_head=True)
        one.answered(answered(0), "HEAD", manifest=True)
        one.answered(answered(0), "HEAD", manifest=False)
        one.answered(answered(0, status=304), "GET", manifest=True)
        await one.flush()
        assert [(row.pulls, row.bytes_answered) for row in store.rows] == [(2, 0)]

    run(work)


@pytest.mark.parametrize(
    ("path", "manifest"),
    [
        ("/v2/library/node/manifests/20", True),
        ("/v2/library/node/manifests/sha256:00", True),
        ("/v2/manifests/blobs/sha256:00", False),
        ("/v2/a/manifests/manifests/latest", True),
        ("/v2/a/tags/list", False),
        ("/v2/", False),
        ("/metrics", False),
    ],
)
def test_what_comes_last_in_a_path_says_whether_it_is_a_manifests(path: str, manifest: bool) -> None:
    assert is_manifest(path) is manifest


# ------------------------------------------------------------------ writing


def test_nothing_is_lost_and_nothing_counts_twice_while_the_database_is_busy() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        one, counters = metering(store, clock)
        store.fails = True
        one.answered(answered(1), "GET", manifest=True)
        await one.flush()
        one.answered(answered(10), "GET", manifest=True)
        await one.flush()
        store.fails = False
        one.answered(answered(100), "GET", manifest=True)
        await one.flush()
        await one.flush()
        assert sum(row.bytes_answered for row in store.rows) == 111
        assert sum(row.pulls for row in store.rows) == 3
        assert store.batches == 1, "one transaction, and none for nothing"
        assert counters.totals()["meter.failed"] == 2
        assert counters.totals()["bytes.anonymous"] == 111

    run(work)


def test_who_ends_in_the_middle_of_a_writing_neither_loses_nor_doubles_it() -> None:
    async def work() -> None:
        store = Store()
        store.go_on = asyncio.Event()
        one, _ = metering(store, Clock())
        one.answered(answered(1), "GET", manifest=True)
        writing = asyncio.ensure_future(one.flush())
        await store.entered.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        one.answered(answered(10), "GET", manifest=True)
        last = asyncio.ensure_future(one.flush())
        store.go_on.set()
        await last
        assert sum(row.bytes_answered for row in store.rows) == 11

    run(work)


def test_midnight_and_the_end_of_a_month_part_what_is_counted() -> None:
    async def work() -> None:
        store, clock = Store(), Clock("2026-11-30T23:59:59.5")
        one, _ = metering(store, clock)
        one.answered(answered(1), "GET", manifest=True)
        clock.now += 0.6
        one.answered(answered(10), "GET", manifest=True)
        await one.flush()
        assert [(row.day, row.bytes_answered) for row in store.rows] == [(day_of("2026-11-30"), 1), (day_of("2026-12-01"), 10)]

    run(work)


def test_a_crowd_of_addresses_is_written_before_the_second_is_over() -> None:
    woken: list[int] = []
    meter = Meter(lambda: 0.0, lambda: woken.append(1))
    for number in range(meters.EARLY + 5):
        meter.count(("", str(number), NODE, False), 1, 1)
    assert len(woken) == 1


def test_where_no_database_takes_it_a_crowd_is_counted_without_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "EARLY", 5)
    monkeypatch.setattr(meters, "ROWS_MAX", 10)
    meter = Meter(lambda: 0.0)
    for number in range(1000):
        meter.count(("", str(number), NODE, False), 1, 2)
        if number % 100 == 0:
            assert len(meter.take()) <= 30
            meter.failed()
    rows = meter.take()
    assert len(rows) <= 30
    assert (sum(row.pulls for row in rows), sum(row.bytes_answered for row in rows)) == (1000, 2000), "the sums stay exact"
    assert any((row.address, row.repository) == ("", "") for row in rows)


Step = tuple[str, int, int]


@given(
    st.lists(
        st.tuples(st.sampled_from(["count", "write", "fail", "tick"]), st.integers(0, 3), st.integers(0, 100_000)),
        max_size=60,
    )
)
def test_whatever_happens_the_meters_hold_what_was_counted(steps: list[Step]) -> None:
    clock, store, expected = [0.0], list[MeterRow](), Counter[tuple[int, str]]()
    meter = Meter(lambda: clock[0])
    for what, who, number in steps:
        match what:
            case "count":
                meter.count((OURS, str(who), NODE, False), 1, number)
                expected[(int(clock[0] // DAY), str(who))] += number
            case "tick":
                clock[0] += number
            case "write":
                store += meter.take()
                meter.written()
            case _:
                meter.take()
                meter.failed()
    store += meter.take()
    found = Counter[tuple[int, str]]()
    for row in store:
        found[(row.day, row.address)] += row.bytes_answered
    assert +found == +expected


# ------------------------------------------------------------------ bytes of the month


def test_the_bytes_of_a_month_are_those_of_all_workers_after_a_moment() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        (one, _), (other, _) = metering(store, clock), metering(store, clock)
        totals, others = one.follow(), other.follow()
        who = ("", "192.0.2.7")
        assert totals.of(who) == others.of(who) == 0
        one.answered(answered(100), "GET", manifest=True)
        other.answered(answered(7), "GET", manifest=True)
        assert (totals.of(who), others.of(who)) == (100, 7), "at once what it answered itself"
        await one.flush()
        await other.flush()
        assert (totals.of(who), others.of(who)) == (100, 107)
        clock.now += REFRESH
        totals.of(who)
        await one.flush()
        assert totals.of(who) == 107, "and what others answered once it has read again"

    run(work)


def test_what_is_being_written_counts_once() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        one, _ = metering(store, clock)
        totals, who = one.follow(), (OURS, "")
        totals.of(who)
        store.go_on = asyncio.Event()
        one.answered(answered(100, account=OURS), "GET", manifest=True)
        writing = asyncio.ensure_future(one.flush())
        await store.entered.wait()
        one.answered(answered(5, account=OURS, caller="198.51.100.1"), "GET", manifest=True)
        assert totals.of(who) == 105
        store.go_on.set()
        await writing
        assert totals.of(who) == 105
        await one.flush()
        assert totals.of(who) == 105

    run(work)


def test_a_failed_writing_is_not_forgotten() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        one, _ = metering(store, clock)
        totals, who = one.follow(), ("", "192.0.2.7")
        totals.of(who)
        store.fails = True
        one.answered(answered(100), "GET", manifest=True)
        await one.flush()
        clock.now += REFRESH
        totals.of(who)
        await one.flush()
        assert totals.of(who) == 100

    run(work)


def test_exempt_bytes_count_toward_nothing() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        one, _ = metering(store, clock)
        totals, who = one.follow(), ("", "192.0.2.7")
        totals.of(who)
        one.answered(answered(100, exempt=True), "GET", manifest=True)
        await one.flush()
        assert totals.of(who) == 0
        assert [row.exempt for row in store.rows] == [True]

    run(work)


def test_a_new_month_begins_with_nothing() -> None:
    async def work() -> None:
        store, clock = Store(), Clock("2026-11-30T23:59:58")
        store.rows.append(MeterRow(day_of("2026-11-01"), "", "192.0.2.7", NODE, False, 1, 500))
        one, _ = metering(store, clock)
        totals, who = one.follow(), ("", "192.0.2.7")
        assert totals.of(who) == 0, "nobody has read it yet"
        await one.flush()
        assert totals.of(who) == 500
        clock.now += 3
        assert totals.of(who) == 0
        one.answered(answered(7), "GET", manifest=True)
        await one.flush()
        clock.now += REFRESH
        totals.of(who)
        await one.flush()
        assert totals.of(who) == 7

    run(work)


def test_a_caller_that_is_not_known_is_read_at_once() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        store.rows.append(MeterRow(day_of("2026-11-02"), "", "192.0.2.7", NODE, False, 1, 500))
        one, _ = metering(store, clock)
        totals = one.follow()
        running = asyncio.ensure_future(one.run())
        assert totals.of(("", "192.0.2.7")) == 0
        async with asyncio.timeout(0.5):
            while totals.of(("", "192.0.2.7")) != 500:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(work)


def test_callers_are_read_seldom_and_forgotten_when_they_are_idle() -> None:
    async def work() -> None:
        store, clock = Store(), Clock()
        totals = MonthTotals(store, clock)  # type: ignore[arg-type]
        for _ in range(10):
            totals.of(("", "192.0.2.7"))
            await totals.refresh()
        assert store.reads == [[("", "192.0.2.7")]]
        clock.now += 2 * IDLE
        await totals.refresh()
        assert totals._known == {}
        for number in range(CALLERS_MAX + 1):
            totals.of(("", str(number)))
        assert len(totals._known) <= CALLERS_MAX

    run(work)


@pytest.mark.parametrize(
    ("moment", "first", "last"),
    [
        ("2026-11-26T12:00:00", "2026-11-01", "2026-11-30"),
        ("2024-02-29T23:59:59", "2024-02-01", "2024-02-29"),
        ("2026-12-31T23:59:59", "2026-12-01", "2026-12-31"),
    ],
)
def test_months_are_those_of_the_calendar(moment: str, first: str, last: str) -> None:
    month = Month.of(at(moment))
    assert (month.first, month.last) == (day_of(first), day_of(last))
    assert month.ends == at(f"{last}T00:00:00") + DAY


@pytest.mark.parametrize(("months", "kept"), [(1, "2026-10-01"), (11, "2025-12-01"), (13, "2025-10-01"), (10_000 * 12, "1970-01-01")])
def test_whole_months_are_kept(months: int, kept: str) -> None:
    assert first_day_kept(at("2026-11-26T12:00:00"), months) == day_of(kept)
