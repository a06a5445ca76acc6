"""What a client sent against the model: everything that the SDKs do not check, in AWS's words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.data.control_plane import api_constraints
from unhub.image.errors import ApiRefused
from unhub.server.control_plane.model import Shape, ecr_public
from unhub.server.control_plane.validation import PIECE, Validator

VALIDATOR = Validator(api_constraints())
OPERATIONS = ecr_public().operations
REPOSITORY = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
DIGEST = "sha256:" + "0" * 64
UUID = "12345678-1234-1234-1234-123456789012"


def read(operation: str, value: Any) -> dict[str, Any]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return VALIDATOR.read(OPERATIONS[operation].input, body)


def refused(operation: str, value: Any) -> tuple[str, str]:
    with pytest.raises(ApiRefused) as caught:
        read(operation, value)
    assert caught.value.status == 400
    return caught.value.aws_code, caught.value.message


@pytest.mark.parametrize(
    ("operation", "value", "at", "constraint"),
    [
        ("DescribeImages", {}, "repositoryName", "must not be null"),
        ("DescribeImages", {"repositoryName": None}, "repositoryName", "must not be null"),
        ("PutImage", {"repositoryName": "ab"}, "imageManifest", "must not be null"),
        ("DescribeImages", {"repositoryName": "X1"}, "repositoryName", f"must satisfy regular expression '{REPOSITORY}'"),
        ("DescribeImages", {"repositoryName": "ab\n"}, "repositoryName", f"must satisfy regular expression '{REPOSITORY}'"),
        ("DescribeImages", {"repositoryName": "a"}, "repositoryName", "Member must have length greater than or equal to 2"),
        ("DescribeImages", {"repositoryName": "a" * 206}, "repositoryName", "Member must have length less than or equal to 205"),
        ("DescribeImages", {"repositoryName": "ab", "maxResults": 0}, "maxResults", "must be greater than or equal to 1"),
        ("DescribeImages", {"repositoryName": "ab", "maxResults": 1001}, "maxResults", "must be less than or equal to 1000"),
        ("DescribeImages", {"repositoryName": "ab", "registryId": "1234"}, "registryId", "must satisfy regular expression '[0-9]{12}'"),
        ("DescribeImages", {"repositoryName": "ab", "registryId": "١" * 12}, "registryId", "must satisfy regular expression '[0-9]{12}'"),
        (
            "InitiateLayerUpload",
            {"repositoryName": "ab", "registryId": "x" * 51},
            "registryId",
            "Member must have length less than or equal to 50",
        ),
        ("DescribeImages", {"repositoryName": "ab", "imageIds": []}, "imageIds", "Member must have length greater than or equal to 1"),
        (
            "DescribeImages",
            {"repositoryName": "ab", "imageIds": [{"imageTag": "1"}] * 101},
            "imageIds",
            "Member must have length less than or equal to 100",
        ),
        (
            "DescribeImages",
            {"repositoryName": "ab", "imageIds": [{"imageTag": "ok"}, {"imageTag": ""}]},
            "imageIds.2.member.imageTag",
            "Member must have length greater than or equal to 1",
        ),
        (
            "CompleteLayerUpload",
            {"repositoryName": "ab", "uploadId": UUID, "layerDigests": [DIGEST, "nonsense"]},
            "layerDigests.2.member",
            "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ),
        ("UploadLayerPart", {"repositoryName": "ab", "uploadId": "x"}, "uploadId", None),
        (
            "UploadLayerPart",
            {"repositoryName": "ab", "uploadId": UUID, "partFirstByte": -1},
            "partFirstByte",
            "must be greater than or equal to 0",
        ),
        (
            "SetRepositoryPolicy",
            {"repositoryName": "ab", "policyText": "x" * 10_241},
            "policyText",
            "Member must have length less than or equal to 10240",
        ),
        ("TagResource", {"resourceArn": "", "tags": []}, "resourceArn", "Member must have length greater than or equal to 1"),
        (
            "TagResource",
            {"resourceArn": "x", "tags": [{"Key": ""}]},
            "tags.1.member.Key",
            "Member must have length greater than or equal to 1",
        ),
        (
            "TagResource",
            {"resourceArn": "x", "tags": [{"Value": "v" * 257}]},
            "tags.1.member.Value",
            "Member must have length less than or equal to 256",
        ),
        (
            "CreateRepository",
            {"repositoryName": "ab", "catalogData": {"architectures": ["x"] * 51}},
            "catalogData.architectures",
            "Member must have length less than or equal to 50",
        ),
        (
            "CreateRepository",
            {"repositoryName": "ab", "catalogData": {"logoImageBlob": base64.b64encode(b"x" * 512_001).decode()}},
            "catalogData.logoImageBlob",
            "Member must have length less than or equal to 512000",
        ),
        ("PutRegistryCatalogData", {"displayName": "x" * 101}, "displayName", "Member must have length less than or equal to 100"),
    ],
    ids=str,
)
def test_what_breaks_the_model_is_refused_by_name_and_constraint(operation: str, value: Any, at: str, constraint: str | None) -> None:
    code, message = refused(operation, value)
    assert code == "InvalidParameterException"
    if constraint is None:
        assert message.startswith(f"Invalid parameter at '{at}' failed to satisfy constraint: 'must satisfy regular expression ")
    else:
        assert message == f"Invalid parameter at '{at}' failed to satisfy constraint: '{constraint}'"


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("DescribeRegistries", b"{"),
        ("DescribeRegistries", b"[]"),
        ("DescribeRegistries", b"null"),
        ("DescribeRegistries", b'"text"'),
        ("DescribeRegistries", b"\xff"),
        ("DescribeRegistries", b'{"nextToken": "\xed\xa0\x80"}'),
        ("DescribeRegistries", b"[" * 100_000),
        ("DescribeRegistries", {"maxResults": "10"}),
        ("DescribeRegistries", {"maxResults": 1.5}),
        ("DescribeRegistries", {"maxResults": True}),
        ("DescribeRegistries", {"maxResults": 2**31}),
        ("DescribeRegistries", {"nextToken": 5}),
        ("DeleteRepository", {"repositoryName": "ab", "force": "true"}),
        ("DeleteRepository", {"repositoryName": "ab", "force": 1}),
        ("DeleteRepository", {"repositoryName": ["ab"]}),
        ("DescribeRepositories", {"repositoryNames": "ab"}),
        ("DescribeRepositories", {"repositoryNames": [None]}),
        ("CreateRepository", {"repositoryName": "ab", "catalogData": []}),
        ("CreateRepository", {"repositoryName": "ab", "tags": {"Key": "k"}}),
        ("UploadLayerPart", {"repositoryName": "ab", "uploadId": UUID, "partFirstByte": 2**63}),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_of_another_type_cannot_be_read(operation: str, value: Any) -> None:
    assert refused(operation, value)[0] == "SerializationException"


def part(blob: str) -> dict[str, Any]:
    return {"repositoryName": "ab", "uploadId": UUID, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": blob}


@pytest.mark.parametrize(
    "blob", ["A", "AA", "AAA", "A===", "AA=A", "=AAA", "AA==AA==", "A A=", "AAA\n", "-_-_", "ÄÄÄÄ", "====", "AB=="[:3] + "B"]
)
def test_base64_has_one_spelling(blob: str) -> None:
    assert refused("UploadLayerPart", part(blob)) == ("SerializationException", "layerPartBlob is no base64")


@given(st.binary(max_size=300))
def test_every_blob_is_read_as_it_was_sent(blob: bytes) -> None:
    assert read("UploadLayerPart", part(base64.b64encode(blob).decode()))["layerPartBlob"] == blob


@pytest.mark.parametrize("size", [PIECE * 3 // 4 - 1, PIECE * 3 // 4, PIECE * 3 // 4 + 1, PIECE * 3 // 4 * 2 + 2])
def test_a_large_blob_is_read_piece_by_piece(size: int) -> None:
    blob = bytes(range(256)) * (size // 256 + 1)
    assert read("UploadLayerPart", part(base64.b64encode(blob[:size]).decode()))["layerPartBlob"] == blob[:size]


def test_padding_between_two_pieces_is_no_base64() -> None:
    text = "A" * (PIECE - 2) + "==" + "AAAA"
    assert refused("UploadLayerPart", part(text))[0] == "SerializationException"


def test_the_largest_part_passes_and_one_byte_more_does_not() -> None:
    most = 20 * 1024 * 1024
    assert len(read("UploadLayerPart", part(base64.b64encode(bytes(most)).decode()))["layerPartBlob"]) == most
    larger = json.dumps(part(base64.b64encode(bytes(most + 1)).decode())).encode()
    assert len(larger) < OPERATIONS["UploadLayerPart"].body_max, "so that it is told what is wrong with it"
    assert refused("UploadLayerPart", larger)[0] == "InvalidParameterException"


def test_members_that_nobody_knows_are_ignored_and_null_is_absent() -> None:
    given_ = {"repositoryName": "ab", "force": None, "futureMember": {"deep": [1]}}
    assert read("DeleteRepository", given_) == {"repositoryName": "ab"}
    assert read("GetAuthorizationToken", {"registryIds": ["1"]}) == {}
    assert read("GetAuthorizationToken", b"") == {}


def valid(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that a shape allows, as JSON has them."""
    if shape.kind == "structure":
        required = {name: valid(member) for name, member in shape.members.items() if name in shape.required}
        optional = {name: valid(member) for name, member in shape.members.items() if name not in shape.required}
        return st.fixed_dictionaries(required, optional=optional)
    if shape.item is not None:
        return st.lists(valid(shape.item), min_size=shape.minimum or 0, max_size=min(shape.maximum or 3, 3))
    if shape.kind == "boolean":
        return st.booleans()
    if shape.kind == "blob":
        return st.binary(max_size=50).map(lambda blob: base64.b64encode(blob).decode())
    if shape.kind in ("integer", "long"):
        return st.integers(shape.minimum, shape.maximum or 2**31 - 1)
    if shape.pattern is not None:
        texts = st.from_regex(shape.pattern, fullmatch=True)
        return texts.filter(lambda text: (shape.minimum or 0) <= len(text) <= (shape.maximum or 500))
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=shape.minimum or 0, max_size=min(shape.maximum or 30, 30))


@given(st.data())
def test_whatever_the_model_allows_is_read_as_it_stands(data: st.DataObject) -> None:
    operation = OPERATIONS[data.draw(st.sampled_from(sorted(OPERATIONS)))]
    value = data.draw(valid(operation.input))
    body = json.dumps(value).encode()
    assert len(body) <= operation.body_max
    assert as_json(VALIDATOR.read(operation.input, body)) == value


def as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_json(one) for name, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list) else value


def test_the_largest_input_of_an_operation_fits_into_its_bound() -> None:
    largest = {"repositoryName": "a" * 205, "policyText": '\x01"' * 5120, "registryId": "1" * 12, "force": False}
    body = json.dumps(largest).encode()
    assert read("SetRepositoryPolicy", body) == largest
    assert len(body) <= OPERATIONS["SetRepositoryPolicy"].body_max < 200_000
    manifest = {"repositoryName": "ab", "imageManifest": "ä" * 4_194_304}
    assert len(json.dumps(manifest)) <= OPERATIONS["PutImage"].body_max
    assert max(one.body_max for one in OPERATIONS.values()) < 30_000_000
