"""The official conformance suite of the distribution specification, on a registry that nobody has used before."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.hub import docker_hub
from tests.mirror import Mirror, running_mirror
from tests.tools import tool

NOBODY = "http://127.0.0.1:9"
"""An upstream that is not there: own names never need one."""

CASES = {
    "1.1": {"OCI_VERSION": "1.1"},
    "dev": {"OCI_VERSION": "dev"},
    "dev with sparse images": {"OCI_VERSION": "dev", "OCI_DATA_SPARSE": "true"},
    "1.1 by two workers": {"OCI_VERSION": "1.1"},
}
LEAST = {"1.1": 860, "dev": 986, "dev with sparse images": 1030, "1.1 by two workers": 860}
"""Tests that the suite of August 2026 has; a newer one may have more."""


@pytest.mark.parametrize("case", CASES)
def test_own_names_pass_the_whole_suite(tmp_path: Path, case: str) -> None:
    arguments = ["--own", "conformance", "--workers", "2" if case.endswith("two workers") else "1"]
    with running_mirror(tmp_path, NOBODY, arguments=arguments) as mirror:
        counts = conformance(mirror, tmp_path, OCI_REPO1="conformance/repo1", OCI_REPO2="conformance/repo2", **CASES[case])

    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0)
    assert counts["Pass"] >= LEAST[case]


@pytest.mark.parametrize("name", ["library/node", "docker/library/node"])
def test_names_that_are_pulled_through_pass_the_suite_for_reading(tmp_path: Path, name: str) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        index = json.loads(mirror.get(f"/v2/{name}/manifests/20-alpine").body)
        child = index["manifests"][0]["digest"]
        image = json.loads(mirror.get(f"/v2/{name}/manifests/{child}").body)
        blobs = [image["config"]["digest"], *(layer["digest"] for layer in image["layers"])]
        counts = conformance(
            mirror,
            tmp_path,
            OCI_VERSION="dev",
            OCI_REPO1=name,
            OCI_REPO2="library/alpine",
            OCI_API_MANIFESTS_DIGEST_HEADER="false",  # the suite does not look at the answer's headers for manifests that it does not know
            **{f"OCI_API_{api}": "false" for api in ("PUSH", "BLOBS_DELETE", "MANIFESTS_DELETE", "TAGS_DELETE", "BLOBS_UPLOAD_CANCEL")},
            OCI_RO_DATA_TAGS="20-alpine",
            OCI_RO_DATA_MANIFESTS=child,
            OCI_RO_DATA_BLOBS=" ".join(blobs),
            OCI_RO_DATA_REFERRERS=child,
        )

    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0)
    assert counts["Pass"] >= 10


def conformance(mirror: Mirror, folder: Path, **settings: str) -> dict[str, int]:
    """Run the suite; how many of its tests ended how."""
    environment = {"OCI_REGISTRY": mirror.address, "OCI_TLS": "disabled", "OCI_RESULTS_DIR": str(folder / "results")}
    done = subprocess.run(
        [tool("oci-conformance")],
        cwd=folder,
        env={**os.environ, **environment, **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = re.findall(r"^  (Disabled|Skip|Pass|FAIL|Error)\.*: +([0-9]+)$", done.stdout, re.MULTILINE)
    assert found, done.stderr
    print(done.stderr)
    return {name: int(count) for name, count in found}
