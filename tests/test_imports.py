"""Which room of the package may import which: the table of the design, held by reading every import."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pyimagesearch_lr
from pyimagesearch_lr import _moved

PACKAGE = "pyimagesearch_lr"
FOLDER = Path(pyimagesearch_lr.__file__).parent

MAY_IMPORT = {
    "__init__": {"_moved"},
    "_moved": set(),
    "_arguments": set(),
    "_warn": set(),
    "files": set(),
    "plots": set(),
    "schedules": {"_arguments"},
    "smoothing": {"_arguments"},
    "suggest": {"_arguments", "smoothing"},
    "probing": {"_arguments", "suggest"},
    "curve": {"_arguments", "files", "plots", "probing", "smoothing", "suggest"},
    "sweep": {"_arguments", "schedules", "smoothing", "curve"},
    "layers": set(),
    "optimizers": {"_arguments", "_keras"},
    "minigooglenet": {"_arguments", "layers"},
    "_tensorflow": set(),
    "_keras": {"_tensorflow", "_warn"},
    "_momentum": {"_keras", "_tensorflow"},
    "_state": {"_keras"},
    "_fast": {"_keras", "_tensorflow"},
    "_watch": {"_keras", "_state", "_warn"},
    "recording": {"_arguments", "sweep", "_fast", "_keras", "_state", "_watch"},
    "cycles": {"_arguments", "_keras", "_momentum", "_warn", "_watch", "plots", "schedules"},
    "finder": {
        "_arguments",
        "_keras",
        "_state",
        "_warn",
        "curve",
        "probing",
        "recording",
        "schedules",
        "suggest",
        "sweep",
    },
    "__main__": {
        "plots",
        "curve",
        "files",
        "suggest",
        "pipeline",
        "pipeline.command_line",
        "pipeline.config_file",
        "pipeline.prediction",
        "pipeline.process",
        "pipeline.report",
    },
    "pipeline.stopping": set(),
    "pipeline.terminal": set(),
    "pipeline.machine": {"pipeline.plan", "pipeline.terminal"},
    "pipeline.checkpoint_file": {"files"},
    "pipeline.plan": {
        "_arguments",
        "files",
        "probing",
        "schedules",
        "pipeline.checkpoint_file",
        "pipeline.report",
        "pipeline.terminal",
    },
    "pipeline.lock": {"pipeline.plan", "pipeline.terminal"},
    "pipeline.finite_loss": {"pipeline.stopping"},
    "pipeline.fashion_mnist": set(),
    "pipeline.image_folder": {"pipeline.machine"},
    "pipeline.image_batches": {"_arguments", "pipeline.image_folder", "pipeline.machine"},
    "pipeline.data": {
        "pipeline.plan",
        "files",
        "pipeline.fashion_mnist",
        "pipeline.image_batches",
        "pipeline.image_folder",
        "pipeline.machine",
        "pipeline.terminal",
    },
    "pipeline.model": {
        "__init__",
        "_keras",
        "optimizers",
        "pipeline.machine",
        "pipeline.plan",
        "pipeline.saved_model",
        "pipeline.terminal",
    },
    "pipeline.saved_model": {"files", "layers"},
    "pipeline.examples": set(),
    "pipeline.prediction": {
        "files",
        "pipeline.image_batches",
        "pipeline.image_folder",
        "pipeline.machine",
        "pipeline.process",
        "pipeline.saved_model",
        "pipeline.terminal",
    },
    "pipeline.process": {"pipeline.stopping"},
    "pipeline.command_line": {"pipeline.plan", "pipeline.process"},
    "pipeline.config_file": {"files"},
    "pipeline.checkpoint": {"_keras", "pipeline.checkpoint_file"},
    "pipeline.report": {"files"},
    "pipeline.results": {"__init__", "suggest", "pipeline.examples", "pipeline.plan", "pipeline.report"},
    "pipeline.page": {
        "plots",
        "pipeline.examples",
        "pipeline.plan",
        "pipeline.report",
        "pipeline.results",
    },
    "pipeline.tensorboard_log": set(),
}
LIBRARY = set(MAY_IMPORT) - {room for room in MAY_IMPORT if room.startswith("pipeline.")}
PIPELINE = set(MAY_IMPORT) - LIBRARY
MAY_IMPORT["pipeline.training"] = PIPELINE | {"__init__", "curve", "plots"}
MAY_IMPORT["pipeline"] = {
    "files",
    "pipeline.checkpoint_file",
    "pipeline.command_line",
    "pipeline.config_file",
    "pipeline.data",
    "pipeline.lock",
    "pipeline.plan",
    "pipeline.process",
    "pipeline.results",
    "pipeline.stopping",
    "pipeline.terminal",
    "pipeline.training",
}

NUMPY_ROOMS = (
    "_arguments",
    "_warn",
    "schedules",
    "smoothing",
    "sweep",
    "curve",
    "suggest",
    "probing",
    "files",
)
TENSORFLOW_ROOMS = {"_fast", "_tensorflow", "layers"}
TENSORFLOW_ROOMS |= {"pipeline.image_batches", "pipeline.machine", "pipeline.tensorboard_log"}
PRIVATE_ROOMS = {"_fast", "_keras"}  # the only ones that may know a private name of Keras or TensorFlow
KERAS_ROOMS = TENSORFLOW_ROOMS | {
    "optimizers",
    "_keras",
    "_momentum",
    "_state",
    "_watch",
    "cycles",
    "finder",
    "minigooglenet",
    "recording",
    "pipeline.checkpoint",
    "pipeline.fashion_mnist",
    "pipeline.finite_loss",
    "pipeline.machine",
    "pipeline.model",
    "pipeline.saved_model",
    "pipeline.training",
}


def path_of(room: str) -> Path:
    path = FOLDER.joinpath(*room.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def room_at(path: Path) -> str:
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


ROOMS = sorted(room_at(path) for path in FOLDER.rglob("*.py"))


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
    return ImportsOf(path_of(room).read_text(encoding="utf-8")).found


def rooms_imported_by(room: str) -> set[str]:
    found = set()
    for module, name, _ in imports_of(room):
        top, _, inner = module.partition(".")
        if top == PACKAGE:
            whole = f"{inner}.{name}".lstrip(".")
            found.add(whole if whole in ROOMS else inner or "__init__")
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


@pytest.mark.parametrize("room", sorted(set(ROOMS) - {"pipeline.config_file"}))
def test_no_room_imports_the_users_config(room):
    assert "config" not in packages_imported_by(room)


def test_only_the_console_command_imports_the_users_config():
    tree = ast.parse(path_of("pipeline.config_file").read_text(encoding="utf-8"))
    importers = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(
            isinstance(node, ast.Import) and node.names[0].name == "config" for node in ast.walk(function)
        )
    ]
    assert importers == ["imported"]
    assert "config" not in packages_imported_by("pipeline.config_file", at_module_level=True)


@pytest.mark.parametrize("room", sorted(LIBRARY - {"__main__"}))
def test_the_library_never_imports_the_application(room):
    assert not {each for each in rooms_imported_by(room) if each.partition(".")[0] == "pipeline"}


def test_training_is_at_the_top_of_the_application():
    importers = {room for room in ROOMS if "pipeline.training" in rooms_imported_by(room)}
    assert importers == {"pipeline"}


@pytest.mark.parametrize("old, news", sorted(_moved.MOVED.items()))
def test_import_paths_of_0_1_warn_and_name_the_new_one(old, news):
    code = f"import warnings; warnings.simplefilter('error'); import {PACKAGE}.{old}"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER.parent, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 1
    for new in news:
        assert f"`{PACKAGE}.{new}`" in run.stderr.splitlines()[-1]
    assert 'File "<string>", line 1' in run.stderr


@pytest.mark.parametrize(
    "old, name, new",
    [
        ("callbacks", "LRFinder", "finder"),
        ("callbacks", "CyclicLR", "cycles"),
        ("keras_schedules", "CyclicalLearningRate", "cycles"),
        ("settings", "SettingError", "pipeline.plan"),
        ("fashion_mnist", "load_data", "pipeline.fashion_mnist"),
        ("fashion_mnist", "resize", "pipeline.image_batches"),
    ],
)
def test_import_paths_of_0_1_give_the_very_same_objects(old, name, new):
    for module in (f"{PACKAGE}.{old}",):
        sys.modules.pop(module, None)
    with pytest.warns(DeprecationWarning, match="will be removed in 0.3") as caught:
        moved = getattr(importlib.import_module(f"{PACKAGE}.{old}"), name)
    assert moved is getattr(importlib.import_module(f"{PACKAGE}.{new}"), name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sys.modules[f"{PACKAGE}.{old}"].nothing
    assert len(caught) == 1


class PrivateNames(ast.NodeVisitor):
    """Where a source text reaches for a private name of an object that is not its own."""

    def __init__(self, source: str):
        self.found: list[str] = []
        tree = ast.parse(source)
        self._own = {"self", "cls"} | {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)
            for alias in node.names
        }
        self.visit(tree)

    def visit_Attribute(self, node):
        is_own = isinstance(node.value, ast.Name) and node.value.id in self._own
        is_super = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "super"
        if self._is_private(node.attr) and not (is_own or is_super):
            self.found.append(f"{ast.unparse(node)} in line {node.lineno}")
        self.generic_visit(node)

    def visit_Call(self, node):
        if getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr", "delattr"):
            self._look_at(node.args[1], node)
        self.generic_visit(node)

    def visit_Subscript(self, node):
        if ast.unparse(node.value).startswith("vars(") or ast.unparse(node.value).endswith(".__dict__"):
            self._look_at(node.slice, node)
        self.generic_visit(node)

    def _look_at(self, name, node):
        if isinstance(name, ast.Constant) and self._is_private(str(name.value)):
            self.found.append(f"{ast.unparse(node)} in line {node.lineno}")

    @staticmethod
    def _is_private(name):
        return name.startswith("_") and not name.endswith("__")


def test_reader_of_private_names_sees_them():
    source = """
