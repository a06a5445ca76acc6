"""Errors know their message, what to do about it, and the exit status they end with."""

from __future__ import annotations

import pytest

from unhub.image import errors


def test_a_message_and_its_hint_read_as_two_sentences() -> None:
    error = errors.UsageError("cannot use 'x': there is no such place", hint="Use ecr-public")
    assert str(error) == "cannot use 'x': there is no such place. Use ecr-public"
    assert (error.message, error.hint, error.args) == (
        "cannot use 'x': there is no such place",
        "Use ecr-public",
        ("cannot use 'x': there is no such place",),
    )
    assert str(errors.UnhubError("plain")) == "plain"
    assert errors.UnhubError("plain").hint is None


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (errors.UnhubError, "failed", 5),
        (errors.UsageError, "usage", 2),
        (errors.ConfigurationError, "configuration", 2),
        (errors.UnreadableError, "unreadable", 3),
        (errors.RefusedError, "refused", 4),
        (errors.SelfCheckFailed, "self-check-failed", 4),
        (errors.ChangedSince, "changed-since", 4),
        (errors.WriteFailed, "write-failed", 4),
    ],
)
def test_every_error_ends_with_its_documented_status(kind: type[errors.UnhubError], code: str, status: int) -> None:
    error = kind("message")
    assert (error.code, error.exit_status) == (code, status)


def test_an_invalid_digest_keeps_the_text_and_the_reason() -> None:
    error = errors.InvalidDigest("abc", "it is nothing")
    assert (error.text, error.reason, str(error)) == ("abc", "it is nothing", "cannot read digest 'abc': it is nothing")
