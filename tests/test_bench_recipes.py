"""The committed runs of the recipes are of the recipes as they are, and hold what is claimed of them."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import pytest

from pyimagesearch_lr import recipes

ROOT = Path(__file__).resolve().parents[1]
RUNS = json.loads((ROOT / "scripts" / "bench_recipes.json").read_text(encoding="utf-8"))
SHORT = {name: run for name, run in RUNS.items() if name.startswith("short:")}


@pytest.mark.parametrize("name", SHORT)
def test_short_run_is_of_the_recipe_as_it_is_with_bounds_of_the_finder(name):
    run = SHORT[name]
    settings = run["settings"]
    assert run["training"] == recipes.SHORT.describe(settings["min_lr"], settings["max_lr"])
    assert settings["bounds_from"] == "the finder"
    assert (settings["hold_out"], settings["seed"]) == (0, int(name.split(":")[1]))
    assert run["history"]["val_accuracy"][-1] == pytest.approx(run["test_accuracy"], abs=1e-6)
    assert run["seconds"] > run["finder_seconds"] + sum(run["history"]["seconds"])


def test_short_recipe_reaches_the_tutorials_accuracy_in_half_an_hour():
    assert len(SHORT) >= 3
    assert mean(run["test_accuracy"] for run in SHORT.values()) >= 0.945
    assert max(run["seconds"] for run in SHORT.values()) <= 30 * 60


def test_pilots_did_not_see_the_test_images():
    pilots = [run for name, run in RUNS.items() if name.startswith("pilot:")]
    assert len(pilots) == 4
    assert not any("test_accuracy" in run for run in pilots)
