"""Container commands: which of their arguments name an image, and in what way (rules #69 and #72)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from unhub.formats._commands import flags
from unhub.formats._commands.docker import BUILD, BUILDX, COMPOSE, DOCKER
from unhub.formats._commands.others import (
    ANCHORE_ONE,
    AWS_IMAGE,
    BUILDAH,
    BUILDCTL,
    CRANE,
    CRICTL,
    CTR,
    HELM,
    IMAGE_OPTION,
    K3D,
    KIND,
    KUBECTL,
    MINIKUBE,
    ORAS,
    PACK,
    PLATFORM_IMAGE,
    REGCTL,
    RUNNER,
    SINGULARITY,
    SKOPEO,
    TRIVY,
)
from unhub.formats._commands.usage import Role, Tool, Usage

TOOLS: Final[Mapping[str, Tool]] = {
    "docker": Tool(DOCKER, flags.DOCKER),
    "nerdctl": Tool(DOCKER, flags.DOCKER),
    "finch": Tool(DOCKER, flags.DOCKER),
    "podman": Tool(DOCKER, flags.DOCKER, short_names=True),
    "podman-remote": Tool(DOCKER, flags.DOCKER, short_names=True),
    "docker-buildx": Tool(BUILDX, flags.DOCKER),
    "docker-compose": Tool({"": COMPOSE}),
    "buildah": Tool(BUILDAH, flags.DOCKER, short_names=True),
    "buildctl": Tool(BUILDCTL, flags.NOTHING),
    "skopeo": Tool(SKOPEO, flags.SKOPEO),
    "crane": Tool(CRANE, flags.CRANE),
    "gcrane": Tool(CRANE, flags.CRANE),
    "krane": Tool(CRANE, flags.CRANE),
    "oras": Tool(ORAS, flags.ORAS),
    "regctl": Tool(REGCTL, flags.REGCTL),
    "ctr": Tool(CTR, flags.CTR),
    "crictl": Tool(CRICTL, flags.CRICTL),
    "kubectl": Tool(KUBECTL, flags.KUBECTL),
    "oc": Tool(KUBECTL, flags.KUBECTL),
    "helm": Tool(HELM),
    "kind": Tool(KIND, flags.KIND),
    "k3d": Tool(K3D),
    "minikube": Tool(MINIKUBE),
    "pack": Tool(PACK, flags.PACK),
    "singularity": Tool(SINGULARITY),
    "apptainer": Tool(SINGULARITY),
    "trivy": Tool(TRIVY, flags.TRIVY),
    "grype": Tool({"": ANCHORE_ONE}, flags.NOTHING),
    "syft": Tool({"scan": ANCHORE_ONE, "packages": ANCHORE_ONE, "attest": ANCHORE_ONE, "": ANCHORE_ONE}, flags.ANCHORE),
    "dive": Tool({"build": BUILD, "": Usage(flags.SCANNER, (Role.PULL,))}),
    "dockle": Tool({"": Usage(flags.SCANNER, (Role.PULL,))}),
    "snyk": Tool({name: Usage(flags.SCANNER, (Role.PULL,)) for name in ("container test", "container monitor")}),
    "act": Tool({"": Usage(flags.NOTHING, flags={"-P": Role.ASSIGNED, "--platform": Role.ASSIGNED})}),
    "toolbox": Tool({"create": IMAGE_OPTION}, short_names=True),
    "distrobox": Tool({"create": IMAGE_OPTION, "ephemeral": IMAGE_OPTION}, short_names=True),
    "distrobox-create": Tool({"": IMAGE_OPTION}, short_names=True),
    "gitlab-runner": Tool({"register": RUNNER, "exec docker": RUNNER}),
    "aws": Tool({f"codebuild {name}": AWS_IMAGE for name in ("start-build", "start-build-batch", "create-project", "update-project")}),
    "gcloud": Tool(dict.fromkeys(("run deploy", "run jobs create", "run jobs update", "run services update", "beta run deploy"),
    PLATFORM_IMAGE)),
    "az": Tool({"container create": PLATFORM_IMAGE, "containerapp create": PLATFORM_IMAGE, "containerapp up": PLATFORM_IMAGE,
                "acr import": Usage(flags.NOTHING, flags={"--source": Role.PULL})}),
}  # fmt: skip

_ENGINE_NAMES: Final = frozenset({
    "DOCKER", "DOCKER_CMD", "DOCKERCMD", "DOCKER_BIN", "DOCKER_CLI", "DOCKER_EXE", "DOCKER_EXEC", "DOCKER_COMMAND", "DOCKER_BINARY",
    "PODMAN", "CONTAINER_ENGINE", "CONTAINER_RUNTIME", "CONTAINER_TOOL", "CONTAINER_CLI", "CONTAINER_CMD", "CONTAINER_COMMAND",
    "CONTAINER_BUILDER", "CONTAINER_MANAGER", "OCI_BIN", "OCI_RUNTIME", "OCI_ENGINE", "CTR_ENGINE", "CONTAINERTOOL", "CONTAINER_BIN",
    "DOCKERCLI", "SUDO_DOCKER", "ENGINE", "CRI_TOOL", "IMAGE_BUILDER", "IMAGE_TOOL", "DOCKER_OR_PODMAN",
})  # fmt: skip


def tool_named(name: str) -> Tool | None:
    """The tool that a command name means; a path in front and ``.exe`` behind do not matter."""
    return TOOLS.get(name.replace("\\", "/").rpartition("/")[2].removesuffix(".exe"))


def engine_variable(name: str) -> str | None:
    """The tool that a variable of unknown value is sure to hold, going by its name (``$DOCKER``, ``$(CONTAINER_ENGINE)``)."""
    upper = name.upper()
    if upper in _ENGINE_NAMES:
        return "docker"
    return {"BUILDX": "docker-buildx", "BUILDX_CMD": "docker-buildx", "KUBECTL": "kubectl", "SKOPEO": "skopeo", "CRANE": "crane",
            "BUILDAH": "buildah", "HELM": "helm", "KIND": "kind", "TRIVY": "trivy", "NERDCTL": "nerdctl"}.get(upper)  # fmt: skip


def engine_function(name: str) -> str | None:
    """The tool behind a function that is defined elsewhere and named like one (``dockerCmd``, ``docker_run``)."""
    folded = name.lower().replace("_", "").replace("-", "")
    return "docker" if folded in ("dockercmd", "dockercli", "dodocker", "sudodocker", "rundocker", "mydocker") else None


class Subcommand(Struct, frozen=True):
    """A tool's subcommand that was recognised, and how many words its name takes."""

    name: str
    usage: Usage
    words: int


def subcommand(tool: Tool, words: Iterable[str | None]) -> Subcommand | None:
    """The longest subcommand that the first of ``words`` spell."""
    known = list(words)[:4]
    for length in range(min(3, len(known)), -1, -1):
        head = known[:length]
        name = " ".join(word for word in head if word is not None)
        if None not in head and name in tool.usages:
            return Subcommand(name, tool.usages[name], length)
    return None


def short_flags(text: str, switches: frozenset[str]) -> Iterator[tuple[str, int | None]]:
    """The flags of a cluster such as ``-itv``: each with the offset of its value, ``None`` for a switch.

    An offset at the end of ``text`` means the value is the next word.
    """
    for number in range(1, len(text)):
        flag = f"-{text[number]}"
        if flag in switches:
            yield flag, None
            continue
        at = number + 1
        yield flag, at + 1 if text[at : at + 1] == "=" else at
        return
