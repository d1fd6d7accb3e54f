"""The committed runs of the recipes are of the recipes as they are, and hold what is claimed of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from scipy.stats import ttest_ind

from pyimagesearch_lr.pipeline import plan

ROOT = Path(__file__).resolve().parents[1]
RUNS = json.loads((ROOT / "scripts/benchmarks/recipes.json").read_text(encoding="utf-8"))
TRAINING = json.loads((ROOT / "docs/results/tutorial/training.json").read_text(encoding="utf-8"))
KINDS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
COMPLETE = {name: run for name, run in RUNS.items() if name.split(":")[0] in plan.COMPLETE}
SHORT, BEST = (
    [run for name, run in COMPLETE.items() if name.startswith(f"{kind}:")] for kind in ("short", "best")
)


@pytest.mark.parametrize("name", COMPLETE)
def test_run_is_of_the_complete_recipe_as_it_is_with_bounds_of_the_finder(name):
    run, (kind, seed) = COMPLETE[name], name.split(":")
    settings = run["settings"]
    assert run["training"] == plan.COMPLETE[kind].describe(settings["min_lr"], settings["max_lr"])
    assert (settings["recipe"], settings["bounds_from"]) == (kind, "the finder")
    assert (settings["hold_out"], settings["seed"]) == (0, int(seed))
    alone = run["accuracy_without_mirror_images"]
    assert run["history"]["val_accuracy"][-1] == pytest.approx(alone, abs=2e-4)  # bfloat16, other batches
    assert run["seconds"] > run["finder_seconds"] + sum(run["history"]["seconds"])


def test_short_recipe_reaches_the_tutorials_accuracy_in_less_than_half_an_hour():
    assert len(SHORT) >= 3
    assert mean(run["test_accuracy"] for run in SHORT) >= 0.945
    assert max(run["seconds"] for run in SHORT) <= 30 * 60


def test_best_recipe_reaches_its_accuracy_in_less_than_an_hour():
    assert len(BEST) >= 3
    assert mean(run["test_accuracy"] for run in BEST) >= 0.953
    assert max(run["seconds"] for run in BEST) <= 60 * 60


@pytest.mark.parametrize("run", BEST)
def test_finder_of_the_best_recipe_answers_nearly_the_rate_of_its_trial(run):
    trial = RUNS["trial:muon_12:1"]["settings"]["max_lr"]
    assert abs(np.log10(run["settings"]["max_lr"] / trial)) < 0.26


@pytest.mark.xfail(strict=True, reason="21 to 23 minutes; docs/benchmarks.md says why")
def test_short_recipe_takes_at_most_13_minutes():
    assert max(run["seconds"] for run in SHORT) <= 13 * 60


def test_trials_of_the_short_recipes_ingredients_lead_to_it():
    """Each step of the docs' list raised the accuracy on held-out images, mirrored or not."""
    steps = [RUNS[f"trial:{name}:1"] for name in ("sgd", "sgd_gentle", "muon", "muon_7")]
    for measure in ("held_out_accuracy", "accuracy_without_mirror_images"):
        reached = [run[measure] for run in steps]
        assert reached == sorted(reached)
    losses = [run["held_out_loss"] for run in steps]
    assert losses == sorted(losses, reverse=True)
    assert all(run["history"]["loss"][-1] > run["history"]["val_loss"][-1] for run in steps)
    short, last = dataclasses.asdict(plan.SHORT), steps[-1]["recipe"]
    differ = {name for name, value in last.items() if value != short[name]}
    assert differ <= {"stages", "epochs_up", "epochs_down"}


def test_best_recipe_is_that_of_its_trial_with_the_highest_accuracy():
    trials = [RUNS[f"trial:{name}:1"] for name in ("muon_12", "muon_12_erased")]
    best = max(trials, key=lambda run: run["held_out_accuracy"])["recipe"]
    assert dataclasses.asdict(plan.BEST) == best | {"stages": plan.BEST.stages, "verify_steps": 1200}
    assert [list(stage) for stage in plan.BEST.stages] == best["stages"]


@pytest.mark.parametrize("kind", KINDS)
def test_training_in_each_precision_is_the_tutorials_on_all_images_in_one_epoch(kind):
    runs = [run for name, run in RUNS.items() if name.startswith(f"{kind}:")]
    assert len({run["settings"]["seed"] for run in runs}) == len(runs) >= 3
    for run in runs:
        settings = run["settings"]
        assert (settings["min_lr"], settings["max_lr"], settings["batch_size"]) == (1e-5, 1e-2, 64)
        assert (settings["num_epochs"], settings["step_size"], settings["hold_out"]) == (1, 0.5, 0)
        assert settings["dtype_policy"] == KINDS[kind]
        assert run["training"] == (
            "1 epoch, triangular learning rate between 1e-05 and 0.01, up in 0.5 epochs and down in 0.5"
        )


def test_both_precisions_end_within_the_noise_of_the_seeds():
    ends = {
        kind: [run["test_accuracy"] for name, run in RUNS.items() if name.startswith(f"{kind}:")]
        for kind in KINDS
    }
    assert ttest_ind(ends["bfloat16"], ends["float32"], equal_var=False).pvalue > 0.05


def test_committed_training_is_the_tutorials_recipe_with_its_bounds():
    settings = TRAINING["settings"]
    assert settings["recipe"] == "tutorial"
    assert (settings["min_lr"], settings["max_lr"], settings["clr_method"]) == (1e-5, 1e-2, "triangular")
    assert (settings["num_epochs"], settings["step_size"], settings["batch_size"]) == (48, 8, 64)
    assert (settings["hold_out"], settings["quick"]) == (0, False)
    history = TRAINING["history"]
    assert {len(values) for values in history.values()} == {48}
    assert history["val_accuracy"][-1] == pytest.approx(TRAINING["test_accuracy"], abs=1e-6)
    assert TRAINING["seconds"] == pytest.approx(sum(history["seconds"]), abs=0.1)


@pytest.mark.xfail(strict=True, reason="0.9447 with the seed of config.py: three images short of the target")
def test_tutorials_recipe_reaches_the_tutorials_accuracy():
    assert TRAINING["test_accuracy"] >= 0.945


def test_pilots_did_not_see_the_test_images():
    pilots = [run for name, run in RUNS.items() if name.startswith(("pilot:", "tune:", "trial:"))]
    assert pilots
    assert not any("test_accuracy" in run for run in pilots)


@pytest.mark.parametrize("name", [name for name in RUNS if name.startswith(("tune:", "trial:"))])
def test_pilot_is_of_the_recipe_that_is_recorded_with_it(name):
    run = RUNS[name]
    stages = tuple(plan.Stage(*stage) for stage in run["recipe"]["stages"])
    recipe = plan.Recipe(**{**run["recipe"], "stages": stages})
    settings = run["settings"]
    assert run["training"] in {
        recipe.describe(settings["min_lr"], settings["max_lr"]),
        dataclasses.replace(recipe, batch_size=None).describe(settings["min_lr"], settings["max_lr"]),
    }
    assert settings["hold_out"] == 5000
    assert recipe.batch_size in (None, settings["batch_size"])
    assert len(run["history"]["val_loss"]) == recipe.epochs
