"""AWS CodeBuild: a script in the repository, run before the first pull of a privileged build."""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, direct_names
from unhub.setup.clients.docker_script import script
from unhub.setup.clients.mirror import Mirror

SCRIPT = "ci/unhub-mirror.sh"
_READ = datetime.date(2026, 11, 25)

_BUILDSPEC = f"""\
phases:
  pre_build:
    commands:
      - sh {SCRIPT}
"""


def settings(mirror: Mirror) -> ClientSettings:
    """The script, and the line of the buildspec that runs it."""
    notes = [
        "the project needs privileged mode, as every build with docker does, and a VPC where the mirror is in one",
        "the image that the build itself runs in (environment.image of the project) is pulled before any command: keep it off Docker Hub",
    ]
    if mirror.others:
        notes.append(direct_names(mirror))
    return ClientSettings(
        files=(ClientFile(SCRIPT, script(mirror), executable=True), ClientFile("buildspec.yml", _BUILDSPEC, part=True)),
        restart="nothing: the script makes dockerd read its settings anew (before docker 25 by a restart)",
        check=("the build's log says `docker asks … for images of Docker Hub`",),
        notes=tuple(notes),
    )


CLIENT = Client(
    name="codebuild",
    title="AWS CodeBuild",
    settings=settings,
    tried=Tried("there is no CodeBuild here; the script itself is run against docker 20.10.24 by tests/clients/test_mirror_docker.py"),
    gone=Gone(
        falls_back=True,
        says="does as docker: asks Docker Hub itself, from an address that it shares with strangers",
        limited="does as docker",
        tried=False,
        source="as docker",
        prevent="as for docker",
    ),
    facts=(
        Fact("dockerd runs only in privileged mode", "AWS CodeBuild user guide, sample-docker", _READ),
        Fact(
            "dockerd reads registry-mirrors anew at SIGHUP; its BuildKit since 25.0",
            "moby v24.0.9 and v25.0.0, cmd/dockerd/daemon.go",
            _READ,
        ),
    ),
    elsewhere=True,
)
