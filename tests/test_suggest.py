"""Suggestions read off curves whose knee and minimum are known, and reasons for giving none."""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyimagesearch_lr.suggest import METHODS, NoSuggestion, suggest

NAN, INF = float("nan"), float("inf")
HALF_DECADE, QUARTER_DECADE = 0.5, 0.25
SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)


def decades(first: float, second: float) -> float:
    """How far apart two rates are."""
    return abs(np.log10(first) - np.log10(second))


def sweep_of(num_rates: int = 400) -> np.ndarray:
    return np.geomspace(1e-8, 10, num_rates)


def curve_of(lrs, knee: float = 1e-4, minimum: float = 1e-1, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Level at 2.3 up to the knee, straight down to 0.3 at the minimum, and steeply up after it."""
    bends = np.log10([1e-9, knee, minimum, 100 * minimum])
    losses = np.interp(np.log10(lrs), bends, [2.3, 2.3, 0.3, 20.3])
    return losses + noise * np.random.default_rng(seed).normal(size=len(lrs))


def steep_curve_of(lrs, steepest: float = 1e-3, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """From 2.3 down to 0.3 in the shape of an S that is steepest at one place, and up after 1."""
    losses = 2.3 - 2 / (1 + np.exp(-3 * np.log10(lrs / steepest)))
    losses += np.interp(np.log10(lrs), [0, 1], [0, 20])
    return losses + noise * np.random.default_rng(seed).normal(size=len(lrs))


def curve_for(method: str, lrs, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A curve with one clear answer to what the method looks for.

    Bounds are read for a loss that, as in a training, shows each rate's effect 5 steps late.
    """
    if method in ("bounds", "constant"):
        lrs = np.concatenate([np.full(5, lrs[0]), lrs[:-5]])
    make = steep_curve_of if method in ("steep", "moving_average") else curve_of
    return make(lrs, noise=noise, seed=seed)


def assert_close(found, expected, tolerance: float) -> None:
    assert decades(found.base_lr, expected.base_lr) < tolerance
    assert decades(found.max_lr, expected.max_lr) < tolerance


@dataclass(frozen=True)
class Known:
    """Where a curve begins to fall and where it is lowest."""

    knee: float
    minimum: float


KNOWN = [Known(1e-6, 1e-3), Known(1e-5, 1e-1), Known(1e-4, 1e-1), Known(1e-4, 1.0), Known(3e-3, 1.0)]


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: f"{case.knee:g}-{case.minimum:g}")
def test_bounds_go_from_the_knee_to_below_the_minimum(case, noise):
    lrs = sweep_of()
    suggestion = suggest(lrs, curve_of(lrs, case.knee, case.minimum, noise))
    assert suggestion.method == "bounds"
    steps_a_decade = len(lrs) / np.log10(lrs[-1] / lrs[0])
    sum_up_to_the_knee = case.knee * steps_a_decade / np.log(10)  # of a geometric series
    assert decades(suggestion.base_lr, sum_up_to_the_knee / 100) < HALF_DECADE
    assert suggestion.base_lr < suggestion.max_lr < case.minimum
    assert suggestion.max_lr > case.minimum / 100


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: f"{case.knee:g}-{case.minimum:g}")
def test_minimum_is_a_tenth_of_the_rate_of_the_lowest_loss(case, noise):
    lrs = sweep_of()
    suggestion = suggest(lrs, curve_of(lrs, case.knee, case.minimum, noise), "minimum")
    assert decades(suggestion.max_lr, case.minimum / 10) < HALF_DECADE


@pytest.mark.parametrize("steepest", [1e-5, 1e-3, 1e-1])
def test_steepest_is_where_the_loss_falls_fastest_per_decade(steepest):
    lrs = sweep_of()
    suggestion = suggest(lrs, steep_curve_of(lrs, steepest), "steep")
    assert decades(suggestion.max_lr, steepest) < QUARTER_DECADE


def test_steepest_is_not_the_point_of_an_early_small_drop():
    lrs = sweep_of()
    losses = steep_curve_of(lrs)
    losses[lrs < 1e-7] += 0.1
    assert decades(suggest(lrs, losses, "steep").max_lr, 1e-3) < QUARTER_DECADE


