"""Every policy of a role, read from IAM and put into the form that ``unhub iam-policy --check`` understands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from unhub.aws.policy_sources import Given, Subject, collect
from unhub.aws.session import Session

PAGES_MAX = 50
"""Pages of one list that are read; a role has ten managed policies at most unless its quota was raised."""


def policies_of(session: Session, role: str) -> Given:
    """What a role's policies and its boundary say. Raises :class:`AwsError`, and :class:`InvalidPolicy` for a document that is none."""
    detail = session.call("iam", "get_role", RoleName=role)["Role"]
    attached = [row for page in _pages(session, "list_attached_role_policies", role) for row in page["AttachedPolicies"]]
    names = [name for page in _pages(session, "list_role_policies", role) for name in page["PolicyNames"]]
    inline = [session.call("iam", "get_role_policy", RoleName=role, PolicyName=name) for name in names]
    boundary = detail.get("PermissionsBoundary")
    managed = {row["PolicyArn"] for row in attached} | ({boundary["PermissionsBoundaryArn"]} if boundary else set[str]())
    account = {
        "RoleDetailList": [
            {
                "RoleName": role,
                "Arn": detail.get("Arn", ""),
                "RolePolicyList": [{"PolicyName": row["PolicyName"], "PolicyDocument": row["PolicyDocument"]} for row in inline],
                "AttachedManagedPolicies": [{"PolicyName": row["PolicyName"], "PolicyArn": row["PolicyArn"]} for row in attached],
                **({"PermissionsBoundary": {"PermissionsBoundaryArn": boundary["PermissionsBoundaryArn"]}} if boundary else {}),
            }
        ],
        "UserDetailList": [],
        "GroupDetailList": [],
        "Policies": [_managed(session, arn) for arn in sorted(managed)],
    }
    return collect([(f"role {role}", json.dumps(account).encode())], Subject("role", role))


def _managed(session: Session, arn: str) -> dict[str, Any]:
    policy = session.call("iam", "get_policy", PolicyArn=arn)["Policy"]
    version = session.call("iam", "get_policy_version", PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    return {
        "Arn": arn,
        "PolicyName": policy.get("PolicyName", arn.rpartition("/")[2]),
        "PolicyVersionList": [{"IsDefaultVersion": True, "Document": version["Document"]}],
    }


def _pages(session: Session, operation: str, role: str) -> Iterator[dict[str, Any]]:
    marker: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        page = session.call("iam", operation, RoleName=role, **marker)
        yield page
        if not page.get("IsTruncated"):
            return
        marker = {"Marker": page["Marker"]}
