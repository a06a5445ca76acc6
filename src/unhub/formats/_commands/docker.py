"""Subcommands of docker, podman, nerdctl and finch that name images."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.formats._commands import flags
from unhub.formats._commands.usage import Role, Usage

_MOUNT = {"--mount": Role.FIELDS}
_MOUNT_KEYS = ("source", "src")
_RUN = Usage(flags.RUN, (Role.PULL,), flags=_MOUNT, inner=True, field_keys=_MOUNT_KEYS)
BUILD = Usage(
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
PULL = Usage(flags.PULL, (Role.PULL,), repeats=True)
PUSH = Usage(flags.PUSH, (Role.OUTPUT,), repeats=True)
TAG = Usage(flags.PUSH, (Role.LOCAL, Role.OUTPUT), repeats=True)
_SAVE = Usage(flags.SAVE, (Role.LOCAL,), repeats=True)
REMOVE = Usage(flags.REMOVE, (Role.LOCAL,), repeats=True)
INSPECT = Usage(flags.INSPECT, (Role.PERHAPS,), repeats=True)
_INSPECT_IMAGE = Usage(flags.INSPECT, (Role.LOCAL,), repeats=True)
_HISTORY = Usage(flags.HISTORY, (Role.LOCAL,))
_LIST = Usage(flags.LIST, (Role.LOCAL,))
COMMIT = Usage(flags.COMMIT, (Role.NONE, Role.OUTPUT))
_IMPORT = Usage(flags.COMMIT, (Role.NONE, Role.OUTPUT))
_PS = Usage(flags.LIST, flags={"-f": Role.FILTER, "--filter": Role.FILTER})
_SCOUT = Usage(flags.SCOUT, (Role.PULL,), flags={"--to": Role.PULL})
_EXEC = Usage(flags.RUN, (Role.NONE,), inner=True)
_SERVICE = Usage(flags.SERVICE, (Role.PULL,), flags=_MOUNT, inner=True, field_keys=_MOUNT_KEYS, by_platform=True)

_IMAGE_COMMANDS = {
    "build": BUILD, "pull": PULL, "push": PUSH, "tag": TAG, "save": _SAVE, "rm": REMOVE, "remove": REMOVE,
    "inspect": _INSPECT_IMAGE, "history": _HISTORY, "ls": _LIST, "list": _LIST, "import": _IMPORT, "exists": _INSPECT_IMAGE,
    "tree": _HISTORY, "untag": REMOVE, "mount": _INSPECT_IMAGE, "scp": Usage(flags.PUSH), "convert": TAG, "encrypt": TAG,
}  # fmt: skip
_CONTAINER_COMMANDS = {
    "run": _RUN, "create": _RUN, "exec": _EXEC, "commit": COMMIT, "ls": _PS, "ps": _PS, "list": _PS,
    "runlabel": Usage(flags.RUN, (Role.NONE, Role.PULL)),
}  # fmt: skip
_IMAGETOOLS_CREATE = Usage(flags.IMAGETOOLS, (Role.PULL,), repeats=True, flags={"-t": Role.OUTPUT, "--tag": Role.OUTPUT})
BUILDX = {
    "build": BUILD, "b": BUILD, "create": Usage(flags.CREATE_BUILDER, flags={"--driver-opt": Role.FIELDS}),
    "imagetools create": _IMAGETOOLS_CREATE, "imagetools inspect": Usage(flags.IMAGETOOLS, (Role.PULL,)),
    "bake": Usage(flags.BAKE, flags={"--set": Role.BAKE_OPTION, "-f": Role.FILE, "--file": Role.FILE}, stdin="bake"),
    "debug build": BUILD, "dap build": BUILD,
}  # fmt: skip
COMPOSE = Usage(flags.NOTHING, flags={"-f": Role.FILE, "--file": Role.FILE, "-c": Role.FILE, "--compose-file": Role.FILE}, stdin="compose")


def _under(prefix: str, usages: Mapping[str, Usage]) -> dict[str, Usage]:
    return {f"{prefix} {name}": usage for name, usage in usages.items()}


DOCKER: dict[str, Usage] = {
    **{name: _IMAGE_COMMANDS[name] for name in ("build", "pull", "push", "tag", "save", "history", "import", "untag")},
    **{name: _CONTAINER_COMMANDS[name] for name in ("run", "create", "exec", "commit", "ps", "runlabel")},
    **_under("image", _IMAGE_COMMANDS),
    **_under("container", _CONTAINER_COMMANDS),
    **_under("buildx", BUILDX),
    "builder build": BUILD, "buildx": Usage(), "rmi": REMOVE, "images": _LIST, "inspect": INSPECT,
    "service create": _SERVICE,
    "service update": Usage(flags.SERVICE, flags={"--image": Role.PULL}, by_platform=True),
    "manifest inspect": Usage(flags.MANIFEST, (Role.PULL,), repeats=True),
    "manifest create": Usage(flags.MANIFEST, (Role.OUTPUT, Role.PULL), repeats=True),
    "manifest annotate": Usage(flags.MANIFEST, (Role.OUTPUT, Role.PULL)),
    "manifest push": PUSH, "manifest rm": PUSH, "manifest add": Usage(flags.MANIFEST, (Role.OUTPUT, Role.PULL), repeats=True),
    "scout cves": _SCOUT, "scout quickview": _SCOUT, "scout qv": _SCOUT, "scout recommendations": _SCOUT, "scout sbom": _SCOUT,
    "scout compare": _SCOUT, "scout diff": _SCOUT, "scout policy": _SCOUT, "scout vex get": _SCOUT,
    "sbom": _SCOUT, "trust inspect": Usage(flags.MANIFEST, (Role.PULL,)), "trust sign": PUSH, "debug": Usage(flags.RUN, (Role.PERHAPS,)),
    "stack deploy": COMPOSE, "compose": COMPOSE,
    "bud": BUILD,
}  # fmt: skip
