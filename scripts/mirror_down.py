"""Write docs/mirror-down.md from what is known of each client; with ``--check`` only say whether it is current."""

from __future__ import annotations

from pathlib import Path

from scripts.written import write_or_check

from unhub.setup.clients.client import Client
from unhub.setup.clients.every import CLIENTS

PAGE = Path(__file__).parent.parent / "docs" / "mirror-down.md"
HEAD = """\
# When the mirror is gone

<!-- Written by `python -m scripts.mirror_down` from the clients of `unhub client-config`; do not edit. -->

A mirror in a client's settings is a detour that may be left. Most clients do so without a word: builds stay green, and
Docker Hub's pull limit is back. `unhub client-config` says the same for each client.

The mirror itself goes on while Docker Hub is gone: what it has it serves, with `Warning: 299` where it could not ask
whether that is still the newest ([Use a mirror](howto/mirror.md)).

"""

TAIL = """
## To notice it

- The mirror's `/readyz` says whether it is there; its log has a line for each request.
- `docker info`, `ctr` and `podman info` show the settings, not whether the mirror answers.
- An image that came past the mirror counts towards Docker Hub's limit: `unhub limits` shows what is left of it.

## To depend on the mirror

Where Docker Hub must not be asked (a budget, an audit, a site without internet), name the mirror in the references
(`unhub migrate` does so) or use what stands in the last column. Then run more than one mirror, or live with its absence.
"""


def page() -> str:
    """The text of the page."""
    rows = [
        "| client | then asks Docker Hub | what it does | after a 429 of the mirror | to forbid it | shown by |",
        "|---|---|---|---|---|---|",
    ]
    rows += [_row(client) for client in CLIENTS.values()]
    return HEAD + "\n".join(rows) + "\n" + TAIL


def _row(client: Client) -> str:
    gone = client.gone
    shown = f"`{client.tried.test}` ({client.tried.version})" if gone.tried else f"untried; {gone.source}"
    cells = [f"`{client.name}`", "yes" if gone.falls_back else "no", gone.says, gone.limited, gone.prevent or "", shown]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    """Write the page, or compare it with ``--check``."""
    return write_or_check(PAGE, page(), "mirror_down")


if __name__ == "__main__":
    raise SystemExit(main())
