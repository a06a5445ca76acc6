"""Docker Hub's limits and the four 429s with their texts (docker-hub.md, 3 to 5)."""

from __future__ import annotations

import base64
import hashlib

from unhub.demo.exchange import Answer, Asked, error, json_answer, text_answer
from unhub.demo.limits import counted_address
from unhub.demo.registry import Caller
from unhub.demo.state import State
from unhub.image.errors import LimitKind

TEXT_2020 = (
    "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
    "https://www.docker.com/increase-rate-limit"
)
TEXT_2025 = "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
TEXT_2025_SIGNED_IN = (
    "You have reached your pull rate limit as '{user}': {token}. You may increase the limit by upgrading. "
    "https://www.docker.com/increase-rate-limit"
)
TEXT_LOGINS = "too many failed login attempts for username or IP address"
TEXT_API = "Rate limit exceeded"
ABUSE_RETRY_SECONDS = 60


class HubLimits:
    """What is left, and what is said when nothing is."""

    def __init__(self, state: State) -> None:
        self._state = state

    def limit(self, caller: Caller) -> int | None:
        """Pulls in a window; ``None`` is unlimited."""
        settings = self._state.settings
        account = self._state.account(caller.account)
        if account is None:
            return settings.limit
        return settings.account_limit if account.limit == -1 else account.limit

    def remaining(self, caller: Caller) -> int | None:
        """Pulls that are left; ``None`` is unlimited."""
        limit = self.limit(caller)
        if limit is None:
            return None
        if self._state.is_exhausted(LimitKind.PULLS):
            return 0
        return limit - self._state.pulls.used(caller.label, self._state.now())

    def headers(self, caller: Caller) -> dict[str, str]:
        """``ratelimit-*`` as manifests carry them; nothing for those who are not limited."""
        limit, remaining = self.limit(caller), self.remaining(caller)
        if limit is None or remaining is None:
            return {}
        window = self._state.settings.window
        source = caller.address if caller.account is None else account_id(caller.account)
        return {
            "ratelimit-limit": f"{limit};w={window}",
            "ratelimit-remaining": f"{max(0, remaining)};w={window}",
            "docker-ratelimit-source": source,
        }

    def pulls_refusal(self, caller: Caller) -> Answer:
        """Kind (a), the pull limit, in the words of its time."""
        text = TEXT_2020
        if self._state.settings.period == "2025":
            text = TEXT_2025 if caller.account is None else TEXT_2025_SIGNED_IN.format(user=caller.account, token=_token_id(caller.account))
        return error(429, "TOOMANYREQUESTS", text, caller=caller.label)

    def abuse_refusal(self, asked: Asked) -> Answer | None:
        """Kind (b), where an address sends too much of anything, HEAD included; it counts the request."""
        state, address = self._state, counted_address(asked.address)
        most = state.settings.abuse_limit
        if most is not None:
            state.abuse.add(address, 1, state.now())
        if state.is_exhausted(LimitKind.ABUSE) or (most is not None and state.abuse.used(address, state.now()) > most):
            return self.abuse_answer()
        return None

    def abuse_answer(self) -> Answer:
        """Kind (b) in its words: plain text, and the one 429 that says when to come back."""
        return text_answer(429, self._state.settings.abuse_text, {"Retry-After": str(ABUSE_RETRY_SECONDS)})

    def login_refusal(self) -> Answer:
        """Kind (c), from the token service."""
        return json_answer(429, {"details": TEXT_LOGINS})

    def api_refusal(self) -> Answer:
        """Kind (d), from the API of hub.docker.com."""
        return json_answer(429, {"detail": TEXT_API})

    def answer(self, kind: LimitKind, caller: Caller) -> Answer:
        """The 429 of a kind, on command."""
        match kind:
            case LimitKind.ABUSE:
                return self.abuse_answer()
            case LimitKind.LOGINS:
                return self.login_refusal()
            case LimitKind.API:
                return self.api_refusal()
            case LimitKind.OTHER:
                return text_answer(429, "slow down\n")
            case _:
                return self.pulls_refusal(caller)


def account_id(name: str) -> str:
    """The UUID of an account, always the same for a name."""
    digits = hashlib.sha256(name.encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _token_id(name: str) -> str:
    return f"dckr_jti_{base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:20]).decode().rstrip('=')}="
