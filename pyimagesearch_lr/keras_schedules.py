"""Learning-rate schedules that an optimizer computes with inside the compiled step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from pyimagesearch_lr.policies import CyclicPolicy, OneCyclePolicy, Policy


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
