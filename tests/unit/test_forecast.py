"""When builds reach a limit: exact arithmetic, compared with builds counted one by one."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.aws.terms import REGISTRY, caller_terms, dollars, monthly_cost, seconds_for
from unhub.data.terms import MONTH, Limit, TermsData, bytes_text
from unhub.image.errors import ConfigurationError, UsageError
from unhub.image.reference import Reference
from unhub.migrate.forecast import DAY, Load, Pulled, course, in_month, in_window, load, meter, reached, registry_of
from unhub.migrate.outlook import Builds, is_enough, outlook

DATA = TermsData()
HUB, ECR = DATA.terms("docker.io"), DATA.terms(REGISTRY)

AMOUNTS = st.integers(1, 500)
WINDOWS = st.sampled_from([1, 60, 3_600, 21_600, 86_400, MONTH])
PER_BUILD = st.integers(0, 60)
PER_DAY = st.fractions(min_value=Fraction(1, 50), max_value=2_000, max_denominator=50)


def pulled(name: str, pulls: int = 1, size: int | None = None, *, before_login: bool = False) -> Pulled:
    return Pulled(Reference.parse(name), before_login, pulls, size)


def counted(amount: int, window: int, per_build: int, per_day: Fraction, used: int) -> tuple[int, Fraction] | None:
    """The first build that does not fit, found by letting builds happen; pulls come back one window later."""
    interval = DAY / per_day
    happened: list[Fraction] = []
    for number in range(2 * amount + 5):
        now = number * interval
        taken = sum(per_build for then in happened if now - then < window) + (used if now < window else 0)
        if taken + per_build > amount:
            return number, now
        happened.append(now)
    return None


# ------------------------------------------------------------------ reaching a limit


@given(st.integers(1, 40), WINDOWS, st.integers(1, 20), PER_DAY, st.integers(0, 45))
def test_the_first_build_that_is_refused_is_the_one_that_counting_finds(
    amount: int, window: int, per_build: int, per_day: Fraction, used: int
) -> None:
    found = reached(amount, window, per_build, per_day, used=used)
    assert counted(amount, window, per_build, per_day, used) == (None if found is None else (found.builds, found.seconds))


@given(AMOUNTS, WINDOWS, PER_BUILD, PER_DAY, PER_DAY, st.integers(0, 500))
def test_more_builds_never_reach_a_limit_later(
    amount: int, window: int, per_build: int, per_day: Fraction, more: Fraction, used: int
) -> None:
    few = reached(amount, window, per_build, per_day, used=used)
    many = reached(amount, window, per_build, per_day + more, used=used)
    assert few is None or (many is not None and many.seconds <= few.seconds and many.builds == few.builds)


@given(AMOUNTS, AMOUNTS, WINDOWS, PER_BUILD, PER_BUILD, PER_DAY)
def test_a_higher_limit_or_a_smaller_build_never_ends_sooner(
    amount: int, more: int, window: int, per_build: int, heavier: int, per_day: Fraction
) -> None:
    here = reached(amount, window, per_build, per_day)
    for better in (reached(amount + more, window, per_build, per_day), reached(amount, window, per_build // 2, per_day)):
        assert better is None or (here is not None and here.builds <= better.builds)
    worse = reached(amount, window, per_build + heavier, per_day)
    assert here is None or (worse is not None and worse.builds <= here.builds)


@given(AMOUNTS, WINDOWS, PER_BUILD, PER_DAY, st.integers(0, 500))
def test_a_limit_is_reached_exactly_where_the_fullest_window_takes_more(
    amount: int, window: int, per_build: int, per_day: Fraction, used: int
) -> None:
    found = meter(amount, window, per_build, per_day, used=used)
    assert (found.reached is not None) == (found.per_build > 0 and found.used + found.per_window > amount)


@given(WINDOWS, PER_BUILD, PER_DAY, st.integers(1, 200), st.integers(0, 50))
def test_the_course_of_a_window_only_rises_and_ends_at_what_the_window_takes(
    window: int, per_build: int, per_day: Fraction, points: int, used: int
) -> None:
    values = course(window, per_build, per_day, points, used=used)
    assert values == sorted(values)
    assert values[-1] == used + in_window(window, per_build, per_day)


def test_without_a_limit_a_pull_or_a_build_nothing_is_ever_reached() -> None:
    assert reached(None, 21_600, 9, Fraction(1000)) is None
    assert reached(100, 21_600, 0, Fraction(1000)) is None
    assert reached(100, 21_600, 9, Fraction(0)) is None


def test_the_storys_account_two_hundred_pulls_nine_a_build() -> None:
    """A build every 15 minutes with 9 images: the 23rd build, five and a half hours later, is refused."""
    found = reached(200, 21_600, 9, Fraction(96))
    assert found is not None
    assert (found.builds, found.seconds) == (22, 22 * 900)


def test_a_build_that_is_larger_than_the_limit_never_succeeds() -> None:
    found = reached(100, 21_600, 101, Fraction(1))
    assert found is not None
    assert (found.builds, found.seconds) == (0, 0)


@pytest.mark.parametrize(("used", "builds"), [(0, 10), (91, 0), (90, 1), (100, 0), (103, 0)])
def test_what_is_used_already_counts(used: int, builds: int) -> None:
    """Docker Hub's remaining may be negative, so that more is used than there is."""
    found = reached(100, 21_600, 10, Fraction(1000), used=used)
    assert found is not None
    assert found.builds == builds


