"""Authentication with a registry, as a conversation without a network: challenge, token, request.

Sources: distribution's token specification (``docs/spec/auth``), RFC 9110 section 11, ecr-public.md section 2. Whoever
drives :meth:`Authenticator.exchange` sends what it yields: a :class:`Request` to the registry, or a wish for a token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field, replace
from typing import Final, cast

from unhub.image.errors import AccessRefused, BadAnswer, LimitKind
from unhub.registry.addresses import WebAddress
from unhub.registry.challenge import Challenge, parse_challenges
from unhub.registry.credential import IDENTITY_TOKEN, Credential
from unhub.registry.exchange import Answer, Request
from unhub.registry.failures import clean, code_of
from unhub.registry.limits import limit_kind
from unhub.registry.realms import check_realm
from unhub.registry.tokens import LoginRefused, LoginsLimited, Token, TokenWanted, basic

TRIES_MAX: Final = 6
"""Requests that one exchange sends at most: bare, with a token, for the right scope, renewed, without the login."""

_NO_GOOD_TOKEN: Final = frozenset({"DENIED", "UNAUTHORIZED"})
_ECR_PUBLIC_SCOPE: Final = "aws"

Conversation = Generator[Request | TokenWanted, Answer | Token, Answer]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the next request proves who sends it: by a token, by the login itself (Basic), or not at all."""

    challenge: Challenge | None = None
    wanted: TokenWanted | None = None
    credential: Credential | None = field(default=None, repr=False)
    renewed: bool = False

    @property
    def is_basic(self) -> bool:
        return self.wanted is None and self.credential is not None

    def same_as(self, other: _Plan) -> bool:
        return (self.wanted, self.credential) == (other.wanted, other.credential)


