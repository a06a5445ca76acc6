"""The patterns of ``${V#p}``, ``${V%p}`` and ``${V/p/r}``: ``*``, ``?`` and escapes, matched in linear steps.

Source: ``convertShellPatternToRegex`` in ``frontend/dockerfile/shell/lex.go`` of moby/buildkit, which knows no
``[…]``. There, ``*`` is greedy in a substitution and with a doubled mark, else it is not.
"""

from __future__ import annotations

from msgspec import Struct

_MANY, _ONE = "*", "?"


class BrokenPattern(Exception):
    """BuildKit refuses the pattern: a backslash stands before something it cannot protect."""


class Pattern(Struct, frozen=True):
    """A pattern as (character, is a wildcard)."""

    tokens: tuple[tuple[str, bool], ...]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern with its escapes. Raises :class:`BrokenPattern`."""
        tokens: list[tuple[str, bool]] = []
        characters = iter(range(len(text)))
        for place in characters:
            character = text[place]
            if character != "\\":
                tokens.append((character, character in (_MANY, _ONE)))
                continue
            after = text[place + 1 : place + 2]
            if after in ("}", "/"):
                continue
            if after not in (_MANY, _ONE, "\\") or not after:
                raise BrokenPattern
            tokens.append((after, False))
            next(characters)
        return cls(tuple(tokens))

    def _ends(self, text: str, start: int) -> list[int]:
        """Every place where a match that begins at ``start`` can end, in order."""
        states = self._beyond({0})
        ends: list[int] = []
        place = start
        while True:
            if len(self.tokens) in states:
                ends.append(place)
            if place == len(text) or not states:
                return ends
            states = self._beyond(self._step(states, text[place]))
            place += 1

    def _beyond(self, states: set[int]) -> set[int]:
        """The states with those behind each ``*`` that may match nothing."""
        reached = set(states)
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state < len(self.tokens) and self.tokens[state] == (_MANY, True) and state + 1 not in reached:
                reached.add(state + 1)
                waiting.append(state + 1)
        return reached

    def _step(self, states: set[int], character: str) -> set[int]:
        after: set[int] = set()
        for state in states:
            if state == len(self.tokens):
                continue
            token, wild = self.tokens[state]
            if wild and token == _MANY:
                after.add(state)
            elif wild or token == character:
                after.add(state + 1)
        return after

    def without_prefix(self, text: str, *, longest: bool) -> str:
        """``text`` without the shortest or longest beginning that matches."""
        ends = self._ends(text, 0)
        return text[ends[-1 if longest else 0] :] if ends else text

    def without_suffix(self, text: str, *, longest: bool) -> str:
        """``text`` without the shortest or longest end that matches."""
        turned = Pattern(self.tokens[::-1])
        return turned.without_prefix(text[::-1], longest=longest)[::-1]

    def substituted(self, text: str, replacement: str, *, every: bool) -> str:
        """``text`` with the first or every longest match replaced."""
        out: list[str] = []
        place, matched = 0, -1
        while place <= len(text):
            end = max(self._ends(text, place), default=-1)
            if end < 0 or (end == place == matched):
                # an empty match right behind another counts for none
                out.append(text[place : place + 1])
                place += 1
                continue
            out.append(replacement)
            if not every:
                return "".join(out) + text[end:]
            if end == place:
                out.append(text[place : place + 1])
            matched = end
            place = max(end, place + 1)
        return "".join(out)
