"""Which rates are tried: the search finds the lowest loss wherever it lies, within its number of steps."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.probing import STAGES, probe_around
from pyimagesearch_lr.suggest import NoSuggestion, Probe, best_probe

LIMITS = (1e-8, 100.0)


def trainer(best: float, diverges_at: float = math.inf):
    """A training whose loss is lowest at one rate and infinite from another on."""

    def train(max_lr, steps):
        loss = abs(math.log10(max_lr / best)) if max_lr < diverges_at else math.inf
        return Probe(max_lr / 10, max_lr, steps, loss)

    return train


@given(best=st.floats(-6, 1), start=st.floats(-1.5, 1.5))
def test_best_rate_is_found_from_a_start_within_one_and_a_half_decades(best, start):
    probes = probe_around(10 ** (best + start), trainer(10**best), 1200, LIMITS)
    assert abs(math.log10(best_probe(probes).max_lr) - best) <= 0.2501
    assert sum(probe.steps for probe in probes) <= 1200


@given(start=st.floats(-9, 3), best=st.floats(-9, 3), diverges=st.floats(-9, 3), steps=st.integers(120, 5000))
def test_rates_stay_in_the_limits_and_steps_in_their_bound(start, best, diverges, steps):
    probes = probe_around(10**start, trainer(10**best, 10**diverges), steps, LIMITS)
    assert all(LIMITS[0] * (1 - 1e-9) <= probe.max_lr <= LIMITS[1] * (1 + 1e-9) for probe in probes)
    assert STAGES.first_steps(steps) + sum(probe.steps for probe in probes) <= steps


def test_search_comes_down_from_rates_that_all_diverge():
    probes = probe_around(1.0, trainer(1e-2, diverges_at=5e-2), 1200, LIMITS)
    assert best_probe(probes).max_lr == pytest.approx(1e-2)


def test_starts_that_differ_a_little_try_the_same_rates():
    tried = [
        [probe.max_lr for probe in probe_around(s, trainer(1e-2), 1200, LIMITS)] for s in (0.9e-3, 1.1e-3)
    ]
    assert tried[0] == tried[1]


def test_only_the_best_are_tried_for_longer_with_all_the_steps_that_are_left():
    probes = probe_around(1e-3, trainer(2e-3), 1200, LIMITS)
    short = [probe for probe in probes if probe.steps == 100]
    long = [probe for probe in probes if probe.steps > 100]
    assert len(short) + len(long) == len(probes)
    assert [probe.steps for probe in long] == [(1200 - 100 - 100 * len(short)) // 6 * 2] * 3
    assert all(abs(math.log10(b.max_lr / a.max_lr)) == pytest.approx(0.25) for a, b in pairwise(long))
    assert np.isclose([probe.max_lr for probe in long], 10**-2.75).any()


@pytest.mark.parametrize(("best", "tried"), [(1e-3, [-3.0, -3.25, -2.75]), (7e-4, [-3.0, -3.25, -3.5])])
def test_last_rate_lies_beyond_the_better_of_the_two_before(best, tried):
    long = [probe for probe in probe_around(1e-3, trainer(best), 480, LIMITS) if probe.steps > 40]
    assert np.log10([probe.max_lr for probe in long]) == pytest.approx(tried)
    assert all(probe.steps % 2 == 0 for probe in long)


@pytest.mark.parametrize(
    ("limits", "tried"), [((1e-3, 1.0), [-3, -2.75, -2.5]), ((1e-6, 1e-3), [-3, -3.25, -3.5])]
)
def test_at_the_limits_the_last_rates_lie_on_the_other_side(limits, tried):
    best = 1e-4 if limits[0] == 1e-3 else 1e-2
    long = [probe for probe in probe_around(1e-3, trainer(best), 480, limits) if probe.steps > 40]
    assert np.log10([probe.max_lr for probe in long]) == pytest.approx(tried)


def test_rate_that_diverged_in_a_short_probe_is_no_answer_where_all_did():
    """Noise can end a short probe at any rate, as where a class is rare."""

    def train(max_lr, steps):
        is_short = steps <= 40
        return Probe(max_lr / 10, max_lr, 5 if is_short else steps, math.inf if is_short else 0.5)

    probes = probe_around(1e-3, train, 480, LIMITS)
    diverged = {probe.max_lr for probe in probes if probe.diverged}
    assert len(diverged) > 3
    assert any(probe.max_lr in diverged for probe in probes if not probe.diverged)
    assert best_probe(probes).max_lr not in diverged


def test_last_rate_is_not_nearer_to_where_training_gets_worse():
    """It begins at 2.3, falls to 1, and to no less than 1.9 half a decade above."""

    def train(max_lr, steps):
        loss = 1.0 + 0.1 * abs(math.log10(max_lr / 1e-3)) if max_lr < 3e-3 else 1.9
        return Probe(max_lr / 10, max_lr, steps, loss, first_loss=2.3)

    probes = probe_around(1e-3, train, 480, LIMITS)
    long = [probe for probe in probes if probe.steps > 40]
    assert np.log10([probe.max_lr for probe in long]) == pytest.approx([-3, -3.25, -3.5])
    answer = best_probe(probes)
    assert answer.max_lr == pytest.approx(10**-3.25)
    assert answer.reason.endswith("that reached 1, but training is worse above.")


@pytest.mark.parametrize(("above", "chosen"), [(0.52, 1e-2), (0.71, 1e-3), (math.inf, 1e-3), (None, 1e-2)])
def test_rate_below_one_that_is_clearly_worse_is_left_alone(above, chosen):
    """A fall of 2 by the best of the short probes, of which a tenth is 0.2."""
    short = [Probe(1e-4, 1e-2, 50, 0.5, first_loss=2.5)]
    if above is not None:
        short.append(Probe(1e-2, 1e-1, 50, above, first_loss=2.5))
    long = [Probe(1e-4, lr, 100, loss, first_loss=2.5) for lr, loss in [(1e-3, 0.6), (1e-2, 0.3)]]
    assert best_probe([*short, *long]).max_lr == chosen


def test_one_rate_that_was_tried_is_the_answer_whatever_is_above():
    probes = [Probe(1e-4, 1e-2, 100, 0.5, first_loss=2.5), Probe(1e-2, 1e-1, 25, math.inf)]
    assert best_probe(probes).max_lr == 1e-2


@pytest.mark.parametrize("first_loss", [2.3, -2.3])
@pytest.mark.parametrize("start", [1e-8, 1e-5])
def test_rates_at_which_nothing_happens_are_left_upwards(start, first_loss):
    """As where noise hid a sweep's fall; losses of the same batches are compared, so that none hides it."""

    def train(max_lr, steps):
        fall = 0.3 * steps * max_lr / (1 + (max_lr / 1e-2) ** 2)
        return Probe(max_lr / 10, max_lr, steps, first_loss - fall, first_loss=first_loss)

    probes = probe_around(start, train, 1200, LIMITS)
    assert best_probe(probes).max_lr > min(10**3.4 * start, 5e-3)


