"""The merged scans for programs: one JSON object, or CSV with a row an image and repository."""

from __future__ import annotations

import json

from unhub.image.found import Class
from unhub.migrate.inventory import Inventory, Repository, Use, pulls
from unhub.migrate.reports.csv_report import table

_COLUMNS = ("repository", "image", "registry", "class", "target", "reason", "references", "platform_references")


def render_csv(inventory: Inventory) -> str:
    """A row for each image, class and reason of each repository."""
    return table(_COLUMNS, (_row(use) for use in inventory.uses))


def _row(use: Use) -> list[object]:
    return [use.repository, use.image, use.registry, use.class_.value, use.target, use.reason, use.references, use.platform]


def render_json(inventory: Inventory) -> str:
    """``registries``, ``repositories``, ``images``, ``left`` (what stays at Docker Hub), ``skipped``, ``summary``."""
    document = {
        "schema": 1,
        "registries": [{"registry": name, **_counts(uses)} for name, uses in inventory.registries()],
        "repositories": [_repository(row) for row in inventory.repositories],
        "images": [{"image": image, "target": _target(uses), **_counts(uses)} for image, uses in inventory.images()],
        "left": [
            {"image": image, "class": class_, "reason": reason or None, **_counts(uses)}
            for (image, class_, reason), uses in inventory.left()
        ],
        "skipped": [{"path": path, "reason": reason} for path, reason in inventory.skipped],
        "summary": _summary(inventory),
    }
    return json.dumps(document, indent=1) + "\n"


def _counts(uses: list[Use]) -> dict[str, int]:
    return {
        "pulls": pulls(uses),
        "images": len({use.image for use in uses}),
        "repositories": len({use.repository for use in uses}),
        "references": sum(use.references for use in uses),
    }


def _target(uses: list[Use]) -> str | None:
    return next((use.target for use in uses if use.class_ is Class.MIGRATABLE), None)


def _repository(row: Repository) -> dict[str, object]:
    hub = [use for use in row.uses if use.needs_docker_hub]
    return {
        "repository": row.name,
        "images": len(row.images),
        "docker_hub": pulls(hub),
        "migratable": pulls(use for use in hub if use.class_ is Class.MIGRATABLE),
        "references": row.references,
        "unknown": row.unknown,
        "unreadable_files": row.unreadable_files,
    }


def _summary(inventory: Inventory) -> dict[str, int]:
    hub = [use for use in inventory.uses if use.needs_docker_hub]
    return {
        "repositories": len(inventory.repositories),
        "pulls": pulls(inventory.uses),
        "docker_hub_pulls": pulls(hub),
        "migratable_pulls": pulls(use for use in hub if use.class_ is Class.MIGRATABLE),
        "skipped": len(inventory.skipped),
    }
