"""Container commands: which of their arguments name an image, and in what way (rules #69 and #72)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from unhub.formats import _command_flags as flags


class Role(StrEnum):
    """What an argument is to the command."""

    PULL = "pull"
    """An image that is pulled."""
    LOCAL = "local"
    """An image that must be on this machine already, by the name it was pulled under."""
    PERHAPS = "perhaps"
    """Any kind of object; an image only if the script pulls one of that name."""
    OUTPUT = "output"
    """A name that the command gives to an image or pushes it to."""
    TRANSPORT = "transport"
    """An image if ``docker://`` stands in front."""
    DESTINATION = "destination"
    """A name that is pushed to, if ``docker://`` stands in front."""
    CONTEXT = "context"
    """``key=docker-image://image``."""
    BUILD_ARGUMENT = "build argument"
    """``ARG=value``."""
    BUILD_OPTION = "build option"
    """buildctl's ``--opt key=value``."""
    BAKE_OPTION = "bake option"
    """``target.key=value``."""
    FIELDS = "fields"
    """``key=value,key=value`` where one key holds an image."""
    ASSIGNED = "assigned"
    """``name=image``."""
    CACHE = "cache"
    """An image, or ``type=registry,ref=image``."""
    CACHE_OUTPUT = "cache output"
    """An output, or ``type=registry,ref=output``."""
    FILTER = "filter"
    """``ancestor=image``."""
    CHART_VALUE = "chart value"
    """``path.to.key=value`` of a Helm chart."""
    FILE = "file"
    """A file that the command reads; ``-`` for standard input."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Usage:
    """One command with its subcommand: its flags and what stands at its positions.

    ``positions`` are the roles of the first arguments; the last one holds for all that
    follow if ``repeats``. ``inner``: the rest is a command that is run in the container.
    ``stdin`` names the format that the command reads from standard input.
    """

    switches: frozenset[str] = flags.NOTHING
    positions: tuple[Role, ...] = ()
    repeats: bool = False
    flags: Mapping[str, Role] = field(default_factory=dict[str, Role])
    inner: bool = False
    stdin: str = ""
    field_keys: tuple[str, ...] = ("image",)
    last: Role | None = None
    by_platform: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: its flags in front of the subcommand, its subcommands, and how it reads a bare name."""

    usages: Mapping[str, Usage]
    switches: frozenset[str] = flags.NOTHING
    short_names: bool = False


_MOUNT = {"--mount": Role.FIELDS}
_MOUNT_KEYS = ("source", "src")
_RUN = Usage(flags.RUN, (Role.PULL,), flags=_MOUNT, inner=True, field_keys=_MOUNT_KEYS)
_BUILD = Usage(
    flags.BUILD,
    flags={
        "-t": Role.OUTPUT, "--tag": Role.OUTPUT, "--build-context": Role.CONTEXT, "--build-arg": Role.BUILD_ARGUMENT,
        "--cache-from": Role.CACHE, "--cache-to": Role.CACHE_OUTPUT, "-f": Role.FILE, "--file": Role.FILE, "--from": Role.PULL,
        "-o": Role.FIELDS, "--output": Role.FIELDS,
    },
    positions=(Role.FILE,),
    stdin="dockerfile",
    field_keys=(),
)  # fmt: skip
_PULL = Usage(flags.PULL, (Role.PULL,), repeats=True)
_PUSH = Usage(flags.PUSH, (Role.OUTPUT,), repeats=True)
_TAG = Usage(flags.PUSH, (Role.LOCAL, Role.OUTPUT), repeats=True)
_SAVE = Usage(flags.SAVE, (Role.LOCAL,), repeats=True)
_REMOVE = Usage(flags.REMOVE, (Role.LOCAL,), repeats=True)
_INSPECT = Usage(flags.INSPECT, (Role.PERHAPS,), repeats=True)
_INSPECT_IMAGE = Usage(flags.INSPECT, (Role.LOCAL,), repeats=True)
_HISTORY = Usage(flags.HISTORY, (Role.LOCAL,))
_LIST = Usage(flags.LIST, (Role.LOCAL,))
_COMMIT = Usage(flags.COMMIT, (Role.NONE, Role.OUTPUT))
_IMPORT = Usage(flags.COMMIT, (Role.NONE, Role.OUTPUT))
_PS = Usage(flags.LIST, flags={"-f": Role.FILTER, "--filter": Role.FILTER})
_SCOUT = Usage(flags.SCOUT, (Role.PULL,), flags={"--to": Role.PULL})
_EXEC = Usage(flags.RUN, (Role.NONE,), inner=True)
_SERVICE = Usage(flags.SERVICE, (Role.PULL,), flags=_MOUNT, inner=True, field_keys=_MOUNT_KEYS, by_platform=True)

