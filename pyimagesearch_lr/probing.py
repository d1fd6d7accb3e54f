"""Which rates to try in short trainings, and for how long; NumPy only, TensorFlow is never imported here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import COUNT, optional, whole
from pyimagesearch_lr.suggest import Probe

MIN_VERIFY_STEPS = 120
SWEEPS = 3
MOST_STEPS = 1200
COARSE = 0.5
FINE = 0.25
STEPS_BEFORE, RATE_BEFORE = 10, 1e-12  # which tell the loss before anything is learnt

STEPS = whole(f"a whole number of at least {MIN_VERIFY_STEPS}", lambda steps: steps >= MIN_VERIFY_STEPS)


@dataclass(frozen=True)
class Stages:
    """How the steps are divided among probes; chosen on the tuning tasks of `scripts/benchmarks/choosing.py`.

    Args:
        share: Float, the share of all steps that each probe of the first stage takes.
        probes: Int, the largest number of probes in the first stage.
        searching: Float, the share of all steps that the first stage takes at most while none of them learns.
        fine: Tuple of floats, the rates of the second stage, in decades from the best of the first.
        decisive: Int, how many steps a probe of the second stage should have: if there are fewer, the highest
            of its rates is left out, as short probes do not see that a rate diverges later.
    """

    share: float = 1 / 12
    probes: int = 6
    searching: float = 0.75
    fine: tuple[float, ...] = (-COARSE, -FINE, 0.0, FINE)
    decisive: int = 200


STAGES = Stages()


@dataclass(frozen=True)
class Verify:
    """How `find` tries a curve's answer.

    Args:
        steps: Int, how many steps all probes may take together, at least 120; None takes three times the
            steps of the sweep, and at most 1,200. Ten steps more, at a rate that changes nothing, tell what
            the loss is before anything is learnt.
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
    long as it falls. Then, with all the steps that are left: the best of them, two lower rates in quarters of
    a decade and, unless steps are few, one higher; all others are dropped. A probe that diverges ends at
    once, and costs less. While none ends clearly below the loss that it began with, lower rates are tried.

    Args:
        max_lr: Float, where to begin.
        train: Function of a rate and a number of steps, which trains one cycle up to that rate.
        max_steps: Int, how many steps all probes may take together, at least 120.
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
    ['1.0e-02 for 100', '3.2e-02 for 100', '3.2e-03 for 232', '5.6e-03 for 232', '1.0e-02 for 232']
    """
    low, high = np.log10(limits[0]) - 1e-9, np.log10(limits[1]) + 1e-9
    longest = max_steps if train_steps is None else train_steps
    first: dict[float, Probe] = {}
    second: dict[float, Probe] = {}

    def try_rate(place: float, steps: int, stage: dict[float, Probe]) -> None:
        if low <= place <= high:
            stage[place] = train(10**place, steps)

    def spent() -> int:
        return sum(probe.steps for probe in [*first.values(), *second.values()])

    def best_place() -> float:
        return min(
            first, key=lambda place: (first[place].loss if first[place].fell_clearly else math.inf, place)
        )

    def outcome(place: float) -> tuple[bool, bool, float, float]:
        probe = first[place]
        return not probe.fell_clearly, not probe.learned, probe.loss if probe.learned else 0.0, place

    def goes_on_down() -> bool:
        fell = any(probe.fell_clearly for probe in first.values())
        return not fell and spent() + steps <= stages.searching * max_steps

    steps = _even(min(int(stages.share * max_steps), longest))
    centre = COARSE * round(float(np.clip(np.log10(max_lr), low, high)) / COARSE)
    for place in (centre, centre - COARSE, centre + COARSE):
        try_rate(place, steps, first)
    while first and (len(first) < stages.probes or goes_on_down()):
        best = best_place()
        further = best + COARSE if best == max(first) else best - COARSE
        if further in first or not low <= further <= high:
            break
        try_rate(further, steps, first)
    best = min(first, key=outcome, default=centre)
    left, fine = max_steps - spent(), stages.fine
    if left // len(fine) < min(stages.decisive, longest):
        fine = fine[:-1]
    steps = _even(min(left // len(fine), longest))
    for step in fine:
        try_rate(best + step, steps, second)
    while (
        second and not any(probe.fell_clearly for probe in second.values()) and max_steps - spent() >= steps
    ):
        if (further := min(second) - COARSE) < low:
            break
        try_rate(further, steps, second)
    return [*first.values(), *second.values()]


def _even(steps: int) -> int:
    """As many steps or one fewer, so that a cycle has a step at its highest rate."""
    return max(2, steps - steps % 2)
