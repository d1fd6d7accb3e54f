"""Ramps and cycles, against pieces made with NumPy's linspace and geomspace."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pyimagesearch_lr.schedules import (
    CYCLIC_MODES,
    MOST_STEPS,
    RAMPS,
    Cyclic,
    OneCycle,
    Ramp,
    cyclic,
    epochs_that_end_a_cycle,
    ramp_rates,
)

BASE_LR, MAX_LR, STEP_SIZE = 1e-3, 6e-3, 2000
UP = np.linspace(BASE_LR, MAX_LR, STEP_SIZE + 1)
DOWN = np.linspace(MAX_LR, BASE_LR, STEP_SIZE + 1)
CYCLE = np.concatenate([UP[:-1], DOWN[:-1]])
TWO_CYCLES = np.arange(4 * STEP_SIZE)


def cycle_up_to(peak: float) -> np.ndarray:
    """One cycle of `2 * STEP_SIZE` steps from BASE_LR to `peak` and back."""
    up = np.linspace(BASE_LR, peak, STEP_SIZE + 1)
    down = np.linspace(peak, BASE_LR, STEP_SIZE + 1)
    return np.concatenate([up[:-1], down[:-1]])


@pytest.mark.parametrize("num_steps", [2, 3, 100, 2814])
@pytest.mark.parametrize(("ramp", "reference"), [("exponential", np.geomspace), ("linear", np.linspace)])
def test_ramp_agrees_with_numpy_and_is_exact_at_both_ends(ramp, reference, num_steps):
    rates = ramp_rates(1e-10, 1e1, num_steps, ramp)
    assert rates.dtype == np.float64
    assert rates.shape == (num_steps,)
    assert (rates[0], rates[-1]) == (1e-10, 1e1)
    np.testing.assert_allclose(rates, reference(1e-10, 1e1, num_steps), rtol=1e-12)
    assert (np.diff(rates) > 0).all()


@pytest.mark.parametrize("start_lr", [1e-10, 1e-7, 3e-5, 0.1])
@pytest.mark.parametrize("end_lr", [0.3, 1, 7.7, 10])
@pytest.mark.parametrize("ramp", RAMPS)
def test_ramp_begins_and_ends_at_the_given_rates_bit_for_bit(ramp, start_lr, end_lr):
    rates = ramp_rates(start_lr, end_lr, 938, ramp)
    assert (rates[0], rates[-1]) == (start_lr, end_lr)


def test_ramp_is_exponential_unless_told():
    np.testing.assert_allclose(ramp_rates(1e-4, 1.0, 5), [1e-4, 1e-3, 1e-2, 1e-1, 1.0], rtol=1e-12)


def test_ramp_takes_ints_and_floats_alike():
    np.testing.assert_array_equal(ramp_rates(1, 100, 3.0), ramp_rates(1.0, 100.0, 3))
    np.testing.assert_array_equal(ramp_rates(1, 5, 5, "linear"), [1, 2, 3, 4, 5])


@pytest.mark.parametrize("ramp", RAMPS)
def test_ramp_takes_a_step_or_an_array_of_steps(ramp):
    rates = Ramp(1e-5, 1.0, 50, ramp)
    np.testing.assert_allclose(rates(np.arange(50)), [rates(step) for step in range(50)], rtol=1e-15)


def test_ramp_of_more_steps_than_anyone_trains_is_refused_before_an_array_is_made():
    assert Ramp(1e-5, 1.0, MOST_STEPS).num_steps == MOST_STEPS
    with pytest.raises(ValueError, match=r"at most 10000000 steps. Received: 1000000000000. Lower `epochs`"):
        ramp_rates(1e-5, 1.0, 10**12)


@dataclass(frozen=True)
class BadRamp:
    name: str
    arguments: tuple[Any, ...]
    message: str


BAD_RAMPS = [
    BadRamp("zero start", (0.0, 1.0, 10), r"`start_lr` must be a finite number above 0.*start_lr=0\.0"),
    BadRamp("negative start", (-1e-3, 1.0, 10), r"`start_lr` must be .* above 0.*start_lr=-0\.001"),
    BadRamp("start not a number", (np.nan, 1.0, 10), "`start_lr` must be a finite number.*start_lr=nan"),
    BadRamp("endless end", (1e-3, np.inf, 10), "`end_lr` must be a finite number.*end_lr=inf"),
    BadRamp("negative end", (1e-3, -1.0, 10), r"`end_lr` must be .* above 0.*end_lr=-1\.0"),
    BadRamp("swapped", (0.1, 0.01, 10), r"greater than `start_lr`.*start_lr=0\.1, end_lr=0\.01.*Swap them"),
    BadRamp("equal", (0.1, 0.1, 10), "`end_lr` must be greater than `start_lr`"),
    BadRamp("one step", (1e-3, 1.0, 1), "at least 2 steps. Received: 1. Raise `epochs`"),
    BadRamp("no step", (1e-3, 1.0, 0), "at least 2 steps. Received: 0"),
    BadRamp("half a step", (1e-3, 1.0, 10.5), r"`num_steps` must be a whole number. Received: .*10\.5"),
    BadRamp("beyond float32", (1e-3, 1e39, 10), r"`end_lr` must be a finite number .* float32.*1e\+39"),
    BadRamp(
        "0 in float32", (1e-50, 1.0, 10), "`start_lr` must be a finite number above 0 in the range of float32"
    ),
    BadRamp("unknown ramp", (1e-3, 1.0, 10, "cosine"), r"\('exponential', 'linear'\).*ramp='cosine'"),
]


@pytest.mark.parametrize("case", BAD_RAMPS, ids=lambda case: case.name)
def test_bad_ramp_says_what_was_received(case):
    with pytest.raises(ValueError, match=case.message):
        ramp_rates(*case.arguments)


def test_triangular_goes_up_and_down_in_straight_lines():
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="triangular")(TWO_CYCLES)
    np.testing.assert_allclose(rates, np.tile(CYCLE, 2), rtol=1e-12)


def test_triangular2_halves_the_height_with_every_cycle():
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="triangular2")(np.arange(6 * STEP_SIZE))
    expected = np.concatenate([CYCLE, cycle_up_to(3.5e-3), cycle_up_to(2.25e-3)])
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_exp_range_shrinks_the_height_with_every_step():
    steps = np.arange(4 * STEP_SIZE + 1)
    shrinking = np.cumprod(np.concatenate([[1.0], np.full(4 * STEP_SIZE, 0.9996)]))
    heights = np.append(np.tile(CYCLE, 2), BASE_LR) - BASE_LR
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="exp_range", gamma=0.9996)(steps)
    np.testing.assert_allclose(rates, BASE_LR + heights * shrinking, rtol=1e-9)


def test_exp_range_with_gamma_1_is_triangular():
    exp_range = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="exp_range", gamma=1.0)(TWO_CYCLES)
    triangular = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="triangular")(TWO_CYCLES)
    np.testing.assert_array_equal(exp_range, triangular)


@dataclass(frozen=True)
class Cycle:
    """The rates of the first two cycles between 1 and 5 with gamma 0.5 and 2 steps up, 2 steps down."""

    mode: str
    expected: list[float]


CYCLES = [
    Cycle("triangular", [1, 3, 5, 3, 1, 3, 5, 3, 1]),
    Cycle("triangular2", [1, 3, 5, 3, 1, 2, 3, 2, 1]),
    Cycle("exp_range", [1, 2, 2, 1.25, 1, 1.0625, 1.0625, 1.015625, 1]),
]


@pytest.mark.parametrize("case", CYCLES, ids=lambda case: case.mode)
def test_short_cycles_are_exact_at_every_step(case):
    rates = [Cyclic(1.0, 5.0, 2, mode=case.mode, gamma=0.5)(step) for step in range(9)]
    assert rates == case.expected


@pytest.mark.parametrize("mode", CYCLIC_MODES)
def test_troughs_are_exactly_base_lr(mode):
    troughs = 2 * STEP_SIZE * np.arange(10)
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode=mode, gamma=0.9999)(troughs)
    assert (rates == BASE_LR).all()


def test_peaks_are_max_lr():
    peaks = STEP_SIZE * np.arange(1, 20, 2)
    np.testing.assert_allclose(Cyclic(BASE_LR, MAX_LR, STEP_SIZE)(peaks), np.full(10, MAX_LR), rtol=1e-15)


def test_way_down_mirrors_the_way_up():
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE)(np.arange(2 * STEP_SIZE + 1))
    np.testing.assert_allclose(rates, rates[::-1], rtol=1e-12)


def test_step_size_need_not_be_whole():
    rates = Cyclic(1.0, 6.0, 2.5)(np.arange(6))
    np.testing.assert_allclose(rates, [1.0, 3.0, 5.0, 5.0, 3.0, 1.0], rtol=1e-12)


def test_scale_fn_of_the_cycle_counts_from_1():
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, scale_fn=lambda cycle: 1 / cycle**2)(np.arange(6 * STEP_SIZE))
    expected = np.concatenate([CYCLE, cycle_up_to(2.25e-3), cycle_up_to(BASE_LR + 5e-3 / 9)])
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_scale_fn_of_the_iterations_counts_from_0():
    rates = Cyclic(
        BASE_LR, MAX_LR, STEP_SIZE, scale_fn=lambda step: 1 - step / 8000, scale_mode="iterations"
    )(TWO_CYCLES)
    heights = np.tile(CYCLE, 2) - BASE_LR
    fading = np.linspace(1, 0, 8001)[:-1]
    np.testing.assert_allclose(rates, BASE_LR + heights * fading, rtol=1e-9)


@pytest.mark.parametrize(
    ("scale_mode", "expected"), [("cycle", [1, 1, 1, 1, 2, 2, 2, 2, 3]), ("iterations", list(range(9)))]
)
def test_scale_fn_is_given_the_shape_of_the_step(scale_mode, expected):
    received = []

    def scale_fn(value):
        received.append(value)
        return 1.0

    Cyclic(1.0, 5.0, 2, scale_fn=scale_fn, scale_mode=scale_mode)(np.arange(9))
    np.testing.assert_array_equal(received, [expected])


def test_scale_fn_goes_before_the_mode():
    with_both = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="triangular2", scale_fn=lambda cycle: 1.0)(TWO_CYCLES)
    np.testing.assert_allclose(with_both, np.tile(CYCLE, 2), rtol=1e-12)


@pytest.mark.parametrize("mode", CYCLIC_MODES)
def test_one_step_and_an_array_of_steps_give_the_same_rates(mode):
    steps = np.arange(0, 8000, 37)
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode=mode, gamma=0.999)(steps)
    one_by_one = [Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode=mode, gamma=0.999)(int(step)) for step in steps]
    assert np.shape(one_by_one[0]) == ()
    np.testing.assert_allclose(rates, one_by_one, rtol=1e-15)


def test_unknown_mode_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"\('triangular', 'triangular2', 'exp_range'\).*mode='cosine'"):
        Cyclic(BASE_LR, MAX_LR, STEP_SIZE, mode="cosine")(0)


def test_unknown_scale_mode_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"\('cycle', 'iterations'\).*scale_mode='epochs'"):
        Cyclic(BASE_LR, MAX_LR, STEP_SIZE, scale_fn=lambda epoch: 1.0, scale_mode="epochs")(0)


def test_way_down_may_take_other_steps_than_the_way_up():
    rates = Cyclic(BASE_LR, MAX_LR, 200, step_size_down=1000)(np.arange(2400))
    up, down = np.linspace(BASE_LR, MAX_LR, 201), np.linspace(MAX_LR, BASE_LR, 1001)
    np.testing.assert_allclose(rates, np.tile(np.concatenate([up[:-1], down[:-1]]), 2), rtol=1e-12)


def test_cycle_decay_makes_each_cycle_lower():
    rates = Cyclic(BASE_LR, MAX_LR, STEP_SIZE, cycle_decay=0.5)(np.arange(6 * STEP_SIZE))
    expected = np.concatenate([CYCLE, cycle_up_to(3.5e-3), cycle_up_to(2.25e-3)])
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_cosine_cycle_passes_a_quarter_half_and_three_quarters_of_its_height_where_a_wave_does():
    rates = Cyclic(0.0, 4.0, 6, anneal="cos")(np.arange(0, 13))
    expected = [0, 2 - 3**0.5, 1, 2, 3, 2 + 3**0.5, 4, 2 + 3**0.5, 3, 2, 1, 2 - 3**0.5, 0]
    np.testing.assert_allclose(rates, expected, atol=1e-12)


def test_no_way_up_is_cosine_restarts():
    rates = Cyclic(1.0, 5.0, 0, step_size_down=4, anneal="cos", cycle_decay=0.5)(np.arange(8))
    half = 0.5**0.5
    first, second = [5, 3 + 2 * half, 3, 3 - 2 * half], [3, 2 + half, 2, 2 - half]
    np.testing.assert_allclose(rates, first + second, rtol=1e-12)


ONE = {"max_lr": 1.0, "div_factor": 4.0, "final_div_factor": 10.0}


def test_one_cycle_of_straight_lines():
    rates = OneCycle(total_steps=100, pct_start=0.4, anneal="linear", **ONE)(np.arange(100))
    expected = np.concatenate([np.linspace(0.25, 1, 40), np.linspace(1, 0.025, 61)[1:]])
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_one_cycle_of_three_phases():
    rates = OneCycle(total_steps=100, pct_start=0.4, anneal="linear", three_phase=True, **ONE)(np.arange(100))
    up, last = np.linspace(0.25, 1, 40), np.linspace(0.25, 0.025, 22)
    np.testing.assert_allclose(rates, np.concatenate([up, up[-2::-1], last[1:]]), rtol=1e-12)


def test_one_cycle_flat_start_holds_the_first_rate_and_the_cycle_takes_the_rest():
    rates = OneCycle(total_steps=125, pct_start=0.4, anneal="linear", flat_start=0.2, **ONE)(np.arange(125))
    cycle = OneCycle(total_steps=100, pct_start=0.4, anneal="linear", **ONE)(np.arange(100))
    np.testing.assert_allclose(rates, [0.25] * 25 + cycle.tolist(), rtol=1e-12)


def test_one_cycle_of_div_factor_1_is_flat_and_then_falls():
    rates = OneCycle(1.0, 100, pct_start=0.75, div_factor=1.0, final_div_factor=100000.0)(np.arange(100))
    assert (rates[:75] == 1.0).all()
    assert (np.diff(rates[74:]) < 0).all()
    assert rates[-1] == pytest.approx(1e-5)


def test_one_cycle_stays_at_its_last_rate():
    rates = OneCycle(total_steps=10, **ONE)(np.arange(20))
    assert (rates[9:] == 0.025).all()


@pytest.mark.parametrize("pct_start", [0.0, 0.05, 0.1, 1.0])
@pytest.mark.parametrize("anneal", ["cos", "linear"])
def test_one_cycle_with_hardly_any_way_up_or_down_is_finite_and_within_its_bounds(pct_start, anneal):
    rates = OneCycle(total_steps=10, pct_start=pct_start, anneal=anneal, **ONE)(np.arange(10))
    assert ((rates >= 0.025) & (rates <= 1.0)).all()


def test_one_cycle_of_infinite_final_div_factor_ends_at_exactly_0():
    for anneal in ("linear", "cos"):
        rates = OneCycle(1.0, 10, final_div_factor=np.inf, anneal=anneal)(np.arange(12))
        assert rates[9:].tolist() == [0, 0, 0]
        assert (rates[:9] > 0).all()


def test_one_cycle_momentum_is_lowest_at_the_peak_and_highest_in_the_last_of_three_phases():
    momentum = OneCycle(1.0, 100, 0.4, anneal="linear", three_phase=True).momentum(np.arange(100), 0.85, 0.95)
    up = np.linspace(0.95, 0.85, 40)
    np.testing.assert_allclose(momentum, np.concatenate([up, up[-2::-1], [0.95] * 21]), rtol=1e-12)


def unrolled(steps, base_lr, max_lr, up, down, cycle_mult, shape):
    """The rates of cycles that grow, one step after the other, as a loop would count them."""
    begin, rates = 0.0, []
    for step in range(steps):
        while step - begin > up + down - 1e-6:
            begin += up + down
            up, down = up * cycle_mult, down * cycle_mult
        since = max(step - begin, 0)
        rates.append(
            base_lr + (max_lr - base_lr) * shape(since / up if since < up else 1 - (since - up) / down)
        )
    return rates


@pytest.mark.parametrize("cycle_mult", [2, 3, 1.5, 1.1, 1.01])
@pytest.mark.parametrize("up, down", [(3, 3), (1, 100), (2.5, 4), (50, 1)])
def test_cycle_mult_makes_each_cycle_longer(up, down, cycle_mult):
    rates = Cyclic(1.0, 5.0, up, step_size_down=down, cycle_mult=cycle_mult)(np.arange(3000))
    expected = unrolled(3000, 1.0, 5.0, up, down, cycle_mult, shape=lambda height: height)
    np.testing.assert_allclose(rates, expected, rtol=1e-11)


@pytest.mark.parametrize("cycle_mult", [2, 3, 1.5, 1.1, 1.3])
def test_restarts_of_growing_cycles_are_at_the_very_step(cycle_mult):
    restarts = Cyclic(0.0, 1.0, 0, step_size_down=10, anneal="cos", cycle_mult=cycle_mult)
    rates = restarts(np.arange(3000))
    expected = unrolled(3000, 0.0, 1.0, 0, 10, cycle_mult, lambda height: (1 - np.cos(np.pi * height)) / 2)
    np.testing.assert_allclose(rates, expected, atol=1e-11)


def test_growing_cycles_keep_their_number_for_decay_and_scale_fn():
    arguments = {"step_size": 1, "cycle_mult": 2}
    assert Cyclic(0.0, 8.0, cycle_decay=0.5, **arguments)(np.arange(15)).tolist() == (
        [0, 8, 0, 2, 4, 2, 0, 0.5, 1, 1.5, 2, 1.5, 1, 0.5, 0]
    )
    seen = []
    Cyclic(0.0, 8.0, scale_fn=lambda cycle: seen.append(cycle) or cycle, **arguments)(np.arange(7))
    assert seen[0].tolist() == [1, 1, 2, 2, 2, 2, 3]


def test_base_lr_may_be_0():
    assert Cyclic(0, 4, 2)(np.arange(5)).tolist() == [0, 2, 4, 2, 0]


@dataclass(frozen=True)
class WarmUp:
    name: str
    schedule: Any
    expected: list[float]


WARM_UPS = [
    WarmUp("to base_lr", Cyclic(1.0, 3.0, 2, warmup_steps=3), [0.25, 0.5, 0.75, 1, 2, 3, 2, 1]),
    WarmUp(
        "to the peak of restarts",
        Cyclic(0.0, 4.0, 0, step_size_down=2, warmup_steps=1),
        [2, 4, 2, 4, 2],
    ),
    WarmUp(
        "counts the cycle's steps from its end",
        Cyclic(1.0, 3.0, 1, mode="exp_range", gamma=0.5, warmup_steps=1),
        [0.5, 1, 2, 1, 1.25],
    ),
    WarmUp(
        "is part of total_steps",
        OneCycle(1.0, 8, 0.5, div_factor=4, final_div_factor=10, anneal="linear", warmup_steps=2),
        [0.25 / 3, 0.5 / 3, 0.25, 0.625, 1, 0.675, 0.35, 0.025],
    ),
    WarmUp(
        "before a flat start",
        OneCycle(
            1.0, 9, 0.5, div_factor=4, final_div_factor=10, anneal="linear", warmup_steps=1, flat_start=0.25
        ),
        [0.125, 0.25, 0.25, 0.25, 0.625, 1, 0.675, 0.35, 0.025],
    ),
]


@pytest.mark.parametrize("case", WARM_UPS, ids=lambda case: case.name)
def test_warm_up(case):
    steps = np.arange(len(case.expected))
    np.testing.assert_allclose(case.schedule(steps), case.expected, rtol=1e-12)
    np.testing.assert_allclose([case.schedule(step) for step in steps], case.expected, rtol=1e-12)


def test_momentum_waits_for_the_end_of_the_warm_up():
    schedule = Cyclic(1.0, 3.0, 2, warmup_steps=3)
    np.testing.assert_allclose(schedule.momentum(np.arange(6), 0.8, 0.9), [0.9, 0.9, 0.9, 0.9, 0.85, 0.8])


def test_value_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign to field 'base_lr'"):
        Cyclic(1.0, 3.0, 2).base_lr = 2.0


@pytest.mark.parametrize(
    "step_size, total",
    [(8, 24), (8.0, 24.0), (np.int64(8), np.float32(24)), (np.array(8), np.array(24.0)), (Fraction(8), 24)],
)
def test_settings_are_plain_numbers_whatever_they_were(step_size, total):
    cycle = Cyclic(np.float32(0.25), np.float64(0.5), step_size)
    assert [type(value) for value in (cycle.base_lr, cycle.max_lr)] == [float, float]
    assert type(cycle.step_size) in (int, float)
    assert cycle == Cyclic(0.25, 0.5, 8)
    assert type(OneCycle(np.float16(0.5), total).total_steps) is int
    assert OneCycle(0.5, total) == OneCycle(0.5, 24)


def test_cyclic_takes_bounds_that_are_not_checked():
    rates = cyclic(np.arange(5), np.array(2.0), np.array(1.0), 2)
    assert rates.tolist() == [2, 1.5, 1, 1.5, 2]


@dataclass(frozen=True)
class Ending:
    name: str
    arguments: dict[str, Any]
    expected: tuple[int, ...] | None


ENDINGS = [
    Ending("whole cycles", {"epochs": 48, "steps_per_epoch": 937, "cycle_steps": 16 * 937}, None),
    Ending("a last, smaller batch", {"epochs": 48, "steps_per_epoch": 938, "cycle_steps": 16 * 937}, None),
    Ending("between", {"epochs": 50, "steps_per_epoch": 937, "cycle_steps": 16 * 937}, (48, 64)),
    Ending("one epoch short", {"epochs": 47, "steps_per_epoch": 937, "cycle_steps": 16 * 937}, (32, 48)),
    Ending("one of 40 epochs short", {"epochs": 39, "steps_per_epoch": 10, "cycle_steps": 400}, (40,)),
    Ending("before the first", {"epochs": 10, "steps_per_epoch": 937, "cycle_steps": 16 * 937}, (16,)),
    Ending("2.5 epochs a cycle", {"epochs": 7, "steps_per_epoch": 10, "cycle_steps": 25}, (5, 10)),
    Ending("cycles not in epochs", {"epochs": 60, "steps_per_epoch": 63, "cycle_steps": 4000}, (63,)),
    Ending("nearest to one", {"epochs": 64, "steps_per_epoch": 63, "cycle_steps": 4000}, None),
    Ending("many cycles an epoch", {"epochs": 7, "steps_per_epoch": 63, "cycle_steps": 10}, (10,)),
    Ending("begun before", {"epochs": 48, "steps_per_epoch": 10, "cycle_steps": 160, "offset": 40}, (44, 60)),
    Ending("never", {"epochs": 3, "steps_per_epoch": 4, "cycle_steps": 4, "offset": 2}, ()),
    Ending("growing", {"epochs": 16, "steps_per_epoch": 100, "cycle_steps": 500, "cycle_mult": 2}, (15, 35)),
    Ending("grown", {"epochs": 35, "steps_per_epoch": 100, "cycle_steps": 500, "cycle_mult": 2}, None),
    Ending("grown at once", {"epochs": 9, "steps_per_epoch": 1, "cycle_steps": 5, "cycle_mult": 1e300}, (5,)),
    Ending(
        "falling only, an epoch too many",
        {"epochs": 7, "steps_per_epoch": 63, "cycle_steps": 430, "falling": 1.0},
        (13,),
    ),
    Ending(
        "falling only, near the end",
        {"epochs": 13, "steps_per_epoch": 63, "cycle_steps": 430, "falling": 1.0},
        None,
    ),
    Ending(
        "falling fast",
        {"epochs": 13, "steps_per_epoch": 32, "cycle_steps": 420, "falling": 20 / 420},
        (14,),
    ),
    Ending(
        "an epoch that goes on at the bottom of the one",
        {"epochs": 4, "steps_per_epoch": 26, "cycle_steps": 100, "cycles": 1, "falling": 0.7},
        None,
    ),
    Ending("past the one", {"epochs": 9, "steps_per_epoch": 10, "cycle_steps": 70, "cycles": 1}, (7,)),
]


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: case.name)
def test_epochs_that_end_a_cycle(case):
    assert epochs_that_end_a_cycle(**case.arguments) == case.expected
