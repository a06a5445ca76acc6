"""``/metrics``: what all workers counted and what the fetcher knows, in Prometheus's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from unhub.server.counters import CACHES, CLASSES, METERED, REFUSED, STATUSES, cumulative

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


def rendered(totals: dict[str, float], fetcher: Mapping[str, Any] | None, cache_bytes: int | None, recorder_failures: int = 0) -> bytes:
    """The whole page. ``fetcher`` is its status, ``None`` where it could not be asked."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given([*_answers(totals), *_terms(totals), *_fetcher(fetcher), *_store(cache_bytes, recorder_failures)]))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _answers(totals: dict[str, float]) -> Iterator[Metric]:
    answers = CounterMetricFamily("unhub_answers", "Answers by the first digit of their status.", labels=["class"])
    for number in CLASSES:
        answers.add_metric([f"{number}xx"], totals[f"class.{number}"])
    yield answers
    statuses = CounterMetricFamily("unhub_refusals", "Answers with statuses that tell of trouble.", labels=["status"])
    for number in STATUSES:
        statuses.add_metric([str(number)], totals[f"status.{number}"])
    yield statuses
    pulls = CounterMetricFamily("unhub_pulls", "Manifests and blobs answered, by where they came from.", labels=["cache"])
    for name in CACHES:
        pulls.add_metric([name], totals[f"cache.{name}"])
    yield pulls
    yield CounterMetricFamily(
        "unhub_answered_bytes", "Bytes answered (how many were sent is not told by the server).", value=totals["bytes"]
    )
    buckets = [(bound, number) for bound, number in cumulative(totals)]
    yield HistogramMetricFamily(
        "unhub_answer_seconds", "Seconds until an answer was ready or streamed.", buckets=buckets, sum_value=totals["seconds.sum"]
    )
    yield CounterMetricFamily("unhub_log_lines_dropped", "Lines of the request log that nobody took in time.", value=totals["log.dropped"])


def _terms(totals: dict[str, float]) -> Iterator[Metric]:
    """By three kinds of callers only: who they are is told by ``unhub usage``."""
    pulls = CounterMetricFamily("unhub_metered_pulls", "Pulls, by who asked.", labels=["caller"])
    answered = CounterMetricFamily("unhub_metered_bytes", "Bytes answered from repositories, by who asked.", labels=["caller"])
    for name in METERED:
        pulls.add_metric([name], totals[f"pulls.{name}"])
        answered.add_metric([name], totals[f"bytes.{name}"])
    refused = CounterMetricFamily("unhub_refused_by_terms", "Requests above a limit of the terms.", labels=["limit"])
    for name in REFUSED:
        refused.add_metric([name], totals[f"refused.{name}"])
    yield from (pulls, answered, refused)
    yield CounterMetricFamily("unhub_meter_failures", "Batches of the meters that had to wait.", value=totals["meter.failed"])


def _fetcher(status: Mapping[str, Any] | None) -> Iterator[Metric]:
    yield GaugeMetricFamily("unhub_fetcher_up", "Whether the fetcher answers.", value=float(status is not None))
    if status is None:
        return
    counts = status["counts"]
    yield CounterMetricFamily("hub_pulls_saved", "Manifests had from a fallback in place of a counted pull.", value=counts["saved_pulls"])
    yield CounterMetricFamily(
        "hub_pulls_spent", "Manifests fetched from upstreams: counted pulls at Docker Hub.", value=counts["upstream_pulls"]
    )
    yield CounterMetricFamily("unhub_fallback_manifests", "Manifests fetched from fallbacks.", value=counts["fallback_gets"])
    yield CounterMetricFamily(
        "unhub_unconfirmed_tags", "Tags taken from a fallback while the upstream said nothing.", value=counts["by_tag"]
    )
    manifests = CounterMetricFamily("unhub_fetched_manifests", "Manifests fetched, by registry.", labels=["registry"])
    for name, number in counts["per_source"].items():
        manifests.add_metric([name], number)
    yield manifests
    yield CounterMetricFamily("unhub_fetched_bytes", "Bytes of blobs fetched.", value=counts["blob_bytes"])
    yield CounterMetricFamily("unhub_blobs_resumed", "Blobs taken up where an earlier transfer stopped.", value=counts["blobs_resumed"])
    yield CounterMetricFamily(
        "unhub_blob_mismatches", "Blobs whose content was not what their digest says.", value=counts["blob_mismatches"]
    )
    yield CounterMetricFamily(
        "unhub_blobs_passed_on", "Blobs passed on without being kept: the volume was full.", value=status["passed_on"]
    )
    flights = GaugeMetricFamily("unhub_flights", "Fetches under way.", labels=["kind"])
    for kind, number in status["flights"].items():
        flights.add_metric([kind], number)
    yield flights
    yield from _registries(status)
    if status["aws_login"] is not None:
        yield GaugeMetricFamily(
            "unhub_ecr_public_login", "Whether ECR Public is asked with a login.", value=float(status["aws_login"]["logged_in"])
        )
        yield CounterMetricFamily("unhub_ecr_public_login_failures", "Logins that AWS did not give.", value=status["aws_login"]["failures"])


def _registries(status: Mapping[str, Any]) -> Iterator[Metric]:
    labels = ["upstream", "credential"]
    remaining = GaugeMetricFamily("unhub_budget_remaining", "Counted pulls that are left.", labels=labels)
    limit = GaugeMetricFamily("unhub_budget_limit", "Counted pulls of a window.", labels=labels)
    for row in status["budgets"]:
        names = [row["upstream"], "login" if row["credential"] else "anonymous"]
        if row["remaining"] is not None:
            remaining.add_metric(names, row["remaining"])
        if row["limit"] is not None:
            limit.add_metric(names, row["limit"])
    yield remaining
    yield limit
    shut = GaugeMetricFamily("unhub_registry_shut_seconds", "Seconds for which a registry is left alone.", labels=["registry"])
    queue = GaugeMetricFamily("unhub_registry_queue_seconds", "Seconds until the next free slot at a registry's rate.", labels=["registry"])
    for name in dict.fromkeys(row["name"] for row in status["sources"]):
        rows = [row for row in status["sources"] if row["name"] == name]
        shut.add_metric([name], max(row["shut_for"] for row in rows))
        queue.add_metric([name], max(row["next_slot_in"] for row in rows))
    yield shut
    yield queue


def _store(cache_bytes: int | None, recorder_failures: int) -> Iterator[Metric]:
    if cache_bytes is not None:
        yield GaugeMetricFamily("unhub_cache_bytes", "Bytes of all stored blobs.", value=cache_bytes)
    yield CounterMetricFamily("unhub_record_failures", "Batches of the record of pulls that had to wait.", value=recorder_failures)