# ------------------------------------------------------------------ what a build takes


def test_a_build_takes_from_each_registry_what_its_images_are() -> None:
    images = [pulled("node:20", 2), pulled("acme/tool", 2, before_login=True)]
    assert load(images) == Load(images=2, pulls=4, size=0, unknown=2)
    assert load(images, before_login=True) == Load(images=1, pulls=2, size=0, unknown=1)
    assert load(images, before_login=False) == Load(images=1, pulls=2, size=0, unknown=1)
    assert load([pulled("public.ecr.aws/a/b", 1, 10), pulled("public.ecr.aws/a/c", 1, 5)]).size == 15


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("node:20", "docker.io"),
        ("registry-1.docker.io/library/node", "docker.io"),
        ("registry-1.docker.io/node", "docker.io"),
        ("ecr-public.aws.com/docker/library/node", "public.ecr.aws"),
        ("quay.io/a/b", "quay.io"),
    ],
)
def test_every_name_of_a_registry_counts_against_its_limit(name: str, registry: str) -> None:
    assert registry_of(Reference.parse(name)) == registry


# ------------------------------------------------------------------ terms, dated


def test_the_articles_terms_and_todays_differ_in_the_anonymous_rate() -> None:
    article, today = DATA.terms(REGISTRY, ("aws-2024-03-11",)), ECR
    assert [row.text for terms in (article, today) if (row := terms.limit("anonymous", "pulls", rate=True))] == [
        "10 pulls a second",
        "1 pull a second",
    ]
    for terms in (article, today):
        assert [row.text for caller in ("anonymous", "account", "aws") if (row := terms.limit(caller, "bytes"))] == [
            "500 GB a month",
            "5 TB a month",
            "not limited",
        ]


def test_docker_hubs_terms_are_those_enforced_unless_the_announced_ones_are_asked_for() -> None:
    assert [row.text for row in HUB.limits] == ["100 pulls in 6 h", "200 pulls in 6 h", "not limited"]
    announced = DATA.terms("docker.io", ("aws-2024-03-11", "docker-hub-2025-04"))
    assert not announced.profile.enforced
    assert [row.text for row in announced.limits] == ["10 pulls in 1 h", "100 pulls in 1 h", "not limited"]


def test_the_price_and_the_exemption_are_marked_as_not_verified() -> None:
    price, exempt = ECR.price("account", "bytes"), ECR.limit("aws", "bytes")
    assert price is not None
    assert exempt is not None
    assert (price.confidence, exempt.confidence) == ("unverified", "unverified")


def test_the_rates_of_the_api_are_the_quota_tables() -> None:
    rates = {row.operation: row.amount for row in ECR.limits if row.operation}
    assert rates == {
        "GetAuthorizationToken": 200,
        "BatchCheckLayerAvailability": 200,
        "InitiateLayerUpload": 10,
        "UploadLayerPart": 260,
        "CompleteLayerUpload": 10,
        "PutImage": 10,
    }
    assert len(ECR.quotas) == 7


def test_unknown_terms_are_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"there are none of that name.*aws-2026-11"):
        DATA.check(("aws-2026-11", "aws-2030"))
    with pytest.raises(ConfigurationError, match="no \\[\\[profile\\]\\] of it is current"):
        DATA.terms("quay.io")
    with pytest.raises(ConfigurationError, match="no \\[\\[probe\\]\\] is known"):
        DATA.probe("quay.io")


