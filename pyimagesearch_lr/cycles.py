"""Cycles as guests of Keras: callbacks that set the rate, schedules that the optimizer computes.

Each has a value of `schedules` as `cycle`, whose settings are also its own attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from pyimagesearch_lr import _keras, _momentum
from pyimagesearch_lr._arguments import (
    COUNT,
    COUNT_OR_0,
    SHARE_BELOW_1,
    number,
    optional,
    text,
    whole,
    wrong_type,
    wrong_value,
)
from pyimagesearch_lr._warn import warn
from pyimagesearch_lr._watch import TrainingWatch
from pyimagesearch_lr.schedules import (
    Cyclic,
    MidCycleWarning,
    OneCycle,
    Schedule,
    epochs_that_end_a_cycle,
)

STEP = number()
START_STEP = optional(whole())


class Guest:
    """What callbacks and schedules share: the rates of a cycle, its settings as attributes, saving."""

    CYCLE: ClassVar[type[Schedule]]
    cycle: Any

    def __getattr__(self, name: str) -> Any:
        if name in self._settings():
            return getattr(self.cycle, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._settings():
            self._change(**{name: value})
        else:
            super().__setattr__(name, value)

    @property
    def cycle_steps(self) -> float:
        """The steps of the first cycle, without a warm-up."""
        return self._known_cycle().cycle_steps

    def lr_at(self, step: int) -> float:
        """The rate of the given step, counted from the beginning of the cycles, a warm-up included."""
        return self._lr(self._checked("lr_at", STEP, "step", step))

    def preview(self, steps: int) -> np.ndarray:
        """The rates of the first `steps` steps, a float64 array of shape `(steps,)`; nothing is trained."""
        steps = self._checked("preview", COUNT_OR_0, "steps", steps)
        cycle = self._known_cycle(steps)
        try:
            lrs = cycle(np.arange(steps))
        except (TypeError, ValueError):  # a `scale_fn` may take one number at a time, as in training
            lrs = [cycle(step) for step in range(steps)]
        return np.broadcast_to(np.asarray(lrs), (steps,)).astype(np.float64)

    def plot_preview(self, steps: int, ax: Any = None, title: str = "") -> Any:
        """Draw the rates of the first `steps` steps; nothing is trained.

        Args:
            steps: Int, how many steps, at least 1.
            ax: matplotlib Axes to draw on; None makes a figure.
            title: String, the title.

        Returns:
            The Axes.
        """
        from pyimagesearch_lr import plots

        lrs = self.preview(self._checked("plot_preview", COUNT, "steps", steps))
        title = self._checked("plot_preview", text, "title", title)
        return plots.lr_against_step(lrs, base_lr=lrs.min(), max_lr=self.cycle.max_lr, ax=ax, title=title)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If `scale_fn` is not registered with Keras: it could not be loaded.
        """
        config = {name: getattr(self.cycle, name) for name in self._settings()}
        if config.get("scale_fn") is not None:
            config["scale_fn"] = self._saved_function(config["scale_fn"])
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make one from what `get_config` returned."""
        config = dict(config)
        if isinstance(config.get("scale_fn"), dict):
            config["scale_fn"] = keras.saving.deserialize_keras_object(config["scale_fn"])
        return cls(**config)

    @classmethod
    def _settings(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls.CYCLE))

    def _lr(self, step: float) -> float:
        return float(self._known_cycle()(step))

    def _change(self, **settings: Any) -> None:
        """Take another cycle, with these settings in place of the old ones."""
        self.cycle = replace(self.cycle, owner=type(self).__name__, **settings)

    def _known_cycle(self, steps: int | None = None) -> Any:
        """The cycle with its length, which is `steps` unless it is known already."""
        return self.cycle

    def _checked(self, method: str, kind: Callable, name: str, value: Any) -> Any:
        return kind(f"{type(self).__name__}.{method}", name, value)

    def _saved_function(self, function: Any) -> dict[str, Any]:
        registered = function if hasattr(function, "__name__") else type(function)
        name = keras.saving.get_registered_name(registered)
        if keras.saving.get_registered_object(name) is not registered:
            raise ValueError(
                f"`{type(self).__name__}`: its `scale_fn` cannot be saved: it is not registered with Keras. "
                "Make it a named function under `@keras.saving.register_keras_serializable()`, use a `mode`, "
                "or save the model's weights and make the schedule again."
            )
        return keras.saving.serialize_keras_object(function)


class RateDriver(Guest, _keras.OwnCallback):
    """Before every batch, sets the rate of a cycle and its momentum from the optimizer's count of batches."""

    drives_learning_rate = True

    def __init__(self, cycle: Schedule, momentum: Any, start_step: int | None) -> None:
        super().__init__()
        self.cycle = cycle
        self.momentum = _checked_momentum(type(self).__name__, momentum)
        self.start_step: int | None = START_STEP(type(self).__name__, "start_step", start_step)
        self.history: dict[str, list] = {}
        self._begins_anew = False
        self._reset_at: int | None = None
        self._reset_start: int | None = None
        self._origin: int | None = None
        self._used: dict[str, float] = {}
        self._watch: TrainingWatch | None = None
        self._cycled_momentum: _momentum.CycledMomentum | None = None

    def momentum_at(self, step: int) -> float | None:
        """The momentum of the given step, counted as in `lr_at`; None if it is not cycled."""
        step = self._checked("momentum_at", STEP, "step", step)
        return None if self.momentum is None else float(self._known_cycle().momentum(step, *self.momentum))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If `scale_fn` is not registered with Keras: it could not be loaded.
        """
        return {**super().get_config(), "momentum": self.momentum, "start_step": self.start_step}

    def close(self) -> None:
        """Leave the model as it was before its momentum was cycled, as the end of `fit` does by itself.

        For your own training loop, or a `fit`, that ended with an error. Harmless when done twice.
        """
        if self._cycled_momentum is not None:
            self._cycled_momentum.end()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.close()
        self.set_params(self.params or {})  # your own training loop may give none
        _keras.check_can_drive(self)
        _keras.call_first(self)
        self._origin = None
        steps = (self.params.get("steps") or 0) * (self.params.get("epochs") or 0)
        self._watch = TrainingWatch(type(self).__name__, self.model, steps)
        if self.momentum is not None:
            self._begin_momentum()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._origin is None:
            self._origin = self._origin_of_fit(epoch)
            self._warn_of_late_beginning(self._origin)
            self._warn_of_end_in_mid_cycle(epoch, self._origin)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        model = self.model
        steps_done = _keras.steps_done(model.optimizer)
        if self._begins_anew:
            self._origin = self._origin_of_fit(0)
            self._begins_anew = False
            if self.start_step is None:
                self._reset_at = self._origin  # for a `fit` that goes on with this one
            else:
                self.start_step = self._reset_start = self._origin
        elif self._origin is None:  # your own training loop may have no epochs
            self._origin = self._origin_of_fit(0)
        step = max(0, steps_done - self._origin)
        self._used = {"lr": self._lr(step)}
        _keras.set_learning_rate(model.optimizer, self._used["lr"])
        if self._cycled_momentum is not None and self.momentum is not None:
            self._used["momentum"] = float(self._known_cycle().momentum(step, *self.momentum))
            self._cycled_momentum.put(self._used["momentum"])

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        logs = {} if logs is None else logs
        self._end_momentum_of_step()
        own = {**self._used, "iterations": _keras.steps_done(self.model.optimizer)}  # JAX syncs for the model
        if self._watch is not None:
            self._watch.check(math.isfinite(logs.get("loss", 0.0)), self._used["lr"])
        for name, value in {**logs, **own}.items():
            self.history.setdefault(name, []).append(value)
        self._tell(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._tell({} if logs is None else logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._watch = None
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """For a copy or a pickle: the settings and the history, without the model."""
        at_rest: dict[str, Any] = {"_origin": None, "_used": {}, "_watch": None, "_cycled_momentum": None}
        return {**vars(self), **vars(keras.callbacks.Callback()), **at_rest}

    def _tell(self, logs: dict[str, float]) -> None:
        """Put what the last step used in the logs, the rate under Keras's name; a metric keeps its own."""
        for name, value in self._used.items():
            logs.setdefault("learning_rate" if name == "lr" else name, value)

    def _begin_momentum(self) -> None:
        if self._cycled_momentum is None or not self._cycled_momentum.serves(self.model):
            self._cycled_momentum = _momentum.cycled_momentum(self.model, type(self).__name__)
        self._cycled_momentum.begin()

    def _end_momentum_of_step(self) -> None:
        if self._cycled_momentum is None:
            return
        self._cycled_momentum.take_out()
        if not self._cycled_momentum.has_been_read:
            self.close()
            raise RuntimeError(
                f"`{type(self).__name__}`: the step that was trained did not read the momentum of the "
                "model's optimizer. Either another optimizer trains the model, or a `tf.function` that was "
                "traced before and is not an attribute of the model. Make that function again, or leave "
                "`momentum` out."
            )

    def _origin_of_fit(self, epoch: int) -> int:
        """The optimizer's step at which the cycles of this `fit` begin."""
        steps_done = _keras.steps_done(self.model.optimizer)
        if self._begins_anew:
            return steps_done - self.cycle.warmup_steps
        if self.start_step is not None:
            return self.start_step
        if not epoch:
            self._reset_at = None
        if self._reset_at is not None:
            return self._reset_at
        steps = self.params.get("steps")
        if epoch and not steps:
            warn(
                f"`{type(self).__name__}`: this `fit` begins at epoch {epoch}, and as the steps of an epoch "
                "are not known, a new cycle begins. Pass `steps_per_epoch` to `fit`, or `start_step=0` to go "
                "on with the cycle that the optimizer is in."
            )
        return steps_done - epoch * (steps or 0)

    def _warn_of_late_beginning(self, origin: int) -> None:
        """Warn if the optimizer is newer than the one in whose steps `reset` set `start_step`."""
        wait = origin - _keras.steps_done(self.model.optimizer)
        if wait > 0 and origin == self._reset_start:
            warn(
                f"`{type(self).__name__}`: `reset` let the cycles begin at step {origin} of the optimizer, "
                f"and this one is newer, so that the first {wait} steps of this `fit` keep the rate "
                f"{self._lr(0):.1e}. Call `reset()` again, or set `start_step=0`, for cycles that begin now."
            )

    def _warn_of_end_in_mid_cycle(self, epoch: int, origin: int) -> None:
        epochs, steps = self.params.get("epochs"), self.params.get("steps")
        if not epochs or not steps or math.isinf(steps):
            return
        cycle = self._known_cycle()
        offset = _keras.steps_done(self.model.optimizer) - origin - epoch * steps
        better = epochs_that_end_a_cycle(
            epochs,
            steps,
            cycle.cycle_steps,
            offset=offset - cycle.warmup_steps,
            cycles=cycle.CYCLES,
            cycle_mult=cycle.cycle_mult,
            falling=cycle.falling,
        )
        if better is not None:
            choices = " or ".join(str(number) for number in better) or "No whole number of"
            last = self._lr(max(0, offset + epochs * steps - 1))
            warn(
                f"`{type(self).__name__}`: epochs={epochs} ends in mid-cycle, at a learning rate of "
                f"{last:.1e}. {choices} epochs would end at the end of a cycle.",
                MidCycleWarning,
            )


