"""Learning rate as a pure function of the step; NumPy only, TensorFlow is never imported here.

A step is one batch update and counts from 0. Every function takes a scalar or an array of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import one_of, rate

CYCLIC_MODES = ("triangular", "triangular2", "exp_range")
SCALE_MODES = ("cycle", "iterations")
ANNEALS = ("linear", "cos")
SEARCHED_CYCLES = 1000


class MidCycleWarning(UserWarning):
    """Training will end in the middle of a cycle, where the rate is high and accuracy is lost."""


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
        TypeError: For an argument of the wrong type.

    Example:

    >>> ramp_rates(1e-4, 1e-2, 3).tolist()
    [0.0001, 0.001, 0.01]
    """
    one_of(tuple(RAMPS))("", "ramp", ramp)
    start_lr, end_lr = (
        rate(zero=False)("", name, value) for name, value in (("start_lr", start_lr), ("end_lr", end_lr))
    )
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
    *,
    step_size_down: float | None = None,
    cycle_decay: float = 1.0,
    anneal: str = "linear",
    xp: Any = np,
) -> Any:
    """Cyclical learning rate: up from `base_lr` to `max_lr` in `step_size` steps and down again.

    `cycle = floor(1 + step / (step_size + step_size_down))`
    `since = step - (cycle - 1) * (step_size + step_size_down)`
    `height = min(since / step_size, 1 - (since - step_size) / step_size_down)`
    `lr = base_lr + (max_lr - base_lr) * height * scale * cycle_decay ** (cycle - 1)`

    where `scale` is 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", and `scale_fn(cycle)` or `scale_fn(step)` where a `scale_fn` is given; `anneal="cos"` bends
    both sides of the triangle into half waves, `(1 - cos(pi * height)) / 2`.

    The values are those of Smith's policy, of the Keras callback that made it known (bckenstler/CLR) and of
    PyTorch's `CyclicLR`. The step that "exp_range" and `scale_mode="iterations"` see counts from the start of
    training, in PyTorch too, whose documentation says "since start of cycle".

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        step: Int or array, the step, from 0.
        base_lr: Float, the lowest rate.
        max_lr: Float, the highest rate.
        step_size: Number of steps of the way up.
        mode: String, one of `CYCLIC_MODES`; not used where `scale_fn` is given.
        gamma: Float, the base of "exp_range".
        scale_fn: Function of the cycle (from 1) or of the step (from 0); it is given the shape of `step`.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        step_size_down: Number of steps of the way down; None takes `step_size`.
        cycle_decay: Float, the factor by which each cycle is lower than the one before, above `base_lr`.
        anneal: String, "linear" or "cos": the form of both ways.
        xp: The module that computes: `numpy`, or `keras.ops` for a `step` that is a float64 tensor.

    Returns:
        The learning rate, of the shape of `step`.

    Raises:
        ValueError: For an unknown `mode`, `scale_mode` or `anneal`.

    Example:

    >>> [float(round(cyclic(step, 1.0, 5.0, step_size=2), 6)) for step in range(9)]
    [1.0, 3.0, 5.0, 3.0, 1.0, 3.0, 5.0, 3.0, 1.0]
    >>> [float(round(cyclic(step, 1.0, 5.0, step_size=2, mode="triangular2"), 6)) for step in range(9)]
    [1.0, 3.0, 5.0, 3.0, 1.0, 2.0, 3.0, 2.0, 1.0]
    >>> [float(cyclic(step, 1.0, 5.0, step_size=1, step_size_down=4)) for step in range(6)]
    [1.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    """
    _check_choice("scale_mode", scale_mode, SCALE_MODES)
    _check_choice("anneal", anneal, ANNEALS)
    step = np.asarray(step, dtype=np.float64) if xp is np else step
    down = step_size if step_size_down is None else step_size_down
    cycle = xp.floor(1 + step / (step_size + down))
    since = step - (cycle - 1) * (step_size + down)
    height = (step_size + down - since) / down
    if step_size > 0:
        height = xp.minimum(since / step_size, height)
    if anneal == "cos":
        height = (1 - xp.cos(np.pi * height)) / 2
    if scale_fn is not None:
        scale = scale_fn(cycle if scale_mode == "cycle" else step)
    elif mode == "exp_range":
        scale = gamma**step
    else:
        _check_choice("mode", mode, CYCLIC_MODES)
        scale = 0.5 ** (cycle - 1) if mode == "triangular2" else 1.0
    if cycle_decay != 1:
        scale = scale * cycle_decay ** (cycle - 1)
    return base_lr + (max_lr - base_lr) * height * scale


