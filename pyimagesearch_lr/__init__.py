"""A learning-rate finder and cyclical learning rates for Keras 3."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pyimagesearch_lr import _moved

if TYPE_CHECKING:
    from pyimagesearch_lr.curve import Comparison as Comparison
    from pyimagesearch_lr.curve import LRCurve as LRCurve
    from pyimagesearch_lr.cycles import CyclicalLearningRate as CyclicalLearningRate
    from pyimagesearch_lr.cycles import CyclicLR as CyclicLR
    from pyimagesearch_lr.cycles import OneCycleLearningRate as OneCycleLearningRate
    from pyimagesearch_lr.cycles import OneCycleLR as OneCycleLR
    from pyimagesearch_lr.finder import LearningRateFinder as LearningRateFinder
    from pyimagesearch_lr.finder import LRFinder as LRFinder
    from pyimagesearch_lr.finder import PeriodicLRFinder as PeriodicLRFinder
    from pyimagesearch_lr.finder import compare as compare
    from pyimagesearch_lr.minigooglenet import MiniGoogLeNet as MiniGoogLeNet
    from pyimagesearch_lr.probing import Verify as Verify
    from pyimagesearch_lr.schedules import MidCycleWarning as MidCycleWarning
    from pyimagesearch_lr.suggest import NoSuggestion as NoSuggestion
    from pyimagesearch_lr.suggest import Suggestion as Suggestion

__version__ = "0.2.0"

_ROOMS = {
    "Comparison": "curve",
    "CyclicLR": "cycles",
    "CyclicalLearningRate": "cycles",
    "LRCurve": "curve",
    "LRFinder": "finder",
    "LearningRateFinder": "finder",
    "MidCycleWarning": "schedules",
    "MiniGoogLeNet": "minigooglenet",
    "NoSuggestion": "suggest",
    "OneCycleLR": "cycles",
    "OneCycleLearningRate": "cycles",
    "PeriodicLRFinder": "finder",
    "Suggestion": "suggest",
    "Verify": "probing",
    "compare": "finder",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    """Import a public name's room when it is first asked for: the NumPy ones need no TensorFlow."""
    if name in _moved.MOVED:
        return import_module(f"{__name__}.{name}")
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


_moved.install()

if sys.modules.get("keras"):  # so that a saved model loads without naming the rooms its parts are from
    for _room in ("cycles", "layers", "optimizers"):
        import_module(f"{__name__}.{_room}")