class CyclicLR(RateDriver):
    """Cyclical learning rate inside `fit`: the rate goes up and down between two bounds, step by step.

    `cycle = floor(1 + step / (step_size + step_size_down))`
    `since = step - (cycle - 1) * (step_size + step_size_down)`
    `height = min(since / step_size, 1 - (since - step_size) / step_size_down)`
    `lr = base_lr + (max_lr - base_lr) * height * scale * cycle_decay ** (cycle - 1)`

    with `scale` 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", or what `scale_fn` returns. `step` is the optimizer's count of batches (even where it
    accumulates gradients), so that a second `fit`, or a new process that has loaded the optimizer, continues
    in mid-cycle at the right rate; `reset` and `start_step` start a new cycle. End training at the bottom of
    a cycle: train a whole number of cycles. A `MidCycleWarning` names the nearest numbers of epochs that do.

    The rate reaches `History`, `CSVLogger` and `TensorBoard` as "learning_rate", that of the epoch's last
    step, and `TensorBoard(update_freq="batch")` for every step: this callback is called first, wherever it
    stands in the list.

    With `steps_per_execution` above 1, `fit` calls back once per execution, so all steps of an execution have
    the rate of its first; `CyclicalLearningRate` gives each step its own.

    With `cycle_mult` above 1, each cycle is that many times longer than the one before: a cycle begins
    `(step_size + step_size_down) * (cycle_mult ** (cycle - 1) - 1) / (cycle_mult - 1)` steps after the first.
    With `step_size=0` and `anneal="cos"` these are the warm restarts of SGDR, `cycle_mult` its T_mult.

    With `warmup_steps`, the rate first rises in a straight line to the first rate of the cycle: it is
    `first_lr * (step + 1) / (warmup_steps + 1)` where `step < warmup_steps`. Then the cycle begins, and its
    steps count from there.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186; Loshchilov
    and Hutter, 2017, SGDR: Stochastic Gradient Descent with Warm Restarts, arXiv:1608.03983.

    Args:
        base_lr: Float, the lowest rate of a cycle; it may be 0.
        max_lr: Float, the highest rate of a cycle.
        step_size: Number, the steps of the way up; 2 to 10 epochs' worth is usual.
        mode: String, "triangular", "triangular2" or "exp_range"; ignored if `scale_fn` is given.
        gamma: Float above 0 and at most 1, the base of "exp_range".
        scale_fn: Function of one number that returns the scale: of the cycle, from 1, or of the step, from 0.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        step_size_down: Number, the steps of the way down; None takes `step_size`. With `step_size=0` and
            `anneal="cos"`, these are cosine restarts.
        cycle_decay: Float, the factor by which each cycle is lower than the one before, above `base_lr`.
        cycle_mult: Float of at least 1, the factor by which each cycle is longer than the one before.
        anneal: String, "linear" or "cos": the shape of rise and fall.
        warmup_steps: Int, the steps before the first cycle in which the rate rises to the cycle's first.
        momentum: Pair of floats, the lowest and the highest momentum, cycled against the rate: the highest
            at `base_lr`. It is the `momentum` of SGD and RMSprop, the `beta_1` of Adam and its like, which
            keep their own value between steps. None leaves it alone.
        start_step: Int, the optimizer's step at which the first cycle begins; None starts over with each
            `fit`; a `fit` with an `initial_epoch` begins that many epochs in.

    Attributes:
        history: Dict of lists with one item per call of `fit`'s batch hook: "lr", the rate that was used,
            "momentum" if it is cycled, "iterations", the steps done by then, and whatever `logs` holds. A
            metric with one of these names is left out; it is in the `History` of `fit` as always.
        cycle: The frozen value of `schedules` that gives the rates. Its settings are also attributes of the
            callback; setting one makes a new cycle.

    Raises:
        ValueError: If `base_lr` is not below `max_lr`, a step size is not positive, `mode`, `scale_mode` or
            `anneal` is unknown; at the start of `fit`, if the optimizer has no momentum to cycle.
        TypeError: If an argument is of the wrong type.
        RuntimeError: At the start of `fit`, if the optimizer's rate is a schedule, another callback drives it
            too, the optimizer is a `MultiOptimizer`, whose parts can have a `CyclicalLearningRate` each, or
            the momentum is to be cycled in a step that JAX or PyTorch compiles; and after a step that did not
            read a momentum that is cycled.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> clr = CyclicLR(base_lr=0.25, max_lr=0.75, step_size=2)
    >>> clr.preview(5).tolist()
    [0.25, 0.5, 0.75, 0.5, 0.25]
    >>> history = model.fit(np.ones((8, 1)), np.ones(8), batch_size=1, callbacks=[clr], verbose=0)
    >>> clr.history["lr"]
    [0.25, 0.5, 0.75, 0.5, 0.25, 0.5, 0.75, 0.5]
    """

    CYCLE = Cyclic

    def __init__(
        self,
        base_lr: float = 0.001,
        max_lr: float = 0.006,
        step_size: float = 2000.0,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable | None = None,
        scale_mode: str = "cycle",
        *,
        step_size_down: float | None = None,
        cycle_decay: float = 1.0,
        cycle_mult: float = 1.0,
        anneal: str = "linear",
        warmup_steps: int = 0,
        momentum: tuple[float, float] | None = None,
        start_step: int | None = 0,
    ) -> None:
        cycle = Cyclic(
            base_lr,
            max_lr,
            step_size,
            mode,
            gamma,
            scale_fn,
            scale_mode,
            step_size_down=step_size_down,
            cycle_decay=cycle_decay,
            cycle_mult=cycle_mult,
            anneal=anneal,
            warmup_steps=warmup_steps,
            owner=type(self).__name__,
        )
        super().__init__(cycle, momentum, start_step)

    def reset(
        self, base_lr: float | None = None, max_lr: float | None = None, step_size: float | None = None
    ) -> None:
        """Begin a new cycle at the next step, in a new range if one is given; also in the middle of `fit`.

        A new `step_size` is for the way up; a `step_size_down` stays as it is. There is no second warm-up.
        From the next step on, `start_step` is where the new cycle began, minus the warm-up: give it to the
        callback that continues after a restart. Where it is None it stays so, and a `fit` with an
        `initial_epoch` goes on with the new cycle.

        Args:
            base_lr: Float, the new lowest rate; None keeps it.
            max_lr: Float, the new highest rate; None keeps it.
            step_size: Number, the new steps of the way up; None keeps it.

        Raises:
            ValueError: If the arguments do not make a cycle; then nothing is changed.
            TypeError: If an argument is of the wrong type; then nothing is changed.
        """
        given = {"base_lr": base_lr, "max_lr": max_lr, "step_size": step_size}
        self._change(**{name: value for name, value in given.items() if value is not None})
        self._begins_anew = True


