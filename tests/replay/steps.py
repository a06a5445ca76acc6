"""The steps of the replay (the story's, with real clients), in the order in which they follow one another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.replay.place import IMAGE, REGISTRY, moved_clock
from tests.replay.scene import Scene

LOGIN = "aws ecr-public get-login-password --region us-west-2 | docker login --username AWS --password-stdin public.ecr.aws"
"""The article's line."""

BUILD = "docker build --network=host -t shop ."
HALF_A_DAY = 12 * 3600
MOVED = HALF_A_DAY + 60
_ADMIN = f"--server https://{REGISTRY}"


@dataclass(frozen=True)
class Step:
    """A step: its title, what the page says of it, and what is done."""

    title: str
    told: str
    run: Callable[[Scene], None]

    @property
    def name(self) -> str:
        return self.run.__name__


def docker_hub_refuses(scene: Scene) -> None:
    scene.type("cat Dockerfile", keep="^FROM")
    scene.type(BUILD, status=1, keep=r"^failed.*(toomanyrequests: .*)")


def the_move_and_the_permission(scene: Scene) -> None:
    scene.type("unhub migrate --write")
    scene.type("cat Dockerfile", keep="^FROM")
    scene.place.key = _key(scene.type(f"unhub admin user create codebuild --json {_ADMIN}"))
    scene.type("unhub iam-policy --format json | tee pull.json")
    scene.type(f"unhub admin policy attach codebuild pull.json {_ADMIN}")


def _key(said: str) -> dict[str, str]:
    """A new user's access key, for AWS's tools."""
    made = json.loads(said)["access_key"]
    return {"AWS_ACCESS_KEY_ID": made["id"], "AWS_SECRET_ACCESS_KEY": made["secret"]}


def the_login(scene: Scene) -> None:
    scene.type(LOGIN, keep="Login|rror")


def the_pitfall(scene: Scene) -> None:
    said = scene.type(LOGIN.replace(" --region us-west-2", ""), status=1, AWS_DEFAULT_REGION="ap-northeast-1")
    scene.write("login.log", said)
    scene.type("unhub doctor --log login.log", status=1)


def the_build(scene: Scene) -> None:
    scene.type(BUILD, keep=r"(\[\S+ \d/\d\] .*|naming to .*)", in_order=False)
    scene.type("docker run --rm --network=host shop")
    scene.type(f"podman pull -q {IMAGE}")
    scene.type("podman images --noheading --format '{{.Repository}}:{{.Tag}}'")


def the_buildspec(scene: Scene) -> None:
    scene.type("unhub setup codebuild --write")
    scene.type("cat buildspec.yml")
    scene.place.forget_logins()
    scene.place.forget_images()
    scene.type("unhub run-buildspec", keep=r"\[Container\]|Login Succeeded|built by")


def without_the_policy(scene: Scene) -> None:
    own = _key(scene.type(f"unhub admin user create newcomer --json {_ADMIN}"))
    said = scene.type("aws ecr-public get-login-password --region us-east-1", status=255, **own)
    scene.write("denied.log", said)
    scene.type("unhub doctor --log denied.log", status=1)


def half_a_day_later(scene: Scene) -> None:
    scene.place.start_gallery(later=MOVED)
    scene.place.forget_images()
    said = scene.type(f"docker pull {IMAGE}", status=1)
    scene.write("expired.log", said)
    scene.type("unhub doctor --log expired.log", status=1)
    scene.type(f"faketime -f +{MOVED}s {LOGIN}", keep="Login|rror", **_faketime_for_python())
    scene.type(f"docker pull -q {IMAGE}")
    scene.place.start_gallery()


def _faketime_for_python() -> dict[str, str]:
    return {"FAKETIME_DONT_FAKE_MONOTONIC": moved_clock(0)["FAKETIME_DONT_FAKE_MONOTONIC"]}


def the_helpers(scene: Scene) -> None:
    for helper in ("ecr-login", "unhub"):
        scene.place.helper(helper)
        scene.place.forget_images()
        scene.type("cat ~/.docker/config.json")
        scene.type(f"docker pull -q {IMAGE}")
        scene.type(f"skopeo inspect --format '{{{{.Name}}}} {{{{.Architecture}}}}' docker://{IMAGE}")


STEPS = (
    Step(
        "Docker Hub refuses",
        "A deployment builds an image from Go, Node and alpine, and this address has used up its pulls.",
        docker_hub_refuses,
    ),
    Step(
        "The Dockerfile moves, and a user gets the permission",
        "`unhub migrate` asks both registries by HEAD whether the images are the same before it writes.",
        the_move_and_the_permission,
    ),
    Step("The login", "The article's own line, with AWS's command line and docker.", the_login),
    Step("The pitfall", "The same line without `--region`, where the default region is ap-northeast-1.", the_pitfall),
    Step("The build", "The same build by the new names. The base images are pulled through.", the_build),
    Step(
        "The buildspec",
        "The login goes into `buildspec.yml`; then its commands run, with no login and no image here before.",
        the_buildspec,
    ),
    Step("Without the policy", "Another user, whom nothing is allowed yet.", without_the_policy),
    Step(
        "Half a day later",
        "A password holds 12 hours. The gallery's clock is moved by that and a minute, and for the new login that of AWS's command line.",
        half_a_day_later,
    ),
    Step(
        "Without a login step",
        "AWS's credential helper and ours, each for docker and skopeo.",
        the_helpers,
    ),
)
