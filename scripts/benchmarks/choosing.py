"""How the rule for trying was chosen: variants of it replayed on recorded probes of the "tune" tasks.

Every variant runs the library's own `probe_around` and `decided`, beginning at what the library reads off
each recorded sweep of 200 and 1,000 steps, and gets the probes that collect_suggestions.py recorded: the
nearest rate of the grid, the longest recorded length not above the one asked for. What the loss is before
anything is learnt is that of the lowest rate of the grid. The reported tasks are not read.

    python scripts/benchmarks/choosing.py          # a minute; trains nothing

Prints the regret of every variant, best first, and writes choosing.json.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from searches import end_of, loss_of
from suggestions import RecordedTask, recorded_tasks

from pyimagesearch_lr.files import written_whole
from pyimagesearch_lr.probing import STAGES, Stages, probe_around
from pyimagesearch_lr.suggest import (
    AS_GOOD,
    CLEARLY_WORSE,
    NoSuggestion,
    Probe,
    decided,
    suggest,
    trained_in_all,
)

JSON = Path(__file__).with_suffix(".json")
SWEEPS = (200, 1000)
BUDGETS = (600, 1200)
NEAR = 0.06
STEPS_BEFORE = 10  # of the sweep, by which version 0.1 knew the loss before anything is learnt


@dataclass(frozen=True)
class Variant:
    """A rule for trying; as it is, the library's.

    Args:
        stages: `Stages`.
        as_good: Float, the share of the fall by which a lower rate may end with a higher loss.
        clearly_worse: Float, the share of the fall by which the next rate above is worse where it is an edge.
        held_out: Bool, whether a probe is judged by the loss on held-out data in place of that of its last
            steps.
        same_batches: Bool, whether the loss before anything is learnt is that of the batches that a probe is
            judged by, in place of the sweep's first ones.
        lower: Float, how many decades below what was chosen the answer lies.
        instead: String, what decides between the longest probes in place of `decided`, edges left aside: one
            of `INSTEAD`, or None.
    """

    stages: Stages = STAGES
    as_good: float = AS_GOOD
    clearly_worse: float = CLEARLY_WORSE
    held_out: bool = False
    same_batches: bool = True
    lower: float = 0.0
    instead: str | None = None

    def settings(self) -> dict:
        """As JSON: None where a rate is never clearly worse."""
        rest = {"held_out": self.held_out, "same_batches": self.same_batches, "lower": self.lower}
        rest["instead"] = self.instead
        worse = self.clearly_worse if math.isfinite(self.clearly_worse) else None
        return {**asdict(self.stages), "as_good": self.as_good, "clearly_worse": worse, **rest}


def variants() -> dict[str, Variant]:
    """The rule, and others that differ from it in one thing."""
    rule = Variant()

    def staged(**change: object) -> Variant:
        return replace(rule, stages=replace(STAGES, **change))

    return {
        "the rule": rule,
        "the lowest loss, no lower rate for a tie": replace(rule, as_good=0.0),
        "ties within 0.5 % of the fall in place of 1 %": replace(rule, as_good=0.005),
        "ties within 5 %": replace(rule, as_good=0.05),
        "the best also where the next rate is clearly worse": replace(rule, clearly_worse=math.inf),
        "clearly worse by 5 % of the fall in place of 10 %": replace(rule, clearly_worse=0.05),
        "clearly worse by 20 %": replace(rule, clearly_worse=0.2),
        "not on at an end that is nearly as good": staged(widening=0.0),
        "on while an end falls three quarters as far in place of 60 %": staged(open_below=0.25),
        "on at ends to the end of the first stage": staged(widening=STAGES.searching),
        "a quarter of a decade apart also where rates look alike": staged(alike=-1.0),
        "strides of half a decade while nothing happens": staged(widest=0.5),
        "upwards while the highest falls twice as far in place of 1.4 times": staged(rising=2.0),
        "while it falls 1.2 times as far": staged(rising=1.2),
        "the loss before from other batches": replace(rule, same_batches=False),
        "two rates tried last in place of three": staged(last=2),
        "four rates tried last": staged(last=4),
        "first probes half as long": staged(share=STAGES.share / 2),
        "first probes half as long again": staged(share=STAGES.share * 1.5),
        "no more than 5 first probes": staged(searching=0.5),
        "judged by the loss on held-out data": replace(rule, held_out=True),
        "the answer 0.1 decades lower": replace(rule, lower=0.1),
        "the answer 0.25 decades lower": replace(rule, lower=0.25),
        **{f"{name}; the best also where the next is worse": replace(rule, instead=name) for name in INSTEAD},
    }


def within_own_error(losses: np.ndarray, places: np.ndarray) -> float:
    """The lowest rate within the standard error of the best one's mean, as in version 0.1."""
    best = losses[losses.mean(axis=1).argmin()]
    return _lowest_within(losses, places, standard_error(best))


def within_paired_error(losses: np.ndarray, places: np.ndarray) -> float:
    """The lowest rate within the standard error of its difference from the best, batch by batch."""
    best = losses[losses.mean(axis=1).argmin()]
    return _lowest_within(losses, places, standard_error(losses - best))


def lowest_of_a_parabola(losses: np.ndarray, places: np.ndarray) -> float:
    """The lowest point of a parabola through the means, within the rates; the lowest mean if it has none."""
    means = losses.mean(axis=1)
    if len(places) > 2:
        curvature, slope, _ = np.polyfit(places, means, 2)
        if curvature > 0:
            return float(np.clip(-slope / (2 * curvature), places[0], places[-1]))
    return float(places[means.argmin()])


