"""Pull an image as docker does, without docker: ``python -m scripts.pull http://HOST:PORT library/node:20``.

The manifest by its tag, the image of one platform, its configuration and layers, each verified; anonymous tokens as the
challenge says. For `make demo` on machines without docker. Ends with 1, and the registry's own words, where it refuses.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

ACCEPT = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.v2+json",
    )
)


class Registry:
    """A registry that is asked anonymously."""

    def __init__(self, url: str, repository: str) -> None:
        self._base = f"{url}/v2/{repository}"
        self._repository = repository
        self._token: str | None = None

    def get(self, path: str) -> bytes:
        """The body of an answer, its digest verified where ``path`` names one."""
        try:
            body = self._ask(path)
        except urllib.error.HTTPError as error:
            with error:
                challenge = error.headers.get("WWW-Authenticate", "")
                if error.code != 401 or not challenge.startswith("Bearer "):
                    sys.exit(f"{error.code}: {said(error.read())}")
            self._token = self._fetch_token(dict(re.findall(r'(\w+)="([^"]*)"', challenge)))
            try:
                body = self._ask(path)
            except urllib.error.HTTPError as refused:
                with refused:
                    sys.exit(f"{refused.code}: {said(refused.read())}")
        except urllib.error.URLError as error:
            sys.exit(f"no answer: {error.reason}")
        digest = path.rpartition("/")[2]
        if digest.startswith("sha256:") and hashlib.sha256(body).hexdigest() != digest.removeprefix("sha256:"):
            sys.exit(f"the content of {path} has another digest")
        return body

    def _ask(self, path: str) -> bytes:
        headers = {"Accept": ACCEPT} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        request = urllib.request.Request(f"{self._base}/{path}")
        for name, value in headers.items():
            request.add_unredirected_header(name, value)
        with urllib.request.urlopen(request, timeout=60) as answer:
            if warning := answer.headers.get("Warning"):
                print(f"  {warning}")
            return answer.read()

    def _fetch_token(self, challenge: dict[str, str]) -> str:
        query = urllib.parse.urlencode({name: challenge[name] for name in ("service", "scope") if name in challenge})
        with urllib.request.urlopen(f"{challenge['realm']}?{query}", timeout=60) as answer:
            document = json.load(answer)
        return str(document.get("token") or document["access_token"])


def said(body: bytes) -> str:
    """What a registry says in its error."""
    try:
        error: dict[str, Any] = json.loads(body)["errors"][0]
    except (ValueError, KeyError, IndexError):
        return body.decode("utf-8", "replace").strip()
    return f"{str(error['code']).lower()}: {error['message']}"


def main() -> None:
    """Pull one image."""
    url, name = sys.argv[1:]
    repository, _, tag = name.rpartition(":")
    registry = Registry(url, repository)
    manifest = json.loads(registry.get(f"manifests/{tag}"))
    if "manifests" in manifest:
        images = [row for row in manifest["manifests"] if row.get("platform", {}).get("architecture") == "amd64"]
        manifest = json.loads(registry.get(f"manifests/{images[0]['digest']}"))
    blobs = [manifest["config"], *manifest["layers"]]
    size = sum(len(registry.get(f"blobs/{row['digest']}")) for row in blobs)
    print(f"pulled {name}: {len(blobs)} blobs, {size:,} bytes, every digest right")


if __name__ == "__main__":
    main()
