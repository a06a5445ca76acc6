"""Jenkins pipelines: declarative and scripted, and the files of shared libraries (rule #68)."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._groovy.jenkins import Pipeline
from unhub.image.found import Finding
from unhub.image.source import Source

FORMAT = Format(
    name="jenkinsfile",
    title="Jenkins pipelines",
    tier="B",
    files=("jenkinsfile*", "*.jenkinsfile", "*.jenkins", "*.groovy"),
    positions=(
        "agent { docker '…' }, agent { docker { image '…' } }, dockerContainer",
        "docker.image('…'), withDockerContainer, dockerNode",
        "containerTemplate(image: '…'), podTemplate(yaml: '''…'''), agent { kubernetes { yaml '''…''' } }",
        "sh steps, docker.build and additionalBuildArgs as commands",
        "docker.withRegistry and registryUrl, which change where a name is pulled from",
    ),
    gaps=(
        "only literals are rewritten; variables and interpolated names are reported",
        "files that yamlFile, readTrusted or load name are looked at as what they are",
        "commands of bat and powershell steps are reported, not moved",
    ),
    order=45,
    needles=(b"docker", b"image", b"container", b"podman", b"nerdctl", b"yaml"),
)


def find(source: Source) -> Iterator[Finding]:
    """The images of a pipeline, and the commands of its shell steps."""
    yield from Pipeline(source).findings()