def test_steepest_place_at_the_first_rate_is_not_below_it():
    x = np.linspace(0, 1, 20)
    losses = 10 * np.exp(-8 * x) + np.maximum(0, 50 * (x - 0.8))
    for start_lr in np.geomspace(1.1e-6, 9.9e-5, 200):
        lrs = np.geomspace(start_lr, 2 * start_lr, 20)
        found = suggest(lrs, losses, "steep").max_lr
        assert found >= lrs[0]
        assert found == pytest.approx(lrs[0], rel=0.1)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "bounds"])
def test_methods_for_a_constant_rate_give_the_same_rate_twice(method):
    lrs = sweep_of()
    suggestion = suggest(lrs, curve_of(lrs), method)
    assert suggestion.base_lr == suggestion.max_lr
    assert suggestion.method == method


def test_methods_read_a_linear_sweep_too():
    lrs = np.linspace(1e-3, 1.0, 1000)
    losses = np.interp(np.log10(lrs), [-3, -2, -0.5, 0], [2.3, 2.3, 0.3, 5.0])
    assert decades(suggest(lrs, losses, "minimum").max_lr, 10**-1.5) < HALF_DECADE
    assert suggest(lrs, losses, "bounds").max_lr < 10**-0.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_scale_of_the_loss_does_not_matter(method, scale):
    lrs = sweep_of()
    losses = curve_for(method, lrs, noise=0.05)
    assert_close(suggest(lrs, scale * losses, method), suggest(lrs, losses, method), 1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shift", [5.0, -2.3, -5.0, 100.0])
def test_shift_of_the_loss_does_not_matter(method, shift):
    lrs = sweep_of()
    losses = curve_for(method, lrs, noise=0.05)
    assert_close(suggest(lrs, losses + shift, method), suggest(lrs, losses, method), 1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spikes", [[23.0], [23.0, 11.0, 7.0], [0.0]])
def test_spikes_at_the_start_do_not_matter(method, spikes):
    lrs = sweep_of()
    losses = curve_for(method, lrs)
    spiked = np.concatenate([spikes, losses[len(spikes) :]])
    assert_close(suggest(lrs, spiked, method), suggest(lrs, losses, method), QUARTER_DECADE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_tail_that_is_not_finite_does_not_matter(method, bad):
    lrs = sweep_of()
    losses = curve_for(method, lrs)
    broken = np.where(lrs > 2, bad, losses)
    assert_close(suggest(lrs, broken, method), suggest(lrs, losses, method), QUARTER_DECADE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [[NAN], [INF], [NAN, NAN, 1.0]])
@pytest.mark.parametrize("ramp", [np.geomspace, np.linspace])
def test_losses_that_are_not_finite_at_the_end_change_no_digit(method, bad, ramp):
    read = 150
    lrs = ramp(1e-6, 10.0, 200)
    losses = 2.3 - 2 / (1 + (lrs[40] / lrs) ** 2) + 3 * (lrs / lrs[read - 10]) ** 4
    n = read + len(bad)
    broken = np.concatenate([losses[:read], bad])
    assert suggest(lrs[:n], broken, method) == suggest(lrs[:read], losses[:read], method)


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_after_the_first_nan_is_not_read(method):
    lrs = sweep_of()
    losses = np.where(lrs > 2, NAN, curve_for(method, lrs))
    with_one_low_point = losses.copy()
    with_one_low_point[-1] = -1000.0
    assert suggest(lrs, with_one_low_point, method) == suggest(lrs, losses, method)


def shaped(lrs, places, losses) -> np.ndarray:
    """Straight between the given losses at the given powers of ten."""
    return np.interp(np.log10(lrs), places, losses)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_plateau_on_the_way_down_is_not_the_end_of_the_fall(noise):
    lrs = sweep_of()
    losses = shaped(lrs, [-5, -4, -2.5, -1, 1], [2.3, 1.3, 1.3, 0.3, 20.0])
    suggestion = suggest(lrs, losses + noise * np.random.default_rng(0).normal(size=len(lrs)))
    assert 10**-2.5 < suggestion.max_lr < 1e-1  # beyond the plateau
    assert suggestion.base_lr < 1e-5


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_second_descent_counts_where_it_goes_deeper_and_only_there(noise):
    lrs = sweep_of()
    noise = noise * np.random.default_rng(0).normal(size=len(lrs))
    deeper = shaped(lrs, [-5, -3, -2.5, -1, 1], [2.3, 1.0, 1.6, 0.3, 20.0])
    shallower = shaped(lrs, [-5, -3, -2, -1, 1], [2.3, 0.3, 1.6, 1.2, 20.0])
    assert 10**-2.5 < suggest(lrs, deeper + noise).max_lr < 1e-1
    assert suggest(lrs, shallower + noise).max_lr < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_sweep_that_ends_in_nan_needs_no_turn(method):
    lrs = sweep_of()
    losses = np.where(lrs > 1e-1, NAN, curve_of(lrs))
    assert suggest(lrs, losses, method).max_lr < 1e-1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num_rates", [100, 200, 1000, 3000])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_length_of_the_sweep_does_not_matter(method, num_rates, noise):
    reference = suggest(sweep_of(500), curve_for(method, sweep_of(500)), method)
    lrs = sweep_of(num_rates)
    found = suggest(lrs, curve_for(method, lrs, noise), method)
    assert decades(found.max_lr, reference.max_lr) < QUARTER_DECADE


@pytest.mark.parametrize("num_rates", [200, 1000, 3000])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_base_lr_is_the_same_for_any_length_where_the_sum_of_the_rates_counts(num_rates, noise):
    def suggested(num_rates, noise):
        lrs = np.geomspace(1e-8, 1, num_rates)
        losses = np.interp(np.log10(np.cumsum(lrs)), [-3, 0], [2.3, 0.3]) + np.maximum(0, 50 * (lrs - 0.1))
        return suggest(lrs, losses + noise * np.random.default_rng(0).normal(size=num_rates))

    assert decades(suggested(num_rates, noise).base_lr, suggested(500, 0.0).base_lr) < QUARTER_DECADE


@pytest.mark.parametrize("method", METHODS)
def test_seed_of_the_noise_moves_the_answer_by_less_than_half_a_decade(method):
    lrs = sweep_of()
    found = [suggest(lrs, curve_for(method, lrs, noise=0.05, seed=seed), method) for seed in range(30)]
    for name in ("base_lr", "max_lr"):
        rates = [getattr(suggestion, name) for suggestion in found]
        assert decades(min(rates), max(rates)) < HALF_DECADE


def test_reason_names_the_knee_and_the_minimum_it_saw():
    lrs = sweep_of()
    reason = suggest(lrs, curve_of(lrs)).reason
    knee, half_down, minimum, half_up = (float(number) for number in re.findall(r"\d\.\de[+-]\d\d", reason))
    assert decades(knee, 1e-4) < HALF_DECADE
    assert decades(minimum, 1e-1) < HALF_DECADE
    assert knee < half_down < minimum < half_up


def test_suggestion_cannot_be_changed():
    lrs = sweep_of()
    suggestion = suggest(lrs, curve_of(lrs))
    with pytest.raises(dataclasses.FrozenInstanceError, match="max_lr"):
        suggestion.max_lr = 1.0


def test_given_arrays_are_not_changed():
    lrs = sweep_of()
    losses = curve_of(lrs)
    for method in METHODS:
        suggest(lrs, losses, method)
    np.testing.assert_array_equal(lrs, sweep_of())
    np.testing.assert_array_equal(losses, curve_of(sweep_of()))


@dataclass(frozen=True)
class NoAnswer:
    """Losses that support no suggestion, and the words the reason has to hold."""

    name: str
    losses: np.ndarray | list[float]
    message: str


FLAT = "the loss is flat.*[Rr]aise `end_lr`"
NEVER_TURNED = "never turned upwards.*raise `end_lr`"
ROSE = "rises without having fallen first: lower `start_lr`"
TOO_FEW = "finite losses and at least .* are needed: take more steps, or lower `start_lr`"

NO_ANSWERS = [
    NoAnswer("flat", np.full(400, 2.3), FLAT),
    NoAnswer("flat at zero", np.zeros(400), FLAT),
    NoAnswer("flat far below zero", np.full(400, -1e6), FLAT),
    NoAnswer("noise only", 2.3 + 0.1 * np.random.default_rng(0).normal(size=400), FLAT),
    NoAnswer("fall within the noise", np.linspace(2.3, 2.2, 400) + np.tile([1.0, -1.0], 200), FLAT),
    NoAnswer("falling to the end", np.linspace(2.3, 0.3, 400), NEVER_TURNED),
    NoAnswer("level after the fall", np.interp(sweep_of(), [1e-4, 1e-1], [2.3, 0.3]), NEVER_TURNED),
    NoAnswer("rising from the start", np.linspace(2.3, 20.0, 400), ROSE),
    NoAnswer("exploding from the start", np.geomspace(2.3, 1e6, 400), ROSE),
    NoAnswer("level, then exploding", np.interp(sweep_of(), [1e-1, 1], [2.3, 1e3]), ROSE),
    NoAnswer("level, then NaN", np.where(sweep_of() > 1e-1, NAN, 2.3), ROSE),
    NoAnswer("diverged at once", [2.3, 9.0, 80.0, INF], f"3 {TOO_FEW}"),
    NoAnswer("too few points", [2.3, 2.0, 1.0, 0.5, 5.0], f"5 {TOO_FEW}"),
    NoAnswer("one point", [2.3], f"1 {TOO_FEW}"),
    NoAnswer("all NaN", np.full(400, NAN), f"0 {TOO_FEW}"),
    NoAnswer("infinite from the first step", np.full(400, INF), f"0 {TOO_FEW}"),
    NoAnswer("empty", [], f"0 {TOO_FEW}"),
]


@pytest.mark.parametrize("message", [NEVER_TURNED, ROSE])
@pytest.mark.parametrize("method", METHODS)
def test_refusal_of_a_cycle_says_where_trying_can_begin_and_how(method, message):
    case = next(case for case in NO_ANSWERS if case.message == message)
    with pytest.raises(NoSuggestion, match=message) as refusal:
        suggest(sweep_of(), case.losses, method, "ring the bell.")
    at = f"{refusal.value.lowest_lr:.1e}"
    is_of_a_cycle = method in ("bounds", "constant")
    way_on = f"The loss is lowest at {at}, and rates around that are untried: ring the bell."
    assert str(refusal.value).endswith(way_on) == is_of_a_cycle
    assert ("untried" in str(refusal.value)) == is_of_a_cycle


@pytest.mark.parametrize("start_lr", [1e-8, 1e-2])
def test_linear_ramp_that_leaps_over_the_fall_is_told_to_be_exponential(start_lr):
    lrs = np.linspace(start_lr, 10.0, 400)
    with pytest.raises(NoSuggestion, match="rises without having fallen first") as refusal:
        suggest(lrs, 2.3 + lrs)
    leaps = start_lr == 1e-8
    assert ('pass `ramp="exponential"`, as a linear one leaps over rates' in str(refusal.value)) == leaps
    assert ("lower `start_lr`" in str(refusal.value)) != leaps


def test_refusal_of_a_flat_curve_names_no_place_to_try_from():
    with pytest.raises(NoSuggestion, match=FLAT) as refusal:
        suggest(sweep_of(), np.full(400, 2.3), "bounds", "ring the bell.")
    assert "untried" not in str(refusal.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", NO_ANSWERS, ids=lambda case: case.name)
def test_curve_that_supports_no_suggestion_says_why(case, method):
    with pytest.raises(NoSuggestion, match=case.message):
        suggest(sweep_of(len(case.losses)), case.losses, method)


def test_noise_is_taken_for_a_fall_in_at_most_one_of_ten_sweeps():
    answered = 0
    for seed in range(200):
        try:
            suggest(sweep_of(), np.random.default_rng(seed).normal(2.3, 0.1, 400))
            answered += 1
        except NoSuggestion:
            pass
    assert answered <= 20


def test_bounds_that_would_begin_below_the_sweep_ask_for_a_lower_start():
    lrs = np.geomspace(1e-2, 10, 100)
    losses = curve_of(lrs, knee=1e-2, minimum=2e-2)
    with pytest.raises(NoSuggestion, match="lower `start_lr`"):
        suggest(lrs, losses)


def test_no_suggestion_is_a_value_error():
    with pytest.raises(ValueError, match="finite losses"):
        suggest([], [])


@pytest.mark.parametrize("method", [None, 1, ["bounds"]])
def test_method_that_is_no_string_is_refused_by_its_name(method):
    with pytest.raises(TypeError, match=r"`method` must be one of \('bounds'.*Received: method="):
        suggest(sweep_of(), curve_of(sweep_of()), method)


ADVICE_FOR_NOISE = "larger batches or `repeats` help, and `stop_factor=None` where noise ended the sweep"


@pytest.mark.parametrize("num_rates", [5, 400])
def test_curve_of_noise_is_given_advice_that_helps_against_noise(num_rates):
    losses = 2.3 + 0.1 * np.random.default_rng(0).normal(size=num_rates)
    with pytest.raises(NoSuggestion, match=ADVICE_FOR_NOISE):
        suggest(sweep_of(num_rates), losses)


def test_every_argument_that_a_refusal_names_is_one_of_the_finders():
    from pyimagesearch_lr import LearningRateFinder

    known = {"LearningRateFinder"}
    for function in (LearningRateFinder.__init__, LearningRateFinder.find):
        known |= set(inspect.signature(function).parameters)
    for case in NO_ANSWERS:
        with pytest.raises(NoSuggestion, match=case.message) as reason:
            suggest(sweep_of(len(case.losses)), case.losses)
        named = re.findall(r"`(\w+)", str(reason.value))
        assert named
        assert set(named) <= known


def test_unknown_method_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"\('bounds', 'minimum', .*'steep'.*Received: method='hill'"):
        suggest(sweep_of(), curve_of(sweep_of()), "hill")


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((2, 3), (2, 3)), ((), ())])
def test_arrays_that_do_not_fit_are_refused(shapes):
    lrs, losses = (np.ones(shape) for shape in shapes)
    message = rf"one dimension and the same length.*{re.escape(f'{shapes[0]} and {shapes[1]}')}"
    with pytest.raises(ValueError, match=message):
        suggest(lrs, losses)


def answers_of(lrs, losses) -> int:
    """Ask every method; check that what it answers can be used. Returns how many answered."""
    answers = 0
    for method in METHODS:
        try:
            suggestion = suggest(lrs, losses, method)
        except NoSuggestion as reason:
            assert str(reason)
            continue
        answers += 1
        assert lrs[0] <= suggestion.base_lr <= suggestion.max_lr <= lrs[-1]
        assert suggestion.method == method
        assert suggestion.reason
    return answers


@st.composite
def swept_rates(draw, num_rates) -> np.ndarray:
    start_lr = 10 ** draw(st.floats(-10, 0))
    space = draw(st.sampled_from([np.geomspace, np.linspace]))
    return space(start_lr, start_lr * 10 ** draw(st.floats(0.1, 11)), num_rates)


@given(data=st.data(), num_rates=st.integers(0, 300))
@SETTINGS
def test_any_losses_give_usable_rates_or_no_suggestion(data, num_rates):
    lrs = data.draw(swept_rates(num_rates))
    losses = data.draw(arrays(np.float32, num_rates, elements=st.floats(width=32)))
    answers_of(lrs, losses)


PLAUSIBLE = {
    "data": st.data(),
    "num_rates": st.integers(10, 300),
    "bends": st.lists(st.floats(-5, 5), min_size=2, max_size=8),
    "noise": st.sampled_from([0.0, 0.0, 0.01, 0.3]),
    "seed": st.integers(0, 1000),
}


def answers_for_a_plausible_curve(data, num_rates, bends, noise, seed) -> None:
    lrs = data.draw(swept_rates(num_rates))
    places = np.linspace(0, num_rates - 1, len(bends))
    losses = np.interp(np.arange(num_rates), places, bends)
    losses += noise * np.random.default_rng(seed).normal(size=num_rates)
    losses[data.draw(st.integers(0, num_rates)) :] = data.draw(st.sampled_from([NAN, INF, -INF, 1e30]))
    answers_of(lrs, losses)


@given(**PLAUSIBLE)
@SETTINGS
def test_any_plausible_curve_gives_usable_rates_or_no_suggestion(data, num_rates, bends, noise, seed):
    answers_for_a_plausible_curve(data, num_rates, bends, noise, seed)


@pytest.mark.slow
@given(**PLAUSIBLE)
@settings(SETTINGS, max_examples=10_000)
def test_ten_thousand_plausible_curves_give_usable_rates_or_no_suggestion(
    data, num_rates, bends, noise, seed
):
    answers_for_a_plausible_curve(data, num_rates, bends, noise, seed)


@given(data=st.data(), knee=st.floats(0.05, 0.5), minimum=st.floats(0.6, 0.9), num_rates=st.integers(50, 300))
@SETTINGS
def test_every_method_answers_for_a_plain_curve_wherever_its_knee(data, knee, minimum, num_rates):
    start_lr = 10 ** data.draw(st.floats(-10, -4))
    lrs = np.geomspace(start_lr, start_lr * 1e8, num_rates)
    losses = np.interp(np.linspace(0, 1, num_rates), [0, knee, minimum, 1], [2.3, 2.3, 0.3, 10.0])
    assert answers_of(lrs, losses) == len(METHODS)
