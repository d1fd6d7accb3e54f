"""Import paths of 0.1 that have moved: in 0.2 they work, with a DeprecationWarning that says where to."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, cast

PACKAGE = __package__
MOVED = {
    "callbacks": ("finder", "cycles"),
    "checkpoint": ("pipeline.checkpoint",),
    "fashion_mnist": ("pipeline.fashion_mnist", "pipeline.image_batches"),
    "keras_schedules": ("cycles",),
    "machine": ("pipeline.machine",),
    "policies": ("cycles",),
    "recipes": ("pipeline.plan",),
    "report": ("pipeline.report",),
    "report_page": ("pipeline.page",),
    "settings": ("pipeline.plan",),
    "tensorboard_log": ("pipeline.tensorboard_log",),
}


class MovedModules(MetaPathFinder, Loader):
    """Finds the modules of `MOVED`: each looks names up in the rooms that now hold its contents."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        return ModuleSpec(fullname, self) if package == PACKAGE and name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        rooms = [f"{PACKAGE}.{room}" for room in MOVED[module.__name__.rpartition(".")[2]]]
        warnings.warn(
            f"`{module.__name__}` is deprecated and will be removed in 0.3. Import from "
            f"`{'` or `'.join(rooms)}`.",
            DeprecationWarning,
            stacklevel=_frames_to_the_import(),
        )
        vars(module)["__getattr__"] = _lookup_in(rooms, module.__name__)


def install() -> None:
    """Let `import` find the old paths."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())


def _lookup_in(rooms: Sequence[str], old: str) -> Any:
    def lookup(name: str) -> Any:
        for room in rooms:
            if hasattr(import_module(room), name):
                return getattr(import_module(room), name)
        raise AttributeError(f"module {old!r} has no attribute {name!r}")

    return lookup


def _frames_to_the_import() -> int:
    """The `stacklevel`, seen from the caller, of the line that imports: beyond Python's own machinery."""
    level, frame = 0, cast(FrameType, inspect.currentframe())
    while frame.f_back and (frame.f_code.co_filename == __file__ or "importlib" in frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    return level
