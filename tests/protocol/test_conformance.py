"""The official conformance suite of the distribution specification, on a registry that nobody has used before."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.protocol.content import digest_of, image, lay_upstream
from tests.protocol.serving import Server, serving
from tests.tools import tool

CASES = {
    "1.1": {"OCI_VERSION": "1.1"},
    "dev": {"OCI_VERSION": "dev"},
    "dev with sparse images": {"OCI_VERSION": "dev", "OCI_DATA_SPARSE": "true"},
    "1.1 by two workers": {"OCI_VERSION": "1.1"},
}
LEAST = {"1.1": 860, "dev": 986, "dev with sparse images": 1030, "1.1 by two workers": 860}
"""Tests that the suite of August 2026 has; a newer one may have more."""


@pytest.mark.parametrize("case", CASES)
def test_a_registry_of_own_names_passes_the_whole_suite(tmp_path: Path, case: str) -> None:
    with serving(tmp_path / "data", workers=2 if case.endswith("two workers") else 1) as server:
        counts = conformance(server, tmp_path, OCI_REPO1="conformance/repo1", OCI_REPO2="conformance/repo2", **CASES[case])

    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0)
    assert counts["Pass"] >= LEAST[case]


def test_names_that_are_pulled_through_pass_the_suite_for_reading(tmp_path: Path) -> None:
    held = image()
    with serving(tmp_path / "data") as server:
        lay_upstream(server, "library/held", held, "latest")
        counts = conformance(
            server,
            tmp_path,
            OCI_VERSION="dev",
            OCI_REPO1="docker/library/held",
            OCI_REPO2="library/held",
            OCI_API_MANIFESTS_DIGEST_HEADER="false",  # the suite does not look at the answer's headers for manifests that it does not know
            OCI_API_PUSH="false",
            OCI_API_BLOBS_DELETE="false",
            OCI_API_MANIFESTS_DELETE="false",
            OCI_API_TAGS_DELETE="false",
            OCI_API_BLOBS_UPLOAD_CANCEL="false",
            OCI_RO_DATA_TAGS="latest",
            OCI_RO_DATA_MANIFESTS=held.digest,
            OCI_RO_DATA_BLOBS=f"{digest_of(held.config)} {digest_of(held.layer)}",
            OCI_RO_DATA_REFERRERS=held.digest,
        )

    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0)
    assert counts["Pass"] >= 10


def conformance(server: Server, folder: Path, **settings: str) -> dict[str, int]:
    """Run the suite; how many of its tests ended how."""
    environment = {"OCI_REGISTRY": f"127.0.0.1:{server.port}", "OCI_TLS": "disabled", "OCI_RESULTS_DIR": str(folder / "results")}
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
