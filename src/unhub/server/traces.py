"""Traces, where OpenTelemetry is set up in this process (``opentelemetry-instrument unhub serve``); nothing otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol, cast

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
AsgiApp = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Span(Protocol):
    """What is used of OpenTelemetry's spans."""

    def set_attribute(self, key: str, value: str | int) -> None:
        """Add a fact to it."""
        ...


class Tracer(Protocol):
    """What is used of OpenTelemetry's tracers."""

    def start_as_current_span(
        self, name: str, *, context: object, kind: object, attributes: dict[str, str]
    ) -> AbstractContextManager[Span]:
        """Begin a span."""
        ...


def tracer() -> Tracer | None:
    """The tracer, ``None`` where nobody set one up."""
    try:
        api = cast(Any, import_module("opentelemetry.trace"))
    except ImportError:
        return None
    provider = api.get_tracer_provider()
    if isinstance(provider, api.ProxyTracerProvider | api.NoOpTracerProvider):
        return None
    return cast(Tracer, api.get_tracer("unhub"))


class Traced:
    """An ASGI app in a span for each request; the caller's trace goes on (``traceparent``)."""

    def __init__(self, app: AsgiApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer
        self._server = cast(Any, import_module("opentelemetry.trace")).SpanKind.SERVER
        self._extract = cast(Any, import_module("opentelemetry.propagate")).extract

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in (b"traceparent", b"tracestate")
        }
        facts = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with self._tracer.start_as_current_span(
            scope["method"], context=self._extract(headers), kind=self._server, attributes=facts
        ) as span:
            await self._app(scope, receive, send)
            note = scope.get("unhub.note")
            if note is not None:
                span.set_attribute("http.response.status_code", note.status)
                span.set_attribute("unhub.repository", note.name)
                span.set_attribute("unhub.cache", note.cache)
