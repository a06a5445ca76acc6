"""Shell scripts: the images of the container commands in them (rules #56, #59, #69, #72)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._format import NO_EXTENSION, Format
from unhub.formats._shell import script as shell_script
from unhub.formats._text import Mapped
from unhub.image.found import Finding
from unhub.image.source import Source

_SHEBANG = re.compile(rb"(?:\xef\xbb\xbf)?#![ \t]*\S*/(?:env[ \t]+(?:-\S+[ \t]+)*)?(?:ba|da|a|k|mk|z)?sh\b")
_EXTENSIONS = (".sh", ".bash", ".ksh", ".zsh", ".bats")


def _recognise(source: Source) -> bool:
    if source.name.lower().endswith(_EXTENSIONS):
        return True
    return _SHEBANG.match(source.data) is not None


FORMAT = Format(
    name="shell",
    title="Shell scripts",
    tier="A",
    files=("*.sh", "*.bash", "*.ksh", "*.zsh", "*.bats", NO_EXTENSION),
    positions=(
        "docker, podman, nerdctl: run, create, pull, build, buildx, service, manifest, scout",
        "buildah, skopeo, crane, oras, regctl, ctr, crictl, kubectl, kind, k3d, minikube, pack, trivy, grype, syft and their like",
        "variables that hold an image, in the same script",
        "here-documents that are a Dockerfile, a manifest or a compose file",
    ),
    gaps=("variables that another script sets", "arrays that are filled in a loop", "PowerShell and cmd"),
    order=50,
    needles=shell_script.NEEDLES,
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images that the commands of a script name."""
    text = Mapped.plain(source.data, 0, len(source.data))
    yield from shell_script.of_texts(source, [("", text)])
