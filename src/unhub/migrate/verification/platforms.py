"""Two indexes side by side: which platforms have the same image, and which stand on one side only."""

from __future__ import annotations

from dataclasses import replace

from unhub.image.manifest import Manifest
from unhub.migrate.verification.verdict import Evidence, Verdict

ONE_IMAGE = "one image"
"""Stands for the platform of a manifest that is no index: only its configuration would tell."""


def by_platform(manifest: Manifest) -> dict[str, str]:
    """Digest by platform (``linux/arm64/v8``), attestations left out."""
    if not manifest.is_index:
        return {ONE_IMAGE: str(manifest.digest)}
    return {str(image.platform) if image.platform else str(image.digest): str(image.digest) for image in manifest.images}


def compared(evidence: Evidence, theirs: Manifest, ours: Manifest) -> Evidence:
    """The evidence with what Docker Hub's index (``theirs``) and the target's (``ours``) say together.

    ``same-platforms`` where both have the same image for the same platforms; attestations and the order do not matter.
    """
    origin, target = by_platform(theirs), _aligned(by_platform(ours), by_platform(theirs))
    origin = _aligned(origin, target)
    same = tuple(name for name in target if origin.get(name) == target[name])
    other = tuple(name for name in target if name in origin and origin[name] != target[name])
    only_origin = tuple(name for name in origin if name not in target)
    only_target = tuple(name for name in target if name not in origin)
    verdict = Verdict.DIFFERENT if other or only_origin or only_target else Verdict.SAME_PLATFORMS
    return replace(
        evidence,
        verdict=verdict,
        platforms=tuple(target),
        same=same,
        other=other,
        only_origin=only_origin,
        only_target=only_target,
        cause=f"{evidence.cause}; {_said(verdict, same, other, only_origin, only_target)}",
    )


def _aligned(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """``one``, with the name that ``other`` has for its only image, where ``one`` does not know it."""
    digest = one.get(ONE_IMAGE)
    name = next((name for name, theirs in other.items() if theirs == digest), None)
    return {name: digest} if digest is not None and name is not None else one


def _said(
    verdict: Verdict, same: tuple[str, ...], other: tuple[str, ...], only_origin: tuple[str, ...], only_target: tuple[str, ...]
) -> str:
    if verdict is Verdict.SAME_PLATFORMS:
        return f"the images of all {len(same)} platforms are the same, only the index is another"
    parts = [
        (same, "the same image for"),
        (other, "another image for"),
        (only_origin, "only at Docker Hub"),
        (only_target, "only at the target"),
    ]
    return "; ".join(
        f"{title} {', '.join(names)}" if title.endswith("for") else f"{title}: {', '.join(names)}" for names, title in parts if names
    )
