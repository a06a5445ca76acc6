"""One file to look at, with everything a format may ask about its surroundings."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class KubernetesPosition(Struct, frozen=True):
    """An image position of a custom resource: its ``kind`` (or ``*``) and a path of keys.

    ``path`` is dotted; ``[]`` behind a key means every item of the list
    (``spec.pools[].image``).
    """

    kind: str
    path: str


class FormatSettings(Struct, frozen=True):
    """What a user may tell the formats.

    ``helm_defaults`` looks into ``default "node:20" .Values.x`` of templates too.
    ``include_comments`` and ``docs`` look into comments and Markdown (rule #73).
    ``build_outputs`` treats an ``image`` beside ``build`` as a pull (rule #53).
    """

    kubernetes_positions: tuple[KubernetesPosition, ...] = ()
    helm_defaults: bool = False
    include_comments: bool = False
    docs: bool = False
    build_outputs: bool = False


def _no_sibling(path: str) -> bytes | None:
    return None


class Source(Struct, frozen=True):
    """A file: its path (POSIX separators, as it will be shown), its bytes, and its neighbours.

    ``read`` returns the bytes of another file of the tree by a path in the same form, or
    ``None`` where there is none that may be read.
    """

    path: str
    data: bytes
    settings: FormatSettings = field(default_factory=FormatSettings)
    read: Callable[[str], bytes | None] = _no_sibling

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path of the folder, ``""`` for the top."""
        return self.path.rpartition("/")[0]

    @property
    def body_start(self) -> int:
        """Offset of the first byte behind a byte-order mark: 0 or 3."""
        return len(BYTE_ORDER_MARK) if self.data.startswith(BYTE_ORDER_MARK) else 0

    def beside(self, relative: str) -> str:
        """The path of a file named relative to this one's folder, dots resolved."""
        whole = relative if relative.startswith("/") or not self.folder else f"{self.folder}/{relative}"
        top = "/" if whole.startswith("/") else ""
        parts: list[str] = []
        for part in whole.split("/"):
            if part != "..":
                parts += [part] if part not in ("", ".") else []
            elif parts and parts[-1] != "..":
                parts.pop()
            elif not top:
                parts.append(part)
        return top + "/".join(parts)
