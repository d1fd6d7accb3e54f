"""What the committed benchmarks say about the defaults, recomputed from the measured losses."""

from __future__ import annotations

import json
import math
import runpy
import statistics
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch_lr.suggest import suggest

ROOT = Path(__file__).resolve().parents[1]
QUARTER_DECADE = 0.25
SWEEPS = json.loads((ROOT / "scripts/benchmarks/lrfind_steps.json").read_text(encoding="utf-8"))
DEFAULT_STEPS = runpy.run_path(str(ROOT / "config.py"))["LRFIND_STEPS"]


COST = json.loads((ROOT / "scripts/benchmarks/sweep.json").read_text(encoding="utf-8"))


def median_ratio(section: str, above: str, below: str) -> float:
    seconds = COST[section]["seconds"]
    pairs = list(zip(seconds[above], seconds[below], strict=True))
    assert len(pairs) >= 5
    return statistics.median(a / b for a, b in pairs)


def test_a_sweep_costs_what_was_promised():
    assert median_ratio("minigooglenet", "sweep", "fit") <= 1.02
    assert median_ratio("small", "sweep", "fit") <= 0.6
    assert median_ratio("small", "usual way", "sweep") >= 3


@pytest.mark.parametrize("section", ["small", "minigooglenet"])
def test_a_sweep_takes_no_longer_than_in_the_version_before(section):
    now, before = COST[section]["seconds"], COST[section]["against"]["seconds"]  # called in turn
    pairs = list(zip(now["sweep"], before["sweep"], strict=True))
    assert len(pairs) >= 5
    assert statistics.median(a / b for a, b in pairs) <= 1.05


@pytest.mark.parametrize("way", ["sweep", "callback"])
def test_the_plain_recorder_costs_what_its_calls_do(way):
    assert median_ratio("plain", way, "by hand") <= 1.1


def test_a_snapshot_on_disk_spares_the_memory():
    peaks = {way: statistics.median(values) for way, values in COST["memory"]["peak_kib"].items()}
    assert peaks["sweep, snapshot on disk"] / peaks["fit"] <= 1.1


def test_time_grows_with_the_steps_along_a_line():
    seconds = {int(steps): statistics.median(times) for steps, times in COST["steps"]["seconds"].items()}
    rate = (seconds[20_000] - seconds[200]) / 19_800
    for steps, measured in seconds.items():
        assert measured == pytest.approx(seconds[200] + rate * (steps - 200), rel=0.1)


def bounds_of(name: str) -> tuple[float, float]:
    sweep = SWEEPS[name]
    lrs = np.geomspace(1e-10, 10, sweep["steps"])[: len(sweep["raw_losses"])]
    bounds = suggest(lrs, [float(loss) for loss in sweep["raw_losses"]])
    return bounds.base_lr, bounds.max_lr


@pytest.mark.parametrize("name", [f"mixed_bfloat16:{DEFAULT_STEPS}", "float32:500"])
def test_short_sweep_and_float32_give_the_bounds_of_the_whole_sweep_within_a_quarter_decade(name):
    for found, whole in zip(bounds_of(name), bounds_of("mixed_bfloat16:2814"), strict=True):
        assert abs(math.log10(found / whole)) < QUARTER_DECADE


def test_precision_moves_the_bounds_of_equal_sweeps_by_less_than_a_quarter_decade():
    for fast, exact in zip(bounds_of("mixed_bfloat16:500"), bounds_of("float32:500"), strict=True):
        assert abs(math.log10(fast / exact)) < QUARTER_DECADE
