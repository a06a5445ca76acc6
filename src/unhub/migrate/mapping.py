"""Which new name a reference gets, and why: user rules, then the targets in their order."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import Struct, structs

from unhub.config.settings import Rule
from unhub.data.facts import Knowledge
from unhub.image.errors import ConfigurationError, InvalidReference
from unhub.image.found import Class, Found, PulledBy, Safety
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.migrate.pinning import can_pin
from unhub.migrate.targets import ECR_PUBLIC_REGISTRY, EcrPublic, Place, parse_place
from unhub.migrate.verification.question import NoProof, Proof, Question
from unhub.migrate.verification.reasons import kept, moved_with
from unhub.migrate.verification.suggest import Suggestions
from unhub.migrate.verification.verdict import PROVEN, UNVERIFIED_DIGESTS, Evidence, Verdict

RESERVED = "docker.io/library/scratch"
"""The one name of Docker Hub that cannot be pulled (rule #15)."""

_ADDRESS = re.compile(r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d+)?")


class Decision(Struct, frozen=True):
    """What becomes of one reference: its class, the new reference if any, the rule's name, the reason.

    ``evidence`` is what verification saw of the target; ``question`` is what it has to be asked first.
    """

    class_: Class
    target: Reference | None
    rule: str | None
    reason: str | None
    evidence: Evidence | None = None
    question: Question | None = None


class Choice(Struct, frozen=True):
    """A place for a reference: its name there (``None`` where it has none), the rule's name, and what speaks against it.

    With a target, ``obstacle`` is a dated fact, which may be outdated; without one it is final.
    """

    target: Reference | None
    rule: str | None
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """The user's wishes that decide about single references.

    ``below`` is where the run's paths start, seen from the folder that the rules' path globs are
    relative to: ``""`` or a folder with a ``/`` at its end. ``accept`` holds verdicts that are good enough beside the
    proven ones; ``pin`` writes verified digests into the references.
    """

    origin: str = "docker-hub"
    targets: tuple[str, ...] = ("ecr-public",)
    rules: tuple[Rule, ...] = ()
    unsafe: bool = False
    require_login: bool = False
    gitlab_alias: bool = False
    short_names: str = "report"
    accept: frozenset[str] = frozenset()
    below: str = ""
    pin: bool = False


def _matches(path: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, glob) or fnmatch.fnmatchcase(path, f"*/{glob}") for glob in globs)


