"""GitHub Actions: a composite action in the repository for docker, and the input of setup-buildx for builders."""

from __future__ import annotations

import datetime

from unhub.setup.clients.buildkit import buildkitd_toml
from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, direct_names, indented
from unhub.setup.clients.docker_script import script
from unhub.setup.clients.mirror import Mirror

FOLDER = ".github/actions/unhub-mirror"
_CA_PATH = "/etc/docker/certs.d/{address}/ca.crt"
_READ = datetime.date(2026, 11, 25)

_ACTION = """\
name: Use the mirror
description: Points docker at the mirror {url}
runs:
  using: composite
  steps:
    - shell: sh
      run: sudo sh "$GITHUB_ACTION_PATH/unhub-mirror.sh"
"""

_STEPS = """\
steps:
  - uses: actions/checkout@v4
  - uses: ./{folder}
  - uses: docker/setup-buildx-action@v3
    with:
      buildkitd-config-inline: |
{toml}"""


def settings(mirror: Mirror) -> ClientSettings:
    """The action, and the steps that use it."""
    toml = buildkitd_toml(mirror, _CA_PATH.format(address=mirror.address))
    notes = [
        "service containers and `container:` of a job are pulled before any step: on a runner of your own set up its docker once "
        "(`unhub client-config docker`); on GitHub's runners move those references",
        "without docker/setup-buildx-action the second step is enough",
    ]
    if mirror.others:
        notes.append(direct_names(mirror))
    return ClientSettings(
        files=(
            ClientFile(f"{FOLDER}/action.yml", _ACTION.format(url=mirror.url)),
            ClientFile(f"{FOLDER}/unhub-mirror.sh", script(mirror), executable=True),
            ClientFile(".github/workflows/WORKFLOW.yml", _STEPS.format(folder=FOLDER, toml=indented(toml, 8)), part=True),
        ),
        restart="nothing: the script makes dockerd read its settings anew (before docker 25 by a restart, which ends service containers)",
        check=("the step's log says `docker asks … for images of Docker Hub`",),
        notes=tuple(notes),
    )


CLIENT = Client(
    name="github-actions",
    title="GitHub Actions",
    settings=settings,
    tried=Tried("there is no runner here; the script itself is run against docker 20.10.24 by tests/clients/test_mirror_docker.py"),
    gone=Gone(
        falls_back=True,
        says="does as docker and BuildKit: asks Docker Hub itself",
        limited="does as docker and BuildKit",
        tried=False,
        source="as docker",
        prevent="as for docker",
    ),
    facts=(
        Fact("builders of setup-buildx take buildkitd-config-inline (config-inline is its old name)", "docker/docs#21124", _READ),
        Fact("a builder does not read daemon.json", "docker/setup-buildx-action#430", _READ),
    ),
    elsewhere=True,
)
