"""What the mirror is told: sensible without anything, strict with everything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import unhub
from unhub.config.parse import parse
from unhub.config.places import place_of
from unhub.image.errors import ConfigurationError, UnhubError, UsageError
from unhub.mirror.capacity import Capacity
from unhub.registry.settings import ClientSettings
from unhub.server.listen import LOCAL, Listen
from unhub.server.settings import Flags, ServeSettings, Surroundings, Tls, serve_settings

DATA = Path("/state/unhub/mirror")
CITED = 'date = 2026-11-26\nsource = "ours"\nconfidence = "source"\n'


def understood(text: str = "", *, folder: Path | None = None, environment: Mapping[str, str] | None = None, **flags: Any) -> ServeSettings:
    """The settings of a file and flags."""

    def where(key: tuple[str | int, ...]) -> str:
        line, column = place_of(text, key)
        return f"unhub.toml:{line}:{column}"

    around = Surroundings(data=DATA, environment=environment or {})
    return serve_settings(parse(text, "unhub.toml"), Flags(**flags), around, folder, where)


def test_nothing_needs_to_be_said() -> None:
    settings = understood()
    assert settings.listen == (LOCAL,)
    assert str(LOCAL) == "localhost:5000"
    assert settings.data == DATA
    assert settings.is_local
    assert (settings.workers, settings.tls, settings.push_password, settings.request_log) == (1, None, None, True)
    assert settings.cache_size == Capacity(share=0.8)
    assert settings.names.own == {"local"}
    (hub,) = settings.upstreams
    assert (hub.rules.alias, hub.rules.title, hub.rules.place.registry) == ("docker", "Docker Hub", "docker.io")
    assert settings.names.hosts == {"docker.io": "docker", "index.docker.io": "docker", "registry-1.docker.io": "docker"}
    assert hub.client.endpoint("docker.io").host == "registry-1.docker.io"
    assert (hub.client.attempts, hub.client.rate("docker.io", login=False)) == (1, 0)
    (ecr,) = hub.fallbacks
    assert (ecr.rules.name, ecr.rules.repositories, ecr.rules.rate) == ("public.ecr.aws/docker", ("library/*",), 1.0)
    assert str(ecr.rules.place.reference("library/node", "20")) == "public.ecr.aws/docker/library/node:20"
    assert ecr.aws_login
    assert ecr.client.rate("public.ecr.aws", login=True) == 0, "the mirror has a pace of its own"


def test_the_data_file_lies_beside_the_settings_and_is_checked_at_once(tmp_path: Path) -> None:
    text = '[data]\nfile = "facts.toml"\n'
    own = tmp_path / "facts.toml"
    own.write_text('[[registry_token]]\nid = "anonymous"\nseconds = 60\nsays = "a minute"\n' + CITED, "utf-8")
    assert understood(text, folder=tmp_path).facts == own
    own.write_text('[[registry_token]]\nid = "anonymous"\nseconds = "60"\nsays = "a minute"\n' + CITED, "utf-8")
    with pytest.raises(
        ConfigurationError, match=r"unhub\.toml:2:1: cannot read .*facts\.toml: \[\[registry_token\]\] anonymous: Expected `int`"
    ):
        understood(text, folder=tmp_path)
    own.unlink()
    with pytest.raises(ConfigurationError, match=r"unhub\.toml:2:1: cannot read the data file"):
        understood(text, folder=tmp_path)


def test_an_upstream_on_the_command_line_drops_the_fallback() -> None:
    (hub,) = understood(upstream="http://127.0.0.1:5001").upstreams
    assert hub.fallbacks == ()
    assert str(hub.client.endpoint("docker.io")) == "http://127.0.0.1:5001"
    assert hub.rules.title == "Docker Hub at 127.0.0.1:5001"


def test_fallbacks_on_the_command_line_stand_for_those_of_the_file() -> None:
    text = (
        '[upstream.docker]\nurl = "https://registry-1.docker.io"\n[[upstream.docker.fallback]]\nurl = "https://mirror.example"\nrate = 7\n'
    )
    (hub,) = understood(text).upstreams
    assert [(one.rules.name, one.rules.rate, one.aws_login) for one in hub.fallbacks] == [("mirror.example", 7.0, False)]
    (hub,) = understood(text, fallback=("http://localhost:5002/docker", "https://other.example/a/b")).upstreams
    assert [str(one.rules.place.reference("library/node", "20")) for one in hub.fallbacks] == [
        "localhost:5002/docker/library/node:20",
        "other.example/a/b/library/node:20",
    ]
    assert str(hub.fallbacks[0].client.endpoint("localhost:5002")) == "http://localhost:5002"
    (hub,) = understood(text, no_fallback=True).upstreams
    assert hub.fallbacks == ()


def test_no_fallback_at_all() -> None:
    assert understood(no_fallback=True).upstreams[0].fallbacks == ()


def test_an_empty_list_in_the_file_means_no_fallback() -> None:
    text = '[upstream.docker]\nurl = "https://registry-1.docker.io"\nfallback = []\n'
    assert understood(text).upstreams[0].fallbacks == ()


def test_an_endpoint_of_the_surroundings_moves_the_defaults() -> None:
    endpoints = {"docker.io": "http://127.0.0.1:1", "public.ecr.aws": "http://127.0.0.1:2"}
    settings = serve_settings(parse("", "unhub.toml"), Flags(), Surroundings(data=DATA, client=ClientSettings(endpoints=endpoints)))
    (hub,) = settings.upstreams
    assert str(hub.client.endpoint("docker.io")) == "http://127.0.0.1:1"
    assert str(hub.fallbacks[0].client.endpoint("public.ecr.aws")) == "http://127.0.0.1:2"
    assert (hub.fallbacks[0].rules.rate, hub.fallbacks[0].aws_login) == (1.0, True)


def test_more_upstreams() -> None:
    text = """
