"""What other learning-rate finders would have picked, each written from its definition, faults included.

Every method gets a `Recorded` sweep and returns one rate: of a pair of bounds, the upper one. Each smooths
the losses and ends the sweep as its own tool does, as far as the recorded losses go. A tool that goes on
after NaN is given NaN up to the last step. The tools that are Keras callbacks get what Keras shows to
callbacks: the epoch's running mean. Where a tool raises, the method raises ValueError, IndexError or
RuntimeError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Recorded:
    """A sweep as it was recorded.

    Args:
        lrs: float array of shape `(planned steps,)`, every rate of the ramp.
        raw_losses: float array of shape `(steps,)`, each step's own loss, up to where the sweep stopped.
        steps_per_epoch: Int, after how many steps Keras starts its running mean again.
    """

    lrs: np.ndarray
    raw_losses: np.ndarray
    steps_per_epoch: int


PEERS: dict[str, Callable[[Recorded], float]] = {}


def _peer(name: str) -> Callable:
    def register(function: Callable) -> Callable:
        PEERS[name] = function
        return function

    return register


# ---- what the tools record


def debiased_average(values: np.ndarray, beta: float = 0.98, ahead: int = 0) -> np.ndarray:
    """Exponential moving average divided by `1 - beta ** (steps + ahead)`; NaN stays in it for good."""
    average, averages = 0.0, []
    for step, value in enumerate(values, 1):
        average = beta * average + (1 - beta) * value
        averages.append(average / (1 - beta ** (step + ahead)))
    return np.array(averages)


def average_from_first(values: np.ndarray, weight: float = 0.05) -> np.ndarray:
    """Exponential moving average that begins at the first value."""
    averages = list(values[:1])
    for value in values[1:]:
        averages.append(weight * value + (1 - weight) * averages[-1])
    return np.array(averages)


def running_mean(values: np.ndarray, steps_per_epoch: int) -> np.ndarray:
    """The mean since the epoch's beginning, which is what Keras shows as `logs["loss"]`."""
    epochs = [values[start : start + steps_per_epoch] for start in range(0, len(values), steps_per_epoch)]
    return np.concatenate([np.cumsum(epoch) / np.arange(1, len(epoch) + 1) for epoch in epochs])


def until_diverged(losses: np.ndarray, factor: float) -> np.ndarray:
    """Up to and with the first loss above `factor` times the lowest so far."""
    best = math.inf
    for step, loss in enumerate(losses):
        best = min(best, loss) if loss == loss else best
        if loss > factor * best:
            return losses[: step + 1]
    return losses


def gone_on(sweep: Recorded) -> np.ndarray:
    """The raw losses of a tool that does not stop at NaN: NaN up to the last step."""
    losses = sweep.raw_losses
    if np.isnan(losses[-1]):
        losses = np.append(losses, np.full(len(sweep.lrs) - len(losses), np.nan))
    return losses


# ---- fastai


