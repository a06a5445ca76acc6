"""A large tree that looks like many services of one company: mostly source code, some build files."""

from __future__ import annotations

import random
from pathlib import Path

IMAGES = ("node:20", "golang:1.22-alpine", "python:3.12-slim", "postgres:16", "redis:7", "nginx:1.27", "alpine:3.19", "quay.io/org/tool:1")
CODE = "import os\n\n\ndef handler(event, context):\n    return {'status': 200, 'body': os.environ.get('BODY', '')}\n" * 12


def _dockerfile(pick: random.Random) -> str:
    return (
        "# syntax=docker/dockerfile:1\nARG VERSION=1.2\n"
        f"FROM {pick.choice(IMAGES)} AS build\nWORKDIR /src\nCOPY . .\nRUN --mount=type=cache,target=/root/.cache make build \\\n    && make test\n\n"
        f'FROM {pick.choice(IMAGES)}\nCOPY --from=build /src/out /usr/local/bin/\nCMD ["serve"]\n'
    )


def _compose(pick: random.Random) -> str:
    services = "".join(f"  s{number}:\n    image: {pick.choice(IMAGES)}\n    environment:\n      KEY: value\n" for number in range(4))
    return f"services:\n{services}"


def _deployment(pick: random.Random) -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  replicas: 2\n  template:\n    spec:\n"
        f"      containers:\n        - name: web\n          image: {pick.choice(IMAGES)}\n          ports:\n            - containerPort: 80\n"
    )


def _workflow(pick: random.Random) -> str:
    return (
        "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n"
        f"    container: {pick.choice(IMAGES)}\n    steps:\n      - uses: actions/checkout@v4\n      - run: |\n          make test\n          docker run --rm {pick.choice(IMAGES)} true\n"
    )


def _script(pick: random.Random) -> str:
    return f"#!/bin/sh\nset -e\ndocker pull {pick.choice(IMAGES)}\ndocker run --rm -v $PWD:/src {pick.choice(IMAGES)} make\n"


WRITERS = (
    ("Dockerfile", _dockerfile),
    ("compose.yaml", _compose),
    ("deploy/deployment.yaml", _deployment),
    ("workflow.yml", _workflow),
    ("build.sh", _script),
)


def make_tree(top: Path, files: int) -> int:
    """Write ``files`` files below ``top``, 15 in 100 of them with references; returns how many have some."""
    pick = random.Random(20261123)
    with_references = 0
    for number in range(files):
        folder = top / f"team{number % 40:02d}" / f"service{number // 400:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        if number % 100 < 15:
            name, write = WRITERS[number % len(WRITERS)]
            if name == "workflow.yml":
                path = top / ".github" / "workflows" / f"w{number}.yml"
            else:
                path = folder / f"part{number}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(write(pick), "utf-8")
            with_references += 1
        else:
            suffix = pick.choice((".py", ".py", ".ts", ".go", ".md", ".json", ".yaml"))
            text = "name: value\nlist:\n  - a\n  - b\n" * 20 if suffix == ".yaml" else '{"key": [1, 2, 3]}\n' if suffix == ".json" else CODE
            (folder / f"file{number}{suffix}").write_text(text, "utf-8")
    return with_references
