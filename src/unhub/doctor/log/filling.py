"""The values of a log put into the texts of a symptom; into commands only what a shell takes as it is.

A log may be written by strangers: nothing of it reaches a command that a user will copy, unless it is a plain word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from unhub.doctor.log.masking import masked

VALUE_MAX: Final = 200
"""Characters of a value that are shown in a sentence."""

_SLOT = re.compile(r"\{([a-z_]+)\|([^}]*)\}")
_PLAIN = re.compile(r"(?:--(?:role|user) )?[A-Za-z0-9_./:@+=,][A-Za-z0-9_./:@+=,-]{0,300}")


def sentence(template: str, params: Mapping[str, str]) -> str:
    """A sentence with its values; each ``{name|otherwise}`` without a value becomes the words behind the bar."""

    def value(slot: re.Match[str]) -> str:
        found = params.get(slot[1], "")
        return masked(found)[:VALUE_MAX] if found else slot[2]

    return re.sub(r" {2,}", " ", _SLOT.sub(value, template)).strip()


def command(template: str, params: Mapping[str, str]) -> str:
    """A command with its values, where they are plain words that a shell does not change."""

    def value(slot: re.Match[str]) -> str:
        found = params.get(slot[1], "")
        return found if _PLAIN.fullmatch(found) and masked(found) == found else slot[2]

    return _SLOT.sub(value, template)
