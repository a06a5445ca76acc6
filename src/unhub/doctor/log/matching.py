"""Which symptoms a text shows: a cheap look for needles first, then the patterns, on short pieces only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from unhub.data.symptoms import Symptom

BEFORE: Final = 1_000
AFTER: Final = 3_000
"""Characters before and after a needle that its pattern sees: so that no line makes a pattern slow."""

PIECES_MAX: Final = 4
"""Pieces of one line that are tried for one symptom."""

SHORT: Final = 4
"""Characters that a word has at least, to be looked for first."""


@dataclass(frozen=True, slots=True)
class Match:
    """A symptom in a text: the values that its pattern captured, and where it begins."""

    symptom: Symptom
    params: dict[str, str]
    start: int


class Sieve:
    """Tells quickly whether any of many needles occurs: few words, of which each needle holds one, are looked for first."""

    def __init__(self, needles: Iterable[str]) -> None:
        left = set(needles)
        self._groups: list[tuple[str, tuple[str, ...]]] = []
        while left:
            words = Counter(word for needle in left for word in set(needle.split()) if len(word) >= SHORT)
            if not words:
                self._groups += [(needle, (needle,)) for needle in sorted(left)]
                return
            best = max(words, key=lambda word: (words[word] * len(word), word))
            self._groups.append((best, tuple(sorted(needle for needle in left if best in needle))))
            left -= set(self._groups[-1][1])

    def holds(self, folded: str) -> bool:
        """Whether a folded text holds a needle."""
        for word, needles in self._groups:  # a loop, since a generator takes twice the time here
            if word in folded:
                for needle in needles:
                    if needle in folded:
                        return True
        return False


class Matcher:
    """Finds symptoms in texts."""

    def __init__(self, symptoms: Iterable[Symptom]) -> None:
        self._symptoms = [symptom for symptom in symptoms if symptom.pattern]
        self._sieve = Sieve({needle for symptom in self._symptoms for needle in symptom.needles})

    def line(self, text: str) -> list[Match]:
        """The symptoms of a single line."""
        return list(self._matches(text, spanning=False))

    def joined(self, text: str) -> list[Match]:
        """The symptoms that span lines, in the joined lines of one build step."""
        return list(self._matches(text, spanning=True))

    def _matches(self, text: str, *, spanning: bool) -> Iterator[Match]:
        folded = fold(text)
        if not self._sieve.holds(folded):
            return
        if len(folded) != len(text):  # a letter whose lower case is longer: places would not agree
            text = text.encode("ascii", "replace").decode("ascii")
            folded = fold(text)
        for symptom in self._symptoms:
            if symptom.spans == spanning and (match := _match(symptom, text, folded)):
                yield match


def fold(text: str) -> str:
    """A text as needles are written: lower case, a blank for every hyphen."""
    return text.lower().replace("-", " ")


def _match(symptom: Symptom, text: str, folded: str) -> Match | None:
    for start, piece in _pieces(symptom, text, folded):
        if found := symptom.search(piece):
            params = {name.rstrip("0123456789"): value for name, value in found.groupdict().items() if value}
            return Match(symptom, params, start + found.start())
    return None


def _pieces(symptom: Symptom, text: str, folded: str) -> Iterator[tuple[int, str]]:
    if len(text) <= BEFORE + AFTER:
        if any(needle in folded for needle in symptom.needles):
            yield 0, text
        return
    for needle in symptom.needles:
        place = folded.find(needle)
        for _ in range(PIECES_MAX):
            if place < 0:
                break
            start = max(place - BEFORE, 0)
            yield start, text[start : place + AFTER]
            place = folded.find(needle, place + AFTER)
