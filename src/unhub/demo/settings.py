"""Everything that can be told to a stand-in. What is not settled about the real services is here, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from unhub.demo import terms
from unhub.demo.catalogue import Entry

HUB = "docker.io"
ECR_PUBLIC = "public.ecr.aws"

OTHER_LOOPBACK = "127.0.0.2"
"""Another address of this machine, so that the content network is another host than the registry."""

Persona = Literal["docker-hub", "ecr-public"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Docker Hub account. ``limit`` is in pulls a window; ``None`` is unlimited (paid), -1 the free account's limit of the settings.

    ``private`` are globs on the private repositories that it may read.
    """

    name: str
    password: str = field(repr=False)
    limit: int | None = -1
    private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """One stand-in: which service it plays, where it listens, what it carries, how it limits, how fast it is.

    Port 0 is any free port. ``cdn_host`` is another host than ``host`` on purpose. ``certificate`` and ``key`` (PEM) make
    all of it TLS. ``realm`` and ``cdn_base`` are URLs to announce in the place of its own. ``images`` ``None`` is the catalogue.
    """

    persona: Persona = "docker-hub"
    host: str = "127.0.0.1"
    port: int = 0
    token_port: int = 0
    cdn_host: str = OTHER_LOOPBACK
    cdn_port: int = 0
    api_port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    realm: str | None = None
    cdn_base: str | None = None
    control_token: str | None = field(default=None, repr=False)
    """What ``/_demo/`` on the registry's port wants as Bearer; ``None``: there is no ``/_demo/``."""

    images: Sequence[Entry] | None = None
    busybox: bytes | None = field(default=None, repr=False)
    missing_blobs: frozenset[str] = frozenset()
    """Digests that manifests name and that are not there."""

    accounts: tuple[Account, ...] = ()

    # Docker Hub's limits
    limit: int | None = field(default_factory=partial(terms.amount, HUB, "anonymous", "pulls"))
    """Pulls of an address without a login in a window; ``None`` is unlimited."""
    account_limit: int | None = field(default_factory=partial(terms.amount, HUB, "account", "pulls"))
    window: int = field(default_factory=partial(terms.window, HUB, "anonymous", "pulls"))
    """Seconds. The window slides: each pull is forgotten that long after it was made."""
    period: Literal["2020", "2025"] = "2025"
    """Whose wording the pull limit's 429 has."""
    counting: Literal["manifests", "images"] = "manifests"
    """What a pull is: every GET of a manifest, or of one that is no index (docker-hub.md 3.3 is not settled)."""
    abuse_limit: int | None = None
    """Requests a minute of an address, of all kinds, before the abuse limit; Docker says only "thousands"."""
    abuse_text: str = "Too Many Requests (HAP429)"
    failed_logins: int = 10
    """Failed logins of a user name or address before it is locked; a number of our own."""
    lock_seconds: int = 600
    api_limit: int | None = None
    """Requests a minute of an address at the stand-in of hub.docker.com's API; ``None`` is unlimited."""

    # ECR Public's limits
    rate: float | None = field(default_factory=partial(terms.amount, ECR_PUBLIC, "anonymous", "pulls"))
    """Pulls a second of an address without a login; ``None`` is unlimited."""
    account_rate: float | None = field(default_factory=partial(terms.amount, ECR_PUBLIC, "account", "pulls"))
    burst: int = 10
    """Pulls that may come at once before the rate is felt; a number of our own, since none is published."""
    head_counts: bool = True
    """Whether HEAD of a manifest counts towards the rate; not settled."""
    data_limit: int | None = field(default_factory=partial(terms.amount, ECR_PUBLIC, "anonymous", "bytes"))
    """Bytes of layers an address without a login gets in 30 days; ``None`` is unlimited."""
    expired_status: int = 403
    """What ``/token/`` answers to a password that has expired; not settled."""

    # tokens and links
    token_seconds: int | None = None
    """How long a token holds; ``None``: 300 at Docker Hub, 3600 at ECR Public."""
    token_names: tuple[str, ...] | None = None
    """``None``: ``token`` and ``access_token`` at Docker Hub, ``token`` at ECR Public."""
    say_expiry: bool = True
    link_seconds: int = 300
    redirect_status: int = 307
    ranges: bool = True
    """Whether the content network serves Range."""

    # speed
    latency: float = 0.0
    """Seconds before every answer."""
    bandwidth: float | None = None
    """Bytes a second of the whole content network; ``None``: as fast as it goes."""
    connection_bandwidth: float | None = None
    """Bytes a second of one answer of the content network."""

    page: int = 100
    """Tags on one page of ``tags/list`` where the caller names no number."""
    page_most: int = 1000


FIXED = frozenset(
    {
        "persona",
        "host",
        "port",
        "token_port",
        "cdn_host",
        "cdn_port",
        "api_port",
        "certificate",
        "key",
        "images",
        "busybox",
        "control_token",
    }
)
"""What cannot be changed while a stand-in runs."""
