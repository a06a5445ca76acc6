"""Why a push is refused at the registry, in ECR Public's words (see ``gallery.toml``)."""

from __future__ import annotations

from collections.abc import Iterable

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.gallery.refusals import Refusals
from unhub.mirror.push_words import WrongDigest, in_our_words
from unhub.store.records import RepositoryKey
from unhub.store.refusals import ContentMissing, Counted, Listed, NoSuchRepository, StoreRefused, TagTaken, TooMany


class GalleryWords:
    """See :class:`unhub.mirror.push_words.Words`. The registry is named by its alias, as a pull names it."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def __call__(self, key: RepositoryKey, error: StoreRefused, /) -> ServeError:
        """The refusal at the registry."""
        found = refusal_of(error)
        if found is None:
            return in_our_words(key, error)
        refusal, words = found
        return self._refusals.at_registry(refusal, name=key.path, registry=key.alias, **words)


def refusal_of(error: StoreRefused) -> tuple[str, dict[str, object]] | None:
    """The row of ``gallery.toml`` for what the store refuses, and the words to fill in."""
    match error:
        case WrongDigest(said=said):
            return "digest-does-not-match", {"digest": said}
        case ContentMissing(blobs=blobs) if blobs:
            return "layers-not-found", {"digests": listed(blobs)}
        case ContentMissing(manifests=manifests):
            return "referenced-images-not-found", {"digests": listed(manifests)}
        case NoSuchRepository():
            return "repository-not-found", {}
        case TooMany(counted=Counted.IMAGES, most=most):
            return "too-many-images", {"most": most}
        case TooMany(counted=Counted.TAGS, most=most):
            return "too-many-tags", {"most": most}
        case TagTaken(tag=tag):
            return "tag-already-exists", {"tag": tag}
        case Listed(by=by):
            return "image-is-referenced", {"digests": listed(by)}
        case _:
            return None


def listed(digests: Iterable[Digest], most: int = 20) -> str:
    """Digests as texts have them, not endlessly many."""
    texts = [str(digest) for digest in digests]
    return ", ".join([*texts[:most], *(["…"] if len(texts) > most else [])])