_IMAGE_COMMANDS = {
    "build": _BUILD, "pull": _PULL, "push": _PUSH, "tag": _TAG, "save": _SAVE, "rm": _REMOVE, "remove": _REMOVE,
    "inspect": _INSPECT_IMAGE, "history": _HISTORY, "ls": _LIST, "list": _LIST, "import": _IMPORT, "exists": _INSPECT_IMAGE,
    "tree": _HISTORY, "untag": _REMOVE, "mount": _INSPECT_IMAGE, "scp": Usage(flags.PUSH), "convert": _TAG, "encrypt": _TAG,
}  # fmt: skip
_CONTAINER_COMMANDS = {
    "run": _RUN, "create": _RUN, "exec": _EXEC, "commit": _COMMIT, "ls": _PS, "ps": _PS, "list": _PS,
    "runlabel": Usage(flags.RUN, (Role.NONE, Role.PULL)),
}  # fmt: skip
_IMAGETOOLS_CREATE = Usage(flags.IMAGETOOLS, (Role.PULL,), repeats=True, flags={"-t": Role.OUTPUT, "--tag": Role.OUTPUT})
_BUILDX = {
    "build": _BUILD, "b": _BUILD, "create": Usage(flags.CREATE_BUILDER, flags={"--driver-opt": Role.FIELDS}),
    "imagetools create": _IMAGETOOLS_CREATE, "imagetools inspect": Usage(flags.IMAGETOOLS, (Role.PULL,)),
    "bake": Usage(flags.BAKE, flags={"--set": Role.BAKE_OPTION, "-f": Role.FILE, "--file": Role.FILE}, stdin="bake"),
    "debug build": _BUILD, "dap build": _BUILD,
}  # fmt: skip
_COMPOSE = Usage(flags.NOTHING, flags={"-f": Role.FILE, "--file": Role.FILE, "-c": Role.FILE, "--compose-file": Role.FILE}, stdin="compose")


def _under(prefix: str, usages: Mapping[str, Usage]) -> dict[str, Usage]:
    return {f"{prefix} {name}": usage for name, usage in usages.items()}


_DOCKER: dict[str, Usage] = {
    **{name: _IMAGE_COMMANDS[name] for name in ("build", "pull", "push", "tag", "save", "history", "import", "untag")},
    **{name: _CONTAINER_COMMANDS[name] for name in ("run", "create", "exec", "commit", "ps", "runlabel")},
    **_under("image", _IMAGE_COMMANDS),
    **_under("container", _CONTAINER_COMMANDS),
    **_under("buildx", _BUILDX),
    "builder build": _BUILD, "buildx": Usage(), "rmi": _REMOVE, "images": _LIST, "inspect": _INSPECT,
    "service create": _SERVICE,
    "service update": Usage(flags.SERVICE, flags={"--image": Role.PULL}, by_platform=True),
    "manifest inspect": Usage(flags.MANIFEST, (Role.PULL,), repeats=True),
    "manifest create": Usage(flags.MANIFEST, (Role.OUTPUT, Role.PULL), repeats=True),
    "manifest annotate": Usage(flags.MANIFEST, (Role.OUTPUT, Role.PULL)),
    "manifest push": _PUSH, "manifest rm": _PUSH, "manifest add": Usage(flags.MANIFEST, (Role.OUTPUT, Role.PULL), repeats=True),
    "scout cves": _SCOUT, "scout quickview": _SCOUT, "scout qv": _SCOUT, "scout recommendations": _SCOUT, "scout sbom": _SCOUT,
    "scout compare": _SCOUT, "scout diff": _SCOUT, "scout policy": _SCOUT, "scout vex get": _SCOUT,
    "sbom": _SCOUT, "trust inspect": Usage(flags.MANIFEST, (Role.PULL,)), "trust sign": _PUSH, "debug": Usage(flags.RUN, (Role.PERHAPS,)),
    "stack deploy": _COMPOSE, "compose": _COMPOSE,
    "bud": _BUILD,
}  # fmt: skip

_BUILDAH: dict[str, Usage] = {
    "from": Usage(flags.BUILDAH_FROM, (Role.PULL,)), "pull": _PULL, "bud": _BUILD, "build": _BUILD, "build-using-dockerfile": _BUILD,
    "push": _PUSH, "tag": _TAG, "rmi": _REMOVE, "commit": _COMMIT, "inspect": _INSPECT,
    "copy": Usage(flags.BUILDAH_FROM, flags={"--from": Role.PULL}), "add": Usage(flags.BUILDAH_FROM, flags={"--from": Role.PULL}),
    "manifest create": _DOCKER["manifest create"], "manifest add": _DOCKER["manifest add"], "manifest push": _PUSH,
    "manifest inspect": Usage(flags.MANIFEST, (Role.PERHAPS,)),
}  # fmt: skip
_SKOPEO_ONE = Usage(flags.SKOPEO, (Role.TRANSPORT,))
_SKOPEO: dict[str, Usage] = {
    "copy": Usage(flags.SKOPEO, (Role.TRANSPORT, Role.DESTINATION)), "inspect": _SKOPEO_ONE, "list-tags": _SKOPEO_ONE,
    "delete": Usage(flags.SKOPEO, (Role.DESTINATION,)), "sync": Usage(flags.SKOPEO, (Role.PULL, Role.NONE)),
}  # fmt: skip
_CRANE_ONE, _COPY = Usage(flags.CRANE, (Role.PULL,)), Usage(flags.CRANE, (Role.PULL, Role.OUTPUT))
_CRANE: dict[str, Usage] = {
    **dict.fromkeys(("pull", "digest", "manifest", "config", "ls", "export", "validate", "flatten", "index list", "blob"), _CRANE_ONE),
    "copy": _COPY, "cp": _COPY, "tag": Usage(flags.CRANE, (Role.OUTPUT,)), "push": Usage(flags.CRANE, (Role.NONE, Role.OUTPUT)),
    "mutate": Usage(flags.CRANE, (Role.PULL,), flags={"-t": Role.OUTPUT, "--tag": Role.OUTPUT}),
    "validate": Usage(flags.CRANE - {"--remote"}, flags={"--remote": Role.PULL}),
    "append": Usage(flags.CRANE, flags={"-b": Role.PULL, "--base": Role.PULL, "-t": Role.OUTPUT, "--new_tag": Role.OUTPUT}),
    "rebase": Usage(flags.CRANE, (Role.OUTPUT,), flags={"--old_base": Role.PULL, "--new_base": Role.PULL, "-t": Role.OUTPUT}),
    "delete": _PUSH,
}  # fmt: skip
_ORAS_ONE, _ORAS_COPY = Usage(flags.ORAS, (Role.PULL,)), Usage(flags.ORAS, (Role.PULL, Role.OUTPUT))
_ORAS: dict[str, Usage] = {
    **dict.fromkeys(("pull", "discover", "resolve", "manifest fetch", "manifest fetch-config", "blob fetch", "repo tags", "backup"), _ORAS_ONE),
    "copy": _ORAS_COPY, "cp": _ORAS_COPY, "push": Usage(flags.ORAS, (Role.OUTPUT,)), "tag": Usage(flags.ORAS, (Role.OUTPUT,)),
    "attach": Usage(flags.ORAS, (Role.OUTPUT,)),
}  # fmt: skip
_REGCTL_ONE, _REGCTL_COPY = Usage(flags.REGCTL, (Role.PULL,)), Usage(flags.REGCTL, (Role.PULL, Role.OUTPUT))
_REGCTL: dict[str, Usage] = {
    **{
        f"{group} {name}": _REGCTL_ONE
        for group in ("image", "manifest", "tag", "index", "artifact", "blob")
        for name in ("digest", "manifest", "inspect", "config", "export", "get", "get-file", "head", "ls", "ratelimit", "check-base", "list", "tree")
    },
    "image copy": _REGCTL_COPY, "image cp": _REGCTL_COPY, "index create": Usage(flags.REGCTL, (Role.OUTPUT,), flags={"--ref": Role.PULL}),
    "image mod": Usage(flags.REGCTL, (Role.PULL,), flags={"--create": Role.OUTPUT}),
    "image create": Usage(flags.REGCTL, (Role.OUTPUT,)), "image import": Usage(flags.REGCTL, (Role.OUTPUT,)),
}  # fmt: skip
_CTR_IMAGES = {
    "pull": Usage(flags.CTR, (Role.PULL,), repeats=True), "push": _PUSH, "tag": Usage(flags.CTR, (Role.LOCAL, Role.OUTPUT), repeats=True),
    "rm": _REMOVE, "remove": _REMOVE, "mount": Usage(flags.CTR, (Role.LOCAL,)), "export": Usage(flags.CTR, (Role.NONE, Role.LOCAL), repeats=True),
    "check": Usage(flags.CTR), "convert": Usage(flags.CTR, (Role.LOCAL, Role.OUTPUT)),
}  # fmt: skip
_CTR: dict[str, Usage] = {
    **{f"{group} {name}": usage for group in ("images", "image", "i") for name, usage in _CTR_IMAGES.items()},
    "run": Usage(flags.CTR, (Role.LOCAL, Role.NONE), inner=True),
    "containers create": Usage(flags.CTR, (Role.LOCAL,)), "container create": Usage(flags.CTR, (Role.LOCAL,)), "c create": Usage(flags.CTR, (Role.LOCAL,)),
}  # fmt: skip
_CRICTL: dict[str, Usage] = {
    "pull": Usage(flags.CRICTL, (Role.PULL,)), "inspecti": Usage(flags.CRICTL, (Role.LOCAL,), repeats=True),
    "rmi": Usage(flags.CRICTL, (Role.LOCAL,), repeats=True), "images": Usage(flags.CRICTL, (Role.LOCAL,)),
}  # fmt: skip
_IMAGE_FLAG = Usage(flags.NOTHING, flags={"--image": Role.PULL}, by_platform=True)
_FROM_FILES = Usage(flags.KUBECTL, flags={"-f": Role.FILE, "--filename": Role.FILE}, stdin="kubernetes")
_KUBECTL: dict[str, Usage] = {
    **dict.fromkeys(("run", "debug", "create deployment", "create deploy", "create job", "create cronjob", "create cj"), _IMAGE_FLAG),
    "set image": Usage(flags.KUBECTL, (Role.NONE, Role.ASSIGNED), repeats=True, by_platform=True),
    "apply": _FROM_FILES, "create": _FROM_FILES, "replace": _FROM_FILES, "exec": Usage(flags.RUN, (Role.NONE,), inner=True),
}  # fmt: skip
_HELM = {
    name: Usage(flags.NOTHING, flags=dict.fromkeys(("--set", "--set-string", "--set-literal"), Role.CHART_VALUE))
    for name in ("install", "upgrade", "template", "dep", "diff upgrade", "secrets upgrade", "secrets install")
}
_IMAGE_OPTION = Usage(flags.NOTHING, flags={"--image": Role.PULL, "-i": Role.PULL})
_KIND: dict[str, Usage] = {
    "create cluster": Usage(flags.KIND, flags={"--image": Role.PULL}), "load docker-image": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
    "build node-image": Usage(flags.KIND, flags={"--base-image": Role.PULL, "--image": Role.OUTPUT}),
}  # fmt: skip
_K3D: dict[str, Usage] = {
    "cluster create": _IMAGE_OPTION, "node create": _IMAGE_OPTION, "registry create": _IMAGE_OPTION,
    "image import": Usage(flags.KIND, (Role.LOCAL,), repeats=True), "images import": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
}  # fmt: skip
_MINIKUBE: dict[str, Usage] = {
    "start": Usage(flags.NOTHING, flags={"--base-image": Role.PULL}), "image load": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
    "image pull": Usage(flags.KIND, (Role.PULL,), repeats=True), "cache add": Usage(flags.KIND, (Role.PULL,), repeats=True),
    "image build": _BUILD, "ssh": Usage(flags.NOTHING, (), inner=True), "image rm": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
}  # fmt: skip
_PACK: dict[str, Usage] = {
    "build": Usage(
        flags.PACK, (Role.OUTPUT,),
        flags={
            "-B": Role.PULL, "--builder": Role.PULL, "--run-image": Role.PULL, "--lifecycle-image": Role.PULL, "-t": Role.OUTPUT,
            "--tag": Role.OUTPUT, "--cache-image": Role.OUTPUT, "--previous-image": Role.OUTPUT,
        },
    ),
    "config default-builder": Usage(flags.PACK, (Role.PULL,)), "builder inspect": Usage(flags.PACK, (Role.PULL,)),
    "builder create": Usage(flags.PACK, (Role.OUTPUT,)), "rebase": Usage(flags.PACK, (Role.OUTPUT,), flags={"--run-image": Role.PULL}),
    "config run-image-mirrors add": Usage(flags.PACK, (Role.PULL,), flags={"-m": Role.OUTPUT, "--mirror": Role.OUTPUT}),
}  # fmt: skip
_SINGULARITY = {
    name: Usage(flags.NOTHING, (Role.TRANSPORT,), repeats=True)
    for name in ("pull", "build", "run", "exec", "shell", "inspect", "test", "instance start", "instance run")
}
_TRIVY = {name: Usage(flags.TRIVY, (Role.PULL,)) for name in ("image", "i")}
_ANCHORE_ONE = Usage(flags.ANCHORE, (Role.PULL,))
_BUILDCTL = {
    "build": Usage(
        flags.NOTHING,
        flags={"--opt": Role.BUILD_OPTION, "--import-cache": Role.CACHE, "--export-cache": Role.CACHE_OUTPUT, "--output": Role.NONE},
    )
}
_AWS_IMAGE = Usage(flags.NOTHING, flags={"--image-override": Role.PULL, "--environment": Role.FIELDS}, by_platform=True)
_RUNNER = Usage(flags.NOTHING, flags={"--docker-image": Role.PULL, "--docker-helper-image": Role.PULL, "--docker-services": Role.PULL})
_PLATFORM_IMAGE = Usage(flags.NOTHING, flags={"--image": Role.PULL}, by_platform=True)

