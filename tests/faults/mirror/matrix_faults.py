"""The faults of the matrix: what each does to an upstream."""

from __future__ import annotations

from typing import Any

from tests.faults.mirror.matrix import ECR_SITES, SITES, Fault, Site
from unhub.image.errors import LimitKind


def at(site: str, kind: Any, **details: object) -> Any:
    """The same fault at every request to a site of the upstream, until the end."""

    def arm(corner: Site) -> None:
        corner.hub.fault(kind, site=site, count=None, **details)

    return arm


def exhausted(kind: LimitKind) -> Any:
    def arm(corner: Site) -> None:
        corner.hub.exhaust(kind)

    return arm


def closed(*sites: str) -> Any:
    def arm(corner: Site) -> None:
        for site in sites:
            corner.hub.listen(site, on=False)

    return arm


def everything_closed(corner: Site) -> None:
    for site in SITES:
        corner.hub.listen(site, on=False)
    if corner.ecr is not None:
        for site in ECR_SITES:
            corner.ecr.listen(site, on=False)


def withdrawn(corner: Site) -> None:
    for tag in ("cold", "old"):
        corner.hub.remove(f"library/app:{tag}")


def wrong_everywhere(corner: Site) -> None:
    """Manifests and layers, but not the tokens, which are JSON that would be none."""
    corner.hub.fault("wrong-bytes", site="registry", path="/v2/*/manifests/*", count=None)
    corner.hub.fault("wrong-bytes", site="cdn", count=None)


def setting(**changes: object) -> Any:
    def arm(corner: Site) -> None:
        corner.hub.set(**changes)

    return arm


FAULTS = (
    Fault(name="429: the pull limit is used up", arm=exhausted(LimitKind.PULLS)),
    Fault(name="429: abuse limit, on every request", arm=exhausted(LimitKind.ABUSE)),
    Fault(name="429: too many failed logins", arm=at("token", "limit", limit="logins")),
    Fault(name="429: of the Hub's API", arm=exhausted(LimitKind.API)),
    Fault(name="503 from the registry", arm=at("registry", "status", status=503)),
    Fault(name="500 from the registry", arm=at("registry", "status", status=500)),
    Fault(name="a web page with 200", arm=at("registry", "html", status=200)),
    Fault(name="a web page with 403", arm=at("registry", "html", status=403)),
    Fault(name="no answer in time", arm=at("registry", "delay", seconds=90), slow=True),
    Fault(name="answers drip, 10 bytes a second", arm=at("*", "drip", rate=10.0), slow=True),
    Fault(name="transfers stall", arm=at("cdn", "drip", rate=0.01), slow=True),
    Fault(name="connections are reset", arm=at("*", "reset")),
    Fault(name="transfers break off at their first byte", arm=at("cdn", "break", bytes=0)),
    Fault(name="manifests are truncated", arm=at("registry", "truncate", path="/v2/*/manifests/*", bytes=100)),
    Fault(name="layers are truncated, as if that were all", arm=at("cdn", "truncate", bytes=100)),
    Fault(name="wrong bytes", arm=wrong_everywhere),
    Fault(name="layers are larger than said", arm=at("cdn", "oversize", bytes=5_000_000)),
    Fault(name="manifests of 20 MB", arm=at("registry", "oversize", path="/v2/*/manifests/*", bytes=20_000_000)),
    Fault(name="a token expired", arm=lambda corner: corner.hub.fault("expired-token", site="registry", count=1)),
    Fault(name="every token counts as expired", arm=at("registry", "expired-token")),
    Fault(name="the token service is down", arm=closed("token")),
    Fault(name="the token service answers a web page", arm=at("token", "html")),
    Fault(name="a hostile realm", arm=at("registry", "realm", to="https://tokens.evil.example/token")),
    Fault(name="a redirect into the metadata service", arm=at("registry", "redirect", to="http://169.254.169.254/latest/meta-data/")),
    Fault(name="links to the CDN have expired", arm=setting(link_seconds=-10)),
    Fault(name="the CDN is down", arm=closed("cdn"), cuts=False),
    Fault(name="the CDN serves no Range", arm=setting(ranges=False)),
    Fault(name="the tag was withdrawn", arm=withdrawn),
    Fault(name="the upstream is down", arm=closed(*SITES), cuts=False),
    Fault(name="both upstreams are down", arm=everything_closed, cuts=False),
)
"""Those that an upstream can be told; the others are in ``matrix_own``."""
