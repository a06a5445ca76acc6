"""GitHub Actions workflows, and those of Gitea and Forgejo, which read the same files.

Rules #60, #61, #63b and #66. Syntax: docs.github.com, "Workflow syntax for GitHub Actions" (2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._github import workflow as github_workflow
from unhub.image.found import Finding
from unhub.image.source import Source

FORMAT = Format(
    name="github-actions",
    title="GitHub Actions workflows",
    tier="A",
    files=tuple(f".{system}/workflows/*.{end}" for system in ("github", "gitea", "forgejo") for end in ("yml", "yaml")),
    positions=(
        "jobs.*.container and jobs.*.container.image",
        "jobs.*.services.*.image",
        "steps[].uses: docker://…",
        "strategy.matrix values, where the key is used as an image; env and inputs likewise",
        "steps[].run: docker commands",
        "steps[].with of docker's own actions (build contexts, cache-from, build-args, driver-opts, image)",
        "with of actions and reusable workflows of the same repository, where the input is used as an image",
    ),
    gaps=(
        "calls in expressions (format, fromJSON) and matrices made by a job are reported",
        "commands in PowerShell, Python and cmd steps are reported, not read",
    ),
    order=10,
    needles=(
        b"container",
        b"image",
        b"services",
        b"docker",
        b"podman",
        b"nerdctl",
        b"buildah",
        b"skopeo",
        b"kubectl",
        b"helm",
    ),
)


def find(source: Source) -> Iterator[Finding]:
    """The images of every job."""
    for images in github_workflow.workflow(source):
        yield from images.findings()
