"""Terms: what the settings choose, and who is refused by them with which words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.test_server_metering import Clock, Store, answered
from unhub.config.parse import parse
from unhub.config.settings import Settings
from unhub.data.terms import TermsData
from unhub.image.errors import ApiRefused, ConfigurationError, UsageError
from unhub.mirror.allowances import NONE, Allowances, Kind, Monthly
from unhub.mirror.buckets import SECOND, Buckets, Rate
from unhub.server.allowance import Allowance
from unhub.server.counters import Counters
from unhub.server.metering import Metering
from unhub.server.note import Note
from unhub.server.terms import TermsSettings, terms_settings, trusted_proxies

OURS, THEIRS = "123456789012", "210987654321"
GB, TB = 10**9, 10**12


def where(key: tuple[str | int, ...]) -> str:
    return f"unhub.toml:{'.'.join(map(str, key))}"


def terms(text: str = "", flag: str | None = None, folder: Path = Path(), data: Path | None = None) -> TermsSettings:
    return terms_settings(parse(text, "unhub.toml"), flag, TermsData(data), folder, where)


def figures(text: str = "", flag: str | None = None) -> Allowances:
    return terms(text, flag).allowances


# ------------------------------------------------------------------ settings


def test_ones_own_mirror_limits_nobody() -> None:
    assert figures() == NONE
    assert figures().limits_nothing
    assert figures(flag="none").limits_nothing
    assert figures('terms = { profile = "aws-2026-11" }', flag="none").limits_nothing, "the command line wins"


def test_the_documented_terms_of_today() -> None:
    rules = figures(flag="aws-2026-11")
    assert rules.rates == {
        Kind.ANONYMOUS: Rate(SECOND, 10),
        Kind.ACCOUNT: Rate(SECOND // 10, 10),
        Kind.AWS: Rate(SECOND // 10, 10),
    }
    assert rules.months == {Kind.ANONYMOUS: Monthly(500 * GB, refused=True), Kind.ACCOUNT: Monthly(5 * TB, refused=False)}
    assert rules.operations["UploadLayerPart"].burst == 260
    assert rules.operations["PutImage"] == Rate(SECOND // 10, 10)
    assert rules.exempts_aws
    assert rules.counts_head
    assert rules.price is not None
    assert (rules.price.usd, rules.price.confidence) == ("0.09", "unverified")


def test_the_terms_of_the_article() -> None:
    rules = figures('terms = { profile = "aws-2024-03-11" }')
    assert rules.rates == {Kind.ANONYMOUS: Rate(SECOND // 10, 10), Kind.ACCOUNT: Rate(SECOND // 10, 10)}
    assert rules.months == {Kind.ANONYMOUS: Monthly(500 * GB, refused=True), Kind.ACCOUNT: Monthly(5 * TB, refused=False)}
    assert rules.operations == {}
    assert rules.exempts_aws


def test_every_figure_can_be_overridden() -> None:
    rules = figures(
        """
        [terms]
        profile = "aws-2026-11"
        burst = 2
        count-head = false
        [terms.anonymous]
        pulls-a-second = 0.5
        bytes-a-month = "none"
        [terms.account]
        pulls-a-second = "none"
        bytes-a-month = 1000
        [terms.aws]
        bytes-a-month = 7
        [terms.operations]
        PutImage = 3
        GetAuthorizationToken = "none"
        DescribeImages = 1.5
        """
    )
    assert rules.rates == {Kind.ANONYMOUS: Rate(2 * SECOND, 2), Kind.ACCOUNT: None, Kind.AWS: Rate(SECOND // 10, 10)}
    assert rules.months == {Kind.ACCOUNT: Monthly(1000, refused=False), Kind.AWS: Monthly(7, refused=True)}
    assert not rules.exempts_aws
    assert not rules.counts_head
    assert "GetAuthorizationToken" not in rules.operations
    assert (rules.operations["PutImage"].burst, rules.operations["DescribeImages"].burst) == (3, 1)
    assert rules.operations["UploadLayerPart"].burst == 260, "the rest is the profile's"


def test_figures_of_ones_own_need_no_profile() -> None:
    rules = figures("[terms.anonymous]\nbytes-a-month = 5\n")
    assert rules.profile == "none"
    assert rules.months == {Kind.ANONYMOUS: Monthly(5, refused=True)}
    assert not rules.limits_nothing


def test_a_data_file_of_ones_own_may_know_better(tmp_path: Path) -> None:
    cited = 'date = 2027-01-01\nsource = "a page"\nconfidence = "source"\n'
    (tmp_path / "facts.toml").write_text(
        f'[[counting]]\nid = "ecr-public.manifest-head"\nregistry = "public.ecr.aws"\n'
        f'request = "HEAD of a manifest"\ncounts = false\nsays = "no"\n{cited}'
        f'[[burst]]\nid = "ecr-public"\nregistry = "public.ecr.aws"\npulls = 4\nsays = "seen"\n{cited}'
    )
    rules = terms(flag="aws-2026-11", data=tmp_path / "facts.toml").allowances
    assert not rules.counts_head
    assert rules.rates[Kind.ANONYMOUS] == Rate(SECOND, 4)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (
            '[terms]\nprofile = "aws"\n',
            "unhub.toml:terms.profile: cannot use the terms 'aws'",
            "Known are none, aws-2024-03-11, aws-2026-11",
        ),
        ('[terms]\nprofile = "docker-hub-2026-11"\n', "unhub.toml:terms.profile: cannot use the terms", "Known are none"),
        ("[terms.operations]\nPutImages = 1\n", "unhub.toml:terms.operations.PutImages: ECR Public's API has no operation", "PutImage"),
        ('[terms]\nin-region = ["none.txt"]\n', "unhub.toml:terms.in-region: cannot read the networks in none.txt", ""),
        ('[terms]\nin-region-regions = ["us-east-1"]\n', "unhub.toml:terms.in-region-regions: cannot choose", "Name one"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        terms(text)
    assert caught.value.message.startswith(said)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[terms.anonymous]\npulls-a-second = 0\n", "unhub.toml:2:1: cannot read the settings: Expected `float` > 0.0"),
        ("[terms.anonymous]\npulls-a-second = nan\n", "unhub.toml:2:1: "),
        ('[terms.account]\nbytes-a-month = "much"\n', "unhub.toml:2:1: "),
        ("[terms]\nprofil = 1\n", "unhub.toml:2:1: cannot read the settings: there is no setting 'profil' here"),
        ("[terms.anonymus]\n", "unhub.toml:1:1: cannot read the settings: there is no setting 'anonymus' here"),
        ("[terms]\nkeep-months = 0\n", "unhub.toml:2:1: "),
    ],
)
def test_the_schema_is_strict(text: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "unhub.toml")
    assert caught.value.message.startswith(place)


def test_the_command_line_is_blamed_for_what_it_says() -> None:
    with pytest.raises(UsageError, match="cannot use the terms 'aws-2025'"):
        terms(flag="aws-2025")
    with pytest.raises(UsageError, match="cannot use the network '10/8'"):
        trusted_proxies(("10/8",), (), where)
    with pytest.raises(ConfigurationError, match=r"unhub\.toml:serve\.trusted-proxies\.1: cannot use the network"):
        trusted_proxies((), ("10.0.0.0/8", "x"), where)
    assert len(trusted_proxies(("10.0.0.0/8", "::1"), ("192.0.2.0/24",), where)) == 2


# ------------------------------------------------------------------ who is refused


class Held:
    """An allowance with a clock of its own for the bytes and one for the rates."""

    def __init__(self, rules: Allowances) -> None:
        self.clock, self.store, self.ticks = Clock(), Store(), [0]
        counters = Counters(1)
        self.metering = Metering(self.store, counters.slot(0), now=self.clock, counts_head=rules.counts_head)  # type: ignore[arg-type]
        buckets = Buckets(64, clock=lambda: self.ticks[0])
        slot = counters.slot(0)
        self.allowance = Allowance(rules, buckets, self.metering.follow(), TermsData().refusals(), slot.refused)
        self.counters = counters

    def pass_time(self, seconds: float) -> None:
        self.ticks[0] += round(seconds * SECOND)

    def pulls(self, note: Note, count: int, *, head: bool = False) -> int:
        """How many of so many pulls at once are not refused."""
        return sum(self.allowance.refuses(note, head=head) is None for _ in range(count))


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def caller(address: str = "192.0.2.7", account: str = "", *, in_region: bool = False) -> Note:
    note = Note(address, address, in_region=in_region, exempt=in_region)
    note.account = account
    return note


TODAY = figures(flag="aws-2026-11")


def test_without_a_login_one_pull_a_second_and_ten_after_a_rest() -> None:
    async def work() -> None:
        held = Held(TODAY)
        assert held.pulls(caller(), 20) == 10
        held.pass_time(1)
        assert held.pulls(caller(), 20) == 1
        held.pass_time(3)
        assert held.pulls(caller(), 20) == 3
        assert held.pulls(caller("192.0.2.8"), 20) == 10, "another address has its own"
        error = held.allowance.refuses(caller())
        assert error is not None
        assert (error.status, error.registry_code, error.message) == (429, "TOOMANYREQUESTS", "Rate exceeded")
        assert error.retry_after == 1
        assert held.counters.totals()["refused.rate"] == 10 + 19 + 17 + 10 + 1

    run(work)


def test_an_account_has_one_bucket_wherever_it_asks_from() -> None:
    async def work() -> None:
        held = Held(TODAY)
        assert held.pulls(caller("192.0.2.7", OURS), 6) == 6
        assert held.pulls(caller("198.51.100.9", OURS), 6) == 4
        assert held.pulls(caller("192.0.2.7", THEIRS), 6) == 6
        assert held.pulls(caller("192.0.2.7"), 6) == 6, "nor does it take from the address"
        held.pass_time(1)
        assert held.pulls(caller("192.0.2.7", OURS), 20) == 10

    run(work)


def test_inside_aws_there_is_another_rate() -> None:
    async def work() -> None:
        held = Held(TODAY)
        inside = caller("198.51.100.9", in_region=True)
        assert held.pulls(inside, 20) == 10
        held.pass_time(1)
        assert held.pulls(inside, 20) == 10
        article = Held(figures(flag="aws-2024-03-11"))
        assert article.pulls(inside, 20) == 10
        assert article.pulls(caller("198.51.100.9"), 20) == 0, "the article knows no rate of its own for those"

    run(work)


def test_a_head_counts_unless_it_is_said_not_to() -> None:
    async def work() -> None:
        held = Held(TODAY)
        assert held.pulls(caller(), 5, head=True) == 5
        assert held.pulls(caller(), 20) == 5
        held = Held(figures('terms = { profile = "aws-2026-11", count-head = false }'))
        assert held.pulls(caller(), 50, head=True) == 50
        assert held.pulls(caller(), 20) == 10

    run(work)


def test_above_the_data_of_a_month_an_address_is_refused_and_an_account_is_not() -> None:
    async def work() -> None:
        held = Held(TODAY)
        for note in (caller(), caller(account=OURS), caller("198.51.100.1", in_region=True)):
            held.allowance.check(note, pull=False)
            counted = answered(6 * TB, account=note.account, caller=note.caller, exempt=note.exempt)
            held.metering.answered(counted, "GET", manifest=False)
        error = held.allowance.refuses(caller(), pull=False)
        assert error is not None
        assert (error.status, error.registry_code, error.message) == (429, "TOOMANYREQUESTS", "Data limit exceeded")
        assert error.retry_after is None
        assert held.allowance.refuses(caller(), head=True) is not None, "whatever is asked"
        assert held.allowance.refuses(caller("192.0.2.8"), pull=False) is None
        assert held.allowance.refuses(caller(account=OURS), pull=False) is None, "that is billed, not refused"
        assert held.allowance.refuses(caller("198.51.100.1", in_region=True), pull=False) is None
        await held.metering.flush()
        assert held.allowance.refuses(caller(), pull=False) is not None
        held.clock.now += 5 * 86_400
        assert held.allowance.refuses(caller(), pull=False) is None, "December is another month"

    run(work)


def test_operations_of_the_api_are_limited_by_account_and_operation() -> None:
    async def work() -> None:
        held = Held(TODAY)
        for _ in range(10):
            held.allowance.check_operation(OURS, "PutImage")
        with pytest.raises(ApiRefused) as caught:
            held.allowance.check_operation(OURS, "PutImage")
        assert (caught.value.aws_code, caught.value.status, caught.value.message) == ("ThrottlingException", 400, "Rate exceeded")
        held.allowance.check_operation(THEIRS, "PutImage")
        held.allowance.check_operation(OURS, "CompleteLayerUpload")
        for _ in range(1000):
            held.allowance.check_operation(OURS, "DescribeImages")
        held.pass_time(0.1)
        held.allowance.check_operation(OURS, "PutImage")
        assert held.counters.totals()["refused.operation"] == 1

    run(work)


def test_settings_without_terms_are_the_default() -> None:
    assert terms_settings(Settings(), None, TermsData(), Path(), where) == TermsSettings()
