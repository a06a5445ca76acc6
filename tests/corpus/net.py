"""A raw search for everything that looks like an image reference. It shares no code with the formats.

It is meant to catch too much: what it catches is either found (or skipped with a reason) by
unhub, or explained in ``not-references.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OFFICIAL = """
adminer alpine amazoncorretto amazonlinux archlinux bash buildpack-deps busybox caddy cassandra centos
chronograf clojure composer consul couchbase couchdb crate dart debian docker drupal eclipse-mosquitto
eclipse-temurin elasticsearch elixir erlang fedora flink fluentd gcc ghost golang gradle groovy haproxy
haskell hello-world httpd ibmjava influxdb jenkins jetty joomla jruby julia kapacitor kibana kong liquibase
logstash mariadb maven mediawiki memcached mongo mongo-express monica mysql nats neo4j nextcloud nginx node
odoo openjdk oraclelinux perl php phpmyadmin postgres python r-base rabbitmq redis redmine registry rethinkdb
rockylinux ruby rust sapmachine solr sonarqube spark swift telegraf tomcat traefik ubuntu varnish vault
wordpress xwiki zookeeper
""".split()  # noqa: SIM905 - a list of a hundred lines would hide the patterns

_NAME = rb"[A-Za-z0-9${][A-Za-z0-9._/:@${}\-]*"
_WORDS = b"|".join(re.escape(name.encode()) for name in OFFICIAL)

PATTERNS: dict[str, re.Pattern[bytes]] = {
    "FROM": re.compile(rb"(?mi)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(?P<hit>" + _NAME + rb")"),
    "image key": re.compile(rb"""(?mi)^[^#\n]*?["']?\b[\w.-]*image["']?[ \t]*[:=][ \t]*["']?(?P<hit>""" + _NAME + rb")"),
    "docker://": re.compile(rb"docker(?:-image)?://(?P<hit>" + _NAME + rb")"),
    "--from=": re.compile(rb"(?:--from=|[,\"']from=)(?P<hit>" + _NAME + rb")"),
    "command": re.compile(
        rb"(?m)\b(?P<hit>(?:docker|podman|nerdctl)[ \t]+(?:container[ \t]+|image[ \t]+)?(?:run|pull|create)[ \t](?:[^\n\\]|\\\r?\n|\\.)*)"
    ),
    "official name with a tag": re.compile(rb"(?<![\w./-])(?P<hit>(?:library/)?(?:" + _WORDS + rb"):[\w][\w.-]*)"),
}


@dataclass(frozen=True)
class Hit:
    """Bytes of a file that look like a reference: ``start`` to ``end``, on ``line`` (from 1)."""

    path: str
    pattern: str
    start: int
    end: int
    line: int
    line_text: str
    text: str


def hits(path: str, data: bytes) -> Iterator[Hit]:
    if b"\0" in data[:8000]:
        return
    for name, pattern in PATTERNS.items():
        for match in pattern.finditer(data):
            start, end = match.span("hit")
            line_start = data.rfind(b"\n", 0, start) + 1
            line_end = data.find(b"\n", start)
            text = data[line_start : line_end if line_end >= 0 else len(data)].decode("utf-8", "replace").rstrip("\r")
            yield Hit(path, name, start, end, data.count(b"\n", 0, start) + 1, text, match["hit"].decode("utf-8", "replace"))


def files(top: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(top.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(top).as_posix(), path.read_bytes()
