"""The login files of docker, podman and helm are read as those programs read them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.fake_helper import FakeHelper
from unhub.image.errors import CredentialsError
from unhub.registry import credentials, helper_program
from unhub.registry.credentials import IDENTITY_TOKEN, Credential, DockerConfig, HelmRegistryConfig, NoCredentials, PodmanAuth

ECR = "public.ecr.aws"
AWS = Credential("AWS", "pass:word", "a test")


def basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture(autouse=True)
def no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings, helpers or home of the machine that runs the tests."""
    for name in ("DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HELM_REGISTRY_CONFIG", "HELM_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def docker(folder: Path, text: str | dict[str, object]) -> DockerConfig:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(text if isinstance(text, str) else json.dumps(text))
    return DockerConfig.load(folder)


def login(found: Credential | None) -> tuple[str, str] | None:
    return (found.username, found.secret) if found else None


def test_nobody_is_logged_in_without_a_file(tmp_path: Path) -> None:
    assert DockerConfig.load(tmp_path).find(ECR) is None
    assert DockerConfig.load().find(ECR) is None
    assert NoCredentials().find(ECR) is None


@pytest.mark.parametrize(
    ("key", "registry", "found"),
    [
        (ECR, ECR, True),
        ("https://public.ecr.aws", ECR, True),
        ("https://public.ecr.aws/v1/", ECR, True),
        ("https://public.ecr.aws/v2/", ECR, True),
        ("http://public.ecr.aws", ECR, True),
        ("public.ecr.aws/docker/library", ECR, True),
        ("public.ecr.aws:443", ECR, False),
        ("Public.ECR.aws", ECR, False),
        ("localhost:5000", "localhost:5000", True),
        ("https://localhost:5000/v2/", "localhost:5000", True),
        ("localhost", "localhost:5000", False),
        ("https://user@registry.example:5000/v2/", "registry.example:5000", True),
        ("https://[::1]:5000/v2/", "[::1]:5000", True),
        ("https://index.docker.io/v1/", "docker.io", True),
        ("https://index.docker.io/v1/", "index.docker.io", True),
        ("docker.io", "docker.io", False),
        ("index.docker.io", "docker.io", False),
        ("https://index.docker.io/v2/", "docker.io", False),
    ],
)
def test_keys_are_matched_as_docker_does(tmp_path: Path, key: str, registry: str, found: bool) -> None:
    config = docker(tmp_path, {"auths": {key: {"auth": basic("u", "p")}}})
    assert login(config.find(registry)) == (("u", "p") if found else None)


def test_the_exact_key_beats_one_that_means_the_same(tmp_path: Path) -> None:
    config = docker(tmp_path, {"auths": {f"https://{ECR}/v2/": {"auth": basic("old", "o")}, ECR: {"auth": basic("new", "n")}}})
    assert login(config.find(ECR)) == ("new", "n")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": basic("u", "p:with:colons")}, ("u", "p:with:colons")),
        ({"auth": basic("u", "")}, ("u", "")),
        ({"auth": basic("u", "p\x00\x00")}, ("u", "p")),
        ({"auth": basic("u", "pässword")}, ("u", "pässword")),
        ({"username": "u", "password": "p"}, ("u", "p")),
        ({"auth": basic("u", "p"), "username": "x", "password": "y"}, ("u", "p")),
        ({"auth": basic("u", "p"), "identitytoken": "token"}, (IDENTITY_TOKEN, "token")),
        ({"identitytoken": "token"}, (IDENTITY_TOKEN, "token")),
        ({"AUTH": basic("u", "p"), "email": "e@example.org"}, ("u", "p")),
        ({"registrytoken": "bearer"}, None),
        ({"auth": ""}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_entry_is_read_as_docker_reads_it(tmp_path: Path, entry: object, expected: tuple[str, str] | None) -> None:
    config = docker(tmp_path, {"auths": {ECR: entry}})
    assert login(config.find(ECR)) == expected


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"auth": "%%%"}, "auth is not base64"),
        ({"auth": base64.b64encode(b"no colon").decode()}, "auth is not USER:PASSWORD"),
        ({"auth": basic("", "p")}, "auth is not USER:PASSWORD"),
        ({"auth": 1}, "auth is no text"),
        ([], "is no object"),
    ],
)
def test_a_damaged_entry_is_told_when_it_is_wanted_and_not_before(tmp_path: Path, entry: object, reason: str) -> None:
    config = docker(tmp_path, {"auths": {ECR: entry, "other": {"auth": basic("u", "p")}}})
    assert login(config.find("other")) == ("u", "p")
    with pytest.raises(CredentialsError, match=reason):
        config.find(ECR)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n  "auths": {\n    "a": }\n}', r"config.json: line 3, column 10: Expecting value"),
        ("[]", "line 1, column 1: an object is expected"),
        ('{"a": NaN}', "NaN is no JSON"),
        ("\ufeff{}", "line 1, column 1"),
        ("[" * 50_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_told_with_its_place_and_never_written(tmp_path: Path, text: str, reason: str) -> None:
    good = docker(tmp_path, "{}")
    with pytest.raises(CredentialsError, match=reason):
        docker(tmp_path, text)
    with pytest.raises(CredentialsError, match=reason):
        good.store(ECR, AWS)
    assert (tmp_path / "config.json").read_text() == text
    assert [path.name for path in tmp_path.iterdir() if "config" in path.name] == ["config.json"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"auths": []}, "auths is no object"),
        ({"credHelpers": "x"}, "credHelpers is no object"),
        ({"credsStore": 1}, "credsStore is no text"),
        ({"credHelpers": {ECR: 1}}, "the helper for public.ecr.aws is no text"),
    ],
)
def test_sections_of_the_wrong_kind_are_told(tmp_path: Path, document: dict[str, object], reason: str) -> None:
    with pytest.raises(CredentialsError, match=reason):
        docker(tmp_path, document).find(ECR)