class OneCycleLR(RateDriver):
    """One-cycle learning rate inside `fit`: a warm-up to `max_lr`, then all the way down to almost 0.

    `initial_lr = max_lr / div_factor`, `final_lr = initial_lr / final_div_factor`

    The rate goes from `initial_lr` at step 0 to `max_lr` at step `pct_start * total_steps - 1` and on to
    `final_lr` at the last step, and stays there. The values are those of PyTorch's `OneCycleLR`.

    Each `fit` is one cycle over all its steps; a `fit` with an `initial_epoch` begins that many epochs into
    it, so that a training that was stopped continues in mid-cycle. With `start_step` and `total_steps`, one
    cycle spans several `fit`s, by the optimizer's count of batches (even where it accumulates gradients).

    The rate reaches `History`, `CSVLogger` and `TensorBoard` as "learning_rate", that of the epoch's last
    step, and `TensorBoard(update_freq="batch")` for every step: this callback is called first, wherever it
    stands in the list.

    With `steps_per_execution` above 1, `fit` calls back once per execution, so all steps of an execution have
    the rate of its first; `OneCycleLearningRate` gives each step its own.

    With `warmup_steps`, that many of the `total_steps` come first and the cycle takes the rest. In them the
    rate rises in a straight line to `initial_lr`: it is `initial_lr * (step + 1) / (warmup_steps + 1)` where
    `step < warmup_steps`. `final_div_factor=float("inf")` ends at a rate of exactly 0.

    Reference: Smith and Topin, 2018, Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates, arXiv:1708.07120.

    Args:
        max_lr: Float, the highest rate.
        total_steps: Int, the steps of the whole cycle; None takes all steps of the `fit`, epochs times steps
            of an epoch.
        pct_start: Float from 0 to 1, the share of the steps in which the rate rises.
        div_factor: Float, how many times lower than `max_lr` the first rate is.
        final_div_factor: Float, how many times lower than the first rate the last one is; infinite ends at 0.
        anneal: String, "cos" or "linear": the shape of every rise and fall.
        three_phase: Bool, whether the rate first falls to `initial_lr`, in as many steps as it rose, and then
            to `final_lr`.
        flat_start: Float in [0, 1), the share of the steps after the warm-up that are held at the first rate
            before the rise.
        warmup_steps: Int, the steps at the beginning, of `total_steps`, in which the rate rises to the first.
        momentum: Pair of floats, the lowest and the highest momentum, cycled against the rate: the lowest at
            `max_lr`; (0.85, 0.95) is usual. It is the `momentum` of SGD and RMSprop, the `beta_1` of Adam and
            its like, which keep their own value between steps. None leaves it alone.
        start_step: Int, the optimizer's step at which the cycle begins; None begins it with each `fit`.

    Attributes:
        history: Dict of lists with one item per call of `fit`'s batch hook: "lr", the rate that was used,
            "momentum" if it is cycled, "iterations", the steps done by then, and whatever `logs` holds. A
            metric with one of these names is left out; it is in the `History` of `fit` as always.
        cycle: The frozen value of `schedules` that gives the rates. Its settings are also attributes of the
            callback; setting one makes a new cycle.

    Raises:
        ValueError: If the arguments do not make a cycle; at the start of `fit`, if its length is unknown and
            `total_steps` is not given, or the optimizer has no momentum to cycle.
        TypeError: If an argument is of the wrong type.
        RuntimeError: At the start of `fit`, if the optimizer's rate is a schedule, another callback drives it
            too, the optimizer is a `MultiOptimizer`, whose parts can have a `OneCycleLearningRate` each, or
            the momentum is to be cycled in a step that JAX or PyTorch compiles; and after a step that did not
            read a momentum that is cycled.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    >>> one_cycle = OneCycleLR(max_lr=1.0, pct_start=0.6, anneal="linear", momentum=(0.85, 0.95))
    >>> history = model.fit(np.ones((5, 1)), np.ones(5), batch_size=1, callbacks=[one_cycle], verbose=0)
    >>> [round(lr, 3) for lr in one_cycle.history["lr"]]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    >>> [round(momentum, 3) for momentum in one_cycle.history["momentum"]]
    [0.95, 0.9, 0.85, 0.9, 0.95]
    """

    CYCLE = OneCycle

    def __init__(
        self,
        max_lr: float,
        total_steps: int | None = None,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        anneal: str = "cos",
        *,
        three_phase: bool = False,
        flat_start: float = 0.0,
        warmup_steps: int = 0,
        momentum: tuple[float, float] | None = None,
        start_step: int | None = None,
    ) -> None:
        cycle = OneCycle(
            max_lr,
            total_steps,
            pct_start,
            div_factor,
            final_div_factor,
            anneal,
            three_phase=three_phase,
            flat_start=flat_start,
            warmup_steps=warmup_steps,
            owner=type(self).__name__,
        )
        self._steps_of_fit: int | None = None
        super().__init__(cycle, momentum, start_step)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.set_params(self.params or {})
        if self.total_steps is None:
            self._steps_of_fit = _keras.steps_of_fit(self, "total_steps")
        super().on_train_begin(logs)

    def _known_cycle(self, steps: int | None = None) -> OneCycle:
        if self.total_steps is not None:
            return self.cycle
        known = steps if self._steps_of_fit is None else self._steps_of_fit
        if known is None:
            raise ValueError(
                "`OneCycleLR` learns from `fit` how many steps its cycle has. Give it `total_steps` to see "
                "its rates before that."
            )
        return replace(self.cycle, total_steps=known, owner=type(self).__name__)


