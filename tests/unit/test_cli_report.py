"""`unhub report`: 400 scans as one, the broken ones named; and a loop over repositories as fleet tools run it."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bounded import calls
from tests.command_line import POD, git, repository, unhub
from unhub.migrate.inventory import names_of, pulls, read_scan
from unhub.migrate.reports.records import FIELDS


def finding(image: str, class_: str = "migratable", target: str | None = None, **more: object) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(FIELDS)
    return row | {"path": "Dockerfile", "line": 1, "column": 6, "text": image, "canonical": image, "class": class_, "target": target} | more


def scan(*findings: dict[str, object], **more: object) -> bytes:
    return json.dumps({"schema": 1, "findings": findings, "skipped": [], "summary": {}} | more).encode()


NODE = finding("docker.io/library/node:20", target="public.ecr.aws/docker/library/node:20", pulled_by="build")
REDIS = finding("docker.io/library/redis:7", target="public.ecr.aws/docker/library/redis:7", pulled_by="platform")
GRAFANA = finding("docker.io/grafana/grafana:11", "no-target", reason="official images only")
MOVED = finding("docker.io/library/alpine:3", "migrated", target="public.ecr.aws/docker/library/alpine:3")
QUAY = finding("quay.io/a/b:1", "not-docker-hub")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    (tmp_path / "shop.json").write_bytes(scan(NODE, NODE, REDIS, GRAFANA))
    (tmp_path / "blog.json").write_bytes(scan(NODE, MOVED, QUAY, finding("x", "stage"), finding("y", "variable", canonical=None)))
    return tmp_path


def report(folder: Path, *arguments: str) -> Any:
    return unhub("report", *arguments, "--format", "json", cwd=folder).json


def test_images_are_counted_once_a_repository(scans: Path) -> None:
    found = report(scans, "shop.json", "blog.json")
    assert found["summary"] == {"repositories": 2, "pulls": 6, "docker_hub_pulls": 4, "migratable_pulls": 3, "skipped": 0}
    assert found["registries"] == [
        {"registry": "docker.io", "pulls": 4, "images": 3, "repositories": 2, "references": 5},
        {"registry": "public.ecr.aws", "pulls": 1, "images": 1, "repositories": 1, "references": 1},
        {"registry": "quay.io", "pulls": 1, "images": 1, "repositories": 1, "references": 1},
    ]
    assert found["images"][0] == {
        "image": "docker.io/library/node:20",
        "target": "public.ecr.aws/docker/library/node:20",
        "pulls": 2,
        "images": 1,
        "repositories": 2,
        "references": 3,
    }
    assert found["repositories"][1] == {
        "repository": "blog",
        "images": 3,
        "docker_hub": 1,
        "migratable": 1,
        "references": 5,
        "unknown": 1,
        "unreadable_files": 0,
    }
    (left,) = found["left"]
    assert (left["image"], left["class"], left["reason"]) == ("docker.io/grafana/grafana:11", "no-target", "official images only")


def test_the_table_says_it_in_one_sentence(scans: Path) -> None:
    ended = unhub("report", "shop.json", "blog.json", cwd=scans)
    assert ended.status == 0
    assert ended.text.splitlines()[-1] == (
        "One build of all 2 repositories pulls 6 images into empty caches: 4 from Docker Hub, of which 3 can move and 1 cannot."
    )
    assert ended.text.splitlines()[1].split() == ["docker.io", "4", "3", "2"]


def test_csv_has_a_row_an_image_and_repository(scans: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(unhub("report", "--format", "csv", "shop.json", cwd=scans).text, newline="")))
    assert [(row["repository"], row["image"], row["class"], row["references"], row["platform_references"]) for row in rows] == [
        ("shop", "docker.io/library/node:20", "migratable", "2", "0"),
        ("shop", "docker.io/library/redis:7", "migratable", "1", "1"),
        ("shop", "docker.io/grafana/grafana:11", "no-target", "1", "0"),
    ]


class Page(html.parser.HTMLParser):
    """The tags and texts of a page; fails for a tag that is closed out of order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_loads_nothing_and_every_text_in_it_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&\udcff\x1b"
    (tmp_path / "a.json").write_bytes(scan(finding(f"docker.io/{evil}", "no-target", reason=evil), NODE))
    (tmp_path / "<b>.json").write_bytes(b"no json")
    ended = unhub("report", "a.json", "<b>.json", "--name", evil, "--name", "x", "--format", "html", "-o", "page.html", cwd=tmp_path)
    assert (ended.status, ended.out) == (0, b"")
    page = Page((tmp_path / "page.html").read_text("utf-8"))
    assert not {"script", "link", "img", "b", "iframe"} & {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if {"src", "href", "onload"} & set(attributes)]
    assert "<script>alert(1)</script>\"'&\ufffd\ufffd" in page.texts
    assert "<b>.json" in page.texts


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty: the scan did not finish"),
        (b"  \n", "is empty: the scan did not finish"),
        (b'{"schema": 1, "findings": [', "is not JSON: "),
        (b"\xff\xff\xff", "is not JSON: "),
        (b"[" * 100_000, "is not JSON: "),
        (b"[]", "is not a scan of unhub: Expected `object`, got `array`"),
        (b'{"name": "package"}', "is not a scan of unhub: Object missing required field `schema`"),
        (scan({"path": "x"}), "is not a scan of unhub: Object missing required field `class`"),
        (scan(NODE | {"class": "wonderful"}), "is not a scan of unhub: Invalid enum value 'wonderful'"),
        (scan(NODE, schema=2), "has schema 2; this unhub reads 1"),
    ],
)
def test_what_is_no_scan_is_skipped_with_the_reason(data: bytes, why: str, scans: Path) -> None:
    (scans / "bad.json").write_bytes(data)
    ended = unhub("report", "shop.json", "bad.json", "--format", "json", cwd=scans)
    assert ended.status == 0
    assert ended.json["summary"]["repositories"] == 1
    (skipped,) = ended.json["skipped"]
    assert skipped["path"] == "bad.json"
    assert skipped["reason"].startswith(why)
    assert ended.err.startswith("skipped bad.json: ")
    assert unhub("report", "shop.json", "bad.json", "--strict", cwd=scans).status == 3


