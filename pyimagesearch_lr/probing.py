"""Which rates to try in short trainings, and for how long; NumPy only, TensorFlow is never imported here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pyimagesearch_lr._arguments import optional, whole
from pyimagesearch_lr.suggest import Probe

STEPS_OF_ALL = 12
MIN_VERIFY_STEPS = 10 * STEPS_OF_ALL
COARSE = 0.5
FINE = 0.25
SWEEPS = 3
MOST_STEPS = 1200

STEPS = whole(f"a whole number of at least {MIN_VERIFY_STEPS}", lambda steps: steps >= MIN_VERIFY_STEPS)


@dataclass(frozen=True)
class Verify:
    """How `find` tries the answer of a curve.

    Args:
        steps: Int, how many steps all short trainings may take together, at least 120; None takes three times
            the steps of the sweep, and at most 1,200.

    Raises:
        ValueError: If there are too few steps.
        TypeError: If they are no whole number.

    Example:

    >>> Verify().most_steps(sweep_steps=200), Verify().most_steps(sweep_steps=1000), Verify(2000).most_steps(200)
    (600, 1200, 2000)
    """

    steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", optional(STEPS)("Verify", "steps", self.steps))

    def most_steps(self, sweep_steps: int) -> int | None:
        """How many steps may be taken after a sweep of that length; None where they would be too few."""
        if self.steps is not None:
            return self.steps
        steps = min(SWEEPS * sweep_steps, MOST_STEPS)
        return steps if steps >= MIN_VERIFY_STEPS else None


def probe_around(
    max_lr: float,
    train: Callable[[float, int], Probe],
    max_steps: int,
    limits: tuple[float, float],
) -> list[Probe]:
    """Short trainings around a rate, each next one where the loss was lowest, then longer ones there.

    Rates lie on a fixed grid, so that sweeps that differ by noise try the same ones. First, half a decade
    apart: the rate itself, its two neighbours, and on in the direction of the lower loss for as long as it
    falls. Then, for twice as many steps, the best of them and the rates a quarter of a decade to both sides.
    All others are dropped by then; what diverges ends at once.

    Args:
        max_lr: Float, where to begin.
        train: Function of a rate and a number of steps that trains one cycle up to that rate.
        max_steps: Int, how many steps all trainings may take together, at least 120; the first ones take
            a twelfth of that each.
        limits: Tuple of floats, the lowest and the highest rate to try.

    Returns:
        List of `Probe`, in the order of trying. `best_probe` picks from them.

    Raises:
        ValueError: If `max_steps` is too few.

    Example:

    >>> def train(max_lr, steps):
    ...     return Probe(max_lr / 10, max_lr, steps, loss=abs(np.log10(max_lr) + 2.2))
    >>> probes = probe_around(1e-3, train, max_steps=1200, limits=(1e-6, 1.0))
    >>> [f"{probe.max_lr:.1e}" for probe in probes]
    ['1.0e-03', '3.2e-04', '3.2e-03', '1.0e-02', '3.2e-02', '5.6e-03', '1.0e-02', '1.8e-02']
    """
    check_verify_steps(max_steps)
    steps = max_steps // STEPS_OF_ALL
    low, high = np.log10(limits[0]), np.log10(limits[1])
    centre = float(np.clip(FINE * round(np.log10(max_lr) / FINE), low, high))
    losses: dict[float, float] = {}
    probes: list[Probe] = []

    def try_rate(place: float, steps: int) -> None:
        if low <= place <= high:
            probes.append(train(10**place, steps))
            losses[place] = probes[-1].loss

    def best_place() -> float:
        return min(losses, key=lambda place: (losses[place], place))

    for place in (centre, centre - COARSE, centre + COARSE):
        try_rate(place, steps)
    for _ in range(STEPS_OF_ALL - 6 - len(probes)):
        best = best_place()
        further = best + COARSE if best == max(losses) else best - COARSE
        if further in losses or not low <= further <= high:
            break
        try_rate(further, steps)
    best = best_place()
    for place in (best - FINE, best, best + FINE):
        try_rate(place, 2 * steps)
    return probes


def check_verify_steps(max_steps: int) -> None:
    """Raise a ValueError if so few steps are no use."""
    if max_steps < MIN_VERIFY_STEPS:
        raise ValueError(f"`verify_steps` must be at least {MIN_VERIFY_STEPS}. Received: {max_steps}.")
