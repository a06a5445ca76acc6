"""Why a push is refused, at the registry: in our own words; ECR Public's are in ``mirror/gallery``."""

from __future__ import annotations

from typing import Protocol

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.store.records import RepositoryKey
from unhub.store.refusals import ContentMissing, Listed, NoSuchRepository, StoreRefused, TagTaken, TooMany


class WrongDigest(StoreRefused):
    """A manifest was pushed by the digest ``said``, and its bytes have the digest ``found``."""

    def __init__(self, said: Digest, found: Digest) -> None:
        super().__init__(f"{said} is {found}")
        self.said = said
        self.found = found


class Words(Protocol):
    """Says at the registry why the store refuses something for a repository."""

    def __call__(self, key: RepositoryKey, error: StoreRefused, /) -> ServeError:
        """See the class."""
        ...


def in_our_words(key: RepositoryKey, error: StoreRefused) -> ServeError:
    """Refusals as the distribution specification codes them ("Error Codes")."""
    match error:
        case WrongDigest(found=found):
            return ServeError(f"cannot store the manifest: its bytes are {found}", status=400, registry_code="DIGEST_INVALID")
        case ContentMissing(blobs=(first, *_)):
            message = f"cannot store the manifest: {key} has no blob {first}"
            return ServeError(message, status=400, registry_code="MANIFEST_BLOB_UNKNOWN", hint="Push its blobs first")
        case ContentMissing(manifests=(first, *_)):
            message = f"cannot store the manifest: {key} has no manifest {first}"
            return ServeError(message, status=400, registry_code="MANIFEST_BLOB_UNKNOWN", hint="Push what the index lists first")
        case NoSuchRepository():
            return ServeError(f"cannot push: there is no repository {key}", status=404, registry_code="NAME_UNKNOWN")
        case TooMany(counted=counted, most=most):
            return ServeError(f"cannot store the manifest: there may be {most} {counted}", status=400, registry_code="DENIED")
        case TagTaken(tag=tag):
            return ServeError(f"cannot move the tag {tag}: it never moves in {key}", status=400, registry_code="TAG_INVALID")
        case Listed(digest=digest, by=(first, *_)):
            return ServeError(f"cannot delete {digest}: {first} lists it", status=400, registry_code="DENIED")
        case _:
            return ServeError(f"cannot store the manifest: {error}", status=400, registry_code="DENIED")
