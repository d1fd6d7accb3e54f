"""The sweep as a state machine: the next rate, the losses, the stop; TensorFlow is never imported here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyimagesearch_lr import schedules
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.smoothing import ExponentialMovingAverage


class Sweep:
    """One learning-rate range test, driven by whoever does the training.

    Ask for `lr`, train one step with it, `record` that step's loss; go on until `stop_reason` is set. The
    sweep ends on the first of:

    - "end_lr": every rate has been used;
    - "diverged": the smoothed loss has risen too far above its best,
      `smoothed > best + (stop_factor - 1) * max(abs(best), (first - best) / 10)`. While the best loss is
      above an eleventh of the first, this is the usual `smoothed > stop_factor * best`; the second term keeps
      the rule meaningful for losses that come near zero or below;
    - "non_finite": a loss is NaN or infinite. It is recorded and left out of the smoothing;
    - "exhausted" or "interrupted": the driver said so through `stop`.

    Reference: Smith, 2017, arXiv:1506.01186, section 3.3 (range test).

    Args:
        lrs: float array of shape `(num_rates,)`, the rates in the order they are used.
        stop_factor: Float above 1, or None to go on whatever the loss.
        beta: Float in [0, 1), the weight of the past in the smoothed loss.
        steps_per_lr: Int, how many steps are trained with each rate; their mean loss is the rate's loss.

    Raises:
        ValueError: For an argument out of its range.

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
        if stop_factor is not None and not stop_factor > 1:
            raise ValueError(
                f"`stop_factor` must be greater than 1, or None to never stop. Received: {stop_factor}."
            )
        self.lrs = np.asarray(lrs, dtype=np.float64)
        self.stop_factor = stop_factor
        self.beta = beta
        self.steps_per_lr = _checked_steps_per_lr(steps_per_lr)
        self.raw_losses: list[float] = []
        self.losses: list[float] = []
        self.metrics: dict[str, list[float]] = {}
        self.stop_reason: str | None = None
        self.step = 0
        self._average = ExponentialMovingAverage(beta)
        self._best = float("inf")
        self._pending: list[tuple[float, dict[str, float]]] = []

    @classmethod
    def over(
        cls, start_lr: float, end_lr: float, num_steps: int, ramp: str = "exponential", **settings: Any
    ) -> Sweep:
        """A sweep from `start_lr` to `end_lr` in at least `num_steps` steps.

        Args:
            start_lr: Float, the first rate.
            end_lr: Float, the last rate.
            num_steps: Int, how many steps to take; made up to a whole number of rates.
            ramp: String, "exponential" or "linear".
            **settings: As for `Sweep`.
        """
        steps_per_lr = _checked_steps_per_lr(settings.get("steps_per_lr", 1))
        return cls(
            schedules.ramp_rates(start_lr, end_lr, math.ceil(num_steps / steps_per_lr), ramp), **settings
        )

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
        """Whether the next step is the last one with its rate."""
        return (self.step + 1) % self.steps_per_lr == 0

    @property
    def opens_rate(self) -> bool:
        """Whether the next step is the first one with its rate."""
        return self.step % self.steps_per_lr == 0

    def record(
        self, loss: float, metrics: dict[str, float] | None = None, rate_loss: float | None = None
    ) -> None:
        """Take in what the step just trained with `lr` gave.

        Args:
            loss: Float, the step's own loss.
            metrics: Dict of floats, the step's own metrics.
            rate_loss: Float, given with the last step of a rate: what to record as the rate's loss (a loss on
                validation data) in place of the mean of its steps, which becomes the metric "train_loss".

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
        elif self._has_diverged():
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
            metadata={"stop_factor": self.stop_factor, "beta": self.beta, **metadata},
        )

    def _close_rate(self, rate_loss: float | None) -> None:
        losses, metrics = zip(*self._pending, strict=True)
        self._pending = []
        means = {name: _mean([step[name] for step in metrics]) for name in metrics[0]}
        loss = _mean(losses)
        if rate_loss is not None:
            means["train_loss"], loss = loss, float(rate_loss)
        self.raw_losses.append(loss)
        self.losses.append(self._average.update(loss))
        for name, value in means.items():
            self.metrics.setdefault(name, []).append(value)

    def _has_diverged(self) -> bool:
        if self._pending or self.stop_factor is None:
            return False
        smoothed = self.losses[-1]
        self._best = min(self._best, smoothed)
        scale = max(abs(self._best), (self.losses[0] - self._best) / 10)
        return smoothed > self._best + (self.stop_factor - 1) * scale


def _mean(values: Sequence[float]) -> float:
    """The mean in plain Python, which for the one step of a rate takes a tenth of NumPy's time."""
    return sum(values) / len(values)


def _checked_steps_per_lr(steps_per_lr: int) -> int:
    if steps_per_lr != int(steps_per_lr) or steps_per_lr < 1:
        raise ValueError(f"`steps_per_lr` must be a whole number of at least 1. Received: {steps_per_lr}.")
    return int(steps_per_lr)
