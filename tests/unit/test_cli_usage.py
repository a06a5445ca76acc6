"""``unhub usage`` at a running mirror whose meters are known: the table, CSV and JSON, limits and costs, to the letter."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.command_line import Ended, unhub
from tests.contract.store.stores import with_identities
from tests.mirror import Mirror, running_mirror
from unhub.store.protocols import MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import MeterRow
from unhub.store.sql.upgrade import upgrade

GOLDENS = Path(__file__).parent.parent / "golden" / "usage"
OURS, THEIRS = "123456789012", "210987654321"
GB = 10**9
NODE, GO = "docker/library/node", "docker/library/golang"


def day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() // 86_400)


ROWS = (
    MeterRow(day("2026-02-01"), "", "192.0.2.7", NODE, False, 1200, 450 * GB),
    MeterRow(day("2026-02-02"), "", "192.0.2.7", GO, False, 30, 75 * GB),
    MeterRow(day("2026-02-02"), "", "2001:db8:1:2::/64", NODE, False, 2, 81_300_000),
    MeterRow(day("2026-02-03"), OURS, "198.51.100.1", NODE, False, 9000, 5200 * GB),
    MeterRow(day("2026-02-28"), OURS, "198.51.100.2", GO, False, 10, 300 * GB),
    MeterRow(day("2026-02-28"), OURS, "203.0.113.5", GO, True, 4000, 9000 * GB),
    MeterRow(day("2026-02-28"), THEIRS, "198.51.100.1", NODE, False, 3, 7_000),
    MeterRow(day("2026-03-01"), OURS, "198.51.100.1", NODE, False, 1, 5001 * GB),
)
"""February 2026, and a day of March."""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mirror]:
    folder = tmp_path_factory.mktemp("usage")
    (folder / "data").mkdir(mode=0o700)
    url = f"sqlite:///{folder}/data/unhub.db"
    upgrade(url)

    async def fill(store: IdentityStore, _: MetadataStore) -> None:
        await store.meters.add(ROWS)

    with_identities(url, fill)
    with running_mirror(folder, "http://127.0.0.1:9", arguments=("--terms", "aws-2026-11")) as running:
        yield running


def usage(mirror: Mirror, *arguments: str) -> Ended:
    return unhub("usage", "--server", mirror.url, "--data", mirror.data, *arguments, cwd=mirror.folder)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("account.txt", ("--month", "2026-02")),
        ("address-repository.txt", ("--by", "address", "--by", "repository", "--month", "2026-02")),
        ("day.txt", ("--by", "day", "--since", "2026-02-02", "--until", "2026-03-01")),
        ("article.txt", ("--month", "2026-02", "--terms", "aws-2024-03-11")),
        ("no-terms.txt", ("--month", "2026-02", "--terms", "none", "--by", "repository")),
        ("account.csv", ("--month", "2026-02", "--format", "csv")),
        ("account.json", ("--month", "2026-02", "--format", "json")),
    ],
)
def test_usage_is_told_to_the_letter(mirror: Mirror, name: str, arguments: tuple[str, ...]) -> None:
    done = usage(mirror, *arguments)
    assert (done.status, done.err) == (0, "")
    golden = GOLDENS / name
    assert done.text == golden.read_text("utf-8")


def test_a_csv_has_as_many_bytes_as_were_answered(mirror: Mirror) -> None:
    done = usage(
        mirror, "--format", "csv", "--by", "repository", "--by", "day", "--by", "account", "--since", "2026-01-01", "--until", "2026-12-31"
    )
    rows = list(csv.DictReader(io.StringIO(done.text)))
    assert sum(int(row["bytes_answered"]) for row in rows) == sum(row.bytes_answered for row in ROWS)
    assert sum(int(row["exempt_bytes"]) for row in rows) == 9000 * GB
    assert list(rows[0]) == ["day", "account", "repository", "pulls", "bytes_answered", "exempt_pulls", "exempt_bytes"]
    assert [row["day"] for row in rows] == sorted(row["day"] for row in rows)


def test_the_cost_of_months_is_reckoned_by_whole_months(mirror: Mirror) -> None:
    costs = usage(mirror, "--format", "json", "--since", "2026-02-28", "--until", "2026-03-01").json["costs"]
    assert [(one["month"], one["account"], one["billed_bytes"], one["usd"]) for one in costs] == [
        ("2026-02", OURS, 500 * GB, "45.00"),
        ("2026-02", THEIRS, 0, "0.00"),
        ("2026-03", OURS, GB, "0.09"),
    ]


def test_more_rows_than_wanted_are_told_of(mirror: Mirror) -> None:
    done = usage(mirror, "--by", "address", "--month", "2026-02", "--limit", "2", "--format", "csv")
    assert done.text.splitlines()[1:] == ["198.51.100.1,9003,5200000007000,0,0", "192.0.2.7,1230,525000000000,0,0"], "the largest first"
    assert done.err == "there are more rows than 2; --limit shows more\n"


def test_a_month_without_anything(mirror: Mirror) -> None:
    done = usage(mirror, "--month", "2025-12")
    assert (done.status, done.text) == (0, "nothing was answered from 2025-12-01 to 2025-12-31 (UTC)\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--month", "2026-13"), "cannot read --month '2026-13': it is not like 2026-11"),
        (("--month", "2026-1-1"), "cannot read --month '2026-1-1'"),
        (("--since", "26.11.2026"), "cannot read --since '26.11.2026': it is not like 2026-11-26"),
        (("--month", "2026-02", "--since", "2026-02-01"), "cannot use --month together with --since or --until"),
        (("--terms", "aws"), "cannot use the terms 'aws': ECR Public has no profile of that name"),
    ],
)
def test_what_cannot_be_asked(mirror: Mirror, arguments: tuple[str, ...], said: str) -> None:
    done = usage(mirror, *arguments)
    assert done.status == 2
    assert said in done.err


def test_who_has_no_token_is_told_nothing(mirror: Mirror, tmp_path: Path) -> None:
    done = unhub("usage", "--server", mirror.url, "--data", tmp_path, cwd=tmp_path)
    assert done.status == 5
    assert "admin token" in done.err
    assert "192.0.2" not in done.text + done.err
