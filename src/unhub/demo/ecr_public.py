"""ECR Public: the registry public.ecr.aws with its peculiar challenge, token and refusals (ecr-public.md, 2)."""

from __future__ import annotations

from unhub.demo.catalogue import ECR_PUBLIC_PREFIX
from unhub.demo.exchange import API_VERSION, Answer, Asked, Kind, Site, error, json_answer
from unhub.demo.faults import Fault
from unhub.demo.images import Document
from unhub.demo.limits import counted_address
from unhub.demo.registry import Caller, Registry, Route
from unhub.demo.tokens import ECR_USER, EcrToken, basic
from unhub.image.errors import LimitKind

SERVICE = "public.ecr.aws"
TOKEN_PATH = "/token/"  # noqa: S105 - a path, no secret
TOKEN_SECONDS = 3600
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
INVALID = "Your Authorization Token is invalid."
RATE_EXCEEDED = "Rate exceeded"
DATA_EXCEEDED = "Data limit exceeded"


class EcrPublic(Registry):
    """The registry and, at ``/token/`` of the same host, its token service."""

    def answer(self, asked: Asked) -> Answer:
        """A token, or what the registry has."""
        if asked.path == TOKEN_PATH and asked.method in ("GET", "HEAD"):
            return self._token(asked)
        return super().answer(asked)

    def admit(self, asked: Asked, route: Route) -> Caller | Answer:
        """401 with a challenge to who brings nothing; 400 without one to who brings anything but a good Bearer."""
        scheme, text = asked.authorization
        if not scheme:
            return self._challenge()
        token = self.state.mint.read_ecr(text) if scheme == "bearer" else None
        if token is None or token.expires <= self.state.now():
            return _invalid()
        return Caller(token.account, counted_address(asked.address))

    def refusal(self, caller: Caller, asked: Asked, route: Route) -> Answer | None:
        """429 of two kinds: too many pulls a second, and, without a login, too many bytes a month."""
        state, settings = self.state, self.state.settings
        if caller.account is None and self._is_out_of_data(caller):
            return self._limited(LimitKind.DATA, caller)
        if route.kind is not Kind.MANIFEST or (asked.method == "HEAD" and not settings.head_counts):
            return None
        rate = settings.rate if caller.account is None else settings.account_rate
        over = rate is not None and not state.rate.take(caller.label, rate, settings.burst, state.now())
        return self._limited(LimitKind.RATE, caller) if over or state.is_exhausted(LimitKind.RATE) else None

    def count(self, caller: Caller, asked: Asked, route: Route, document: Document) -> None:
        """Every GET of a manifest is noted, for the tests; the service itself limits by time and bytes only."""
        if asked.method == "GET":
            self.state.counts.by_caller[caller.label] += 1
            self.state.counts.by_reference[route.name] += 1

    def count_blob(self, caller: Caller, asked: Asked, size: int) -> None:
        """The bytes of a layer count as soon as its link is given out."""
        if asked.method == "GET":
            self.state.data.add(caller.label, size, self.state.now())

    def limit_headers(self, caller: Caller) -> dict[str, str]:
        """None: the service tells nothing of its limits."""
        return {}

    def unknown_repository(self, route: Route) -> Answer:
        """404 with the alias as the registry's id. The alias is the first component, the rest the repository."""
        alias, _, name = route.repository.partition("/")
        text = f"The repository with name '{name}' does not exist in the registry with id '{alias}'"
        return error(404, "NAME_UNKNOWN", text)

    def unknown_manifest(self, route: Route) -> Answer:
        """404 ``Requested image not found``."""
        return error(404, "MANIFEST_UNKNOWN", "Requested image not found")

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """What the registry says under a fault that concerns its own protocol."""
        match fault.kind:
            case "expired-token":
                return self._expired() if asked.path == TOKEN_PATH else _invalid()
            case "realm":
                return self._challenge(fault.to)
            case "limit":
                kind = LimitKind.DATA if fault.limit is LimitKind.DATA else LimitKind.RATE
                return self._limited(kind, Caller(None, counted_address(asked.address)))
            case _:
                return None

    def _token(self, asked: Asked) -> Answer:
        scheme, text = asked.authorization
        if not scheme:
            return self._issue(asked, None)
        user, password = (basic(text) if scheme == "basic" else None) or ("", "")
        token = self.state.mint.read_ecr(password) if user == ECR_USER else None
        if token is None:
            return _invalid()
        return self._issue(asked, token.account) if token.expires > self.state.now() else self._expired()

    def _issue(self, asked: Asked, account: str | None) -> Answer:
        settings = self.state.settings
        expires = self.state.now() + (settings.token_seconds or TOKEN_SECONDS)
        text = self.state.mint.ecr_password(EcrToken(account, expires))
        caller = Caller(account, counted_address(asked.address))
        return json_answer(200, dict.fromkeys(settings.token_names or ("token",), text), caller=caller.label)

    def _is_out_of_data(self, caller: Caller) -> bool:
        most = self.state.settings.data_limit
        return self.state.is_exhausted(LimitKind.DATA) or (
            most is not None and self.state.data.used(caller.label, self.state.now()) >= most
        )

    def _limited(self, kind: LimitKind, caller: Caller) -> Answer:
        return error(429, "TOOMANYREQUESTS", DATA_EXCEEDED if kind is LimitKind.DATA else RATE_EXCEEDED, caller=caller.label)

    def _expired(self) -> Answer:
        return error(self.state.settings.expired_status, "DENIED", EXPIRED)

    def _challenge(self, realm: str | None = None) -> Answer:
        realm = realm or self.state.settings.realm or self.state.urls[Site.REGISTRY] + TOKEN_PATH
        challenge = f'Bearer realm="{realm}",service="{SERVICE}",scope="aws"'
        return error(401, "DENIED", "Not Authorized", headers={"WWW-Authenticate": challenge, **API_VERSION})


def _invalid() -> Answer:
    return error(400, "DENIED", INVALID)


def served_name(repository: str) -> str:
    """What Docker Hub's repository is called here."""
    return ECR_PUBLIC_PREFIX + repository
