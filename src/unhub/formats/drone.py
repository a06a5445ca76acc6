"""Drone: ``.drone.yml``, one pipeline a document; and the older form with ``pipeline:``.

A service is reached by its name (rule #63b). Syntax: docs.drone.io (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._plugin_steps import PluginSteps
from unhub.formats._yaml.parse import parse
from unhub.image.found import Finding
from unhub.image.source import Source

FORMAT = Format(
    name="drone",
    title="Drone",
    tier="B",
    files=(".drone.yml", ".drone.yaml", ".drone/*.yml", "drone.yml"),
    positions=("steps[].image and services[].image (a list, or a mapping in the older form)", "commands: docker commands"),
    gaps=("pipelines written in Jsonnet or Starlark",),
    order=10,
    needles=(b"image", b"docker", b"podman"),
)

_VARIABLE = re.compile(rb"\$\{([A-Za-z_]\w*)[^}]*\}|(?<!\$)\$([A-Za-z_]\w*)")
_MACHINES = frozenset({"exec", "ssh", "macstadium", "digitalocean", "aws"})


def find(source: Source) -> Iterator[Finding]:
    """The images of steps, services and plug-ins, and the docker commands of steps."""
    for document in parse(source.data):
        images = CiImages(source, document)
        root = document.mapping(document.root)
        if root is not None:
            names = Definitions(document, _VARIABLE)
            names.export(root.get("environment"), "environment")
            on_machine = root.text("type") in _MACHINES
            PluginSteps(document, images).visit(root, ("pipeline", "steps", "services"), names, containers=not on_machine)
        yield from images.findings()
