"""``action.yml``: a docker action's image, and the steps of a composite action (rule #62)."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._github import workflow as github_workflow
from unhub.image.found import Finding
from unhub.image.source import Source


def _recognise(source: Source) -> bool:
    return b"runs" in source.data


FORMAT = Format(
    name="github-action",
    title="GitHub Actions: action.yml",
    tier="A",
    files=("action.yml", "action.yaml"),
    positions=(
        "runs.image: docker://… (any other value is the path of a Dockerfile)",
        "runs.steps[]: uses, run and with, as in a workflow",
        "inputs.*.default, where the input is used as an image",
    ),
    order=11,
    needles=(b"docker", b"image", b"podman", b"nerdctl", b"buildah", b"skopeo", b"kubectl", b"helm"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of an action."""
    for images in github_workflow.action(source):
        yield from images.findings()
