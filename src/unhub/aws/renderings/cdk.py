"""A snippet for the constructor of a CDK stack in TypeScript (aws-cdk-lib, version 2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from unhub.aws.renderings.grant import Grant
from unhub.aws.trust import ACCOUNT_PLACEHOLDER


def render(grant: Grant) -> str:
    """The import and the constructs: a policy for somebody, or the role with its trust where that is wanted."""
    return "\n".join(["import * as iam from 'aws-cdk-lib/aws-iam';", "", *_constructs(grant)]) + "\n"


def _constructs(grant: Grant) -> Iterator[str]:
    if grant.trusted is not None and grant.trust is not None:
        yield from _role(grant)
        return
    holder = grant.holder
    if holder is not None and holder.kind == "codebuild":
        yield f"// project is the codebuild.Project {holder.name} of this stack"
        yield f"for (const statement of {_document(grant.policy['Statement'], '')}) {{"
        yield "  project.addToRolePolicy(iam.PolicyStatement.fromJson(statement));"
        yield "}"
    elif holder is not None:
        kind = holder.kind.capitalize()
        yield f"const {holder.kind} = iam.{kind}.from{kind}Name(this, '{kind}', {_text(holder.name)});"
        yield from _policy(grant, f"{holder.kind}.attachInlinePolicy(new iam.Policy(this, 'EcrPublic', {{", "}));")
    else:
        yield from _policy(grant, "new iam.ManagedPolicy(this, 'EcrPublic', {", "});")


def _policy(grant: Grant, start: str, end: str) -> Iterator[str]:
    name = "managedPolicyName" if "ManagedPolicy" in start else "policyName"
    yield start
    yield f"  {name}: {_text(grant.name)},"
    yield f"  document: iam.PolicyDocument.fromJson({_document(grant.policy, '  ')}),"
    yield end


def _role(grant: Grant) -> Iterator[str]:
    """A role with the trust as it is: the construct's own principal could not carry every condition."""
    yield "new iam.CfnRole(this, 'EcrPublic', {"
    if grant.holder is not None:
        yield f"  roleName: {_text(grant.holder.name)},"
    yield f"  assumeRolePolicyDocument: {_document(grant.trust, '  ')},"
    yield "  policies: [{"
    yield f"    policyName: {_text(grant.name)},"
    yield f"    policyDocument: {_document(grant.policy, '    ')},"
    yield "  }],"
    yield "});"


def _document(document: Any, indent: str) -> str:
    """JSON, which is TypeScript as well; an account that is not known is the stack's."""
    lines = json.dumps(document, indent=2).splitlines()
    return "\n".join([lines[0], *(indent + _with_account(line) for line in lines[1:])])


def _with_account(line: str) -> str:
    if ACCOUNT_PLACEHOLDER not in line:
        return line
    start, _, rest = line.partition(': "')
    text, _, end = rest.partition('"')
    return f"{start}: `{text.replace(ACCOUNT_PLACEHOLDER, '${this.account}')}`{end}"


def _text(value: str) -> str:
    return json.dumps(value)
