"""Smoothing and differencing of loss curves; Keras and TensorFlow are never imported here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import COUNT as WINDOW
from pyimagesearch_lr._arguments import SHARE_BELOW_1 as BETA

DECADES = 0.25
GRID_PER_DECADE = 50
MIN_GRID = 10
NEIGHBOURS = 9
MIN_START = 5
OUT = 5.0


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A smoothed curve on a grid of log10(lr), evenly spaced up to where the loss explodes and beyond it.

    Args:
        log_lrs: float64 array of shape `(points,)`, the base-10 logarithms of the rates.
        losses: float64 array of shape `(points,)`, the smoothed losses there.
        error: Float, their standard error due to noise, before the loss explodes.
        read: Int, how many losses come before the first that is not finite, and before they explode.
        calm: Int, how many of the points lie there.
    """

    log_lrs: np.ndarray
    losses: np.ndarray
    error: float
    read: int
    calm: int

    @property
    def lrs(self) -> np.ndarray:
        """The rates of the grid."""
        return 10**self.log_lrs

    def at(self, lrs: Any) -> np.ndarray:
        """The line's height at these rates, NaN beyond its ends."""
        if not len(self.losses):
            return np.full(np.shape(lrs), np.nan)
        return np.interp(np.log10(lrs), self.log_lrs, self.losses, left=np.nan, right=np.nan)


def smoothed(lrs: Any, losses: Any) -> Smoothed:
    """The line through noisy losses: the one that plots draw and suggestions are read off.

    A mean of the losses around each rate, weighted by a bell curve over log10(lr). Its width is fixed in
    decades, a quarter of one, so that sweeps of any length get the same shape; in a sweep of less than 2.5
    decades it is a tenth of the sweep. A trailing average would lag behind the loss by a number of steps.

    Where the losses explode a new line begins: a mean across that place would rise long before it. They
    explode where the median of 9 neighbours rises for good above a ceiling, `ceiling = level + max(5 *
    deviation, 2 * (second_highest - level), fall / 10)`, in which level, deviation (by the median of the
    distances) and second-highest loss are those of the first tenth, and the fall is that of the neighbours'
    medians below the level. Losses that never fell have no ceiling. A single loss above the ceiling, a spike,
    is taken for the median of its neighbours.

    Args:
        lrs: Array of shape `(rates,)`, increasing and above 0.
        losses: Array of shape `(rates,)`, the raw losses. They are read up to the first that is not finite.

    Returns:
        A `Smoothed`, without points where there are fewer than two losses.

    Example:

    >>> line = smoothed(np.geomspace(1e-4, 1, 41), np.full(41, 2.0))
    >>> bool(np.allclose(line.losses, 2.0))
    True
    """
    finite, calm = until_not_finite(losses), without_explosion(losses)
    if len(finite) < 2:
        return Smoothed(np.empty(0), np.empty(0), math.nan, len(finite), 0)
    log_lrs = np.log10(np.asarray(lrs, dtype=np.float64)[: len(finite)])
    read = max(2, len(calm))
    grid, line, error = _line(log_lrs[:read], calm if len(calm) == read else finite[:read])
    tail = (np.empty(0),) * 2 if read == len(finite) else _line(log_lrs[read:], finite[read:])[:2]
    return Smoothed(np.append(grid, tail[0]), np.append(line, tail[1]), error, read, len(grid))


def _line(log_lrs: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """An even grid, the weighted means there, and their standard error."""
    span = log_lrs[-1] - log_lrs[0]
    spacing = span / max(1, len(log_lrs) - 1)
    width = max(min(DECADES, span / 10), 1.5 * spacing) or 1.0
    grid = np.linspace(log_lrs[0], log_lrs[-1], max(MIN_GRID, int(span * GRID_PER_DECADE)) if span else 1)
    weights = np.exp(-0.5 * ((grid[:, None] - log_lrs[None, :]) / width) ** 2)
    line = weights @ losses / weights.sum(axis=1)
    residuals = losses - np.interp(log_lrs, grid, line)
    points_in_kernel = max(1.0, np.sqrt(4 * np.pi) * width / spacing) if spacing else 1.0
    return grid, line, float(_deviation(residuals) / np.sqrt(points_in_kernel))


def until_not_finite(losses: Any) -> np.ndarray:
    """The losses before the first that is NaN or infinite."""
    losses = np.asarray(losses, dtype=np.float64)
    is_finite = np.isfinite(losses)
    return losses if is_finite.all() else losses[: int(np.argmin(is_finite))]


def without_explosion(losses: Any) -> np.ndarray:
    """The losses up to the first that is not finite, or up to where they explode, without spikes.

    See `smoothed`.

    Example:

    >>> falling = [2.1, 2.0, 2.1, 2.0, 2.1, 2.0, 2.1, 1e9, 2.1, 1.9, 1.5, 1.2, 1.0, 1.0, 1.1]
    >>> losses = [*falling, *[90.0] * 9, math.nan]
    >>> without_explosion(losses)[6:].tolist()
    [2.1, 2.0, 2.1, 1.9, 1.5, 1.2, 1.0, 1.0, 1.1]
    """
    losses = until_not_finite(losses)
    for _ in range(2):  # without the explosion the first tenth is shorter
        if len(losses) < MIN_START:
            return losses
        medians = _medians_of_neighbours(losses)
        ceiling = _ceiling(losses, medians)
        before = 1 + int(np.flatnonzero(medians <= ceiling)[-1])
        losses = np.where(losses > ceiling, medians, losses)[:before]
    return losses


def _ceiling(losses: np.ndarray, medians: np.ndarray) -> float:
    """The loss above which the losses have exploded; infinite where they never fell."""
    start = losses[: max(MIN_START, len(losses) // 10)]
    level, deviation = float(np.median(start)), _deviation(start)
    fall = level - float(medians[len(start) - 1 :].min())
    if fall <= deviation:
        return math.inf
    return level + max(OUT * deviation, 2 * (float(np.sort(start)[-2]) - level), fall / 10)


def _deviation(values: np.ndarray) -> float:
    """The standard deviation, by the median of the distances from the median."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _medians_of_neighbours(values: np.ndarray) -> np.ndarray:
    """The median of each value and its neighbours, reflected at the ends."""
    half = min(NEIGHBOURS // 2, len(values) - 1)
    reflected = np.pad(values, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(reflected, 2 * half + 1)
    return np.partition(windows, half, axis=-1)[:, half]


class ExponentialMovingAverage:
    """Bias-corrected exponential moving average, one value at a time: what a running sweep can know.

    `mean_t = beta * mean_{t-1} + (1 - beta) * value_t`, reported as `mean_t / (1 - beta ** t)`, so that
    the first reported value is the first value. NaN and infinity are left out: the average stays as it was.

    Args:
        beta: Float in [0, 1), the weight of the past. 0 reports the values themselves.

    Raises:
        ValueError: If `beta` is not in [0, 1).
        TypeError: If it is not a number.

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
    """Mean of the last `window` values at each place, or of all so far where there are fewer.

    Example:

    >>> simple_moving_average([1.0, 3.0, 5.0, 7.0], window=2).tolist()
    [1.0, 2.0, 4.0, 6.0]
    """
    values = np.asarray(values, dtype=np.float64)
    window = WINDOW("", "window", window)
    return np.array([values[max(0, end - window) : end].mean() for end in range(1, len(values) + 1)])


def rate_of_change(values: Any, window: int = 1) -> np.ndarray:
    """Change per step over the last `window` steps: `(values[i] - values[i - window]) / window`.

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
