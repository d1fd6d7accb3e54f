"""Learning rates read off a curve, one function a method; Keras and TensorFlow are never imported here.

Every method takes the swept rates and the raw losses, shapes `(rates,)`, and returns a `Suggestion` or raises
`NoSuggestion`. All are read off the line that plots draw, `smoothing.smoothed`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import one_of
from pyimagesearch_lr.smoothing import Smoothed, rate_of_change, simple_moving_average, smoothed

MIN_POINTS = 10
FALL_BEGINS = 0.05
TURNS = 0.1
AS_GOOD = 0.01
CLEAR_FALL = 0.05
CLEARLY_WORSE = 0.1
BASE_STEPS = 100
STANDS_OUT = 5.0
SLIDE_THRESHOLD = 0.1
HOW_TO_TRY = (
    "`LearningRateFinder.find` tries what a curve says, on data that can start again, unless `verify=False` "
    "is passed."
)
TRIED = "`suggest()` gives what was tried."
IF_NOISE = (
    "If losses are noisy (small batches, a rare class), larger batches or `repeats` help, and "
    "`stop_factor=None` where noise ended the sweep."
)


CYCLES = ("bounds", "constant")  # the methods that speak of a cycle, which can be tried


class NoSuggestion(ValueError):  # noqa: N818 - the absence of an answer is not the user's error
    """The curve supports no suggestion; the message says why and what to do.

    Args:
        message: String.
        lowest_lr: Float, the rate of the lowest loss, from which rates can be tried; None if the loss is flat
            or none is finite.
    """

    def __init__(self, message: str, lowest_lr: float | None = None):
        super().__init__(message)
        self.lowest_lr = lowest_lr


@dataclass(frozen=True)
class Suggestion:
    """Learning rates to train with.

    Args:
        base_lr: Float, the lowest rate of a cycle.
        max_lr: Float, the highest rate of a cycle, or the rate to train with at a constant rate.
        method: String, the method that gave them.
        reason: String, one sentence that can be checked against the plot.
        spread: Float, the standard deviation of log10(max_lr), in decades, over the sweeps of a curve that
            was measured repeatedly, each by itself; None for one sweep, NaN where fewer than two of them
            support an answer.
    """

    base_lr: float
    max_lr: float
    method: str
    reason: str
    spread: float | None = None


@dataclass(frozen=True)
class Probe:
    """One short training with a cyclical rate, from the state that the sweep began with.

    Args:
        base_lr: Float, the lowest rate of its cycle.
        max_lr: Float, the highest rate of its cycle.
        steps: Int, its length: one whole cycle.
        loss: Float, the mean loss of its last steps; NaN or infinite if it diverged.
        error: Float, the standard error of that mean.
        first_loss: Float, the loss of the same batches before anything was learnt, or the mean of as many
            as were seen then; 0 where it is not known. Version 0.1 has that of one batch here.
    """

    base_lr: float
    max_lr: float
    steps: int
    loss: float
    error: float = 0.0
    first_loss: float = 0.0

    @property
    def diverged(self) -> bool:
        """Whether its loss is not finite."""
        return not math.isfinite(self.loss)

    @property
    def fall(self) -> float:
        """How far its loss ended below the one that it began with; minus infinity if it diverged."""
        return -math.inf if self.diverged else self.first_loss - self.loss

    @property
    def learned(self) -> bool:
        """Whether it ended below the loss that it began with; any finite loss where that is not known."""
        return not self.diverged and (not self.first_loss or self.loss < self.first_loss)

    @property
    def fell_clearly(self) -> bool:
        """Whether it ended clearly below the loss that it began with, by 5 %; any end if that is not known.

        An untrained network is a little worse than guessing, so one that guesses has a loss that fell, too.
        """
        return self.learned and (not self.first_loss or self.fall >= CLEAR_FALL * abs(self.first_loss))

    def tolerance(self, share: float = AS_GOOD) -> float:
        """Losses no more than this above its own are as good: that share of its whole fall.

        Of the fall of its logarithm if that is less: a loss that falls over decades, as where the targets are
        tiny beside what an untrained network gives, is still far from its end after most of its fall.
        """
        if self.loss <= 0 or not self.learned or not self.first_loss:
            return share * max(0.0, self.fall)
        return min(share * self.fall, self.loss * ((self.first_loss / self.loss) ** share - 1))


@dataclass(frozen=True)
class CurveRule:
    """Where `max_lr` lies on a curve: see `bounds`. Chosen by `scripts/benchmarks/curve_rule.py`.

    Args:
        half: Float, the share of the fall that is done at the first rate and undone again at the second.
        towards_the_rise: Float, how far it is from the first to the second, on the logarithmic axis.
        steps_late: Number, how many steps late a loss shows that a rate is too high.
        safety: Float, by what the rate is divided.
    """

    half: float = 0.5
    towards_the_rise: float = 0.7
    steps_late: float = 5
    safety: float = 2.0


RULE = CurveRule()
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Suggestion]] = {}


def suggest(lrs: Any, losses: Any, method: str = "bounds", how_to_try: str = HOW_TO_TRY) -> Suggestion:
    """Learning rates to train with, by one of `METHODS`.

    Args:
        lrs: Array of shape `(rates,)`, increasing and above 0.
        losses: Array of shape `(rates,)`, the raw loss of each rate; may hold NaN and infinity.
        method: String, a key of `METHODS`.
        how_to_try: String, what the reason of a cycle's rates says after "It is untried: ", or a refusal of
            them after the rate from which others can be tried, if there is one.

    Returns:
        A `Suggestion` whose rates lie within the swept range.

    Raises:
        NoSuggestion: If the curve supports none.
        ValueError: If the method is unknown or the arrays do not fit.
        TypeError: If the method is not a string.

    Example:

    >>> lrs = np.geomspace(1e-6, 1, 200)
    >>> losses = 2.3 - 2 / (1 + (1e-3 / lrs) ** 2) + (lrs / 0.1) ** 2
    >>> suggestion = suggest(lrs, losses)
    >>> suggestion.base_lr < 1e-3 < suggestion.max_lr < 1e-1
    True
    """
    lrs = np.asarray(lrs, dtype=np.float64)
    losses = np.asarray(losses, dtype=np.float64)
    if lrs.ndim != 1 or lrs.shape != losses.shape:
        raise ValueError(
            "`lrs` and `losses` must be arrays of one dimension and the same length. "
            f"Received shapes: {lrs.shape} and {losses.shape}."
        )
    read_off = METHODS[one_of(tuple(METHODS))("", "method", method)]
    if method not in CYCLES:
        return read_off(lrs, losses)
    try:
        suggestion = read_off(lrs, losses)
    except NoSuggestion as refusal:
        raise _with_a_way_on(refusal, how_to_try) from None
    return replace(suggestion, reason=f"{suggestion.reason} It is untried: {how_to_try}")


def _with_a_way_on(refusal: NoSuggestion, how_to_try: str) -> NoSuggestion:
    """The refusal, with how rates could be tried where trying has a place to begin."""
    lowest = refusal.lowest_lr
    if lowest is None:
        return refusal
    if how_to_try == TRIED:
        return NoSuggestion(f"{refusal} {how_to_try}", lowest)
    where = f"The loss is lowest at {lowest:.1e}, and rates around that are untried"
    return NoSuggestion(f"{refusal} {where}: {how_to_try}", lowest)


def decided(
    probes: Sequence[Probe], as_good: float = AS_GOOD, clearly_worse: float = CLEARLY_WORSE
) -> tuple[Probe, Probe]:
    """The probe that is chosen and the one of the lowest loss, of those that were tried for longest.

    Chosen is the lowest rate as good as the best: a rate that is higher than it need be is the more likely
    one to diverge in a longer training. For the same reason it is not the highest of them if in a shorter
    probe the next rate above trained clearly worse than the best did in as many steps: it is at the edge of
    what trains, and the one below is taken. A rate that diverged in a probe of any length is excluded.

    Args:
        probes: Sequence of `Probe`, with a rate at least that diverged in none.
        as_good: Float, the share of the best one's fall by which a loss may be higher and be as good.
        clearly_worse: Float, the share of that fall by which it is higher and clearly worse.
    """
    trained = trained_in_all(probes)
    longest = max(probe.steps for probe in trained)
    decisive = sorted((probe for probe in trained if probe.steps == longest), key=lambda each: each.max_lr)
    lowest = min(decisive, key=lambda probe: probe.loss)
    place = next(
        place for place, probe in enumerate(decisive) if probe.loss <= lowest.loss + lowest.tolerance(as_good)
    )
    at_edge = 0 < place == len(decisive) - 1 and _is_worse_above(decisive[place], probes, clearly_worse)
    return decisive[place - at_edge], lowest


def trained_in_all(probes: Sequence[Probe]) -> list[Probe]:
    """Those of rates that diverged in none."""
    diverged = {probe.max_lr for probe in probes if probe.diverged}
    return [probe for probe in probes if probe.max_lr not in diverged]


def _is_worse_above(chosen: Probe, probes: Sequence[Probe], clearly_worse: float) -> bool:
    """Whether the next rate above trained clearly worse than the best of the probes of its length."""
    higher = [probe for probe in probes if probe.max_lr > chosen.max_lr]
    next_lr = min((probe.max_lr for probe in higher), default=None)
    next_above = [probe for probe in higher if probe.max_lr == next_lr]
    if not next_above or any(probe.diverged for probe in next_above):
        return bool(next_above)
    above = next_above[0]
    best = min((p for p in probes if p.steps == above.steps and not p.diverged), key=lambda p: p.loss)
    return above.loss - best.loss > clearly_worse * best.fall > 0


def best_probe(probes: Sequence[Probe], measure: str = "loss") -> Suggestion:
    """The bounds that `decided` chooses.

    Args:
        probes: Sequence of `Probe`.
        measure: String, what their losses are, for the reason.

    Raises:
        NoSuggestion: If there are no probes, or none ended with a finite loss below the one it began with.
    """
    if not trained_in_all(probes):
        raise NoSuggestion(
            "every rate that was tried diverged: lower `start_lr`."
            if probes
            else "the curve has no probes: measure it with `find(..., verify=True)`."
        )
    best, lowest = decided(probes)
    if not lowest.learned:
        least = min(probe.max_lr for probe in probes)
        raise NoSuggestion(
            f"no rate that was tried, {least:.1e} and up, brought the {measure} below "
            f"{lowest.first_loss:.4g}, where it began: the best ended at {lowest.loss:.4g}. Lower `start_lr` "
            "if it is near the first of them; if not, the model is trained already, or labels or loss are "
            "wrong."
        )
    rates, cost = len({probe.max_lr for probe in probes}), sum(probe.steps for probe in probes)
    reason = f"of {rates} rates tried in {cost:,} steps of short training, a cycle up to {best.max_lr:.1e} "
    if best.loss <= lowest.loss + lowest.tolerance():
        within = f"{lowest.loss:.4g} within {lowest.tolerance():.2g}"
        reason += f"is the lowest that reached the best {measure}, {within}."
    else:
        by = "" if measure == "loss" else f" by {measure}"
        reason += f"is the one below the best{by}: that reached {lowest.loss:.4g}, "
        reason += "but training is worse above."
    if not lowest.fell_clearly:
        reason += f" That is hardly below {lowest.first_loss:.4g}, where it began: guessing comes to as much."
    return Suggestion(best.base_lr, best.max_lr, "verified", reason)


def _method(name: str) -> Callable:
    def register(function: Callable) -> Callable:
        METHODS[name] = function
        return function

    return register


@_method("bounds")
def bounds(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """Bounds for cyclical training, read off the smoothed loss: the safest of the rules, but untried.

    `log(max_lr) = 0.3 * log(half_down) + 0.7 * log(half_up) - log(2) - 5 * log(step)`, at most `lowest`

    `half_down` is the rate at which half of the loss's fall is done, `half_up` the one at which half of it is
    undone again, or at which the loss explodes, `lowest` that of the lowest smoothed loss. `step` is the
    ratio of one rate of the sweep to the one before, its geometric mean on a linear ramp: a loss shows about
    5 steps late that a rate is too high. `CurveRule` has these numbers, which were chosen by what they lose
    on tuning tasks. Too low a rate costs little, too high a one everything.

    `base_lr` is the rate at which 100 steps do as much as all steps of the sweep up to where the loss begins
    to fall, the last rate before the minimum at which the smoothed loss is still within 5 % of the whole fall
    from its level at the start. At such small rates what counts is the sum of the rates, so a longer sweep,
    which spends more steps on each decade, begins to fall earlier; this makes up for it. It is at most a
    tenth of `max_lr`.

    With `steps_per_lr` above 1, the 5 and the 100 are rates, not steps, so that both answers are lower.

    Source: the range test of Smith, 2017, arXiv:1506.01186, section 3.3, which reads both off by eye.
    """
    shape = Shape.of(lrs, losses)
    half_down, half_up = shape.half_fall(RULE.half)
    max_lr = shape.max_lr(RULE)
    begins = int(np.searchsorted(lrs, shape.fall_begins_lr))
    base_lr = max(min(float(lrs[: begins + 1].sum()) / BASE_STEPS, max_lr / 10), float(lrs[0]))
    if not base_lr < max_lr:
        raise NoSuggestion(
            f"the loss is lowest at {shape.lowest_lr:.1e}, too close to the first rate of the sweep, "
            f"{lrs[0]:.1e}: lower `start_lr` to a tenth or less.",
            shape.lowest_lr,
        )
    return Suggestion(
        base_lr,
        max_lr,
        "bounds",
        f"the smoothed loss begins to fall at {shape.fall_begins_lr:.1e}, has half its fall at "
        f"{half_down:.1e}, is lowest at {shape.lowest_lr:.1e}, and has lost half of the fall again, or "
        f"explodes, at {half_up:.1e}: {BASE_STEPS} steps at base_lr do as much as the sweep did up to the "
        f"first, and max_lr is half of the rate {RULE.towards_the_rise:.0%} of the way from the second to "
        f"the last, {RULE.steps_late:g} steps earlier, or the third where that is lower.",
    )


@_method("minimum")
def minimum(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: a tenth of the rate of the lowest smoothed loss (fastai's `minimum`)."""
    lowest = Shape.of(lrs, losses).lowest_lr
    lr = max(lowest / 10, float(lrs[0]))
    return Suggestion(lr, lr, "minimum", f"a tenth of {lowest:.1e}, where the loss is lowest.")


