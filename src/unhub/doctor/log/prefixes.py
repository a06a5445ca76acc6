"""What runners and tools write before each line, and which build step a line belongs to.

Each prefix was taken from logs as the tools write them: CodeBuild's ``[Container] 2024/03/11 01:02:03``, Actions'
``2024-03-11T01:02:03.1234567Z ##[error]``, GitLab's section markers and ``00O``, kubelet's event table, BuildKit's
``#12 0.345``, compose's ``web-1  | ``, and the times and levels of common loggers.
"""

from __future__ import annotations

import re
from typing import Final

PREFIXES_MAX: Final = 8
"""Prefixes that are taken off one line; more do not occur, and hostile lines could have thousands."""

_ISO = r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d| UTC)?\]?"
_AGE = r"(?:<[a-z]{1,20}>|\S{1,20})(?:\ \(x\d{1,9}\ over\ \S{1,20}\))?"
_EVENT = rf"(?:Warning|Normal)\s{{2,20}}\w{{1,40}}\s{{2,20}}{_AGE}\s{{2,20}}\S{{1,80}}\s{{2,20}}"
_PREFIX = re.compile(
    rf"""
      \[Container\]\ \d{{4}}/\d\d/\d\d\ \d\d:\d\d:\d\d(?:\.\d{{1,9}})?\s      # CodeBuild
    | \#\#\[(?:error|warning|notice|debug|group|endgroup|command|section)\]   # Actions, Azure Pipelines
    | ::(?:error|warning|notice|debug|group)(?:\ [^:]{{0,200}})?::            # Actions, as a command
    | (?P<job>[^\t]{{1,100}}\t[^\t]{{1,100}})\t(?=\ufeff?\d{{4}}-\d\d-\d\dT)  # gh run view --log
    | \ufeff
    | {_ISO}[ \t]+(?:[0-9a-f]{{2}}[OE][ +])?                                  # ISO times; GitLab's stream mark
    | section_(?:start|end):\d{{1,20}}:[\w.-]{{1,100}}(?:\[[^\]]{{0,100}}\])? # GitLab's sections
    | (?:stdout|stderr)\ [FP]\                                                # container runtimes' files
    | \[?\d\d:\d\d(?::\d\d)?(?:\.\d{{1,9}})?\]?[ \t]+                         # clock times
    | [A-Z][a-z]{{2}}\ [ \d]\d\ \d\d:\d\d:\d\d\ \S{{1,100}}\ [\w./-]{{1,60}}(?:\[\d{{1,9}}\])?:\   # syslog
    | [IWEF]\d{{4}}\ \d\d:\d\d:\d\d\.\d{{1,9}}\ +\d{{1,9}}\ [\w.-]{{1,60}}:\d{{1,6}}\]\            # klog
    | (?:INFO|WARN|ERRO|FATA|DEBU|TRAC)\[\d{{1,9}}\]\s                        # logrus: kaniko, dockerd
    | \[(?:INFO|WARNING|ERROR|DEBUG)\]\s                                      # Maven
    | \s{{0,10}}\d{{1,6}}\ \|\ (?:>>>\ )?                                     # BuildKit's piece of the Dockerfile
    | (?P<service>(?!\d{{1,6}}\s)[A-Za-z0-9][\w.-]{{0,80}})\s{{1,40}}\|\      # compose
    | {_EVENT}                                                                # kubectl describe
    | \S{{1,20}}\s{{1,20}}(?:Warning|Normal)\s{{1,20}}\w{{1,40}}\s{{1,20}}\S{{1,200}}\s{{1,20}}    # kubectl get events
    | \#(?P<step>\d{{1,6}})\ (?:\d{{1,7}}\.\d{{1,4}}\ )?                      # BuildKit
    | =>\ (?:=>\ )?                                                           # BuildKit on a terminal
    """,
    re.VERBOSE,
)


def without_prefixes(text: str) -> tuple[str, str | None]:
    """The message of a line, and the build step, service or job that its prefixes name."""
    steps: list[str] = []
    start = len(text) - len(text.lstrip(" "))
    for _ in range(PREFIXES_MAX):
        match = _PREFIX.match(text, start)
        if match is None or match.end() == start:
            break
        steps += [f"{name} {value}" for name, value in match.groupdict().items() if value]
        start = match.end()
    return (text[start:] if start else text), ("/".join(steps) or None)
