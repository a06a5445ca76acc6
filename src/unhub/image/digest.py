"""Digests: the name of content by its hash.

Grammar and registered algorithms: OCI image specification 1.1, descriptor.md, "Digests".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from unhub.image.errors import InvalidDigest

HEX_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Number of hexadecimal digits an algorithm writes (go-digest knows these three)."""

_DIGEST = re.compile(r"(?P<algorithm>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*):(?P<encoded>[0-9a-fA-F]{32,})")


@dataclass(frozen=True, slots=True)
class Digest:
    """A content address such as ``sha256:4bcf…``: the algorithm and the lower-case hex digits."""

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``algorithm:hex``.

        Raises :class:`InvalidDigest` for another form, an unknown algorithm, a wrong
        length, or upper-case hexadecimal digits (go-digest refuses them too).
        """
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise InvalidDigest(text, "it is not algorithm:hexadecimal")
        algorithm, encoded = match["algorithm"], match["encoded"]
        length = HEX_LENGTHS.get(algorithm)
        if length is None:
            raise InvalidDigest(text, f"{algorithm} is not one of {', '.join(HEX_LENGTHS)}")
        if len(encoded) != length:
            raise InvalidDigest(text, f"{algorithm} has {length} digits, not {len(encoded)}")
        if encoded != encoded.lower():
            raise InvalidDigest(text, "its digits must be lower case")
        return cls(algorithm, encoded)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"
