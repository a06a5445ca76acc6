"""Who may do what at the registry in mode ecr-public: every kind of caller against every verb, in tables that were written by hand.

A cell is a status. Columns that read (GET, HEAD, Range) stand together, since they must be treated alike; each cell is
tried with content of its own, so that no answer depends on the one before.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.gallery import ACCOUNT, ALIAS, EVERYTHING, OTHER, Gallery, running_gallery
from tests.hub import Said, docker_hub
from unhub.data.iam import iam_knowledge
from unhub.mirror.tokens import Owner
from unhub.server.identity_services import IdentityServices
from unhub.store.records_identity import RevokedKind
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
LOGIN = ("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken")
PUSH = tuple(
    f"ecr-public:{name}" for name in ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage", "BatchDeleteImage")
)


def allow(*actions: str) -> Mapping[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def deny(*actions: str) -> Mapping[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": "*"}


def managed(name: str) -> Mapping[str, Any]:
    """One of AWS's own policies."""
    return allow(*next(row.actions for row in iam_knowledge().managed if row.name == name))


def all_but(name: str) -> Sequence[Mapping[str, Any]]:
    """Everything that a push or delete needs, but for one action."""
    return (allow(*LOGIN, *(action for action in PUSH if not action.endswith(f":{name}"))),)