@pytest.mark.parametrize("start", [1e-4, 1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize("slope", [0.5, 0.8])
def test_loss_of_which_little_can_fall_is_followed_to_its_lowest(start, slope):
    """As a likelihood with a large constant: the best rate is 4 % below where it began."""

    def train(max_lr, steps):
        away = math.log10(max_lr / 1e-2)
        share = 10 ** (slope * away) if away < 0 else 1 - 2 * away
        return Probe(max_lr / 10, max_lr, steps, 1 - 0.04 * share, first_loss=1.0)

    assert abs(math.log10(best_probe(probe_around(start, train, 1200, LIMITS)).max_lr) + 2) <= 0.2501


def test_rates_of_which_the_highest_alone_begins_to_learn_are_left_upwards():
    def train(max_lr, steps):
        return Probe(max_lr / 10, max_lr, steps, 2.3 - min(100 * max_lr, 2.0), first_loss=2.3)

    probes = probe_around(1e-4, train, 1200, LIMITS)
    assert best_probe(probes).max_lr == pytest.approx(10**-1.5, rel=0.8)


def test_no_probe_is_longer_than_the_training_will_be():
    probes = probe_around(1e-3, trainer(2e-3), 1200, LIMITS, train_steps=30)
    assert {probe.steps for probe in probes} == {30}


def test_where_all_long_probes_diverge_lower_rates_are_tried():
    def train(max_lr, steps):
        dies = steps > 100 and max_lr > 2e-4
        return Probe(max_lr / 10, max_lr, 20 if dies else steps, math.inf if dies else -math.log10(max_lr))

    probes = probe_around(1e-2, train, 1200, (1e-6, 1e-1))
    found = best_probe(probes)
    assert found.max_lr < 2e-4
    assert sum(probe.steps for probe in probes) <= 1200


def test_nothing_that_trained_is_no_answer():
    with pytest.raises(NoSuggestion, match="lower `start_lr`"):
        best_probe([Probe(0.1, 1.0, 3, math.inf), Probe(0.1, 1.0, 3, math.nan)])


def test_no_probes_say_how_to_get_them():
    with pytest.raises(NoSuggestion, match="verify=True"):
        best_probe([])


def test_of_rates_that_trained_as_well_the_lowest_is_taken():
    """Within a hundredth of the fall, 0.016, and of that of the logarithm, which makes 0.0072 of it."""
    losses = [(1e-3, 0.51), (1e-2, 0.507), (1e-1, 0.5), (1.0, 0.503)]
    probes = [Probe(1e-4, max_lr, 100, loss, first_loss=2.1) for max_lr, loss in losses]
    assert best_probe(probes).max_lr == 1e-2
    assert best_probe([Probe(1e-4, p.max_lr, 100, p.loss, first_loss=1.5) for p in probes]).max_lr == 1e-1


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_losses_that_fall_over_decades_are_not_as_good_as_each_other(scale):
    """As of targets that are tiny beside what an untrained network gives; their unit changes nothing."""
    losses = [(1e-3, 0.02), (1e-2, 0.002), (1e-1, 0.0002), (1.0, 0.000196)]
    probes = [Probe(1e-4, lr, 100, scale * loss, first_loss=scale * 2.3) for lr, loss in losses]
    assert best_probe(probes).max_lr == 1e-1


def test_losses_below_zero_are_compared_by_their_fall():
    losses = [(1e-3, -0.85), (1e-2, -0.895), (1e-1, -0.9)]
    probes = [Probe(1e-4, max_lr, 100, loss, first_loss=-0.1) for max_lr, loss in losses]
    assert best_probe(probes).max_lr == 1e-2


def test_noise_of_the_best_is_no_reason_to_take_a_lower_rate():
    probes = [Probe(1e-4, 1e-2, 100, 0.6, error=0.5), Probe(1e-4, 1e-1, 100, 0.5, error=0.5)]
    assert best_probe(probes).max_lr == 1e-1


def test_rate_that_diverged_in_a_longer_probe_is_out():
    probes = [Probe(0.1, 1.0, 50, 0.1), Probe(0.1, 1.0, 120, math.inf), Probe(0.01, 0.1, 50, 0.4)]
    assert best_probe(probes).max_lr == 0.1


def test_rate_below_one_that_diverged_only_in_a_long_probe_is_left_alone():
    """It is the highest that trained, and the next one above dies late."""
    long = [Probe(1e-3, lr, 200, loss, first_loss=2.3) for lr, loss in [(0.03, 0.7), (0.056, 0.5)]]
    above = [Probe(0.01, 0.1, 100, 0.6, first_loss=2.3), Probe(0.01, 0.1, 140, math.inf)]
    assert best_probe([*above, *long]).max_lr == 0.03
    assert best_probe([*above[:1], *long]).max_lr == 0.056


def test_rates_that_all_diverged_sooner_or_later_are_told_as_such():
    probes = [Probe(0.1, 1.0, 5, math.inf), Probe(0.1, 1.0, 100, 0.5)]
    with pytest.raises(NoSuggestion, match="every rate that was tried diverged: lower `start_lr`"):
        best_probe(probes)


@pytest.mark.parametrize("limits", [(4e-3, 9e-3), (1.1e-3, 1.9e-3), (2e-2, 2e-2)])
def test_range_without_a_place_of_the_grid_is_tried_within(limits):
    probes = probe_around(1.0, trainer(limits[0]), 1200, limits)
    assert probes
    assert all(limits[0] * (1 - 1e-6) <= probe.max_lr <= limits[1] * (1 + 1e-6) for probe in probes)


def test_short_trials_do_not_outdo_long_ones():
    probes = [Probe(1e-4, 1e-3, 100, 0.1), Probe(1e-4, 1e-2, 200, 0.5)]
    assert best_probe(probes).max_lr == 1e-2


def test_guessing_is_no_answer():
    """The loss of ten classes that nothing is known of is log(10) = 2.3, whatever the rate."""
    probes = [Probe(lr / 10, lr, 100, loss, first_loss=2.31) for lr, loss in [(1.0, 2.33), (3.2, 2.41)]]
    with pytest.raises(
        NoSuggestion,
        match=r"no rate that was tried, 1\.0e\+00 and up, brought the loss below 2\.31, where it",
    ):
        best_probe(probes)


def test_fall_that_guessing_gives_too_is_told():
    """An untrained network of ten classes begins a little above log(10) = 2.303, which guessing comes to."""
    answer = best_probe([Probe(0.1, 1.0, 100, 2.31, first_loss=2.4)])
    assert answer.reason.endswith("That is hardly below 2.4, where it began: guessing comes to as much.")
    assert "guessing" not in best_probe([Probe(0.1, 1.0, 100, 2.2, first_loss=2.4)]).reason


@pytest.mark.parametrize("max_steps", [600, 1200])
def test_rates_that_only_guess_are_walked_away_from_and_a_hard_task_keeps_its_best(max_steps):
    def guessing_above_a_tenth(max_lr, steps):
        loss = 1.0 if max_lr < 0.1 else 2.31 + 0.001 * np.log10(max_lr)
        return Probe(max_lr / 10, max_lr, steps, loss, first_loss=2.4)

    def hard(max_lr, steps):
        return Probe(max_lr / 10, max_lr, steps, 0.69 + 0.002 * abs(np.log10(max_lr) + 2), first_loss=0.7)

    limits = (1e-8, 100.0)
    assert best_probe(probe_around(100.0, guessing_above_a_tenth, max_steps, limits)).max_lr < 0.1
    assert best_probe(probe_around(1e-2, hard, max_steps, limits)).max_lr == pytest.approx(1e-2)


def test_probes_whose_first_loss_is_not_known_are_still_answered():
    assert best_probe([Probe(0.1, 1.0, 100, 0.5)]).max_lr == 1.0


@pytest.mark.parametrize(
    ("max_lr", "stop_reason", "asked", "said"),
    [
        (1e-4, "end_lr", {}, "It is the lowest that the sweep allowed to try: lower `start_lr` to try more."),
        (1.0, "end_lr", {}, "It is the highest that the sweep allowed to try: raise `end_lr` to try more."),
        (1.0, "diverged", {}, ""),
        (1.0, "diverged", {"end_lr": 10.0}, ""),
        *[(1.0, "diverged", {"end_lr": unusable}, "") for unusable in (None, "1.0", 0, -1.0, math.nan)],
        (10.0, "diverged", {"end_lr": 10.0}, "to try: raise `end_lr` to try more."),
        (10.0, "non_finite", {"end_lr": 12.0}, "to try: raise `end_lr` to try more."),
        (1e-2, "end_lr", {}, ""),
    ],
)
def test_answer_at_an_edge_of_the_sweep_says_so(max_lr, stop_reason, asked, said):
    lrs = np.geomspace(1e-4, 1.0, 50)
    probes = (Probe(max_lr / 10, max_lr, 100, 0.5, first_loss=2.0),)
    curve = LRCurve(lrs, lrs, lrs, stop_reason, metadata=asked, probes=probes)
    assert curve.suggest().reason.endswith(said or "within 0.007.")


@pytest.mark.parametrize("max_steps", [600, 1200])
def test_rates_that_leave_the_loss_where_it_began_are_walked_away_from(max_steps):
    """A saturated network neither diverges nor learns: its losses at high rates say nothing of each other."""
    rng = np.random.default_rng(0)

    def train(max_lr, steps):
        loss = 0.01 - 0.02 * math.log10(max_lr) if max_lr < 0.5 else 50 + 400 * rng.random()
        return Probe(max_lr / 10, max_lr, steps, loss, first_loss=2.4)

    probes = probe_around(100.0, train, max_steps, limits=(1e-8, 100.0))
    assert 0.01 < best_probe(probes).max_lr < 0.5
    assert sum(probe.steps for probe in probes) <= max_steps


def test_search_goes_on_across_a_bump():
    """As with Adafactor: losses go up and down where the rate is too high, and the best lies lower."""
    losses = {1.0: 1.8, 0.5: 2.0, 0.0: 2.0, -0.5: 1.6, -1.0: 1.2, -1.5: 1.5, -2.0: 1.9}

    def train(max_lr, steps):
        place = round(2 * math.log10(max_lr)) / 2
        return Probe(max_lr / 10, max_lr, steps, losses.get(place, 2.4), first_loss=2.5)

    found = best_probe(probe_around(10.0, train, 1200, (1e-8, 10.0)))
    assert 10**-1.3 <= found.max_lr <= 10**-0.7


@pytest.mark.parametrize("best", [-4.0, -1.0])
def test_search_goes_on_where_rates_look_alike(best):
    """A plateau of two decades, and learning at one of its ends."""

    def train(max_lr, steps):
        away = math.log10(max_lr) - best
        inwards = away if best < -2.5 else -away
        loss = 0.8 if abs(away) < 0.4 else 0.98 if 0 < inwards < 2.1 else 1.5
        return Probe(max_lr / 10, max_lr, steps, loss, first_loss=1.1)

    found = best_probe(probe_around(10**-2.5, train, 1200, (1e-8, 100.0)))
    assert abs(math.log10(found.max_lr) - best) < 0.4


def test_last_rates_are_farther_apart_where_short_trainings_look_alike():
    """Longer trainings tell the rates apart, and the best of them is not the best of the short ones."""

    def train(max_lr, steps):
        away = math.log10(max_lr) + 2.5
        loss = 0.3 + (0.001 if steps <= 100 else 0.1) * abs(away - 0.5) if abs(away) < 1.1 else 0.9
        return Probe(max_lr / 10, max_lr, steps, loss, first_loss=1.0)

    probes = probe_around(10**-2.5, train, 1200, (1e-6, 1.0))
    long = [probe for probe in probes if probe.steps > 100]
    assert sorted(np.diff(sorted(math.log10(probe.max_lr) for probe in long))) == pytest.approx([0.5, 0.5])
    assert best_probe(probes).max_lr == pytest.approx(1e-2)


@pytest.mark.parametrize("start", [1e-8, 1e-6])
def test_strides_grow_while_the_rate_makes_no_difference(start):
    """As with Ftrl, whose first steps change the weights whatever the rate: losses end alike."""

    def train(max_lr, steps):
        away = abs(math.log10(max_lr) + 0.5)
        return Probe(max_lr / 10, max_lr, steps, min(2.34 - 0.1 * max_lr, 0.6 + away), first_loss=2.3)

    probes = probe_around(start, train, 1200, (1e-8, 100.0))
    assert best_probe(probes).max_lr == pytest.approx(10**-0.5, rel=0.01)
    assert sum(probe.steps for probe in probes) <= 1100


def test_rates_are_not_lowered_further_where_they_do_nothing():
    """A slow start: less than 5 % in any short probe, and the best of them between others."""

    def train(max_lr, steps):
        fall = 0.03 * (steps / 50) * 10 ** -abs(math.log10(max_lr) + 2)
        return Probe(max_lr / 10, max_lr, steps, 2.5 * (1 - fall), first_loss=2.5)

    probes = probe_around(1e-2, train, 600, (1e-8, 10.0))
    assert min(probe.max_lr for probe in probes) > 10**-3.1
    assert max(probe.steps for probe in probes) >= 100
    assert 5e-3 < best_probe(probes).max_lr < 1.1e-2


@pytest.mark.parametrize("max_steps", [120, 600, 1200])
@pytest.mark.parametrize("seed", range(20))
def test_no_landscape_takes_more_steps_than_there_are_nor_rates_outside_the_limits(max_steps, seed):
    rng = np.random.default_rng(seed)
    rough = {}

    def train(max_lr, steps):
        loss = rough.setdefault((max_lr, steps), float(rng.choice([rng.uniform(0, 3), 2.3, math.inf, -1.0])))
        return Probe(max_lr / 10, max_lr, steps if math.isfinite(loss) else steps // 4, loss, first_loss=2.3)

    limits = (1e-7, 10 ** rng.uniform(-6, 2))
    probes = probe_around(10 ** rng.uniform(-8, 3), train, max_steps, limits)
    assert sum(probe.steps for probe in probes) <= max_steps - max_steps // 12 // 2 * 2
    assert all(limits[0] * 0.999 <= probe.max_lr <= limits[1] * 1.001 for probe in probes)
    assert len({(probe.max_lr, probe.steps) for probe in probes}) == len(probes)