def _lowest_within(losses: np.ndarray, places: np.ndarray, tolerance: np.ndarray | float) -> float:
    means = losses.mean(axis=1)
    return float(places[means <= means.min() + tolerance][0])


def standard_error(losses: np.ndarray) -> np.ndarray:
    """That of the mean of the losses on the last axis."""
    return np.std(losses, axis=-1, ddof=1) / np.sqrt(losses.shape[-1])


INSTEAD = {
    "ties within the standard error": within_own_error,
    "ties within the error of paired differences": within_paired_error,
    "the lowest point of a parabola": lowest_of_a_parabola,
}


class Recordings:
    """The recorded probes of a task, returned as if they were trained."""

    def __init__(self, task: RecordedTask):
        self.task = task
        self._rows = {(row["steps"], row["seed"], row["max_lr"]): row for row in task.record["probes"]}
        self._lengths = sorted({steps for steps, _, _ in self._rows})
        self._rates = np.array(sorted({rate for _, _, rate in self._rows}))
        self._seeds = len({seed for _, seed, _ in self._rows})
        self.starts = [start for steps in SWEEPS for start in self._starts(steps)]

    def _starts(self, steps: int) -> list[tuple[int, float | None, float]]:
        """Of each sweep: seed, the rate around which it is tried, None if there is none, its first loss."""
        starts = []
        for seed, sweep in self.task.curves(steps):
            lrs = sweep.lrs[: len(sweep.raw_losses)]
            try:
                start: float | None = suggest(lrs, sweep.raw_losses).max_lr
            except NoSuggestion as answer:
                start = answer.lowest_lr
            before = float(np.mean(sweep.raw_losses[:STEPS_BEFORE]))  # of rates too low to learn with
            starts.append((seed % self._seeds, start, before))
        return starts

    @cache  # noqa: B019 - as long as the script
    def probe(
        self, seed: int, max_lr: float, steps: int, first_loss: float | None = None, held_out: bool = False
    ) -> Probe:
        """The nearest recording; beyond the grid a rate counts as having learnt nothing, or as diverged.

        A `first_loss` of None is that of the same batches with the lowest rate of the grid.
        """
        row = self._row(seed, max_lr, steps)
        if max_lr > self._rates[-1] * 10**NEAR or not row["losses"]:
            return Probe(max_lr / 10, max_lr, steps // 4, np.inf)
        untrained = self._row(seed, float(self._rates[0]), steps)
        loss, before = (float(each["val_loss"]) if held_out else loss_of(each) for each in (row, untrained))
        return Probe(max_lr / 10, max_lr, steps, loss, 0.0, before if first_loss is None else first_loss)

    def picked(self, seed: int, probes: list[Probe], decide: Callable) -> float:
        """The rate that a function of their last losses and the logarithms of their rates decides for."""
        longest = max(probe.steps for probe in probes)
        lrs = sorted({probe.max_lr for probe in probes if probe.steps == longest})
        losses = [end_of(self._row(seed, lr, longest)) for lr in lrs]
        common = min(map(len, losses))
        return 10 ** decide(np.array([each[-common:] for each in losses], dtype=float), np.log10(lrs))

    def _row(self, seed: int, max_lr: float, steps: int) -> dict:
        rate = float(self._rates[int(np.argmin(np.abs(np.log10(self._rates / max_lr))))])
        lengths = [each for each in self._lengths if (each, seed, rate) in self._rows]
        return self._rows[max((each for each in lengths if each <= steps), default=lengths[0]), seed, rate]


def regrets(recordings: Recordings, variant: Variant, budget: int) -> list[tuple[float, int]]:
    """Regret and cost of every sweep's tried answer."""
    task, rates = recordings.task, recordings._rates
    found = []
    for seed, start, first_loss in recordings.starts:
        if start is None:
            found.append((task.response.regret(task.record["default_lr"]), 0))
            continue

        def train(max_lr: float, steps: int, seed: int = seed, first: float = first_loss) -> Probe:
            before = None if variant.same_batches else first
            return recordings.probe(seed, max_lr, steps, before, variant.held_out)

        limits = (float(rates[0]) * 10**-NEAR, 100.0)
        probes = probe_around(start, train, budget, limits, stages=variant.stages)
        trained = trained_in_all(probes)
        if not trained:
            pick = start
        elif variant.instead is None:
            pick = decided(probes, variant.as_good, variant.clearly_worse)[0].max_lr
        else:
            pick = recordings.picked(seed, trained, INSTEAD[variant.instead])
        found.append((task.response.regret(pick * 10**-variant.lower), sum(probe.steps for probe in probes)))
    return found


def main() -> None:
    tasks = [
        Recordings(task) for task in recorded_tasks() if task.split == "tune" and "probes" in task.record
    ]
    rows = []
    for (name, variant), budget in itertools.product(variants().items(), BUDGETS):
        found = [regrets(task, variant, budget) for task in tasks]
        means = [float(np.mean([regret for regret, _ in of_task])) for of_task in found]
        rows.append(
            {
                "rule": name,
                "steps": budget,
                **variant.settings(),
                "mean": round(float(np.mean(means)), 3),
                "median task": round(float(np.median(means)), 3),
                "worst task": round(max(means), 2),
                "worst": tasks[int(np.argmax(means))].task.name,
                "cost": round(float(np.mean([cost for of_task in found for _, cost in of_task]))),
                "tasks": len(tasks),
            }
        )
    for row in sorted(rows, key=lambda row: (row["steps"], row["mean"])):
        print(*(row[key] for key in ("steps", "mean", "median task", "worst task", "rule")), sep="  ")
    with written_whole(JSON) as temporary:
        lines = ",\n".join(json.dumps(row) for row in rows)
        temporary.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
