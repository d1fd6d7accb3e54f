"""The sweep as a state machine: what it records, and on exactly which step it stops, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyimagesearch_lr.sweep import Sweep

NAN, INF = float("nan"), float("inf")
SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)


def swept(losses, num_rates=None, **arguments) -> Sweep:
    """A sweep that has recorded `losses` until it stopped; by default with more rates than losses."""
    sweep = Sweep(np.geomspace(1e-7, 10, num_rates or len(losses) + 1), **arguments)
    for loss in losses:
        if sweep.stop_reason is None:
            sweep.record(loss)
    return sweep


def lengths_of(sweep: Sweep) -> set[int]:
    curve = sweep.curve()
    arrays = [curve.lrs, curve.raw_losses, curve.losses, *curve.metrics.values()]
    return {len(array) for array in arrays}


def test_sweep_uses_every_rate_once_and_then_ends():
    rates = [0.1, 0.2, 0.4, 0.8]
    sweep = Sweep(rates)
    used = []
    while sweep.stop_reason is None:
        used.append(sweep.lr)
        sweep.record(1.0)
    assert used == rates
    assert sweep.stop_reason == "end_lr"
    assert sweep.step == sweep.num_steps == 4
    assert sweep.lr == 0.8
    assert sweep.curve().lrs.tolist() == rates


def test_recorded_rate_is_the_one_the_step_was_trained_with():
    sweep = Sweep(np.geomspace(1e-6, 1, 100))
    used = []
    for loss in np.linspace(2.0, 1.0, 37):
        used.append(sweep.lr)
        sweep.record(loss)
    assert sweep.curve().lrs.tolist() == used


def test_raw_losses_are_kept_as_they_were_recorded():
    losses = [2.5, 1.25, 3.75, 0.1]
    sweep = swept(losses)
    assert sweep.curve().raw_losses.tolist() == losses


def test_smoothed_losses_weigh_the_past_by_beta():
    sweep = swept([3.0, 6.0, 10.0], beta=0.5)
    np.testing.assert_allclose(sweep.curve().losses, [3.0, 15 / 3, 55 / 7], rtol=1e-15)


@dataclass(frozen=True)
class Divergence:
    """Losses of which the last stops the sweep and no earlier one does."""

    name: str
    losses: list[float]
    stop_factor: float = 4.0
    beta: float = 0.0


DIVERGENCES = [
    Divergence("above 4 times the best", [2.0, 1.0, 3.9, 4.0, 4.1]),
    Divergence("above 4 times the best so far, not the first", [8.0, 4.0, 2.0, 1.0, 3.9, 4.1]),
    Divergence("above twice the best", [2.0, 1.0, 2.0, 2.01], stop_factor=2.0),
    Divergence("above 10 times the best", [2.0, 1.0, 9.9, 10.1], stop_factor=10.0),
    Divergence("right after the first step", [1.0, 4.1]),
    # smoothed by hand: 4, (4 + 2) / 3 = 2, (4 + 2 + 44) / 7 = 7.14, (4 + 2 + 44 + 48) / 15 = 6.53, then 10.5
    Divergence("smoothed loss above 4 times the best", [4.0, 1.0, 11.0, 6.0, 14.6], beta=0.5),
    Divergence("crossing zero: best -1, floor of 3 times 1", [1.0, 0.0, -1.0, 1.9, 2.1]),
    Divergence("all negative: best -2, floor of 3 times 2", [-1.0, -2.0, 3.9, 4.1]),
    Divergence("best at zero: floor of 3 tenths of the fall", [10.0, 0.0, 2.9, 3.1]),
]


@pytest.mark.parametrize("case", DIVERGENCES, ids=lambda case: case.name)
def test_sweep_diverges_at_exactly_this_step(case):
    *before, last = case.losses
    sweep = swept(before, num_rates=50, stop_factor=case.stop_factor, beta=case.beta)
    assert sweep.stop_reason is None
    sweep.record(last)
    assert sweep.stop_reason == "diverged"
    assert sweep.curve().raw_losses.tolist() == case.losses


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("case", DIVERGENCES, ids=lambda case: case.name)
def test_step_of_divergence_does_not_depend_on_the_unit_of_the_loss(case, scale):
    scaled = [scale * loss for loss in [*case.losses, 1e3]]
    sweep = swept(scaled, num_rates=50, stop_factor=case.stop_factor, beta=case.beta)
    assert sweep.step == len(case.losses)


@pytest.mark.parametrize("loss", [1e30, -1e30, 0.0])
def test_first_step_never_diverges(loss):
    assert swept([loss]).stop_reason is None


def test_divergence_on_the_last_rate_is_called_divergence():
    assert swept([1.0, 1.0, 100.0], num_rates=3, beta=0).stop_reason == "diverged"


def test_one_spike_does_not_stop_a_smoothed_sweep():
    losses = np.full(60, 2.3)
    losses[30] = 23.0
    assert swept(losses, num_rates=60).stop_reason == "end_lr"


@dataclass(frozen=True)
class Healthy:
    """Losses of a sweep that has no reason to stop."""

    name: str
    losses: np.ndarray


def _fall(first: float, lowest: float) -> np.ndarray:
    """Level, fall, and a rise back to a quarter of the fall."""
    turn = lowest + (first - lowest) / 4
    pieces = [np.full(60, first), np.linspace(first, lowest, 60), np.linspace(lowest, turn, 20)]
    wobble = 0.01 * (first - lowest) * np.tile([1, -1], 70)
    return np.concatenate(pieces) + wobble


HEALTHY = [
    Healthy("ordinary", _fall(2.3, 0.4)),
    Healthy("crossing zero", _fall(1.0, -1.0)),
    Healthy("turning at zero", _fall(1.0, 0.0)),
    Healthy("turning just above zero", _fall(2.0, 1e-6)),
    Healthy("turning just below zero", _fall(2.0, -1e-6)),
    Healthy("all negative", _fall(-1.0, -3.0)),
    Healthy("far below zero", _fall(-1000.0, -1001.0)),
    Healthy("far above zero", _fall(1001.0, 1000.0)),
    Healthy("zero throughout", np.zeros(140)),
]


@pytest.mark.parametrize("beta", [0, 0.9, 0.98])
@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_healthy_sweep_reaches_its_last_rate(case, beta):
    sweep = swept(case.losses, num_rates=len(case.losses), beta=beta)
    assert sweep.stop_reason == "end_lr"


@pytest.mark.parametrize("beta", [0, 0.9, 0.98])
@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_exploding_sweep_stops_whatever_the_sign_of_its_losses(case, beta):
    explosion = np.geomspace(1, 1e8, 30)
    sweep = swept([*case.losses, *explosion], num_rates=1000, beta=beta)
    assert sweep.stop_reason == "diverged"
    assert sweep.step > len(case.losses)


def test_sweep_without_stop_factor_goes_on_whatever_the_loss():
    sweep = swept([1.0, 1e3, 1e30, -1e30], num_rates=4, stop_factor=None)
    assert sweep.stop_reason == "end_lr"


def test_sweep_without_stop_factor_still_stops_at_nan():
    assert swept([1.0, NAN, 1.0], stop_factor=None).stop_reason == "non_finite"


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_sweep_stops_at_the_first_loss_that_is_not_finite(bad):
    sweep = swept([4.0, 2.0, bad, 1.0])
    assert sweep.stop_reason == "non_finite"
    np.testing.assert_array_equal(sweep.curve().raw_losses, [4.0, 2.0, bad])


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_loss_that_is_not_finite_is_left_out_of_the_smoothing(bad):
    losses = swept([4.0, 1.0, bad], beta=0.5).curve().losses
    np.testing.assert_allclose(losses, [4.0, 2.0, 2.0], rtol=1e-15)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_first_loss_that_is_not_finite_gives_a_curve_of_one_point(bad):
    sweep = swept([bad, 1.0])
    curve = sweep.curve()
    assert curve.stop_reason == "non_finite"
    np.testing.assert_array_equal(curve.raw_losses, [bad])
    np.testing.assert_array_equal(curve.losses, [NAN])


def test_losses_of_the_same_rate_are_averaged():
    sweep = Sweep([0.1, 0.2, 0.4], steps_per_lr=2, beta=0)
    used = []
    for loss in (1.0, 3.0, 5.0, 7.0, 9.0, 2.0):
        used.append(sweep.lr)
        sweep.record(loss, {"accuracy": loss / 10})
    assert used == sweep.step_lrs.tolist() == [0.1, 0.1, 0.2, 0.2, 0.4, 0.4]
    assert sweep.num_steps == 6
    assert sweep.stop_reason == "end_lr"
    curve = sweep.curve()
    assert curve.lrs.tolist() == [0.1, 0.2, 0.4]
    assert curve.raw_losses.tolist() == [2.0, 6.0, 5.5]
    assert curve.losses.tolist() == [2.0, 6.0, 5.5]
    np.testing.assert_allclose(curve.metrics["accuracy"], [0.2, 0.6, 0.55])


def test_divergence_is_judged_on_a_rates_mean_and_not_before_it_is_known():
    sweep = Sweep([0.1, 0.2, 0.4], steps_per_lr=2, beta=0)
    for loss in (1.0, 1.0, 100.0):
        sweep.record(loss)
    assert sweep.stop_reason is None
    sweep.record(1.0)
    assert sweep.stop_reason == "diverged"


def test_nan_in_the_middle_of_a_rate_stops_at_once_and_is_recorded():
    sweep = Sweep([0.1, 0.2, 0.4], steps_per_lr=3)
    for loss in (1.0, 1.0, 1.0, 2.0, NAN):
        sweep.record(loss)
    assert sweep.stop_reason == "non_finite"
    curve = sweep.curve()
    assert curve.lrs.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(curve.raw_losses, [1.0, NAN])


def test_half_measured_rate_is_not_in_the_curve():
    sweep = Sweep([0.1, 0.2], steps_per_lr=2)
    for expected, loss in zip([0, 1, 1], [1.0, 3.0, 5.0], strict=True):
        sweep.record(loss, {"accuracy": 0.5})
        assert lengths_of(sweep) == {expected}


@given(
    losses=st.lists(st.floats(width=32), max_size=40),
    num_rates=st.integers(1, 12),
    steps_per_lr=st.integers(1, 4),
    stop_factor=st.sampled_from([None, 1.5, 4.0]),
)
@SETTINGS
def test_lengths_of_the_curve_always_agree(losses, num_rates, steps_per_lr, stop_factor):
    sweep = Sweep(np.linspace(0.1, 1, num_rates), stop_factor, steps_per_lr=steps_per_lr)
    for loss in losses:
        assert len(lengths_of(sweep)) == 1
        assert sweep.lr == sweep.step_lrs[sweep.step]
        sweep.record(loss, {"accuracy": 0.5, "mae": 1.0})
        if sweep.stop_reason is not None:
            break
    assert len(lengths_of(sweep)) == 1


def test_metrics_are_recorded_beside_the_loss():
    sweep = Sweep([0.1, 0.2, 0.4])
    for accuracy in (0.25, 0.5, 0.75):
        sweep.record(1.0, {"accuracy": accuracy})
    assert sweep.curve().metrics["accuracy"].tolist() == [0.25, 0.5, 0.75]


def test_metric_named_loss_does_not_take_the_place_of_the_recorded_loss():
    sweep = Sweep([0.1, 0.2])
    sweep.record(3.0, {"loss": 100.0})
    curve = sweep.curve()
    assert curve.raw_losses.tolist() == [3.0]
    assert curve.metrics["loss"].tolist() == [100.0]


@pytest.mark.parametrize("reason", ["exhausted", "interrupted"])
def test_stop_from_outside_ends_the_sweep_with_what_was_measured(reason):
    sweep = swept([2.0, 1.0])
    sweep.stop(reason)
    assert sweep.stop_reason == reason
    assert sweep.curve().stop_reason == reason
    assert sweep.curve().raw_losses.tolist() == [2.0, 1.0]


def test_stop_keeps_the_first_reason():
    sweep = swept([1.0, NAN])
    sweep.stop("exhausted")
    assert sweep.stop_reason == "non_finite"


@pytest.mark.parametrize("losses", [[1.0, NAN], [1.0, 100.0], [1.0, 1.0, 1.0]])
def test_record_after_the_end_is_refused(losses):
    sweep = swept(losses, num_rates=3)
    with pytest.raises(RuntimeError, match=rf"This sweep is over \({sweep.stop_reason}\); start a new one"):
        sweep.record(1.0)
    assert lengths_of(sweep) == {len(losses)}


def test_curve_of_a_sweep_that_goes_on_is_what_it_measured_so_far():
    sweep = swept([2.0, 1.0], num_rates=50)
    early = sweep.curve()
    sweep.record(0.5)
    assert early.stop_reason == "interrupted"
    assert early.raw_losses.tolist() == [2.0, 1.0]
    assert len(early) == 2
    assert len(sweep.curve()) == 3


def test_curve_before_the_first_step_is_empty():
    assert len(Sweep([0.1, 0.2]).curve()) == 0


def test_curve_carries_its_settings_and_the_given_metadata():
    curve = swept([1.0], stop_factor=None, beta=0.9).curve(optimizer="adam")
    assert curve.metadata == {"stop_factor": None, "beta": 0.9, "optimizer": "adam"}


def test_sweep_over_a_range_uses_the_rates_of_the_ramp():
    sweep = Sweep.over(1e-4, 1.0, 5)
    assert sweep.num_steps == 5
    np.testing.assert_allclose(sweep.lrs, [1e-4, 1e-3, 1e-2, 1e-1, 1.0], rtol=1e-12)
    np.testing.assert_allclose(Sweep.over(0.25, 1.0, 4, "linear").lrs, [0.25, 0.5, 0.75, 1.0], rtol=1e-12)


@pytest.mark.parametrize(("num_steps", "num_rates"), [(8, 2), (9, 3), (12, 3), (13, 4)])
def test_sweep_over_a_range_takes_at_least_the_steps_asked_for(num_steps, num_rates):
    sweep = Sweep.over(1e-4, 1.0, num_steps, steps_per_lr=4, stop_factor=None, beta=0.5)
    assert sweep.num_steps == 4 * num_rates >= num_steps
    assert (sweep.lrs[0], sweep.lrs[-1]) == (1e-4, 1.0)
    assert (sweep.stop_factor, sweep.beta) == (None, 0.5)


@pytest.mark.parametrize("steps_per_lr", [0, -1, 1.5])
def test_sweep_over_a_range_refuses_half_a_step_a_rate(steps_per_lr):
    with pytest.raises(ValueError, match=f"`steps_per_lr` must be a whole number.*: {steps_per_lr}"):
        Sweep.over(1e-4, 1.0, 10, steps_per_lr=steps_per_lr)


@dataclass(frozen=True)
class BadArgument:
    name: str
    arguments: dict[str, float]
    message: str


BAD_ARGUMENTS = [
    BadArgument("factor of 1", {"stop_factor": 1}, "`stop_factor` must be greater than 1, or None.*: 1"),
    BadArgument("factor below 1", {"stop_factor": 0.5}, r"`stop_factor` must be greater than 1.*: 0\.5"),
    BadArgument("factor not a number", {"stop_factor": NAN}, "`stop_factor` must be greater than 1.*: nan"),
    BadArgument("no step a rate", {"steps_per_lr": 0}, "`steps_per_lr` must be a whole number.*: 0"),
    BadArgument("half a step", {"steps_per_lr": 1.5}, r"`steps_per_lr` must be a whole number.*: 1\.5"),
    BadArgument("beta of 1", {"beta": 1.0}, r"`beta` must be at least 0 and less than 1.*beta=1\.0"),
]


@pytest.mark.parametrize("case", BAD_ARGUMENTS, ids=lambda case: case.name)
def test_argument_outside_its_range_is_refused(case):
    with pytest.raises(ValueError, match=case.message):
        Sweep([0.1, 0.2], **case.arguments)
