"""Averages and differences, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pyimagesearch_lr.smoothing import (
    ExponentialMovingAverage,
    rate_of_change,
    simple_moving_average,
    smoothed,
)

NAN, INF = float("nan"), float("inf")


def averages_of(values, beta) -> list[float]:
    average = ExponentialMovingAverage(beta)
    return [average.update(value) for value in values]


@pytest.mark.parametrize("beta", [0, 0.5, 0.9, 0.98, 0.999])
@pytest.mark.parametrize("value", [2.3026, -7.0, 0.0, 1e-30, 1e30])
def test_first_average_is_the_first_value(beta, value):
    assert ExponentialMovingAverage(beta).update(value) == pytest.approx(value, rel=1e-15, abs=0)


@pytest.mark.parametrize("beta", [0.5, 0.98, 0.999])
def test_average_of_a_constant_is_the_constant_from_the_first_step(beta):
    averages = averages_of(np.full(500, 2.3026), beta)
    np.testing.assert_allclose(averages, np.full(500, 2.3026), rtol=1e-12)


def test_average_weighs_the_past_by_beta():
    # weights 1 | 1/3, 2/3 | 1/7, 2/7, 4/7 | 1/15, 2/15, 4/15, 8/15 of the values so far
    averages = averages_of([3.0, 6.0, 10.0, 1.0], beta=0.5)
    np.testing.assert_allclose(averages, [3.0, 15 / 3, 55 / 7, 63 / 15], rtol=1e-15)


def test_beta_0_reports_the_values_themselves():
    values = [4.0, 1.0, -2.0, 0.1]
    assert averages_of(values, beta=0) == values


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_average_stays_as_it_was_at_a_value_that_is_not_finite(bad):
    average = ExponentialMovingAverage(0.5)
    before = [average.update(3.0), average.update(6.0)]
    assert before == pytest.approx([3.0, 5.0])
    assert average.update(bad) == before[-1]
    assert average.update(10.0) == pytest.approx(55 / 7)


def test_average_is_nan_before_the_first_finite_value():
    averages = averages_of([NAN, INF, 2.0], beta=0.9)
    assert np.isnan(averages[:2]).all()
    assert averages[2] == pytest.approx(2.0)


@pytest.mark.parametrize("beta", [1, 1.5, -0.1, NAN])
def test_beta_outside_its_range_is_refused(beta):
    with pytest.raises(
        ValueError, match=rf"`beta` must be at least 0 and less than 1. Received: beta={beta}"
    ):
        ExponentialMovingAverage(beta)


def test_simple_average_is_of_the_last_window_values():
    averages = simple_moving_average([3.0, 6.0, 9.0, 0.0, 0.0, 0.0], window=3)
    assert averages.tolist() == [3.0, 4.5, 6.0, 5.0, 3.0, 0.0]


def test_simple_average_over_more_than_there_is_averages_all_so_far():
    assert simple_moving_average([2.0, 4.0, 6.0], window=10).tolist() == [2.0, 3.0, 4.0]


def test_rate_of_change_of_a_line_is_its_slope():
    line = np.linspace(5.0, 2.0, 31)
    for window in (1, 4, 30):
        change = rate_of_change(line, window)
        assert np.isnan(change[:window]).all()
        np.testing.assert_allclose(change[window:], np.full(31 - window, -0.1), rtol=1e-12)


def test_rate_of_change_looks_one_step_back_unless_told():
    np.testing.assert_array_equal(rate_of_change([1.0, 4.0, 2.0]), [NAN, 3.0, -2.0])


@pytest.mark.parametrize("window", [3, 4, 100])
def test_rate_of_change_over_more_than_there_is_is_nan_everywhere(window):
    np.testing.assert_array_equal(rate_of_change([1.0, 4.0, 2.0], window), [NAN, NAN, NAN])


def test_rate_of_change_of_nothing_is_empty():
    assert rate_of_change([], window=5).shape == (0,)


@pytest.mark.parametrize("function", [simple_moving_average, rate_of_change])
def test_window_may_be_a_whole_float(function):
    np.testing.assert_array_equal(function([1.0, 4.0, 2.0], 2.0), function([1.0, 4.0, 2.0], 2))


@pytest.mark.parametrize("function", [simple_moving_average, rate_of_change])
@pytest.mark.parametrize("window", [0, -1, 1.5, NAN, INF])
def test_window_outside_its_range_is_refused(function, window):
    message = rf"`window` must be a whole number of at least 1. Received: window={window}"
    with pytest.raises(ValueError, match=message):
        function([1.0, 4.0, 2.0], window)


@pytest.mark.parametrize("function", [rate_of_change, lambda values: simple_moving_average(values, 2)])
def test_given_array_is_not_changed(function):
    values = np.array([3.0, NAN, 1.0])
    function(values)
    np.testing.assert_array_equal(values, [3.0, NAN, 1.0])


def test_error_of_the_average_is_that_of_a_mean_as_long_as_beta_hardly_forgets():
    average = ExponentialMovingAverage(beta=0.9999)
    for count in range(1, 50):
        average.update(1.0)
        assert average.error == pytest.approx(count**-0.5, rel=1e-3)


def test_error_of_the_average_is_the_spread_of_averages_of_noise():
    noise = np.random.default_rng(0).normal(size=(2000, 200))
    averages = [ExponentialMovingAverage(0.9) for _ in noise]
    last = [
        [average.update(value) for value in row][-1] for average, row in zip(averages, noise, strict=True)
    ]
    assert averages[0].error == pytest.approx(np.std(last), rel=0.05)


@pytest.mark.parametrize(("beta", "memory"), [(0, 1), (0.5, 2), (0.9, 10), (0.98, 50)])
def test_memory_is_the_number_of_values_that_count(beta, memory):
    assert ExponentialMovingAverage(beta).memory == memory


@pytest.mark.parametrize("wrong", ["0.9", None, True, [0.9]])
def test_beta_that_is_no_number_is_refused(wrong):
    with pytest.raises(TypeError, match=r"`beta` must be a number\. Received: beta="):
        ExponentialMovingAverage(wrong)


def test_line_through_a_straight_loss_is_that_loss_away_from_the_ends():
    lrs = np.geomspace(1e-6, 1, 300)
    line = smoothed(lrs, np.log10(lrs))
    inside = (line.log_lrs > -5) & (line.log_lrs < -1)
    np.testing.assert_allclose(line.losses[inside], line.log_lrs[inside], atol=0.01)
    np.testing.assert_allclose(line.at([1e-4, 1e-2]), [-4, -2], atol=0.01)


def test_line_does_not_lag_behind_and_does_not_depend_on_the_number_of_steps():
    for num_rates in (100, 400, 3000):
        lrs = np.geomspace(1e-6, 1, num_rates)
        line = smoothed(lrs, (np.log10(lrs) + 3) ** 2)
        assert line.log_lrs[np.argmin(line.losses)] == pytest.approx(-3, abs=0.02)


def test_line_ends_before_the_first_loss_that_is_not_finite():
    lrs = np.geomspace(1e-4, 1, 5)
    line = smoothed(lrs, [2.0, 1.0, 3.0, NAN, 1.0])
    assert line.read == 3
    assert line.lrs[[0, -1]] == pytest.approx(lrs[[0, 2]])
    assert np.isnan(line.at(lrs)).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("losses", [[], [2.0], [2.0, NAN], [INF, 1.0, 1.0]])
def test_fewer_than_two_losses_make_no_line(losses):
    line = smoothed(np.arange(1.0, len(losses) + 1), losses)
    assert len(line.lrs) == len(line.losses) == 0
    assert np.isnan(line.at([0.1, 0.2])).all()


def test_error_of_the_line_is_its_spread_over_the_seeds_of_the_noise():
    lrs = np.geomspace(1e-6, 1, 400)
    lines = [smoothed(lrs, np.random.default_rng(seed).normal(size=400)) for seed in range(200)]
    spread = np.std([line.at([1e-3])[0] for line in lines])
    assert np.mean([line.error for line in lines]) == pytest.approx(spread, rel=0.15)


def falling_curve(num_rates: int = 200, noise: float = 0.02, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """From 2.3 down to 0.5 at 1e-2, and up again to 1.6."""
    lrs = np.geomspace(1e-7, 1e-1, num_rates)
    losses = np.interp(np.log10(lrs), [-7, -4, -2, -1], [2.3, 2.3, 0.5, 1.6])
    return lrs, losses + noise * np.random.default_rng(seed).normal(size=num_rates)


@pytest.mark.parametrize(
    "tail",
    [(3.0, 5.0, 30.0, 2e3, 1e6, 1e9, 1e15), (NAN,), (9.0, INF), (50.0,) * 40, tuple(10.0 ** np.arange(60))],
)
@pytest.mark.parametrize("seed", range(3))
def test_exploding_tail_does_not_move_the_line(tail, seed):
    lrs, losses = falling_curve(seed=seed)
    longer = np.concatenate([lrs, lrs[-1] * (lrs[1] / lrs[0]) ** np.arange(1, len(tail) + 1)])
    alone, with_tail = smoothed(lrs, losses), smoothed(longer, np.concatenate([losses, tail]))
    inside = lrs[lrs < lrs[-1] / 2]
    np.testing.assert_allclose(with_tail.at(inside), alone.at(inside), atol=0.02)
    assert np.nanargmin(with_tail.at(lrs)) == np.nanargmin(alone.at(lrs))


@pytest.mark.parametrize("spike", [4.0, 1e3, 1e12])
@pytest.mark.parametrize("place", [0, 3, 60, 120, 166, 190])
def test_spike_does_not_move_the_line(spike, place):
    lrs, losses = falling_curve()
    spiked = losses.copy()
    spiked[place] = spike
    np.testing.assert_allclose(smoothed(lrs, spiked).losses, smoothed(lrs, losses).losses, atol=0.03)


def test_losses_that_are_large_now_and_then_are_no_spikes():
    """A rare class: one batch in six has a loss ten times as large, and the mean is what counts."""
    rng = np.random.default_rng(0)
    lrs = np.geomspace(1e-6, 1e-1, 600)
    losses = np.where(rng.random(600) < 1 / 6, 0.5, 0.05)
    line = smoothed(lrs, losses)
    assert line.read == 600
    assert np.mean(line.losses) == pytest.approx(np.mean(losses), rel=0.1)
