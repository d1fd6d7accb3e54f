"""Smoothing and differencing of loss curves; Keras and TensorFlow are never imported here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import number, whole

BETA = number("at least 0 and less than 1", lambda beta: 0 <= beta < 1)
WINDOW = whole("a whole number of at least 1", lambda window: window >= 1)


class ExponentialMovingAverage:
    """Bias-corrected exponential moving average, one value at a time.

    `mean_t = beta * mean_{t-1} + (1 - beta) * value_t`, reported as `mean_t / (1 - beta ** t)`, so that
    the first reported value is the first value. NaN and infinity are left out: the average stays as it was.

    Args:
        beta: Float in [0, 1), the weight of the past. 0 reports the values themselves.

    Raises:
        ValueError: If `beta` is not in [0, 1).
        TypeError: If it is no number.

    Example:

    >>> average = ExponentialMovingAverage(beta=0.5)
    >>> [round(average.update(value), 4) for value in (4.0, 1.0, float("nan"), 1.0)]
    [4.0, 2.0, 2.0, 1.4286]
    """

    def __init__(self, beta: float = 0.98):
        self.beta = BETA("", "beta", beta)
        self._mean = 0.0
        self._weight = 0.0
        self._squared_weights = 0.0

    def update(self, value: float) -> float:
        """Take in the next value; return the average so far, NaN before the first finite value."""
        if math.isfinite(value):
            self._mean = self.beta * self._mean + (1 - self.beta) * float(value)
            self._weight = self.beta * self._weight + (1 - self.beta)
            self._squared_weights = self.beta**2 * self._squared_weights + (1 - self.beta) ** 2
        return self._mean / self._weight if self._weight else math.nan

    @property
    def memory(self) -> int:
        """How many values the average is made of, in effect, once it has seen more: `1 / (1 - beta)`."""
        return round(1 / (1 - self.beta))

    @property
    def error(self) -> float:
        """The standard error of the average, for values whose standard deviation is 1."""
        return math.sqrt(self._squared_weights) / self._weight if self._weight else math.nan


def simple_moving_average(values: Any, window: int) -> np.ndarray:
    """Mean of the last `window` values at each place, of fewer where fewer precede.

    Example:

    >>> simple_moving_average([1.0, 3.0, 5.0, 7.0], window=2).tolist()
    [1.0, 2.0, 4.0, 6.0]
    """
    values = np.asarray(values, dtype=np.float64)
    window = WINDOW("", "window", window)
    return np.array([values[max(0, end - window) : end].mean() for end in range(1, len(values) + 1)])


def rate_of_change(values: Any, window: int = 1) -> np.ndarray:
    """Change a step over the last `window` steps: `(values[i] - values[i - window]) / window`.

    Source: Surmenok, 2017, Estimating an Optimal Learning Rate For a Deep Neural Network.

    Args:
        values: Array of shape `(steps,)`.
        window: Int, the number of steps to look back, at least 1.

    Returns:
        float64 array of shape `(steps,)`, NaN in its first `window` places.

    Example:

    >>> rate_of_change([5.0, 4.0, 1.0], window=2).tolist()
    [nan, nan, -2.0]
    """
    values = np.asarray(values, dtype=np.float64)
    window = WINDOW("", "window", window)
    change = np.full(values.shape, np.nan)
    change[window:] = (values[window:] - values[:-window]) / window
    return change
