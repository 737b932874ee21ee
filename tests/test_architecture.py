"""The rules of the house, read from the source: who may import whom, and what product code leaves out.

A room is a module or a package directly inside ``qonnx_tools``. Everything is read with ``ast``, so an import inside
a function or under ``TYPE_CHECKING`` counts like any other.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "qonnx_tools"

LEVELS = (
    {"__init__", "errors", "discovery", "outcome", "replacing"},
    {"arithmetic", "cost", "strict_json"},
    {"ops", "feature_map_plan", "fitted", "hardware", "plan", "data", "statistics", "histogram"},
    {"graph"},
    {"feature_maps", "origin", "quantizers", "round_trips", "topology"},
    {"accelerator", "divergence", "units", "workload"},
    {"comparable", "contents"},
    {"lowering", "standard_ops"},
    {"passes"},
    {"pipeline", "runtime"},
    {"calibration", "deviation", "feature_map_codec", "tools"},
    {"data_free", "schemes", "inspection"},
    {"compression", "importing", "preparation", "reconstruction", "targets"},
    {"checks", "conversion", "evaluation", "export", "verification"},
    {"finetune", "search"},
    {"cli"},
)
"""Rooms from the lowest level to the highest. A room imports from lower levels, and from itself."""

SAME_LEVEL = {
    ("errors", "outcome"),
    ("discovery", "errors"),
    ("plan", "fitted"),
    ("plan", "feature_map_plan"),
    ("runtime", "pipeline"),
}
"""Arrows inside a level: (importer, imported)."""

ONLY = {
    "arithmetic": {"__init__", "errors", "discovery"},
    "data": {"__init__", "errors"},
    "statistics": {"__init__", "errors"},
}
"""Rooms that may import less than their level allows."""

NUMPY_ONLY = {"arithmetic"}
"""Rooms whose only import from outside the standard library is numpy."""

HEAVY = ("onnx", "onnxruntime", "onnx_graphsurgeon", "scipy", "PIL", "torch")
"""Packages that importing the package or showing the command's help must not load."""

MODEL_FILE_CALLS = {"load", "load_model", "save", "save_model"}
"""Functions of onnx that only ``graph`` calls."""

MAY_HIDE_ERRORS = {"qonnx_tools.passes.fold_constants"}
"""Modules that may catch everything: this one declines a node for whatever onnx's reference evaluator raises on it."""

LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def imports(tree: ast.Module, module: str, *, package: bool) -> Iterator[str]:
    """Yield the full dotted name of everything that a module imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + package]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room_of(name: str, rooms: set[str]) -> str:
    """Return the room that a dotted name inside the package is in; names of the package itself are ``__init__``."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in rooms else "__init__"


def arrow_is_allowed(importer: str, imported: str) -> bool:
    if importer == imported:
        return True
    if importer in ONLY:
        return imported in ONLY[importer]
    if importer not in LEVEL_OF or imported not in LEVEL_OF:
        return False
    return LEVEL_OF[imported] < LEVEL_OF[importer] or (importer, imported) in SAME_LEVEL


def hides_errors(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything and does not end in a raise: of the same, or of an error with a message."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in caught
    )
    return broad and not isinstance(handler.body[-1], ast.Raise)


def import_fault(name: str, room: str, rooms: set[str]) -> str | None:
    """Return what is wrong with the import of ``name`` in a room, or None."""
    top = name.partition(".")[0]
    if top == PACKAGE:
        target = room_of(name, rooms)
        return None if arrow_is_allowed(room, target) else f"{room} may not import {target}"
    if top in {"passes", "models", "tests", "benchmarks"}:
        return "it is not installed"
    if top == "onnx_graphsurgeon" and room != "graph":
        return "only graph does"
    if room in NUMPY_ONLY and top != "numpy" and top not in sys.stdlib_module_names:
        return f"{room} uses numpy alone"
    return None


def statement_fault(node: ast.AST, module: str, room: str) -> str | None:
    """Return what is wrong with a statement or an expression in a module, or None."""
    match node:
        case ast.Assert():
            return f"asserts; raise an error of {PACKAGE}.errors"
        case ast.ExceptHandler() if hides_errors(node) and module not in MAY_HIDE_ERRORS:
            return "catches everything; name the errors"
        case ast.Attribute(value=ast.Name(id="onnx")) if room != "graph" and node.attr in MODEL_FILE_CALLS:
            return f"uses onnx.{node.attr}; model files go through {PACKAGE}.graph"
    return None


def violations(source: str, module: str, rooms: set[str], *, package: bool = False) -> list[str]:
    """Return what a module's source does against the rules, a line each.

    Args:
        source: the module's text.
        module: its dotted name.
        rooms: all rooms that there are.
        package: whether it is an ``__init__.py``.
    """
    tree = ast.parse(source)
    room = room_of(module, rooms)
    found = [
        f"{module} imports {name}: {fault}"
        for name in imports(tree, module, package=package)
        if (fault := import_fault(name, room, rooms))
    ]
    found += [
        f"{module}:{node.lineno} {fault}" for node in ast.walk(tree) if (fault := statement_fault(node, module, room))
    ]
    return found


def modules(package: Path) -> dict[str, Path]:
    """Return the source files of the package by dotted name; linked folders are followed."""
    found = {}

    def collect(folder: Path, name: str) -> None:
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.name.startswith((".", "_")):
                collect(entry, f"{name}.{entry.name}")
            elif entry.suffix == ".py":
                found[name if entry.stem == "__init__" else f"{name}.{entry.stem}"] = entry

    collect(package, package.name)
    return found


@pytest.fixture(scope="module")
def sources(repo_root):
    return modules(repo_root / PACKAGE)