def _checked_momentum(owner: str, momentum: Any) -> tuple[float, float] | None:
    if momentum is None:
        return None
    if not isinstance(momentum, tuple | list):
        raise wrong_type(owner, "momentum", "None or a pair of numbers, lowest and highest", momentum)
    pair = tuple(SHARE_BELOW_1(owner, "momentum", value) for value in momentum)
    if not (len(pair) == 2 and pair[0] <= pair[1]):
        raise wrong_value(owner, "momentum", "a pair of numbers, lowest and highest", momentum)
    return pair


class ComputedRate(Guest, keras.optimizers.schedules.LearningRateSchedule):
    """The rates of a cycle, computed in the graph from the optimizer's own count of batches."""

    def __init__(self, cycle: Schedule, name: str) -> None:
        super().__init__()
        self.cycle = cycle
        self.name: str = text(type(self).__name__, "name", name)

    def __call__(self, step: Any) -> Any:
        widest = ops.convert_to_tensor(np.zeros((), "float64")).dtype  # JAX has float32, unless told
        with keras.name_scope(self.name):
            return ops.cast(self.cycle(ops.cast(step, widest), xp=ops), "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If `scale_fn` is not registered with Keras: it could not be loaded.
        """
        return {**super().get_config(), "name": self.name}


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class CyclicalLearningRate(ComputedRate):
    """Cyclical learning rate as a schedule: the rate goes up and down between two bounds, step by step.

    `cycle = floor(1 + step / (step_size + step_size_down))`
    `since = step - (cycle - 1) * (step_size + step_size_down)`
    `height = min(since / step_size, 1 - (since - step_size) / step_size_down)`
    `lr = base_lr + (max_lr - base_lr) * height * scale * cycle_decay ** (cycle - 1)`

    with `scale` 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", or what `scale_fn` returns. The same rates as the callback `CyclicLR`, as part of the
    optimizer: each step has its own, even with `steps_per_execution` above 1, and a saved model continues in
    mid-cycle. A schedule sets no momentum; the callback can.

    Before loading such a model, import this class, `from pyimagesearch_lr import CyclicalLearningRate`,
    before or after Keras; `custom_objects` are not needed.

    With `cycle_mult` above 1, each cycle is that many times longer than the one before: a cycle begins
    `(step_size + step_size_down) * (cycle_mult ** (cycle - 1) - 1) / (cycle_mult - 1)` steps after the first.
    With `step_size=0` and `anneal="cos"` these are the warm restarts of SGDR, `cycle_mult` its T_mult.

    With `warmup_steps`, the rate first rises in a straight line to the first rate of the cycle: it is
    `first_lr * (step + 1) / (warmup_steps + 1)` where `step < warmup_steps`. Then the cycle begins, and its
    steps count from there.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186; Loshchilov
    and Hutter, 2017, SGDR: Stochastic Gradient Descent with Warm Restarts, arXiv:1608.03983.

    Args:
        base_lr: Float, the lowest rate of a cycle; it may be 0.
        max_lr: Float, the highest rate of a cycle.
        step_size: Number, the steps of the way up; 2 to 10 epochs' worth is usual. With
            `gradient_accumulation_steps`, each batch is still a step.
        mode: String, "triangular", "triangular2" or "exp_range"; ignored if `scale_fn` is given.
        gamma: Float above 0 and at most 1, the base of "exp_range".
        scale_fn: Function of a tensor of floats that returns the scale, written with operators and
            `keras.ops`: of the cycle, from 1, or of the step, from 0. To be saved, it must be registered with
            Keras.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        step_size_down: Number, the steps of the way down; None takes `step_size`. With `step_size=0` and
            `anneal="cos"`, these are cosine restarts.
        cycle_decay: Float, the factor by which each cycle is lower than the one before, above `base_lr`.
        cycle_mult: Float of at least 1, the factor by which each cycle is longer than the one before.
        anneal: String, "linear" or "cos": the shape of rise and fall.
        warmup_steps: Int, the steps before the first cycle in which the rate rises to the cycle's first.
        name: String, the name of the operation.

    Raises:
        ValueError: If the arguments do not make a cycle.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> schedule = CyclicalLearningRate(base_lr=0.25, max_lr=0.75, step_size=2)
    >>> [float(schedule(step)) for step in range(5)]
    [0.25, 0.5, 0.75, 0.5, 0.25]
    >>> optimizer = keras.optimizers.SGD(schedule)
    """

    CYCLE = Cyclic

    def __init__(
        self,
        base_lr: float,
        max_lr: float,
        step_size: float,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable | None = None,
        scale_mode: str = "cycle",
        name: str = "CyclicalLearningRate",
        *,
        step_size_down: float | None = None,
        cycle_decay: float = 1.0,
        cycle_mult: float = 1.0,
        anneal: str = "linear",
        warmup_steps: int = 0,
    ) -> None:
        cycle = Cyclic(
            base_lr,
            max_lr,
            step_size,
            mode,
            gamma,
            scale_fn,
            scale_mode,
            step_size_down=step_size_down,
            cycle_decay=cycle_decay,
            cycle_mult=cycle_mult,
            anneal=anneal,
            warmup_steps=warmup_steps,
            owner=type(self).__name__,
        )
        super().__init__(cycle, name)


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class OneCycleLearningRate(ComputedRate):
    """One-cycle learning rate as a schedule: a warm-up to `max_lr`, then all the way down to almost 0.

    `initial_lr = max_lr / div_factor`, `final_lr = initial_lr / final_div_factor`

    The rate goes from `initial_lr` at step 0 to `max_lr` at step `pct_start * total_steps - 1` and on to
    `final_lr` at the last step, and stays there. The same rates as the callback `OneCycleLR` and as PyTorch's
    `OneCycleLR`, as part of the optimizer: each step has its own, even with `steps_per_execution` above 1,
    and a saved model continues in mid-cycle. A schedule sets no momentum; the callback can.

    Before loading such a model, import this class, `from pyimagesearch_lr import OneCycleLearningRate`,
    before or after Keras; `custom_objects` are not needed.

    With `warmup_steps`, that many of the `total_steps` come first and the cycle takes the rest. In them the
    rate rises in a straight line to `initial_lr`: it is `initial_lr * (step + 1) / (warmup_steps + 1)` where
    `step < warmup_steps`. `final_div_factor=float("inf")` ends at a rate of exactly 0.

    Reference: Smith and Topin, 2018, Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates, arXiv:1708.07120.

    Args:
        max_lr: Float, the highest rate.
        total_steps: Int, the steps of the whole training: epochs times steps of an epoch. With
            `gradient_accumulation_steps`, each batch is still a step.
        pct_start: Float from 0 to 1, the share of the steps in which the rate rises.
        div_factor: Float, how many times lower than `max_lr` the first rate is.
        final_div_factor: Float, how many times lower than the first rate the last one is; infinite ends at 0.
        anneal: String, "cos" or "linear": the shape of every rise and fall.
        three_phase: Bool, whether the rate first falls to `initial_lr`, in as many steps as it rose, and then
            to `final_lr`.
        flat_start: Float in [0, 1), the share of the steps after the warm-up that are held at the first rate
            before the rise.
        warmup_steps: Int, the steps at the beginning, of `total_steps`, in which the rate rises to the first.
        name: String, the name of the operation.

    Raises:
        ValueError: If the arguments do not make a cycle.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> schedule = OneCycleLearningRate(max_lr=1.0, total_steps=5, pct_start=0.6, anneal="linear")
    >>> [round(float(schedule(step)), 3) for step in range(5)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    >>> optimizer = keras.optimizers.Adam(schedule)
    """

    CYCLE = OneCycle

    def __init__(
        self,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        anneal: str = "cos",
        *,
        three_phase: bool = False,
        flat_start: float = 0.0,
        warmup_steps: int = 0,
        name: str = "OneCycleLearningRate",
    ) -> None:
        owner = type(self).__name__
        cycle = OneCycle(
            max_lr,
            COUNT_OR_0(owner, "total_steps", total_steps),
            pct_start,
            div_factor,
            final_div_factor,
            anneal,
            three_phase=three_phase,
            flat_start=flat_start,
            warmup_steps=warmup_steps,
            owner=owner,
        )
        super().__init__(cycle, name)
