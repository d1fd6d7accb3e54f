"""Which rates to try in short trainings, and for how long; NumPy only, TensorFlow is never imported here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import COUNT, optional, whole
from pyimagesearch_lr.suggest import Probe, decided

MIN_VERIFY_STEPS = 120
SWEEPS = 3
MOST_STEPS = 1200
COARSE = 0.5
FINE = 0.25
RATE_BEFORE = 1e-12  # which changes nothing
NOTHING_HAPPENED = 0.01
PROPORTIONAL = 2.0

STEPS = whole(f"a whole number of at least {MIN_VERIFY_STEPS}", lambda steps: steps >= MIN_VERIFY_STEPS)


@dataclass(frozen=True)
class Stages:
    """How the steps are divided among probes; chosen on the tuning tasks of `scripts/benchmarks/choosing.py`.

    Args:
        share: Float, the share of all steps that each probe of the first stage takes, and as many before it.
        searching: Float, the share of all steps at which the first stage ends.
        last: Int, the number of rates of the second stage.
    """

    share: float = 1 / 12
    searching: float = 0.75
    last: int = 3

    def first_steps(self, max_steps: int, train_steps: int | None = None) -> int:
        """How many steps a probe of the first stage has, and are taken before anything is tried."""
        steps = int(self.share * max_steps)
        return _even(steps if train_steps is None else min(steps, train_steps))


STAGES = Stages()


@dataclass(frozen=True)
class Verify:
    """How `find` tries a curve's answer.

    Args:
        steps: Int, how many steps it may take in all, at least 120; None takes three times the steps of the
            sweep, and at most 1,200. A twelfth of them are at a rate that changes nothing, and tell what the
            loss is before anything is learnt, on the batches that the first probes are judged by.
        validation_data: As in `fit`; a probe is then judged by the loss on these data after its last step,
            in place of the mean of its last steps. These evaluations come on top of `steps`. None takes the
            `validation_data` of `find`, if there are any.
        validation_steps: Int, as in `fit`: how many batches of `validation_data` to take.

    Raises:
        ValueError: If there are too few steps.
        TypeError: If a number of steps is not a number.

    Example:

    >>> Verify().most_steps(sweep_steps=200), Verify().most_steps(1000), Verify(2000).most_steps(200)
    (600, 1200, 2000)
    """

    steps: int | None = None
    validation_data: Any = field(default=None, compare=False, repr=False)
    validation_steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", optional(STEPS)("Verify", "steps", self.steps))
        batches = optional(COUNT)("Verify", "validation_steps", self.validation_steps)
        object.__setattr__(self, "validation_steps", batches)

    def most_steps(self, sweep_steps: int) -> int | None:
        """How many steps may be taken after a sweep of that length; None if they would be too few."""
        if self.steps is not None:
            return self.steps
        steps = min(SWEEPS * sweep_steps, MOST_STEPS)
        return steps if steps >= MIN_VERIFY_STEPS else None


def probe_around(
    max_lr: float,
    train: Callable[[float, int], Probe],
    max_steps: int,
    limits: tuple[float, float],
    *,
    train_steps: int | None = None,
    stages: Stages = STAGES,
) -> list[Probe]:
    """Probes around a rate: short ones that move to where the loss is lowest, then longer ones there.

    Rates lie on a fixed grid, so that sweeps that differ by noise try the same ones. First, half a decade
    apart: the one nearest to the rate, its two neighbours, and on in the direction of the lower loss for as
    long as it falls. Then, with all the steps that are left, a quarter of a decade apart: the best of them,
    the one below, and one beyond that of the two which `decided` takes; all others are dropped. A probe that
    diverges ends at once, and costs less. While none ends clearly below the loss that it began with, lower
    rates are tried, or higher ones where it is plain that these were too low to learn with.

    Args:
        max_lr: Float, where to begin.
        train: Function of a rate and a number of steps, which trains one cycle up to that rate.
        max_steps: Int, how many steps there are for all probes, at least 120, and for the `first_steps` of
            the stages before them, at a rate that changes nothing.
        limits: Tuple of floats, the lowest and the highest rate to try.
        train_steps: Int, how many steps the real training will take, which no probe exceeds; None for many.
        stages: `Stages`.

    Returns:
        List of `Probe`, in the order of trying. `best_probe` picks from them.

    Example:

    >>> def train(max_lr, steps):
    ...     return Probe(max_lr / 10, max_lr, steps, loss=abs(np.log10(max_lr) + 2.2))
    >>> probes = probe_around(1e-3, train, max_steps=1200, limits=(1e-6, 1.0))
    >>> [f"{probe.max_lr:.1e} for {probe.steps}" for probe in probes][3:]
    ['1.0e-02 for 100', '3.2e-02 for 100', '1.0e-02 for 200', '5.6e-03 for 200', '3.2e-03 for 200']
    """
    low, high = np.log10(limits[0]) - 1e-9, np.log10(limits[1]) + 1e-9
    longest = max_steps if train_steps is None else train_steps
    before = stages.first_steps(max_steps, train_steps)
    first: dict[float, Probe] = {}
    second: dict[float, Probe] = {}

    def try_rate(place: float, steps: int, stage: dict[float, Probe]) -> bool:
        new = low <= place <= high and place not in stage
        if new:
            stage[place] = train(10**place, steps)
        return new

    def left(share: float = 1.0) -> int:
        taken = before + sum(probe.steps for probe in [*first.values(), *second.values()])
        return int(share * max_steps) - taken

    centre = COARSE * round(float(np.clip(np.log10(max_lr), low, high)) / COARSE)
    for place in (centre, centre - COARSE, centre + COARSE):
        try_rate(place, before, first)
    while first and left(stages.searching) >= before and try_rate(_next_place(first), before, first):
        pass
    if not first:
        return []
    best, steps = _best_place(first), _even(min(left() // stages.last, longest))
    for place in (best, best - FINE):
        try_rate(place, steps, second)
    while len(second) < stages.last:
        if not any(try_rate(place, steps, second) for place in _beyond(list(first.values()), second)):
            break
    while second and not _fallen(second) and left() >= steps and try_rate(_away(second), steps, second):
        pass
    return [*first.values(), *second.values()]


def _fallen(tried: dict[float, Probe]) -> dict[float, Probe]:
    """Those of the probes, by the logarithms of their rates, whose loss fell clearly."""
    return {place: probe for place, probe in tried.items() if probe.fell_clearly}


def _best_place(tried: dict[float, Probe]) -> float:
    """The one of the lowest loss, of those that fell clearly, or else that fell, or else the lowest."""

    def order(place: float) -> tuple[bool, bool, float, float]:
        probe = tried[place]
        return not probe.fell_clearly, not probe.learned, probe.loss if probe.learned else 0.0, place

    return min(tried, key=order)


def _next_place(tried: dict[float, Probe]) -> float:
    """Where to look next: beside the best, away from the others; one that was tried if there is no such."""
    if not _fallen(tried):
        return _away(tried)
    best = _best_place(tried)
    return best + COARSE if best == max(tried) else best - COARSE


def _away(tried: dict[float, Probe]) -> float:
    """Beyond rates none of which let the loss fall clearly."""
    return max(tried) + COARSE if _are_too_low(tried) else min(tried) - COARSE


def _beyond(shorter: list[Probe], tried: dict[float, Probe]) -> tuple[float, float]:
    """A quarter of a decade beyond those that were tried: first on the side of what would be taken."""
    places = max(tried) + FINE, min(tried) - FINE
    trained = any(not probe.diverged for probe in tried.values())
    up = trained and decided([*shorter, *tried.values()])[0].max_lr == tried[max(tried)].max_lr
    return places if up else places[::-1]


def _are_too_low(tried: dict[float, Probe]) -> bool:
    """Whether even the highest rate is too low to learn with.

    It left the loss where it was; or the loss fell most with it, and in proportion to the rate. Rates that
    are too high to learn with leave it elsewhere: a network that guesses ends at the same loss with all.
    """
    *_, highest = sorted(tried)
    falls = {place: probe.fall for place, probe in tried.items()}
    largest = falls.pop(highest)
    if abs(largest) < NOTHING_HAPPENED * abs(tried[highest].first_loss):
        return True
    return largest > 0 and all(largest >= PROPORTIONAL * fall for fall in falls.values())


def _even(steps: int) -> int:
    """As many steps or one fewer, so that a cycle has a step at its highest rate."""
    return max(2, steps - steps % 2)