@pytest.fixture(scope="module")
def rooms(sources):
    return {name.split(".")[1] for name in sources if "." in name}


def test_every_room_has_a_level(rooms):
    assert rooms <= LEVEL_OF.keys(), "enter a new room in LEVELS, as low as its imports allow"
    assert LEVEL_OF.keys() <= rooms | {"__init__"}, "take a room that is gone out of LEVELS"


def test_the_source_keeps_the_rules(sources, rooms):
    assert len(sources) > 10
    found = [
        line
        for name, path in sources.items()
        for line in violations(path.read_text(encoding="utf-8"), name, rooms, package=path.stem == "__init__")
    ]
    assert not found, "\n".join(found)


def test_the_passes_are_among_the_sources(sources, repo_root):
    linked = {path.resolve() for name, path in sources.items() if name.startswith(f"{PACKAGE}.passes")}
    assert linked == set((repo_root / "passes").rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("qonnx_tools.graph.load", "from qonnx_tools.passes.base import Pass"),
        ("qonnx_tools.graph.load", "from qonnx_tools import passes"),
        ("qonnx_tools.graph.load", "import qonnx_tools.cli"),
        ("qonnx_tools.graph.load", "def f():\n    from ..cli import main"),
        (
            "qonnx_tools.graph.load",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qonnx_tools import cli",
        ),
        ("qonnx_tools.pipeline", "from qonnx_tools.runtime import session"),
        ("qonnx_tools.pipeline", "from . import runtime"),
        ("qonnx_tools.plan", "from qonnx_tools.ops import op_table"),
        ("qonnx_tools.data.folder", "from qonnx_tools.arithmetic.rounding import Rounding"),
        ("qonnx_tools.errors", "from qonnx_tools.discovery import modules_of"),
        ("qonnx_tools.conversion", "from qonnx_tools import evaluation"),
        ("qonnx_tools.arithmetic.log", "import scipy.special"),
        ("qonnx_tools.arithmetic.log", "import onnx"),
        ("qonnx_tools.passes.fold", "import onnx_graphsurgeon as gs"),
        ("qonnx_tools.passes.fold", "from onnx_graphsurgeon import Node"),
        ("qonnx_tools.passes.fold", "from passes.base import Pass"),
        ("qonnx_tools.passes.fold", "import passes"),
        ("qonnx_tools.runtime", "import onnx\nonnx.load('x')"),
        ("qonnx_tools.cli", "assert True"),
        ("qonnx_tools.cli", "try:\n    pass\nexcept Exception:\n    pass"),
        ("qonnx_tools.cli", "try:\n    pass\nexcept (ValueError, Exception) as error:\n    print(error)"),
        ("qonnx_tools.cli", "try:\n    pass\nexcept:\n    pass"),
        ("qonnx_tools.cli", "from qonnx_tools.attic import old"),
    ],
)
def test_the_checker_finds_what_is_against_the_rules(module, source):
    assert len(violations(source, module, set(LEVEL_OF) | {"attic"})) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("qonnx_tools.runtime", "from qonnx_tools import pipeline, __version__\nimport onnx, onnxruntime"),
        ("qonnx_tools.passes.fold", "from qonnx_tools.graph import gs\nfrom .base import Pass"),
        ("qonnx_tools.graph.load", "import onnx\nimport onnx_graphsurgeon\nonnx.load('x')"),
        (
            "qonnx_tools.cli.main",
            "from qonnx_tools.conversion import convert\nfrom qonnx_tools.errors import DataError",
        ),
        ("qonnx_tools.arithmetic.log", "import math\nimport numpy as np\nfrom qonnx_tools.discovery import modules_of"),
        ("qonnx_tools.conversion", "try:\n    pass\nexcept BaseException:\n    print()\n    raise"),
        ("qonnx_tools.conversion", "try:\n    pass\nexcept Exception as error:\n    raise KeyError from error"),
    ],
)
def test_the_checker_lets_pass_what_keeps_them(module, source):
    assert violations(source, module, set(LEVEL_OF)) == []


def test_relative_imports_are_resolved():
    tree = ast.parse("from . import a\nfrom .b import c\nfrom ..d import e")
    assert list(imports(tree, "p.q.r", package=False)) == ["p.q.a", "p.q.b.c", "p.d.e"]
    assert list(imports(tree, "p.q.r", package=True)) == ["p.q.r.a", "p.q.r.b.c", "p.q.d.e"]


def test_a_tree_is_walked_with_its_links(tmp_path):
    (tmp_path / "package" / "room").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for name in ("package/__init__.py", "package/room/__init__.py", "package/room/a.py", "outside/b.py"):
        (tmp_path / name).touch()
    (tmp_path / "package" / "linked").symlink_to("../outside")
    assert set(modules(tmp_path / "package")) == {"package", "package.room", "package.room.a", "package.linked.b"}


def loaded(statements: str) -> list[str]:
    """Return the heavy packages that a fresh interpreter has loaded after running ``statements``."""
    report = f"import sys\nprint('heavy:', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{statements}\n{report}"], capture_output=True, text=True, check=True
    )
    return done.stdout.rsplit("heavy:", 1)[1].split()


def test_importing_the_package_is_cheap():
    assert loaded("import qonnx_tools") == []


def test_the_check_for_heavy_packages_sees_them():
    assert "PIL" in loaded("import PIL")


def test_the_commands_help_is_cheap(repo_root):
    if not (repo_root / PACKAGE / "cli" / "__init__.py").exists():
        pytest.skip("there is no command yet")
    assert loaded("import qonnx_tools.cli") == []
    help_call = "from qonnx_tools.cli import main\nsys.argv = ['qonnx', '--help']"
    assert loaded(f"import sys\n{help_call}\ntry:\n    main()\nexcept SystemExit:\n    pass") == []
