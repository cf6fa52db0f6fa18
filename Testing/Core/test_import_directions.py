"""Who may import whom: the Slicer side the core, the core neither it nor Slicer, and no circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2] / "VertebraAnalysis"
CORE, LIBRARY = MODULE / "vertebra_core", MODULE / "VertebraAnalysisLib"

TOOLS = {"phantom", "training", "evaluation", "commands"}
"""Packages that make, train, measure or start."""

SLICER = {"slicer", "qt", "ctk", "PySide6", "PythonQt"}
SCENE_BUILDING = CORE / "output" / "scene_building.py"
"""Writes scene.mrb, with slicer-core and in a process of its own."""


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of every import of a file, also inside functions; names in full.

    Imports for type checkers alone do not count.
    """
    tree = ast.parse(path.read_text("utf-8"))
    package = path.relative_to(MODULE).parent.parts
    for_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_checkers:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*parents, *filter(None, [node.module])))
            yield from ((module, alias.name) for alias in node.names)


def roots(path: Path) -> set[str]:
    """Packages that a file imports from."""
    return {module.partition(".")[0] for module, _ in imported(path)}


def core_modules() -> dict[str, Path]:
    """Full name -> file of every module of the core."""
    return {
        ".".join(path.relative_to(MODULE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(CORE.rglob("*.py"))
    }


def core_imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of the core that one of its files imports."""
    names = set()
    for module, name in imported(path):
        full = f"{module}.{name}"
        names.add(full if full in modules else module)
    return names & set(modules)


def test_the_core_knows_neither_the_slicer_side_nor_slicer():
    for path in CORE.rglob("*.py"):
        allowed = {"slicer"} if path == SCENE_BUILDING else set()
        assert not roots(path) & (SLICER | {LIBRARY.name}) - allowed, path


def test_the_slicer_side_imports_no_pytorch():
    for path in (*LIBRARY.glob("*.py"), MODULE / "VertebraAnalysis.py"):
        assert "torch" not in roots(path), path


def test_no_two_modules_of_the_core_import_each_other():
    modules = core_modules()
    graph = {name: core_imports(path, modules) - {name} for name, path in modules.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_the_road_imports_nothing_that_makes_trains_measures_or_starts():
    modules = core_modules()
    for path in modules.values():
        if path.relative_to(CORE).parts[0] not in TOOLS:
            packages = {f"{name}.".split(".")[1] for name in core_imports(path, modules)}
            assert not packages & TOOLS, path
