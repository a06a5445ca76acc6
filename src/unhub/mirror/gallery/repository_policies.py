"""Repository policies: texts that are kept byte for byte, and what they say."""

from __future__ import annotations

from functools import lru_cache

from unhub.aws.json_places import parse
from unhub.aws.policy_document import Kind, Policy, policy_of

NAME = "the repository policy"


@lru_cache(maxsize=1024)
def policy_from(text: str) -> Policy:
    """The policy of a repository, read. Raises :class:`InvalidPolicy` for what is none."""
    values = parse(text.encode(), NAME)
    if len(values) > 1:
        raise values[1].place.wrong("a second document begins here")
    return policy_of(values[0], Kind.RESOURCE, NAME)
