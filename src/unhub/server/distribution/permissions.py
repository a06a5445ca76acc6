"""Which actions of IAM a request to the registry needs, in mode ``ecr-public``.

They are those of the API's operations that do the same (codebuild-and-iam.md, 5.1 and 5.3). Reading needs none: whatever
is in a public registry everybody may pull. That a session may be asked about or ended by whoever may add to it is our own
choice, since the API has no such operations (unverified).
"""

from __future__ import annotations

from typing import Final

from unhub.server.distribution.request import Request
from unhub.server.distribution.routing import Kind

INITIATE: Final = "ecr-public:InitiateLayerUpload"
UPLOAD: Final = "ecr-public:UploadLayerPart"
COMPLETE: Final = "ecr-public:CompleteLayerUpload"
PUT: Final = "ecr-public:PutImage"
DELETE: Final = "ecr-public:BatchDeleteImage"

_ACTIONS: Final = {
    (Kind.UPLOADS, "POST"): (INITIATE,),
    (Kind.UPLOAD, "GET"): (UPLOAD,),
    (Kind.UPLOAD, "PATCH"): (UPLOAD,),
    (Kind.UPLOAD, "PUT"): (COMPLETE,),
    (Kind.UPLOAD, "DELETE"): (UPLOAD,),
    (Kind.MANIFEST, "PUT"): (PUT,),
    (Kind.MANIFEST, "DELETE"): (DELETE,),
}


def actions_of(request: Request) -> tuple[str, ...]:
    """The actions that a request needs. Raises ``LookupError`` for one that changes nothing."""
    needed = _ACTIONS[request.route.kind, request.method]
    if request.route.kind is Kind.UPLOADS:
        if request.parameter("digest") is not None:  # a whole blob in one request
            return (*needed, UPLOAD, COMPLETE)
        if request.parameter("mount") is not None and request.parameter("from") is not None:
            return (*needed, COMPLETE)
    return needed
