"""Policies as the ``aws`` command prints them: one document, a role's, or a whole account's.

Understood: a bare document; ``get-role-policy``, ``get-user-policy``, ``get-group-policy``; ``get-policy-version``;
``list-attached-role-policies`` and its like; ``get-account-authorization-details``; lists of these, and several
of them one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from unhub.aws.json_places import Json, Place, parse
from unhub.aws.policy import Limit
from unhub.aws.policy_document import VERSION, Effect, Kind, Patterns, Policy, Statement, policy_of
from unhub.aws.policy_lint import Mistake
from unhub.data.iam import iam_knowledge
from unhub.image.errors import UsageError

_LISTS = {"role": "RoleDetailList", "user": "UserDetailList"}
_NAMES = {"role": "RoleName", "user": "UserName"}
_INLINE = {"role": "RolePolicyList", "user": "UserPolicyList"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A role or a user: ``kind`` is ``role`` or ``user``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def _no_limits() -> list[Limit]:
    return []


def _no_policies() -> list[Policy]:
    return []


def _no_mistakes() -> list[Mistake]:
    return []


@dataclass(slots=True)
class Given:
    """What was found: policies that count together, limits on them, and what could not be looked at.

    ``subject`` and ``arn`` are known where an account's details were given.
    """

    identity: list[Policy] = field(default_factory=_no_policies)
    limits: list[Limit] = field(default_factory=_no_limits)
    mistakes: list[Mistake] = field(default_factory=_no_mistakes)
    subject: Subject | None = None
    arn: str | None = None


def collect(files: Sequence[tuple[str, bytes]], subject: Subject | None = None) -> Given:
    """Every policy in these files (path and bytes) that concerns one subject.

    Raises :class:`InvalidPolicy` for what is none, and :class:`UsageError` where an account's details name
    several roles and users and ``subject`` chooses none of them.
    """
    given = Given()
    for path, data in files:
        for value in parse(data, path):
            _add(value, given, subject)
    return given


def _add(value: Json, given: Given, subject: Subject | None) -> None:
    if isinstance(value.value, tuple):
        for item in value.value:
            _add(item, given, subject)
        return
    members = value.members
    if "Statement" in members:
        given.identity.append(policy_of(value))
    elif "PolicyDocument" in members:
        given.identity.append(_policy(members["PolicyDocument"], _name(value, "PolicyName")))
    elif "PolicyVersion" in members:
        given.identity.append(_policy(_wanted(members["PolicyVersion"], "Document"), ""))
    elif "AttachedPolicies" in members:
        for item in members["AttachedPolicies"].items:
            _attach(item, {}, given)
    elif set(_LISTS.values()) & set(members):
        _Account(value).add(given, subject)
    else:
        raise value.place.wrong("this is no policy document", hint=_instead(value))


def _instead(value: Json) -> str:
    if value.get("PolicyNames"):
        return "These are names only: `aws iam get-role-policy --role-name ROLE --policy-name NAME` prints a policy"
    arn, version = value.get("Policy", "Arn"), value.get("Policy", "DefaultVersionId")
    if arn and version:
        return f"The document is in its version: aws iam get-policy-version --policy-arn {arn.value} --version-id {version.value}"
    if value.get("Role") or value.get("User"):
        return "It says who may use the role, not what the role may do: `aws iam get-role-policy` and `list-attached-role-policies` do"
    return "A document has Version and Statement; what `aws iam get-role-policy` and its like print is understood, too"


def _wanted(value: Json, key: str) -> Json:
    member = value.members.get(key)
    if member is None:
        raise value.place.wrong(f"there is no {key} here")
    return member


def _name(value: Json, key: str) -> str:
    member = value.members.get(key)
    return member.text if member else ""


def _policy(document: Json, name: str) -> Policy:
    """A document, or the text of one: AWS's API gives it percent-encoded, tools as plain JSON."""
    if not isinstance(document.value, str):
        return policy_of(document, Kind.IDENTITY, name)
    text = document.value if document.value.lstrip().startswith("{") else unquote(document.value)
    inner = parse(text.encode("utf-8", "replace"), f"{document.place}, inside the text")
    return policy_of(inner[0], Kind.IDENTITY, name)


