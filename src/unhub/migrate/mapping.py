"""Which new name a reference gets, and why: user rules, then the targets in their order."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

from unhub.config.settings import Rule
from unhub.data.facts import Knowledge
from unhub.image.errors import ConfigurationError, InvalidReference
from unhub.image.found import Class, Found, PulledBy, Safety
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.migrate.targets import Place, parse_place

RESERVED = "docker.io/library/scratch"
"""The one name of Docker Hub that cannot be pulled (rule #15)."""

_ADDRESS = re.compile(r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d+)?")


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one reference: its class, the new reference if any, the rule's name, the reason."""

    class_: Class
    target: Reference | None
    rule: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """The user's wishes that decide about single references.

    ``below`` is where the run's paths start, seen from the folder that the rules' path globs are
    relative to: ``""`` or a folder with a ``/`` at its end.
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


def _matches(path: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, glob) or fnmatch.fnmatchcase(path, f"*/{glob}") for glob in globs)


def applies_to_path(path: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether path globs include a path: none means all, and exclusion wins."""
    return (not include or _matches(path, include)) and not _matches(path, exclude)


class Mapper:
    """Decides about references, one at a time, from rules, targets and dated knowledge."""

    def __init__(self, options: MappingOptions, knowledge: Knowledge) -> None:
        self.options = options
        self.knowledge = knowledge
        self.origin = parse_place(options.origin)
        self.targets = tuple(parse_place(spec) for spec in options.targets)

    def decide(self, found: Found, path: str) -> Decision:
        """The decision for one finding of the file at ``path``."""
        reference = found.reference
        early = self._not_ours(found, reference)
        if early is not None:
            return early
        origin = self.origin.origin_of(reference)
        if origin is None:
            return self._elsewhere(reference)
        decision = self._target(origin, path)
        if decision.target is None or decision.class_ is not Class.MIGRATABLE:
            return decision
        if decision.target.name == reference.name:
            return Decision(Class.ALREADY_MIRRORED, None, decision.rule, "is where it should be")
        return self._restrained(found, decision)

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

    def _elsewhere(self, reference: Reference) -> Decision:
        for place in self.targets:
            if place.origin_of(reference) is not None and place.spec != "docker-hub":
                return Decision(Class.ALREADY_MIRRORED, None, None, f"is at {place.spec} already")
        name = reference.name + "/"
        for row in self.knowledge.mirror:
            if name.startswith(row.prefix):
                return Decision(Class.ALREADY_MIRRORED, None, None, f"is at {row.title} already")
        if reference.is_docker_hub:
            return Decision(Class.NO_TARGET, None, None, f"is at Docker Hub, not at {self.origin.spec}, where --from starts")
        return Decision(Class.NOT_DOCKER_HUB, None, None, f"is at {reference.registry}")

    def _target(self, origin: Reference, path: str) -> Decision:
        for rule in self.options.rules:
            if fnmatch.fnmatchcase(origin.name, rule.match) and applies_to_path(self.options.below + path, rule.paths, rule.not_paths):
                return _by_rule(rule, origin)
        reasons: list[str] = []
        for place in self.targets:
            missing = self._missing(place, origin)
            if missing is not None:
                reasons.append(missing)
                continue
            target = place.name_of(origin)
            if target is not None:
                return Decision(Class.MIGRATABLE, target, place.spec, None)
            reasons.append(f"{place.spec} carries official images only (library/*)")
        return Decision(Class.NO_TARGET, None, None, "; ".join(reasons))

    def _missing(self, place: Place, origin: Reference) -> str | None:
        for row in self.knowledge.missing:
            if row.target == place.spec and row.matches(origin.repository, origin.tag):
                alternatives = f". Instead: {'; or '.join(row.alternatives)}" if row.alternatives else ""
                return f"{row.says} {row.cite()}{alternatives}"
        return None

    def _restrained(self, found: Found, decision: Decision) -> Decision:
        """Hold back a migratable reference where the user's wishes or safety say so."""
        options = self.options
        target, rule = decision.target, decision.rule
        if found.reference.digest is not None and "unverified-digests" not in options.accept:
            return Decision(Class.NO_TARGET, None, rule, "pinned digest not verified; --accept unverified-digests moves it as it is")
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


def _host_reason(found: Found) -> str:
    fix = f"give it alias: {found.host_name}, or let --gitlab-alias do so" if found.host_wrap else "give it an alias by hand"
    return f"other containers reach this service as {found.host_name}, a host name made from the image name; {fix}"


def _by_rule(rule: Rule, origin: Reference) -> Decision:
    name = f"rule {rule.match}"
    if rule.target == "keep":
        return Decision(Class.NO_TARGET, None, name, f"kept by the rule {rule.match!r}")
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
    return Decision(Class.MIGRATABLE, origin.with_name(named.registry, named.repository), name, None)
