"""`unhub migrate` asks before it writes: what is proven moves, the rest stays and says why; --check asks nobody."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.command_line import git, process, repository
from tests.hub import docker_hub, small_index
from tests.unit.test_cli_verify import ECR, GO, NODE, REDIS, UNLIMITED, Stage, staged


@pytest.fixture
def stage(tmp_path: Path) -> Generator[Stage]:
    with staged(tmp_path, differences={f"library/{GO}": "different", f"library/{REDIS}": "missing"}) as made:
        made.write(NODE, GO, REDIS)
        yield made


def dockerfile(stage: Stage) -> list[str]:
    return [line.removeprefix("FROM ") for line in (stage.folder / "Dockerfile").read_text().splitlines()]


def test_what_is_the_same_moves_and_the_rest_stays_with_its_reason(stage: Stage) -> None:
    ended = stage.unhub("migrate", "--write")
    assert ended.status == 0
    assert dockerfile(stage) == [ECR + NODE, GO, REDIS]
    lines = ended.err.splitlines()
    assert any(line.startswith(f"cannot verify {GO}: public.ecr.aws serves sha256:") for line in lines)
    assert (
        f"cannot verify {REDIS}: public.ecr.aws answered 404 (no such image or tag). Keep Docker Hub for this one, mirror it yourself "
        "(--to mirror:HOST), or --accept missing"
    ) in lines
    assert "2 references stay at Docker Hub: not seen to be the same image" in lines
    assert "verified: 1 same" in lines
    assert "Docker Hub was asked by HEAD only, which it does not count: 0 pulls spent" in lines
    assert lines[-3:] == ["changed 1 file:", "  Dockerfile", "`unhub undo` takes this back"]
    assert stage.hub.counts.total == 0
    assert not (stage.folder / "unhub.lock").exists()


def test_verified_and_verdict_stand_in_every_report(stage: Stage) -> None:
    ended = stage.unhub("migrate", "--write", "--format", "json", "--summary", "text.md")
    rows = [(row["class"], row["verified"], row["verdict"], row["target"]) for row in ended.json["findings"]]
    assert rows == [
        ("migrated", "yes", "same", ECR + NODE),
        ("no-target", "no", "different", ECR + GO),
        ("no-target", "no", "missing", ECR + REDIS),
    ]
    text = (stage.folder / "text.md").read_text()
    assert f"| `docker.io/library/{NODE}` | `{ECR}{NODE}` | 1 | same (`sha256:" in text
    assert "not verified" not in text.lower()
    stage.write(NODE, REDIS)
    results = json.loads(stage.unhub("migrate", "--verify", "--format", "sarif").out)["runs"][0]["results"]
    assert [result["properties"]["verdict"] for result in results] == ["same", "missing"]
    assert f"can move to {ECR}{NODE} (verified: same)" in stage.unhub("migrate", "--verify", "--format", "github").text


@pytest.mark.parametrize(
    ("policy", "status", "said", "moved"), [("keep", 0, False, True), ("warn", 0, True, True), ("fail", 1, True, False)]
)
def test_the_user_says_what_happens_to_the_rest(policy: str, status: int, said: bool, moved: bool, stage: Stage) -> None:
    ended = stage.unhub("migrate", "--write", "--on-missing", policy)
    assert ended.status == status
    assert (f"cannot verify {REDIS}" in ended.err) is said
    assert (dockerfile(stage)[0] == ECR + NODE) is moved
    assert ("nothing was written: --on-missing fail" in ended.err) is not moved


def test_the_settings_say_it_too_and_a_flag_beats_them(stage: Stage) -> None:
    stage.settings('[migrate]\non_missing = "fail"\naccept = ["different"]\nmax_lag = "1h"\n')
    assert stage.unhub("migrate", "--write").status == 1
    assert stage.unhub("migrate", "--write", "--on-missing", "keep").status == 0
    assert dockerfile(stage) == [ECR + NODE, ECR + GO, REDIS]


def test_verdicts_that_are_accepted_move(stage: Stage) -> None:
    ended = stage.unhub("migrate", "--write", "--accept", "different", "--accept", "missing")
    assert dockerfile(stage) == [ECR + NODE, ECR + GO, ECR + REDIS]
    assert "verified: 1 same, 1 different, 1 missing" in ended.err


@pytest.mark.parametrize("how", ["flag", "environment", "settings"])
def test_without_verification_everything_moves_and_is_said_to_be_not_verified(how: str, stage: Stage) -> None:
    if how == "settings":
        stage.settings("[migrate]\nverify = false\n")
    arguments = ["--no-verify"] if how == "flag" else []
    environment = {"UNHUB_VERIFY": {"flag": "1", "environment": "0", "settings": ""}[how]}
    ended = stage.unhub("migrate", "--write", "--summary", "text.md", *arguments, **environment)
    assert dockerfile(stage) == [ECR + NODE, ECR + GO, ECR + REDIS]
    assert "not verified: nobody has compared the images" in ended.err
    assert "| 1 | not verified |" in (stage.folder / "text.md").read_text()
    assert stage.asked == 0


def test_the_mirror_gets_what_ecr_public_does_not_have(stage: Stage) -> None:
    with docker_hub() as mirror:
        place = f"mirror:{mirror.address}"
        ended = stage.unhub("migrate", "--write", "--to", "ecr-public", "--to", place, "--insecure", mirror.address, "--format", "json")
        assert dockerfile(stage) == [ECR + NODE, f"{mirror.address}/library/{GO}", f"{mirror.address}/library/{REDIS}"]
        reasons = [row["reason"] for row in ended.json["findings"]]
        assert reasons[0] is None
        assert reasons[2] == "passed over public.ecr.aws: public.ecr.aws answered 404 (no such image or tag)"
        assert mirror.asked(kind="manifest", method="GET") == ()


def test_a_pinned_digest_that_is_served_moves_without_any_leave(stage: Stage) -> None:
    digests = [stage.hub.digest(f"library/{name}") for name in (NODE, REDIS)]
    stage.write(f"{NODE}@{digests[0]}", f"{REDIS}@{digests[1]}")
    stage.unhub("migrate", "--write")
    assert dockerfile(stage) == [f"{ECR}{NODE}@{digests[0]}", f"{REDIS}@{digests[1]}"]


def test_an_unknown_tag_stays_even_with_unsafe_until_that_is_accepted(stage: Stage) -> None:
    (stage.folder / "Dockerfile").write_text("ARG V\nFROM node:${V}\n")
    assert "nobody can be asked" in stage.unhub("migrate", "--write", "--unsafe").err
    assert dockerfile(stage)[-1] == "node:${V}"
    stage.unhub("migrate", "--write", "--unsafe", "--accept", "unknown")
    assert dockerfile(stage)[-1] == f"{ECR}node:${{V}}"
    assert stage.asked == 0


def test_a_fact_that_is_contradicted_is_said_and_the_image_moves(stage: Stage) -> None:
    for hub, name in ((stage.hub, "library/azul-zulu:21"), (stage.ecr, "docker/library/azul-zulu:21")):
        hub.add(small_index(), name)
    stage.write("azul-zulu:21")
    ended = stage.unhub("migrate", "--write")
    assert "fact contradicted:" in ended.err
    assert 'repository = "library/azul-zulu"' in ended.err
    assert dockerfile(stage) == [f"{ECR}azul-zulu:21"]


def test_if_no_registry_answers_nothing_is_written_and_that_is_no_success(stage: Stage) -> None:
    with stage.hub.refusing(), stage.ecr.refusing():
        ended = stage.unhub("migrate", "--write")
    assert ended.status == 5
    assert "nothing was written: no registry answered" in ended.err
    assert dockerfile(stage) == [NODE, GO, REDIS]


def test_offline_only_the_lock_moves_anything(stage: Stage) -> None:
    stage.unhub("verify", NODE, "--write-lock")
    stage.forget()
    ended = stage.unhub("migrate", "--write", "--offline")
    assert ended.status == 0
    assert dockerfile(stage) == [ECR + NODE, GO, REDIS]
    assert "nobody was asked (--offline), and unhub.lock does not know it" in ended.err
    assert stage.asked == 0


def test_standard_input_is_verified_when_asked_for(stage: Stage) -> None:
    from tests.command_line import unhub
    from tests.hub import environment

    data = f"FROM {NODE}\nFROM {REDIS}\n".encode()
    arguments = ("migrate", "-", "--stdin-name", "Dockerfile", "--verify")
    ended = unhub(*arguments, cwd=stage.folder, stdin=data, env=environment(stage.hub, stage.ecr))
    assert ended.text == f"FROM {ECR}{NODE}\nFROM {REDIS}\n"


# Without a question


def test_a_diff_asks_nobody_and_says_so(stage: Stage) -> None:
    ended = stage.unhub("migrate")
    assert ended.err.splitlines()[-1] == (
        "nothing was written; `unhub migrate --write` changes 1 file; not verified yet, --write asks the registries first"
    )
    assert stage.asked == 0
    shown = stage.unhub("migrate", "--verify")
    assert f"+FROM {ECR}{NODE}" in shown.text
    assert f"+FROM {ECR}{REDIS}" not in shown.text
    assert stage.asked > 0


def test_check_gives_one_answer_while_tags_move_and_opens_no_socket(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.unhub("migrate", "--write", "--write-lock")
    images = [small_index(str(number)) for number in range(100)]

    def forbidden(*_: object, **__: object) -> socket.socket:
        raise AssertionError("a socket was opened")

    answers: set[tuple[int, bytes, str]] = set()
    for image in images:
        stage.hub.add(image, f"library/{NODE}")
        stage.ecr.add(image, f"docker/library/{REDIS}")
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", forbidden)
            ended = stage.unhub("migrate", "--check", "--format", "json")
        answers.add((ended.status, ended.out, ended.err))
    assert len(answers) == 1
    ((status, _, said),) = answers
    assert status == 0
    assert f"cannot verify {REDIS}" in said


def test_check_agrees_with_write_by_the_lock_alone(stage: Stage) -> None:
    said = stage.unhub("migrate", "--write").err
    assert "`--write-lock` keeps this in unhub.lock, so that `unhub migrate --check` knows it, too" in said
    assert stage.unhub("migrate", "--check").status == 1
    stage.unhub("migrate", "--write", "--write-lock")
    assert stage.unhub("migrate", "--check").status == 0
    assert stage.unhub("scan").status == 0
    assert stage.unhub("migrate", "--check", "--no-lock").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--check", "--verify"],
        ["--check", "--refresh"],
        ["--check", "--write-lock"],
        ["--write", "--pin", "--no-verify"],
        ["--write", "--no-lock", "--write-lock"],
        ["--write", "--offline", "--refresh"],
    ],
)
def test_what_does_not_fit_together_ends_with_2(arguments: list[str], stage: Stage) -> None:
    assert stage.unhub("migrate", *arguments).status == 2
    assert dockerfile(stage) == [NODE, GO, REDIS]


@pytest.mark.parametrize("arguments", [["scan"], ["migrate"], ["migrate", "--check"], ["verify", "--help"], ["verify", "--offline"]])
def test_no_network_code_is_loaded_where_nothing_is_asked(arguments: list[str], stage: Stage) -> None:
    code = f"import sys; from unhub.cli.main import main; main({arguments!r}); sys.exit('aiohttp' in sys.modules)"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], cwd=stage.folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# Pins


def test_pins_are_written_and_taken_back(stage: Stage) -> None:
    stage.write(NODE, REDIS, f"{ECR}alpine:3.19")
    repository(stage.folder)
    before = (stage.folder / "Dockerfile").read_bytes()
    digests = [stage.ecr.digest(f"docker/library/{name}") for name in (NODE, "alpine:3.19")]
    ended = stage.unhub("migrate", "--write", "--pin", "--summary", "text.md")
    assert ended.status == 0
    assert dockerfile(stage) == [f"{ECR}{NODE}@{digests[0]}", REDIS, f"{ECR}alpine:3.19@{digests[1]}"]
    assert "verified digests are added" in (stage.folder / "text.md").read_text()
    assert stage.unhub("undo").status == 0
    assert (stage.folder / "Dockerfile").read_bytes() == before


def test_pins_come_from_the_lock_where_nobody_is_asked(stage: Stage) -> None:
    stage.unhub("verify", NODE, "--write-lock")
    digest = stage.ecr.digest(f"docker/library/{NODE}")
    stage.forget()
    assert f"+FROM {ECR}{NODE}@{digest}" in stage.unhub("migrate", "--pin").text
    assert stage.asked == 0


def test_a_diff_tells_what_the_lock_knows_apart_from_what_nobody_has_seen(stage: Stage) -> None:
    stage.unhub("verify", NODE, "--write-lock")
    assert "verified: 1 same; not verified: 2" in stage.unhub("migrate").err.splitlines()


def test_a_pinned_tree_is_known_to_the_lock_offline(stage: Stage) -> None:
    stage.write(NODE)
    stage.unhub("migrate", "--write", "--pin", "--write-lock")
    stage.forget()
    assert stage.unhub("verify", "--offline").status == 0
    assert stage.unhub("migrate", "--check").status == 0
    assert stage.asked == 0


def test_it_writes_as_a_process_in_a_repository(stage: Stage) -> None:
    from tests.hub import environment

    repository(stage.folder)
    env = {**environment(stage.hub, stage.ecr), "UNHUB_VERIFY": "1"}
    ended = process("migrate", "--write", "--exit-code", cwd=stage.folder, env=env)
    assert ended.status == 1
    assert git("status", "--porcelain", cwd=stage.folder).decode().splitlines() == [" M Dockerfile"]
    assert UNLIMITED in (stage.folder / "unhub.toml").read_text()


def test_a_diff_that_was_to_be_verified_and_could_not_is_no_success(stage: Stage) -> None:
    with stage.hub.refusing(), stage.ecr.refusing():
        assert stage.unhub("migrate", "--verify").status == 5
