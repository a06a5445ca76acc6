"""Side effects between files: a rewrite here that would break something there (rules #52, #59, #63)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from unhub.image.errors import InvalidReference
from unhub.image.found import Declared, DeclaredKind, Found
from unhub.image.reference import Reference
from unhub.migrate.look import Lines


class Declaration(Struct, frozen=True):
    """A declared name and the file that declares it."""

    path: str
    line: int
    declared: Declared

    @classmethod
    def of(cls, path: str, data: bytes, declared: Declared) -> Declaration:
        """The declaration with the line it stands on in ``data``."""
        return cls(path, Lines(data).line(declared.span.start), declared)

    def reaches(self, path: str) -> bool:
        """Whether the declaration is about the file at ``path``."""
        folder = self.path.rpartition("/")[0]
        scopes = self.declared.scope or (folder,)
        return any(scope in ("", ".", path) or path.startswith(scope.rstrip("/") + "/") for scope in scopes)


def context_key(found: Found) -> str:
    """The key under which BuildKit looks for a named context in place of this image.

    It is the familiar name, without the tag ``latest`` (buildkit
    ``frontend/dockerui/namedcontext.go``, 2026-08-21).
    """
    return found.reference.familiar().removesuffix(":latest")


class Declarations:
    """Everything that the files of a tree declare."""

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        self._by_kind: dict[DeclaredKind, dict[str, list[Declaration]]] = {kind: {} for kind in DeclaredKind}
        for declaration in declarations:
            kind = self._by_kind[declaration.declared.kind]
            kind.setdefault(_key(declaration.declared), []).append(declaration)

    def conflict(self, found: Found, path: str) -> str | None:
        """Why rewriting ``found`` would break something, or ``None``."""
        if found.context_name is not None:
            for key in {context_key(found), found.context_name.lower().removesuffix(":latest")}:
                hit = self._reaching(DeclaredKind.CONTEXT, key, path)
                if hit:
                    return (
                        f"{hit.path}:{hit.line} gives a build context that name ({hit.declared.where}), which takes this image's place; "
                        "a rewritten name would switch that off"
                    )
        if found.selected_as is not None:
            hits = self._all_reaching(DeclaredKind.SELECTOR, found.selected_as, path)
            # an entry of Kustomize's images does not select itself
            hit = next((hit for hit in hits if (hit.path, hit.declared.where) != (path, found.where)), None)
            if hit:
                return (
                    f"{hit.path}:{hit.line} selects this image by its name ({hit.declared.where}) and moves it with newName; "
                    "a rewritten name would no longer be selected"
                )
        if found.values_key is not None:
            hit = self._reaching(DeclaredKind.PREFIXED, found.values_key, path)
            if hit:
                return f"{hit.path}:{hit.line} puts a registry before this value ({hit.declared.where}); change both by hand"
        if found.host_replaced is not None:
            hit = self._reaching(DeclaredKind.HOST, found.host_replaced, path)
            if hit:
                return (
                    f"{hit.path}:{hit.line} reaches this service as {found.host_replaced} ({hit.declared.where}), a host name made from "
                    "the image name; use its alias there"
                )
        return None

    def built(self, found: Found, path: str) -> str | None:
        """Who builds the image that ``found`` names, so that nothing is pulled; ``None`` for a pull.

        Skaffold puts its artifacts in the place of their names in manifests and values, and
        leaves a Dockerfile's ``FROM`` alone. A build that tags its image serves that one tag,
        wherever it is used (rule #53).
        """
        if found.reference.digest is not None:
            return None
        name = found.reference.familiar_name
        hit = self._reaching(DeclaredKind.BUILT, name, path) if found.context_name is None else None
        if hit:
            return f"built by {hit.path}:{hit.line} ({hit.declared.where}), which puts its own tag here"
        if any(not part.known for part in found.parts):
            return None
        hit = self._reaching(DeclaredKind.OUTPUT, _tagged(found.reference), path)
        return f"{hit.path}:{hit.line} gives this name to an image that is built here ({hit.declared.where})" if hit else None

    def _reaching(self, kind: DeclaredKind, key: str, path: str) -> Declaration | None:
        return next(self._all_reaching(kind, key, path), None)

    def _all_reaching(self, kind: DeclaredKind, key: str, path: str) -> Iterator[Declaration]:
        return (hit for hit in self._by_kind[kind].get(key, ()) if hit.reaches(path))


def _key(declared: Declared) -> str:
    if declared.kind is DeclaredKind.CONTEXT:
        return declared.key.removesuffix(":latest")
    if declared.kind is DeclaredKind.OUTPUT:
        try:
            return _tagged(Reference.parse(declared.key))
        except InvalidReference:
            return declared.key
    return declared.key


def _tagged(reference: Reference) -> str:
    return f"{reference.canonical.name}:{reference.tag or 'latest'}"
