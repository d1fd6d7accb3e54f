"""The guests of a cycle in Keras: callbacks that set the rate, schedules that the optimizer computes.

`CyclicLR` and `CyclicalLearningRate` are a `CyclicPolicy`, `OneCycleLR` and `OneCycleLearningRate` a
`OneCyclePolicy`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from pyimagesearch_lr import _keras, _momentum, schedules
from pyimagesearch_lr.schedules import MidCycleWarning, epochs_that_end_a_cycle


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


class _RateDriver(Policy, keras.callbacks.Callback):
    """Sets a policy's rate, and its momentum, before every batch, by the optimizer's own count of them."""

    drives_learning_rate = True
    momentum: tuple[float, float] | None
    start_step: int | None

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self._keep(settings)
        self.momentum = _checked_momentum(type(self).__name__, settings["momentum"])
        self.start_step = settings["start_step"]
        self.history: dict[str, list] = {}
        self._stack = ExitStack()
        self._cycled_momentum: _momentum.CycledMomentum | None = None
        self._origin: int | None = None
        self._begins_anew = False
        self._used: dict[str, float] = {}

    def momentum_at(self, step: int) -> float | None:
        """The momentum of the given step, counted as in `lr_at`; None if it is not cycled."""
        return None if self.momentum is None else float(self._momenta(step, *self.momentum))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If there is a `scale_fn` that is not registered with Keras: it could not be loaded.
        """
        return {**super().get_config(), "momentum": self.momentum, "start_step": self.start_step}

    def close(self) -> None:
        """Give the optimizer its own momentum back; `fit` does this by itself. Harmless when done twice."""
        self._stack.close()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.close()
        _keras.check_can_drive(self)
        _keras.call_first(self)
        self._origin = None
        if self.momentum is not None:
            self._take_momentum()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._origin is None:
            with _keras.closed_on_error(self.close):
                self._origin = self._origin_of_fit(epoch)
                self._warn_of_end_in_mid_cycle(epoch)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        with _keras.closed_on_error(self.close):
            self._drive(_keras.steps_done(self.model.optimizer))

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        logs = {} if logs is None else logs
        steps_done = _keras.steps_done(self.model.optimizer)
        for name, value in {**self._used, "iterations": steps_done, **logs}.items():
            self.history.setdefault(name, []).append(value)
        self._tell(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._tell({} if logs is None else logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.close()

    def _momenta(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        raise NotImplementedError

    def _drive(self, steps_done: int) -> None:
        if self._origin is None or self._begins_anew:
            self._origin = steps_done
        if self._begins_anew:
            self._begins_anew, self.start_step = False, steps_done
        step = max(0, steps_done - self._origin)
        self._used = {"lr": self.lr_at(step)}
        _keras.set_learning_rate(self.model.optimizer, self._used["lr"])
        momentum = self.momentum_at(step)
        if momentum is not None and self._cycled_momentum is not None:
            self._used["momentum"] = momentum
            self._cycled_momentum.assign(momentum)

    def _tell(self, logs: dict[str, float]) -> None:
        """Put what the last step used in the logs, under Keras's own name for the rate."""
        for name, value in self._used.items():
            logs["learning_rate" if name == "lr" else name] = value

    def _take_momentum(self) -> None:
        if self._cycled_momentum is None or not self._cycled_momentum.serves(self.model):
            try:
                self._cycled_momentum = _momentum.CycledMomentum(self.model)
            except ValueError as error:
                raise ValueError(f"`{type(self).__name__}`: {error}") from error
        train_function = self._stack.enter_context(self._cycled_momentum.installed())
        self.model.train_function = self._guarded(train_function)

    def _guarded(self, train_function: Callable) -> Callable:
        """The train function, which gives the momentum back if it raises."""

        def guarded_train_function(iterator: Any) -> Any:
            with _keras.closed_on_error(self.close):
                return train_function(iterator)

        return guarded_train_function

    def _origin_of_fit(self, epoch: int) -> int:
        """The optimizer's step at which the cycles of this `fit` begin."""
        if self.start_step is not None and not self._begins_anew:
            return self.start_step
        steps_done = _keras.steps_done(self.model.optimizer)
        return steps_done - (0 if self._begins_anew else epoch * (self.params.get("steps") or 0))

    def _warn_of_end_in_mid_cycle(self, epoch: int) -> None:
        epochs, steps = self.params.get("epochs"), self.params.get("steps")
        if not epochs or not steps or self._origin is None or math.isinf(steps):
            return
        offset = _keras.steps_done(self.model.optimizer) - self._origin - epoch * steps
        better = epochs_that_end_a_cycle(epochs, steps, self.cycle_steps, offset=offset, cycles=self.CYCLES)
        if better is not None:
            choices = " or ".join(str(number) for number in better) or "No whole number of"
            last = self.lr_at(max(0, offset + epochs * steps - 1))
            warnings.warn(
                f"`{type(self).__name__}`: epochs={epochs} ends in mid-cycle, at a learning rate of "
                f"{last:.1e}. {choices} epochs would end at the end of a cycle.",
                MidCycleWarning,
                stacklevel=2,
            )


class CyclicLR(CyclicPolicy, _RateDriver):
    """Cyclical learning rate inside `fit`: the rate goes up and down between two bounds, step by step.

    `cycle = floor(1 + step / (step_size + step_size_down))`
    `since = step - (cycle - 1) * (step_size + step_size_down)`
    `height = min(since / step_size, 1 - (since - step_size) / step_size_down)`
    `lr = base_lr + (max_lr - base_lr) * height * scale * cycle_decay ** (cycle - 1)`

    with `scale` 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", or what `scale_fn` returns. `step` is the optimizer's count of batches (also where it
    accumulates gradients), so that a second `fit`, or a new process that has loaded the optimizer, goes on in
    mid-cycle at the right rate; `reset` and `start_step` begin anew. End training at the bottom of a cycle:
    train a whole number of cycles. A `MidCycleWarning` names the nearest numbers of epochs that do.

    The rate reaches `History`, `CSVLogger` and `TensorBoard` as "learning_rate", that of the epoch's last
    step, and `TensorBoard(update_freq="batch")` for every step: this callback is called first, wherever it
    stands in the list.

    With `steps_per_execution` above 1, `fit` calls back once an execution, and so all steps of an execution
    have the rate of its first; `CyclicalLearningRate` gives each step its own.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        base_lr: Float, the lowest rate of a cycle.
        max_lr: Float, the highest rate of a cycle.
        step_size: Number, the steps of the way up; 2 to 10 epochs' worth is usual.
        mode: String, "triangular", "triangular2" or "exp_range"; not used where `scale_fn` is given.
        gamma: Float, the base of "exp_range".
        scale_fn: Function of one number that returns the scale: of the cycle, from 1, or of the step, from 0.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        step_size_down: Number, the steps of the way down; None takes `step_size`. With `step_size=0` and
            `anneal="cos"`, these are cosine restarts.
        cycle_decay: Float, the factor by which each cycle is lower than the one before, above `base_lr`.
        anneal: String, "linear" or "cos": the form of both ways.
        momentum: Pair of floats, the lowest and the highest momentum, cycled against the rate: the highest
            at `base_lr`. It is the `momentum` of SGD and RMSprop, the `beta_1` of Adam and its like, which
            have their own again after `fit` (should another callback raise, call `close`). None leaves it.
        start_step: Int, the optimizer's step at which the first cycle begins; None begins anew with each
            `fit`, a `fit` with an `initial_epoch` being that many epochs in.

    Attributes:
        history: Dict of lists with an item a call of `fit`'s batch hook: "lr", the rate that was used,
            "momentum" if it is cycled, "iterations", the steps done by then, and whatever `logs` holds.

    Raises:
        ValueError: If `base_lr` is not below `max_lr`, a step size is not positive, `mode`, `scale_mode` or
            `anneal` is unknown; at the start of `fit`, if the optimizer has no momentum to cycle.
        RuntimeError: At the start of `fit`, if the optimizer's rate is a schedule, another callback drives it
            too, or the optimizer is a `MultiOptimizer`, whose parts can have a `CyclicalLearningRate` each.

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
        anneal: str = "linear",
        momentum: tuple[float, float] | None = None,
        start_step: int | None = 0,
    ) -> None:
        super().__init__(locals())

    def reset(
        self, base_lr: float | None = None, max_lr: float | None = None, step_size: float | None = None
    ) -> None:
        """Begin a new cycle at the next step, in a new range where one is given; also in the midst of `fit`.

        A new `step_size` is for the way up; a `step_size_down` stays as it is. From the next step on,
        `start_step` is where the new cycle began: give it to the callback that goes on after a restart.

        Args:
            base_lr: Float, the new lowest rate; None keeps it.
            max_lr: Float, the new highest rate; None keeps it.
            step_size: Number, the new steps of the way up; None keeps it.

        Raises:
            ValueError: If the arguments make no cycle; nothing is changed then.
        """
        new = {"base_lr": base_lr, "max_lr": max_lr, "step_size": step_size}
        settings = {name: getattr(self, name) for name in self.SETTINGS}
        self._keep({**settings, **{name: value for name, value in new.items() if value is not None}})
        self._begins_anew = True


class OneCycleLR(OneCyclePolicy, _RateDriver):
    """One-cycle learning rate inside `fit`: a warm-up to `max_lr`, then all the way down to nearly nothing.

    `initial_lr = max_lr / div_factor`, `final_lr = initial_lr / final_div_factor`

    The rate goes from `initial_lr` at step 0 to `max_lr` at step `pct_start * total_steps - 1` and on to
    `final_lr` at the last step, and stays there. The values are those of PyTorch's `OneCycleLR`.

    Each `fit` is a cycle, which takes all its steps; one with an `initial_epoch` is that many epochs in, so
    that training that was stopped goes on in mid-cycle. With a `start_step` and `total_steps`, one cycle goes
    on through several `fit`s, by the optimizer's count of batches (also where it accumulates gradients).

    The rate reaches `History`, `CSVLogger` and `TensorBoard` as "learning_rate", that of the epoch's last
    step, and `TensorBoard(update_freq="batch")` for every step: this callback is called first, wherever it
    stands in the list.

    With `steps_per_execution` above 1, `fit` calls back once an execution, and so all steps of an execution
    have the rate of its first; `OneCycleLearningRate` gives each step its own.

    Reference: Smith and Topin, 2018, Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates, arXiv:1708.07120.

    Args:
        max_lr: Float, the highest rate.
        total_steps: Int, the steps of the whole cycle; None takes all steps of the `fit`, epochs times steps
            of an epoch.
        pct_start: Float from 0 to 1, the share of the steps in which the rate rises.
        div_factor: Float, how many times lower than `max_lr` the first rate is.
        final_div_factor: Float, how many times lower than the first rate the last one is.
        anneal: String, "cos" or "linear": the form of all ways.
        three_phase: Bool, whether the rate first falls to `initial_lr`, in as many steps as it rose, and then
            to `final_lr`.
        flat_start: Float from 0 to below 1, the share of the steps at the first rate before the rise.
        momentum: Pair of floats, the lowest and the highest momentum, cycled against the rate: the lowest at
            `max_lr`; (0.85, 0.95) is usual. It is the `momentum` of SGD and RMSprop, the `beta_1` of Adam and
            its like, which have their own again after `fit` (should another callback raise, call `close`).
            None leaves it.
        start_step: Int, the optimizer's step at which the cycle begins; None begins it with each `fit`.

    Attributes:
        history: Dict of lists with an item a call of `fit`'s batch hook: "lr", the rate that was used,
            "momentum" if it is cycled, "iterations", the steps done by then, and whatever `logs` holds.

    Raises:
        ValueError: If the arguments make no cycle; at the start of `fit`, if its length is unknown and
            `total_steps` is not given, or the optimizer has no momentum to cycle.
        RuntimeError: At the start of `fit`, if the optimizer's rate is a schedule, another callback drives it
            too, or the optimizer is a `MultiOptimizer`, whose parts can have a `OneCycleLearningRate` each.

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
        momentum: tuple[float, float] | None = None,
        start_step: int | None = None,
    ) -> None:
        self._steps_of_fit: int | None = None
        super().__init__(locals())

    @property
    def cycle_steps(self) -> float:
        """The steps of the cycle: `total_steps`, or those of the `fit` that it was last given to."""
        steps = self._steps_of_fit if self.total_steps is None else self.total_steps
        if steps is None:
            raise ValueError(
                "`OneCycleLR` learns from `fit` how many steps its cycle has. Give it `total_steps` to see "
                "its rates before."
            )
        return steps

    def preview(self, steps: int) -> Any:
        if self.total_steps is not None or self._steps_of_fit is not None:
            return super().preview(steps)
        return OneCycleLR.from_config({**self.get_config(), "total_steps": steps}).preview(steps)

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.total_steps is None:
            self._steps_of_fit = _keras.steps_of_fit(self, "total_steps")
        super().on_train_begin(logs)


def _checked_momentum(owner: str, momentum: Any) -> tuple[float, float] | None:
    if momentum is None:
        return None
    pair = tuple(momentum) if isinstance(momentum, (tuple, list)) else ()
    if not (len(pair) == 2 and 0 <= pair[0] <= pair[1] < 1):
        raise ValueError(
            f"`{owner}`: `momentum` must be a pair of floats, the lowest and the highest, from 0 to below 1. "
            f"Received: momentum={momentum!r}."
        )
    return pair


class _ComputedRate(Policy, keras.optimizers.schedules.LearningRateSchedule):
    """A policy's rates as a graph of the optimizer's own count of batches."""

    name: str

    def __call__(self, step: Any) -> Any:
        with keras.name_scope(self.name):
            return ops.cast(self._rates(ops.cast(step, "float64"), xp=ops), "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If there is a `scale_fn` that is not registered with Keras: it could not be loaded.
        """
        return {**super().get_config(), "name": self.name}


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class CyclicalLearningRate(CyclicPolicy, _ComputedRate):
    """Cyclical learning rate as a schedule: the rate goes up and down between two bounds, step by step.

    `cycle = floor(1 + step / (step_size + step_size_down))`
    `since = step - (cycle - 1) * (step_size + step_size_down)`
    `height = min(since / step_size, 1 - (since - step_size) / step_size_down)`
    `lr = base_lr + (max_lr - base_lr) * height * scale * cycle_decay ** (cycle - 1)`

    with `scale` 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", or what `scale_fn` returns. The same rates as the callback `CyclicLR`, as part of the
    optimizer: each step has its own also with `steps_per_execution` above 1, and a saved model goes on in
    mid-cycle. Loading such a model needs no `custom_objects`, only an earlier
    `from pyimagesearch_lr import CyclicalLearningRate`. A schedule sets no momentum; the callback can.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        base_lr: Float, the lowest rate of a cycle.
        max_lr: Float, the highest rate of a cycle.
        step_size: Number, the steps of the way up; 2 to 10 epochs' worth is usual. With
            `gradient_accumulation_steps`, too, each batch is a step.
        mode: String, "triangular", "triangular2" or "exp_range"; not used where `scale_fn` is given.
        gamma: Float, the base of "exp_range".
        scale_fn: Function of a float64 tensor that returns the scale, made of operators and `keras.ops`: of
            the cycle, from 1, or of the step, from 0. To be saved, it must be registered with Keras.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        step_size_down: Number, the steps of the way down; None takes `step_size`. With `step_size=0` and
            `anneal="cos"`, these are cosine restarts.
        cycle_decay: Float, the factor by which each cycle is lower than the one before, above `base_lr`.
        anneal: String, "linear" or "cos": the form of both ways.
        name: String, the name of the operation.

    Raises:
        ValueError: If the arguments make no cycle.

    Example:

    >>> schedule = CyclicalLearningRate(base_lr=0.25, max_lr=0.75, step_size=2)
    >>> [float(schedule(step)) for step in range(5)]
    [0.25, 0.5, 0.75, 0.5, 0.25]
    >>> optimizer = keras.optimizers.SGD(schedule)
    """

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
        anneal: str = "linear",
    ) -> None:
        settings = locals()
        super().__init__()
        self._keep(settings)
        self.name = name


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class OneCycleLearningRate(OneCyclePolicy, _ComputedRate):
    """One-cycle learning rate as a schedule: a warm-up to `max_lr`, then all the way down to nearly nothing.

    `initial_lr = max_lr / div_factor`, `final_lr = initial_lr / final_div_factor`

    The rate goes from `initial_lr` at step 0 to `max_lr` at step `pct_start * total_steps - 1` and on to
    `final_lr` at the last step, and stays there. The same rates as the callback `OneCycleLR` and as PyTorch's
    `OneCycleLR`, as part of the optimizer: each step has its own also with `steps_per_execution` above 1, and
    a saved model goes on in mid-cycle. Loading such a model needs no `custom_objects`, only an earlier
    `from pyimagesearch_lr import OneCycleLearningRate`. A schedule sets no momentum; the callback can.

    Reference: Smith and Topin, 2018, Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates, arXiv:1708.07120.

    Args:
        max_lr: Float, the highest rate.
        total_steps: Int, the steps of the whole training: epochs times steps of an epoch. With
            `gradient_accumulation_steps`, too, each batch is a step.
        pct_start: Float from 0 to 1, the share of the steps in which the rate rises.
        div_factor: Float, how many times lower than `max_lr` the first rate is.
        final_div_factor: Float, how many times lower than the first rate the last one is.
        anneal: String, "cos" or "linear": the form of all ways.
        three_phase: Bool, whether the rate first falls to `initial_lr`, in as many steps as it rose, and then
            to `final_lr`.
        flat_start: Float from 0 to below 1, the share of the steps at the first rate before the rise.
        name: String, the name of the operation.

    Raises:
        ValueError: If the arguments make no cycle.

    Example:

    >>> schedule = OneCycleLearningRate(max_lr=1.0, total_steps=5, pct_start=0.6, anneal="linear")
    >>> [round(float(schedule(step)), 3) for step in range(5)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    >>> optimizer = keras.optimizers.Adam(schedule)
    """

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
        name: str = "OneCycleLearningRate",
    ) -> None:
        settings = locals()
        super().__init__()
        self._keep(settings)
        self.name = name
