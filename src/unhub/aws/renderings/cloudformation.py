"""A CloudFormation template in YAML, complete as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from unhub.aws.renderings.grant import Grant
from unhub.aws.trust import ACCOUNT_PLACEHOLDER

_PLAIN = re.compile(r"(?!(?i:true|false|yes|no|on|off|null|y|n)$)[A-Za-z][A-Za-z0-9_./-]*(?:::?[A-Za-z0-9_./-]+)*(?: [A-Za-z0-9_./-]+)*")
"""Texts that YAML reads as themselves without quotes; a colon is safe inside of a word only."""

_SPECIAL = re.compile("[\x7f-\uffff]")
"""Characters that are written as escapes; what lies above them YAML takes as it is."""


def render(grant: Grant) -> str:
    """The template: a policy for somebody, or the role with its trust where that is wanted."""
    return "\n".join(_lines(template(grant), "")) + "\n"


def template(grant: Grant) -> dict[str, Any]:
    """The template as data; an account that is not known is CloudFormation's own."""
    if grant.trust is not None:
        return _template({"Role": _role(grant)})
    attached: dict[str, Any] = {}
    if grant.holder is not None and grant.holder.kind == "user":
        attached = {"Users": [grant.holder.name]}
    elif grant.holder is not None and grant.holder.kind == "role":
        attached = {"Roles": [grant.holder.name]}
    elif grant.holder is not None:
        parameter = {"Type": "String", "Description": f"Name of the service role of the CodeBuild project {grant.holder.name}"}
        document = _template({"Policy": _policy(grant, {"Roles": [{"Ref": "ServiceRole"}]})})
        return {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": {"ServiceRole": parameter}, **document}
    return _template({"Policy": _policy(grant, attached)})


def _template(resources: dict[str, Any]) -> dict[str, Any]:
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def _policy(grant: Grant, attached: dict[str, Any]) -> dict[str, Any]:
    """An inline policy where somebody has it, else one of the account's that can be attached to anybody."""
    if attached:
        properties = {"PolicyName": grant.name, **attached, "PolicyDocument": grant.policy}
        return {"Type": "AWS::IAM::Policy", "Properties": properties}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": grant.name, "PolicyDocument": grant.policy}}


def _role(grant: Grant) -> dict[str, Any]:
    name = {"RoleName": grant.holder.name} if grant.holder else {}
    policies = [{"PolicyName": grant.name, "PolicyDocument": grant.policy}]
    return {"Type": "AWS::IAM::Role", "Properties": {**name, "AssumeRolePolicyDocument": grant.trust, "Policies": policies}}


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in cast(dict[str, object], value).items():
            yield from _entry(f"{indent}{_scalar(key)}:", member, f"{indent}  ")
        return
    for item in cast(list[object], value):
        first, *rest = _item(item, f"{indent}  ")
        yield f"{indent}- {first[len(indent) + 2 :]}"
        yield from rest


def _item(item: object, indent: str) -> Iterator[str]:
    return _lines(cast(dict[str, object], item), indent) if isinstance(item, dict) else iter((f"{indent}{_scalar(str(item))}",))


def _entry(start: str, member: object, indent: str) -> Iterator[str]:
    if isinstance(member, dict | list):
        yield start
        yield from _lines(cast(object, member), indent)
    else:
        yield f"{start} {_scalar(str(member))}"


def _scalar(text: str) -> str:
    if ACCOUNT_PLACEHOLDER in text:
        return f"!Sub {_quoted(text.replace(ACCOUNT_PLACEHOLDER, '${AWS::AccountId}'))}"
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """A text in YAML's double quotes: JSON's, but for characters that JSON would write as two halves."""
    return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
