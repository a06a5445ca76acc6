"""A build's log in CodeBuild's own lines, so that whoever reads those (``unhub doctor --log`` does) reads these, too.

Source of the lines: logs in public issues (aws-codebuild-docker-images#102, #385). The times are UTC, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from unhub.buildspec.build import Failure
from unhub.buildspec.spec import Command, Phase
from unhub.cli.output import printable, write, write_bytes


class BuildLog:
    """Writes to standard output; ``now`` tells the seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at_line_start = True

    def output(self, data: bytes) -> None:
        """What a command wrote, byte for byte."""
        write_bytes(data)
        self._at_line_start = data.endswith(b"\n")

    def entering(self, phase: Phase) -> None:
        """A phase begins."""
        self._line(f"Entering phase {phase.title}")

    def running(self, command: Command) -> None:
        """A command begins; it is shown as it is written, its variables not replaced."""
        self._line(f"Running command {_shown(command.text)}")

    def failed(self, failure: Failure) -> None:
        """A command did not succeed."""
        self._line(f"Command did not exit successfully {_shown(failure.command.text)} exit status {failure.status}", gap=True)

    def complete(self, phase: Phase, failure: Failure | None) -> None:
        """A phase ends."""
        self._line(f"Phase complete: {phase.title} State: {'FAILED' if failure else 'SUCCEEDED'}", gap=failure is None)
        code, message = ("COMMAND_EXECUTION_ERROR", _shown(failure.message)) if failure else ("", "")
        self._line(f"Phase context status code: {code} Message: {message}")

    def again(self, number: int, retries: int) -> None:
        """The build begins anew, for the ``number``-th time of at most ``retries``."""
        self._line(f"Retrying the build ({number} of {retries})")

    def _line(self, text: str, *, gap: bool = False) -> None:
        """A line of the log's own, on a line of its own; ``gap`` puts an empty one before it, as CodeBuild does behind output."""
        time = datetime.fromtimestamp(self._now(), UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
        start = ("" if self._at_line_start else "\n") + ("\n" if gap else "")
        write(f"{start}[Container] {time} {text}\n")
        self._at_line_start = True


def _shown(text: str) -> str:
    return "\n".join(printable(line) for line in text.rstrip("\n").split("\n"))