[upstream.quay]
url = "https://quay.io"
[upstream.company]
url = "https://registry.example:8443/proxy"
hosts = ["registry.example"]
serve-private = true
hold = 3
ipv4-only = true
stale-if-error = 60
[[upstream.company.fresh]]
tags = "v*"
seconds = 5
"""
    settings = understood(text)
    assert [one.rules.alias for one in settings.upstreams] == ["quay", "company", "docker"]
    quay, company, _ = settings.upstreams
    assert (quay.rules.hosts, quay.rules.place.registry, quay.fallbacks) == (("quay.io",), "quay.io", ())
    assert str(company.rules.place.reference("team/app", "1")) == "registry.example:8443/proxy/team/app:1"
    assert (company.rules.serve_private, company.rules.hold, company.rules.freshness.stale_if_error) == (True, 3.0, 60.0)
    assert (company.client.ipv4_only, quay.client.ipv4_only) == (True, False)
    assert company.rules.freshness.period("team/app", "v1") == 5
    assert settings.names.hosts["registry.example"] == "company"


def test_own_aliases() -> None:
    text = "[alias.team]\n[alias.grafana]\nshadow = true\n"
    assert understood(text, own=("conformance",)).names.own == {"team", "grafana", "conformance"}


def test_logins(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from the file\n")
    text = '[upstream.docker]\nurl = "https://registry-1.docker.io"\nusername = "me"\npassword-file = "password"\n'
    (hub,) = understood(text, folder=tmp_path).upstreams
    assert hub.login is not None
    assert (hub.login.username, hub.login.password, hub.rules.credential) == ("me", "from the file", "me")
    assert "from the file" not in repr(hub)
    (hub,) = understood(text, folder=tmp_path, environment={"UNHUB_UPSTREAM_DOCKER_PASSWORD": "from outside"}).upstreams
    assert hub.login is not None
    assert hub.login.password == "from outside"


def test_several_logins_are_used_on_purpose_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"password {name}")
    text = HUB + 'username = "one"\npassword-file = "one"\n[[upstream.docker.login]]\nusername = "two"\npassword-file = "two"\n'
    with pytest.raises(
        ConfigurationError, match=r"unhub\.toml:1:1: cannot use more than one login .* unless several-logins = true"
    ) as caught:
        understood(text, folder=tmp_path)
    assert "terms" in str(caught.value)
    (hub,) = understood(text.replace("username", "several-logins = true\nusername", 1), folder=tmp_path).upstreams
    assert hub.login is not None
    assert [login.username for login in (hub.login, *hub.more_logins)] == ["one", "two"]


def test_the_push_password(tmp_path: Path) -> None:
    (tmp_path / "push").write_text("secret words\r\n")
    settings = understood(push_password_file=tmp_path / "push")
    assert settings.push_password == "secret words"
    assert "secret words" not in repr(settings)


def test_other_machines_are_served_with_tls_or_on_purpose(tmp_path: Path) -> None:
    for name in ("crt", "key"):
        (tmp_path / name).write_text("pem")
    assert understood(listen=("*:5000",), allow_plain_http=True).listen[0].hosts == ("0.0.0.0", "::")
    settings = understood(listen=("[::]:5000",), tls_certificate=tmp_path / "crt", tls_key=tmp_path / "key")
    assert settings.tls == Tls(tmp_path / "crt", tmp_path / "key")
    assert not settings.is_local
    assert not understood('[serve]\nlisten = ["10.0.0.1:5000"]\nallow-plain-http = true\n').is_local


@pytest.mark.parametrize("place", ["0.0.0.0:5000", "[::]:5000", ":5000", "*:5000", "10.1.2.3:80", "mirror.example:5000", "[fe80::1]:5000"])
def test_plain_http_is_for_this_machine_only(place: str) -> None:
    with pytest.raises(UsageError, match="others reach it, and without TLS") as caught:
        understood(listen=(place,))
    assert caught.value.exit_status == 2
    assert "--allow-plain-http" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:5000", Listen("127.0.0.1", 5000)),
        ("[::1]:0", Listen("::1", 0)),
        ("[::1]", Listen("::1", 5000)),
        ("Localhost", Listen("localhost", 5000)),
        (":80", Listen("", 80)),
    ],
)
def test_places_to_listen_at(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen


@pytest.mark.parametrize(
    "text", ["::1:5000", "localhost:port", "localhost:70000", "http://localhost:5000", "a b:1", "user@host:1", "localhost:+1"]
)
def test_what_is_no_place_to_listen_at(text: str) -> None:
    with pytest.raises(UsageError, match="cannot listen on"):
        Listen.parse(text)


HUB = '[upstream.docker]\nurl = "https://registry-1.docker.io"\n'


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('[serve]\nlisten = ["localhost:x"]\n', "2:11", "cannot listen on 'localhost:x'"),
        ('[serve]\ncache-size = "80"\ncache_size = "1"\n', "3:1", "there is no setting 'cache_size' here"),
        ('[serve]\n\ncache-size = "much"\n', "3:1", "cannot use the cache size 'much'"),
        ('[serve]\ntls-key = "key"\n', "2:1", "there is a key and no certificate"),
        ('[serve]\npush-password-file = "/nowhere/at/all"\n', "2:1", "cannot read the push password"),
        ('[upstream.quay]\nurl = "quay.io"\n', "2:1", "is no address of a registry"),
        ('[upstream.quay]\nurl = "http://quay.io"\n', "2:1", "plain http is for this machine only"),
        (HUB + '[[upstream.docker.fallback]]\nurl = "http://quay.io"\n', "4:1", "plain http is for this machine only"),
        ('[upstream.Quay]\nurl = "https://quay.io"\n', "1:1", "cannot use the alias 'Quay'"),
        ('[upstream.quay]\nurl = "https://quay.io"\nhosts = ["docker.io"]\n', "3:1", "cannot use the host 'docker.io' for 'quay'"),
        (HUB + 'username = "me"\n', "1:1", "there is no password"),
        (HUB + 'password-file = "a"\nsecret = "b"\nusername = "me"\n', "1:1", "it has both password-file and secret"),
        ("[alias.grafana]\n", "1:1", "Docker Hub has an organisation of that name"),
        ("[alias.docker]\n", "1:1", "an upstream has it"),
        ('[alias."a/b"]\n', "1:1", "it is no component of a repository's name"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, place: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"unhub\.toml:{place}: ") as caught:
        understood(text)
    assert message in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"own": ("grafana",)}, "Docker Hub has an organisation of that name"),
        ({"own": ("docker",)}, "an upstream has it"),
        ({"own": ("A",)}, "it is no component of a repository's name"),
        ({"upstream": "http://registry.example"}, "plain http is for this machine only"),
        ({"fallback": ("ftp://registry.example",)}, "is no address of a registry"),
        ({"fallback": ("https://registry.example/a?b",)}, "has a query"),
        ({"tls_certificate": Path("/nowhere.crt")}, "there is a certificate and no key"),
        ({"tls_certificate": Path("/nowhere.crt"), "tls_key": Path("/nowhere.key")}, "cannot read /nowhere.crt"),
        ({"push_password_file": Path("/nowhere")}, "cannot read the push password from /nowhere"),
    ],
)
def test_mistakes_of_the_command_line(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UnhubError) as caught:
        understood(**flags)
    assert not isinstance(caught.value, ConfigurationError)
    assert message in str(caught.value)
    assert caught.value.exit_status == 2


def test_the_command_tells_mistakes_before_it_starts_anything(tmp_path: Path) -> None:
    (tmp_path / "unhub.toml").write_text("[serve]\nworkers = 0\n")
    ended = unhub("serve", "--config", "unhub.toml", cwd=tmp_path)
    assert ended.status == 2
    assert "unhub.toml:2:1: cannot read the settings: Expected `int` >= 1" in ended.err
    (tmp_path / "unhub.toml").write_text("\n[alias.bitnami]\n")
    ended = unhub("serve", "--config", "unhub.toml", cwd=tmp_path)
    assert ended.status == 2
    assert "unhub.toml:2:1: cannot use the alias 'bitnami' for pushes" in ended.err
    ended = unhub("serve", "--listen", "0.0.0.0:5000", cwd=tmp_path)
    assert ended.status == 2
    assert not (tmp_path / "data").exists()


def test_only_a_named_settings_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "unhub.toml").write_text("this is no TOML")
    ended = unhub("serve", "--listen", "0.0.0.0:5000", cwd=tmp_path)
    assert "without TLS" in ended.err


@pytest.mark.parametrize("module", ["granian", "sqlalchemy", "prometheus_client"])
def test_a_missing_extra_is_said(tmp_path: Path, module: str) -> None:
    arguments = ["serve", "--listen", "localhost:0", "--data", "data"]
    code = f"import sys\nsys.modules[{module!r}] = None\nfrom unhub.cli.main import main\nsys.exit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot serve: unhub's extra 'server' is not installed" in done.stderr
    assert "unhub[server]" in done.stderr
