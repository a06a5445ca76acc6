"""The options of the network: what flags, environment and settings file make of the client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from tests.hub import docker_hub
from tests.registry_client import ref
from unhub.cli.configuration import Configuration
from unhub.cli.network import Network, client_settings, logins, network_options, open_client
from unhub.config.parse import parse
from unhub.image.errors import UsageError
from unhub.registry.credential import Credential, NoCredentials

SETTINGS = """
[registry."docker.io"]
endpoint = "https://mirror.example/hub"
rate = 5
ca = "certificates/mirror.pem"

[registry."registry.example"]
realm = "login.other.example"
"""


def network_of(*arguments: str, env: dict[str, str] | None = None) -> Network:
    """What a command with these options is handed."""
    seen: list[Network] = []

    @click.command()
    @network_options
    def command(network: Network) -> int:
        seen.append(network)
        return 0

    done = CliRunner().invoke(command, arguments, env=env or {})
    assert done.exit_code == 0, done.output
    return seen[0]


def configuration(text: str = SETTINGS) -> Configuration:
    return Configuration(parse(text, "unhub.toml"), Path("/project"))


def test_flags_become_a_network() -> None:
    network = network_of(
        "--endpoint", "docker.io=http://127.0.0.1:1", "--ca", "a.pem", "--insecure", "localhost:5000", "--offline", "--no-login"
    )
    assert network == Network(
        endpoint=("docker.io=http://127.0.0.1:1",), ca=(Path("a.pem"),), insecure=("localhost:5000",), offline=True, login=False
    )
    assert network_of() == Network()


def test_the_environment_says_the_same() -> None:
    env = {
        "UNHUB_ENDPOINT": "docker.io=http://127.0.0.1:1 public.ecr.aws=http://127.0.0.1:2",
        "UNHUB_INSECURE": "localhost",
        "UNHUB_OFFLINE": "1",
    }
    network = network_of(env=env)
    assert network.endpoint == ("docker.io=http://127.0.0.1:1", "public.ecr.aws=http://127.0.0.1:2")
    assert network.insecure == ("localhost",)
    assert network.offline
    assert network_of("--endpoint", "a.example=https://b.example", env=env).endpoint == ("a.example=https://b.example",)


def test_flags_stand_over_the_settings_file_whose_paths_start_at_its_folder() -> None:
    settings = client_settings(Network(), configuration())
    assert settings.endpoints == {"docker.io": "https://mirror.example/hub"}
    assert settings.rates == {"docker.io": 5}
    assert settings.ca == {"docker.io": Path("/project/certificates/mirror.pem")}
    assert settings.realms == {"registry.example": ("login.other.example",)}
    over = client_settings(Network(endpoint=("index.docker.io=http://127.0.0.1:1",), ca=(Path("a.pem"),)), configuration())
    assert over.endpoints == {"docker.io": "http://127.0.0.1:1"}
    assert over.ca_files == (Path("a.pem"),)


def test_proxies_are_those_of_the_environment() -> None:
    with mock.patch.dict("os.environ", {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "localhost"}, clear=True):
        settings = client_settings(Network(), configuration(""))
    assert settings.proxies == {"https": "http://proxy.example:3128", "no": "localhost"}
    assert settings.endpoints == {}


@pytest.mark.parametrize("text", ["docker.io", "=http://127.0.0.1:1", "docker.io=", "docker.io/library=http://127.0.0.1:1"])
def test_an_endpoint_that_is_none_is_a_mistake_of_the_call(text: str) -> None:
    with pytest.raises(UsageError, match="it is not HOST=URL"):
        client_settings(Network(endpoint=(text,)), configuration(""))


def test_without_login_and_offline_nobody_is_asked_for_one(tmp_path: Path) -> None:
    for network in (Network(login=False), Network(offline=True)):
        assert isinstance(logins(network), NoCredentials)
    (tmp_path / "config.json").write_text('{"auths":{"public.ecr.aws":{"auth":"QVdTOnB3"}}}')
    with mock.patch.dict("os.environ", {"DOCKER_CONFIG": str(tmp_path)}):
        found = logins(Network()).find("public.ecr.aws")
    assert isinstance(found, Credential)
    assert (found.username, found.secret) == ("AWS", "pw")


def test_a_client_is_opened_and_what_it_says_goes_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with docker_hub() as hub:
        (tmp_path / "config.json").write_text('{"auths":{"https://index.docker.io/v1/":{"auth":"YTp3cm9uZw=="}}}')

        async def work() -> str:
            with mock.patch.dict("os.environ", {"DOCKER_CONFIG": str(tmp_path)}):
                client = open_client(Network(endpoint=(f"docker.io={hub.url}",)), configuration(""))
            async with client:
                return str((await client.head_manifest(ref("node:20-alpine"))).digest)

        assert asyncio.run(work()) == hub.digest("library/node:20-alpine")
    assert capsys.readouterr().err.startswith("unhub: the stored login for docker.io (")


def test_an_endpoint_from_a_settings_file_gets_no_login_of_the_registry_it_stands_for(tmp_path: Path) -> None:
    """The file may have come with somebody's repository, and another user may listen on this machine."""
    from unhub.registry.client import _login_name  # pyright: ignore[reportPrivateUsage]

    text = '[registry."docker.io"]\nendpoint = "http://127.0.0.1:5001"\n'
    configuration = Configuration(parse(text, "unhub.toml"), tmp_path)
    assert _login_name("docker.io", client_settings(network_of(), configuration)) == "127.0.0.1:5001"
    said = network_of("--endpoint", "docker.io=http://127.0.0.1:5001")
    assert _login_name("docker.io", client_settings(said, configuration)) == "docker.io"
