"""Which rates to try in short trainings, and for how long; NumPy only, TensorFlow is never imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import COUNT, optional, whole
from pyimagesearch_lr.suggest import Probe, decided, trained_in_all

MIN_VERIFY_STEPS = 120
SWEEPS = 3
MOST_STEPS = 1200
COARSE = 0.5
FINE = 0.25
RATE_BEFORE = 1e-12  # which changes nothing
NOTHING_HAPPENED = 0.01
NEAR = 0.25  # the start: a loss that ended no further from it, as a share
NO_DIFFERENCE = 1e-3  # between the losses of neighbouring rates, as a share of the first loss

STEPS = whole(f"a whole number of at least {MIN_VERIFY_STEPS}", lambda steps: steps >= MIN_VERIFY_STEPS)


@dataclass(frozen=True)
class Stages:
    """Which probes get how many steps; chosen on the tuning tasks of `scripts/benchmarks/choosing.py`.

    Args:
        share: Float, the share of all steps that each probe of the first stage takes, and as many before it.
        widening: Float, the share of all steps up to which the first stage also goes on at open ends.
        searching: Float, the share of all steps at which the first stage ends.
        last: Int, the number of rates of the second stage.
        open_below: Float; the lower end is open while the loss falls there as far as at the best, but for
            this share.
        open_above: Float, that share at the upper end.
        alike: Float, the share of the best one's fall by which other falls may be smaller and look alike.
        widest: Float, the longest stride upwards in decades, while nothing happens.
        rising: Float, how many times as far as with any other rate the loss falls with the highest where all
            are too low to learn with.
    """

    share: float = 1 / 12
    widening: float = 7 / 12
    searching: float = 0.75
    last: int = 3
    open_below: float = 0.4
    open_above: float = 0.1
    alike: float = 0.02
    widest: float = 2.0
    rising: float = 1.4

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

    Rates lie on a fixed grid, so that sweeps that differ by noise try the same ones; only where no place of
    it is within the limits do they begin at the rate itself. First, half a decade apart: the one nearest to
    the rate, its two neighbours, and on in the direction of the lower loss for as long as it falls; then on
    at either end while that is nearly as good as the best, since losses go up and down among rates, and short
    trainings look alike. Then, with all the steps that are left, a quarter of a decade apart, or half of one
    if three rates or more look alike: the best of them, the one below, and one beyond that of the two which
    `decided` takes; all others are dropped. A probe that diverges ends at once, and costs less. While none
    ends clearly below the loss that it began with, lower rates are tried, or higher ones, in longer and
    longer strides, where it is plain that these were too low to learn with.

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
    trying = _Trying(train, stages, max_steps=max_steps, before=before, longest=longest, low=low, high=high)
    trying.search(float(np.clip(np.log10(max_lr), *np.log10(limits))))
    if trying.first:
        trying.decide()
    return trying.probes


@dataclass
class _Trying:
    """The probes of both stages, by the logarithms of their rates, within the steps that there are.

    Args:
        train: As in `probe_around`.
        stages: As in `probe_around`.
        max_steps: Int, how many steps there are in all.
        before: Int, how many of them are gone before, and each probe of the first stage takes.
        longest: Int, the most that a probe of the second stage may take.
        low: Float, the logarithm of the lowest rate to try.
        high: Float, that of the highest.
    """

    train: Callable[[float, int], Probe]
    stages: Stages
    max_steps: int
    before: int
    longest: int
    low: float
    high: float
    first: dict[float, Probe] = field(default_factory=dict)
    second: dict[float, Probe] = field(default_factory=dict)

    @property
    def probes(self) -> list[Probe]:
        """Those of both stages, each once, in the order of trying."""
        return list({id(probe): probe for probe in [*self.first.values(), *self.second.values()]}.values())

    def search(self, begin: float) -> None:
        """The first stage: short probes, from there to where the loss is lowest and beyond open ends."""
        centre = COARSE * round(begin / COARSE)
        for place in (centre, centre - COARSE, centre + COARSE):
            self._try(place, self.before, self.first)
        if not self.first:  # the limits are closer to each other than the grid
            self._try(begin, self.before, self.first)
        while self.first and self._left(self.stages.searching) >= self.before:
            fallen = _fallen(self.first)
            places = _beside_the_best(self.first) if fallen else self._away(self.first)
            if self._left(self.stages.widening) >= self.before:
                places += _open_ends(self.first, self.stages)
            if not self._try_one_of(places, self.before, self.first):
                break

    def decide(self) -> None:
        """The second stage: all steps that are left for the best of the first, and for those beside it."""
        best, steps = _best_place(self.first), _even(min(self._left() // self.stages.last, self.longest))
        stride = COARSE if len(_alike(self.first, self.stages.alike)) > 2 else FINE
        for place in (best, best - stride):
            self._try(place, steps, self.second)
        shorter = list(self.first.values())
        while len(self.second) < self.stages.last:
            if not self._try_one_of(_beyond(shorter, self.second, stride), steps, self.second):
                break
        while self.second and not _fallen(self.second) and self._left() >= steps:
            if not self._try_one_of(self._away(self.second), steps, self.second):
                break

    def _left(self, share: float = 1.0) -> int:
        """How many of that share of the steps are left."""
        taken = self.before + sum(probe.steps for probe in self.probes)
        return int(share * self.max_steps) - taken

    def _try(self, place: float, steps: int, stage: dict[float, Probe]) -> bool:
        """Try a rate unless that was done, or it is out of the limits; whether it was tried now."""
        new = self.low <= place <= self.high and place not in stage
        if new:
            known = self.first.get(place)
            stage[place] = known if known and known.steps >= steps else self.train(10**place, steps)
        return new

    def _try_one_of(self, places: Iterable[float], steps: int, stage: dict[float, Probe]) -> bool:
        """Try the first of the places that can be tried; whether there was one."""
        return any(self._try(place, steps, stage) for place in places)

    def _away(self, tried: dict[float, Probe]) -> list[float]:
        return _away(tried, self.high, self.stages)


def _fallen(tried: dict[float, Probe]) -> dict[float, Probe]:
    """Those of the probes, by the logarithms of their rates, whose loss fell clearly."""
    return {place: probe for place, probe in tried.items() if probe.fell_clearly}


def _best_place(tried: dict[float, Probe]) -> float:
    """The one of the lowest loss, of those that fell clearly, or else that fell, or else the lowest."""

    def order(place: float) -> tuple[bool, bool, float, float]:
        probe = tried[place]
        return not probe.fell_clearly, not probe.learned, probe.loss if probe.learned else 0.0, place

    return min(tried, key=order)


def _alike(tried: dict[float, Probe], share: float) -> list[float]:
    """The places where the loss fell clearly, and which that share makes as good as the best."""
    fallen = _fallen(tried)
    if not fallen:
        return []
    best = fallen[_best_place(fallen)]
    return [place for place, probe in fallen.items() if probe.loss <= best.loss + best.tolerance(share)]


def _beside_the_best(tried: dict[float, Probe]) -> list[float]:
    """Half a decade above and below it, whether they were tried or not."""
    best = _best_place(tried)
    return [best + COARSE, best - COARSE]


def _open_ends(tried: dict[float, Probe], stages: Stages) -> list[float]:
    """Half a decade beyond each end that is nearly as good as the best; the better end first."""
    lowest, highest = min(tried), max(tried)
    best = tried[_best_place(tried)].fall
    ends = (lowest, lowest - COARSE, stages.open_below), (highest, highest + COARSE, stages.open_above)
    beyond = {place: tried[end].fall for end, place, share in ends if tried[end].fall >= (1 - share) * best}
    return sorted(beyond, key=beyond.__getitem__, reverse=True) if _fallen(tried) else []


def _away(tried: dict[float, Probe], high: float, stages: Stages) -> list[float]:
    """Beyond rates none of which let the loss fall clearly: no place where the lowest of them did nothing.

    Upwards no further than the highest place of the grid.
    """
    lowest, highest = min(tried), max(tried)
    if not _are_too_low(tried, stages.rising):
        return [] if _left_alone(tried[lowest]) else [lowest - COARSE]
    stride = COARSE
    if lowest < highest and (_left_alone(tried[highest]) or _are_the_same(tried)):
        stride = min(max(COARSE, 2 * (highest - sorted(tried)[-2])), stages.widest)
    return [min(highest + stride, max(highest + COARSE, COARSE * np.floor(high / COARSE)))]


def _beyond(shorter: list[Probe], tried: dict[float, Probe], stride: float) -> tuple[float, float]:
    """A stride beyond those that were tried: first on the side of what would be taken."""
    places = max(tried) + stride, min(tried) - stride
    probes = [*shorter, *tried.values()]
    trained = any(not probe.diverged for probe in tried.values()) and trained_in_all(probes)
    up = trained and decided(probes)[0].max_lr == tried[max(tried)].max_lr
    return places if up else places[::-1]


def _left_alone(probe: Probe) -> bool:
    """Whether the loss is where it was."""
    return abs(probe.fall) < NOTHING_HAPPENED * abs(probe.first_loss)


def _are_the_same(tried: dict[float, Probe]) -> bool:
    """Whether the rate makes next to no difference: a higher one ends lower, near the start, by a hair."""
    probes = [tried[place] for place in sorted(tried)]
    first = abs(probes[0].first_loss)
    near = len(probes) > 1 and all(abs(probe.fall) < NEAR * first for probe in probes)
    return near and all(0 < low.loss - high.loss < NO_DIFFERENCE * first for low, high in pairwise(probes))


def _are_too_low(tried: dict[float, Probe], rising: float) -> bool:
    """Whether even the highest rate is too low to learn with.

    It left the loss where it was, or where the others did; or the loss fell most with it, by far. Rates that
    are too high to learn with leave it elsewhere: a network that guesses ends near the same loss with all.
    """
    *_, highest = sorted(tried)
    if _left_alone(tried[highest]) or _are_the_same(tried):
        return True
    falls = {place: probe.fall for place, probe in tried.items()}
    largest = falls.pop(highest)
    return largest > 0 and all(largest >= rising * fall for fall in falls.values())


def _even(steps: int) -> int:
    """As many steps or one fewer, so that a cycle has a step at its highest rate."""
    return max(2, steps - steps % 2)
