"""Learning-rate schedules that an optimizer computes with inside the compiled step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from pyimagesearch_lr import schedules


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class CyclicalLearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Cyclical learning rate as a schedule: the rate goes up and down between two bounds, step by step.

    `cycle = floor(1 + step / (2 * step_size))`
    `height = 1 - abs(step / step_size - 2 * cycle + 1)`
    `lr = base_lr + (max_lr - base_lr) * height * scale`

    with `scale` 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", or what `scale_fn` returns. The same rates as the callback `CyclicLR`, as part of the
    optimizer: each step has its own also with `steps_per_execution` above 1, and a saved model goes on in
    mid-cycle. Loading such a model needs `import pyimagesearch_lr` and no `custom_objects`.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        base_lr: Float, the lowest rate of a cycle.
        max_lr: Float, the highest rate of a cycle.
        step_size: Number, the steps of half a cycle; 2 to 10 epochs' worth is usual.
        mode: String, "triangular", "triangular2" or "exp_range"; not used where `scale_fn` is given.
        gamma: Float, the base of "exp_range".
        scale_fn: Function of a float64 tensor that returns the scale, made of operators and `keras.ops`: of
            the cycle, from 1, or of the step, from 0. A schedule that has one cannot be saved.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
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
    ):
        super().__init__()
        schedules.check_cyclic(name, base_lr, max_lr, step_size, mode, scale_mode)
        self.base_lr = base_lr
        self.max_lr = max_lr
        self.step_size = step_size
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode
        self.name = name

    def __call__(self, step):
        cycle = (self.step_size, self.mode, self.gamma, self.scale_fn, self.scale_mode)
        with keras.name_scope(self.name):
            step = ops.cast(step, "float64")
            return ops.cast(schedules.cyclic(step, self.base_lr, self.max_lr, *cycle, xp=ops), "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving.

        Raises:
            ValueError: If there is a `scale_fn`: a function cannot be saved.
        """
        if self.scale_fn is not None:
            raise ValueError(
                f"`{self.name}`: a schedule with a `scale_fn` cannot be saved. Use a `mode`, or save the "
                "model's weights and make the schedule anew."
            )
        names = ("base_lr", "max_lr", "step_size", "mode", "gamma", "scale_mode", "name")
        return {name: getattr(self, name) for name in names}
