"""Learning rates read off a curve, one function a method; TensorFlow is never imported here.

Every method takes the swept rates and the raw losses, shapes `(rates,)`, and returns a `Suggestion` or raises
`NoSuggestion`. Losses are smoothed here, centred and over a fixed width in decades: the trailing average that
is drawn lags behind the loss by a number of steps, so its shape moves with the length of the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyimagesearch_lr.smoothing import finite_mask

MIN_POINTS = 10
SMOOTHING_DECADES = 0.15
GRID_PER_DECADE = 50
FALL_BEGINS = 0.05
TURNS = 0.1
SAFETY_FACTOR = 6.0
STANDS_OUT = 5.0


class NoSuggestion(ValueError):  # noqa: N818 - the absence of an answer is not an error of the user's
    """The curve supports no suggestion; the message says why and what to do."""


@dataclass(frozen=True)
class Suggestion:
    """Learning rates to train with.

    Args:
        base_lr: Float, the lowest rate of a cycle.
        max_lr: Float, the highest rate of a cycle, or the rate to train with at a constant rate.
        method: String, the method that gave them.
        reason: String, one sentence that can be checked against the plot.
    """

    base_lr: float
    max_lr: float
    method: str
    reason: str


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Suggestion]] = {}


def suggest(lrs: Any, losses: Any, method: str = "bounds") -> Suggestion:
    """Learning rates to train with, by one of `METHODS`.

    Args:
        lrs: Array of shape `(rates,)`, increasing and above 0.
        losses: Array of shape `(rates,)`, the raw loss of each rate; may hold NaN and infinity.
        method: String, a key of `METHODS`.

    Returns:
        A `Suggestion` whose rates lie within the swept range.

    Raises:
        NoSuggestion: If the curve supports none.
        ValueError: If the method is unknown or the arrays do not fit.

    Example:

    >>> lrs = np.geomspace(1e-6, 1, 200)
    >>> losses = 2.3 - 2 / (1 + (1e-3 / lrs) ** 2) + (lrs / 0.1) ** 2
    >>> suggestion = suggest(lrs, losses)
    >>> suggestion.base_lr < 1e-3 < suggestion.max_lr < 1e-1
    True
    """
    lrs = np.asarray(lrs, dtype=np.float64)
    losses = np.asarray(losses, dtype=np.float64)
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {tuple(METHODS)}. Received: method={method!r}.")
    if lrs.ndim != 1 or lrs.shape != losses.shape:
        raise ValueError(
            "`lrs` and `losses` must be arrays of one dimension and the same length. "
            f"Received shapes: {lrs.shape} and {losses.shape}."
        )
    return METHODS[method](lrs, losses)


def _method(name: str) -> Callable:
    def register(function: Callable) -> Callable:
        METHODS[name] = function
        return function

    return register


@_method("bounds")
def bounds(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """Bounds for cyclical training: from where the loss begins to fall to well below where it is lowest.

    `base_lr` is the last rate before the minimum at which the smoothed loss is still within 5 % of the whole
    fall from its level at the start. `max_lr` is the rate of the lowest smoothed loss divided by 6: a rate
    at the minimum itself is about to diverge, and a sweep meets it only for a moment.

    Source: the range test of Smith, 2017, arXiv:1506.01186, section 3.3, which reads both off by eye.
    """
    shape = _Shape.of(lrs, losses)
    lowest = shape.lowest_lr
    max_lr = max(lowest / SAFETY_FACTOR, float(lrs[0]))
    base_lr = min(shape.fall_begins_lr, max_lr / 10)
    base_lr = max(base_lr, float(lrs[0]))
    if not base_lr < max_lr:
        raise NoSuggestion(
            f"the loss is lowest at {lowest:.1e}, too close to the first rate of the sweep, {lrs[0]:.1e}: "
            "lower `start_lr` to a tenth or less."
        )
    return Suggestion(
        base_lr,
        max_lr,
        "bounds",
        f"the loss begins to fall at {shape.fall_begins_lr:.1e} and is lowest at {lowest:.1e}; "
        f"max_lr is a {SAFETY_FACTOR:g}th of that.",
    )


@_method("minimum")
def minimum(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: a tenth of the rate of the lowest smoothed loss (fastai's `minimum`)."""
    lowest = _Shape.of(lrs, losses).lowest_lr
    lr = max(lowest / 10, float(lrs[0]))
    return Suggestion(lr, lr, "minimum", f"a tenth of {lowest:.1e}, where the loss is lowest.")