def test_an_empty_file_and_one_with_more_behind_are_read_as_go_reads_them(tmp_path: Path) -> None:
    assert docker(tmp_path, " \n").find(ECR) is None
    config = docker(tmp_path, json.dumps({"auths": {ECR: {"auth": basic("u", "p")}}}) + "\n}} left over")
    assert login(config.find(ECR)) == ("u", "p")


def test_a_file_that_cannot_be_read_or_is_absurdly_large_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(CredentialsError, match=r"cannot read .*config.json: Is a directory"):
        DockerConfig.load(tmp_path)
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / "config.json").open("wb") as handle:
        handle.truncate(9 * 1024 * 1024)
    with pytest.raises(CredentialsError, match="more than 8 MiB"):
        DockerConfig.load(tmp_path / "large")


# helpers


def test_helpers_come_before_the_store_and_that_before_auths(tmp_path: Path) -> None:
    for name in ("one", "store"):
        helper = FakeHelper(tmp_path / name, name)
        (tmp_path / "bin" / f"docker-credential-{name}").symlink_to(helper.folder / f"docker-credential-{name}")
        (helper.folder / "logins.json").write_text(json.dumps({server: {"Username": name, "Secret": "s"} for server in (ECR, "quay.io")}))
    auths = {server: {"auth": basic("file", "f")} for server in (ECR, "quay.io", "ghcr.io", "plain")}
    config = docker(tmp_path, {"auths": auths, "credHelpers": {ECR: "one", "plain": ""}, "credsStore": "store"})
    assert login(config.find(ECR)) == ("one", "s")
    assert login(config.find("quay.io")) == ("store", "s")
    assert config.find("ghcr.io") is None  # the store has none, and docker does not look into auths then
    assert login(config.find("plain")) == ("file", "f")  # an empty helper name means the file
    found = config.find(ECR)
    assert found
    assert found.source == "helper one"


def test_docker_hub_has_its_old_url_as_key_for_helpers_too(tmp_path: Path) -> None:
    helper = FakeHelper(tmp_path / "bin")
    config = docker(tmp_path, {"credHelpers": {"https://index.docker.io/v1/": "fake"}})
    config.store("docker.io", Credential("me", "s", ""))
    assert list(helper.logins) == ["https://index.docker.io/v1/"]
    assert login(config.find("docker.io")) == ("me", "s")
    assert docker(tmp_path / "other", {"credHelpers": {"docker.io": "fake"}}).find("docker.io") is None


def test_an_identity_token_goes_through_a_helper_as_docker_sends_it(tmp_path: Path) -> None:
    helper = FakeHelper(tmp_path / "bin")
    config = docker(tmp_path, {"credsStore": "fake"})
    config.store("registry.example", Credential(IDENTITY_TOKEN, "refresh", ""))
    assert helper.logins["registry.example"]["Username"] == "<token>"
    found = config.find("registry.example")
    assert found
    assert found.is_identity_token


