"""The sweep as a state machine: what it records, and on exactly which step it stops, and why."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_sweeps import raw_losses

from pyimagesearch_lr.sweep import StopRule, Sweep

NAN, INF = float("nan"), float("inf")
LRS = np.geomspace(1e-7, 10, 200)
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
    """Losses of which the last stops a sweep that has stood at the first of them, and no earlier one does."""

    name: str
    losses: list[float]
    stop_factor: float = 4.0
    beta: float = 0.0

    def sweep_of(self, losses: list[float]) -> Sweep:
        """A sweep in whose second half these losses come, after the first of them twenty times."""
        num_rates = 20 + len(self.losses) + 1
        return swept(20 * losses[:1] + losses, num_rates, stop_factor=self.stop_factor, beta=self.beta)


DIVERGENCES = [
    Divergence("above 4 times the best", [2.0, 1.0, 3.9, 4.0, 4.1]),
    Divergence("above 4 times the best so far, not the first", [8.0, 4.0, 2.0, 1.0, 3.9, 4.1]),
    Divergence("above twice the best", [2.0, 1.0, 2.0, 2.01], stop_factor=2.0),
    Divergence("above 10 times the best", [2.0, 1.0, 9.9, 10.1], stop_factor=10.0),
    Divergence("right after the first step", [1.0, 4.1]),
    # smoothed by hand: 4, (4 + 1) / 2 = 2.5, (2.5 + 11) / 2 = 6.75, (6.75 + 6) / 2 = 6.375, then 10.49
    Divergence("smoothed loss above 4 times the best", [4.0, 1.0, 11.0, 6.0, 14.6], beta=0.5),
    Divergence("crossing zero: best -1, floor of 3 times 1", [1.0, 0.0, -1.0, 1.9, 2.1]),
    Divergence("all negative: best -2, floor of 3 times 2", [-1.0, -2.0, 3.9, 4.1]),
    Divergence("best at zero: floor of 3 tenths of the fall", [10.0, 0.0, 2.9, 3.1]),
]


@pytest.mark.parametrize("case", DIVERGENCES, ids=lambda case: case.name)
def test_sweep_diverges_at_exactly_this_step(case):
    *before, last = case.losses
    sweep = case.sweep_of(before)
    assert sweep.stop_reason is None
    sweep.record(last)
    assert sweep.stop_reason == "diverged"
    assert sweep.curve().raw_losses.tolist()[20:] == case.losses


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("case", DIVERGENCES, ids=lambda case: case.name)
def test_step_of_divergence_does_not_depend_on_the_unit_of_the_loss(case, scale):
    sweep = case.sweep_of([scale * loss for loss in [*case.losses, 1e3]])
    assert sweep.step == 20 + len(case.losses)


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
    sweep = swept([*case.losses, *explosion], num_rates=200, beta=beta)
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


@pytest.mark.parametrize("known", [0, 1, 2])
def test_nan_before_a_rate_is_evaluated_leaves_a_curve_with_nan_as_its_loss(known):
    sweep = Sweep([0.1, 0.2, 0.4], steps_per_lr=2)
    for rate in range(known):
        sweep.record(1.0, {"accuracy": 0.5})
        sweep.record(3.0, {"accuracy": 0.7}, rate_loss=5.0 - rate)
    sweep.record(NAN, {"accuracy": 0.1})
    assert sweep.stop_reason == "non_finite"
    curve = sweep.curve()
    np.testing.assert_array_equal(curve.raw_losses, [*[5.0, 4.0][:known], NAN])
    if known:
        np.testing.assert_array_equal(curve.metrics["train_loss"], [*[2.0] * known, NAN])


def test_metric_of_the_name_train_loss_stays_the_models_own():
    sweep = Sweep([0.1, 0.2])
    for loss in (2.0, 1.0):
        sweep.record(loss, {"train_loss": loss + 3})
    assert sweep.curve().raw_losses.tolist() == [2.0, 1.0]
    assert sweep.curve().metrics["train_loss"].tolist() == [5.0, 4.0]


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
    assert sweep.curve().metadata == {"stop_factor": None, "beta": 0.5}


@pytest.mark.parametrize("steps_per_lr", [0, -1, 1.5])
def test_sweep_over_a_range_refuses_half_a_step_a_rate(steps_per_lr):
    with pytest.raises(ValueError, match=f"`steps_per_lr` must be a whole number.*={steps_per_lr}"):
        Sweep.over(1e-4, 1.0, 10, steps_per_lr=steps_per_lr)


@dataclass(frozen=True)
class BadArgument:
    name: str
    arguments: dict[str, object]
    error: type[Exception]
    message: str


ABOVE_1, WHOLE = "`stop_factor` must be greater than 1, or None.*", "`steps_per_lr` must be a whole number.*"
BAD_ARGUMENTS = [
    BadArgument("factor of 1", {"stop_factor": 1}, ValueError, ABOVE_1 + "=1"),
    BadArgument("factor below 1", {"stop_factor": 0.5}, ValueError, ABOVE_1 + r"=0\.5"),
    BadArgument("factor not a number", {"stop_factor": NAN}, ValueError, ABOVE_1 + "=nan"),
    BadArgument("factor a word", {"stop_factor": "4"}, TypeError, "`stop_factor` must be a number.*='4'"),
    BadArgument("factor a list", {"stop_factor": [4]}, TypeError, r"`stop_factor` must be a number.*=\[4\]"),
    BadArgument("factor a bool", {"stop_factor": True}, TypeError, "`stop_factor` must be a number.*=True"),
    BadArgument("no step a rate", {"steps_per_lr": 0}, ValueError, WHOLE + "=0"),
    BadArgument("half a step", {"steps_per_lr": 1.5}, ValueError, WHOLE + r"=1\.5"),
    BadArgument("NaN steps", {"steps_per_lr": NAN}, ValueError, WHOLE + "=nan"),
    BadArgument("steps a word", {"steps_per_lr": "2"}, TypeError, "`steps_per_lr` must be a number.*='2'"),
    BadArgument("steps None", {"steps_per_lr": None}, TypeError, "`steps_per_lr` must be a number.*=None"),
    BadArgument("beta of 1", {"beta": 1.0}, ValueError, r"`beta` must be at least 0 and less than 1.*=1\.0"),
    BadArgument("beta a word", {"beta": "0.9"}, TypeError, r"`beta` must be a number.*='0\.9'"),
    BadArgument("beta None", {"beta": None}, TypeError, "`beta` must be a number.*=None"),
    BadArgument("beta a bool", {"beta": False}, TypeError, "`beta` must be a number.*=False"),
]


@pytest.mark.parametrize("case", BAD_ARGUMENTS, ids=lambda case: case.name)
def test_bad_argument_is_refused_by_its_name(case):
    with pytest.raises(case.error, match=case.message):
        Sweep([0.1, 0.2], **case.arguments)
    with pytest.raises(case.error, match=case.message):
        Sweep.over(1e-4, 1.0, 10, **case.arguments)


RANGE = {"start_lr": 1e-4, "end_lr": 1.0, "num_steps": 10, "ramp": "exponential"}
BAD_RANGES = [
    BadArgument("rate a word", {"start_lr": "1e-4"}, TypeError, "`start_lr` must be a number.*='1e-4'"),
    BadArgument("rate None", {"end_lr": None}, TypeError, "`end_lr` must be a number.*=None"),
    BadArgument("rates a list", {"end_lr": [1.0]}, TypeError, r"`end_lr` must be a number.*=\[1\.0\]"),
    BadArgument("rate a bool", {"end_lr": True}, TypeError, "`end_lr` must be a number.*=True"),
    BadArgument("rate NaN", {"end_lr": NAN}, ValueError, "`end_lr` must be a finite number.*=nan"),
    BadArgument("rate above float32", {"end_lr": 4e38}, ValueError, r"`end_lr` .*float32.*=4e\+38"),
    BadArgument("rate below float32", {"start_lr": 1e-39}, ValueError, "`start_lr` .*float32.*=1e-39"),
    BadArgument("ramp a number", {"ramp": 1}, TypeError, r"`ramp` must be one of \(.*=1"),
    BadArgument("ramp None", {"ramp": None}, TypeError, r"`ramp` must be one of \(.*=None"),
    BadArgument("unknown ramp", {"ramp": "cosine"}, ValueError, r"`ramp` must be one of \(.*='cosine'"),
    BadArgument("steps a word", {"num_steps": "10"}, TypeError, "`num_steps` must be a number.*='10'"),
    BadArgument("steps None", {"num_steps": None}, TypeError, "`num_steps` must be a number.*=None"),
    BadArgument("half a step", {"num_steps": 10.5}, ValueError, r"`num_steps` must be a whole number.*10\.5"),
    BadArgument("one step", {"num_steps": 1}, ValueError, "needs at least 2 steps.*: 1"),
]


@pytest.mark.parametrize("case", BAD_RANGES, ids=lambda case: case.name)
def test_bad_range_is_refused_by_the_arguments_name(case):
    with pytest.raises(case.error, match=case.message):
        Sweep.over(**{**RANGE, **case.arguments})


@pytest.mark.parametrize("steps_per_lr", [1, 10**6])
@pytest.mark.parametrize("num_steps", [10**7 + 1, 10**12])
def test_more_steps_than_ten_million_are_refused_before_any_array_is_made(num_steps, steps_per_lr):
    tracemalloc.start()
    with pytest.raises(
        ValueError, match=f"`num_steps` must be a whole number of at most 10000000.*{num_steps}"
    ):
        Sweep.over(1e-4, 1.0, num_steps, steps_per_lr=steps_per_lr)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def ends_of(all_losses: np.ndarray) -> list[tuple[int, str]]:
    """Last step and stop reason of each sweep over `LRS` that records these losses."""
    sweeps = [swept(losses.tolist(), num_rates=len(LRS)) for losses in all_losses]
    return [(sweep.step, sweep.stop_reason) for sweep in sweeps]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [1, 8, 32, 64])
def test_at_most_one_of_100_sweeps_on_a_rare_class_ends_below_1e_4(batch_size, optimizer):
    ends = ends_of(raw_losses("rare", LRS[LRS < 1e-4], batch_size, optimizer, sweeps=100))
    assert sum(reason is not None for _, reason in ends) <= 1


@pytest.mark.parametrize("task", ["balanced", "regression"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_at_most_3_of_100_sweeps_on_batches_of_one_end_below_1e_4(task, optimizer):
    ends = ends_of(raw_losses(task, LRS[LRS < 1e-4], 1, optimizer, sweeps=100))
    assert sum(reason is not None for _, reason in ends) <= 3


def first_rise_above_the_factor(losses: np.ndarray) -> int:
    """Number of steps up to a smoothed loss above 4 times the lowest so far, or the end of the losses."""
    weights = 0.98 ** np.arange(len(losses))
    averages = np.convolve(losses, weights)[: len(losses)] / np.cumsum(weights)
    lowest = np.minimum.accumulate(averages)
    above = averages > 4 * np.maximum(lowest, averages[0] / 11)
    return int(np.argmax(above)) + 1 if above.any() else len(losses)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(("task", "batch_size"), [("balanced", 8), ("balanced", 64), ("regression", 32)])
def test_sweeps_that_diverge_end_at_most_a_twentieth_later_than_the_plain_rule_says(
    task, batch_size, optimizer
):
    all_losses = raw_losses(task, np.geomspace(1e-7, 100, 200), batch_size, optimizer, sweeps=40)
    late = []
    for losses, (end, reason) in zip(all_losses, ends_of(all_losses), strict=True):
        finite = (
            losses[: int(np.argmin(np.isfinite(losses))) or None] if not np.isfinite(losses).all() else losses
        )
        plain = first_rise_above_the_factor(finite)
        assert reason in ("diverged", "non_finite")
        late.append(end - plain)
    assert max(late) <= len(LRS) / 20


def test_first_loss_of_0_does_not_end_a_sweep():
    losses = np.abs(np.random.default_rng(0).normal(size=200))
    losses[0] = 0
    assert ends_of([losses]) == [(200, "end_lr")]


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_noise_around_zero_does_not_end_a_sweep(level):
    noise = np.random.default_rng(0).normal(size=(100, 200))
    assert sum(reason != "end_lr" for _, reason in ends_of(level + noise)) <= 1


def test_few_high_losses_do_not_end_the_first_half_but_a_majority_does():
    quiet, high = [1.0] * 20, [1000.0] * 5
    assert swept([*quiet, *high], num_rates=100).stop_reason is None
    sweep = swept([*quiet, *high, *high], num_rates=100)
    assert (sweep.step, sweep.stop_reason) == (26, "diverged")


def test_rise_that_does_not_stand_out_from_the_noise_before_it_ends_no_sweep():
    quiet, noisy = np.full(60, 1.0), 1.0 + 20 * np.tile([0, 0, 0, 1], 15)
    rise = np.full(12, 6.0)
    assert swept([*quiet, *np.full(12, 21.0)], num_rates=100, beta=0.9).stop_reason == "diverged"
    assert swept([*noisy, *rise], num_rates=100, beta=0.9).stop_reason is None


def test_best_is_not_the_luck_of_the_first_losses():
    rule = StopRule(num_losses=60, beta=0.9)
    for loss in [0.1, *[1.0] * 40]:
        rule.update(loss)
        assert not rule.diverged


@pytest.mark.parametrize("loss", [1e200, -1e200])
def test_losses_whose_square_is_too_large_for_a_float_are_no_error(loss):
    assert swept([1.0, loss] * 20, num_rates=40).step == 40


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [8, 64])
def test_at_most_one_of_30_sweeps_of_a_keras_model_on_a_rare_class_ends_below_1e_4(batch_size):
    import keras

    from pyimagesearch_lr import LearningRateFinder

    keras.utils.set_random_seed(0)
    rare = keras.initializers.Constant(np.log(0.02 / 0.98))
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(1, bias_initializer=rare)]
    model = keras.Sequential([keras.Input((20,)), *layers])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    finder = LearningRateFinder(model)
    rng = np.random.default_rng(0)
    early = 0
    for _ in range(30):
        y = (rng.random((4096, 1)) < 0.02).astype("float32")
        x = 0.3 * rng.normal(size=(4096, 20)).astype("float32") + y
        finder.find((x, y), 1e-7, 10, epochs=1, steps_per_epoch=200, batch_size=batch_size, verbose=0)
        early += finder.curve.lrs[-1] < 1e-4
    assert early <= 1
