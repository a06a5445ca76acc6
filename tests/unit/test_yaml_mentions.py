"""Texts that look like images where nothing is known to pull them."""

from __future__ import annotations

import pytest

from unhub.formats._yaml.mentions import Mention, Occupied, mentions, skip_mentions
from unhub.formats._yaml.parse import parse
from unhub.image.found import Span


def seen(text: str) -> list[tuple[str, str]]:
    data = text.encode()
    return [(mention.dotted, data[mention.span.start : mention.span.end].decode()) for mention in mentions(parse(data)[0].root)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: node:20\n", [("image", "node:20")]),
        ("spec: {sidecarImage: ' node '}\n", [("spec.sidecarImage", "node")]),
        ("env: [{name: RUNNER_IMAGE, value: node}]\n", [("env[].value", "node")]),
        ("env: [{name: HOST, value: node}]\n", []),
        ("image: {repository: node, tag: '20'}\n", [("image.repository", "node")]),
        ("repository: node\n", []),
        ("args: [--image=node, '--x-image', 'image: busybox:1']\n", [("args[]", "node"), ("args[]", "busybox:1")]),
        ("a: |\n  # head\n  runner:\n    image: node:20\n  other: 'image: the name of it'\n", [("a", "node:20")]),
        ('a: "{\\"image\\": \\"node:20\\"}"\n', [("a", "node:20")]),
        ("image: ${IMAGE}\n", [("image", "${IMAGE}")]),
        ("image: $(IMAGE):20\n", [("image", "$(IMAGE):20")]),
        ("image: logo.png\nbootImage: disk.qcow2\n", []),
        ("image: true\notherImage: 12\nnoImage: null\nemptyImage: ''\n", []),
        ("image: Not An Image\n", []),
        ("imagePullPolicy: Always\nimages: [node]\n", []),
        ("image: [node, redis]\n", [("image[]", "node"), ("image[]", "redis")]),
        ("image: *x\n", []),
    ],
)
def test_what_looks_like_an_image_is_seen_with_its_path(text: str, expected: list[tuple[str, str]]) -> None:
    assert seen(text) == expected


def test_what_is_accounted_for_is_not_said_twice() -> None:
    data = b"a: {image: node}\nb: {image: redis}\n"
    taken = Occupied([Span(data.index(b"node"), data.index(b"node") + 4)])

    def explain(mention: Mention) -> tuple[str, str]:
        return mention.dotted, "because"

    skipped = list(skip_mentions(data, parse(data)[0].root, taken, explain))
    assert [(finding.where, finding.text, finding.reason) for finding in skipped] == [("b.image", "redis", "because")]


def test_an_explanation_may_say_that_it_is_no_image_after_all() -> None:
    data = b"image: node\n"
    assert list(skip_mentions(data, parse(data)[0].root, Occupied([]), lambda mention: None)) == []