from pyimagesearch_lr import _keras
from pyimagesearch_lr._keras import door
class A(B):
    def f(self, model):
        self._x = _keras._y + door._z + super()._w + cls._v + model.__class__
        model._a + self.b._c
        getattr(model, "_d"), setattr(self, "e", 1), vars(model)["_f"], model.__dict__["_g"], vars(model)[h]
"""
    found = [each.partition(" in line")[0] for each in PrivateNames(source).found]
    assert found == [
        "model._a",
        "self.b._c",
        "getattr(model, '_d')",
        "vars(model)['_f']",
        "model.__dict__['_g']",
    ]


@pytest.mark.parametrize("room", sorted(set(ROOMS) - PRIVATE_ROOMS))
def test_private_names_of_keras_and_tensorflow_stand_in_two_rooms_only(room):
    source = path_of(room).read_text(encoding="utf-8")
    assert PrivateNames(source).found == []
    assert "keras.src" not in source
    assert "tensorflow.python" not in source


def copy_without_the_accelerator(folder: Path) -> Path:
    shutil.copytree(FOLDER, folder / PACKAGE, ignore=shutil.ignore_patterns("_fast.py", "__pycache__"))
    return folder


SWEEP_AND_CYCLE = """
import sys
sys.meta_path = [each for each in sys.meta_path if "editable" not in str(each).lower()]  # of this checkout
import keras, numpy as np
import pyimagesearch_lr
for name in pyimagesearch_lr.__all__:
    getattr(pyimagesearch_lr, name)
