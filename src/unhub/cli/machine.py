"""This machine, as the checks of ``unhub doctor`` see it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from unhub.cli.configuration import Configuration
from unhub.cli.login_tools import login_files, tools_in_use
from unhub.cli.network import Network, client_settings
from unhub.data.doctor import needed_host
from unhub.doctor.docker_api import DockerApi, docker_host
from unhub.doctor.machine import Logins, Machine
from unhub.doctor.programs import runner
from unhub.doctor.web import TransportWeb, resolve
from unhub.registry.credentials import docker_config_path
from unhub.registry.settings import ClientSettings

if TYPE_CHECKING:
    from unhub.aws.login import Password
    from unhub.aws.session import Session

REGISTRIES: Final = ("public.ecr.aws", "docker.io")
SECONDS: Final = 6.0
"""How long a host may take to answer: what takes longer fails builds, too."""


def probing(network: Network, found: Configuration) -> ClientSettings:
    """The settings of the client with shorter time-outs. Raises :class:`UsageError` for what does not fit together."""
    settings = replace(client_settings(network, found), connect_seconds=SECONDS, read_seconds=SECONDS)
    settings.check()
    return settings


def this_machine(settings: ClientSettings, web: TransportWeb, profile: str | None) -> Machine:
    """Everything that the checks ask."""
    environment = dict(os.environ)
    return Machine(
        environment=environment,
        clock=now,
        web=web,
        docker=DockerApi(docker_host(environment, docker_config_path().parent), now),
        run=runner(environment),
        resolve=resolve,
        logins=tuple(Logins(kept.names, kept.file) for kept in login_files(tools_in_use(()))),
        session=lambda: _session(profile),
        password=lambda: _password(profile),
        registries={name: str(settings.endpoint(name)).rstrip("/") for name in REGISTRIES},
        control_plane=_control_plane(environment),
        moved=frozenset(settings.endpoints),
        offline=settings.offline,
    )


def now() -> datetime.datetime:
    """The clock, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def _control_plane(environment: Mapping[str, str]) -> str:
    named = environment.get("AWS_ENDPOINT_URL_ECR_PUBLIC") or environment.get("AWS_ENDPOINT_URL")
    return f"{named.rstrip('/')}/" if named else needed_host("control-plane").url


def _session(profile: str | None) -> Session:
    from unhub.aws.session import Boto

    return Boto(profile)


def _password(profile: str | None) -> Password:
    from unhub.aws.login import fetch_password

    return fetch_password(profile=profile)
