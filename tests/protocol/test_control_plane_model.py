"""ECR Public's API against botocore's model of it: every operation, every shape that is answered, every error that is declared.

The model is read here by botocore's own classes, not by the server's. To add an operation: one function in
``server/control_plane/handlers``; these tests fail for one without a function, and for answers of another shape.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import botocore.session
import pytest

from tests.gallery import EVERYTHING, running_gallery
from tests.hub import Said
from tests.protocol import provocations, provocations_images
from tests.protocol.provocations import DATA, HERE, UNREACHABLE, World, generic
from unhub.server.control_plane.discovery import found_handlers, function_name

MODEL: Any = botocore.session.get_session().get_service_model("ecr-public")
OPERATIONS: list[str] = sorted(MODEL.operation_names)
DECLARED = [(name, shape.name) for name in OPERATIONS for shape in MODEL.operation_model(name).error_shapes]
PROVOKED = {**provocations.PROVOKED, **provocations_images.PROVOKED}
ANSWERED = {**provocations.ANSWERED, **provocations_images.ANSWERED}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    folder = tmp_path_factory.mktemp("model")
    (folder / "data.toml").write_text(DATA + provocations_images.DATA)
    settings = provocations_images.SETTINGS + '[data]\nfile = "data.toml"\n'
    with running_gallery(folder, users={"owner": EVERYTHING, "fault": EVERYTHING}, settings=settings) as gallery:
        made = World(gallery)
        assert made.ask("CreateRepository", {"repositoryName": HERE}).status == 200
        yield made


def test_the_model_has_the_operations_that_the_fact_sheet_names() -> None:
    assert len(OPERATIONS) == 23


def test_every_operation_has_a_function_named_as_boto3_names_its_method() -> None:
    assert sorted(found_handlers()) == OPERATIONS
    client: Any = botocore.session.get_session().create_client("ecr-public", region_name="us-east-1")
    methods = client.meta.method_to_api_mapping
    assert {function_name(name): name for name in OPERATIONS} == dict(methods)
    client.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_an_operation_answers_is_in_the_model_with_its_type(world: World, operation: str) -> None:
    said = ANSWERED[operation](world)
    assert said.status == 200, said.body
    assert said.headers["content-type"] == "application/x-amz-json-1.1"
    assert said.headers["x-amzn-requestid"]
    output = MODEL.operation_model(operation).output_shape
    if output is None:
        assert said.json == {}
    else:
        check_shape(output, said.json, operation)


@pytest.mark.parametrize(("operation", "error"), DECLARED)
def test_every_declared_error_can_be_met(world: World, operation: str, error: str) -> None:
    provoke = PROVOKED.get((operation, error)) or generic(operation, error)
    if (operation, error) in UNREACHABLE:
        assert not MODEL.operation_model(operation).input_shape.members, "then there is a way"
        return
    assert provoke is not None, "nobody says how"
    check_error(provoke(world), error)


def test_no_error_is_provoked_that_is_not_declared() -> None:
    assert set(PROVOKED) <= set(DECLARED)


def check_error(said: Said, error: str) -> None:
    """An answer is the error, in its status and shape."""
    shape = MODEL.shape_for(error)
    assert said.json["__type"] == error, said.body
    assert said.headers["x-amzn-errortype"] == error
    assert said.status == (500 if error == "ServerException" else 400)
    members = {name: value for name, value in said.json.items() if name != "__type"}
    assert members["message"]
    check_shape(shape, members, error)


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "timestamp": (int, float),
    "list": (list,),
    "structure": (dict,),
}


def check_shape(shape: Any, value: Any, at: str) -> None:
    """A value has the members and types of a shape, and all that is required."""
    assert isinstance(value, TYPES[shape.type_name]), (at, value)
    assert shape.type_name == "boolean" or not isinstance(value, bool), (at, value)
    if shape.type_name == "list":
        for one in value:
            check_shape(shape.member, one, f"{at}[]")
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members), at
        assert set(shape.required_members) <= set(value), at
        for name, one in value.items():
            check_shape(shape.members[name], one, f"{at}.{name}")
    if getattr(shape, "enum", None):
        assert value in shape.enum, at
