"""What a cycle is, whoever drives it: its settings, its rates, its preview, its saving.

`CyclicLR` and `CyclicalLearningRate` are a `CyclicPolicy`, `OneCycleLR` and `OneCycleLearningRate` a
`OneCyclePolicy`: the one sets the rate from outside, step by step, the other is computed in the optimizer.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np

from pyimagesearch_lr import schedules


class Policy:
    """A rate for every step, from settings that are the arguments and the attributes of the same names."""

    SETTINGS: ClassVar[tuple[str, ...]]
    CYCLES: ClassVar[int | None] = None

    @property
    def cycle_steps(self) -> float:
        """The steps of one cycle, up and down."""
        raise NotImplementedError

    def lr_at(self, step: int) -> float:
        """The rate of the given step, counted from the beginning of the cycles."""
        return float(self._rates(step))

    def preview(self, steps: int) -> np.ndarray:
        """The rates of the first `steps` steps, a float64 array of shape `(steps,)`; nothing is trained."""
        return np.broadcast_to(self._rates(np.arange(steps)), (steps,)).astype(np.float64)

    def plot_preview(self, steps: int, ax: Any = None, title: str = "") -> Any:
        """Draw the rates of the first `steps` steps; nothing is trained.

        Args:
            steps: Int, how many steps.
            ax: matplotlib Axes to draw on; None makes a figure.
            title: String, the title.

        Returns:
            The Axes.
        """
        from pyimagesearch_lr import plots

        lrs = self.preview(steps)
        low, high = self._bounds(lrs)
        return plots.lr_against_step(lrs, base_lr=low, max_lr=high, ax=ax, title=title)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If there is a `scale_fn` that is not registered with Keras: it could not be loaded.
        """
        config = {name: getattr(self, name) for name in self.SETTINGS}
        if config.get("scale_fn") is not None:
            config["scale_fn"] = self._saved_function(config["scale_fn"])
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make it anew from what `get_config` returned."""
        config = dict(config)
        if isinstance(config.get("scale_fn"), dict):
            config["scale_fn"] = keras.saving.deserialize_keras_object(config["scale_fn"])
        return cls(**config)

    def _rates(self, step: Any, xp: Any = np) -> Any:
        raise NotImplementedError

    def _bounds(self, lrs: np.ndarray) -> tuple[float, float]:
        raise NotImplementedError

    def _keep(self, settings: dict[str, Any]) -> None:
        for name in self.SETTINGS:
            setattr(self, name, settings[name])

    def _saved_function(self, function: Any) -> dict[str, Any]:
        if keras.saving.get_registered_object(keras.saving.get_registered_name(function)) is not function:
            raise ValueError(
                f"`{type(self).__name__}`: its `scale_fn` cannot be saved: it is not registered with Keras. "
                "Make it a named function under `@keras.saving.register_keras_serializable()`, use a `mode`, "
                "or save the model's weights and make the schedule anew."
            )
        return keras.saving.serialize_keras_object(function)


class CyclicPolicy(Policy):
    """Up and down between two rates; see `schedules.cyclic`."""

    SETTINGS = (
        "base_lr",
        "max_lr",
        "step_size",
        "mode",
        "gamma",
        "scale_fn",
        "scale_mode",
        "step_size_down",
        "cycle_decay",
        "anneal",
    )
    base_lr: float
    max_lr: float
    step_size: float
    step_size_down: float | None

    def _keep(self, settings: dict[str, Any]) -> None:
        names = set(self.SETTINGS) - {"gamma", "scale_fn"}
        schedules.check_cyclic(type(self).__name__, **{name: settings[name] for name in names})
        super()._keep(settings)

    @property
    def cycle_steps(self) -> float:
        return self.step_size + (self.step_size if self.step_size_down is None else self.step_size_down)

    def _rates(self, step: Any, xp: Any = np) -> Any:
        return self._between(step, self.base_lr, self.max_lr, xp)

    def _momenta(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        return self._between(step, max_momentum, base_momentum, np)

    def _between(self, step: Any, low: float, high: float, xp: Any) -> Any:
        settings = {name: getattr(self, name) for name in self.SETTINGS[2:]}
        return schedules.cyclic(step, low, high, **settings, xp=xp)

    def _bounds(self, lrs: np.ndarray) -> tuple[float, float]:
        return self.base_lr, self.max_lr


class OneCyclePolicy(Policy):
    """A warm-up, then down to nearly nothing; see `schedules.one_cycle`."""

    SETTINGS = (
        "max_lr",
        "total_steps",
        "pct_start",
        "div_factor",
        "final_div_factor",
        "anneal",
        "three_phase",
        "flat_start",
    )
    CYCLES = 1
    max_lr: float
    total_steps: int | None
    div_factor: float
    final_div_factor: float

    def _keep(self, settings: dict[str, Any]) -> None:
        check = {name: settings[name] for name in self.SETTINGS}
        schedules.check_one_cycle(type(self).__name__, **check)
        super()._keep(settings)

    @property
    def cycle_steps(self) -> float:
        return self.total_steps or 0

    def _rates(self, step: Any, xp: Any = np) -> Any:
        form = {**self._form(), "div_factor": self.div_factor, "final_div_factor": self.final_div_factor}
        return schedules.one_cycle(step, self.max_lr, **form, xp=xp)

    def _momenta(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        return schedules.one_cycle_momentum(step, base_momentum, max_momentum, **self._form())

    def _form(self) -> dict[str, Any]:
        names = ("pct_start", "anneal", "three_phase", "flat_start")
        return {"total_steps": self.cycle_steps, **{name: getattr(self, name) for name in names}}

    def _bounds(self, lrs: np.ndarray) -> tuple[float, float]:
        return float(lrs.min()), self.max_lr