TOOLS: Final[Mapping[str, Tool]] = {
    "docker": Tool(_DOCKER, flags.DOCKER),
    "nerdctl": Tool(_DOCKER, flags.DOCKER),
    "finch": Tool(_DOCKER, flags.DOCKER),
    "podman": Tool(_DOCKER, flags.DOCKER, short_names=True),
    "podman-remote": Tool(_DOCKER, flags.DOCKER, short_names=True),
    "docker-buildx": Tool(_BUILDX, flags.DOCKER),
    "docker-compose": Tool({"": _COMPOSE}),
    "buildah": Tool(_BUILDAH, flags.DOCKER, short_names=True),
    "buildctl": Tool(_BUILDCTL, flags.NOTHING),
    "skopeo": Tool(_SKOPEO, flags.SKOPEO),
    "crane": Tool(_CRANE, flags.CRANE),
    "gcrane": Tool(_CRANE, flags.CRANE),
    "krane": Tool(_CRANE, flags.CRANE),
    "oras": Tool(_ORAS, flags.ORAS),
    "regctl": Tool(_REGCTL, flags.REGCTL),
    "ctr": Tool(_CTR, flags.CTR),
    "crictl": Tool(_CRICTL, flags.CRICTL),
    "kubectl": Tool(_KUBECTL, flags.KUBECTL),
    "oc": Tool(_KUBECTL, flags.KUBECTL),
    "helm": Tool(_HELM),
    "kind": Tool(_KIND, flags.KIND),
    "k3d": Tool(_K3D),
    "minikube": Tool(_MINIKUBE),
    "pack": Tool(_PACK, flags.PACK),
    "singularity": Tool(_SINGULARITY),
    "apptainer": Tool(_SINGULARITY),
    "trivy": Tool(_TRIVY, flags.TRIVY),
    "grype": Tool({"": _ANCHORE_ONE}, flags.NOTHING),
    "syft": Tool({"scan": _ANCHORE_ONE, "packages": _ANCHORE_ONE, "attest": _ANCHORE_ONE, "": _ANCHORE_ONE}, flags.ANCHORE),
    "dive": Tool({"build": _BUILD, "": Usage(flags.SCANNER, (Role.PULL,))}),
    "dockle": Tool({"": Usage(flags.SCANNER, (Role.PULL,))}),
    "snyk": Tool({name: Usage(flags.SCANNER, (Role.PULL,)) for name in ("container test", "container monitor")}),
    "act": Tool({"": Usage(flags.NOTHING, flags={"-P": Role.ASSIGNED, "--platform": Role.ASSIGNED})}),
    "toolbox": Tool({"create": _IMAGE_OPTION}, short_names=True),
    "distrobox": Tool({"create": _IMAGE_OPTION, "ephemeral": _IMAGE_OPTION}, short_names=True),
    "distrobox-create": Tool({"": _IMAGE_OPTION}, short_names=True),
    "gitlab-runner": Tool({"register": _RUNNER, "exec docker": _RUNNER}),
    "aws": Tool({f"codebuild {name}": _AWS_IMAGE for name in ("start-build", "start-build-batch", "create-project", "update-project")}),
    "gcloud": Tool({name: _PLATFORM_IMAGE for name in ("run deploy", "run jobs create", "run jobs update", "run services update", "beta run deploy")}),
    "az": Tool({"container create": _PLATFORM_IMAGE, "containerapp create": _PLATFORM_IMAGE, "containerapp up": _PLATFORM_IMAGE,
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


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A tool's subcommand that was recognised, and how many words its name takes."""

    name: str
    usage: Usage
    words: int


def subcommand(tool: Tool, words: Iterable[str | None]) -> Subcommand | None:
    """The longest subcommand that the first of ``words`` spell."""
    known = [word for word in list(words)[:4]]
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
