"""A learning rate as a function of the step, as frozen values; Keras and TensorFlow are never imported here.

A step is one batch update and counts from 0. A value is checked once, when it is made, and is called with a
step or an array of them. `xp`, the module that computes, is `numpy`, or `keras.ops` for a step that is a
tensor of floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from pyimagesearch_lr._arguments import (
    COUNT_OR_0,
    LARGEST,
    SHARE_BELOW_1,
    Checked,
    flag,
    function,
    number,
    of,
    one_of,
    optional,
    rate,
    refusal,
    whole,
)

CYCLIC_MODES = ("triangular", "triangular2", "exp_range")
SCALE_MODES = ("cycle", "iterations")
ANNEALS = ("linear", "cos")
RAMPS = ("exponential", "linear")
MOST_STEPS = 10**7
SEARCHED_CYCLES = 1000
EXACT_STEPS = 2.0**53  # whole numbers up to here are exact as floats
NEARLY_A_STEP = 1e-6  # a cycle that begins this little after a step begins at it: it is rounding
NEARLY_A_STEP_IN_FLOAT32 = 1e-2

A_RATE, A_RATE_ABOVE_0 = rate(zero=True), rate(zero=False)
ABOVE_0 = number("a finite number above 0", lambda value: 0 < value < math.inf)
ABOVE_0_OR_INFINITE = number("a number above 0, or infinite", lambda value: value > 0)
AT_LEAST_0 = number("a finite number of at least 0", lambda value: 0 <= value < math.inf)
AT_LEAST_1 = number("a finite number of at least 1", lambda value: 1 <= value < math.inf)
DECAY = number("above 0 and at most 1", lambda value: 0 < value <= 1)
SHARE = number("between 0 and 1", lambda value: 0 <= value <= 1)
WITHIN_FLOAT32 = number(f"at most {LARGEST:.1e}, the largest float32", lambda value: value <= LARGEST)


class MidCycleWarning(UserWarning):
    """Training will end in the middle of a cycle, where the rate is high and accuracy is lost."""


@dataclass(frozen=True)
class Ramp(Checked):
    """A rate that rises from `start_lr` to `end_lr`, for a range test.

    `share = step / (num_steps - 1)`
    `lr = start_lr * (end_lr / start_lr) ** share` for "exponential"
    `lr = start_lr + (end_lr - start_lr) * share` for "linear"

    Args:
        start_lr: Float, the rate of step 0, above 0.
        end_lr: Float, the rate of step `num_steps - 1`, above `start_lr`.
        num_steps: Int, the number of steps, from 2 to 10,000,000.
        ramp: String, "exponential" or "linear".

    Raises:
        ValueError: If an argument is out of its range.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> Ramp(1e-4, 1e-2, 3).rates().tolist()
    [0.0001, 0.001, 0.01]
    >>> Ramp(1.0, 5.0, 5, "linear").rates().tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """

    start_lr: float = field(metadata=of(A_RATE_ABOVE_0))
    end_lr: float = field(metadata=of(A_RATE_ABOVE_0))
    num_steps: int = field(metadata=of(whole()))
    ramp: str = field(default="exponential", metadata=of(one_of(RAMPS)))

    def __post_init__(self, owner: str) -> None:
        super().__post_init__(owner)
        if not self.start_lr < self.end_lr:
            raise ValueError(
                "`end_lr` must be greater than `start_lr`. "
                f"Received: start_lr={self.start_lr}, end_lr={self.end_lr}. Swap them, or lower `start_lr`."
            )
        if self.num_steps < 2:
            raise ValueError(
                f"A sweep needs at least 2 steps. Received: {self.num_steps}. Raise `epochs`, "
                "`steps_per_epoch` or `sample_size`, or give more data."
            )
        if self.num_steps > MOST_STEPS:
            raise ValueError(
                f"A sweep takes at most {MOST_STEPS} steps. Received: {self.num_steps}. Lower `epochs` or "
                "`steps_per_epoch`."
            )

    def __call__(self, step: Any, *, xp: Any = np) -> Any:
        """The rate of a step, from 0 to `num_steps - 1`, in the shape of `step`."""
        share = _floats(step, xp) / (self.num_steps - 1)
        if self.ramp == "exponential":
            return self.start_lr * (self.end_lr / self.start_lr) ** share
        return self.start_lr + (self.end_lr - self.start_lr) * share

    def rates(self) -> np.ndarray:
        """All rates, a float64 array of shape `(num_steps,)`; its first and last are those given."""
        rates = self(np.arange(self.num_steps))
        rates[-1] = self.end_lr
        return rates


def ramp_rates(start_lr: float, end_lr: float, num_steps: int, ramp: str = "exponential") -> np.ndarray:
    """`Ramp(start_lr, end_lr, num_steps, ramp).rates()`."""
    return Ramp(start_lr, end_lr, num_steps, ramp).rates()


@dataclass(frozen=True)
class Schedule(Checked):
    """What all cycles share: a linear warm-up before the cycle, which counts its steps from the end of it.

    `lr = first_lr * (step + 1) / (warmup_steps + 1)` where `step < warmup_steps`, and from there on the
    cycle's rate at `step - warmup_steps`; `first_lr` is the cycle's rate at step 0.
    """

    warmup_steps: int = field(default=0, kw_only=True, metadata=of(COUNT_OR_0))

    CYCLES: ClassVar[int | None] = None

    @property
    def falling(self) -> float:
        """The share of a cycle in which its rate falls, at its end."""
        raise NotImplementedError

    @property
    def cycle_steps(self) -> float:
        """The steps of the first cycle, without the warm-up."""
        raise NotImplementedError

    def __call__(self, step: Any, *, xp: Any = np) -> Any:
        """The rate of a step, or of each step of an array or a tensor of floats, in the same shape."""
        step = _floats(step, xp)
        lr = self._rate(xp.maximum(step - self.warmup_steps, 0), xp)
        if self.warmup_steps == 0:
            return lr
        rising = self._rate(0 * step, xp) * (step + 1) / (self.warmup_steps + 1)
        return xp.where(step < self.warmup_steps, rising, lr)

    def momentum(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        """Momentum against the rate of the cycle; in the warm-up it is that of the cycle's first step."""
        since = np.maximum(_floats(step, np) - self.warmup_steps, 0)
        return self._momentum(since, base_momentum, max_momentum)

    def _rate(self, step: Any, xp: Any) -> Any:
        raise NotImplementedError

    def _momentum(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Cyclic(Schedule):
    """Cyclical learning rate: up from `base_lr` to `max_lr` in `step_size` steps and down again.

    `cycle = floor(1 + step / (step_size + step_size_down))`
    `since = step - (cycle - 1) * (step_size + step_size_down)`
    `height = min(since / step_size, 1 - (since - step_size) / step_size_down)`
    `lr = base_lr + (max_lr - base_lr) * height * scale * cycle_decay ** (cycle - 1)`

    where `scale` is 1 for "triangular", `1 / 2 ** (cycle - 1)` for "triangular2", `gamma ** step` for
    "exp_range", and `scale_fn(cycle)` or `scale_fn(step)` where a `scale_fn` is given; `anneal="cos"` bends
    both sides of the triangle into half waves, `(1 - cos(pi * height)) / 2`.

    With `cycle_mult` above 1, the way up and the way down take that many times the steps of the cycle before,
    so that a cycle begins `(step_size + step_size_down) * (cycle_mult ** (cycle - 1) - 1) / (cycle_mult - 1)`
    steps after the first. With `step_size=0` and `anneal="cos"` these are the warm restarts of SGDR,
    `cycle_mult` its T_mult.

    The values are those of Smith's policy, of the Keras callback that made it known (bckenstler/CLR) and of
    PyTorch's `CyclicLR`. The step that "exp_range" and `scale_mode="iterations"` see counts from the start of
    the first cycle, in PyTorch too, whose documentation says "since start of cycle".

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186; Loshchilov
    and Hutter, 2017, SGDR: Stochastic Gradient Descent with Warm Restarts, arXiv:1608.03983.

    Args:
        base_lr: Float, the lowest rate; it may be 0.
        max_lr: Float, the highest rate.
        step_size: Number of steps of the way up; 0 only with a `step_size_down`.
        mode: String, one of `CYCLIC_MODES`; ignored if `scale_fn` is given.
        gamma: Float above 0 and at most 1, the base of "exp_range".
        scale_fn: Function of the cycle (from 1) or of the step (from 0), each in the shape of `step`.
        scale_mode: String, "cycle" or "iterations": what `scale_fn` is a function of.
        step_size_down: Number of steps of the way down; None takes `step_size`.
        cycle_decay: Float, the factor by which each cycle is lower than the one before, above `base_lr`.
        cycle_mult: Float of at least 1, the factor by which each cycle is longer than the one before.
        anneal: String, "linear" or "cos": the shape of rise and fall.
        warmup_steps: Int, the steps before the first cycle in which the rate rises to the cycle's first.

    Raises:
        ValueError: If the arguments do not make a cycle.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> Cyclic(1.0, 5.0, 2)(np.arange(9)).tolist()
    [1.0, 3.0, 5.0, 3.0, 1.0, 3.0, 5.0, 3.0, 1.0]
    >>> Cyclic(1.0, 5.0, 2, mode="triangular2")(np.arange(9)).tolist()
    [1.0, 3.0, 5.0, 3.0, 1.0, 2.0, 3.0, 2.0, 1.0]
    >>> Cyclic(1.0, 5.0, 1, step_size_down=4)(np.arange(6)).tolist()
    [1.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    >>> Cyclic(1.0, 5.0, 1, cycle_mult=2)(np.arange(7)).tolist()
    [1.0, 5.0, 1.0, 3.0, 5.0, 3.0, 1.0]
    >>> Cyclic(1.0, 5.0, 2, warmup_steps=1)(np.arange(6)).tolist()
    [0.5, 1.0, 3.0, 5.0, 3.0, 1.0]
    """

    base_lr: float = field(metadata=of(A_RATE))
    max_lr: float = field(metadata=of(A_RATE_ABOVE_0))
    step_size: float = field(metadata=of(AT_LEAST_0))
    mode: str = field(default="triangular", metadata=of(one_of(CYCLIC_MODES)))
    gamma: float = field(default=1.0, metadata=of(DECAY))
    scale_fn: Callable | None = field(default=None, metadata=of(optional(function)))
    scale_mode: str = field(default="cycle", metadata=of(one_of(SCALE_MODES)))
    _: KW_ONLY
    step_size_down: float | None = field(default=None, metadata=of(optional(ABOVE_0)))
    cycle_decay: float = field(default=1.0, metadata=of(DECAY))
    cycle_mult: float = field(default=1.0, metadata=of(AT_LEAST_1))
    anneal: str = field(default="linear", metadata=of(one_of(ANNEALS)))

    def __post_init__(self, owner: str) -> None:
        super().__post_init__(owner)
        if not self.base_lr < self.max_lr:
            raise refusal(
                owner,
                "`base_lr` must be at least 0 and less than `max_lr`. "
                f"Received: base_lr={self.base_lr}, max_lr={self.max_lr}. Swap them, or lower `base_lr`.",
            )
        if self.step_size == 0 and self.step_size_down is None:
            raise refusal(
                owner,
                "`step_size` must be above 0 unless `step_size_down` is given. "
                f"Received: step_size={self.step_size}.",
            )
        if self.warmup_steps > 0 and self.base_lr == 0 and self.step_size > 0:
            raise refusal(
                owner,
                "a warm-up rises to the first rate of the cycle, `base_lr`, which must then be above 0. "
                f"Received: warmup_steps={self.warmup_steps}, base_lr={self.base_lr}. Leave `warmup_steps` "
                "out: the cycle itself rises from 0.",
            )

    @property
    def cycle_steps(self) -> float:
        return self.step_size + self._down

    @property
    def falling(self) -> float:
        return self._down / self.cycle_steps

    @property
    def _down(self) -> float:
        return self.step_size if self.step_size_down is None else self.step_size_down

    def _rate(self, step: Any, xp: Any) -> Any:
        return self._between(self.base_lr, self.max_lr, step, xp)

    def _momentum(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        return self._between(max_momentum, base_momentum, step, np)

    def _between(self, low: float, high: float, step: Any, xp: Any) -> Any:
        cycle, since = self._place(step, xp)
        height = (self.cycle_steps - since) / self._down
        if self.step_size > 0:
            height = xp.minimum(since / self.step_size, height)
        if self.anneal == "cos":
            height = (1 - xp.cos(np.pi * height)) / 2
        if self.scale_fn is not None:
            scale = self.scale_fn(cycle if self.scale_mode == "cycle" else step)
        elif self.mode == "exp_range":
            scale = self.gamma**step
        else:
            scale = 0.5 ** (cycle - 1) if self.mode == "triangular2" else 1.0
        if self.cycle_decay != 1:
            scale = scale * self.cycle_decay ** (cycle - 1)
        return low + (high - low) * height * scale

    def _place(self, step: Any, xp: Any) -> tuple[Any, Any]:
        """The number of the cycle, from 1, and how far into it the step is, in steps of the first cycle."""
        if self.cycle_mult == 1:
            cycle = xp.floor(1 + step / self.cycle_steps)
            return cycle, step - (cycle - 1) * self.cycle_steps
        growth = (self.cycle_mult - 1) / self.cycle_steps
        nearest = xp.round(xp.log1p(step * growth) / math.log(self.cycle_mult))
        slack = NEARLY_A_STEP if "float64" in str(step.dtype) else NEARLY_A_STEP_IN_FLOAT32
        begun = step > (self.cycle_mult**nearest - 1) / growth - slack
        before = xp.where(begun, nearest, nearest - 1)
        longer = self.cycle_mult**before
        return before + 1, xp.maximum(step - (longer - 1) / growth, 0) / longer


def cyclic(step: Any, base_lr: Any, max_lr: Any, step_size: float, *, xp: Any = np) -> Any:
    """The triangular rates of `Cyclic` between bounds that are not checked and may be tensors."""
    return base_lr + (max_lr - base_lr) * Cyclic(0.0, 1.0, step_size)(step, xp=xp)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One-cycle learning rate: a warm-up to `max_lr`, then all the way down to almost 0.

    `initial_lr = max_lr / div_factor`, `final_lr = initial_lr / final_div_factor`

    The rate goes from `initial_lr` at step 0 to `max_lr` at step `pct_start * total_steps - 1` and on to
    `final_lr` at the last step, `total_steps - 1`; beyond, it stays there. With `three_phase` it goes from
    `max_lr` back to `initial_lr` in as many steps as it went up, and from there to `final_lr`. Each way is
    half a cosine wave or a straight line. The values are those of PyTorch's `OneCycleLR`.

    With `warmup_steps`, that many of the `total_steps` come first and the cycle takes the rest. With
    `flat_start`, that share of the rest is held at `initial_lr` before the rise. `div_factor=1` holds
    `max_lr` for `pct_start` of the steps before the fall: fastai's flat-cosine.

    Reference: Smith and Topin, 2018, Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates, arXiv:1708.07120.

    Args:
        max_lr: Float, the highest rate.
        total_steps: Int, the steps of the whole training, at least 2; None while they are not known, and
            there are no rates until then.
        pct_start: Float from 0 to 1, the share of the steps in which the rate rises.
        div_factor: Float, how many times lower than `max_lr` the first rate is.
        final_div_factor: Float, how many times lower than the first rate the last one is; infinite ends at 0.
        anneal: String, "cos" or "linear": the shape of every rise and fall.
        three_phase: Bool, whether the fall stops at the first rate before the last, low part.
        flat_start: Float in [0, 1), the share of the steps at the first rate before the rise.
        warmup_steps: Int, the steps before the cycle in which the rate rises to `initial_lr`.

    Raises:
        ValueError: If the arguments do not make a cycle.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> one_cycle = OneCycle(1.0, 6, 0.5, div_factor=4, final_div_factor=10, anneal="linear")
    >>> one_cycle(np.arange(6)).round(6).tolist()
    [0.25, 0.625, 1.0, 0.675, 0.35, 0.025]
    """

    max_lr: float = field(metadata=of(A_RATE_ABOVE_0))
    total_steps: int | None = field(default=None, metadata=of(optional(COUNT_OR_0)))
    pct_start: float = field(default=0.3, metadata=of(SHARE))
    div_factor: float = field(default=25.0, metadata=of(ABOVE_0))
    final_div_factor: float = field(default=1e4, metadata=of(ABOVE_0_OR_INFINITE))
    anneal: str = field(default="cos", metadata=of(one_of(ANNEALS)))
    _: KW_ONLY
    three_phase: bool = field(default=False, metadata=of(flag))
    flat_start: float = field(default=0.0, metadata=of(SHARE_BELOW_1))

    CYCLES: ClassVar[int | None] = 1
    cycle_mult: ClassVar[float] = 1.0

    def __post_init__(self, owner: str) -> None:
        super().__post_init__(owner)
        if self.three_phase and self.pct_start > 0.5:
            raise refusal(
                owner,
                "`pct_start` must be between 0 and 0.5 with `three_phase`. "
                f"Received: pct_start={self.pct_start}.",
            )
        initial_lr = WITHIN_FLOAT32(owner, "max_lr / div_factor", self.max_lr / self.div_factor)
        WITHIN_FLOAT32(owner, "max_lr / div_factor / final_div_factor", initial_lr / self.final_div_factor)
        if self.total_steps is not None and self._length < 2:
            raise refusal(
                owner,
                "`total_steps` must leave at least 2 steps after the warm-up and the flat start. Received: "
                f"total_steps={self.total_steps}, warmup_steps={self.warmup_steps}, "
                f"flat_start={self.flat_start}.",
            )

    @property
    def cycle_steps(self) -> float:
        if self.total_steps is None:
            raise ValueError("`total_steps` is not known yet, and without it there are no rates.")
        return self.total_steps - self.warmup_steps

    @property
    def falling(self) -> float:
        return (1 - self.pct_start) * (1 - self.flat_start)

    @property
    def _length(self) -> float:
        """The steps of the cycle after its flat start."""
        return self.cycle_steps * (1 - self.flat_start)

    def _rate(self, step: Any, xp: Any) -> Any:
        initial_lr = self.max_lr / self.div_factor
        values = (initial_lr, self.max_lr, initial_lr, initial_lr / self.final_div_factor)
        return self._through(values, step, xp)

    def _momentum(self, step: Any, base_momentum: float, max_momentum: float) -> Any:
        return self._through((max_momentum, base_momentum, max_momentum, max_momentum), step, np)

    def _through(self, values: tuple[float, float, float, float], step: Any, xp: Any) -> Any:
        """From the first value to the second and, by way of the third if `three_phase`, to the fourth."""
        first, peak, middle, last = values
        top = self.pct_start * self._length - 1
        end = self._length - 1
        knots = [(0.0, first), (top, peak), (end, last)]
        if self.three_phase:
            knots.insert(2, (2 * top, middle))
        since = xp.clip(step - self.cycle_steps * self.flat_start, 0, end)
        result = last + 0 * since
        for (begin, start), (end, stop) in reversed(list(pairwise(knots))):
            if end > max(begin, 0):
                share = (since - begin) / (end - begin)
                result = xp.where(since <= end, self._annealed(start, stop, share, xp), result)
        return result

    def _annealed(self, start: float, stop: float, share: Any, xp: Any) -> Any:
        if self.anneal == "cos":
            return stop + (start - stop) / 2 * (xp.cos(np.pi * share) + 1)
        return start + (stop - start) * share


def epochs_that_end_a_cycle(
    epochs: int,
    steps_per_epoch: float,
    cycle_steps: float,
    *,
    offset: float = 0.0,
    cycles: int | None = None,
    cycle_mult: float = 1.0,
    falling: float = 0.5,
) -> tuple[int, ...] | None:
    """The numbers of epochs nearest to `epochs` after which a cycle is at its bottom.

    A number of epochs ends a cycle if it misses the bottom by less than an epoch, and by no more than a tenth
    of the way down to it, or up from it: the rate is then within a tenth of its range from the lowest. After
    the last cycle the rate stays at the bottom.

    Args:
        epochs: Int, the number of epochs asked for.
        steps_per_epoch: Number of steps of an epoch.
        cycle_steps: Number of steps of the first cycle.
        offset: Number, the step of the cycle at which epoch 0 begins; below 0 in a warm-up.
        cycles: Int, how many cycles there are; None for no end.
        cycle_mult: Float, how many times longer each cycle is than the one before.
        falling: Float from 0 to 1, the share of a cycle in which its rate falls, at its end.

    Returns:
        None where `epochs` ends a cycle; else the next number below and the next above, those that exist.

    Example:

    >>> epochs_that_end_a_cycle(48, steps_per_epoch=937, cycle_steps=2 * 8 * 937) is None
    True
    >>> epochs_that_end_a_cycle(50, steps_per_epoch=937, cycle_steps=2 * 8 * 937)
    (48, 64)
    >>> epochs_that_end_a_cycle(16, steps_per_epoch=100, cycle_steps=500, cycle_mult=2)
    (15, 35)
    """
    asked = epochs * steps_per_epoch + offset
    ends, lengths = _cycles_around(asked, cycle_steps, cycle_mult, cycles)

    def ends_cycles(counts: Any) -> np.ndarray:
        beyond = counts * steps_per_epoch + offset - ends
        rising = (1 - falling) * cycle_mult if cycles is None else math.inf
        most = np.where(beyond > 0, rising, falling) * lengths / 10
        return (np.abs(beyond) < steps_per_epoch) & (np.abs(beyond) <= most)

    if ends_cycles(epochs).any():
        return None
    exact = (ends - offset) / steps_per_epoch
    either = [counts[ends_cycles(counts) & (counts >= 1)] for counts in (np.floor(exact), np.ceil(exact))]
    found = np.unique(np.concatenate(either)).astype(int)
    return (*found[found < epochs][-1:].tolist(), *found[found > epochs][:1].tolist())


def _cycles_around(
    step: float, cycle_steps: float, cycle_mult: float, cycles: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Where each cycle ends and how long it is, of the `SEARCHED_CYCLES` on either side of a step."""
    growth = (cycle_mult - 1) / cycle_steps
    step = max(step, 0)
    here = step / cycle_steps if growth == 0 else math.log1p(step * growth) / math.log(cycle_mult)
    last = math.inf if cycles is None else cycles
    first = max(1, min(int(here), last) - SEARCHED_CYCLES)
    numbers = np.arange(first, min(here + SEARCHED_CYCLES, last) + 1, dtype=np.float64)
    with np.errstate(over="ignore"):
        ends = numbers * cycle_steps if growth == 0 else (cycle_mult**numbers - 1) / growth
    countable = ends < EXACT_STEPS
    return ends[countable], cycle_steps * cycle_mult ** (numbers[countable] - 1)


def _floats(step: Any, xp: Any) -> Any:
    return np.asarray(step, dtype=np.float64) if xp is np else step