from pyimagesearch_lr import CyclicLR, LearningRateFinder
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
def made():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    return model
model = made()
before = [np.array(v) for v in model.get_weights()]
finder = LearningRateFinder(model, stop_factor=None)
curve = finder.find((x, y), 1e-4, 0.1, num_steps=12, batch_size=64, verbose=0)
oracle, reference = [], made()
for rate in np.geomspace(1e-4, 0.1, 12):
    reference.optimizer.learning_rate = rate
    reference.reset_metrics()
    oracle.append(float(reference.train_on_batch(x, y)))
np.testing.assert_allclose(curve.raw_losses, oracle, rtol=1e-5)
assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
clr = CyclicLR(0.1, 0.3, step_size=2)
model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[clr])
np.testing.assert_allclose(clr.history["lr"], [0.1, 0.2, 0.3, 0.2])
print(keras.backend.backend(), "fast" if "pyimagesearch_lr._fast" in sys.modules else "plain")
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_everything_works_without_the_accelerator_and_on_another_backend(backend, tmp_path):
    pytest.importorskip(backend)
    folder = copy_without_the_accelerator(tmp_path)
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SWEEP_AND_CYCLE]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split() == [backend, "plain"]


PROMISES = """
import sys
import pytest
sys.meta_path = [each for each in sys.meta_path if "editable" not in str(each).lower()]  # of this checkout
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_loss_is_true_and_no_trace_is_left_without_the_accelerator_and_on_another_backend(backend, tmp_path):
    pytest.importorskip(backend)
    folder = copy_without_the_accelerator(tmp_path)
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(folder)}
    tests = Path(__file__).parent
    classes = [f"{tests}/test_finder.py::{name}" for name in ("TestTrueLoss", "TestTraceless")]
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-m",
        "not slow",
        "-c",
        f"{tests.parent}/pyproject.toml",
    ]
    command = [sys.executable, "-c", PROMISES, *options, *classes]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert run.returncode == 0, run.stdout[-4000:]


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


def test_every_room_has_tests_of_its_name():
    elsewhere = {"_moved": "imports", "_tensorflow": "keras"}  # the door to it, which all others use
    tests = Path(__file__).parent
    for folder, names in ((FOLDER, tests), (FOLDER / "pipeline", tests / "pipeline")):
        for room in folder.glob("*.py"):
            name = elsewhere.get(room.stem, room.stem.strip("_"))
            assert name == "init" or list(names.glob(f"test_{name}*.py")), room
