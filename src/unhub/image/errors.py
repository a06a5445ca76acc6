"""The one tree of errors that unhub raises on purpose.

::

    UnhubError                      exit status 5 unless said otherwise
    ├── UsageError                  2   the command line or the configuration is wrong
    │   └── ConfigurationError      2   names file, line and column
    ├── InvalidReference            2   a text is no image reference; knows the place in it
    ├── InvalidDigest               2   a text is no digest
    ├── UnreadableError             3   a file cannot be read or understood
    └── RefusedError                4   acting would risk the user's files
        ├── SelfCheckFailed         4   an edit does not do what was planned
        ├── ChangedSince            4   a file is not what the plan or the journal saw
        └── WriteFailed             4   no space, no permission; everything was put back

A message reads verb, object, cause; ``hint`` says what to do next.
"""

from __future__ import annotations


class UnhubError(Exception):
    """Any failure that is explained to the user instead of shown as a traceback.

    ``code`` is a stable word for programs, ``exit_status`` what the process ends with
    (see ``docs/contracts.md``), ``hint`` one sentence on what to do, or ``None``.
    """

    code = "failed"
    exit_status = 5

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class UsageError(UnhubError):
    """The command line asks for something that does not exist or does not fit together."""

    code = "usage"
    exit_status = 2


class ConfigurationError(UsageError):
    """A setting is unknown, misspelt or of the wrong type; the message names the place."""

    code = "configuration"


class InvalidReference(UnhubError):
    """A text is not an image reference.

    ``position`` counts characters from 0 and points at what is wrong in ``text``.
    """

    code = "invalid-reference"
    exit_status = 2

    def __init__(self, text: str, position: int, reason: str) -> None:
        super().__init__(f"cannot parse {text!r}: {reason} at character {position + 1}")
        self.text = text
        self.position = position
        self.reason = reason


class InvalidDigest(UnhubError):
    """A text is not a digest of an algorithm that is known here; ``reason`` says what is wrong."""

    code = "invalid-digest"
    exit_status = 2

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"cannot read digest {text!r}: {reason}")
        self.text = text
        self.reason = reason


class UnreadableError(UnhubError):
    """A file cannot be read, or cannot be understood by its format."""

    code = "unreadable"
    exit_status = 3


class RefusedError(UnhubError):
    """Acting would risk the user's files, so nothing was done."""

    code = "refused"
    exit_status = 4


class SelfCheckFailed(RefusedError):
    """An edited file does not read back as planned; the file was not written."""

    code = "self-check-failed"


class ChangedSince(RefusedError):
    """A file differs from what the plan or the journal saw; it was not touched."""

    code = "changed-since"


class WriteFailed(RefusedError):
    """Writing failed half way; every file was put back as it was."""

    code = "write-failed"