def test_a_login_stored_through_a_helper_leaves_an_empty_entry_as_docker_does(tmp_path: Path) -> None:
    FakeHelper(tmp_path / "bin")
    config = docker(tmp_path, {"auths": {ECR: {"auth": basic("AWS", "old")}}, "credsStore": "fake"})
    assert config.store(ECR, AWS) == "helper fake"
    assert json.loads((tmp_path / "config.json").read_text())["auths"] == {ECR: {}}
    assert config.erase(ECR) == ("helper fake",)
    assert config.find(ECR) is None
    assert json.loads((tmp_path / "config.json").read_text())["auths"] == {}


def test_secrets_go_to_a_helper_on_standard_input_only(tmp_path: Path) -> None:
    helper = FakeHelper(tmp_path / "bin")
    config = docker(tmp_path, {"credsStore": "fake"})
    config.store(ECR, AWS)
    config.find(ECR)
    assert [arguments for arguments, _ in helper.calls] == [["store"], ["get"]]
    assert helper.calls[1][1] == ECR


def test_a_missing_helper_is_named_with_the_setting_that_wants_it(tmp_path: Path) -> None:
    config = docker(tmp_path, {"credHelpers": {ECR: "gone"}})
    with pytest.raises(CredentialsError, match=r"docker-credential-gone, which credHelpers in .*config.json asks for") as caught:
        config.find(ECR)
    assert caught.value.hint
    assert "Install it" in caught.value.hint
    with pytest.raises(CredentialsError, match="no such program"):
        docker(tmp_path, {"credsStore": "../bin/x"}).find(ECR)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("print('keychain is locked'); sys.exit(1)", "ended with status 1 and said: keychain is locked"),
        ("sys.exit(3)", "ended with status 3 and said: nothing"),
        ("os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("print('no json, but a s3cret')", "answered something that is not JSON"),
        ("print('[]')", "answered something that is not JSON"),
        ("print(json.dumps({'Username': 1, 'Secret': 's'}))", "answered no Username and Secret"),
        ("sys.stdout.write('x' * 3_000_000)", "its answer has more than 1024 KiB"),
        ("time.sleep(60)", "did not answer within 0.5 s"),
        ("os.close(1); time.sleep(60)", "did not end within 0.5 s"),
        ("os.fork() or time.sleep(60); os._exit(0)", "did not answer within 0.5 s"),
    ],
)
def test_a_helper_that_misbehaves_is_told_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    FakeHelper(tmp_path / "bin", behaviour=f"{behaviour}\nsys.exit()")
    if "within" in reason:
        helper = helper_program.HelperProgram("fake", "a test", seconds=0.5)
        monkeypatch.setattr(DockerConfig, "helper_for", lambda *_: helper)
    with pytest.raises(CredentialsError, match=reason) as caught:
        docker(tmp_path, {"credsStore": "fake"}).find(ECR)
    assert "s3cret" not in str(caught.value)


def test_a_helper_that_echoes_the_secret_on_failure_does_not_make_us_print_it(tmp_path: Path) -> None:
    FakeHelper(tmp_path / "bin", behaviour="print('cannot keep', message); sys.exit(1)")
    with pytest.raises(CredentialsError, match="cannot keep") as caught:
        docker(tmp_path, {"credsStore": "fake"}).store(ECR, AWS)
    assert AWS.secret not in str(caught.value)


def test_the_systems_own_store_is_found_as_docker_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials.sys, "platform", "linux")
    helper = FakeHelper(tmp_path / "bin", "secretservice")
    config = docker(tmp_path, {"detachKeys": "ctrl-e"})
    assert config.store(ECR, AWS) == "helper secretservice"
    assert helper.logins[ECR]["Secret"] == AWS.secret
    assert json.loads((tmp_path / "config.json").read_text()) == {"detachKeys": "ctrl-e", "auths": {ECR: {}}, "credsStore": "secretservice"}
    assert docker(tmp_path / "plain", {"auths": {"other": {}}}).helper_for(ECR) is None


# where docker looks


def test_docker_config_and_docker_auth_config_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path / "home" / ".docker", {"auths": {ECR: {"auth": basic("home", "h")}, "a": {"auth": basic("home", "h")}}})
    found = DockerConfig.load().find(ECR)
    assert found
    assert (found.username, found.source) == ("home", "auths in ~/.docker/config.json")
    docker(tmp_path / "elsewhere", {"auths": {ECR: {"auth": basic("else", "e")}}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "elsewhere"))
    assert login(DockerConfig.load().find(ECR)) == ("else", "e")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {ECR: {"auth": basic("env", "v")}}}))
    assert login(DockerConfig.load().find(ECR)) == ("env", "v")
    for broken in ("{", "[]", '{"auths": []}', '{"auths": {"public.ecr.aws": {"auth": "%"}}}'):
        monkeypatch.setenv("DOCKER_AUTH_CONFIG", broken)
        assert login(DockerConfig.load().find(ECR)) == ("else", "e")


