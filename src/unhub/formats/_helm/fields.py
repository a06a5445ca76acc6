"""Which keys of a mapping in Helm values spell an image, and which of them belong together (rule #50)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct, field

from unhub.formats._yaml.parse import Alias, Empty, Node, Pair, Scalar

_FIELD = re.compile(
    r"(?:(?P<group>.*image|docker)[._-]?)?(?P<field>registry|repository|repo|name|tag|version|digest|sha256|sha)", re.IGNORECASE
)
_WHOLE = re.compile(r"(?P<group>.*image|docker[._-]?image)(?:[._-]?(?:ref|reference|uri|url))?", re.IGNORECASE)
_NAMES = {"repo": "repository", "sha": "digest", "sha256": "digest"}
_OTHER_IMAGES = re.compile(
    r"(?:.*[._-])?(?:vm|os|machine|disk|boot|ami|iso|background|logo|icon|hero|cover|profile|preview|source_?disk)[._-]?images?",
    re.IGNORECASE,
)
_NOT_ONE = re.compile(
    r"(?i:true|false|yes|no|on|off|null|~|auto)|[-+.\d]+|ami-[0-9a-f]+|.*\s.*|(?!docker:).*://.*"
    r"|.*\.(?:png|jpe?g|gif|svg|ico|webp|iso|img|qcow2|vmdk|ova)",
    re.DOTALL,
)
_SOURCE_KEY = re.compile(r".*(?:git|chart|helm|restic|backup|source|npm|maven).*", re.IGNORECASE)
_SOURCE_FIELDS = frozenset({"branch", "revision", "ref", "targetrevision", "chart", "url", "sshkey", "commit"})
_PULL_FIELDS = frozenset({"pullpolicy", "imagepullpolicy", "pullsecrets", "pullsecret", "imagepullsecrets"})
NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def is_image_key(key: str) -> bool:
    """Whether a key says that its value is an image (``image``, ``initImage``, ``node-image``)."""
    lower = key.lower()
    return lower.endswith("image") and not is_machine_image(key)


def is_images_key(key: str) -> bool:
    """Whether a key says that its value holds several images (``images``, ``extraImages``)."""
    return key.lower().endswith("images") and not is_machine_image(key)


def is_machine_image(key: str) -> bool:
    """Whether a key says that its value is an image of a machine or a picture (``vmImage``, ``logoImage``)."""
    return _OTHER_IMAGES.fullmatch(key) is not None


def may_be_image(text: str) -> bool:
    """Whether a text at an image key can be a reference at all: no picture, no switch, no URL."""
    return bool(text) and _NOT_ONE.fullmatch(text) is None


def is_set(node: Node | None) -> bool:
    """Whether a field has a value: neither missing, empty nor null."""
    return isinstance(node, Scalar) and not (node.text.strip() == "" or (node.style == "plain" and node.text.strip() in NULLS))


class Group(Struct):
    """The fields that spell one image, each with every pair that gives it (duplicates kept)."""

    key: str
    fields: dict[str, list[Pair]] = field(default_factory=dict[str, list[Pair]])

    def add(self, name: str, pair: Pair) -> None:
        self.fields.setdefault(name, []).append(pair)

    def get(self, name: str, number: int = -1, of: int = 0) -> Pair | None:
        """The pair of a field: of equally many duplicates the one of that number, else the last."""
        pairs = self.fields.get(name, [])
        if not pairs:
            return None
        return pairs[number] if 0 < of == len(pairs) else pairs[-1]

    @property
    def names(self) -> list[Pair]:
        """The pairs that hold the name, or the whole reference."""
        return [*self.fields.get("repository", []), *self.fields.get("whole", [])]

    def is_split(self, name: Pair) -> bool:
        """Whether the reference that ``name`` begins is spread over fields."""
        if "repository" in self.fields:
            return any(pair is name for pair in self.fields["repository"])
        return any(self.fields.get(field) for field in ("registry", "tag", "digest"))


def group(pairs: Iterable[Pair], key: str, *, image_key: bool, listed: bool = False) -> list[Group]:
    """The images that the pairs of the mapping under ``key`` spell.

    ``image_key`` says that the mapping as a whole is one image; ``listed`` that it is one of many.
    """
    pairs = list(pairs)
    groups: dict[str, Group] = {}
    for pair in pairs:
        _classify(pair, groups)
    bare = groups.get("") or Group("")
    _take_name(bare, image_key=image_key, listed=listed)
    wholes = [item for item in groups.values() if item.key and "whole" in item.fields and "repository" not in item.fields]
    if "repository" not in bare.fields and len(wholes) == 1:
        for name in ("registry", "tag", "digest"):
            if name in bare.fields and name not in wholes[0].fields:
                wholes[0].fields[name] = bare.fields.pop(name)
    if "repository" in bare.fields and not _looks_like_image(bare, pairs, key, image_key=image_key):
        groups.pop("", None)
    if not image_key and "repository" not in bare.fields:
        groups.pop("", None)
    for item in wholes:
        _settle_whole(item)
    return list(groups.values())


def _classify(pair: Pair, groups: dict[str, Group]) -> None:
    name = pair.name or ""
    if not isinstance(pair.value, Scalar | Empty | Alias):
        return
    match = _FIELD.fullmatch(name)
    if match:
        key = (match["group"] or "").lower()
        kind = match["field"].lower()
        kind = _NAMES.get(kind, kind)
        if key and kind == "name":
            kind = "whole"
        groups.setdefault(key, Group(key)).add(kind, pair)
        return
    match = _WHOLE.fullmatch(name)
    if match and is_image_key(match["group"]):
        key = match["group"].lower()
        groups.setdefault(key, Group(key)).add("whole", pair)


def _take_name(bare: Group, *, image_key: bool, listed: bool) -> None:
    """``name`` and ``version`` say something about an image only inside one."""
    name, version = bare.fields.pop("name", None), bare.fields.pop("version", None)
    if image_key and version and "tag" not in bare.fields:
        bare.fields["tag"] = version
    if image_key and name and "repository" not in bare.fields and (not listed or "tag" in bare.fields or "digest" in bare.fields):
        bare.fields["repository"] = name


def _settle_whole(item: Group) -> None:
    """A reference with a tag of its own takes nothing from its neighbours; ``nodeVersion`` never is a tag."""
    version = item.fields.pop("version", None)
    if version and "tag" not in item.fields and item.key == "image":
        item.fields["tag"] = version
    text = next((pair.value.text for pair in item.fields["whole"] if isinstance(pair.value, Scalar)), "")
    if ":" in text.rpartition("/")[2] or "@" in text:
        for name in ("tag", "digest"):
            item.fields.pop(name, None)


def _looks_like_image(bare: Group, pairs: list[Pair], key: str, *, image_key: bool) -> bool:
    values = [pair.value for pair in bare.fields["repository"]]
    if any(isinstance(value, Scalar) and ("://" in value.text or value.text.startswith("git@")) for value in values):
        return False
    if image_key:
        return True
    keys = {(pair.name or "").lower() for pair in pairs}
    if _SOURCE_KEY.fullmatch(key) or keys & _SOURCE_FIELDS:
        return False
    return any(name in bare.fields for name in ("registry", "tag", "digest")) or bool(keys & _PULL_FIELDS)