@given(st.integers(0, 10**15))
def test_bytes_in_words_are_right_to_one_percent(amount: int) -> None:
    number, unit = bytes_text(amount).replace(",", "").split()
    size = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
    assert abs(float(number) * size - amount) <= max(amount // 100, 0)
    assert float(number) < 1000 or unit == "TB"


def test_windows_are_read_in_seconds() -> None:
    def seconds(window: str) -> int:
        fields = {"id": "x", "profile": "x", "caller": "anonymous", "counts": "pulls", "per": "x", "source": "x", "confidence": "x"}
        return Limit(window=window, date=HUB.profile.date, **fields).seconds  # type: ignore[arg-type]

    assert [seconds(window) for window in ("1s", "6h", "5m", "1d", "month")] == [1, 21_600, 300, 86_400, 30 * 86_400]
    for wrong in ("0h", "6", "h", "1 month", "-1h", "6h "):
        with pytest.raises(ValueError, match="is none like 1s"):
            seconds(wrong)


# ------------------------------------------------------------------ cost


@pytest.mark.parametrize(
    ("gigabytes", "usd"), [(0, "0.00"), (4_999, "0.00"), (5_000, "0.00"), (5_001, "0.09"), (6_000, "90.00"), (105_000, "9000.00")]
)
def test_only_what_is_above_the_free_data_costs(gigabytes: int, usd: str) -> None:
    cost = monthly_cost(gigabytes * 10**9, caller_terms(ECR, "account"))
    assert cost is not None
    assert cost.usd == Decimal(usd)


def test_who_is_refused_or_exempt_pays_nothing() -> None:
    assert monthly_cost(10**16, caller_terms(ECR, "anonymous")) is None
    assert monthly_cost(10**16, caller_terms(ECR, "aws")) is None


@given(st.integers(0, 10**16), st.integers(0, 10**16))
def test_more_data_never_costs_less(amount: int, more: int) -> None:
    costs = [monthly_cost(moved, caller_terms(ECR, "account")) for moved in (amount, amount + more)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0].usd <= costs[1].usd


def test_half_a_cent_is_rounded_up() -> None:
    assert [str(dollars(Fraction(number, 1000))) for number in (4, 5, 15, 25)] == ["0.00", "0.01", "0.02", "0.03"]


def test_a_month_moves_what_all_its_builds_move() -> None:
    assert in_month(10**9, Fraction(48), MONTH) == 48 * 30 * 10**9


@pytest.mark.parametrize(("pulls", "seconds"), [(0, 0), (1, 0), (2, 1), (10, 9)])
def test_pulls_at_once_take_their_time_at_one_a_second(pulls: int, seconds: int) -> None:
    rate = ECR.limit("anonymous", "pulls", rate=True)
    assert rate is not None
    assert seconds_for(pulls, rate) == seconds


# ------------------------------------------------------------------ the outlook


def test_what_the_platform_pulls_counts_against_the_address_although_the_build_logs_in() -> None:
    now = [pulled("node:20"), pulled("golang:1.22"), pulled("node:20", before_login=True)]
    after = [pulled("public.ecr.aws/docker/library/node:20", size=10**8), pulled("acme/tool")]
    found = outlook(HUB, now, after, Builds(Fraction(100)))
    assert [(line.limit.caller, line.before_login, line.now.meter.per_build, line.after.meter.per_build) for line in found.lines] == [
        ("anonymous", False, 3, 1),
        ("account", False, 2, 1),
        ("anonymous", True, 1, 0),
    ]


def test_addresses_share_the_builds_and_an_account_does_not() -> None:
    now = [pulled(f"a/{number}") for number in range(8)]
    one, four = (outlook(HUB, now, [], Builds(Fraction(100), addresses=addresses)) for addresses in (1, 4))
    assert is_enough(one, migrated=False) is False
    assert is_enough(four, migrated=False) is True
    assert one.lines[1].now == four.lines[1].now


def test_whether_a_login_is_needed_is_not_said_where_builds_are_not() -> None:
    found = outlook(HUB, [pulled("node")], [], Builds())
    assert is_enough(found, migrated=False) is None
    assert found.cost_now is None


@given(st.integers(1, 30), PER_DAY, PER_DAY)
def test_more_builds_never_make_a_limit_enough(images: int, per_day: Fraction, more: Fraction) -> None:
    now = [pulled(f"a/{number}") for number in range(images)]
    few, many = (is_enough(outlook(HUB, now, now, Builds(rate)), migrated=False) for rate in (per_day, per_day + more))
    assert few or not many


def test_a_month_at_ecr_public_is_priced_and_images_of_unknown_size_are_counted() -> None:
    after = [pulled("public.ecr.aws/docker/library/node", size=5 * 10**9), pulled("public.ecr.aws/docker/library/golang")]
    found = outlook(ECR, [], after, Builds(Fraction(100), at_once=3))
    assert found.cost_after is not None
    assert (found.cost_after.moved, found.cost_after.unknown) == (15 * 10**12, 1)
    assert found.cost_after.estimate is not None
    assert found.cost_after.estimate.usd == Decimal("900.00")
    assert [(burst.limit.caller, burst.after, burst.seconds_after) for burst in found.bursts] == [("anonymous", 6, 5), ("account", 6, 0)]