def test_a_secret_is_not_in_the_text_of_a_credential() -> None:
    assert AWS.secret not in repr(AWS)
    assert "s3cret" not in repr(helper_program.HelperLogin("u", "s3cret"))


# podman and helm


def test_podman_tries_namespaces_and_knows_docker_hubs_names(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    keys = ["quay.io/team/app", "quay.io/team", "quay.io", "docker.io"]
    path.write_text(json.dumps({"auths": {key: {"auth": basic(key, "p")} for key in keys}}))
    auth = PodmanAuth.load(path)
    for name, key in [
        ("quay.io/team/app", "quay.io/team/app"),
        ("quay.io/team/other", "quay.io/team"),
        ("quay.io/else", "quay.io"),
        ("quay.io", "quay.io"),
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
    ]:
        assert login(auth.find(name)) == (key, "p"), name
    path.write_text(
        json.dumps({"auths": {"quay.io/team": {"auth": basic("team", "p")}, "https://index.docker.io/v1/": {"auth": basic("hub", "p")}}})
    )
    auth = PodmanAuth.load(path)
    assert auth.find("quay.io") is None
    assert login(auth.find("docker.io")) == ("hub", "p")


def test_podman_reads_its_files_in_order_and_dockers_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path / "home" / ".docker", {"auths": {"a": {"auth": basic("docker", "p")}}})
    assert login(PodmanAuth.load().find("a")) == ("docker", "p")
    kept = tmp_path / "home" / ".config" / "containers" / "auth.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"auths": {"a": {"auth": basic("config", "p")}}}))
    assert login(PodmanAuth.load().find("a")) == ("config", "p")
    assert PodmanAuth.load().store("a", Credential("run", "p", "")) == str(tmp_path / "run" / "containers" / "auth.json")
    assert login(PodmanAuth.load().find("a")) == ("run", "p")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "named.json"))
    PodmanAuth.load().store("a", Credential("named", "p", ""))
    assert login(PodmanAuth.load().find("a")) == ("named", "p")
    monkeypatch.delenv("REGISTRY_AUTH_FILE")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "home" / ".docker"))
    assert credentials.podman_auth_path() == tmp_path / "home" / ".docker" / "config.json"


def test_podman_knows_helpers_by_registry_but_no_store(tmp_path: Path) -> None:
    helper = FakeHelper(tmp_path / "bin")
    path = tmp_path / "auth.json"
    text = json.dumps({"auths": {}, "credHelpers": {ECR: "fake"}, "credsStore": "gone"})
    path.write_text(text)
    auth = PodmanAuth.load(path)
    assert auth.store(ECR, AWS) == "helper fake"
    assert path.read_text() == text
    assert login(auth.find(f"{ECR}/docker/library/node")) == ("AWS", AWS.secret)
    assert helper.calls[-1] == (["get"], ECR)
    assert auth.find("quay.io") is None


def test_helm_falls_back_to_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path / "home" / ".docker", {"auths": {"a": {"auth": basic("docker", "p")}}})
    helm = HelmRegistryConfig.load()
    assert login(helm.find("a")) == ("docker", "p")
    assert helm.store("a", Credential("helm", "p", "")) == "~/.config/helm/registry/config.json"
    assert login(HelmRegistryConfig.load().find("a")) == ("helm", "p")
    docker(tmp_path / "home" / ".docker", "{}").path.write_text("{broken")
    assert login(HelmRegistryConfig.load().find("a")) == ("helm", "p")
    assert HelmRegistryConfig.load().find("b") is None
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "helm"))
    assert credentials.helm_registry_path() == tmp_path / "helm" / "registry" / "config.json"
    monkeypatch.setenv("HELM_REGISTRY_CONFIG", str(tmp_path / "named"))
    assert credentials.helm_registry_path() == tmp_path / "named"


def test_a_helper_is_set_and_taken_back_without_a_trace(tmp_path: Path) -> None:
    text = json.dumps({"auths": {"other": {}}, "credsStore": "desktop"}, indent="\t")
    config = docker(tmp_path, text)
    assert config.set_helper(ECR, "unhub") is None
    assert config.set_helper(ECR, "unhub") == "unhub"
    helper = config.helper_for(ECR)
    assert helper
    assert helper.program == "docker-credential-unhub"
    assert config.unset_helper(ECR)
    assert not config.unset_helper(ECR)
    assert (tmp_path / "config.json").read_text() == text
