"""Averages and differences, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pyimagesearch_lr.smoothing import ExponentialMovingAverage, rate_of_change, simple_moving_average

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
