"""Global ARGs that stages take over and use: an edited default changes what those lines see (rule #36)."""

from __future__ import annotations

import re

from msgspec import Struct, field

from unhub.formats._dockerfile.split import Command, words
from unhub.formats._dockerfile.text import Spelled

_EXPANSION = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


class Uses(Struct):
    """The instructions that use each ARG which a stage has taken over with a bare ``ARG NAME``."""

    keywords: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])

    def see(self, command: Command, text: Spelled, escape: int) -> None:
        """Look at an instruction of a stage."""
        if command.keyword == "arg":
            for word in words(command.rest, escape):
                if b"=" not in word.data:
                    self.keywords.setdefault(word.text, {})
        if not self.keywords or command.keyword == "from" or b"$" not in text.data:
            return
        for name in _EXPANSION.findall(text.text):
            if name in self.keywords:
                self.keywords[name][command.keyword.upper()] = None

    def note(self, name: str) -> str | None:
        """What to say of an edited ARG, if stages use it too."""
        keywords = self.keywords.get(name)
        return f"stages use ARG {name} too, in {' and '.join(keywords)}, and will see the new value" if keywords else None
