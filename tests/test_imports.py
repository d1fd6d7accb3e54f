"""Which room of the package may import which: the table of the design, held by reading every import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pyimagesearch_lr

PACKAGE = "pyimagesearch_lr"
FOLDER = Path(pyimagesearch_lr.__file__).parent

MAY_IMPORT = {
    "__init__": set(),
    "files": set(),
    "schedules": set(),
    "smoothing": set(),
    "plots": set(),
    "layers": set(),
    "machine": set(),
    "fashion_mnist": set(),
    "_keras": set(),
    "_train_step": {"_keras"},
    "settings": {"schedules", "probing"},
    "recipes": {"cycles", "settings"},
    "suggest": {"smoothing"},
    "curve": {"files", "plots", "smoothing", "suggest"},
    "probing": {"suggest"},
    "__main__": {"curve", "files", "suggest"},
    "sweep": {"schedules", "smoothing", "curve"},
    "_state": {"_keras"},
    "policies": {"schedules", "plots"},
    "cycles": {"policies", "schedules", "_keras", "_train_step"},
    "callbacks": {"cycles", "sweep", "schedules", "curve", "_state", "_keras", "_train_step"},
    "finder": {"callbacks", "sweep", "curve", "probing", "suggest", "_state", "_keras", "_train_step"},
    "checkpoint": {"_keras", "files"},
    "keras_schedules": {"policies"},
    "minigooglenet": {"layers"},
    "report": {"files", "plots"},
    "report_page": {"curve", "plots", "report", "suggest"},
    "tensorboard_log": {"_keras"},
}
MAY_IMPORT["pipeline"] = set(MAY_IMPORT) - {"__init__", "__main__"}

NUMPY_ROOMS = (
    "schedules",
    "smoothing",
    "sweep",
    "curve",
    "suggest",
    "probing",
    "files",
    "settings",
)
TENSORFLOW_ROOMS = {
    "_keras",
    "_train_step",
    "layers",
    "fashion_mnist",
    "machine",
    "pipeline",
    "tensorboard_log",
}
KERAS_ROOMS = TENSORFLOW_ROOMS | {
    "recipes",
    "_state",
    "callbacks",
    "checkpoint",
    "cycles",
    "finder",
    "keras_schedules",
    "minigooglenet",
    "policies",
}

ROOMS = sorted(path.stem for path in FOLDER.glob("*.py"))


class Import(NamedTuple):
    module: str
    name: str | None
    inside_a_function: bool


class ImportsOf(ast.NodeVisitor):
    """Every import of a source text that runs: also in functions, not under `if TYPE_CHECKING`."""

    def __init__(self, source: str):
        self.found: list[Import] = []
        self._functions = 0
        self.visit(ast.parse(source))

    def visit_FunctionDef(self, node):
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_If(self, node):
        if "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node):
        for alias in node.names:
            self.found.append(Import(alias.name, None, self._functions > 0))

    def visit_ImportFrom(self, node):
        prefix = PACKAGE + "." if node.level else ""
        module = (prefix + (node.module or "")).rstrip(".")
        for alias in node.names:
            self.found.append(Import(module, alias.name, self._functions > 0))


def imports_of(room: str) -> list[Import]:
    return ImportsOf((FOLDER / f"{room}.py").read_text(encoding="utf-8")).found


def rooms_imported_by(room: str) -> set[str]:
    found = set()
    for module, name, _ in imports_of(room):
        top, _, inner = module.partition(".")
        if top == PACKAGE:
            found.add(inner or (name if name in ROOMS else "__init__"))
    return found


def packages_imported_by(room: str, *, at_module_level: bool = False) -> set[str]:
    return {
        module.partition(".")[0]
        for module, _, inside_a_function in imports_of(room)
        if not (at_module_level and inside_a_function)
    }


def test_reader_sees_every_import_that_runs():
    source = """
import a.b
from c import d
from . import e
from .f import g
if TYPE_CHECKING:
    import never
else:
    import h
if True:
    import i
def function():
    import j
    class Inner:
        def method(self):
            from k.l import m
class Outer:
    import n
"""
    assert set(ImportsOf(source).found) == {
        ("a.b", None, False),
        ("c", "d", False),
        ("pyimagesearch_lr", "e", False),
        ("pyimagesearch_lr.f", "g", False),
        ("h", None, False),
        ("i", None, False),
        ("j", None, True),
        ("k.l", "m", True),
        ("n", None, False),
    }


def test_every_room_is_in_the_table():
    assert set(ROOMS) == set(MAY_IMPORT)


def test_table_has_no_circle():
    left = {room: set(allowed) for room, allowed in MAY_IMPORT.items()}
    while left:
        free = {room for room, allowed in left.items() if not allowed & set(left)}
        assert free, f"these rooms import each other in a circle: {sorted(left)}"
        left = {room: allowed for room, allowed in left.items() if room not in free}


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_the_rooms_it_may(room):
    assert rooms_imported_by(room) <= MAY_IMPORT[room]


@pytest.mark.parametrize("room", NUMPY_ROOMS)
def test_numpy_room_imports_nothing_but_numpy(room):
    installed = packages_imported_by(room) - set(sys.stdlib_module_names) - {PACKAGE}
    assert installed <= {"numpy"}


@pytest.mark.parametrize("room", ROOMS)
def test_only_the_rooms_that_need_them_import_tensorflow_and_keras(room):
    packages = packages_imported_by(room)
    assert "tensorflow" not in packages or room in TENSORFLOW_ROOMS
    assert "keras" not in packages or room in KERAS_ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_matplotlib_before_it_draws(room):
    assert "matplotlib" not in packages_imported_by(room, at_module_level=True)


@pytest.mark.parametrize("room", sorted(set(ROOMS) - {"pipeline"}))
def test_no_room_imports_the_users_config(room):
    assert "config" not in packages_imported_by(room)


def test_only_the_console_command_imports_the_users_config():
    tree = ast.parse((FOLDER / "pipeline.py").read_text(encoding="utf-8"))
    importers = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(
            isinstance(node, ast.Import) and node.names[0].name == "config" for node in ast.walk(function)
        )
    ]
    assert importers == ["console"]
    assert "config" not in packages_imported_by("pipeline", at_module_level=True)


def test_no_room_is_a_drawer_for_odds_and_ends():
    assert not {"utils", "helpers", "common", "misc"} & set(ROOMS)


@pytest.mark.parametrize("modules", [[PACKAGE], [f"{PACKAGE}.{room}" for room in NUMPY_ROOMS]])
def test_importing_the_numpy_rooms_loads_no_framework(modules):
    code = f"import sys, {', '.join(modules)}; print(*sorted(sys.modules))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(run.stdout.split())
    assert set(modules) <= loaded
    assert not {"tensorflow", "keras", "matplotlib", "cv2", "sklearn"} & loaded


def test_every_public_name_resolves():
    assert pyimagesearch_lr.__all__
    for name in pyimagesearch_lr.__all__:
        assert getattr(pyimagesearch_lr, name).__name__ == name
    assert set(pyimagesearch_lr.__all__) <= set(dir(pyimagesearch_lr))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'pyimagesearch_lr' has no attribute 'LRFindr'"):
        _ = pyimagesearch_lr.LRFindr
