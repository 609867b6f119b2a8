"""The house rules of docs/architecture.md, checked on the source: sizes, names, no circles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("batman", "core", "slurm", "cli", "batman_tui", "themes", "web")
MOST_MODULES = 14
MOST_LINES = 450
# Names that told readers the wrong thing or nothing, and what stands there instead.
MISLEADING = {
    "shown": "images_per_class",
    "known": "file_cache or our_jobs",
    "seen": "id_map",
    "signs": "end_signs",
    "keeping": "keep_mirrors",
    "choose": "request",
    "chosen": "image_selection",
    "clip": "clip_box",
    "limits": "y_axis",
    "services": "wandb_mlflow",
    "sources": "tail",
    "collector": "garbage_collector",
    "setup_house": "wheelhouse",
    "walk": "display",
    "watchdog": "training_problems",
    "planning": "plan",
    "jobs_look": "polling",
    "plotting": "chart",
    "painting": "paint",
    "mistakes": "confusion",
    "truth": "ground_truth",
    "place": "copy_images",
    "growing": "tail_copy",
    "heavy": "job",
    "ended": "run_ends",
    "secret_sources": "find_secrets",
    "server": "app_server",
}
# `batman_tui.services` is what the app offers to screens, as Textual's own term for it is.
ALLOWED = {"batman_tui/services.py"}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the product by its dotted name."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), path


def imports(tree: ast.AST, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a module imports anywhere: in functions and for types too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known.keys()


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group: set[str] = set()
            while not group or name not in group:
                group.add(stack.pop())
            if len(group) > 1:
                found.append(group)

    for name in edges:
        if name not in index:
            visit(name)
    return found


def test_no_module_imports_itself_through_others() -> None:
    known = dict(modules())
    edges = {
        name: imports(ast.parse(path.read_text(encoding="utf-8")), known) - {name}
        for name, path in known.items()
    }
    assert sum(map(len, edges.values())) > 1000, "the imports were not found"
    assert circles(edges) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def test_folders_and_modules_stay_small() -> None:
    folders: dict[Path, int] = {}
    for _, path in modules():
        if path.name != "__init__.py":
            folders[path.parent] = folders.get(path.parent, 0) + 1
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines} lines: two ideas?"
    wide = {str(folder.relative_to(ROOT)): n for folder, n in folders.items() if n > MOST_MODULES}
    assert not wide, "split these folders by the field's terms"


def test_no_two_modules_of_the_tests_share_a_name() -> None:
    """Pytest imports the tests' modules by their bare names: of two alike it finds only one."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.name not in ("conftest.py", "__init__.py"):
            found.setdefault(path.name, []).append(str(path.relative_to(ROOT)))
    assert len(found) > 100, "the tests were not found"
    assert [paths for paths in found.values() if len(paths) > 1] == []


@pytest.mark.parametrize("name", sorted(MISLEADING))
def test_names_that_misled_are_not_taken_again(name: str) -> None:
    taken = [str(path.relative_to(ROOT)) for _, path in modules() if path.stem == name]
    assert set(taken) <= ALLOWED, f"call it {MISLEADING[name]}, or what it is"


def test_comments_and_docs_name_modules_that_are_there() -> None:
    known = dict(modules())
    word = re.compile(r"`((?:core|slurm|cli|batman_tui|themes|web)(?:\.[a-z_]+)+)")
    files = [path for _, path in modules()] + sorted((ROOT / "docs").rglob("*.md"))
    missing = []
    for path in files:
        for name in word.findall(path.read_text(encoding="utf-8")):
            # The last word may be something in the module.
            if name not in known and name.rpartition(".")[0] not in known:
                missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []
