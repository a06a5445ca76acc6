"""Options and fixtures that all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, so that a failure is a change's own; `make soak` looks further, with new ones.
settings.register_profile("short", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "soak", deadline=None, max_examples=int(os.environ.get("UNHUB_SOAK_EXAMPLES", "5000")), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("short")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write findings.txt of every golden case anew")
