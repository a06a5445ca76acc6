"""Run by ``unshare -m``: a mirror on a volume of a few megabytes, and images that do not fit on it together. Prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path

from tests.hub import docker_hub
from tests.mirror import Mirror, running_mirror
from unhub.demo.catalogue import Entry
from unhub.demo.images import Image, bulk_layer, image

VOLUME = "16m"
LAYER = 4_000_000
IMAGES = 5


def pull(mirror: Mirror, name: str, one: Image) -> bool:
    """Whether a client got the whole image, every byte right."""
    if mirror.get(f"/v2/library/{name}/manifests/1").status != 200:
        return False
    try:
        return all(mirror.get(f"/v2/library/{name}/blobs/{digest}").body == data for digest, data in one.blobs.items())
    except HTTPException:
        return False


def main(folder: Path, pinned: bool) -> None:
    volume = folder / "volume"
    volume.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={VOLUME}", "tmpfs", str(volume)], check=True)
    images = {f"image{number}": image([bulk_layer(LAYER, f"layer {number}")]) for number in range(IMAGES)}
    entries = [Entry(f"library/{name}", "1", one) for name, one in images.items()]
    with docker_hub(images=entries, limit=None) as hub, running_mirror(folder, hub, data=volume / "data") as mirror:
        if pinned:
            mirror.get("/_unhub/pin", "POST", body=b'{"pattern": "*"}', Authorization=f"Bearer {mirror.token}")
        whole: list[bool] = []
        for name, one in images.items():
            whole.append(pull(mirror, name, one))
            time.sleep(2.5)
        again = pull(mirror, "image0", images["image0"])
        status = mirror.get("/_unhub/status").json["fetcher"]
    print(json.dumps({"whole": whole, "again": again, "evicted": status["evictions"]["images"], "cache": status["cache"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "pinned")
