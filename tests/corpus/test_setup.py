"""Real trees set up: nothing is refused, every file still parses, and a second run finds nothing to do."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from unhub.image.source import FormatSettings
from unhub.migrate.run import RunOptions
from unhub.setup.outcome import Status, Wishes
from unhub.setup.plan import SYSTEMS, SetupPlan, plan_setup, system_named


def setup(system: str, folder: Path) -> SetupPlan:
    return plan_setup(system_named(system), RunOptions(base=folder, use_gitignore=False), FormatSettings(), Wishes())


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_copy_is_set_up_once(corpus: Path, tree: str, system: str, tmp_path: Path) -> None:
    plan = setup(system, corpus / tree)
    assert [file.path for file in plan.files if file.status is Status.REFUSED] == []
    if not plan.plan.after:
        return
    copy = tmp_path / tree
    shutil.copytree(corpus / tree, copy, symlinks=True)
    for path, data in plan.plan.after.items():
        (copy / path).write_bytes(data)
        if path.endswith((".yml", ".yaml")):
            list(YAML(typ="rt", pure=True).load_all(StringIO(data.decode("utf-8-sig"))))
    again = setup(system, copy)
    assert again.plan.after == {}
    assert {file.path for file in again.files if file.status is Status.PRESENT} >= plan.plan.after.keys()
