"""What the fetcher tells of itself: for the metrics, and for operators."""

from __future__ import annotations

from typing import Any

from unhub.mirror.fetcher import Fetcher
from unhub.mirror.source import Source
from unhub.server.ecr_login import EcrPublicLogin


def status_of(fetcher: Fetcher, aws: EcrPublicLogin | None) -> dict[str, Any]:
    """Counts, flights, budgets and the health of every registry, as JSON."""
    counts, blobs = fetcher.manifests.counts, fetcher.blobs
    return {
        "flights": fetcher.flights,
        "counts": {
            "upstream_pulls": counts.upstream_pulls,
            "fallback_gets": counts.fallback_gets,
            "saved_pulls": counts.saved_pulls,
            "by_tag": counts.by_tag,
            "per_source": dict(counts.per_source),
            "blob_bytes": blobs.bytes_fetched,
            "blobs_resumed": blobs.resumed,
            "blob_mismatches": blobs.mismatches,
        },
        "budgets": [_budget(fetcher, row.upstream, row.credential, row.limit, row.window) for row in fetcher.ledger.rows()],
        "sources": [
            _source(source, alias)
            for alias, upstream in fetcher.upstreams.items()
            for source in (upstream.source, *upstream.more, *(one.source for one in upstream.fallbacks))
        ],
        "aws_login": None if aws is None else {"logged_in": aws.logged_in, "failures": aws.failures},
    }


def _budget(fetcher: Fetcher, upstream: str, credential: str, limit: int | None, window: int | None) -> dict[str, Any]:
    ledger = fetcher.ledger
    return {
        "upstream": upstream,
        "credential": credential,
        "limit": limit,
        "window": window,
        "remaining": ledger.remaining(upstream, credential),
        "refill_in": ledger.refill_in(upstream, credential),
    }


def _source(source: Source, alias: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": source.name,
        "shut_for": source.breaker.shut_for,
        "next_slot_in": source.pace.free_in(),
        "login": bool(source.credential),
    }
