"""Tags through the API: each with its image."""

from __future__ import annotations

from unhub.store.protocols_images import Images as ImageStore
from unhub.store.records_identity import Registration
from unhub.store.records_images import TaggedImage


class ImageTags:
    """The tags of repositories."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    async def page(self, repository: Registration, after: str, limit: int) -> tuple[list[TaggedImage], str | None]:
        """Tags in the order of names (ASCII), and after which name there are more."""
        found = await self._images.tagged(repository.key, after=after, limit=limit + 1)
        return found[:limit], found[limit - 1].tag if len(found) > limit else None
