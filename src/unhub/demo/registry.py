"""What both registries have in common: the paths of the distribution specification, and the content behind them."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import NamedTuple
from urllib.parse import quote, urlencode

from unhub.demo.cdn import content_answer, link
from unhub.demo.exchange import API_VERSION, Answer, Asked, Kind, error, json_answer, text_answer
from unhub.demo.images import Document
from unhub.demo.state import State
from unhub.image.manifest import DOCKER_LIST, INDEXES

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<reference>[^/]+)")
_KINDS = {"manifests": Kind.MANIFEST, "blobs": Kind.BLOB, "tags": Kind.TAGS, "referrers": Kind.REFERRERS}
_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,128}")


class Route(NamedTuple):
    """What a path means; repository and reference are empty for ``/v2/``."""

    kind: Kind
    repository: str = ""
    reference: str = ""

    @property
    def name(self) -> str:
        """The reference as people write it: ``library/node:20`` or ``library/node@sha256:…``."""
        return f"{self.repository}{'@' if _DIGEST.fullmatch(self.reference) else ':'}{self.reference}"


class Caller(NamedTuple):
    """Who asks: an account's name, or ``None`` and the address that is counted."""

    account: str | None
    address: str

    @property
    def label(self) -> str:
        """How the log and the counts call it."""
        return f"anonymous {self.address}" if self.account is None else f"account {self.account}"


def route_of(path: str) -> Route | None:
    """What a path of a registry means; ``None`` where it means nothing."""
    if path in ("/v2/", "/v2"):
        return Route(Kind.VERSION)
    match = _PATH.fullmatch(path)
    if match is None or (match["kind"] == "tags" and match["reference"] != "list"):
        return None
    return Route(_KINDS[match["kind"]], match["repository"], match["reference"])


class Registry(ABC):
    """The way of a request: who asks, whether there is enough left, and what there is to get."""

    def __init__(self, state: State) -> None:
        self.state = state

    @abstractmethod
    def admit(self, asked: Asked, route: Route) -> Caller | Answer:
        """Who asks, or the refusal."""

    @abstractmethod
    def refusal(self, caller: Caller, asked: Asked, route: Route) -> Answer | None:
        """A refusal because a limit is reached, before anything is looked up."""

    @abstractmethod
    def count(self, caller: Caller, asked: Asked, route: Route, document: Document) -> None:
        """Count a manifest that is about to be served."""

    @abstractmethod
    def count_blob(self, caller: Caller, asked: Asked, size: int) -> None:
        """Count a blob of ``size`` bytes that is about to be served."""

    @abstractmethod
    def limit_headers(self, caller: Caller) -> dict[str, str]:
        """What a manifest's answer says of the limit."""

    @abstractmethod
    def unknown_repository(self, route: Route) -> Answer:
        """There is no such repository."""

    @abstractmethod
    def unknown_manifest(self, route: Route) -> Answer:
        """There is no such tag or digest."""

    def answer(self, asked: Asked) -> Answer:
        """What the registry says to a request."""
        route = route_of(asked.path)
        if route is None:
            return text_answer(404, "404 page not found\n")
        if asked.method not in ("GET", "HEAD"):
            return error(405, "UNSUPPORTED", "The operation is unsupported.")
        caller = self.admit(asked, route)
        if isinstance(caller, Answer):
            return caller
        return self._content(caller, asked, route)

    def _content(self, caller: Caller, asked: Asked, route: Route) -> Answer:
        if route.kind is Kind.VERSION:
            return json_answer(200, {}, API_VERSION, caller=caller.label)
        refused = self.refusal(caller, asked, route)
        if refused is not None:
            return refused
        if route.repository not in self.state.store.repositories:
            return self.unknown_repository(route)
        match route.kind:
            case Kind.MANIFEST:
                return self._manifest(caller, asked, route)
            case Kind.BLOB:
                return self._blob(caller, asked, route)
            case Kind.TAGS:
                return self._tags(caller, asked, route)
            case _:
                return text_answer(404, "404 page not found\n")  # neither service has the referrers API

    def _manifest(self, caller: Caller, asked: Asked, route: Route) -> Answer:
        document = self.state.store.manifest(route.repository, route.reference)
        if document is not None and not _DIGEST.fullmatch(route.reference):
            document = self._acceptable(document, asked.accept, route)
        if document is None:
            return self.unknown_manifest(route)
        self.count(caller, asked, route, document)
        headers = {
            "Content-Type": document.media_type,
            "Docker-Content-Digest": document.digest,
            "ETag": f'"{document.digest}"',
            **API_VERSION,
            **self.limit_headers(caller),
        }
        return Answer(200, headers, document.data, caller.label)

    def _acceptable(self, document: Document, accept: str, route: Route) -> Document | None:
        """What a client gets that does not accept indexes: of a docker list its linux/amd64 image, of an OCI index nothing.

        As distribution does it (registry/handlers/manifests.go). A client that says nothing, or ``*/*``, accepts all.
        """
        accepted = {part.partition(";")[0].strip() for part in accept.split(",") if part.strip()}
        if document.media_type not in INDEXES or not accepted or accepted & {document.media_type, "*/*", "application/*"}:
            return document
        if document.media_type != DOCKER_LIST:
            return None
        for row in json.loads(document.data)["manifests"]:
            if row["platform"] == {"architecture": "amd64", "os": "linux"}:
                return self.state.store.manifest(route.repository, row["digest"])
        return None

    def _blob(self, caller: Caller, asked: Asked, route: Route) -> Answer:
        content = self.state.store.blob(route.repository, route.reference)
        if content is None:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry", detail=route.reference, caller=caller.label)
        self.count_blob(caller, asked, len(content))
        headers = {"Docker-Content-Digest": route.reference, **API_VERSION}
        status = self.state.settings.redirect_status
        if status == 200:
            whole = content_answer(content, asked, etag=f'"{route.reference}"', ranges=self.state.settings.ranges)
            return Answer(whole.status, {**whole.headers, **headers}, whole.body, caller.label)
        headers |= {"Location": link(self.state, route.reference), "Content-Type": "application/octet-stream"}
        return Answer(status, headers, b"", caller.label)

    def _tags(self, caller: Caller, asked: Asked, route: Route) -> Answer:
        settings = self.state.settings
        wanted = asked.query.get("n", str(settings.page))
        if not (wanted.isascii() and wanted.isdigit()):
            return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested", detail={"n": wanted})
        number = min(int(wanted[:9]), settings.page_most)
        last = asked.query.get("last", "")
        rest = sorted(tag for tag in self.state.store.repositories[route.repository].tags if tag > last)
        shown, headers = rest[:number], dict(API_VERSION)
        if shown and len(rest) > number:
            query = urlencode({"last": shown[-1], "n": number})
            headers["Link"] = f'</v2/{quote(route.repository)}/tags/list?{query}>; rel="next"'
        return json_answer(200, {"name": route.repository, "tags": shown}, headers, caller=caller.label)
