"""The scan: against ripgrep on the same tree, on growing trees, and how fast the program starts."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import Figures, alternate, installed
from bench.tree import make_tree

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
NEEDLES = r"image|FROM|docker"


def unhub(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("unhub")), *arguments]


def row(name: str, figures: Figures, base: Figures | None = None) -> str:
    base = base or figures
    wall, processor = figures.median / base.median, figures.processor_median / base.processor_median
    return (
        f"| {name} | {figures.median:.3f} | {figures.spread} | {wall:.1f}× "
        f"| {figures.processor_median:.2f} | {processor:.1f}× | {figures.peak / 1e6:.0f} |"
    )


def build(top: Path, files: int) -> Path:
    tree = top / f"tree-{files}"
    make_tree(tree, files)
    if CORPUS.is_dir() and files == 10_000:
        shutil.copytree(CORPUS, tree / "corpus")
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    return tree


def scan_against_ripgrep(tree: Path, runs: int, environment: Mapping[str, str]) -> list[str]:
    commands = {"unhub scan": unhub("scan", "--format", "json", str(tree))}
    if shutil.which("rg"):
        commands = {"rg -l (the floor)": ["rg", "-l", NEEDLES, str(tree)], **commands}
    figures = alternate(commands, runs=runs, environment=environment)
    base = figures.get("rg -l (the floor)")
    head = ["| command | median s | min–max s | ratio | s of processors | ratio | peak MB |", "|---|---|---|---|---|---|---|"]
    return head + [row(name, measured, base) for name, measured in figures.items()]


def growth(top: Path, sizes: Sequence[int], environment: Mapping[str, str]) -> list[str]:
    lines = ["| files | with references | median s | ms a 1,000 files | peak MB |", "|---|---|---|---|---|"]
    for files in sizes:
        tree = top / f"grow-{files}"
        count = make_tree(tree, files)
        subprocess.run(["git", "init", "-q", str(tree)], check=True)
        figures = alternate({"scan": unhub("scan", "--format", "json", str(tree))}, runs=3, environment=environment)["scan"]
        lines.append(f"| {files:,} | {count:,} | {figures.median:.2f} | {figures.median / files * 1e6:.0f} | {figures.peak / 1e6:.0f} |")
        shutil.rmtree(tree)
    return lines


def start_up(empty: Path, environment: Mapping[str, str]) -> list[str]:
    empty.mkdir()
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "unhub --version": unhub("--version"),
        "unhub --help": unhub("--help"),
        "unhub scan": unhub("scan", str(empty)),
    }
    figures = alternate(commands, runs=9, environment=environment)
    lines = ["| command | median ms | min–max ms |", "|---|---|---|"]
    for name, measured in figures.items():
        lines.append(f"| `{name}` | {measured.median * 1000:.0f} | {min(measured.seconds) * 1000:.0f}–{max(measured.seconds) * 1000:.0f} |")
    return lines


def sections(*, quick: bool = False) -> list[str]:
    """Everything about the scan, in Markdown."""
    if shutil.which("rg") is None:
        print("rg (ripgrep) is not here: the floor is left out", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="unhub-bench-") as folder:
        top = Path(folder)
        environment = installed(str(top / "bytecode"))
        tree = build(top, 2_000 if quick else 10_000)
        files = sum(1 for path in tree.rglob("*") if path.is_file() and ".git/" not in path.as_posix())
        return [
            "## A scan against the floor",
            "",
            f"A tree of {files:,} files: made ones (15 in 100 with references) and, where it is here, the corpus of real projects. `rg -l '{NEEDLES}'` only lists the files that hold one of three words; unhub reads every reference in them and decides about it. Goal: within 5× and under 150 MB. Modules are compiled beforehand, as after an install.",
            "",
            *scan_against_ripgrep(tree, 1 if quick else 5, environment),
            "",
            "## Growth",
            "",
            *growth(top, (1_000,) if quick else (1_000, 10_000, 100_000), environment),
            "",
            "## Start",
            "",
            "Goals: `--version` under 150 ms, `--help` under 300 ms. The folder that is scanned is empty.",
            "",
            *start_up(top / "empty", environment),
        ]