def check_cyclic(
    owner: str,
    base_lr: float,
    max_lr: float,
    step_size: float,
    mode: str,
    scale_mode: str,
    *,
    step_size_down: float | None = None,
    cycle_decay: float = 1.0,
    anneal: str = "linear",
) -> None:
    """Raise a ValueError that names `owner`, the argument and the fix, if the arguments make no cycle."""
    if not 0 <= base_lr < max_lr:
        raise ValueError(
            f"`{owner}`: `base_lr` must be at least 0 and less than `max_lr`. "
            f"Received: base_lr={base_lr}, max_lr={max_lr}."
        )
    if not (step_size > 0 or (step_size == 0 and step_size_down is not None)):
        raise ValueError(f"`{owner}`: `step_size` must be above 0. Received: step_size={step_size}.")
    if step_size_down is not None and not step_size_down > 0:
        raise ValueError(
            f"`{owner}`: `step_size_down` must be above 0, or None to go down as it went up. "
            f"Received: step_size_down={step_size_down}."
        )
    if not 0 < cycle_decay <= 1:
        raise ValueError(
            f"`{owner}`: `cycle_decay` must be above 0 and at most 1. Received: cycle_decay={cycle_decay}."
        )
    _check_choice("mode", mode, CYCLIC_MODES, owner)
    _check_choice("scale_mode", scale_mode, SCALE_MODES, owner)
    _check_choice("anneal", anneal, ANNEALS, owner)


def one_cycle(
    step: Any,
    max_lr: float,
    total_steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cos",
    *,
    three_phase: bool = False,
    flat_start: float = 0.0,
    xp: Any = np,
) -> Any:
    """One-cycle learning rate: a warm-up to `max_lr`, then all the way down to nearly nothing.

    `initial_lr = max_lr / div_factor`, `final_lr = initial_lr / final_div_factor`

    The rate goes from `initial_lr` at step 0 to `max_lr` at step `pct_start * total_steps - 1` and on to
    `final_lr` at the last step, `total_steps - 1`; beyond, it stays there. With `three_phase` it goes from
    `max_lr` back to `initial_lr` in as many steps as it went up, and from there to `final_lr`. Each way is
    half a cosine wave or a straight line. The values are those of PyTorch's `OneCycleLR`.

    With `flat_start`, that share of the steps comes first, at `initial_lr`, and the cycle takes the others.
    `div_factor=1` holds `max_lr` for `pct_start` of the steps before it falls, fastai's flat-cosine.

    Reference: Smith and Topin, 2018, Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates, arXiv:1708.07120.

    Args:
        step: Int or array, the step, from 0.
        max_lr: Float, the highest rate.
        total_steps: Int, the steps of the whole cycle, at least 2.
        pct_start: Float from 0 to 1, the share of the steps in which the rate rises.
        div_factor: Float, how many times lower than `max_lr` the first rate is.
        final_div_factor: Float, how many times lower than the first rate the last one is.
        anneal: String, "cos" or "linear": the form of all ways.
        three_phase: Bool, whether the fall stops at the first rate before the last, low part.
        flat_start: Float from 0 to below 1, the share of the steps at the first rate before the rise.
        xp: The module that computes: `numpy`, or `keras.ops` for a `step` that is a float64 tensor.

    Returns:
        The learning rate, of the shape of `step`.

    Example:

    >>> settings = {"pct_start": 0.5, "div_factor": 4, "final_div_factor": 10, "anneal": "linear"}
    >>> one_cycle(np.arange(6), max_lr=1.0, total_steps=6, **settings).round(6).tolist()
    [0.25, 0.625, 1.0, 0.675, 0.35, 0.025]
    """
    initial_lr = max_lr / div_factor
    values = (initial_lr, max_lr, initial_lr, initial_lr / final_div_factor)
    return _through_phases(step, values, total_steps, pct_start, anneal, three_phase, flat_start, xp)


def one_cycle_momentum(
    step: Any,
    base_momentum: float,
    max_momentum: float,
    total_steps: int,
    pct_start: float = 0.3,
    anneal: str = "cos",
    *,
    three_phase: bool = False,
    flat_start: float = 0.0,
) -> Any:
    """Momentum against the rate of `one_cycle`: lowest at the peak, highest at both ends.

    Args and Returns: as `one_cycle`, between `base_momentum` and `max_momentum`.

    Example:

    >>> one_cycle_momentum(np.arange(5), 0.85, 0.95, 5, 0.6, "linear").round(6).tolist()
    [0.95, 0.9, 0.85, 0.9, 0.95]
    """
    values = (max_momentum, base_momentum, max_momentum, max_momentum)
    return _through_phases(step, values, total_steps, pct_start, anneal, three_phase, flat_start, np)


