"""The benchmark of suggestions: the peers' methods with their faults, the regret, the committed records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
NAN = float("nan")


@pytest.fixture(autouse=True)
def scripts_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "benchmarks"))


def decade_rates(count: int) -> np.ndarray:
    """1, 10, 100, ...: so that a pick names its place."""
    return 10.0 ** np.arange(count)


def pick_of(name: str, losses, planned: int | None = None, steps_per_epoch: int = 10_000, lrs=None) -> float:
    from peer_methods import PEERS, Recorded

    losses = np.array(losses, dtype=float)
    lrs = decade_rates(planned or len(losses)) if lrs is None else lrs
    return PEERS[name](Recorded(lrs, losses, steps_per_epoch))


def place_of(*args, **kwargs) -> int:
    return round(np.log10(pick_of(*args, **kwargs)))


# ---- how the rules were chosen


def test_committed_choice_of_the_curves_rule_is_of_the_rule_as_it_is():
    from curve_rule import RULE, RULES

    found = json.loads((ROOT / "scripts/benchmarks/curve_rule.json").read_text(encoding="utf-8"))
    assert vars(RULE).items() <= found["the rule"].items()
    assert found["rules"] == len(RULES)
    assert RULE in RULES
    floor, ours = found["the best of all"]["mean"], found["the rule"]["mean"]
    assert floor <= ours <= found["the best on all other tasks"]["mean"]


def test_other_ways_to_decide_between_the_last_rates():
    from choosing import lowest_of_a_parabola, within_own_error, within_paired_error

    places = np.array([-3.0, -2.5, -2.0])
    batches = np.array([1.0, 3.0, 2.0, 4.0])  # harder and easier ones, the same for every rate
    losses = np.array([batches + 0.2, batches, batches + 0.3])
    assert within_own_error(losses, places) == -3.0  # batches differ by more than rates do
    assert within_paired_error(losses, places) == -2.5
    assert lowest_of_a_parabola(losses, places) == pytest.approx(-2.5 - 0.05 / 2, abs=0.06)
    assert lowest_of_a_parabola(losses[::-1], places) > -2.5
    assert lowest_of_a_parabola(-losses, places) == -2.0  # a hill has no lowest point


def test_rule_of_a_task_that_is_left_out_is_the_best_on_all_others():
    from curve_rule import left_out

    points = np.array([[0.0, 9.0, 2.0], [5.0, 1.0, 2.0], [5.0, 1.0, 2.0]])  # tasks, rules
    assert left_out(points).tolist() == [9.0, 2.0, 2.0]


def test_curves_rule_of_the_grid_picks_what_the_library_says():
    from curve_rule import RULE
    from suggestions import recorded_tasks

    from pyimagesearch_lr.suggest import NoSuggestion, Shape, suggest

    task = next(task for task in recorded_tasks() if task.split == "tune")
    answers = 0
    for _, sweep in task.curves(300):
        losses = sweep.raw_losses
        try:
            expected = suggest(sweep.lrs[: len(losses)], losses).max_lr
        except NoSuggestion:
            continue
        assert Shape.of(sweep.lrs[: len(losses)], losses).max_lr(RULE) == expected
        answers += 1
    assert answers


# ---- what the tools record


def test_fastai_average_of_equal_losses_is_the_loss():
    from peer_methods import debiased_average

    assert debiased_average(np.full(5, 3.0)) == pytest.approx([3.0] * 5)


def test_lightning_average_starts_at_half_the_loss():
    from peer_methods import debiased_average

    average = debiased_average(np.ones(50), ahead=1)
    assert average[:3] == pytest.approx([0.505, 0.67, 0.76], abs=0.01)
    assert average[49] == pytest.approx(0.99, abs=0.005)


def test_average_from_first_begins_at_the_first_loss():
    from peer_methods import average_from_first

    assert average_from_first(np.array([2.0, 0.0, 0.0])) == pytest.approx([2.0, 1.9, 1.805])


def test_running_mean_jumps_where_an_epoch_begins():
    from peer_methods import running_mean

    losses = np.array([4.0, 2.0, 0.0, 1.0, 3.0])
    assert running_mean(losses, steps_per_epoch=3).tolist() == [4.0, 3.0, 2.0, 1.0, 2.0]


def test_sweep_ends_with_the_first_loss_above_the_factor():
    from peer_methods import until_diverged

    losses = np.array([2.0, 1.0, 4.0, 4.1, 9.0])
    assert until_diverged(losses, 4).tolist() == [2.0, 1.0, 4.0, 4.1]
    assert until_diverged(losses[:3], 4).tolist() == [2.0, 1.0, 4.0]


def test_nan_does_not_end_a_sweep():
    from peer_methods import until_diverged

    assert len(until_diverged(np.array([2.0, 1.0, NAN, NAN]), 4)) == 4


def test_tool_that_goes_on_after_nan_is_given_nan_to_the_end():
    from peer_methods import Recorded, gone_on

    lrs = decade_rates(5)
    assert np.isnan(gone_on(Recorded(lrs, np.array([1.0, 2.0, NAN]), 10))).tolist() == [
        False,
        False,
        *[True] * 3,
    ]
    assert gone_on(Recorded(lrs, np.array([1.0, 2.0]), 10)).tolist() == [1.0, 2.0]


# ---- fastai


@dataclass(frozen=True)
class Valley:
    """A curve and the place that `valley` picks."""

    name: str
    losses: tuple
    place: int


VALLEYS = [
    Valley("flat", (1.0,) * 20, 0),
    Valley("rising", tuple(range(20)), 0),
    Valley("falling all the way: the middle, not two thirds", tuple(range(60, 0, -1)), 29),
    Valley("two falling points: the last rate, by an index of -1", (2.0, 1.0), -1),
    Valley("fall from the 10th to the 19th of 30", (*[10.0] * 10, *range(9, 0, -1), *[10.0] * 11), 8 + 3 + 1),
]


@pytest.mark.parametrize("case", VALLEYS, ids=lambda case: case.name)
def test_valley(case):
    from peer_methods import valley

    lrs = np.arange(len(case.losses)) + 1.0
    assert valley(lrs, np.array(case.losses)) == lrs[case.place]


def test_valley_of_nothing_is_an_index_error():
    from peer_methods import valley

    with pytest.raises(IndexError, match="out of bounds"):
        valley(np.array([]), np.array([]))


def test_slide_goes_down_until_the_slopes_agree():
    from peer_methods import slide

    losses = np.concatenate([np.zeros(30), np.arange(1, 11)])
    lrs = np.arange(40.0)
    assert slide(lrs, losses) == 14
    assert slide(lrs, losses * 1e-4) == 40 - 16


def test_slide_of_few_points_is_an_index_error():
    from peer_methods import slide

    with pytest.raises(IndexError, match="out of bounds"):
        slide(np.arange(15.0), np.arange(15.0))


def test_minimum_is_a_tenth_of_the_lowest():
    from peer_methods import minimum

    assert minimum(np.array([1.0, 10.0, 100.0]), np.array([2.0, 1.0, 3.0])) == 1.0


def test_steep_is_the_beginning_of_the_steepest_fall():
    from peer_methods import steep

    assert steep(np.array([1.0, 10.0, 100.0, 1000.0]), np.array([5.0, 4.0, 1.0, 0.5])) == 10.0


def test_fastai_leaves_out_a_tenth_of_the_planned_steps_and_the_last_five():
    falling = np.linspace(2, 1, 100)
    lrs = np.arange(1.0, 101)
    assert pick_of("fastai minimum", falling, lrs=lrs) == lrs[94] / 10
    steepest_first = np.concatenate([np.linspace(50, 2, 8), np.linspace(2, 1, 92)])
    assert pick_of("fastai steep", steepest_first, lrs=lrs) >= lrs[10]


def test_fastai_loses_nothing_but_nan_to_the_last_five():
    losses = [*np.linspace(2, 1, 40), NAN]
    assert place_of("fastai minimum", losses, planned=50) == 39 - 1


# ---- the tools for PyTorch


def test_lightning_takes_the_slope_over_the_rate_and_so_picks_too_low():
    lrs = np.geomspace(1e-8, 1, 100)
    losses = 2.3 - 2 / (1 + 1e-3 / lrs) + (lrs / 0.3) ** 2
    assert pick_of("Lightning", losses, lrs=lrs) < 2e-4
    assert pick_of("pytorch-lr-finder", losses, lrs=lrs) > 2e-3


def test_lightning_drops_what_is_not_finite():
    lrs = np.geomspace(1e-8, 1, 40)
    losses = [*np.linspace(2.0, 1.9, 30), NAN]
    assert lrs[10] <= pick_of("Lightning", losses, lrs=lrs) <= lrs[29]


def test_lightning_needs_two_finite_losses():
    with pytest.raises(ValueError, match="fewer than 2"):
        pick_of("Lightning", np.ones(12))


def test_pytorch_lr_finder_takes_a_nan_for_the_steepest_fall():
    losses = [*np.linspace(2, 1, 30), NAN]
    assert place_of("pytorch-lr-finder", losses, planned=60) == 29


def test_pytorch_lr_finder_needs_17_points():
    falling = np.linspace(2, 1, 17)
    assert 10 <= place_of("pytorch-lr-finder", falling) < 12
    with pytest.raises(RuntimeError, match="at least 17"):
        pick_of("pytorch-lr-finder", falling[:16])


def test_ignite_looks_before_the_lowest_only():
    losses = [3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 9.0, 9.0]
    assert place_of("ignite", losses) == 4


@pytest.mark.parametrize("losses", [[1.0, 2.0, 3.0, 4.0], [2.0, 1.9, 5.0, 6.0]])
def test_ignite_wants_a_u(losses):
    with pytest.raises(RuntimeError, match="unexpected curve shape"):
        pick_of("ignite", losses)


# ---- the Keras callbacks


def test_ktrain_counts_from_the_33rd_step_and_looks_up_from_the_first():
    lrs = np.geomspace(1e-7, 10, 160)
    losses = np.concatenate([np.full(80, 2.0), np.linspace(2, 0.1, 40), np.linspace(0.1, 0.4, 40)])
    from peer_methods import debiased_average, running_mean

    smoothed = debiased_average(running_mean(losses, 10_000))
    steepest = int(np.argmin(np.gradient(smoothed[: np.argmin(smoothed)])))
    assert pick_of("ktrain steepest", losses, lrs=lrs) == lrs[steepest - 32]


def test_ktrain_steepest_has_no_answer_where_the_minimum_comes_early():
    with pytest.raises(ValueError, match="too small"):
        pick_of("ktrain steepest", [*np.linspace(2, 1, 20), *[9.0] * 30])


def test_ktrain_valley_takes_all_points():
    assert place_of("ktrain valley", np.linspace(2, 1, 60)) == 29


def test_surmenok_pads_with_zeros_that_win_over_rises():
    assert place_of("keras_lr_finder (Surmenok)", np.linspace(1, 2, 40)) == 10


def test_surmenok_of_15_points_or_fewer_has_no_answer():
    with pytest.raises(ValueError, match="empty"):
        pick_of("keras_lr_finder (Surmenok)", np.linspace(2, 1, 15))


def test_dataiku_is_a_tenth_of_the_minimum_on_the_grid():
    losses = [*np.linspace(2, 1, 30), *np.full(10, 9.0)]
    assert place_of("dataiku", losses) == 28


def test_pychemauth_is_the_power_of_ten_below_the_minimum():
    lrs = np.geomspace(2e-6, 2, 61)
    losses = np.concatenate([np.full(20, 2.0), np.linspace(2, 0.5, 30), np.full(11, 90.0)])
    lowest = pick_of("ktrain minimum", losses, lrs=lrs) * 10
    pick = pick_of("pychemauth", losses, lrs=lrs)
    assert np.log10(pick) == round(np.log10(pick))
    assert pick <= lowest < 10 * pick


def test_pychemauth_refuses_an_early_minimum():
    with pytest.raises(ValueError, match="first fifth"):
        pick_of("pychemauth", np.linspace(1, 2, 50))


# ---- the regret


def rows(metrics_of: dict[float, tuple], broken: tuple = ()) -> list[dict]:
    return [
        {
            "max_lr": rate,
            "seed": seed,
            "metric": metric,
            "val_loss": "nan" if (rate, seed) in broken else 1.0,
            "train_loss": 1.0,
        }
        for rate, metrics in metrics_of.items()
        for seed, metric in enumerate(metrics)
    ]


@pytest.fixture
def response():
    """Chance 10; learns nothing at 1e-4, best at 1e-2, diverged from 1 on."""
    from suggestions import Response

    metrics = {
        1e-4: (10, 10, 10),
        1e-3: (50, 60, 40),
        1e-2: (90, 90, 60),
        1e-1: (70, 70, 70),
        1.0: (80, 11, 9),
    }
    return Response(rows({**metrics, 10.0: (50, 50, 50)}, broken=((10.0, 0), (10.0, 2))), chance=10)


@pytest.mark.parametrize(
    ("lr", "regret"),
    [
        (1e-2, 0),
        (1e-3, 30),
        (10**-2.5, 15),
        (10**-1.5, 5),
        (1e-4, 70),
        (1e-7, 70),
        (1.0, 70),
        (0.4, 70),
        (1e3, 70),
    ],
)
def test_regret_is_interpolated_over_the_logarithm_of_the_rate(response, lr, regret):
    assert response.regret(lr) == pytest.approx(regret)


@pytest.mark.parametrize(
    ("lr", "diverged"), [(1e-4, False), (0.3, False), (0.4, True), (1.0, True), (1e3, True)]
)
def test_diverged_is_what_most_seeds_did_above_the_best(response, lr, diverged):
    assert response.has_diverged(lr) is diverged


def test_grid_search_with_one_seed_takes_that_seeds_best(response):
    assert [response.best_of_seed(seed) for seed in (0, 1, 2)] == [1e-2, 1e-2, 1e-1]


@pytest.fixture
def task(response):
    from suggestions import RecordedTask

    record = {
        "task": "hand-made",
        "split": "report",
        "default_lr": 1e-3,
        "sweep": {"start_lr": 1e-8, "end_lr": 100.0},
        "train_samples": 64,
        "batch_size": 32,
        "budget_steps": 100,
        "verified": [{"seed": 0, "steps": 200, "verify_steps": 1200, "pick": 0.01, "cost_steps": 700}],
        "curves": [
            {"seed": seed, "steps": steps, "stop_reason": "end_lr", "raw_losses": [2.0] * steps}
            for steps in (100, 200, 300, 1000)
            for seed in range(2)
        ],
    }
    return RecordedTask(record, response)


def test_no_answer_is_scored_as_kerass_default(task):
    from suggestions import Pick, row_of

    picks = [Pick(task, 200, seed, lr, 200) for seed, lr in enumerate((1e-2, None))]
    row = row_of("method", picks, picks)
    assert (row["mean"], row["worst"], row["no answer"], row["within 1 point"]) == (15, 30, 0.5, 0.5)
    assert row["mean share"] == pytest.approx(0.5 * 30 / 70, abs=1e-4)


def test_spread_and_agreement_are_in_decades(task):
    from suggestions import Pick, row_of

    picks = [
        Pick(task, steps, seed, lr, steps)
        for steps, lrs in {200: (1e-3, 1e-1), 1000: (1e-2, 1e-2)}.items()
        for seed, lr in enumerate(lrs)
    ]
    row = row_of("method", picks, picks)
    assert row["spread, decades"] == pytest.approx(2**0.5 / 2, abs=1e-4)
    assert [row[f"200 vs 1000: {each}"] for each in ("median", "mean", "max")] == [1, 1, 1]
    assert row["steps it cost"] == 600


def test_flat_curves_are_no_answer_of_ours_and_the_verified_row_appears(task):
    from suggestions import all_picks

    picks = all_picks([task])
    assert all(pick.lr is None for pick in picks[BOUNDS])
    assert [(pick.lr, pick.cost) for pick in picks[VERIFIED]] == [(0.01, 700)]


def test_methods_that_raise_have_no_answer():
    from suggestions import answer

    def raises(sweep):
        return np.array([])[0]

    assert answer(raises, None) is None
    assert answer(lambda sweep: NAN, None) is None
    assert answer(lambda sweep: 0.1, None) == 0.1


# ---- the committed records


def records() -> list[dict]:
    """Those that have what a score needs; others are being collected."""
    paths = sorted((ROOT / "scripts/benchmarks/suggestions").glob("*.json"))
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [record for record in found if "curves" in record and "response" in record]


def test_records_hold_every_curve_and_a_whole_grid():
    for record in records():
        curves = {(curve["seed"], curve["steps"]) for curve in record["curves"]}
        assert curves == {(seed, steps) for seed in range(5) for steps in (100, 200, 300, 1000)}
        rates = {row["max_lr"] for row in record["response"]}
        assert len(rates) >= 13
        places = {(row["max_lr"], row["seed"]) for row in record["response"]}
        assert places >= {(rate, seed) for rate in rates for seed in range(3)}


def test_tasks_can_tell_rates_apart():
    from suggestions import recorded_tasks

    for task in recorded_tasks():
        response = task.response
        best = int(np.argmax(response.mean))
        assert response.best > response.chance + 20, task.name
        assert 0 < best < len(response.rates) - 1, task.name
        assert min(response.mean[0], response.mean[-1]) < response.best - 15, task.name


def test_enough_tasks_of_both_splits():
    splits = [record["split"] for record in records()]
    assert splits.count("tune") >= 20
    assert splits.count("report") >= 10


def test_recorded_tasks_are_defined_and_as_many_of_each_split_as_were_promised():
    from suggestion_tasks import TASKS

    defined = {task.name: (task.split, task.batch_size, task.budget_steps) for task in TASKS}
    recorded = {
        record["task"]: (record["split"], record["batch_size"], record["budget_steps"])
        for record in records()
    }
    assert recorded.items() <= defined.items()
    splits = [task.split for task in TASKS]
    assert min(splits.count("tune"), splits.count("report")) >= 24


def test_no_task_that_is_reported_decides_the_rule():
    chosen_on = json.loads((ROOT / "scripts/benchmarks/choosing.json").read_text(encoding="utf-8"))
    tuned = [record for record in records() if record["split"] == "tune" and "probes" in record]
    assert {row["tasks"] for row in chosen_on} == {len(tuned)}


@pytest.mark.parametrize(("steps", "longest"), [(25, 25), (60, 50), (333, 300), (1000, 400)])
def test_played_probe_is_the_longest_recorded_one_that_is_not_longer(steps, longest, response):
    from choosing import Recordings
    from suggestions import RecordedTask

    rates = [float(rate) for rate in response.rates]
    probes = [
        {"steps": each, "seed": 0, "max_lr": rate, "val_loss": 1.0, "losses": [each] * 9}
        for each in (25, 50, 100, 300, 400)
        for rate in rates
    ]
    record = {"probes": probes, "curves": [], "sweep": {"start_lr": 1e-8, "end_lr": 1.0}}
    record |= {"train_samples": 64, "batch_size": 32}
    probe = Recordings(RecordedTask(record, response)).probe(0, 1.1e-2, steps, 2.0)
    assert (probe.loss, probe.steps, probe.first_loss) == (longest, steps, 2.0)


def test_searches_pick_the_best_of_what_they_drew():
    from searches import SEARCHES

    rates = [10.0 ** (place / 2) for place in range(-8, 1)]
    response = [{"max_lr": rate, "seed": 0, "metric": 100 - abs(np.log10(rate) + 2) * 10} for rate in rates]
    losses = {(steps, 0, rate): abs(np.log10(rate) + 2) for steps in (25, 50, 100, 150) for rate in rates}
    record = {"response": response, "budget_steps": 150}
    for search in SEARCHES.values():
        lr, cost = search(record, losses, 0, np.random.default_rng(0))
        assert abs(np.log10(lr) + 2) <= 0.5
        assert 0 < cost <= 1600


def test_score_prints_the_committed_summary():
    command = [
        sys.executable,
        "scripts/benchmarks/suggestions.py",
        "--score",
        "--split",
        "report",
        "--steps",
        "200",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    rows_printed = [line for line in done.stdout.splitlines() if line.startswith("| ours: bounds")]
    summary = json.loads((ROOT / "scripts/benchmarks/suggestions.json").read_text(encoding="utf-8"))
    table = {row["method"]: row for row in summary["tables"]["Sweeps of 200 steps"]}
    cells = [cell.strip() for cell in rows_printed[0].split("|")[1:-1]]
    expected = table["ours: bounds"]
    assert cells[:4] == ["ours: bounds", *(f"{expected[name]:.2f}" for name in ("mean", "median", "worst"))]


@dataclass(frozen=True)
class Target:
    """What a method has to reach on the reported tasks, sweeps of all lengths together."""

    method: str
    column: str
    at_most: float

    def __str__(self) -> str:
        return f"{self.method}: {self.column}"


VERIFIED, BOUNDS = "ours, verified in 1200 steps", "ours: bounds"
TARGETS = [
    Target(VERIFIED, "diverged", 0.0),
    Target(BOUNDS, "spread, decades", 0.15),
    Target(BOUNDS, "200 vs 1000: median", 0.25),
]


def summary_row(method: str) -> dict:
    summary = json.loads((ROOT / "scripts/benchmarks/suggestions.json").read_text(encoding="utf-8"))
    return {row["method"]: row for row in summary["tables"]["Sweeps of all lengths"]}[method]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_target_is_reached(target):
    assert summary_row(target.method)[target.column] <= target.at_most


@pytest.mark.parametrize("column", ["mean", "worst"])
def test_our_bounds_have_the_lowest_regret_of_all_finders(column):
    summary = json.loads((ROOT / "scripts/benchmarks/suggestions.json").read_text(encoding="utf-8"))
    rows = summary["tables"]["Sweeps of all lengths"]
    from peer_methods import PEERS

    others = [row[column] for row in rows if row["method"] in PEERS]
    assert len(others) == len(PEERS)
    assert summary_row(BOUNDS)[column] < min(others)


def test_lowest_rate_of_the_finder_is_that_of_the_recorded_sweep_or_none():
    from collect_suggestions import base_of_finder
    from suggestions import recorded_tasks

    from pyimagesearch_lr.suggest import suggest

    task = next(task for task in recorded_tasks() if task.name == "digits_mlp_momentum")
    (sweep,) = (each for seed, each in task.curves(300) if seed == 2)
    expected = suggest(sweep.lrs[: len(sweep.raw_losses)], sweep.raw_losses).base_lr
    assert base_of_finder(task.record, 2) == expected
    flat = {"curves": [{"seed": 0, "steps": 300, "raw_losses": [2.0] * 300}]}
    assert base_of_finder(flat, 0) == float("inf")


def test_lowest_rates_are_held_against_a_tenth_seed_by_seed(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "make"))
    from update_pages import _suggestion_bases

    tenth = [{"max_lr": 1.0, "seed": seed, "metric": 80.0 + seed} for seed in range(4)]
    others = [{"max_lr": 1.0, "seed": seed, "share": 0.25, "metric": 79.0 + seed} for seed in range(2)]
    others += [{"max_lr": 1.0, "seed": 3, "share": 0.02, "of": "finder", "metric": 83.5}]
    table = _suggestion_bases([{"response": tenth, "bases": others}, {"response": tenth}])
    assert "| a quarter of the highest | 1 | 1.00 | 1.00 | 1.00 | 0% |" in table
    assert "| what the finder says, at most a tenth | 1 | -0.50 | -0.50 | -0.50 | 100% |" in table
    assert "a fiftieth" not in table