def test_where_no_scan_could_be_read_it_ends_with_3(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    done = unhub("report", "bad.json", cwd=tmp_path)
    assert (done.status, done.out) == (3, b"")
    assert "not one of the files is a scan" in done.err


def test_a_file_that_is_not_there_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    done = unhub("report", "nowhere.json", cwd=tmp_path)
    assert (done.status, done.out) == (2, b"")
    assert "cannot report on nowhere.json: there is no such file" in done.err


def test_a_scan_in_utf_16_as_a_shell_may_write_it_is_read(scans: Path) -> None:
    (scans / "wide.json").write_bytes(scan(NODE).decode().encode("utf-16"))
    assert report(scans, "wide.json")["summary"]["pulls"] == 1


def test_what_scan_writes_is_what_report_reads(tmp_path: Path) -> None:
    (tmp_path / "pod\udcff.yaml").write_text(POD.format(image="node:20"))
    (tmp_path / "own.json").write_bytes(unhub("scan", "--format", "json", cwd=tmp_path).out)
    assert report(tmp_path, "own.json")["images"][0]["image"] == "docker.io/library/node:20"


def test_repositories_are_called_like_their_files_with_as_many_folders_as_tell_them_apart() -> None:
    assert names_of([Path("a/x.json"), Path("b/y.json")]) == ["x", "y"]
    assert names_of([Path("a/scan.json"), Path("b/scan.json"), Path("c.json")]) == ["a/scan", "b/scan", "c"]
    assert names_of([Path("1/a/scan.json"), Path("2/a/scan.json")]) == ["1/a/scan", "2/a/scan"]
    assert names_of([Path("same.json"), Path("same.json")]) == ["same", "same"]


def test_names_that_are_given_must_be_as_many_as_the_scans(scans: Path) -> None:
    assert report(scans, "shop.json", "blog.json", "--name", "A", "--name", "B")["repositories"][0]["repository"] == "A"
    assert unhub("report", "shop.json", "blog.json", "--name", "A", cwd=scans).status == 2


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["shop.json", "-o", "no/where"], 4)])
def test_a_report_that_cannot_be_made_has_its_status(arguments: list[str], status: int, scans: Path) -> None:
    assert unhub("report", *arguments, cwd=scans).status == status


