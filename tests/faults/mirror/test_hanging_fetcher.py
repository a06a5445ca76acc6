"""A fetcher that is there and does not answer: its workers serve what they have, refuse the rest in time, and hang nowhere."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.hub import docker_hub, small_image
from tests.mirror import running_mirror

SETTINGS = """\
[upstream.docker]
url = "{url}"
hold = 1
fallback = []
[[upstream.docker.fresh]]
tags = "old"
seconds = 0
"""


def test_nobody_hangs_with_it(tmp_path: Path) -> None:
    config = tmp_path / "unhub.toml"
    with docker_hub(images=()) as hub:
        config.write_text(SETTINGS.format(url=hub.url))
        for tag in ("fresh", "old", "cold"):
            hub.add(small_image(tag), f"library/app:{tag}")
        with running_mirror(tmp_path, None, arguments=("--config", config)) as mirror:
            for tag in ("fresh", "old"):
                assert mirror.get(f"/v2/library/app/manifests/{tag}").status == 200
            mirror.kill("fetcher", signal.SIGSTOP)
            try:
                for tag, status, most in (("fresh", 200, 3.0), ("old", 200, 10.0), ("cold", 503, 18.0)):
                    began = time.monotonic()
                    said = mirror.get(f"/v2/library/app/manifests/{tag}")
                    assert said.status == status, tag
                    assert time.monotonic() - began < most, tag
                    assert status == 200 or int(said.headers["retry-after"]) > 0
            finally:
                mirror.kill("fetcher", signal.SIGCONT)
            assert mirror.get("/v2/library/app/manifests/cold").status == 200