@_method("steepest")
def steepest(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: where the smoothed loss falls fastest against the logarithm of the rate.

    Looked for from where the fall begins: a high loss on the first steps is no fall.
    """
    shape = _Shape.of(lrs, losses)
    slope = np.gradient(shape.smoothed, shape.log_lrs)
    steepest = shape.fall_begins + np.argmin(slope[shape.fall_begins : shape.lowest + 1])
    lr = float(np.clip(10 ** shape.log_lrs[steepest], lrs[0], lrs[-1]))
    return Suggestion(lr, lr, "steepest", f"the loss falls fastest at {lr:.1e}.")


@dataclass(frozen=True)
class _Shape:
    """A curve's smoothed shape on an even grid of log10(lr), known to fall, reach a minimum and turn."""

    log_lrs: np.ndarray
    smoothed: np.ndarray
    level: float
    lowest: int

    @classmethod
    def of(cls, lrs: np.ndarray, losses: np.ndarray) -> _Shape:
        finite = finite_mask(losses)
        broke_off = not finite.all()
        end = int(np.argmin(finite)) if broke_off else len(losses)
        if end < MIN_POINTS:
            raise NoSuggestion(
                f"the curve has {end} finite losses and at least {MIN_POINTS} are needed: "
                "take more steps, or lower `start_lr`."
            )
        log_lrs, losses = np.log10(lrs[:end]), losses[:end]
        grid, smoothed, noise = _smooth(log_lrs, losses)
        level = float(np.median(losses[: max(MIN_POINTS // 2, end // 10)]))
        lowest = int(np.argmin(smoothed))
        shape = cls(grid, smoothed, level, lowest)
        shape._check(noise, broke_off)
        return shape

    @property
    def lowest_lr(self) -> float:
        return float(10 ** self.log_lrs[self.lowest])

    @property
    def fall(self) -> float:
        return self.level - float(self.smoothed[self.lowest])

    @property
    def fall_begins(self) -> int:
        before = self.smoothed[: self.lowest + 1]
        still_level = np.flatnonzero(before > self.level - FALL_BEGINS * self.fall)
        return int(still_level[-1]) if len(still_level) else 0

    @property
    def fall_begins_lr(self) -> float:
        return float(10 ** self.log_lrs[self.fall_begins])

    def _check(self, noise: float, broke_off: bool) -> None:
        rise = float(self.smoothed[-1] - self.smoothed[self.lowest])
        if self.lowest == 0 or self.fall <= STANDS_OUT * noise or self.fall <= 1e-6 * abs(self.level):
            if broke_off or rise > max(STANDS_OUT * noise, 1e-6 * abs(self.level)):
                raise NoSuggestion(
                    "the loss rises without having fallen first: lower `start_lr`, so that the sweep begins "
                    "with rates the model learns from."
                )
            raise NoSuggestion(
                f"the loss is flat: its fall of {max(self.fall, 0):.2g} does not stand out from its noise of "
                f"{noise:.2g}. Raise `end_lr`, or take more steps or larger batches."
            )
        if not broke_off and rise < TURNS * self.fall:
            raise NoSuggestion(
                "the loss never turned upwards, so the largest usable rate was not reached: raise `end_lr`."
            )


def _smooth(log_lrs: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Gaussian kernel regression on an even grid, and the standard error of its values.

    The kernel's width is fixed in decades, so that sweeps of any length get the same shape.
    """
    span = log_lrs[-1] - log_lrs[0]
    spacing = span / (len(log_lrs) - 1)
    width = max(SMOOTHING_DECADES, 1.5 * spacing)
    grid = np.linspace(log_lrs[0], log_lrs[-1], max(MIN_POINTS, int(span * GRID_PER_DECADE)))
    weights = np.exp(-0.5 * ((grid[:, None] - log_lrs[None, :]) / width) ** 2)
    smoothed = weights @ losses / weights.sum(axis=1)
    residuals = losses - np.interp(log_lrs, grid, smoothed)
    deviation = 1.4826 * float(np.median(np.abs(residuals - np.median(residuals))))
    points_in_kernel = max(1.0, np.sqrt(4 * np.pi) * width / spacing)
    return grid, smoothed, deviation / np.sqrt(points_in_kernel)
