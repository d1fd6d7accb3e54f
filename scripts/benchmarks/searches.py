"""Searches for the rate at about the cost of a sweep and its probes, replayed on a task's records.

Each draws its rates from the whole grid of the task, knows no curve, and uses the recorded losses of short
trainings, or the recorded metric of whole trainings, as its own. It returns the rate and the steps it cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

HALVING = ((16, 25), (8, 50), (4, 100), (2, 150))
EVEN_STEPS = 100
END_SHARE = 2 / 3
Losses = Mapping[tuple[int, int, float], float]


def losses_of(record: dict) -> dict[tuple[int, int, float], float]:
    """The loss at the end of each recorded probe by steps, seed and rate: infinite where it diverged.

    The end is the last fifth: two thirds of what is recorded.
    """
    return {(row["steps"], row["seed"], row["max_lr"]): loss_of(row) for row in record["probes"]}


def loss_of(row: dict) -> float:
    return float(np.mean(end_of(row))) if row["losses"] else np.inf


def end_of(row: dict) -> list[float]:
    """The losses that a probe is judged by."""
    last = row["losses"]
    return last[-max(2, round(END_SHARE * len(last))) :]


def successive_halving(
    record: dict, losses: Losses, seed: int, rng: np.random.Generator
) -> tuple[float, int]:
    """Rates at random for one short cycle each, the better half of them for one of twice the length, and on.

    Source: Jamieson and Talwalkar, 2016, arXiv:1502.07943; with whole cycles.
    """
    rates = _rates(record)
    count = HALVING[0][0]
    left = list(rng.choice(rates, size=count, replace=len(rates) < count))
    cost = 0
    for count, steps in HALVING:
        left = left[:count]
        cost += len(left) * steps
        left.sort(key=lambda rate: losses[steps, seed, rate])
    return float(left[0]), cost


def even_probes(record: dict, losses: Losses, seed: int, rng: np.random.Generator) -> tuple[float, int]:
    """One short cycle with each rate in half decades: a grid search with short trainings."""
    rates = _in_half_decades(_rates(record))
    best = min(rates, key=lambda rate: losses[EVEN_STEPS, seed, rate])
    return float(best), EVEN_STEPS * len(rates)


def random_search(steps: int) -> Callable:
    """Whole trainings at random rates, as many as that many steps allow, at least one; the best metric."""

    def search(record: dict, losses: Losses, seed: int, rng: np.random.Generator) -> tuple[float, int]:
        metrics = {row["max_lr"]: row["metric"] for row in record["response"] if row["seed"] == seed}
        rates = _in_half_decades(sorted(metrics))
        count = max(1, steps // record["budget_steps"])
        drawn = rng.choice(rates, size=min(count, len(rates)), replace=False)
        best = max(drawn, key=lambda rate: metrics[rate])
        return float(best), len(drawn) * record["budget_steps"]

    return search


SEARCHES: dict[str, Callable] = {
    "successive halving": successive_halving,
    "a grid of short cycles": even_probes,
    "random search": random_search(1500),
}


def _rates(record: dict) -> list[float]:
    return sorted({row["max_lr"] for row in record["response"]})


def _in_half_decades(rates: list[float]) -> list[float]:
    """The rates of the coarse grid, without those that only the fine one has."""
    return [rate for rate in rates if abs(2 * np.log10(rate) - round(2 * np.log10(rate))) < 0.1]