def _attach(item: Json, documents: Mapping[str, Policy], given: Given) -> None:
    """A managed policy: its document where that was given or is known, else a note that it was not looked at."""
    name, arn = _name(item, "PolicyName"), _name(item, "PolicyArn")
    policy = documents.get(arn) or _known(name, arn, item.place)
    if policy:
        given.identity.append(policy)
        return
    fact = next((row for row in iam_knowledge().private_policy if name in row.names), None)
    if fact:
        fix = "Attach AmazonElasticContainerRegistryPublicReadOnly for pulls, or the policy that `unhub iam-policy` prints"
        given.mistakes.append(Mistake("private-policy", item.place, f"{name}: {fact.says} {fact.cite()}", fix, name))
    else:
        given.mistakes.append(_not_seen(name, arn, item.place))


def _not_seen(name: str, arn: str, place: Place) -> Mistake:
    fix = f"aws iam get-policy --policy-arn {arn} shows its version, and aws iam get-policy-version prints it: check that file, too"
    return Mistake("not-seen", place, f"the attached policy {name} is not in what was given, and was not looked at", fix, name)


def _known(name: str, arn: str, place: Place) -> Policy | None:
    """One of AWS's own policies, as it is known here; a customer's policy may have the same name."""
    row = next((row for row in iam_knowledge().managed if row.name == name and arn == f"arn:aws:iam::aws:policy/{name}"), None)
    if row is None:
        return None
    statement = Statement(Effect.ALLOW, Patterns(row.actions), Patterns(("*",)), place=place)
    return Policy((statement,), VERSION, name=name)


@dataclass(frozen=True, slots=True)
class _Account:
    """What ``get-account-authorization-details`` prints."""

    json: Json

    def add(self, given: Given, wanted: Subject | None) -> None:
        subject, detail = self._choose(wanted)
        given.subject, given.arn = subject, _name(detail, "Arn") or None
        documents = dict(self._documents())
        self._policies_of(detail, _INLINE[subject.kind], documents, given)
        groups = {item.text for item in self._list(detail, "GroupList")}
        for group in self._list(self.json, "GroupDetailList"):
            if _name(group, "GroupName") in groups:
                self._policies_of(group, "GroupPolicyList", documents, given)
        self._boundary(detail, documents, given)

    def _list(self, value: Json, key: str) -> tuple[Json, ...]:
        member = value.members.get(key)
        return member.items if member else ()

    def _choose(self, wanted: Subject | None) -> tuple[Subject, Json]:
        found = [(Subject(kind, _name(item, _NAMES[kind])), item) for kind, key in _LISTS.items() for item in self._list(self.json, key)]
        chosen = [pair for pair in found if wanted is None or pair[0] == wanted]
        if len(chosen) == 1:
            return chosen[0]
        names = ", ".join(str(subject) for subject, _ in found[:10]) + (", …" if len(found) > 10 else "")
        if wanted:
            raise UsageError(f"cannot check {wanted}: {self.json.place.path} does not have it", hint=f"It has {names or 'nobody'}")
        raise UsageError(
            f"cannot choose among {len(found)} roles and users in {self.json.place.path}: {names}", hint="Say --role or --user"
        )

    def _documents(self) -> Iterator[tuple[str, Policy]]:
        for item in self._list(self.json, "Policies"):
            for version in self._list(item, "PolicyVersionList"):
                current = version.get("IsDefaultVersion")
                if current and current.value is True:
                    yield _name(item, "Arn"), _policy(_wanted(version, "Document"), _name(item, "PolicyName"))

    def _policies_of(self, detail: Json, inline: str, documents: Mapping[str, Policy], given: Given) -> None:
        for item in self._list(detail, inline):
            given.identity.append(_policy(_wanted(item, "PolicyDocument"), _name(item, "PolicyName")))
        for item in self._list(detail, "AttachedManagedPolicies"):
            _attach(item, documents, given)

    def _boundary(self, detail: Json, documents: Mapping[str, Policy], given: Given) -> None:
        arn = detail.get("PermissionsBoundary", "PermissionsBoundaryArn")
        if arn is None:
            return
        name = arn.text.rpartition("/")[2]
        policy = documents.get(arn.text) or _known(name, arn.text, arn.place)
        if policy:
            given.limits.append(Limit(f"permissions boundary {name}", (policy,)))
        else:
            given.mistakes.append(_not_seen(name, arn.text, arn.place))