def check_one_cycle(
    owner: str,
    max_lr: float,
    total_steps: int | None,
    pct_start: float,
    div_factor: float,
    final_div_factor: float,
    anneal: str,
    *,
    three_phase: bool = False,
    flat_start: float = 0.0,
) -> None:
    """Raise a ValueError that names `owner`, the argument and the fix, if the arguments make no cycle."""
    for name, value in (
        ("max_lr", max_lr),
        ("div_factor", div_factor),
        ("final_div_factor", final_div_factor),
    ):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(
                f"`{owner}`: `{name}` must be a finite number above 0. Received: {name}={value}."
            )
    if not 0 <= flat_start < 1:
        raise ValueError(
            f"`{owner}`: `flat_start` must be at least 0 and less than 1. Received: flat_start={flat_start}."
        )
    most = 0.5 if three_phase else 1
    if not 0 <= pct_start <= most:
        raise ValueError(
            f"`{owner}`: `pct_start` must be between 0 and {most}{' with `three_phase`' * three_phase}. "
            f"Received: pct_start={pct_start}."
        )
    if total_steps is not None and not (
        total_steps == int(total_steps) and total_steps * (1 - flat_start) >= 2
    ):
        raise ValueError(
            f"`{owner}`: `total_steps` must be a whole number that leaves at least 2 steps after the flat "
            f"start. Received: total_steps={total_steps}, flat_start={flat_start}."
        )
    _check_choice("anneal", anneal, ANNEALS, owner)


def epochs_that_end_a_cycle(
    epochs: int,
    steps_per_epoch: float,
    cycle_steps: float,
    *,
    offset: float = 0.0,
    cycles: int | None = None,
) -> tuple[int, ...] | None:
    """The numbers of epochs nearest to `epochs` after which a cycle is at its bottom.

    A number of epochs ends a cycle if it misses the bottom by less than an epoch and by no more than a
    twentieth of the cycle: the rate is then within a tenth of its range from the lowest.

    Args:
        epochs: Int, the number of epochs asked for.
        steps_per_epoch: Number of steps of an epoch.
        cycle_steps: Number of steps of a cycle.
        offset: Number, the step of the cycle at which epoch 0 begins.
        cycles: Int, how many cycles there are; None goes on for ever.

    Returns:
        None where `epochs` ends a cycle; else the next number below and the next above, those that exist.

    Example:

    >>> epochs_that_end_a_cycle(48, steps_per_epoch=937, cycle_steps=2 * 8 * 937) is None
    True
    >>> epochs_that_end_a_cycle(50, steps_per_epoch=937, cycle_steps=2 * 8 * 937)
    (48, 64)
    """

    def bottoms(first: int, step: int) -> Iterable[int]:
        """The number of epochs nearest to the end of each cycle from `first` on."""
        last = first + step * SEARCHED_CYCLES
        for cycle in range(first, last, step):
            if cycle >= 1 and (cycles is None or cycle <= cycles):
                yield round((cycle * cycle_steps - offset) / steps_per_epoch)

    def ends_a_cycle(count: int) -> bool:
        steps = count * steps_per_epoch + offset
        cycle = min(max(1, round(steps / cycle_steps)), cycles or np.inf)
        missed = abs(steps - cycle * cycle_steps)
        return missed < steps_per_epoch and missed <= cycle_steps / 20

    if ends_a_cycle(epochs):
        return None
    here = int((epochs * steps_per_epoch + offset) // cycle_steps)
    here = here if cycles is None else min(here, cycles)
    below = (count for count in bottoms(here, -1) if 1 <= count < epochs and ends_a_cycle(count))
    above = (count for count in bottoms(here + 1, 1) if count > epochs and ends_a_cycle(count))
    found = (next(below, None), next(above, None))
    return tuple(count for count in found if count is not None)


def _through_phases(
    step: Any,
    values: tuple[float, float, float, float],
    total_steps: float,
    pct_start: float,
    anneal: str,
    three_phase: bool,
    flat_start: float,
    xp: Any,
) -> Any:
    """From the first value to the second and, by way of the third if `three_phase`, to the fourth."""
    _check_choice("anneal", anneal, ANNEALS)
    first, peak, middle, last = values
    length = total_steps * (1 - flat_start)
    step = np.asarray(step, dtype=np.float64) if xp is np else step
    step = xp.clip(step - total_steps * flat_start, 0, length - 1)
    knots = [(0.0, first), (pct_start * length - 1, peak), (length - 1, last)]
    if three_phase:
        knots.insert(2, (2 * pct_start * length - 2, middle))
    result = last + 0 * step
    for (begin, start), (end, stop) in reversed(list(pairwise(knots))):
        if end > max(begin, 0):
            share = (step - begin) / (end - begin)
            result = xp.where(step <= end, _annealed(start, stop, share, anneal, xp), result)
    return result


def _annealed(start: float, stop: float, share: Any, anneal: str, xp: Any) -> Any:
    if anneal == "cos":
        return stop + (start - stop) / 2 * (xp.cos(np.pi * share) + 1)
    return start + (stop - start) * share


def _check_choice(name: str, value: str, choices: tuple[str, ...], owner: str | None = None) -> None:
    if value not in choices:
        prefix = f"`{owner}`: " if owner else ""
        raise ValueError(f"{prefix}`{name}` must be one of {choices}. Received: {name}={value!r}.")
