"""The terms of the settings: a dated profile, the figures that were given in place of its own, and who counts as inside AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from unhub.aws.terms import REGISTRY
from unhub.config.settings import CallerTerms, Settings
from unhub.data.iam import iam_knowledge
from unhub.data.terms import Limit, Terms, TermsData
from unhub.image.errors import ConfigurationError, UsageError
from unhub.mirror.allowances import NONE, Allowances, Kind, Monthly
from unhub.mirror.buckets import Rate
from unhub.mirror.networks import Network, Networks, parse_network, read_networks

Key = tuple[str | int, ...]
Where = Callable[[Key], str]
"""The place of a setting for people."""

HEAD: Final = "HEAD of a manifest"
"""The request of ``[[counting]]`` rows (``data/terms.toml``) about which nobody knows whether it is a pull."""

Said = Mapping[Kind, CallerTerms]
"""One's own figures."""

_UNLIMITED: Final = "none"


@dataclass(frozen=True, slots=True)
class TermsSettings:
    """What the mirror counts, and refuses.

    ``in_region`` are networks that count as inside AWS; counts stay for ``keep_months``, addresses in them for ``keep_address_months``.
    """

    allowances: Allowances = NONE
    in_region: Networks = field(default_factory=Networks)
    keep_months: int = 13
    keep_address_months: int = 3


def terms_settings(settings: Settings, flag: str | None, data: TermsData, folder: Path, where: Where) -> TermsSettings:
    """The terms, checked; ``flag`` is the profile that the command line names, ``folder`` what files are relative to.

    Raises :class:`ConfigurationError` with the place, :class:`UsageError` for what the command line says.
    """
    said = settings.terms
    profile = flag or said.profile
    try:
        terms = profile_of(data, profile)
    except UsageError as error:
        if flag:
            raise
        raise ConfigurationError(f"{where(('terms', 'profile'))}: {error.message}", hint=error.hint) from None
    _check_operations(said.operations, where)
    own = {Kind.ANONYMOUS: said.anonymous, Kind.ACCOUNT: said.account, Kind.AWS: said.aws}
    allowances = Allowances(
        profile,
        _rates(terms, own, said.burst or data.burst(REGISTRY)),
        _months(terms, own),
        _operations(terms, said.operations),
        counts_head=_counts_head(terms, data, said.count_head),
        price=terms.price("account", "bytes") if terms else None,
    )
    return TermsSettings(allowances, _in_region(settings, folder, where), said.keep_months, said.keep_address_months)


def profile_allowances(data: TermsData, profile: str) -> Allowances:
    """A profile as it is, without anybody's own figures. Raises :class:`UsageError` where there is none of that name."""
    return terms_settings(Settings(), profile, data, Path(), lambda _: "terms").allowances


def profile_of(data: TermsData, name: str) -> Terms | None:
    """A profile of ECR Public; ``None`` for ``none``. Raises :class:`UsageError` where there is none of that name."""
    if name == _UNLIMITED:
        return None
    known = [row.id for row in data.profiles() if row.registry == REGISTRY]
    if name not in known:
        hint = f"Known are {', '.join([_UNLIMITED, *sorted(known)])}"
        raise UsageError(f"cannot use the terms {name!r}: ECR Public has no profile of that name", hint=hint)
    return data.terms(REGISTRY, (name,))


def trusted_proxies(flags: tuple[str, ...], written: tuple[str, ...], where: Where) -> Networks:
    """Addresses and networks of proxies: those of the command line, else those of the file. Raises as :func:`terms_settings`."""
    if flags:
        return Networks.of(parse_network(text) for text in flags)
    found: list[Network] = []
    for number, text in enumerate(written):
        try:
            found.append(parse_network(text))
        except UsageError as error:
            raise ConfigurationError(f"{where(('serve', 'trusted-proxies', number))}: {error.message}", hint=error.hint) from None
    return Networks.of(found)


def _rates(terms: Terms | None, said: Said, burst: int) -> dict[Kind, Rate | None]:
    found: dict[Kind, Rate | None] = {}
    for kind, own in said.items():
        row = terms and terms.limit(kind.value, "pulls", rate=True)
        if row is not None or own.pulls_a_second is not None:
            amount = _figure(own.pulls_a_second, row)
            found[kind] = None if amount is None else Rate.a_second(amount, burst)
    return found


def _months(terms: Terms | None, said: Said) -> dict[Kind, Monthly]:
    found: dict[Kind, Monthly] = {}
    for kind, own in said.items():
        amount = _figure(own.bytes_a_month, terms and terms.limit(kind.value, "bytes"))
        if amount is not None:
            found[kind] = Monthly(int(amount), refused=terms is None or terms.price(kind.value, "bytes") is None)
    return found


def _operations(terms: Terms | None, said: Mapping[str, float | Literal["none"]]) -> dict[str, Rate]:
    rows = {row.operation: row.amount for row in terms.limits if row.operation and row.is_rate} if terms else {}
    figures = {**rows, **{name: None if isinstance(amount, str) else amount for name, amount in said.items()}}
    return {name: Rate.a_second(amount) for name, amount in figures.items() if amount is not None}


def _figure(own: float | Literal["none"] | None, row: Limit | None) -> float | None:
    """One's own figure, else the profile's; ``None`` for no limit."""
    if own is None:
        return row.amount if row else None
    return None if isinstance(own, str) else own


def _counts_head(terms: Terms | None, data: TermsData, own: bool | None) -> bool:
    if own is not None:
        return own
    return terms is not None and data.counts(REGISTRY, HEAD)


def _check_operations(said: Mapping[str, object], where: Where) -> None:
    known = sorted(name for row in iam_knowledge().actions if row.service == "ecr-public" for name in row.names)
    for name in said:
        if name not in known:
            message = f"{where(('terms', 'operations', name))}: ECR Public's API has no operation {name!r}"
            raise ConfigurationError(message, hint=f"It has {', '.join(known)}")


def _in_region(settings: Settings, folder: Path, where: Where) -> Networks:
    said = settings.terms
    paths = tuple(folder / name for name in said.in_region)
    if not paths and (said.in_region_regions or said.in_region_services):
        key = "in-region-regions" if said.in_region_regions else "in-region-services"
        message = f"{where(('terms', key))}: cannot choose among networks without a file of them"
        raise ConfigurationError(message, hint='Name one: in-region = ["ip-ranges.json"]')
    try:
        return read_networks(paths, said.in_region_regions, said.in_region_services)
    except UsageError as error:
        raise ConfigurationError(f"{where(('terms', 'in-region'))}: {error.message}", hint=error.hint) from None
