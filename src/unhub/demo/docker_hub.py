"""Docker Hub: its registry and its token service, each a host of its own."""

from __future__ import annotations

import datetime
import hmac
from fnmatch import fnmatchcase
from urllib.parse import parse_qs

from unhub.demo.docker_hub_limits import HubLimits
from unhub.demo.exchange import API_VERSION, Answer, Asked, Kind, Site, error, json_answer, text_answer
from unhub.demo.faults import Fault
from unhub.demo.images import Document
from unhub.demo.limits import counted_address
from unhub.demo.registry import Caller, Registry, Route, route_of
from unhub.demo.state import State
from unhub.demo.tokens import HubToken, basic
from unhub.image.errors import LimitKind
from unhub.image.manifest import INDEXES

SERVICE = "registry.docker.io"
TOKEN_PATH = "/token"  # noqa: S105 - a path, no secret
TOKEN_SECONDS = 300


class DockerHub(Registry):
    """registry-1.docker.io."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.limits = HubLimits(state)

    def answer(self, asked: Asked) -> Answer:
        """What the registry says; the abuse limit comes before everything else."""
        return self.limits.abuse_refusal(asked) or super().answer(asked)

    def admit(self, asked: Asked, route: Route) -> Caller | Answer:
        """Only a Bearer token for that repository opens anything; Basic does not."""
        scheme, text = asked.authorization
        if scheme != "bearer":
            return self._challenge(route)
        token = self.state.mint.read_hub_token(text)
        if token is None or token.expires <= self.state.now():
            return self._challenge(route, "invalid_token")
        if route.repository and route.repository not in token.repositories:
            return self._challenge(route, "insufficient_scope")
        return Caller(token.account, counted_address(asked.address))

    def refusal(self, caller: Caller, asked: Asked, route: Route) -> Answer | None:
        """429 to the GET of a manifest where no pull is left. HEAD and blobs go on (docker/hub-feedback#2464)."""
        remaining = self.limits.remaining(caller) if (asked.method, route.kind) == ("GET", Kind.MANIFEST) else None
        return None if remaining is None or remaining > 0 else self.limits.pulls_refusal(caller)

    def count(self, caller: Caller, asked: Asked, route: Route, document: Document) -> None:
        """A GET of a manifest is a pull, a HEAD is none (docker/docs, usage/pulls.md)."""
        if asked.method != "GET" or (self.state.settings.counting == "images" and document.media_type in INDEXES):
            return
        self.state.pulls.add(caller.label, 1, self.state.now())
        self.state.counts.by_caller[caller.label] += 1
        self.state.counts.by_reference[route.name] += 1

    def count_blob(self, caller: Caller, asked: Asked, size: int) -> None:
        """Blobs are no pulls."""

    def limit_headers(self, caller: Caller) -> dict[str, str]:
        """``ratelimit-limit``, ``ratelimit-remaining``, ``docker-ratelimit-source``."""
        return self.limits.headers(caller)

    def unknown_repository(self, route: Route) -> Answer:
        """Never reached by a client of its own: no token is given for what does not exist."""
        return self._challenge(route, "insufficient_scope")

    def unknown_manifest(self, route: Route) -> Answer:
        """404 ``manifest unknown``."""
        return error(404, "MANIFEST_UNKNOWN", "manifest unknown", detail=f"unknown tag={route.reference}")

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """What the registry says under a fault that concerns its own protocol."""
        route = route_of(asked.path) or Route(Kind.VERSION)
        match fault.kind:
            case "expired-token":
                return self._challenge(route, "invalid_token")
            case "realm":
                return self._challenge(route, realm=fault.to)
            case "limit":
                caller = self.admit(asked, route)
                nobody = Caller(None, counted_address(asked.address))
                return self.limits.answer(fault.limit, nobody if isinstance(caller, Answer) else caller)
            case _:
                return None

    def _challenge(self, route: Route, problem: str = "", *, realm: str | None = None) -> Answer:
        realm = realm or self.state.settings.realm or self.state.urls[Site.TOKEN] + TOKEN_PATH
        parts = {"realm": realm, "service": SERVICE}
        if route.repository:
            parts["scope"] = f"repository:{route.repository}:pull"
        if problem:
            parts["error"] = problem
        challenge = "Bearer " + ",".join(f'{name}="{value}"' for name, value in parts.items())
        denied = problem == "insufficient_scope"
        code, text = ("DENIED", "requested access to the resource is denied") if denied else ("UNAUTHORIZED", "authentication required")
        detail = [{"Type": "repository", "Class": "", "Name": route.repository, "Action": "pull"}] if route.repository else None
        return error(401, code, text, headers={"WWW-Authenticate": challenge}, detail=detail)


class DockerHubTokens:
    """auth.docker.io: tokens for accounts and for nobody in particular."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._limits = HubLimits(state)

    def answer(self, asked: Asked) -> Answer:
        """GET as docker does it, with Basic or without; POST as OAuth2 clients do it (password or refresh token)."""
        if asked.path.rstrip("/") != TOKEN_PATH:
            return text_answer(404, "404 page not found\n")
        refused = self._limits.abuse_refusal(asked)
        if refused is not None:
            return refused
        match asked.method:
            case "GET":
                return self._get(asked)
            case "POST":
                return self._post(asked)
            case _:
                return text_answer(405, "Method Not Allowed\n")

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """What the token service says under a fault that concerns its own protocol."""
        if fault.kind == "limit":
            return self._limits.answer(fault.limit, Caller(None, counted_address(asked.address)))
        return None

    def _get(self, asked: Asked) -> Answer:
        scheme, text = asked.authorization
        if scheme != "basic":
            return self._issue(asked, asked.scopes, None)
        return self._login(asked, asked.scopes, *(basic(text) or ("", "")), offline=asked.query.get("offline_token") == "true")

    def _post(self, asked: Asked) -> Answer:
        form = {name: values[-1] for name, values in parse_qs(asked.body.decode("utf-8", "replace")).items()}
        scopes = tuple(form.get("scope", "").split(" "))
        if form.get("grant_type") == "refresh_token":
            token = self._state.mint.read_hub_token(form.get("refresh_token", ""))
            name = token.account if token else None
            known = self._state.account(name)
            return self._issue(asked, scopes, name) if known else self._refuse(asked, name or "")
        return self._login(asked, scopes, form.get("username", ""), form.get("password", ""), offline=form.get("access_type") == "offline")

    def _login(self, asked: Asked, scopes: tuple[str, ...], name: str, password: str, *, offline: bool) -> Answer:
        state, now = self._state, self._state.now()
        failures = max(state.logins.used(key, now) for key in (name, counted_address(asked.address)))
        if state.is_exhausted(LimitKind.LOGINS) or failures >= state.settings.failed_logins:
            return self._limits.login_refusal()
        account = state.account(name)
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode("utf-8", "surrogatepass")):
            return self._refuse(asked, name)
        return self._issue(asked, scopes, name, offline=offline)

    def _refuse(self, asked: Asked, name: str) -> Answer:
        for key in {name, counted_address(asked.address)}:
            self._state.logins.add(key, 1, self._state.now())
        return json_answer(401, {"details": "incorrect username or password"})

    def _issue(self, asked: Asked, scopes: tuple[str, ...], account: str | None, *, offline: bool = False) -> Answer:
        state, now = self._state, self._state.now()
        seconds = state.settings.token_seconds or TOKEN_SECONDS
        names = frozenset(name for scope in scopes for name in _repositories(scope) if self._may_read(account, name))
        text = state.mint.hub_token(HubToken(account, names, now + seconds), now)
        content: dict[str, object] = dict.fromkeys(state.settings.token_names or ("token", "access_token"), text)
        if state.settings.say_expiry:
            issued = datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="microseconds")
            content |= {"expires_in": seconds, "issued_at": issued.replace("+00:00", "Z")}
        if offline and account is not None:
            content["refresh_token"] = state.mint.hub_token(HubToken(account, frozenset(), now + 10 * 365 * 86400), now)
        caller = Caller(account, counted_address(asked.address))
        return json_answer(200, content, API_VERSION, caller=caller.label)

    def _may_read(self, account: str | None, name: str) -> bool:
        repository = self._state.store.repositories.get(name)
        if repository is None or not repository.private:
            return repository is not None
        owner = self._state.account(account)
        return owner is not None and any(fnmatchcase(name, glob) for glob in owner.private)


def _repositories(scope: str) -> list[str]:
    """The repository of a scope such as ``repository:library/node:pull,push``, where it asks for pull."""
    parts = scope.split(":")
    if len(parts) < 3 or parts[0] not in ("repository", "repository(plugin)"):
        return []
    return [":".join(parts[1:-1])] if "pull" in parts[-1].split(",") or parts[-1] == "*" else []
