"""Which image, and which registry, a line of a log speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from unhub.data.symptoms import Place
from unhub.image.errors import InvalidReference
from unhub.image.reference import DOCKER_HUB, Reference

MENTIONS_MAX: Final = 8
"""Images that are taken from one line."""

_NAME = r"""[A-Za-z0-9][\w.:/@-]{0,300}"""
_KNOWN_HOST = r"(?:(?:index\.|registry-1\.)?docker\.io|public\.ecr\.aws|\d{12}\.dkr\.ecr\.[a-z0-9-]{1,30}\.amazonaws\.com)"
_MENTION = re.compile(
    rf"""
      (?P<from>
          \bload\ (?:\.dockerignore\ )?metadata\ for\ (?P<a>{_NAME})
        | \bfailed\ to\ solve:\ (?P<b>{_NAME}):
        | \bsource\ metadata\ for\ (?P<c>{_NAME})
        | (?:^|(?<=[\]:|>]\ )|(?-i:(?<=\s)(?=FROM)))FROM\ (?:--platform=\S{{1,60}}\ )?(?P<d>{_NAME})
        | \bRetrieving\ image(?:\ manifest)?\ (?P<e>{_NAME})
        | \bresolve\ image\ config\ for\ docker-image://(?P<f>{_NAME})
      )
    | (?P<image>
          \bpull(?:ing|ed)?\ (?:docker\ )?image\ (?!manifest\b)"?(?P<g>{_NAME})
        | \bpull\ and\ unpack\ image\ "(?P<h>{_NAME})
        | \bexecutor\ with\ image\ (?P<i>{_NAME})
        | ^\s{{0,40}}(?:-\ )?image:\ {{1,9}}["']?(?P<j>{_NAME})["']?\s*$
      )
    | (?P<plain>
          \bFailed\ to\ pull\ image\ "(?P<k>{_NAME})
        | \bBack-off\ pulling\ image\ "(?P<l>{_NAME})
        | \bfailed\ to\ resolve\ ref(?:erence)?\ "?(?P<m>{_NAME})
        | \bUnable\ to\ find\ image\ '(?P<n>{_NAME})
        | \b(?P<command>(?:docker|podman|nerdctl|crictl|buildah)\ (?:image\ )?pull)\ (?:-\S{{1,60}}\ ){{0,6}}(?P<o>{_NAME})
        | \bTrying\ to\ pull\ (?P<p>{_NAME}?)\.\.\.
        | \bfrom\ flag\ value\ (?P<q>{_NAME})
        | \bmanifest\ for\ (?P<r>{_NAME})\ not\ found
        | docker(?:-image)?://(?P<s>{_NAME})
        | \bpull\ access\ denied\ for\ (?P<t>{_NAME}?),
        | (?<![\w./-])(?P<u>{_KNOWN_HOST}/(?!v2/|v1/|token){_NAME})
      )
    | https://(?P<host>[a-z0-9.-]{{1,100}}(?::\d{{1,5}})?)/v2/(?P<path>[a-z0-9][a-z0-9._/-]{{0,200}}?)/manifests/(?P<version>[\w.-]{{1,128}}(?::[0-9a-f]{{2,128}})?)
    | \breading\ manifest\ (?P<version2>[\w.-]{{1,128}}(?::[0-9a-f]{{2,128}})?)\ in\ (?P<name2>{_NAME})
    | (?:^|\s)(?P<version3>[\w.-]{{1,128}}):\ Pulling\ from\ (?!host\ )(?P<name3>{_NAME})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WORTH = re.compile(r"image|from |metadata|docker|manifest|pull|solve:|ecr|resolve", re.IGNORECASE)
_HUB = re.compile(r"docker\.io\b|\bhub\.docker\.com|www\.docker\.com/increase|production\.cloud(?:flare|front)\.docker\.com", re.IGNORECASE)
_ECR_PUBLIC = re.compile(r"public\.ecr\.aws\b|\becr-public\b|ecr-public\.aws\.com|d5l0dvt14r5h8\.cloudfront\.net", re.IGNORECASE)
_ECR = re.compile(
    r"\b(?P<host>\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]{1,30})\.[a-z0-9.-]{1,60}?)(?=[/\s\"':,]|$)", re.IGNORECASE
)
_HOST = re.compile(r"(?:https?://|\bhost )(?P<host>[a-z0-9][a-z0-9.-]{0,200}(?::\d{1,5})?)(?=[/\s\"':,]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """An image that a line names; ``label`` is the word before such a name in a file (``FROM``, ``image:``), if known."""

    reference: Reference
    label: str | None = None

    @property
    def key(self) -> str:
        """What makes two mentions the same image: without a tag ``latest`` is meant."""
        return f"{self.reference.name}:{self.reference.tag or 'latest'}"


def mentions(text: str) -> tuple[Mention, ...]:
    """The images that a line names, in their order; what is no valid name is left out."""
    if not _WORTH.search(text):
        return ()
    found: dict[str, Mention] = {}
    for match, _ in zip(_MENTION.finditer(text), range(MENTIONS_MAX), strict=False):
        for mention in _mention(match):
            found.setdefault(mention.key, mention)
    return tuple(found.values())


def _mention(match: re.Match[str]) -> Iterator[Mention]:
    groups = {name: value for name, value in match.groupdict().items() if value}
    label = "FROM" if "from" in groups else "image:" if "image" in groups else groups.get("command")
    if "version" in groups:
        text = _joined(f"{groups['host']}/{groups['path']}", groups["version"])
    elif name := next((key for key in groups if key.startswith("version")), None):
        text = _joined(groups[f"name{name[-1]}"], groups[name])
    else:
        text = next(value for name, value in groups.items() if len(name) == 1)
    reference = _parsed(text.rstrip(".:,;/-@"))
    if reference is not None:
        yield Mention(reference, label)


def _joined(name: str, version: str) -> str:
    return f"{name.rstrip(':')}@{version}" if ":" in version else f"{name.rstrip(':')}:{version}"


def _parsed(text: str) -> Reference | None:
    """A name as :class:`Reference`, at Docker Hub's own name and with a digest only where it is whole.

    A log in capitals only is read in lower case.
    """
    try:
        reference = Reference.parse(text.lower() if text.isupper() else text)
    except InvalidReference:
        name, at, _ = text.partition("@")
        return _parsed(name) if at else None
    if reference.is_docker_hub and reference.registry != DOCKER_HUB:
        reference = replace(reference, registry=DOCKER_HUB)
    return reference


def place_of(text: str, named: tuple[Mention, ...] = ()) -> Place | None:
    """The registry that a line speaks of, by its host or by the images it names."""
    if _ECR.search(text):
        return "ecr"
    if _ECR_PUBLIC.search(text):
        return "ecr-public"
    if _HUB.search(text) or any(mention.reference.is_docker_hub for mention in named):
        return "docker-hub"
    return None


def addresses(text: str) -> dict[str, str]:
    """The registry host of a line as ``host``, with the ``region`` of a private ECR host."""
    if match := _ECR.search(text):
        return {"host": match["host"].lower(), "region": match["region"].lower()}
    if _ECR_PUBLIC.search(text):
        return {"host": "public.ecr.aws"}
    match = _HOST.search(text)
    return {"host": match["host"].lower()} if match else {}
