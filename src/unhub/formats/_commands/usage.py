"""What a container command takes: flags, positions, and what the arguments there are to it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from unhub.formats._commands import flags


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


class Usage(Struct, frozen=True):
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


class Tool(Struct, frozen=True):
    """A program: its flags in front of the subcommand, its subcommands, and how it reads a bare name."""

    usages: Mapping[str, Usage]
    switches: frozenset[str] = flags.NOTHING
    short_names: bool = False
