"""Push a small image as docker does, without docker: ``aws ecr-public get-login-password | python -m scripts.push URL ALIAS/NAME:TAG``.

The password is read from standard input. For `make demo` on machines without docker. Ends with 1, and the registry's own
words, where it refuses.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPResponse

from scripts.pull import said

from unhub.demo.images import File, image, layer


class Pushing:
    """One push with one token."""

    def __init__(self, url: str, repository: str, password: str) -> None:
        self._url, self._base = url, f"{url}/v2/{repository}"
        self._token = ""
        self._token = self._fetch_token(password)

    def blob(self, digest: str, content: bytes) -> None:
        """A blob in one piece: where to, then all of it."""
        with self.ask("POST", f"{self._base}/blobs/uploads/", b"") as answer:
            location = urllib.parse.urljoin(self._url, answer.headers["Location"])
        joint = "&" if "?" in location else "?"
        kind = {"Content-Type": "application/octet-stream"}
        self.ask("PUT", f"{location}{joint}digest={urllib.parse.quote(digest)}", content, kind).close()

    def manifest(self, tag: str, content: bytes, media_type: str) -> None:
        """The manifest under a tag."""
        self.ask("PUT", f"{self._base}/manifests/{tag}", content, {"Content-Type": media_type}).close()

    def ask(self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> HTTPResponse:
        """One request. Ends the program with the registry's words where it refuses."""
        own = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            return urllib.request.urlopen(urllib.request.Request(url, body, {**own, **(headers or {})}, method=method), timeout=60)
        except urllib.error.HTTPError as error:
            with error:
                sys.exit(f"{error.code}: {said(error.read())}")
        except urllib.error.URLError as error:
            sys.exit(f"no answer: {error.reason}")

    def _fetch_token(self, password: str) -> str:
        """A bearer token for the password, from where the registry's challenge says."""
        try:
            urllib.request.urlopen(f"{self._url}/v2/", timeout=60)
        except urllib.error.HTTPError as error:
            with error:
                challenge = dict(re.findall(r'(\w+)="([^"]*)"', error.headers.get("WWW-Authenticate", "")))
        else:
            sys.exit("the registry asks for no login")
        query = urllib.parse.urlencode({name: challenge[name] for name in ("service", "scope")})
        login = base64.b64encode(f"AWS:{password}".encode()).decode()
        with self.ask("GET", f"{challenge['realm']}?{query}", headers={"Authorization": f"Basic {login}"}) as answer:
            return str(json.load(answer)["token"])


def main() -> None:
    """Push one image."""
    url, name = sys.argv[1:]
    repository, _, tag = name.rpartition(":")
    pushing = Pushing(url, repository, sys.stdin.read().strip())
    made = image([layer({"hello": File(b"hello from the demo\n")})])
    for digest, content in made.blobs.items():
        pushing.blob(digest, content)
    pushing.manifest(tag, made.root.data, made.root.media_type)
    print(f"pushed {name}: {made.digest}")


if __name__ == "__main__":
    main()
