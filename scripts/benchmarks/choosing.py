"""How the rule for trying was chosen: variants of it replayed on recorded probes of the "tune" tasks.

Every variant runs the library's own `probe_around` and `as_good_as_best`, beginning at what the library reads
off each recorded sweep of 200 and 1,000 steps, and gets the probes that collect_suggestions.py recorded: the
nearest rate of the grid, the longest recorded length not above the one asked for. The reported tasks are not
read.

    python scripts/benchmarks/choosing.py          # a minute; trains nothing

Prints the regret of every variant, best first, and writes choosing.json.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from searches import loss_of
from suggestions import RecordedTask, recorded_tasks

from pyimagesearch_lr.files import written_whole
from pyimagesearch_lr.probing import STEPS_BEFORE, Stages, probe_around
from pyimagesearch_lr.suggest import NoSuggestion, Probe, as_good_as_best, suggest

JSON = Path(__file__).with_suffix(".json")
SWEEPS = (200, 1000)
BUDGETS = (600, 1200)
NEAR = 0.06
SHOWN = 15


@dataclass(frozen=True)
class Variant:
    """A rule for trying.

    Args:
        stages: `Stages`.
        lean: Float, the share of the fall by which a lower rate may end with a higher loss.
        held_out: Bool, whether a probe is judged by the loss on held-out data in place of that of its last
            steps.
    """

    stages: Stages
    lean: float
    held_out: bool = False


def variants() -> list[Variant]:
    fines = ((-0.25, 0.0, 0.25), (-0.5, -0.25, 0.0, 0.25), (-0.5, -0.25, 0.0), (-0.25, 0.0))
    shares, decisive, leans = (1 / 24, 1 / 12), (0, 200, 300), (0.0, 0.005, 0.01, 0.02, 0.05)
    grid = itertools.product(shares, fines, decisive, leans, (False, True))
    return [
        Variant(Stages(share, fine=fine, decisive=steps), lean, held_out)
        for share, fine, steps, lean, held_out in grid
    ]


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
    def probe(self, seed: int, max_lr: float, steps: int, first_loss: float, held_out: bool = False) -> Probe:
        """The nearest recording; beyond the grid a rate counts as having learnt nothing, or as diverged."""
        place = int(np.argmin(np.abs(np.log10(self._rates / max_lr))))
        rate = float(self._rates[place])
        lengths = [each for each in self._lengths if (each, seed, rate) in self._rows]
        length = max((each for each in lengths if each <= steps), default=lengths[0])
        if max_lr > self._rates[-1] * 10**NEAR:
            return Probe(max_lr / 10, max_lr, steps // 4, np.inf)
        row = self._rows[length, seed, rate]
        taken = steps if row["losses"] else steps // 4
        loss = row["val_loss"] if held_out and row["losses"] else loss_of(row)
        return Probe(max_lr / 10, max_lr, taken, loss, 0.0, first_loss)


def regrets(recordings: Recordings, variant: Variant, budget: int) -> list[tuple[float, int]]:
    """Regret and cost of every sweep's tried answer."""
    task, rates = recordings.task, recordings._rates
    found = []
    for seed, start, first_loss in recordings.starts:
        if start is None:
            found.append((task.response.regret(task.record["default_lr"]), 0))
            continue

        def train(max_lr: float, steps: int, seed: int = seed, first_loss: float = first_loss) -> Probe:
            return recordings.probe(seed, max_lr, steps, first_loss, variant.held_out)

        limits = (float(rates[0]) * 10**-NEAR, 100.0)
        probes = probe_around(start, train, budget, limits, stages=variant.stages)
        out = {probe.max_lr for probe in probes if probe.diverged}
        trained = [probe for probe in probes if probe.max_lr not in out]
        decisive = [p for p in trained if p.steps == max(probe.steps for probe in trained)]
        pick = (
            min((p.max_lr for p in as_good_as_best(decisive, variant.lean)), default=start)
            if trained
            else start
        )
        found.append((task.response.regret(pick), sum(probe.steps for probe in probes)))
    return found


def main() -> None:
    tasks = [
        Recordings(task) for task in recorded_tasks() if task.split == "tune" and "probes" in task.record
    ]
    rows = []
    for variant, budget in itertools.product(variants(), BUDGETS):
        found = [regrets(task, variant, budget) for task in tasks]
        means = [float(np.mean([regret for regret, _ in of_task])) for of_task in found]
        rows.append(
            {
                "steps": budget,
                **asdict(variant.stages),
                "final_lean": variant.lean,
                "held_out": variant.held_out,
                "mean": round(float(np.mean(means)), 3),
                "median task": round(float(np.median(means)), 3),
                "worst task": round(max(means), 2),
                "cost": round(float(np.mean([cost for of_task in found for _, cost in of_task]))),
            }
        )
    for row in rows:
        row["tasks"] = len(tasks)
    rows.sort(key=lambda row: (row["steps"], row["mean"]))
    for budget in BUDGETS:
        print(f"at most {budget} steps, {len(tasks)} tasks")
        for row in [row for row in rows if row["steps"] == budget][:SHOWN]:
            print("  ", row)
    with written_whole(JSON) as temporary:
        lines = ",\n".join(json.dumps(row) for row in rows)
        temporary.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