class Authenticator:
    """What is known of one registry's authentication, for all requests to it.

    ``registry`` is its name as in references, ``endpoint`` where its API is. ``credential`` is the stored login, given
    up for good once it was refused (``refused`` then); ``notice`` is told so, once. ``realms`` are hosts of token
    services that are trusted beside the registry's own (:mod:`unhub.registry.realms`). ``known`` says that the
    registry has answered, so that other requests need not ask how to begin.
    """

    def __init__(
        self,
        registry: str,
        endpoint: WebAddress,
        credential: Credential | None = None,
        *,
        realms: Collection[str] = (),
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.registry = registry
        self.endpoint = endpoint
        self.credential = credential
        self.refused: Credential | None = None
        self.known = False
        self._realms = realms
        self._notice = notice
        self._challenge: Challenge | None = None
        self._repository = ""
        self._basic_accepted = False

    def exchange(self, request: Request, repository: str) -> Conversation:
        """Send ``request`` with what the registry asks for; returns the last answer, whatever its status is.

        A token that the registry rejects is renewed once. A login that is refused is given up, and the request sent
        without one. Raises :class:`BadAnswer` for a token service that is not the registry's own, and
        :class:`AccessRefused` for a way to log in that is not known here.
        """
        plan, answer = self._plan(self._challenge, repository), Answer(0)
        for _ in range(TRIES_MAX):
            plan, token, headers = yield from self._prove(plan)
            answer = cast(Answer, (yield request.with_headers(headers)))
            self.known = True
            following = self._next(answer, plan, token, repository)
            if following is None:
                break
            plan = following
        return answer

    def _plan(self, challenge: Challenge | None, repository: str) -> _Plan:
        """The way to meet a challenge; a scope is carried over from the repository that it was for."""
        if challenge is None:
            return _Plan()
        if challenge.scheme == "basic":
            return _Plan(challenge, None, self.credential)
        scope = challenge.parameters.get("scope") or f"repository:{repository}:pull"
        if challenge is self._challenge:
            scope = scope.replace(f"repository:{self._repository}:", f"repository:{repository}:")
        wanted = TokenWanted(challenge.realm or "", challenge.parameters.get("service"), scope, self.credential)
        return _Plan(challenge, wanted, self.credential)

    def _prove(self, plan: _Plan) -> Generator[TokenWanted, Answer | Token, tuple[_Plan, Token | None, dict[str, str]]]:
        """What to send along by a plan; the plan is another one where the login was refused on the way."""
        if plan.wanted is None:
            return plan, None, {} if plan.credential is None else {"Authorization": basic(plan.credential)}
        try:
            token = cast(Token, (yield plan.wanted))
        except LoginRefused as error:
            if plan.credential is None:
                raise
            self._give_up(plan.credential, error)
            bare = replace(plan.wanted, credential=None, rejected=None)
            plan = replace(plan, wanted=bare, credential=None)
            token = cast(Token, (yield bare))
        return plan, token, {"Authorization": f"Bearer {token.value}"}

    def _next(self, answer: Answer, plan: _Plan, token: Token | None, repository: str) -> _Plan | None:
        """What to try after an answer; ``None`` where it is final."""
        if plan.credential is not None and answer.status == 429 and limit_kind(answer) is LimitKind.LOGINS:
            self._give_up(plan.credential, LoginsLimited("", host=self.registry, status=429))
            return self._plan(self._challenge, repository)
        self._basic_accepted |= plan.is_basic and answer.status != 401
        demand = self._demand(answer, plan)
        if demand is None:
            return None
        if demand is not self._challenge:
            self._challenge, self._repository = demand, repository
        fresh = self._plan(demand, repository)
        if not fresh.same_as(plan):
            return fresh
        if token is not None and fresh.wanted is not None and not plan.renewed and demand.parameters.get("error") != "insufficient_scope":
            return replace(fresh, wanted=replace(fresh.wanted, rejected=token.value), renewed=True)
        if plan.credential is not None and (answer.status == 400 or (plan.is_basic and not self._basic_accepted)):
            self._give_up(plan.credential, LoginRefused("", host=self.registry, status=answer.status))
            return self._plan(demand, repository)
        return None

    def _demand(self, answer: Answer, plan: _Plan) -> Challenge | None:
        """The challenge to meet next; ``None`` where the answer is final.

        ECR Public answers a bad token with 400 and no challenge (ecr-public.md, 2.5): the one known before counts. The
        answer to HEAD has no body to tell; then only a registry with ECR Public's own scope is meant.
        """
        if answer.status == 401:
            return self._choose(parse_challenges(answer.all("www-authenticate")))
        if answer.status == 400 and plan.wanted is not None and not answer.all("www-authenticate"):
            told = code_of(answer) in _NO_GOOD_TOKEN
            return plan.challenge if told or (not answer.body and plan.wanted.scope == _ECR_PUBLIC_SCOPE) else None
        return None

    def _choose(self, challenges: tuple[Challenge, ...]) -> Challenge | None:
        """The best challenge that can be met; ``None`` where nothing can be done about it."""
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.realm:
                return replace(challenge, parameters={**challenge.parameters, "realm": self._checked(challenge.realm)})
        basics = [challenge for challenge in challenges if challenge.scheme == "basic"]
        if basics:
            usable = self.credential is not None and self.credential.username != IDENTITY_TOKEN
            return basics[0] if usable else None
        if challenges:
            schemes = ", ".join(clean(challenge.scheme) for challenge in challenges[:3])
            raise AccessRefused(
                f"cannot log in at {self.registry}: it asks for {schemes}, which unhub does not speak",
                host=self.endpoint.netloc,
                status=401,
            )
        return None

    def _checked(self, realm: str) -> str:
        """The URL of a token service that may be asked."""
        try:
            return str(check_realm(realm, self.endpoint, self._realms))
        except ValueError as error:
            shown = clean(realm.partition("?")[0].rpartition("@")[2])
            raise BadAnswer(
                f"cannot log in at {self.registry}: its token service {shown} is not trusted ({error}); nothing was sent there",
                host=self.endpoint.netloc,
                status=401,
                hint="If that service is meant to have this registry's logins, name its host as `realm` of the registry in unhub.toml",
            ) from None

    def _give_up(self, credential: Credential, error: LoginRefused) -> None:
        """Go on without the stored login, and say so once."""
        if self.credential is not credential:
            return
        self.credential, self.refused = None, credential
        if isinstance(error, LoginsLimited):
            self._notice(
                f"{self.registry} takes no login of {credential.username} for some minutes (too many failed ones); going on without a login"
            )
        else:
            self._notice(
                f"the stored login for {self.registry} ({credential.source}) was refused (expired?); going on without a login. "
                f"`docker logout {self.registry}` removes it"
            )
