"""boto3's paginators, as its own model lists them, and waiters by hand: ECR Public has none, so that scripts poll and catch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.api_images import image, push
from tests.gallery import EVERYTHING, Gallery, running_gallery

SESSION: Any = botocore.session.get_session()
PAGINATORS: dict[str, dict[str, str]] = SESSION.get_component("data_loader").load_service_model("ecr-public", "paginators-1")["pagination"]
MANY = 7
GIVEN: dict[str, dict[str, str]] = {"DescribeImages": {"repositoryName": "many"}, "DescribeImageTags": {"repositoryName": "many"}}
FOUND = {"DescribeRegistries": 1, "DescribeRepositories": MANY, "DescribeImages": MANY, "DescribeImageTags": MANY}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    with running_gallery(tmp_path_factory.mktemp("pages"), users={"owner": EVERYTHING}, arguments=["--workers", "2"]) as made:
        ecr = made.client("owner")
        for name in ("many", *(f"other/{number}" for number in range(MANY - 1))):
            ecr.create_repository(repositoryName=name)
        for number in range(MANY):
            push(ecr, "many", image(), f"v{number}")
        yield made


def test_the_model_lists_the_paginators_that_are_walked_here() -> None:
    assert PAGINATORS.keys() == FOUND.keys()


@pytest.mark.parametrize("size", [1, 3, MANY, 1000])
@pytest.mark.parametrize("operation", FOUND)
def test_a_paginator_gives_each_thing_once_whatever_the_page(gallery: Gallery, operation: str, size: int) -> None:
    ecr = gallery.client("owner")
    row, given = PAGINATORS[operation], GIVEN.get(operation, {})
    method = next(method for method, name in ecr.meta.method_to_api_mapping.items() if name == operation)
    whole = getattr(ecr, method)(**given)[row["result_key"]]
    assert len(whole) == FOUND[operation]
    pages = list(ecr.get_paginator(method).paginate(**given, PaginationConfig={"PageSize": size}))
    assert [one for page in pages for one in page[row["result_key"]]] == whole
    assert all(len(page[row["result_key"]]) == size for page in pages[:-1])
    assert len(pages) == -(-len(whole) // size)
    first = ecr.get_paginator(method).paginate(**given, PaginationConfig={"PageSize": 1, "MaxItems": 1}).build_full_result()
    if len(whole) > 1:
        rest = ecr.get_paginator(method).paginate(**given, PaginationConfig={"StartingToken": first["NextToken"]}).build_full_result()
        assert rest[row["result_key"]] == whole[1:], "a walk goes on where it was left"


def test_there_are_no_waiters_as_in_the_model(gallery: Gallery) -> None:
    assert gallery.client("owner").waiter_names == []


def wait_by_hand(ask: Callable[[], Any], wanted: Callable[[Any], bool], error: type[ClientError]) -> Any:
    """What a script does in the place of a waiter: ask again while an error of this class, or another answer, comes."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            answer = ask()
            if wanted(answer):
                return answer
        except error:
            pass
        time.sleep(0.02)
    pytest.fail("it did not come")


def test_what_appears_and_goes_is_waited_for_by_hand(gallery: Gallery) -> None:
    ecr, made = gallery.client("owner"), image()
    errors = ecr.exceptions

    def later() -> None:
        other = gallery.client("owner")
        time.sleep(0.2)
        other.create_repository(repositoryName="coming")
        push(other, "coming", made, "v1")

    thread = threading.Thread(target=later)
    thread.start()
    given = {"repositoryName": "coming"}
    wait_by_hand(lambda: ecr.describe_repositories(repositoryNames=["coming"]), lambda _: True, errors.RepositoryNotFoundException)
    found = wait_by_hand(
        lambda: ecr.describe_images(**given, imageIds=[{"imageTag": "v1"}]),
        lambda answer: answer["imageDetails"][0]["imageDigest"] == made.digest,
        errors.ImageNotFoundException,
    )
    assert found["imageDetails"][0]["imageTags"] == ["v1"]
    thread.join()
    ecr.batch_delete_image(**given, imageIds=[{"imageTag": "v1"}])
    with pytest.raises(errors.ImageNotFoundException):
        ecr.describe_images(**given, imageIds=[{"imageTag": "v1"}])
    ecr.delete_repository(repositoryName="coming")
    with pytest.raises(errors.RepositoryNotFoundException):
        ecr.describe_images(**given)
