"""What ECR Public's API answers, against botocore: its own parser loses nothing of it, and its model forbids none of the values.

Beside :mod:`tests.protocol.test_control_plane_model`, which looks at members and types. Successes and errors come from the
same tables.
"""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Generator
from typing import Any

import botocore.parsers
import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.gallery import EVERYTHING, running_gallery
from tests.hub import Said
from tests.protocol import provocations, provocations_images
from tests.protocol.provocations import DATA, HERE, UNREACHABLE, World, generic

MODEL: Any = botocore.session.get_session().get_service_model("ecr-public")
PARSER: Any = botocore.parsers.create_parser(MODEL.metadata["protocol"])
OPERATIONS: list[str] = sorted(MODEL.operation_names)
DECLARED = [(name, shape.name) for name in OPERATIONS for shape in MODEL.operation_model(name).error_shapes]
PROVOKED = {**provocations.PROVOKED, **provocations_images.PROVOKED}
ANSWERED = {**provocations.ANSWERED, **provocations_images.ANSWERED}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    folder = tmp_path_factory.mktemp("parsed")
    (folder / "data.toml").write_text(DATA + provocations_images.DATA)
    settings = provocations_images.SETTINGS + '[data]\nfile = "data.toml"\n'
    with running_gallery(folder, users={"owner": EVERYTHING, "fault": EVERYTHING}, settings=settings) as gallery:
        made = World(gallery)
        assert made.ask("CreateRepository", {"repositoryName": HERE}).status == 200
        yield made


def parsed(said: Said, shape: Any) -> dict[str, Any]:
    """What boto3 makes of an answer."""
    headers = {str(name): str(value) for name, value in said.headers.items()}
    return dict(PARSER.parse({"status_code": said.status, "headers": headers, "body": said.body}, shape))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_botocore_s_parser_loses_nothing_of_an_answer(world: World, operation: str) -> None:
    said = ANSWERED[operation](world)
    assert said.status == 200, said.body
    shape = MODEL.operation_model(operation).output_shape
    found = parsed(said, shape)
    about = found.pop("ResponseMetadata")
    assert about["HTTPStatusCode"] == 200
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", about["RequestId"])
    if shape is None:
        assert (found, said.json) == ({}, {})
        return
    check_same(shape, said.json, found, operation)
    check_values(shape, said.json, operation)


@pytest.mark.parametrize(("operation", "error"), DECLARED)
def test_every_error_becomes_its_own_exception_with_all_that_it_says(world: World, operation: str, error: str) -> None:
    if (operation, error) in UNREACHABLE:
        assert not MODEL.operation_model(operation).input_shape.members, "then there is a way"
        return
    provoke = PROVOKED.get((operation, error)) or generic(operation, error)
    assert provoke is not None
    said = provoke(world)
    found = parsed(said, MODEL.operation_model(operation).output_shape)
    caught = world.gallery.client("owner").exceptions.from_code(found["Error"]["Code"])(found, operation)
    assert isinstance(caught, ClientError)
    assert type(caught).__name__ == error, "the class that boto3 has for it"
    assert caught.response["Error"]["Message"] == said.json["message"]
    assert caught.response["ResponseMetadata"]["RequestId"] == said.headers["x-amzn-requestid"]
    details: Any = PARSER.parse({"status_code": said.status, "headers": dict(said.headers), "body": said.body}, MODEL.shape_for(error))
    told = {name: value for name, value in said.json.items() if name != "__type"}
    kept = {name: details[name] if name in details else found[name] for name in told if name in details or name in found}
    assert set(told) - {"message"} <= set(kept), "members of the exception that boto3 would lose"
    check_values(MODEL.shape_for(error), told, error)


def check_same(shape: Any, raw: Any, found: Any, at: str) -> None:
    """What was parsed is what was sent: no member dropped, no value bent."""
    match shape.type_name:
        case "structure":
            assert set(found) == set(raw), at
            for name, value in raw.items():
                check_same(shape.members[name], value, found[name], f"{at}.{name}")
        case "list":
            assert len(found) == len(raw), at
            for one, other in zip(raw, found, strict=True):
                check_same(shape.member, one, other, f"{at}[]")
        case "timestamp":
            assert isinstance(found, datetime.datetime), at
            assert math.isclose(found.timestamp(), raw, abs_tol=1e-3), at
        case "blob":
            assert found == base64.b64decode(raw, validate=True), at
        case _:
            assert (type(found), found) == (type(raw), raw), at


def check_values(shape: Any, value: Any, at: str) -> None:
    """Lengths, ranges, patterns and choices of the model."""
    if shape.type_name == "structure":
        for name, one in value.items():
            check_values(shape.members[name], one, f"{at}.{name}")
    if shape.type_name == "list":
        for one in value:
            check_values(shape.member, one, f"{at}[]")
    limits = shape.metadata
    size = value if isinstance(value, int | float) else len(value)
    assert limits.get("min", size) <= size <= limits.get("max", size), (at, size)
    if isinstance(value, str):
        assert "pattern" not in limits or re.fullmatch(limits["pattern"], value), (at, value)
        assert not limits.get("enum") or value in limits["enum"], (at, value)
