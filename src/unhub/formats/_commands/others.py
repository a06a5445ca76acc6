"""Subcommands of other tools that name images: builders, copiers, clusters, scanners, clouds."""

from __future__ import annotations

from unhub.formats._commands import flags
from unhub.formats._commands.docker import BUILD, COMMIT, DOCKER, INSPECT, PULL, PUSH, REMOVE, TAG
from unhub.formats._commands.usage import Role, Usage

BUILDAH: dict[str, Usage] = {
    "from": Usage(flags.BUILDAH_FROM, (Role.PULL,)), "pull": PULL, "bud": BUILD, "build": BUILD, "build-using-dockerfile": BUILD,
    "push": PUSH, "tag": TAG, "rmi": REMOVE, "commit": COMMIT, "inspect": INSPECT,
    "copy": Usage(flags.BUILDAH_FROM, flags={"--from": Role.PULL}), "add": Usage(flags.BUILDAH_FROM, flags={"--from": Role.PULL}),
    "manifest create": DOCKER["manifest create"], "manifest add": DOCKER["manifest add"], "manifest push": PUSH,
    "manifest inspect": Usage(flags.MANIFEST, (Role.PERHAPS,)),
}  # fmt: skip
_SKOPEO_ONE = Usage(flags.SKOPEO, (Role.TRANSPORT,))
SKOPEO: dict[str, Usage] = {
    "copy": Usage(flags.SKOPEO, (Role.TRANSPORT, Role.DESTINATION)), "inspect": _SKOPEO_ONE, "list-tags": _SKOPEO_ONE,
    "delete": Usage(flags.SKOPEO, (Role.DESTINATION,)), "sync": Usage(flags.SKOPEO, (Role.PULL, Role.NONE)),
}  # fmt: skip
_CRANE_ONE, _COPY = Usage(flags.CRANE, (Role.PULL,)), Usage(flags.CRANE, (Role.PULL, Role.OUTPUT))
CRANE: dict[str, Usage] = {
    **dict.fromkeys(("pull", "digest", "manifest", "config", "ls", "export", "validate", "flatten", "index list", "blob"), _CRANE_ONE),
    "copy": _COPY, "cp": _COPY, "tag": Usage(flags.CRANE, (Role.OUTPUT,)), "push": Usage(flags.CRANE, (Role.NONE, Role.OUTPUT)),
    "mutate": Usage(flags.CRANE, (Role.PULL,), flags={"-t": Role.OUTPUT, "--tag": Role.OUTPUT}),
    "validate": Usage(flags.CRANE - {"--remote"}, flags={"--remote": Role.PULL}),
    "append": Usage(flags.CRANE, flags={"-b": Role.PULL, "--base": Role.PULL, "-t": Role.OUTPUT, "--new_tag": Role.OUTPUT}),
    "rebase": Usage(flags.CRANE, (Role.OUTPUT,), flags={"--old_base": Role.PULL, "--new_base": Role.PULL, "-t": Role.OUTPUT}),
    "delete": PUSH,
}  # fmt: skip
_ORAS_ONE, _ORAS_COPY = Usage(flags.ORAS, (Role.PULL,)), Usage(flags.ORAS, (Role.PULL, Role.OUTPUT))
ORAS: dict[str, Usage] = {
    **dict.fromkeys(("pull", "discover", "resolve", "manifest fetch", "manifest fetch-config", "blob fetch", "repo tags", "backup"),
    _ORAS_ONE),
    "copy": _ORAS_COPY, "cp": _ORAS_COPY, "push": Usage(flags.ORAS, (Role.OUTPUT,)), "tag": Usage(flags.ORAS, (Role.OUTPUT,)),
    "attach": Usage(flags.ORAS, (Role.OUTPUT,)),
}  # fmt: skip
_REGCTL_ONE, _REGCTL_COPY = Usage(flags.REGCTL, (Role.PULL,)), Usage(flags.REGCTL, (Role.PULL, Role.OUTPUT))
REGCTL: dict[str, Usage] = {
    **{
        f"{group} {name}": _REGCTL_ONE
        for group in ("image", "manifest", "tag", "index", "artifact", "blob")
        for name in ("digest", "manifest", "inspect", "config", "export", "get", "get-file", "head", "ls", "ratelimit", "check-base",
        "list", "tree")
    },
    "image copy": _REGCTL_COPY, "image cp": _REGCTL_COPY, "index create": Usage(flags.REGCTL, (Role.OUTPUT,), flags={"--ref": Role.PULL}),
    "image mod": Usage(flags.REGCTL, (Role.PULL,), flags={"--create": Role.OUTPUT}),
    "image create": Usage(flags.REGCTL, (Role.OUTPUT,)), "image import": Usage(flags.REGCTL, (Role.OUTPUT,)),
}  # fmt: skip
_CTR_IMAGES = {
    "pull": Usage(flags.CTR, (Role.PULL,), repeats=True), "push": PUSH, "tag": Usage(flags.CTR, (Role.LOCAL, Role.OUTPUT), repeats=True),
    "rm": REMOVE, "remove": REMOVE, "mount": Usage(flags.CTR, (Role.LOCAL,)), "export": Usage(flags.CTR, (Role.NONE, Role.LOCAL),
    repeats=True),
    "check": Usage(flags.CTR), "convert": Usage(flags.CTR, (Role.LOCAL, Role.OUTPUT)),
}  # fmt: skip
CTR: dict[str, Usage] = {
    **{f"{group} {name}": usage for group in ("images", "image", "i") for name, usage in _CTR_IMAGES.items()},
    "run": Usage(flags.CTR, (Role.LOCAL, Role.NONE), inner=True),
    "containers create": Usage(flags.CTR, (Role.LOCAL,)), "container create": Usage(flags.CTR, (Role.LOCAL,)),
    "c create": Usage(flags.CTR, (Role.LOCAL,)),
}  # fmt: skip
CRICTL: dict[str, Usage] = {
    "pull": Usage(flags.CRICTL, (Role.PULL,)), "inspecti": Usage(flags.CRICTL, (Role.LOCAL,), repeats=True),
    "rmi": Usage(flags.CRICTL, (Role.LOCAL,), repeats=True), "images": Usage(flags.CRICTL, (Role.LOCAL,)),
}  # fmt: skip
_IMAGE_FLAG = Usage(flags.NOTHING, flags={"--image": Role.PULL}, by_platform=True)
_FROM_FILES = Usage(flags.KUBECTL, flags={"-f": Role.FILE, "--filename": Role.FILE}, stdin="kubernetes")
KUBECTL: dict[str, Usage] = {
    **dict.fromkeys(("run", "debug", "create deployment", "create deploy", "create job", "create cronjob", "create cj"), _IMAGE_FLAG),
    "set image": Usage(flags.KUBECTL, (Role.NONE, Role.ASSIGNED), repeats=True, by_platform=True),
    "apply": _FROM_FILES, "create": _FROM_FILES, "replace": _FROM_FILES, "exec": Usage(flags.RUN, (Role.NONE,), inner=True),
}  # fmt: skip
HELM = {
    name: Usage(flags.NOTHING, flags=dict.fromkeys(("--set", "--set-string", "--set-literal"), Role.CHART_VALUE))
    for name in ("install", "upgrade", "template", "dep", "diff upgrade", "secrets upgrade", "secrets install")
}
IMAGE_OPTION = Usage(flags.NOTHING, flags={"--image": Role.PULL, "-i": Role.PULL})
KIND: dict[str, Usage] = {
    "create cluster": Usage(flags.KIND, flags={"--image": Role.PULL}), "load docker-image": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
    "build node-image": Usage(flags.KIND, flags={"--base-image": Role.PULL, "--image": Role.OUTPUT}),
}  # fmt: skip
K3D: dict[str, Usage] = {
    "cluster create": IMAGE_OPTION, "node create": IMAGE_OPTION, "registry create": IMAGE_OPTION,
    "image import": Usage(flags.KIND, (Role.LOCAL,), repeats=True), "images import": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
}  # fmt: skip
MINIKUBE: dict[str, Usage] = {
    "start": Usage(flags.NOTHING, flags={"--base-image": Role.PULL}), "image load": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
    "image pull": Usage(flags.KIND, (Role.PULL,), repeats=True), "cache add": Usage(flags.KIND, (Role.PULL,), repeats=True),
    "image build": BUILD, "ssh": Usage(flags.NOTHING, (), inner=True), "image rm": Usage(flags.KIND, (Role.LOCAL,), repeats=True),
}  # fmt: skip
PACK: dict[str, Usage] = {
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
SINGULARITY = {
    name: Usage(flags.NOTHING, (Role.TRANSPORT,), repeats=True)
    for name in ("pull", "build", "run", "exec", "shell", "inspect", "test", "instance start", "instance run")
}
TRIVY = {name: Usage(flags.TRIVY, (Role.PULL,)) for name in ("image", "i")}
ANCHORE_ONE = Usage(flags.ANCHORE, (Role.PULL,))
BUILDCTL = {
    "build": Usage(
        flags.NOTHING,
        flags={"--opt": Role.BUILD_OPTION, "--import-cache": Role.CACHE, "--export-cache": Role.CACHE_OUTPUT, "--output": Role.NONE},
    )
}
AWS_IMAGE = Usage(flags.NOTHING, flags={"--image-override": Role.PULL, "--environment": Role.FIELDS}, by_platform=True)
RUNNER = Usage(flags.NOTHING, flags={"--docker-image": Role.PULL, "--docker-helper-image": Role.PULL, "--docker-services": Role.PULL})
PLATFORM_IMAGE = Usage(flags.NOTHING, flags={"--image": Role.PULL}, by_platform=True)
