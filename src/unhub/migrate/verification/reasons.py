"""Verdicts as reasons: why a reference stays at Docker Hub, and what is to be known of one that moves."""

from __future__ import annotations

from collections.abc import Sequence

from unhub.image.reference import Reference
from unhub.migrate.verification.verdict import Evidence, Verdict

_ADVICE = {
    Verdict.SAME_PLATFORMS: "--accept same-platforms moves it",
    Verdict.DIFFERENT: "Keep Docker Hub for this one, try again later, or --accept different",
    Verdict.MISSING: "Keep Docker Hub for this one, mirror it yourself (--to mirror:HOST), or --accept missing",
    Verdict.UNKNOWN: "Docker Hub keeps it until it can be verified; --accept unknown moves it unseen",
}


def kept(origin: Reference, passed: Sequence[Evidence], facts: Sequence[str | None], suggestion: Reference | None) -> str:
    """Why a reference stays: what each target answered, which dated facts agree, and what to do."""
    causes = list(dict.fromkeys(evidence.cause or str(evidence.verdict) for evidence in passed))
    known = [fact for fact, evidence in zip(facts, passed, strict=False) if fact and evidence.verdict is Verdict.MISSING]
    said = "; ".join([*causes, *(f"as was known: {fact}" for fact in known)])
    meant = f"Did you mean {suggestion.familiar()}? " if suggestion is not None else ""
    return f"cannot verify {origin.familiar()}: {said}. {meant}{_ADVICE.get(passed[0].verdict, '')}"


def moved_with(reason: str | None, evidence: Evidence, passed: Sequence[Evidence]) -> str | None:
    """What is to be known of a reference that moves: ``reason``, the targets that were passed over, a lag, a leave."""
    over = [f"passed over {one.target.registry}: {one.cause or one.verdict}" for one in passed]
    note = [evidence.cause] if evidence.verdict is not Verdict.SAME and evidence.cause else []
    title = {Verdict.SAME: "", Verdict.LAGGING: "lagging: "}.get(evidence.verdict, f"accepted although {evidence.verdict}: ")
    return "; ".join(filter(None, [reason, *over, *(f"{title}{text}" for text in note)])) or None
