"""By which rules a server takes pushes, and in whose words it refuses them."""

from __future__ import annotations

from typing import Final

from unhub.mirror.gallery.push_words import GalleryWords
from unhub.mirror.gallery.quotas import quotas_of
from unhub.mirror.gallery.refusals import refusals_of
from unhub.mirror.names import Mode
from unhub.mirror.push import PushRules
from unhub.mirror.push_words import Words
from unhub.mirror.uploads import BLOB_SIZE_MAX
from unhub.server.settings import ServeSettings

GALLERY_MANIFEST_MAX: Final = 4 * 1024 * 1024
"""Bytes of the largest manifest of ECR Public's API (its service definition): no other door takes a larger one there."""


def push_rules(settings: ServeSettings) -> PushRules:
    """The rules: in mode ``ecr-public`` what ECR Public wants of a push, else what the settings say."""
    if settings.mode is Mode.OPEN:
        return PushRules(
            manifest_size=settings.manifest_size,
            delete=settings.delete,
            require_blobs=settings.require_blobs,
            immutable_tags=settings.immutable_tags,
        )
    quotas = quotas_of(settings.facts)
    return PushRules(
        manifest_size=min(settings.manifest_size, GALLERY_MANIFEST_MAX),
        blob_size=min(BLOB_SIZE_MAX, quotas.layer_max),
        delete=settings.delete,
        require_blobs=True,
        create=False,
        images_max=quotas.images,
        tags_max=quotas.tags,
        whole_images=True,
        immutable_tags=settings.immutable_tags,
    )


def push_words(settings: ServeSettings) -> Words | None:
    """Whose words: ECR Public's in its mode, else our own."""
    return None if settings.mode is Mode.OPEN else GalleryWords(refusals_of(settings.facts))