USERS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "owner": EVERYTHING,
    "only login": (allow(*LOGIN),),
    "read only": (managed("AmazonElasticContainerRegistryPublicReadOnly"),),
    "power user": (managed("AmazonElasticContainerRegistryPublicPowerUser"),),
    "no initiate": all_but("InitiateLayerUpload"),
    "no part": all_but("UploadLayerPart"),
    "no complete": all_but("CompleteLayerUpload"),
    "no put": all_but("PutImage"),
    "no delete": all_but("BatchDeleteImage"),
    "denied": (*EVERYTHING, deny(*PUSH)),
    "elsewhere": (
        allow(*LOGIN),
        {"Effect": "Allow", "Action": list(PUSH), "Resource": f"arn:aws:ecr-public::{ACCOUNT}:repository/other/*"},
    ),
    "only tls": (allow(*LOGIN), {**allow(*PUSH), "Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
    "other/admin": EVERYTHING,
    "other/login": (allow(*LOGIN),),
    "revoked": EVERYTHING,
}

READS: tuple[str, ...] = ("version", "tag", "tag HEAD", "digest", "digest HEAD", "blob", "blob HEAD", "blob part", "tags", "referrers")
"""Asked of what is there; one column of the tables, since none may differ from another."""

WRITES: tuple[str, ...] = (
    "begin",
    "whole",
    "mount",
    "patch",
    "ask",
    "finish",
    "cancel",
    "put tag",
    "put digest",
    "delete tag",
    "delete digest",
)

OWN = """
                    reads  begin  whole  mount  patch  ask    finish cancel put-tag put-digest delete-tag delete-digest
no credentials      401    401    401    401    401    401    401    401    401     401        401        401
garbage             400    400    400    400    400    400    400    400    400     400        400        400
password as Basic   400    400    400    400    400    400    400    400    400     400        400        400
two at once         400    400    400    400    400    400    400    400    400     400        400        400
of another server   400    400    400    400    400    400    400    400    400     400        400        400
expired             400    400    400    400    400    400    400    400    400     400        400        400
revoked             400    400    400    400    400    400    400    400    400     400        400        400
anonymous           ok     403    403    403    403    403    403    403    403     403        403        403
only login          ok     403    403    403    403    403    403    403    403     403        403        403
read only           ok     403    403    403    403    403    403    403    403     403        403        403
power user          ok     202    201    201    202    204    201    204    201     201        403        403
owner               ok     202    201    201    202    204    201    204    201     201        202        202
owner, raw token    ok     202    201    201    202    204    201    204    201     201        202        202
no initiate         ok     403    403    403    404    404    404    404    201     201        202        202
no part             ok     202    403    201    403    403    201    403    201     201        202        202
no complete         ok     202    403    403    202    204    403    204    201     201        202        202
no put              ok     202    201    201    202    204    201    204    403     403        202        202
no delete           ok     202    201    201    202    204    201    204    201     201        403        403
denied              ok     403    403    403    403    403    403    403    403     403        403        403
elsewhere           ok     403    403    403    403    403    403    403    403     403        403        403
only tls            ok     403    403    403    403    403    403    403    403     403        403        403
other/admin         ok     403    403    403    403    403    403    403    403     403        403        403
other/login         ok     403    403    403    403    403    403    403    403     403        403        403
"""
"""A repository without a policy of its own."""

SHARED = """
                    reads  begin  whole  mount  patch  ask    finish cancel put-tag put-digest delete-tag delete-digest
anonymous           ok     403    403    403    403    403    403    403    403     403        403        403
only login          ok     202    201    201    202    204    201    204    201     201        202        202
read only           ok     403    403    403    403    403    403    403    403     403        403        403
denied              ok     403    403    403    403    403    403    403    403     403        403        403
other/admin         ok     202    201    201    202    204    201    204    201     201        202        202
other/login         ok     403    403    403    403    403    403    403    403     403        403        403
owner               ok     202    201    201    202    204    201    204    201     201        202        202
"""
"""Its policy allows the other account, and in its own account the user who may only log in."""

CLOSED = """
                    reads  begin  whole  mount  patch  ask    finish cancel put-tag put-digest delete-tag delete-digest
anonymous           ok     403    403    403    403    403    403    403    403     403        403        403
owner               ok     403    403    403    403    403    403    403    403     403        403        403
power user          ok     403    403    403    403    403    403    403    403     403        403        403
other/admin         ok     403    403    403    403    403    403    403    403     403        403        403
"""
"""Its policy denies everybody what changes it. Whoever may, takes the policy away first."""

MISSING = """
                    reads  begin  whole  mount  patch  ask    finish cancel put-tag put-digest delete-tag delete-digest
no credentials      401    401    401    401    401    401    401    401    401     401        401        401
anonymous           404    403    403    403    403    403    403    403    403     403        403        403
only login          404    403    403    403    403    403    403    403    403     403        403        403
owner               404    404    404    404    404    404    404    404    404     404        404        404
other/admin         404    403    403    403    403    403    403    403    403     403        403        403
"""
"""A repository that was not created: who may not push is not told so."""

PULLED_THROUGH = """
                    reads  begin  whole  mount  patch  ask    finish cancel put-tag put-digest delete-tag delete-digest
no credentials      401    401    401    401    401    401    401    401    401     401        401        401
expired             400    400    400    400    400    400    400    400    400     400        400        400
anonymous           ok     405    405    405    405    405    405    405    405     405        405        405
owner               ok     405    405    405    405    405    405    405    405     405        405        405
"""
"""What comes from Docker Hub, nobody changes."""


def cells(table: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a table: a caller, and what is expected of each verb."""
    _, *lines = table.strip("\n").splitlines()
    for line in lines:
        reads, *writes = line[20:].split()
        yield line[:20].strip(), dict.fromkeys(READS, reads) | dict(zip(WRITES, writes, strict=True))


@dataclass
class Stage:
    """A mirror with content, and what each caller sends along."""

    gallery: Gallery
    authorization: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=count)

    def ask(self, who: str, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str) -> Said:
        said = self.authorization[who]
        sent = {"Authorization": said} if said else {}
        return self.gallery.mirror.get(path, method, body=body, **{name.replace("_", "-"): text for name, text in headers.items()}, **sent)

    def blob(self, name: str, data: bytes = CONFIG) -> str:
        """A blob of a repository, put there by its owner; its digest."""
        digest = digest_of(data)
        said = self.ask("owner", f"/v2/{name}/blobs/uploads/?digest={digest}", "POST", body=data)
        assert said.status == 201, said.body
        return digest

    def image(self) -> bytes:
        """A manifest that nobody has pushed yet."""
        described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(CONFIG), "size": len(CONFIG)}
        annotations = {"number": str(next(self.numbers))}
        return json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [], "annotations": annotations}
        ).encode()

    def push(self, name: str, tag: str) -> str:
        """An image, put there by the owner of the repository; its digest."""
        data = self.image()
        said = self.ask("owner", f"/v2/{name}/manifests/{tag}", "PUT", body=data, Content_Type=MANIFEST)
        assert said.status == 201, said.body
        return digest_of(data)

    def session(self, who: str, name: str) -> str:
        """An upload of a caller, or where it may begin none, one of the owner's in a repository where that one may."""
        for asking, where in ((who, name), ("owner", f"{ALIAS}/plain")):
            said = self.ask(asking, f"/v2/{where}/blobs/uploads/", "POST")
            if said.status == 202:
                return f"/v2/{name}/blobs/uploads/{said.headers['location'].rpartition('/')[2]}"
        raise AssertionError("nobody can begin an upload")


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


Cell = Callable[[Stage, str, str], Said]


def reading(path: str, method: str = "GET", *, part: str = "") -> Cell:
    def read(stage: Stage, who: str, name: str) -> Said:
        digest, blob, tag = CONTENT[name]
        asked = path.format(name=name, digest=digest, blob=blob, tag=tag)
        return stage.ask(who, asked, method, Range=part) if part else stage.ask(who, asked, method)

    return read


CONTENT: dict[str, tuple[str, str, str]] = {}
"""By repository: the digest of its image, of a blob, and the image's tag."""

DOES: dict[str, Cell] = {
    "version": reading("/v2/"),
    "tag": reading("/v2/{name}/manifests/{tag}"),
    "tag HEAD": reading("/v2/{name}/manifests/{tag}", "HEAD"),
    "digest": reading("/v2/{name}/manifests/{digest}"),
    "digest HEAD": reading("/v2/{name}/manifests/{digest}", "HEAD"),
    "blob": reading("/v2/{name}/blobs/{blob}"),
    "blob HEAD": reading("/v2/{name}/blobs/{blob}", "HEAD"),
    "blob part": reading("/v2/{name}/blobs/{blob}", part="bytes=0-1"),
    "tags": reading("/v2/{name}/tags/list"),
    "referrers": reading("/v2/{name}/referrers/{digest}"),
}


def does(name: str) -> Callable[[Cell], Cell]:
    def add(cell: Cell) -> Cell:
        DOES[name] = cell
        return cell

    return add


@does("begin")
def begin(stage: Stage, who: str, name: str) -> Said:
    return stage.ask(who, f"/v2/{name}/blobs/uploads/", "POST")


@does("whole")
def whole(stage: Stage, who: str, name: str) -> Said:
    data = f"whole {next(stage.numbers)}".encode()
    return stage.ask(who, f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}", "POST", body=data)


@does("mount")
def mount(stage: Stage, who: str, name: str) -> Said:
    """From a public repository that has the blob."""
    digest = stage.blob(f"{ALIAS}/source", f"mounted {next(stage.numbers)}".encode())
    return stage.ask(who, f"/v2/{name}/blobs/uploads/?mount={digest}&from={ALIAS}/source", "POST")


@does("patch")
def patch(stage: Stage, who: str, name: str) -> Said:
    return stage.ask(who, stage.session(who, name), "PATCH", body=b"a part")


@does("ask")
def ask_session(stage: Stage, who: str, name: str) -> Said:
    return stage.ask(who, stage.session(who, name))


@does("finish")
def finish(stage: Stage, who: str, name: str) -> Said:
    data = f"finished {next(stage.numbers)}".encode()
    return stage.ask(who, f"{stage.session(who, name)}?digest={digest_of(data)}", "PUT", body=data)


@does("cancel")
def cancel(stage: Stage, who: str, name: str) -> Said:
    return stage.ask(who, stage.session(who, name), "DELETE")


@does("put tag")
def put_tag(stage: Stage, who: str, name: str) -> Said:
    return stage.ask(who, f"/v2/{name}/manifests/t{next(stage.numbers)}", "PUT", body=stage.image(), Content_Type=MANIFEST)


@does("put digest")
def put_digest(stage: Stage, who: str, name: str) -> Said:
    data = stage.image()
    return stage.ask(who, f"/v2/{name}/manifests/{digest_of(data)}", "PUT", body=data, Content_Type=MANIFEST)


@does("delete tag")
def delete_tag(stage: Stage, who: str, name: str) -> Said:
    tag = f"d{next(stage.numbers)}"
    if name in PUSHABLE:
        stage.push(name, tag)
    return stage.ask(who, f"/v2/{name}/manifests/{tag}", "DELETE")


@does("delete digest")
def delete_digest(stage: Stage, who: str, name: str) -> Said:
    digest = stage.push(name, f"d{next(stage.numbers)}") if name in PUSHABLE else digest_of(b"not there")
    return stage.ask(who, f"/v2/{name}/manifests/{digest}", "DELETE")


PUSHABLE = (f"{ALIAS}/plain", f"{ALIAS}/shared")
TABLES = {
    f"{ALIAS}/plain": OWN,
    f"{ALIAS}/shared": SHARED,
    f"{ALIAS}/closed": CLOSED,
    f"{ALIAS}/missing": MISSING,
    "docker/library/alpine": PULLED_THROUGH,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("matrix")
    keys = {name.replace(" ", "-"): statements for name, statements in USERS.items()}
    with docker_hub() as hub, running_gallery(folder, hub, users=keys) as gallery:
        made = Stage(gallery, authorizations(gallery, folder))
        furnish(made)
        revoke(gallery)
        yield made


def furnish(stage: Stage) -> None:
    """The repositories with something in each."""
    owner = stage.gallery.client("owner")
    for name in ("plain", "shared", "closed", "source"):
        owner.create_repository(repositoryName=name)
        blob = stage.blob(f"{ALIAS}/{name}")
        CONTENT[f"{ALIAS}/{name}"] = (stage.push(f"{ALIAS}/{name}", "kept"), blob, "kept")
    trusted = [f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{ACCOUNT}:user/only-login"]
    for name, statement in {
        "shared": {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": list(PUSH)},
        "closed": {"Effect": "Deny", "Principal": "*", "Action": list(PUSH)},
    }.items():
        policy = {"Version": "2008-10-17", "Statement": [statement]}
        owner.set_repository_policy(repositoryName=name, policyText=json.dumps(policy), force=True)
    CONTENT[f"{ALIAS}/missing"] = (digest_of(b"no image"), digest_of(b"no blob"), "kept")
    listed = stage.ask("owner", "/v2/docker/library/alpine/manifests/3.19").json["manifests"][0]["digest"]
    inside = stage.ask("owner", f"/v2/docker/library/alpine/manifests/{listed}").json
    CONTENT["docker/library/alpine"] = (listed, inside["config"]["digest"], "3.19")


def authorizations(gallery: Gallery, folder: Path) -> dict[str, str]:
    """What each caller sends; nobody's policy matters for how it is got, since all of them may log in."""
    found = {"no credentials": "", "garbage": "Bearer not-a-token"}
    for name in USERS:
        raw = gallery.client(name.replace(" ", "-")).get_authorization_token()["authorizationData"]["authorizationToken"]
        found[name] = f"Bearer {gallery.mirror.get('/token/', Authorization=f'Basic {raw}').json['token']}"
        if name == "owner":
            found |= {"password as Basic": f"Basic {raw}", "owner, raw token": f"Bearer {raw}"}
    found["anonymous"] = f"Bearer {gallery.mirror.get('/token/').json['token']}"
    found["two at once"] = f"{found['owner']}, {found['anonymous']}"
    found["expired"] = f"Bearer {asyncio.run(minted(gallery.mirror.data, 1))}"
    found["of another server"] = f"Bearer {asyncio.run(minted(folder / 'another', 3600))}"
    time.sleep(2.0)  # until the expired one is
    return found


async def minted(data: Path, seconds: int) -> str:
    """A raw token of the owner that holds for so long, made with the keys of a data folder."""
    data.mkdir(exist_ok=True, mode=0o700)
    url = f"sqlite:///{data / 'unhub.db'}"
    await asyncio.to_thread(upgrade, url)
    metadata = SqlMetadata(url)
    try:
        services = await IdentityServices.open(data, metadata.identity, now=time.time)
        owner = Owner(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/owner", "AIDAOWNER", "AKIAUNHUBTEST00000000")
        return services.tokens.password(owner, seconds).authorization_token
    finally:
        await metadata.close()


def revoke(gallery: Gallery) -> None:
    """Let what the user ``revoked`` was given count no more, and wait until every worker has heard of it."""

    async def revoked() -> None:
        metadata = SqlMetadata(f"sqlite:///{gallery.mirror.data / 'unhub.db'}")
        try:
            services = await IdentityServices.open(gallery.mirror.data, metadata.identity, now=time.time)
            await services.identities.revoke(RevokedKind.ACCESS_KEY, gallery.key("revoked").id)
        finally:
            await metadata.close()

    asyncio.run(revoked())
    time.sleep(1.0)


ROWS = [(name, who, wanted) for name, table in TABLES.items() for who, wanted in cells(table)]


@pytest.mark.parametrize(("name", "who", "wanted"), ROWS, ids=[f"{name}-{who}" for name, who, _ in ROWS])
def test_a_row_of_the_matrix(stage: Stage, name: str, who: str, wanted: Mapping[str, str]) -> None:
    got = {verb: DOES[verb](stage, who, name) for verb in (*READS, *WRITES)}
    statuses = {verb: shown(verb, said.status) for verb, said in got.items()}
    expected = {**wanted, **({"version": "ok"} if wanted["version"] == "404" else {})}
    assert statuses == expected
    for verb, said in got.items():
        if said.status >= 400 and "HEAD" not in verb:
            assert said.json["errors"][0]["code"] in ("DENIED", "NAME_UNKNOWN", "UNSUPPORTED", "BLOB_UPLOAD_UNKNOWN"), (verb, said.body)


def shown(verb: str, status: int) -> str:
    if verb in READS and status in (200, 206):
        return "ok"
    return str(status)


def test_every_kind_of_caller_has_a_row(stage: Stage) -> None:
    told = {who for table in TABLES.values() for who, _ in cells(table)}
    assert told == set(stage.authorization)


def test_who_is_refused_changes_nothing(stage: Stage) -> None:
    """The content that was there first is there after the whole matrix, for everybody."""
    for name in (f"{ALIAS}/plain", f"{ALIAS}/shared", f"{ALIAS}/closed"):
        digest, blob, tag = CONTENT[name]
        assert stage.ask("anonymous", f"/v2/{name}/manifests/{tag}").headers["docker-content-digest"] == digest
        assert stage.ask("anonymous", f"/v2/{name}/blobs/{blob}").body == CONFIG


def test_a_denial_names_who_what_and_which(stage: Stage) -> None:
    said = stage.ask("no put", f"/v2/{ALIAS}/plain/manifests/new", "PUT", body=stage.image(), Content_Type=MANIFEST)
    assert said.json["errors"][0]["message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/no-put is not authorized to perform: ecr-public:PutImage on resource: "
        f"arn:aws:ecr-public::{ACCOUNT}:repository/plain because no identity-based policy allows the ecr-public:PutImage action"
    )


def test_an_expired_password_is_told_so_and_a_fresh_login_helps(stage: Stage) -> None:
    raw = stage.authorization["expired"].removeprefix("Bearer ")
    said = stage.gallery.mirror.get("/token/", Authorization=f"Basic {raw}")
    assert (said.status, said.json["errors"][0]["message"]) == (
        403,
        "Your authorization token has expired. Reauthenticate and try again.",
    )
    user, _, password = base64.b64decode(raw).decode().partition(":")
    assert (user, len(password) > 100) == ("AWS", True)
