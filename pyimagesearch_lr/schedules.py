"""Learning rate as a pure function of the step; NumPy only, TensorFlow is never imported here.

A step is one batch update and counts from 0. Every function takes a scalar or an array of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CYCLIC_MODES = ("triangular", "triangular2", "exp_range")
SCALE_MODES = ("cycle", "iterations")


def exponential(step: Any, start_lr: float, end_lr: float, num_steps: int) -> Any:
    """Ramp that multiplies the learning rate by the same factor at every step.

    `lr = start_lr * (end_lr / start_lr) ** (step / (num_steps - 1))`

    Args:
        step: Int or array, the step, from 0 to `num_steps - 1`.
        start_lr: Float, the rate of step 0.
        end_lr: Float, the rate of step `num_steps - 1`.
        num_steps: Int, the number of steps of the ramp, at least 2.

    Returns:
        The learning rate, of the shape of `step`.

    Example:

    >>> [float(round(exponential(step, 1e-3, 1e-1, 3), 9)) for step in range(3)]
    [0.001, 0.01, 0.1]
    """
    return start_lr * (end_lr / start_lr) ** (step / (num_steps - 1))


def linear(step: Any, start_lr: float, end_lr: float, num_steps: int) -> Any:
    """Ramp that adds the same amount to the learning rate at every step.

    `lr = start_lr + (end_lr - start_lr) * step / (num_steps - 1)`

    Args and Returns: as `exponential`.

    Example:

    >>> [linear(step, 0.0, 1.0, 5) for step in range(5)]
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return start_lr + (end_lr - start_lr) * step / (num_steps - 1)


RAMPS: dict[str, Callable] = {"exponential": exponential, "linear": linear}


def ramp_rates(start_lr: float, end_lr: float, num_steps: int, ramp: str = "exponential") -> np.ndarray:
    """All rates of a ramp, checked.

    Args:
        start_lr: Float, the first rate, above 0.
        end_lr: Float, the last rate, above `start_lr`.
        num_steps: Int, the number of rates, at least 2.
        ramp: String, "exponential" or "linear".

    Returns:
        float64 array of shape `(num_steps,)`; its first and last values are `start_lr` and `end_lr`.

    Raises:
        ValueError: For rates that are not finite, not positive or not increasing, for fewer than two
            steps, and for an unknown ramp.

    Example:

    >>> ramp_rates(1e-4, 1e-2, 3).tolist()
    [0.0001, 0.001, 0.01]
    """
    for name, value in (("start_lr", start_lr), ("end_lr", end_lr)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"`{name}` must be a finite number above 0. Received: {name}={value}.")
    if not start_lr < end_lr:
        raise ValueError(
            f"`end_lr` must be greater than `start_lr`. Received: start_lr={start_lr}, end_lr={end_lr}. "
            "Swap them, or lower `start_lr`."
        )
    if num_steps != int(num_steps) or num_steps < 2:
        raise ValueError(
            f"A sweep needs at least 2 steps. Received: {num_steps}. Raise `epochs`, `steps_per_epoch` or "
            "`sample_size`, or give more data."
        )
    if ramp not in RAMPS:
        raise ValueError(f"`ramp` must be one of {tuple(RAMPS)}. Received: ramp={ramp!r}.")
    rates = RAMPS[ramp](
        np.arange(int(num_steps), dtype=np.float64), float(start_lr), float(end_lr), int(num_steps)
    )
    rates[-1] = end_lr
    return rates


def cyclic(
    step: Any,
    base_lr: float,
    max_lr: float,
    step_size: float,
    mode: str = "triangular",
    gamma: float = 1.0,
    scale_fn: Callable | None = None,
    scale_mode: str = "cycle",
    xp: Any = np,
) -> Any:
    """Cyclical learning rate: up from `base_lr` to `max_lr` in `step_size` steps and down again.

    `cycle = floor(1 + step / (2 * step_size))`
    `height = 1 - abs(step / step_size - 2 * cycle + 1)`
    `lr = base_lr + (max_lr - base_lr) * height * scale`

    where `scale` is 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", and `scale_fn(cycle)` or `scale_fn(step)` where a `scale_fn` is given.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        step: Int or array, the step, from 0.
        base_lr: Float, the lowest rate.
        max_lr: Float, the highest rate.
        step_size: Number of steps of half a cycle.
        mode: String, one of `CYCLIC_MODES`; not used where `scale_fn` is given.
        gamma: Float, the base of "exp_range".
        scale_fn: Function of the cycle (from 1) or of the step (from 0); it is given the shape of `step`.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        xp: The module that computes: `numpy`, or `keras.ops` for a `step` that is a float64 tensor.

    Returns:
        The learning rate, of the shape of `step`.

    Raises:
        ValueError: For an unknown `mode` or `scale_mode`.

    Example:

    >>> [float(round(cyclic(step, 1.0, 5.0, step_size=2), 6)) for step in range(9)]
    [1.0, 3.0, 5.0, 3.0, 1.0, 3.0, 5.0, 3.0, 1.0]
    >>> [float(round(cyclic(step, 1.0, 5.0, step_size=2, mode="triangular2"), 6)) for step in range(9)]
    [1.0, 3.0, 5.0, 3.0, 1.0, 2.0, 3.0, 2.0, 1.0]
    """
    if scale_mode not in SCALE_MODES:
        raise ValueError(f"`scale_mode` must be one of {SCALE_MODES}. Received: scale_mode={scale_mode!r}.")
    step = np.asarray(step, dtype=np.float64) if xp is np else step
    cycle = xp.floor(1 + step / (2 * step_size))
    height = 1 - xp.abs(step / step_size - 2 * cycle + 1)
    if scale_fn is not None:
        scale = scale_fn(cycle if scale_mode == "cycle" else step)
    elif mode == "triangular":
        scale = 1.0
    elif mode == "triangular2":
        scale = 0.5 ** (cycle - 1)
    elif mode == "exp_range":
        scale = gamma**step
    else:
        raise ValueError(f"`mode` must be one of {CYCLIC_MODES}. Received: mode={mode!r}.")
    return base_lr + (max_lr - base_lr) * height * scale


def check_cyclic(
    owner: str, base_lr: float, max_lr: float, step_size: float, mode: str, scale_mode: str
) -> None:
    """Raise a ValueError that names `owner`, the argument and the fix, if the arguments make no cycle."""
    if not 0 <= base_lr < max_lr:
        raise ValueError(
            f"`{owner}`: `base_lr` must be at least 0 and less than `max_lr`. "
            f"Received: base_lr={base_lr}, max_lr={max_lr}."
        )
    if not step_size > 0:
        raise ValueError(f"`{owner}`: `step_size` must be above 0. Received: step_size={step_size}.")
    if mode not in CYCLIC_MODES:
        raise ValueError(f"`{owner}`: `mode` must be one of {CYCLIC_MODES}. Received: mode={mode!r}.")
    if scale_mode not in SCALE_MODES:
        raise ValueError(
            f"`{owner}`: `scale_mode` must be one of {SCALE_MODES}. Received: scale_mode={scale_mode!r}."
        )