def _fastai(sweep: Recorded) -> tuple[np.ndarray, np.ndarray]:
    """Its average, less the first tenth of the planned steps, the last five, and all from the first NaN."""
    losses = until_diverged(debiased_average(gone_on(sweep)), 4)
    kept = slice(len(sweep.lrs) // 10, -5)
    lrs, losses = sweep.lrs[: len(losses)][kept], losses[kept]
    is_nan = np.isnan(losses)
    end = int(np.argmax(is_nan)) if is_nan.any() else len(losses)
    return lrs[:end], losses[:end]


def valley(lrs: np.ndarray, losses: np.ndarray) -> float:
    """Half-way through the longest strictly falling subsequence; its length is taken for its width."""
    lengths = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        longest_before = lengths[:i][losses[:i] > losses[i]]
        lengths[i] = 1 + (longest_before.max() if len(longest_before) else 0)
    start = end = 0
    if len(losses) and lengths.max() > 1:
        end = int(np.argmax(lengths))
        start = end - int(lengths[end])
    section = (end - start) / 3
    return float(lrs[start + int(section) + int(section / 2)])


def slide(lrs: np.ndarray, losses: np.ndarray, width: int = 15, threshold: float = 0.005) -> float:
    """Down from the end, until the slopes `width` steps apart differ by less than an absolute threshold."""
    slopes = np.gradient(losses)
    right, left = -1, -1 - width
    lr = lrs[left]
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > threshold:
        lr = lrs[left]
        right, left = right - 1, left - 1
    return float(lr)


def minimum(lrs: np.ndarray, losses: np.ndarray) -> float:
    return float(lrs[np.argmin(losses)]) / 10


def steep(lrs: np.ndarray, losses: np.ndarray) -> float:
    return float(lrs[np.argmin(np.diff(losses) / np.diff(np.log(lrs)))])


@_peer("fastai valley")
def fastai_valley(sweep: Recorded) -> float:
    return valley(*_fastai(sweep))


@_peer("fastai slide")
def fastai_slide(sweep: Recorded) -> float:
    return slide(*_fastai(sweep))


@_peer("fastai minimum")
def fastai_minimum(sweep: Recorded) -> float:
    return minimum(*_fastai(sweep))


@_peer("fastai steep")
def fastai_steep(sweep: Recorded) -> float:
    return steep(*_fastai(sweep))


# ---- PyTorch's


@_peer("Lightning")
def lightning(sweep: Recorded) -> float:
    """The steepest point over the rate itself, although the rates are exponential; its average starts low."""
    losses = until_diverged(debiased_average(gone_on(sweep), ahead=1), 4)
    lrs, losses = sweep.lrs[: len(losses)][10:-1], losses[10:-1]
    finite = np.isfinite(losses)
    if finite.sum() < 2:
        raise ValueError("fewer than 2 finite losses")
    return float(lrs[finite][np.argmin(np.gradient(losses[finite], lrs[finite]))])


@_peer("pytorch-lr-finder")
def pytorch_lr_finder(sweep: Recorded) -> float:
    losses = until_diverged(average_from_first(gone_on(sweep)), 5)
    if len(losses) < 17:
        raise RuntimeError("at least 17 iterations are needed")
    return float(sweep.lrs[: len(losses)][10:-5][np.argmin(np.gradient(losses[10:-5]))])


@_peer("ignite")
def ignite(sweep: Recorded) -> float:
    losses = until_diverged(average_from_first(gone_on(sweep)), 5)
    losses = losses[: int(np.argmin(losses)) + 1]
    if len(losses) < 3:
        raise RuntimeError("unexpected curve shape: it should be U-shaped")
    return float(sweep.lrs[1 + np.argmin((losses[2:] - losses[:-2]) / 2)])


# ---- Keras callbacks


def _keras_average(sweep: Recorded) -> np.ndarray:
    return debiased_average(running_mean(gone_on(sweep), sweep.steps_per_epoch))


@_peer("ktrain steepest")
def ktrain_steepest(sweep: Recorded) -> float:
    """The place is counted from the 33rd step and looked up from the first."""
    losses = until_diverged(_keras_average(sweep), 4)
    return float(sweep.lrs[np.argmin(np.gradient(losses[32 : int(np.argmin(losses))]))])


@_peer("ktrain minimum")
def ktrain_minimum(sweep: Recorded) -> float:
    losses = until_diverged(_keras_average(sweep), 4)
    return minimum(sweep.lrs, losses)


@_peer("ktrain valley")
def ktrain_valley(sweep: Recorded) -> float:
    losses = until_diverged(_keras_average(sweep), 4)
    return valley(sweep.lrs, losses)


@_peer("keras_lr_finder (Surmenok)")
def surmenok(sweep: Recorded, window: int = 20) -> float:
    """The steepest change over `window` steps; the first `window` places hold 0, which wins over any rise."""
    losses = until_diverged(running_mean(sweep.raw_losses, sweep.steps_per_epoch), 4)
    change = np.zeros(len(losses))
    change[window:] = (losses[window:] - losses[:-window]) / window
    return float(sweep.lrs[10 + np.argmin(change[10:-5])])


@_peer("dataiku")
def dataiku(sweep: Recorded) -> float:
    """The upper bound: a tenth of the minimum's rate, as the nearest one swept."""
    losses = _keras_average(sweep)
    lrs, losses = sweep.lrs[: len(losses)][5:-1], losses[5:-1]
    wanted = lrs[np.argmin(losses)] / 10
    return float(lrs[np.argmin(np.abs(lrs - wanted))])


@_peer("pychemauth")
def pychemauth(sweep: Recorded, share: float = 0.75) -> float:
    """The upper bound: the power of ten below the minimum's rate; raises where there is no lower one."""
    losses = until_diverged(_keras_average(sweep), 4)
    lrs, lowest, fifth = sweep.lrs[: len(losses)], int(np.argmin(losses)), len(losses) / 5
    if lowest < fifth:
        raise ValueError("the minimum is in the first fifth: lower the first rate")
    max_lr = 10.0 ** math.floor(math.log10(lrs[lowest]))
    top = int(np.argmin(np.abs(np.log(lrs / max_lr))))
    threshold = losses[top] + share * (np.mean(losses[: int(fifth)]) - losses[top])
    if not (losses[:top] >= threshold).any():
        raise ValueError("the loss does not fall before the upper bound: lower the first rate")
    return max_lr
