"""Terraform (HCL): the documents through ``jsonencode``, so that they are what IAM gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from unhub.aws.renderings.grant import Grant
from unhub.aws.trust import ACCOUNT_PLACEHOLDER


def render(grant: Grant) -> str:
    """The resources: a policy for somebody, or the role with its trust where that is wanted."""
    return "\n".join(_resources(grant)) + "\n"


def _resources(grant: Grant) -> Iterator[str]:
    if grant.trust is not None:
        yield from _role(grant)
        yield from _block("aws_iam_role_policy", {"name": grant.name}, {"role": "aws_iam_role.ecr_public.name"}, grant.policy)
        return
    kind = grant.holder.kind if grant.holder else None
    if kind == "codebuild" and grant.holder:
        yield 'variable "service_role" {'
        yield f"  description = {text(f'Name of the service role of the CodeBuild project {grant.holder.name}')}"
        yield "  type        = string"
        yield "}"
        yield ""
        yield from _block("aws_iam_role_policy", {"name": grant.name}, {"role": "var.service_role"}, grant.policy)
    elif grant.holder and kind:
        yield from _block(f"aws_iam_{kind}_policy", {"name": grant.name, kind: grant.holder.name}, {}, grant.policy)
    else:
        yield from _block("aws_iam_policy", {"name": grant.name}, {}, grant.policy)


def _role(grant: Grant) -> Iterator[str]:
    if ACCOUNT_PLACEHOLDER in json.dumps(grant.trust):
        yield 'data "aws_caller_identity" "current" {}'
        yield ""
    names = {"name": grant.holder.name} if grant.holder else {}
    yield from _block("aws_iam_role", names, {}, grant.trust, argument="assume_role_policy")
    yield ""


def _block(kind: str, texts: dict[str, str], references: dict[str, str], document: object, argument: str = "policy") -> Iterator[str]:
    arguments = {name: text(value) for name, value in texts.items()} | references
    width = max((len(name) for name in arguments), default=0)
    yield f'resource "{kind}" "ecr_public" {{'
    for name, value in arguments.items():
        yield f"  {name.ljust(width)} = {value}"
    first, *rest = _value(document, "  ")
    if arguments:
        yield ""
    yield f"  {argument} = jsonencode({first}"
    yield from rest[:-1]
    yield f"{rest[-1]})"
    yield "}"


def _value(value: object, indent: str) -> Iterator[str]:
    """The lines of a value; the first has no indentation, since something stands before it."""
    inner = f"{indent}  "
    if isinstance(value, dict):
        yield "{"
        for key, member in cast(dict[str, object], value).items():
            first, *rest = _value(member, inner)
            yield f"{inner}{key if key.isidentifier() else text(key)} = {first}"
            yield from rest
        yield f"{indent}}}"
    elif isinstance(value, list):
        yield "["
        for item in cast(list[object], value):
            first, *rest = _value(item, inner)
            *before, last = [f"{inner}{first}", *rest]
            yield from before
            yield f"{last},"
        yield f"{indent}]"
    else:
        yield text(str(value))


def text(value: str) -> str:
    """A text of HCL, in which ``${`` and ``%{`` of the policy stay what they are; an account is asked for."""
    escaped = json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
    return escaped.replace(ACCOUNT_PLACEHOLDER, "${data.aws_caller_identity.current.account_id}")
