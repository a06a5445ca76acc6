"""What several checks make of a host's answer."""

from __future__ import annotations

from unhub.doctor.machine import NoReply, Reply
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, skipped
from unhub.registry.addresses import parse_url


def host_of(url: str) -> str:
    """The host and port of a URL, for people."""
    return parse_url(url).netloc


def silent(url: str, reply: NoReply, what: str) -> Verdict:
    """The verdict on a host that does not answer; ``what`` it is for."""
    if reply.is_unresolved:
        return skipped(f"the name of {host_of(url)} ({what}) does not resolve; the check of host names tells more")
    hint = reply.hint or "See the network, the firewall and the proxy"
    return failed(
        f"{host_of(url)} ({what}) cannot be reached: {reply.cause}",
        Remedy(f"{hint.rstrip('.')}. What the way there is like shows:", f"curl -sv -o /dev/null {url}"),
    )


def any_answer(url: str, reply: Reply | NoReply, what: str) -> Verdict:
    """Whether a host answers at all; which status does not matter."""
    if isinstance(reply, NoReply):
        return silent(url, reply, what)
    if reply.answer.is_web_page and reply.answer.status in (200, 407, 511):
        return failed(
            f"{host_of(url)} is answered by somebody else: a web page ({reply.answer.status})",
            Remedy("A portal, a firewall or a proxy stands in between: log in there, or set HTTPS_PROXY"),
        )
    return ok(f"{host_of(url)} answers ({reply.answer.status})")
