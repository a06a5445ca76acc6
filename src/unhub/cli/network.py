"""Options of every command that asks registries, and the client that they and the settings file make."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from unhub.cli.configuration import Configuration
from unhub.cli.output import printable, say
from unhub.image.errors import UsageError

if TYPE_CHECKING:
    from unhub.registry.client import RegistryClient
    from unhub.registry.credential import Credentials
    from unhub.registry.settings import ClientSettings

Command = Callable[..., int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the user said about the way to registries; the settings file's ``[registry."HOST"]`` stands below it."""

    endpoint: tuple[str, ...] = ()
    ca: tuple[Path, ...] = ()
    insecure: tuple[str, ...] = ()
    offline: bool = False
    login: bool = True


_NETWORK = (
    click.option(
        "--endpoint",
        multiple=True,
        envvar="UNHUB_ENDPOINT",
        metavar="HOST=URL",
        help="Ask this URL in place of a registry's own, as in docker.io=https://mirror.example; repeatable.",
    ),
    click.option(
        "--ca",
        multiple=True,
        envvar="UNHUB_CA",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Trust these certificates (PEM) beside the system's; repeatable.",
    ),
    click.option(
        "--insecure",
        multiple=True,
        envvar="UNHUB_INSECURE",
        metavar="HOST",
        help="Speak plain http with this registry, which must be on this machine; repeatable.",
    ),
    click.option("--offline", is_flag=True, envvar="UNHUB_OFFLINE", help="Never touch the network."),
    click.option("--no-login", "login", flag_value=False, default=True, help="Ask without any stored login."),
)


def network_options(command: Command) -> Command:
    """Give a command the options of :class:`Network`, handed over as ``network``."""

    @functools.wraps(command)
    def gathering(**values: object) -> int:
        # click made the values of the fields' types
        gathered = Network(**{field.name: values.pop(field.name) for field in fields(Network)})  # pyright: ignore[reportArgumentType]
        return command(network=gathered, **values)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(_NETWORK), cast(Command, gathering))


def client_settings(network: Network, configuration: Configuration) -> ClientSettings:
    """What the client is told: flags and environment over ``[registry."HOST"]``, and the environment's proxies.

    Raises :class:`UsageError` for an endpoint that is not ``HOST=URL``.
    """

    from urllib.request import getproxies_environment

    from unhub.registry.settings import ClientSettings

    tables = configuration.settings.registry
    folder = configuration.folder or Path()
    endpoints = {host: table.endpoint for host, table in tables.items() if table.endpoint is not None}
    named = dict(_endpoint(text) for text in network.endpoint)
    return ClientSettings(
        endpoints={**endpoints, **named},
        untrusted=frozenset(endpoints) - frozenset(named),
        rates={host: table.rate for host, table in tables.items() if table.rate is not None},
        ca_files=network.ca,
        ca={host: folder / table.ca for host, table in tables.items() if table.ca is not None},
        realms={host: (table.realm,) for host, table in tables.items() if table.realm is not None},
        insecure=frozenset(network.insecure),
        proxies=getproxies_environment(),
        offline=network.offline,
    )


def open_client(network: Network, configuration: Configuration, *, notice: Callable[[str], None] | None = None) -> RegistryClient:
    """The client for a command; enter it inside the event loop. Notices go to standard error unless said otherwise."""
    from unhub.registry.client import RegistryClient

    return RegistryClient(client_settings(network, configuration), logins(network), notice=notice or _say_notice)


def logins(network: Network) -> Credentials:
    """Where the client looks for logins: where docker keeps them, or nowhere (``--no-login``, ``--offline``)."""
    from unhub.registry.credentials import DockerConfig, NoCredentials

    return DockerConfig.load() if network.login and not network.offline else NoCredentials()


def _say_notice(text: str) -> None:
    say(f"unhub: {printable(text)}")


def _endpoint(text: str) -> tuple[str, str]:
    host, equals, url = text.partition("=")
    if not equals or not host or "/" in host or not url:
        raise UsageError(
            f"cannot read the endpoint {text!r}: it is not HOST=URL", hint="For example: --endpoint docker.io=http://127.0.0.1:5001"
        )
    return ("docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host), url
