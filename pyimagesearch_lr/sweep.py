"""The sweep as a state machine: next rate, losses, stopping; Keras and TensorFlow are never imported here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyimagesearch_lr import schedules
from pyimagesearch_lr._arguments import COUNT, number, optional, whole
from pyimagesearch_lr.curve import TRAIN_LOSS, LRCurve
from pyimagesearch_lr.schedules import MOST_STEPS
from pyimagesearch_lr.smoothing import ExponentialMovingAverage

RECENT_LOSSES = 10
RECENT_SHARE = 1 / 20
STANDS_OUT = 5.0

STOP_FACTOR = optional(number("greater than 1, or None to never stop", lambda value: value > 1))
NUM_STEPS = whole(f"a whole number of at most {MOST_STEPS}", lambda value: value <= MOST_STEPS)


class StopRule:
    """Decides, loss by loss, whether a sweep has diverged.

    It has when the smoothed loss has risen too far above its best:

    `smoothed > limit`
    `limit = best + max((stop_factor - 1) * max(abs(best), (first - best) / 10), 5 * error)`

    Where losses are quiet and the best is above an eleventh of the first, this is the usual
    `smoothed > stop_factor * best`. The term with `first` keeps the rule meaningful for losses near zero or
    below, and three things keep noise from being mistaken for divergence, where a class is rare or batches
    are small:

    - `best` is the lowest smoothed loss among those that average at least half as many losses as the last one
      does: the mean of the first few may be low by chance.
    - `error` is the standard error of the smoothed loss due to noise. The noise is estimated from the changes
      from one loss to the next, without the recent ones, which may be the divergence itself.
    - In the first half of the sweep, most of the recent losses have to be above the limit too: a few losses
      can raise an average, and how often such losses come is not known yet.

    The recent losses are the last 10, or a twentieth of the whole sweep if that is more; for the noise, half
    of those seen so far if that is less.

    Args:
        num_losses: Int, how many losses the sweep records if nothing ends it early.
        stop_factor: Float above 1, or None to never find a divergence.
        beta: Float in [0, 1), the weight of the past in the smoothed loss.

    Attributes:
        raw_losses: List of floats, the losses.
        losses: List of floats, the smoothed losses; see `ExponentialMovingAverage`.

    Raises:
        ValueError: If an argument is out of its range.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> rule = StopRule(num_losses=4)
    >>> for loss in (2.0, 1.0, 9.0, 200.0):
    ...     rule.update(loss)
    ...     print(rule.diverged)
    False
    False
    False
    True
    """

    def __init__(self, num_losses: int, stop_factor: float | None = 4.0, beta: float = 0.98):
        self.num_losses = num_losses
        self.stop_factor = STOP_FACTOR("", "stop_factor", stop_factor)
        self.raw_losses: list[float] = []
        self.losses: list[float] = []
        self._average = ExponentialMovingAverage(beta)
        self._recent = max(RECENT_LOSSES, round(RECENT_SHARE * num_losses))
        self._best = math.inf
        self._squared_changes = [0.0]  # their sum, after each number of losses

    @property
    def beta(self) -> float:
        """The weight of the past in the smoothed loss."""
        return self._average.beta

    def update(self, loss: float) -> None:
        """Take in the next loss; one that is not finite is left out of the smoothing."""
        change = loss - self.raw_losses[-1] if self.raw_losses else 0.0
        self._squared_changes.append(self._squared_changes[-1] + change * change)
        self.raw_losses.append(loss)
        self.losses.append(self._average.update(loss))
        seen, memory = len(self.losses), self._average.memory
        if seen < memory:
            self._best = min(self.losses[(seen - 1) // 2 :])
        self._best = min(self._best, self.losses[-1])

    @property
    def diverged(self) -> bool:
        """Whether the losses have diverged by now."""
        if self.stop_factor is None:
            return False
        scale = max(abs(self._best), (self.losses[0] - self._best) / 10)
        limit = self._best + max((self.stop_factor - 1) * scale, STANDS_OUT * self._error)
        if self.losses[-1] <= limit:
            return False
        above = sum(loss > limit for loss in self.raw_losses[-self._recent :])
        return above > self._recent / 2 or len(self.losses) > self.num_losses / 2

    @property
    def _error(self) -> float:
        """The standard error of the smoothed loss, from the noise before the recent losses."""
        seen = len(self.raw_losses)
        before = seen - min(self._recent, seen // 2)
        if before < 2:
            return 0.0
        return self._average.error * math.sqrt(self._squared_changes[before] / (2 * (before - 1)))


class Sweep:
    """One learning-rate range test, driven by whoever does the training.

    Ask for `lr`, train one step with it, `record` that step's loss; go on until `stop_reason` is set. The
    sweep ends at the first of:

    - "end_lr": every rate has been used;
    - "diverged": the loss has risen too far, according to `StopRule`;
    - "non_finite": a loss is NaN or infinite. It is recorded and left out of the smoothing;
    - "exhausted" or "interrupted": the driver said so through `stop`.

    Reference: Smith, 2017, arXiv:1506.01186, section 3.3 (range test).

    Args:
        lrs: float array of shape `(num_rates,)`, the rates in the order they are used.
        stop_factor: Float above 1, or None to go on, whatever the loss.
        beta: Float in [0, 1), the weight of the past in the smoothed loss.
        steps_per_lr: Int, how many steps are trained at each rate; their mean loss is the rate's loss.

    Raises:
        ValueError: If an argument is out of its range.
        TypeError: If an argument is of the wrong type.

    Example:

    >>> sweep = Sweep([0.1, 0.2, 0.4, 0.8])
    >>> for loss in (2.0, 1.0, 9.0):
    ...     sweep.record(loss)
    >>> sweep.stop_reason
    >>> sweep.record(200.0)
    >>> sweep.stop_reason
    'diverged'
    >>> sweep.curve().raw_losses.tolist()
    [2.0, 1.0, 9.0, 200.0]
    """

    def __init__(self, lrs: Any, stop_factor: float | None = 4.0, beta: float = 0.98, steps_per_lr: int = 1):
        self.lrs = np.asarray(lrs, dtype=np.float64)
        self.steps_per_lr = COUNT("", "steps_per_lr", steps_per_lr)
        self._rule = StopRule(len(self.lrs), stop_factor, beta)
        self.raw_losses = self._rule.raw_losses
        self.losses = self._rule.losses
        self.metrics: dict[str, list[float]] = {}
        self.stop_reason: str | None = None
        self.step = 0
        self._pending: list[tuple[float, dict[str, float]]] = []

    @classmethod
    def over(
        cls, start_lr: float, end_lr: float, num_steps: int, ramp: str = "exponential", **settings: Any
    ) -> Sweep:
        """A sweep from `start_lr` to `end_lr` in at least `num_steps` steps.

        Args:
            start_lr: Float, the first rate.
            end_lr: Float, the last rate.
            num_steps: Int, how many steps to take, at most 10,000,000; rounded up to a multiple of
                `steps_per_lr`.
            ramp: String, "exponential" or "linear".
            **settings: As for `Sweep`.
        """
        steps_per_lr = COUNT("", "steps_per_lr", settings.get("steps_per_lr", 1))
        num_rates = math.ceil(NUM_STEPS("", "num_steps", num_steps) / steps_per_lr)
        return cls(schedules.ramp_rates(start_lr, end_lr, num_rates, ramp), **settings)

    @property
    def num_steps(self) -> int:
        """How many steps the sweep takes if nothing ends it early."""
        return len(self.lrs) * self.steps_per_lr

    @property
    def step_lrs(self) -> np.ndarray:
        """The rate of every step, shape `(num_steps,)`."""
        return np.repeat(self.lrs, self.steps_per_lr)

    @property
    def lr(self) -> float:
        """The rate to train the next step with; the last rate once the sweep is over."""
        return float(self.lrs[min(self.step // self.steps_per_lr, len(self.lrs) - 1)])

    @property
    def closes_rate(self) -> bool:
        """Whether the next step is the last at its rate."""
        return (self.step + 1) % self.steps_per_lr == 0

    @property
    def opens_rate(self) -> bool:
        """Whether the next step is the first at its rate."""
        return self.step % self.steps_per_lr == 0

    def record(
        self, loss: float, metrics: dict[str, float] | None = None, rate_loss: float | None = None
    ) -> None:
        """Take in the result of the step just trained with `lr`.

        Args:
            loss: Float, the step's own loss.
            metrics: Dict of floats, the step's own metrics.
            rate_loss: Float, given with the last step of a rate: what to record as the rate's loss (a loss on
                validation data) in place of the mean of its steps, which becomes the metric "train_loss". A
                rate that breaks off before, at a loss that is not finite, then has NaN.

        Raises:
            RuntimeError: If the sweep is over.
        """
        if self.stop_reason:
            raise RuntimeError(f"This sweep is over ({self.stop_reason}); start a new one.")
        self._pending.append((float(loss), metrics or {}))
        finite = math.isfinite(loss) and (rate_loss is None or math.isfinite(rate_loss))
        if self.closes_rate or not finite:
            self._close_rate(rate_loss)
        self.step += 1
        if not finite:
            self.stop("non_finite")
        elif not self._pending and self._rule.diverged:
            self.stop("diverged")
        elif self.step == self.num_steps:
            self.stop("end_lr")

    def stop(self, reason: str) -> None:
        """End the sweep from outside; a sweep that is over already keeps its reason."""
        self.stop_reason = self.stop_reason or reason

    def curve(self, **metadata: Any) -> LRCurve:
        """What has been measured so far, with `metadata` beside it."""
        return LRCurve(
            lrs=self.lrs[: len(self.raw_losses)],
            raw_losses=np.array(self.raw_losses),
            losses=np.array(self.losses),
            stop_reason=self.stop_reason or "interrupted",
            metrics={name: np.array(values) for name, values in self.metrics.items()},
            metadata={"stop_factor": self._rule.stop_factor, "beta": self._rule.beta, **metadata},
        )

    def _close_rate(self, rate_loss: float | None) -> None:
        losses, metrics = zip(*self._pending, strict=True)
        self._pending = []
        means = {name: _mean([step[name] for step in metrics]) for name in metrics[0]}
        loss = _mean(losses)
        if rate_loss is None and TRAIN_LOSS in self.metrics and TRAIN_LOSS not in means:
            rate_loss = math.nan  # the rate broke off before it could be known
        if rate_loss is not None:
            means[TRAIN_LOSS], loss = loss, float(rate_loss)
        self._rule.update(loss)
        for name, value in means.items():
            self.metrics.setdefault(name, []).append(value)


def _mean(values: Sequence[float]) -> float:
    """The mean in plain Python: for one step per rate it takes a tenth of NumPy's time."""
    return sum(values) / len(values)