def generated(number: int) -> bytes:
    """The scan of one of many repositories: 60 references to images that many of them share."""
    images = [(number * 7 + place) % 90 for place in range(60)]
    rows = [finding(f"docker.io/library/image{image}:1", target=f"public.ecr.aws/docker/library/image{image}:1") for image in images]
    return scan(*rows, GRAFANA, QUAY)


@pytest.mark.parametrize("form", ["table", "csv", "html", "json"])
def test_400_repositories_one_broken_and_one_unreadable(form: str, tmp_path: Path) -> None:
    names = [f"repository-{number:03d}.json" for number in range(400)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(generated(number))
    (tmp_path / names[17]).write_bytes(generated(17)[:-40])
    (tmp_path / names[23]).unlink()
    (tmp_path / names[23]).mkdir()
    started = time.monotonic()
    ended = unhub("report", *names, "--format", form, cwd=tmp_path)
    assert time.monotonic() - started < 20
    assert ended.status == 0
    assert ended.err.splitlines() == [
        "skipped repository-017.json: is not JSON: " + ended.err.splitlines()[0].partition("JSON: ")[2],
        "skipped repository-023.json: cannot be read: Is a directory",
    ]
    assert "repository-399" in ended.text
    if form == "json":
        summary = ended.json["summary"]
        assert summary == {"repositories": 398, "pulls": 398 * 62, "docker_hub_pulls": 398 * 61, "migratable_pulls": 398 * 60, "skipped": 2}


def test_reading_takes_as_many_steps_as_there_is_to_read() -> None:
    def steps(references: int) -> int:
        data = scan(*(finding(f"docker.io/library/i{number}:1") for number in range(references)))
        return calls(lambda: pulls(read_scan(data, "x").uses))

    assert steps(5_000) < 11 * steps(500)


def test_a_loop_over_repositories_as_fleet_tools_run_it(tmp_path: Path) -> None:
    """In each clone: `unhub migrate --write --exit-code --summary`, then a commit where that changed something."""
    clones: list[Path] = []
    for name, image in (("one", "node:20"), ("two", "quay.io/a/b:1"), ("three", "golang:1.22")):
        origin = tmp_path / "origins" / name
        origin.mkdir(parents=True)
        (origin / "pod.yaml").write_text(POD.format(image=image))
        repository(origin)
        git("clone", "-q", origin, tmp_path / name, cwd=tmp_path)
        clones.append(tmp_path / name)
    changed: list[str] = []
    for clone in clones:
        text = tmp_path / f"{clone.name}.md"
        if unhub("migrate", "--write", "--exit-code", "--summary", text, cwd=clone).status == 1:
            git("commit", "-qam", "Leave Docker Hub", cwd=clone)
            changed.append(clone.name)
            assert "public.ecr.aws" in text.read_text()
        assert git("status", "--porcelain", cwd=clone) == b"", "nothing of ours stays in the tree"
        (tmp_path / f"{clone.name}.json").write_bytes(unhub("scan", "--format", "json", cwd=clone).out)
    assert changed == ["one", "three"]
    assert report(tmp_path, "one.json", "two.json", "three.json")["summary"]["docker_hub_pulls"] == 0