def applies_to_path(path: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether path globs include a path: none means all, and exclusion wins."""
    return (not include or _matches(path, include)) and not _matches(path, exclude)


class Mapper:
    """Decides about references, one at a time, from rules, targets, dated knowledge, and what is known of the targets."""

    def __init__(self, options: MappingOptions, knowledge: Knowledge, proof: Proof | None = None) -> None:
        self.options = options
        self.knowledge = knowledge
        self.proof: Proof = proof or NoProof()
        self.origin = parse_place(options.origin)
        self.targets = tuple(parse_place(spec) for spec in options.targets)
        self.suggestions = Suggestions(knowledge, self.targets)
        self._choices: dict[Reference, list[Choice]] = {}

    def decide(self, found: Found, path: str) -> Decision:
        """The decision for one finding of the file at ``path``."""
        reference = found.reference
        early = self._not_ours(found, reference)
        if early is not None:
            return early
        origin = self.origin.origin_of(reference)
        if origin is None:
            return self._elsewhere(found)
        choices = self.choices(origin, path)
        viable = [choice for choice in choices if self._is_open(origin, choice)]
        if not viable:
            rule = choices[0].rule if choices and choices[0].target is None else None
            return Decision(Class.NO_TARGET, None, rule, "; ".join(choice.obstacle or "" for choice in choices))
        first = viable[0]
        if first.target is not None and first.target.name == reference.name:
            return self._pinned(found, origin, Decision(Class.ALREADY_MIRRORED, None, first.rule, "is where it should be"))
        held = self._restrained(found, first)
        return held if held.class_ is not Class.MIGRATABLE else self._proven(found, origin, viable)

    def choices(self, origin: Reference, path: str) -> list[Choice]:
        """Where a Docker Hub reference may go, in the order of the user's wishes: one place by a rule, or every target."""
        for rule in self.options.rules:
            if fnmatch.fnmatchcase(origin.name, rule.match) and applies_to_path(self.options.below + path, rule.paths, rule.not_paths):
                return [_by_rule(rule, origin)]
        known = self._choices.get(origin)
        if known is None:
            known = self._choices[origin] = [self._choice(place, origin) for place in self.targets]
        return known

    def _choice(self, place: Place, origin: Reference) -> Choice:
        target = place.name_of(origin)
        missing = self._missing(place, origin)
        if target is None:
            return Choice(None, None, missing or f"{place.spec} carries official images only (library/*)")
        return Choice(target, place.spec, missing)

    def _is_open(self, origin: Reference, choice: Choice) -> bool:
        """Whether a choice may be taken: what was seen, or will be asked, counts more than a dated fact."""
        if choice.target is None:
            return False
        return choice.obstacle is None or self.proof.wanted or self.proof.evidence(origin, choice.target) is not None

    def _not_ours(self, found: Found, reference: Reference) -> Decision | None:
        for row in self.knowledge.lookalike:
            if reference.registry == DOCKER_HUB and reference.repository.startswith(row.prefix):
                return Decision(Class.NOT_DOCKER_HUB, None, None, f"{row.says} {row.cite()}")
        if reference.registry != DOCKER_HUB and reference.is_docker_hub and "/" not in reference.repository:
            reason = f"{reference.registry} implies no library/, so this may be no official image; name it docker.io/library/… if it is"
            return Decision(Class.NO_TARGET, None, None, reason)
        if reference.canonical.name == RESERVED:
            return Decision(Class.NO_TARGET, None, None, "scratch is a reserved name: no registry serves it")
        written = found.text.strip("'\"")
        if reference.is_docker_hub and _ADDRESS.fullmatch(written):
            return Decision(Class.NO_TARGET, None, None, "looks like a host and port, but docker reads it as a Docker Hub image and tag")
        if found.short_name and "/" not in written.partition(":")[0] and self.options.short_names != "docker.io":
            reason = (
                "an unqualified name here goes through podman's short-name resolution; "
                'set short_names = "docker.io" if Docker Hub is meant'
            )
            return Decision(Class.SHORT_NAME, None, None, reason)
        return None

    def _elsewhere(self, found: Found) -> Decision:
        reference = found.reference
        for place in self.targets:
            origin = place.origin_of(reference)
            if origin is not None and place.spec != "docker-hub":
                decision = Decision(Class.ALREADY_MIRRORED, None, None, f"is at {place.spec} already")
                return self._pinned(found, origin, decision)
        near = self.suggestions.near_miss(reference)
        meant = f"; is {near.name} meant?" if near else ""
        name = reference.name + "/"
        for row in self.knowledge.mirror:
            if name.startswith(row.prefix):
                return Decision(Class.ALREADY_MIRRORED, None, None, f"is at {row.title} already{meant}")
        if reference.is_docker_hub:
            return Decision(Class.NO_TARGET, None, None, f"is at Docker Hub, not at {self.origin.spec}, where --from starts")
        return Decision(Class.NOT_DOCKER_HUB, None, None, f"is at {reference.registry}{meant}")

    def hub_name(self, reference: Reference) -> Reference | None:
        """The Docker Hub reference that a name stands for, at Docker Hub itself, at a target, or at a known mirror."""
        for place in (self.origin, parse_place("docker-hub"), *self.targets, EcrPublic()):
            origin = place.origin_of(reference)
            if origin is not None:
                return origin
        rests = (reference.name.removeprefix(row.prefix) for row in self.knowledge.mirror if not row.prefix.startswith(ECR_PUBLIC_REGISTRY))
        path = next((rest for rest in rests if rest != reference.name and "/" in rest), None)
        return None if path is None else reference.with_name(DOCKER_HUB, path)

    def _missing(self, place: Place, origin: Reference) -> str | None:
        for row in self.knowledge.missing:
            if row.target == place.spec and row.matches(origin.repository, origin.tag):
                alternatives = f". Instead: {'; or '.join(row.alternatives)}" if row.alternatives else ""
                return f"{row.says} {row.cite()}{alternatives}"
        return None

    def _restrained(self, found: Found, choice: Choice) -> Decision:
        """Hold back a migratable reference where the user's wishes or safety say so."""
        options = self.options
        target, rule = choice.target, choice.rule
        if found.safety is Safety.SHOWN:
            return Decision(Class.CONFLICT, target, rule, f"{found.note or 'cannot be edited safely'}; change it by hand")
        if found.safety is Safety.UNSAFE and not options.unsafe:
            return Decision(
                Class.VARIABLE, target, rule, f"{found.note or 'a part of it is not known here'}; --unsafe rewrites the literal name"
            )
        if found.pulled_by is PulledBy.PLATFORM and options.require_login:
            return Decision(Class.NO_TARGET, None, rule, "pulled by the platform before any login step can run (--require-login keeps it)")
        if found.host_name is not None and not (options.gitlab_alias and found.host_wrap):
            return Decision(Class.CONFLICT, target, rule, _host_reason(found))
        reasons = [found.note] if found.note else []
        if found.pulled_by is PulledBy.PLATFORM and rule == "ecr-public":
            reasons.append("pulled by the platform before any login step, so at ECR Public's rate without a login")
        return Decision(Class.MIGRATABLE, target, rule, "; ".join(reasons) or None)

    def _proven(self, found: Found, origin: Reference, viable: Sequence[Choice]) -> Decision:
        """The first choice whose verdict is accepted; without a verdict the first one, if that may be taken unseen."""
        passed: list[Evidence] = []
        for choice in viable:
            if choice.target is None:
                continue
            decision = self._restrained(found, choice)
            evidence = self._evidence(found, origin, choice.target)
            if evidence is None:
                return self._unseen(found, origin, decision, viable)
            if evidence.accepted(self.options.accept):
                return self._with_digest(found, moved_with(decision.reason, evidence, passed), evidence, decision)
            passed.append(evidence)
        suggestion = self.suggestions.suggest(origin)
        reason = kept(origin, passed, [choice.obstacle for choice in viable], suggestion)
        return Decision(Class.NO_TARGET, viable[0].target, viable[0].rule, reason, evidence=passed[0])

    def _evidence(self, found: Found, origin: Reference, target: Reference) -> Evidence | None:
        """What is known of the target; a reference of which a part is unknown has none, and is never asked with a guess."""
        if not is_known(found):
            if not self.proof.wanted:
                return None
            cause = f"{found.note or 'a part of it is not known here'}, so nobody can be asked"
            return Evidence(origin=origin, target=target, verdict=Verdict.UNKNOWN, seen=None, cause=cause, failure="variable")
        return self.proof.evidence(origin, target)

    def _unseen(self, found: Found, origin: Reference, decision: Decision, viable: Sequence[Choice]) -> Decision:
        if self.proof.wanted:
            targets = tuple(choice.target for choice in viable if choice.target is not None)
            return structs.replace(decision, question=Question(origin, targets))
        if found.reference.digest is not None and UNVERIFIED_DIGESTS not in self.options.accept:
            reason = f"pinned digest not verified; --accept {UNVERIFIED_DIGESTS} moves it as it is"
            return Decision(Class.NO_TARGET, None, decision.rule, reason)
        return decision

    def _with_digest(self, found: Found, reason: str | None, evidence: Evidence, decision: Decision) -> Decision:
        """The decision with the verified digest in its target, where that is wanted and can be written."""
        decision = structs.replace(decision, reason=reason, evidence=evidence)
        if not self.options.pin or decision.target is None or decision.target.digest is not None or evidence.verdict not in PROVEN:
            return decision
        obstacle = can_pin(found)
        if obstacle is not None:
            return structs.replace(decision, reason="; ".join(filter(None, (reason, f"not pinned: {obstacle}"))))
        return structs.replace(decision, target=replace(decision.target, digest=evidence.digest))

    def _pinned(self, found: Found, origin: Reference, decision: Decision) -> Decision:
        """A reference that is where it should be, moved to its own digest if that is wanted."""
        reference = found.reference
        if not self.options.pin or reference.digest is not None or not is_known(found) or can_pin(found):
            return decision
        evidence = self.proof.evidence(origin, reference)
        if evidence is None:
            return structs.replace(decision, question=Question(origin, (reference,))) if self.proof.wanted else decision
        if evidence.verdict not in PROVEN:
            return structs.replace(decision, reason=f"{decision.reason}; not pinned: {evidence.cause}", evidence=evidence)
        target = replace(reference, digest=evidence.digest)
        pinned = structs.replace(decision, class_=Class.MIGRATABLE, target=target, rule=decision.rule or "pin")
        return structs.replace(pinned, reason="gets its verified digest", evidence=evidence)


def is_known(found: Found) -> bool:
    """Whether every part of a reference has its value here, so that a registry can be asked for it."""
    return found.safety is not Safety.UNSAFE and all(part.known for part in found.parts)


def _host_reason(found: Found) -> str:
    fix = f"give it alias: {found.host_name}, or let --gitlab-alias do so" if found.host_wrap else "give it an alias by hand"
    return f"other containers reach this service as {found.host_name}, a host name made from the image name; {fix}"


def _by_rule(rule: Rule, origin: Reference) -> Choice:
    name = f"rule {rule.match}"
    if rule.target == "keep":
        return Choice(None, name, f"kept by the rule {rule.match!r}")
    last = origin.repository.rpartition("/")[2]
    try:
        text = rule.target.format(registry=origin.registry, repository=origin.repository, name=last, path=origin.repository)
        named = Reference.parse(text)
    except (KeyError, IndexError, ValueError):
        raise ConfigurationError(
            f"cannot use rule {rule.match!r}: {rule.target!r} is not a template",
            hint="It may hold {registry}, {repository} and {name}",
        ) from None
    except InvalidReference as error:
        raise ConfigurationError(
            f"cannot use rule {rule.match!r}: its target for {origin.name} is {error.text!r}, {error.reason}"
        ) from None
    if named.tag or named.digest:
        raise ConfigurationError(f"cannot use rule {rule.match!r}: its target must not name a tag or digest")
    return Choice(origin.with_name(named.registry, named.repository), name)