@_method("constant")
def constant(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: the mean rate of a triangular cycle between the `bounds`."""
    cycle = bounds(lrs, losses)
    lr = (cycle.base_lr + cycle.max_lr) / 2
    reason = f"the mean rate of a cycle from {cycle.base_lr:.1e} to {cycle.max_lr:.1e}."
    return Suggestion(lr, lr, "constant", reason)


@_method("steep")
def steep(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: where the smoothed loss falls fastest against the logarithm of the rate.

    fastai's `steep`, but of the smoothed loss, and looked for from where the fall begins: a high loss on the
    first steps is not a fall.
    """
    shape = Shape.of(lrs, losses)
    slope = np.gradient(shape.smoothed, shape.log_lrs)
    place = shape.fall_begins + int(np.argmin(slope[shape.fall_begins : shape.lowest + 1]))
    lr = shape.lr_of(place)
    return Suggestion(lr, lr, "steep", f"the loss falls fastest at {lr:.1e}.")


@_method("valley")
def valley(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: the middle of the longest valley.

    The valley is the longest strictly decreasing subsequence of the smoothed losses, from where the fall
    begins. fastai's `valley` takes the subsequence's length for its first place, and so may answer with the
    first or last rate of the sweep; here it is the place itself.
    """
    shape = Shape.of(lrs, losses)
    first, last = _longest_decrease(shape.smoothed[shape.fall_begins : shape.lowest + 1])
    first, last = first + shape.fall_begins, last + shape.fall_begins
    lr = shape.lr_of((first + last) // 2)
    ends = f"{shape.lr_of(first):.1e} to {shape.lr_of(last):.1e}"
    return Suggestion(lr, lr, "valley", f"the middle of the longest fall of the loss, {ends}.")


@_method("slide")
def slide(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: the largest one before the slope of the loss begins to change for the worse.

    A window of half a decade slides down from the lowest loss until the slopes at its two ends, in falls a
    decade, differ by less than 0.1; its lower end is the answer. fastai's `slide`, whose window and threshold
    are in steps and in units of the loss, and so depend on the length of the sweep and the scale of the loss.
    """
    shape = Shape.of(lrs, losses)
    slope = (np.gradient(shape.smoothed, shape.log_lrs) / shape.fall)[: shape.lowest + 1]
    width = max(1, round(0.5 / (shape.log_lrs[1] - shape.log_lrs[0])))
    calm = np.flatnonzero(np.abs(slope[width:] - slope[:-width]) < SLIDE_THRESHOLD)
    lr = shape.lr_of(int(calm[-1]) if len(calm) else shape.fall_begins)
    return Suggestion(lr, lr, "slide", f"above {lr:.1e} the slope of the loss changes.")


@_method("moving_average")
def moving_average(lrs: np.ndarray, losses: np.ndarray) -> Suggestion:
    """A constant rate: where the moving average of the loss's rate of change is lowest.

    Change and average are taken over a third of a decade of the smoothed loss, where Surmenok's are taken
    over a number of steps and so depend on the length of the sweep, and are read off in the middle, from
    where the fall begins to where the loss is lowest.

    Source: Surmenok, 2017, Estimating an Optimal Learning Rate For a Deep Neural Network.
    """
    shape = Shape.of(lrs, losses)
    window = max(1, round((1 / 3) / (shape.log_lrs[1] - shape.log_lrs[0])))
    change = simple_moving_average(rate_of_change(shape.smoothed, window)[window:], window)
    middles = np.arange(len(change)) + window // 2 - (window - 1) // 2
    is_fall = (middles >= shape.fall_begins) & (middles <= shape.lowest)
    place = int(middles[is_fall][np.argmin(change[is_fall])]) if is_fall.any() else shape.fall_begins
    lr = shape.lr_of(place)
    return Suggestion(lr, lr, "moving_average", f"the loss falls fastest around {lr:.1e}.")


@dataclass(frozen=True)
class Shape:
    """A smoothed curve, known to fall, reach a minimum and turn.

    Args:
        line: `Smoothed`.
        level: Float, the loss before it falls.
        lowest: Int, the place of the lowest smoothed loss.
        range: Tuple of floats, the first and the last rate that are read.
    """

    line: Smoothed
    level: float
    lowest: int
    range: tuple[float, float]

    @classmethod
    def of(cls, lrs: np.ndarray, losses: np.ndarray) -> Shape:
        line = smoothed(lrs, losses)
        end = line.read
        if end < MIN_POINTS:
            raise NoSuggestion(
                f"the curve has {end} finite losses and at least {MIN_POINTS} are needed: take more steps, "
                f"or lower `start_lr`. {IF_NOISE}",
                float(lrs[np.argmin(losses[:end])]) if end else None,
            )
        level = float(np.median(losses[: max(MIN_POINTS // 2, end // 10)]))
        shape = cls(
            line, level, int(np.argmin(line.losses[: line.calm])), (float(lrs[0]), float(lrs[end - 1]))
        )
        shape.check(broke_off=end < len(losses), leaps=_leaps(lrs))
        return shape

    @property
    def log_lrs(self) -> np.ndarray:
        return self.line.log_lrs[: self.line.calm]

    @property
    def smoothed(self) -> np.ndarray:
        return self.line.losses[: self.line.calm]

    def lr_of(self, place: int) -> float:
        return float(np.clip(10 ** self.log_lrs[place], *self.range))

    @property
    def decades_a_step(self) -> float:
        """The logarithm of the ratio of one rate to the one before, over the rates that are read."""
        first, last = self.range
        return float(np.log10(last / first) / (self.line.read - 1))

    @property
    def lowest_lr(self) -> float:
        return self.lr_of(self.lowest)

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
        return self.lr_of(self.fall_begins)

    def max_lr(self, rule: CurveRule) -> float:
        """The highest rate of a cycle."""
        down, up = np.log10(self.half_fall(rule.half))
        log_lr = (1 - rule.towards_the_rise) * down + rule.towards_the_rise * up
        earlier = float(10 ** (log_lr - rule.steps_late * self.decades_a_step))
        return min(earlier / rule.safety, self.lowest_lr)

    def half_fall(self, share: float) -> tuple[float, float]:
        """The rates at which the loss has that share of its fall: going down, and up again or at the end."""
        above = self.smoothed > self.level - share * self.fall
        down = np.flatnonzero(above[: self.lowest + 1])
        up = np.flatnonzero(above[self.lowest :])
        return (
            self.lr_of(int(down[-1]) if len(down) else 0),
            self.lr_of(self.lowest + int(up[0]) if len(up) else len(above) - 1),
        )

    def check(self, *, broke_off: bool, leaps: bool) -> None:
        noise = self.line.error
        rise = float(self.smoothed[-1] - self.smoothed[self.lowest])
        if self.lowest == 0 or self.fall <= STANDS_OUT * noise or self.fall <= 1e-6 * abs(self.level):
            if broke_off or rise > max(STANDS_OUT * noise, 1e-6 * abs(self.level)):
                way = (
                    'pass `ramp="exponential"`, as a linear one leaps over rates the model learns from'
                    if leaps
                    else "lower `start_lr`, so that the sweep begins with rates the model learns from"
                )
                raise NoSuggestion(
                    f"the loss rises without having fallen first: {way}. {IF_NOISE}", self.lowest_lr
                )
            raise NoSuggestion(
                f"the loss is flat: its fall of {max(self.fall, 0):.2g} does not stand out from its noise of "
                f"{noise:.2g}. Raise `end_lr`, or take more steps. {IF_NOISE}"
            )
        if not broke_off and rise < TURNS * self.fall:
            raise NoSuggestion(
                "the loss never turned upwards, so the largest usable rate was not reached: raise `end_lr`, "
                "or, where the sweep ended before it, pass `stop_factor=None` and data for all its steps.",
                self.lowest_lr,
            )


def _leaps(lrs: np.ndarray) -> bool:
    """Whether a linear ramp is past a decade or more after its first step."""
    strides = np.diff(lrs)
    return len(lrs) > 2 and bool(lrs[1] > 10 * lrs[0]) and bool(np.allclose(strides, strides[0]))


def _longest_decrease(values: np.ndarray) -> tuple[int, int]:
    """First and last place of the longest strictly decreasing subsequence."""
    lengths = np.ones(len(values), dtype=int)
    firsts = np.arange(len(values))
    for place in range(1, len(values)):
        higher = np.flatnonzero(values[:place] > values[place])
        if len(higher):
            before = higher[np.argmax(lengths[higher])]
            lengths[place], firsts[place] = lengths[before] + 1, firsts[before]
    last = int(np.argmax(lengths))
    return int(firsts[last]), last
