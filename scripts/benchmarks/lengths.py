"""Does the best rate move with the length of the training? Responses from 100 to 3,200 steps.

Papers say that it falls with the number of steps to the power -0.3 to -0.5, or not at all. For each task
and length: the validation metric after one triangular cycle (base_lr = max_lr / 10), for rates in quarter
decades, 3 seeds; then the best rate of each length, by a parabola through the best of the grid and its
neighbours, and the exponent of a power law through them, with its standard error over the seeds.

    python scripts/benchmarks/lengths.py                          # all; some hours on one core
    python scripts/benchmarks/lengths.py fashion_cnn_momentum     # 15 minutes; the last of all takes most

Writes lengths.json beside itself, task by task.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from collect_suggestions import THREADS, Trainer
from measuring import keep, kept, rounded
from suggestion_tasks import TASKS, Task

JSON = Path(__file__).with_suffix(".json")
STEPS = (100, 200, 400, 800, 1600, 3200)
SEEDS = range(3)
PER_DECADE = 4
RATES = {
    "counts_mlp_adam": (1e-3, 10**-0.5),
    "second_order_gru_momentum": (10**-1.5, 10**0.5),
    "fashion_cnn_momentum": (10**-2.5, 10**-0.5),
    "minigooglenet_momentum": (1e-2, 1.0),
}


def main(names: list[str]) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    for name in names or RATES:
        if name not in kept(JSON):
            keep(JSON, name, measured(name))
            print(name, kept(JSON)[name]["exponent"], flush=True)


def tasks() -> dict[str, Task]:
    """Those of the "tune" split, and the tutorial's network, narrow, with its own batch size."""
    of_all = {task.name: task for task in TASKS}
    tutorial = replace(of_all["fashion_minigooglenet_momentum"], name="minigooglenet_momentum", batch_size=64)
    return {tutorial.name: tutorial, **{name: task for name, task in of_all.items() if task.split == "tune"}}


def measured(name: str) -> dict:
    task = tasks()[name]
    trainer = Trainer(task, task.data())
    low, high = RATES[name]
    rates = np.geomspace(low, high, round(PER_DECADE * np.log10(high / low)) + 1)
    metrics = {
        steps: [[metric_after(trainer, rate, seed, steps) for rate in rates] for seed in SEEDS]
        for steps in STEPS
    }
    best = {steps: [log_best_rate(rates, row) for row in rows] for steps, rows in metrics.items()}
    slopes = [np.polyfit(np.log10(STEPS), [best[steps][seed] for steps in STEPS], 1)[0] for seed in SEEDS]
    return {
        "rates": [rounded(rate) for rate in rates],
        "metrics": metrics,
        "best_lr": {
            steps: rounded(10 ** log_best_rate(rates, np.mean(rows, axis=0)))
            for steps, rows in metrics.items()
        },
        "exponent": {
            "mean": rounded(np.mean(slopes)),
            "standard_error": rounded(np.std(slopes, ddof=1) / len(slopes) ** 0.5),
        },
    }


def metric_after(trainer: Trainer, rate: float, seed: int, steps: int) -> float:
    trainer.train_cycle(rate, seed, steps)
    return trainer.validation()["metric"]


def log_best_rate(rates: np.ndarray, metrics: np.ndarray) -> float:
    """The logarithm of the best rate, by the parabola through the best and its two neighbours."""
    logs, metrics = np.log10(rates), np.asarray(metrics)
    best = int(np.argmax(metrics))
    if not 0 < best < len(logs) - 1:
        return float(logs[best])
    a, b, _ = np.polyfit(logs[best - 1 : best + 2] - logs[best], metrics[best - 1 : best + 2], 2)
    offset = -b / (2 * a) if a < 0 else 0.0
    return float(logs[best] + np.clip(offset, -0.5 / PER_DECADE, 0.5 / PER_DECADE))


if __name__ == "__main__":
    main(sys.argv[1:])
