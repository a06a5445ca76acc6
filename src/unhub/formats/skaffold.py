"""Skaffold configuration: images that builders start from, that verify and act, and what is built (rule #71).

The positions are those of Skaffold's own schema, ``skaffold/v4beta14`` (skaffold.dev,
"skaffold.yaml" reference, 2026-08), and the older spellings it still upgrades.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._skaffold import Config
from unhub.formats._yaml.parse import parse
from unhub.image.found import Finding
from unhub.image.source import Source

_API = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*[\"']?apiVersion[\"']?[ \t]*:[ \t]*[\"']?skaffold/", re.MULTILINE)


def _recognise(source: Source) -> bool:
    return _API.search(source.data) is not None


FORMAT = Format(
    name="skaffold",
    title="Skaffold",
    tier="B",
    files=("skaffold*.yaml", "skaffold*.yml", "*.yaml", "*.yml"),
    positions=(
        "artifacts[].buildpacks.builder and runImage",
        "artifacts[].jib.fromImage, ko.fromImage",
        "artifacts[].docker.cacheFrom, docker.buildArgs that a FROM uses",
        "artifacts[].kaniko.image and initImage",
        "googleCloudBuild.*Image and platformEmulatorInstallStep.image",
        "verify[].container.image, customActions[].containers[].image",
        "helm.releases[].setValues (image, repository, registry)",
        "hooks, custom build and test commands",
        "profiles[] and their patches",
        "artifacts[].image, test[].image as outputs",
    ),
    gaps=(
        "values of Helm releases are read by the names of their keys, not by the chart",
        "images of artifacts that another file requires are known as built below that file's folder only",
    ),
    order=30,
    needles=(b"skaffold/",),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of every configuration of a file, profiles and their patches included."""
    for document in parse(source.data):
        yield from Config(source, document).findings()
