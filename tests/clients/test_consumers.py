"""The real consumers see the same images after a migration, each under its new name, and nothing else changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.clients import consumers
from tests.clients.consumers import moved
from tests.tools import CORPUS, corpus, git_repository, unhub

FIXTURES = Path(__file__).parent / "fixtures"
GOLDENS = Path(__file__).parents[1] / "golden"


def migrated(folder: Path) -> Path:
    git_repository(folder)
    unhub(folder, "migrate", "--write", ".")
    return folder


@pytest.fixture(scope="session")
def corpus_tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copies of corpus trees, migrated once a test process."""
    done: dict[str, Path] = {}

    def give(tree: str) -> Path:
        if tree not in done:
            done[tree] = migrated(writable_copy(corpus(tree), tmp_path_factory.mktemp("corpus") / tree))
        return done[tree]

    return give


def writable_copy(source: Path, folder: Path) -> Path:
    """A copy without the modes of the files: the corpus itself is read-only."""
    return Path(shutil.copytree(source, folder, copy_function=shutil.copyfile))


@cache
def built(tree: str) -> frozenset[str]:
    return consumers.built_by_skaffold(corpus(tree))


def pulled_moved(images: list[str], tree: str) -> list[str]:
    """The images as they must be called afterwards; what Skaffold builds keeps its name, with any tag."""
    return [image if image.partition(":")[0] in built(tree) else moved(image) for image in images]


def own(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / name, tmp_path / name))


def relative(glob: str) -> list[str]:
    return sorted(path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob(glob))


# Kustomize

KUSTOMIZATIONS = [path.rpartition("/")[0] for path in relative("kustomization.yaml")]


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_kustomize_builds_the_corpus_with_every_image_moved(folder: str, corpus_tree: Callable[[str], Path]) -> None:
    tree, _, below = folder.partition("/")
    before = consumers.kustomize(corpus(tree) / below)
    assert before, "a kustomization without images proves nothing"
    assert consumers.kustomize(corpus_tree(tree) / below) == pulled_moved(before, tree)


def test_kustomize_still_selects_renames_and_prefixes_what_it_did(tmp_path: Path) -> None:
    folder = own("kustomize", tmp_path)
    before = consumers.kustomize(folder / "overlay")
    assert before == ["docker.io/library/node:22.1.0", "mirror.example/web:1", "redis:7", "busybox:1.36"]
    migrated(folder)
    assert consumers.kustomize(folder / "overlay") == [moved(image) for image in before]


# Helm

CHARTS = [path.rpartition("/")[0] for path in relative("Chart.yaml")]
WITH_MISSING_DEPENDENCIES = {"prometheus-helm-charts/charts/prometheus", "retail-store-sample-app/src/app/chart"}
# Their values name no image: Skaffold puts in the one that it has built.
WITHOUT_IMAGES = {"skaffold-examples/examples/multiple-renderers/backend", "skaffold-examples/examples/templated-fields/charts"}
# What a chart switches on only when asked, so that more of its images are seen.
ASKED = {
    "retail-store-sample-app/src/cart/chart": ("--set=dynamodb.create=true",),
    "retail-store-sample-app/src/catalog/chart": ("--set=mysql.create=true", "--set=opensearch.create=true"),
    "retail-store-sample-app/src/checkout/chart": ("--set=redis.create=true",),
    "retail-store-sample-app/src/orders/chart": ("--set=postgresql.create=true", "--set=rabbitmq.create=true"),
}


@pytest.mark.parametrize("chart", [chart for chart in CHARTS if chart not in WITH_MISSING_DEPENDENCIES | WITHOUT_IMAGES])
def test_helm_renders_the_corpus_with_every_image_moved(chart: str, corpus_tree: Callable[[str], Path]) -> None:
    tree, _, below = chart.partition("/")
    before = consumers.helm(corpus(tree) / below, *ASKED.get(chart, ()))
    assert before, "a chart without images proves nothing"
    assert consumers.helm(corpus_tree(tree) / below, *ASKED.get(chart, ())) == pulled_moved(before, tree)


def test_helm_joins_split_fields_to_the_moved_names(tmp_path: Path) -> None:
    folder = own("helm", tmp_path)
    before = consumers.helm(folder)
    assert before == ["docker.io/node:1.10", "nginx:1.27", "redis:7", "docker.io/library/busybox:1.36", "quay.io/org/tool:1"]
    migrated(folder)
    assert [moved(image) for image in before] == consumers.helm(folder)


# Compose

COMPOSE_FILES = sorted({path for glob in ("compose*.y*ml", "docker-compose*.y*ml") for path in relative(glob)})
OVERLAYS = {
    "retail-store-sample-app/src/app/compose.override.yaml",
    "retail-store-sample-app/src/app/docker-compose.tracing.yml",
}


@pytest.mark.parametrize("path", [path for path in COMPOSE_FILES if path not in OVERLAYS])
def test_compose_reads_the_corpus_with_every_image_moved(path: str, corpus_tree: Callable[[str], Path]) -> None:
    tree, _, below = path.partition("/")
    folder, _, file = below.rpartition("/")
    before = consumers.compose(corpus(tree) / folder, file)
    after = consumers.compose(corpus_tree(tree) / folder, file)
    assert after == {service: pulled_moved(images, tree) for service, images in before.items()}


def test_compose_follows_defaults_env_files_contexts_and_volumes_to_the_moved_names(tmp_path: Path) -> None:
    folder = own("compose", tmp_path)
    before = consumers.compose(folder, "compose.yaml")
    assert before == {
        "cache": ["redis:7"],
        "database": ["postgres:16-alpine"],
        "proxy": ["nginx:1.27"],
        "site": ["busybox:1.36", "alpine:3.20", "node:22"],
        "tool": ["ghcr.io/org/tool:1"],
    }
    migrated(folder)
    after = consumers.compose(folder, "compose.yaml")
    assert after == {service: [moved(image) for image in images] for service, images in before.items()}


@pytest.mark.parametrize("name", ["anchors", "contexts", "defaults", "dotenv", "inline", "replaced-tag", "stack", "volumes"])
def test_compose_reads_the_golden_cases_with_every_image_moved(name: str, tmp_path: Path) -> None:
    """What we wrote by hand as the result of a rewrite is what compose, too, takes for it."""
    case = GOLDENS / "compose" / name
    before = writable_copy(case / "before", tmp_path / "before")
    after = writable_copy(case / "before", tmp_path / "after")
    shutil.copytree(case / "after", after, dirs_exist_ok=True)
    (file,) = [path.name for path in before.iterdir() if path.suffix in {".yaml", ".yml"}]
    images = consumers.compose(before, file)
    assert any(images.values())
    assert consumers.compose(after, file) == {service: [moved(image) for image in pulled] for service, pulled in images.items()}


# Bake


@pytest.mark.parametrize("tree", ["buildkit", "docker-cli"])
def test_bake_still_reads_the_definitions_of_the_corpus(tree: str, corpus_tree: Callable[[str], Path]) -> None:
    # These definitions name no images of their own: their Dockerfiles do.
    assert consumers.bake_definitions(corpus_tree(tree)) == consumers.bake_definitions(corpus(tree))


def test_bake_follows_contexts_inline_dockerfiles_and_variables_to_the_moved_names(tmp_path: Path) -> None:
    folder = own("bake", tmp_path)
    before = consumers.bake(folder)
    assert before == ["alpine:3.20", "node:22", "golang:1.23", "busybox:1.36"]
    migrated(folder)
    assert consumers.bake(folder) == [moved(image) for image in before]
