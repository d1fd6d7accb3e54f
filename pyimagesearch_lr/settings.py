"""The settings of a run, checked before anything expensive; TensorFlow is never imported here."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

from pyimagesearch_lr.schedules import CYCLIC_MODES

DTYPE_POLICIES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
NUM_CLASSES = 10


class SettingError(ValueError):
    """A setting that cannot be used: one line that names it, its value and the fix."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What config.py says, with lower-case names; see the comments there for meaning and units."""

    classes: list[str]
    min_lr: float
    max_lr: float
    batch_size: int
    step_size: int
    clr_method: str
    num_epochs: int
    lrfind_plot_path: str
    training_plot_path: str
    clr_plot_path: str
    output_dir: str = "output"
    data_dir: str | None = None
    seed: int = 42
    lrfind_start_lr: float = 1e-10
    lrfind_end_lr: float = 10.0
    lrfind_epochs: int = 3
    dtype_policy: str = "auto"
    quick: bool = False

    @classmethod
    def from_config(cls, config: Any) -> Settings:
        """Read and check the UPPER_CASE names of a module or any other object.

        Args:
            config: The object; `config.py` as a module for the command line.

        Raises:
            SettingError: If a setting is missing or cannot be used.
        """
        values = {}
        for field in dataclasses.fields(cls):
            name = field.name.upper()
            if hasattr(config, name):
                values[field.name] = getattr(config, name)
            elif field.default is dataclasses.MISSING:
                raise SettingError(f"{name} is missing from config.py: add a line `{name} = ...`.")
        settings = cls(**values)
        settings._check()
        return settings

    def for_quick_look(self) -> Settings:
        """The same for the embedded sample: a handful of epochs, results in a folder of their own."""
        folder = Path(self.output_dir) / "quick"
        paths = ("lrfind_plot_path", "training_plot_path", "clr_plot_path")
        return dataclasses.replace(
            self,
            quick=True,
            output_dir=str(folder),
            lrfind_start_lr=1e-6,
            lrfind_end_lr=10.0,
            lrfind_epochs=2,
            batch_size=min(self.batch_size, 16),
            step_size=2,
            num_epochs=4,
            **{name: str(folder / Path(getattr(self, name)).name) for name in paths},
        )

    def make_folders(self) -> None:
        """Make the folders of the results and see that they can be written to.

        Raises:
            SettingError: If one cannot.
        """
        paths = {"OUTPUT_DIR": Path(self.output_dir)}
        for name in ("lrfind_plot_path", "training_plot_path", "clr_plot_path"):
            paths[name.upper()] = Path(getattr(self, name)).parent
        for name, folder in paths.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                writable = os.access(folder, os.W_OK | os.X_OK)
            except OSError:
                writable = False
            if not writable:
                raise SettingError(
                    f"{name} = {getattr(self, name.lower())!r}: the folder {str(folder)!r} cannot be written "
                    "to. Name another one, or change its permissions."
                )

    def _check(self) -> None:
        for name in ("min_lr", "max_lr", "lrfind_start_lr", "lrfind_end_lr"):
            value = getattr(self, name)
            _require(self, name, _is_number(value) and value > 0, "must be a finite number above 0")
        for name in ("batch_size", "step_size", "num_epochs", "lrfind_epochs"):
            value = getattr(self, name)
            _require(self, name, _is_whole(value) and value >= 1, "must be a whole number of at least 1")
        _require(
            self, "seed", _is_whole(self.seed) and self.seed >= 0, "must be a whole number of at least 0"
        )
        below = f"must be less than MAX_LR = {self.max_lr!r}; swap them, or lower it"
        _require(self, "min_lr", self.min_lr < self.max_lr, below)
        below = f"must be less than LRFIND_END_LR = {self.lrfind_end_lr!r}; swap them, or lower it"
        _require(self, "lrfind_start_lr", self.lrfind_start_lr < self.lrfind_end_lr, below)
        _require(self, "clr_method", self.clr_method in CYCLIC_MODES, f"must be one of {CYCLIC_MODES}")
        policies = f"must be one of {DTYPE_POLICIES}"
        _require(self, "dtype_policy", self.dtype_policy in DTYPE_POLICIES, policies)
        enough = isinstance(self.classes, list | tuple) and len(self.classes) == NUM_CLASSES
        _require(self, "classes", enough, f"must be a list of the {NUM_CLASSES} class names")
        for name in ("output_dir", "lrfind_plot_path", "training_plot_path", "clr_plot_path"):
            value = getattr(self, name)
            _require(self, name, isinstance(value, str | Path) and str(value), "must be a path")
        for name in ("lrfind_plot_path", "training_plot_path", "clr_plot_path"):
            is_image = Path(getattr(self, name)).suffix.lower() in (".png", ".pdf", ".svg", ".jpg")
            _require(self, name, is_image, "must end in .png, .pdf, .svg or .jpg")


def _require(settings: Settings, name: str, holds: bool, rule: str) -> None:
    if not holds:
        raise SettingError(f"{name.upper()} = {getattr(settings, name)!r} in config.py: it {rule}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
