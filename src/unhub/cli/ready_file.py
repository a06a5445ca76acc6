"""Ready files: how a program that runs until a signal tells others that it serves, and where."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from unhub.image.errors import WriteFailed


def write_ready_file(path: Path, facts: Mapping[str, object]) -> Callable[[], None]:
    """Write facts as JSON, whole or not at all and for this user alone; what is returned takes the file away.

    Raises :class:`WriteFailed`.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(facts, indent=2) + "\n")
        Path(name).replace(path)
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror or error}") from None

    def forget() -> None:
        with suppress(OSError):
            path.unlink()

    return forget
