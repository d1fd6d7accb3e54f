"""How the curve's own rule was chosen: `CurveRule`s of a grid on the recorded sweeps of the "tune" tasks.

The regret of a task is the mean over its sweeps of 100 to 1,000 steps; a sweep without an answer counts with
Keras's default rate. Three means over the tasks are written: that of the library's rule, that of the rule of
the grid with the lowest (no rule of this kind can be better on these tasks), and that where the rule for each
task is the one with the lowest mean on all others. The reported tasks are not read.

    python scripts/benchmarks/curve_rule.py        # a minute; trains nothing

Writes curve_rule.json beside itself.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from suggestions import STEPS, RecordedTask, recorded_tasks

from pyimagesearch_lr.files import written_whole
from pyimagesearch_lr.suggest import RULE, CurveRule, NoSuggestion, Shape

JSON = Path(__file__).with_suffix(".json")
HALVES = (0.3, 0.5, 0.7)
WAYS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STEPS_LATE = (0, 2.5, 5, 7.5, 10)
SAFETIES = (1.0, 2**0.5, 2.0, 2**1.5, 4.0)
RULES = [CurveRule(*settings) for settings in itertools.product(HALVES, WAYS, STEPS_LATE, SAFETIES)]


def regrets(task: RecordedTask) -> np.ndarray:
    """The mean regret of every rule, shape `(rules,)`."""
    found = []
    for steps in STEPS:
        for _, sweep in task.curves(steps):
            try:
                shape = Shape.of(sweep.lrs[: len(sweep.raw_losses)], sweep.raw_losses)
                picks = [shape.max_lr(rule) for rule in RULES]
            except NoSuggestion:
                picks = [task.record["default_lr"]] * len(RULES)
            found.append([task.response.regret(pick) for pick in picks])
    return np.mean(found, axis=0)


def left_out(points: np.ndarray) -> np.ndarray:
    """Each task's regret with the rule that is best on all others, of an array of shape `(tasks, rules)`."""
    others = points.sum(axis=0) - points
    return points[np.arange(len(points)), others.argmin(axis=1)]


def summary(points: np.ndarray) -> dict:
    found = {"mean": np.mean(points), "median task": np.median(points), "worst task": np.max(points)}
    return {name: round(float(value), 3) for name, value in found.items()}


def main() -> None:
    tasks = [task for task in recorded_tasks() if task.split == "tune"]
    points = np.array([regrets(task) for task in tasks])
    best = int(points.mean(axis=0).argmin())
    document = {
        "tasks": len(tasks),
        "rules": len(RULES),
        "the rule": {**asdict(RULE), **summary(points[:, RULES.index(RULE)])},
        "the best of all": {**asdict(RULES[best]), **summary(points[:, best])},
        "the best on all other tasks": summary(left_out(points)),
    }
    print(json.dumps(document, indent=1))
    with written_whole(JSON) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
