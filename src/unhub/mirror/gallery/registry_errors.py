"""What the registry's rules and the store refuse, in the words of ECR Public's API."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from unhub.image.errors import ApiRefused, ServeError
from unhub.mirror.gallery.push_words import refusal_of
from unhub.mirror.gallery.refusals import Refusals
from unhub.store.records_identity import Registration
from unhub.store.refusals import StoreRefused

_ROWS: Final = {"BLOB_UPLOAD_UNKNOWN": "upload-not-found", "NAME_UNKNOWN": "repository-not-found"}
"""Refusals of the registry that the API has, too."""

_CODES: Final = {"UNSUPPORTED": "UnsupportedCommandException", "DENIED": "InvalidParameterException"}
"""AWS's names for what is refused for this mirror's own reasons, in our words."""


@contextmanager
def in_api_words(refusals: Refusals, repository: Registration, upload: str = "") -> Generator[None]:
    """In this block refusals become :class:`ApiRefused`; ``upload`` is the id of the upload that it is about."""
    words = {"name": repository.key.path, "registry": repository.account}
    try:
        yield
    except ServeError as error:
        row, code = _ROWS.get(error.registry_code), _CODES.get(error.registry_code)
        if row is not None:
            raise refusals.make(row, upload=upload, **words) from None
        refused = ApiRefused(error.message, aws_code=code or "ServerException", status=400 if code else 500, hint=error.hint)
        raise refused from None
    except StoreRefused as error:
        found = refusal_of(error)
        if found is None:
            raise
        raise refusals.make(found[0], **words, **found[1]) from None
