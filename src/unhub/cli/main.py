"""The entry point: every way to end has its status, and none of them is a traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unhub import __version__

if TYPE_CHECKING:
    from click import ClickException

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program whose reader went away (128 + SIGPIPE)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status (docs/contracts.md, 2); never raises on purpose."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    from unhub.cli.output import forget_output

    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        forget_output()
        return BROKEN_PIPE
    except OSError as error:
        forget_output()
        return _complain(f"cannot write the output: {error.strerror or error}", status=4)
    return status


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        print(f"unhub {__version__}")  # without click, whose import takes longer than all the rest
        return 0
    from click import Abort, ClickException

    from unhub.cli.group import group
    from unhub.image.errors import UnhubError

    try:
        status: object = group.main(arguments, prog_name="unhub", standalone_mode=False)
    except ClickException as error:
        return _usage(error)
    except UnhubError as error:
        return _complain(error.message, hint=error.hint, status=error.exit_status)
    except (KeyboardInterrupt, Abort):
        return _complain("interrupted", status=INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("UNHUB_DEBUG") == "1":
            raise
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        return _complain(f"internal error: {what}; please report it", hint="UNHUB_DEBUG=1 shows where it happened", status=5)
    return status if isinstance(status, int) else 0


def _usage(error: ClickException) -> int:
    from click import UsageError
    from click.exceptions import NoArgsIsHelpError

    if isinstance(error, NoArgsIsHelpError):
        print(error.format_message())
        return 2
    context = error.ctx if isinstance(error, UsageError) else None
    hint = f"`{context.command_path} --help` explains the options" if context else None
    return _complain(" ".join(error.format_message().split()), hint=hint, status=2)  # click writes a list over several lines


def _complain(message: str, *, status: int, hint: str | None = None) -> int:
    from unhub.cli.output import printable

    lines = [f"unhub: {printable(message)}"]
    if hint:
        lines.append(f"  {printable(hint)}")
    with contextlib.suppress(OSError):  # nobody may be left to be told
        print("\n".join(lines), file=sys.stderr, flush=True)
    return status
