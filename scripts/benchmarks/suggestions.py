"""Whether a learning-rate finder's suggestion is any good: its regret against exhaustive grids.

For each of the small tasks in suggestion_tasks.py these are recorded: the curves, sweeps from 1e-8 to 100
with `LearningRateFinder`, 5 seeds, in 100, 200, 300 and 1,000 steps; and the response, what the validation
metric is after a fixed budget of training with the triangular policy (2 whole cycles, base_lr = max_lr / 10),
for every max_lr of a grid in half decades over 6 decades, mean of 3 seeds, and in quarter decades near its
best, mean of 5. Short trainings of 25 to 400 steps with these rates are recorded too: rules for trying are
chosen on them, on the "tune" tasks alone (choosing.py), and other searches of the same cost are replayed on
them.

A method gets a curve and picks a rate; its regret is how far that rate's metric is below the grid's best, in
points. The metric between two rates of the grid is interpolated over log(lr); beyond the grid it is that of
the grid's end. A rate of the grid diverged where, in most seeds, the network's output is not finite or, above
the best rate, its metric is within 2 points of chance. A pick whose nearest rate of the grid diverged has the
metric of chance. Where a method gives no answer, that is counted, and the regret is that of Keras's default.

    python scripts/benchmarks/suggestions.py --collect --csv winequalityN.csv    # some hours on one core
    python scripts/benchmarks/suggestions.py --collect digits_mlp_momentum       # some; what is there stays
    python scripts/benchmarks/suggestions.py --collect --parts verified --anew   # find(verify=...) once more
    python scripts/benchmarks/suggestions.py --score                             # seconds; trains nothing
    python scripts/benchmarks/suggestions.py --score --split tune --steps 200 --by-task

Collecting writes one JSON per task in suggestions/ beside this script; a score of the reported tasks with
sweeps of all lengths writes suggestions.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from peer_methods import PEERS, Recorded
from searches import SEARCHES, losses_of

from pyimagesearch_lr.files import written_whole
from pyimagesearch_lr.schedules import ramp_rates
from pyimagesearch_lr.suggest import METHODS, suggest

FOLDER = Path(__file__).with_suffix("")
SUMMARY = Path(__file__).with_suffix(".json")
STEPS = (100, 200, 300, 1000)
TRIED_STEPS = (200, 1000)  # of the sweeps whose answers were tried: tables compare all methods on these
PARTS = (
    "curves",
    "response",
    "near_best",
    "bases",
    "probes",
    "verified",
    "constants",
    "curvature",
    "rate_free",
)
NEAR_CHANCE = 2.0
WITHIN = 1.0
CURVATURE_COST = 60  # 20 products with the Hessian, each of about three steps'
VERIFIED = "ours, verified in {} steps"
COMPARED = "Sweeps of 200 and 1,000 steps"
COLUMNS = (
    "method",
    "mean",
    "median",
    "worst",
    "mean share",
    "within 1 point",
    "diverged",
    "spread, decades",
    "no answer",
    "200 vs 1000: median",
    "200 vs 1000: mean",
    "200 vs 1000: max",
    "steps it cost",
)


def main(argv: list[str]) -> int:
    arguments = parsed(argv)
    if arguments.collect is not None:
        from collect_suggestions import collect

        collect(
            arguments.collect, arguments.parts, arguments.csv, arguments.split or "all", anew=arguments.anew
        )
        return 0
    split = arguments.split or "report"
    tasks = [task for task in recorded_tasks() if split in ("all", task.split)]
    lengths = STEPS if arguments.steps == "all" else (int(arguments.steps),)
    picks = all_picks(tasks)
    tables = scored(picks, lengths)
    print("\n\n".join(f"{heading}\n\n{as_markdown(rows)}" for heading, rows in tables.items()))
    if arguments.by_task:
        print("\n" + by_task(picks, tasks, lengths))
    if (split, arguments.steps) == ("report", "all"):
        save_summary(tasks, tables)
    return 0


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--collect", nargs="*", metavar="TASK", help="train what is not recorded yet")
    action.add_argument("--score", action="store_true", help="print the table; trains nothing")
    parser.add_argument(
        "--parts", nargs="+", default=PARTS, choices=PARTS, help="with --collect: which parts"
    )
    parser.add_argument("--anew", action="store_true", help="with --collect: what is there is trained again")
    parser.add_argument("--csv", help="with --collect: the table of wines, for the tasks that need it")
    parser.add_argument(
        "--split", choices=("tune", "report", "all"), help="default: all to collect, report to score"
    )
    parser.add_argument(
        "--steps", choices=(*map(str, STEPS), "all"), default="all", help="length of the sweep"
    )
    parser.add_argument("--by-task", action="store_true", help="also each task's mean regret")
    return parser.parse_args(argv)


# ---- what was recorded


class Response:
    """The metric as a function of the rate, mean of the seeds.

    Args:
        rows: List of dicts with "max_lr", "seed" and "metric", in points; NaN in "val_loss" or "train_loss"
            where the training broke.
        chance: Float, the points of a network that has learnt nothing.
    """

    def __init__(self, rows: list[dict], chance: float):
        self.chance = chance
        self.rates = np.array(sorted({row["max_lr"] for row in rows}))
        self.seeds = sorted({row["seed"] for row in rows})
        shape = (len(self.rates), len(self.seeds))
        self.metric, broke = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        for row in rows:
            place = int(np.searchsorted(self.rates, row["max_lr"])), self.seeds.index(row["seed"])
            broke[place] = not np.isfinite(float(row["val_loss"]))
            self.metric[place] = chance if broke[place] else float(row["metric"])
        self.mean = np.nanmean(self.metric, axis=1)
        self.noise = float(np.nanstd(self.metric[np.argmax(self.mean)], ddof=1))
        above_best = np.arange(len(self.rates))[:, None] > np.argmax(self.mean)
        broke |= above_best & (self.metric <= chance + NEAR_CHANCE)
        self.diverged = broke.sum(axis=1) > 0.5 * np.isfinite(self.metric).sum(axis=1)

    @property
    def best(self) -> float:
        return float(self.mean.max())

    def has_diverged(self, lr: float) -> bool:
        """Whether the nearest rate of the grid diverged."""
        return bool(self.diverged[np.argmin(np.abs(np.log(self.rates / lr)))])

    def at(self, lr: float) -> float:
        """The metric at any rate."""
        if self.has_diverged(lr):
            return self.chance
        return float(np.interp(np.log(lr), np.log(self.rates), self.mean))

    def regret(self, lr: float) -> float:
        """How many points `lr` is below the best rate."""
        return self.best - self.at(lr)

    def best_of_seed(self, seed: int) -> float:
        """The rate that a grid search with one seed would choose."""
        return float(self.rates[np.nanargmax(self.metric[:, self.seeds.index(seed)])])


@dataclass(frozen=True, eq=False)
class RecordedTask:
    """What was measured of one task."""

    record: dict
    response: Response

    @cached_property
    def probe_losses(self) -> dict[tuple[int, int, float], float]:
        return losses_of(self.record)

    @property
    def name(self) -> str:
        return self.record["task"]

    @property
    def split(self) -> str:
        return self.record["split"]

    def curves(self, steps: int) -> Iterator[tuple[int, Recorded]]:
        """Each seed and its sweep of that length."""
        sweep, record = self.record["sweep"], self.record
        lrs = ramp_rates(sweep["start_lr"], sweep["end_lr"], steps)
        steps_per_epoch = record["train_samples"] // record["batch_size"]
        for curve in record["curves"]:
            if curve["steps"] == steps:
                losses = np.array([float(loss) for loss in curve["raw_losses"]])
                yield curve["seed"], Recorded(lrs, losses, steps_per_epoch)


def recorded_tasks() -> list[RecordedTask]:
    """The tasks that have records; one that no rate learns in its budget tells nothing and is left out."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    tasks = [
        RecordedTask(record, Response(record["response"] + record.get("near_best", []), record["chance"]))
        for record in records
        if "curves" in record and "response" in record
    ]
    return [task for task in tasks if task.response.best > task.response.chance]


# ---- picks


@dataclass(frozen=True)
class Pick:
    """A method's answer to one sweep.

    Args:
        task: `RecordedTask`.
        steps: Int, the length of the sweep.
        seed: Int.
        lr: Float, None for no answer.
        cost: Int, steps that were trained for it.
        metric: Float, what a method without a rate reached; None takes what the response says of `lr`.
    """

    task: RecordedTask
    steps: int
    seed: int
    lr: float | None
    cost: int
    metric: float | None = None

    @property
    def trained_with(self) -> float:
        """The pick, or Keras's default rate where there is none."""
        return self.task.record["default_lr"] if self.lr is None else self.lr

    @property
    def regret(self) -> float:
        response = self.task.response
        return response.regret(self.trained_with) if self.metric is None else response.best - self.metric

    @property
    def share(self) -> float:
        """The regret as a share of the difference between chance and best."""
        return self.regret / (self.task.response.best - self.task.response.chance)

    @property
    def diverged(self) -> bool:
        return self.metric is None and self.task.response.has_diverged(self.trained_with)


def answer(method: Callable[[Recorded], float], sweep: Recorded) -> float | None:
    """The method's rate, None where it raises or gives none."""
    try:
        with np.errstate(all="ignore"):
            lr = method(sweep)
    except (ValueError, IndexError, RuntimeError):
        return None
    return lr if lr > 0 and np.isfinite(lr) else None


def curve_methods() -> dict[str, Callable[[Recorded], float]]:
    ours = {f"ours: {name}": _ours(name) for name in METHODS}
    return {**ours, **PEERS}


def _ours(name: str) -> Callable[[Recorded], float]:
    def method(sweep: Recorded) -> float:
        return suggest(sweep.lrs[: len(sweep.raw_losses)], sweep.raw_losses, name).max_lr

    return method


def all_picks(tasks: list[RecordedTask]) -> dict[str, list[Pick]]:
    """Every method's picks for sweeps of every length."""
    picks: dict[str, list[Pick]] = {}
    for task in tasks:
        for row in task.record.get("verified", []):
            pick = Pick(task, row["steps"], row["seed"], row["pick"], row["cost_steps"])
            picks.setdefault(VERIFIED.format(row["verify_steps"]), []).append(pick)
        for steps in STEPS:
            for seed, sweep in task.curves(steps):
                for name, method in curve_methods().items():
                    pick = Pick(task, steps, seed, answer(method, sweep), len(sweep.raw_losses))
                    picks.setdefault(name, []).append(pick)
                for name, lr, cost, metric in _without_curve(task, steps, seed):
                    picks.setdefault(name, []).append(Pick(task, steps, seed, lr, cost, metric))
    return {name: found for name, found in picks.items() if found}


def _without_curve(
    task: RecordedTask, steps: int, seed: int
) -> Iterator[tuple[str, float | None, int, float | None]]:
    """Name, rate, cost and metric of what needs no sweep."""
    record, response = task.record, task.response
    sweep = record["sweep"]
    yield "Keras's default rate", record["default_lr"], 0, None
    rng = np.random.default_rng([zlib.crc32(task.name.encode()), steps, seed])
    exponent = rng.uniform(np.log10(sweep["start_lr"]), np.log10(sweep["end_lr"]))
    yield "random rate", float(10**exponent), 0, None
    whole = [each for each in response.seeds if np.isfinite(response.metric[:, each]).all()]  # of the grid
    cost = len(response.rates) * record["budget_steps"]
    yield "grid search, one seed", response.best_of_seed(whole[seed % len(whole)]), cost, None
    if "probes" in record:
        seeds = {row["seed"] for row in record["probes"]}
        for name, search in SEARCHES.items():
            yield name, *search(record, task.probe_losses, seed % len(seeds), rng), None
    yield from _rivals(record, seed)


def _rivals(record: dict, seed: int) -> Iterator[tuple[str, float | None, int, float | None]]:
    constants = [row for row in record.get("constants", []) if row["seed"] == seed % 2]
    if constants:
        best = min(constants, key=lambda row: _or_infinite(row["forecast"]))
        yield "AutoLRS's stage, ten even rates", best["max_lr"], 100 * len(constants), None
    for row in record.get("curvature", []):
        if row["seed"] == seed:
            lr = float(row["max_lr"])
            yield "curvature", lr if np.isfinite(lr) else None, CURVATURE_COST, None
    for row in record.get("rate_free", []):
        if row["seed"] == seed:
            yield f"{row['method']}, no rate", None, 0, row["metric"]


def _or_infinite(value: float | str) -> float:
    return float(value) if np.isfinite(float(value)) else np.inf


# ---- the table


def scored(picks: dict[str, list[Pick]], lengths: tuple[int, ...]) -> dict[str, list[dict]]:
    """Heading to rows: the lengths from which answers were tried, all lengths together, and each."""
    tables = {COMPARED: TRIED_STEPS, "Sweeps of all lengths": lengths} if len(lengths) > 1 else {}
    tables |= {f"Sweeps of {steps} steps": (steps,) for steps in lengths}
    return {heading: rows_of(picks, chosen) for heading, chosen in tables.items()}


def rows_of(picks: dict[str, list[Pick]], lengths: tuple[int, ...]) -> list[dict]:
    """A row for each method that was measured on all tasks: on fewer it could not be compared."""
    chosen = {name: [pick for pick in found if pick.steps in lengths] for name, found in picks.items()}
    tasks = {name: {pick.task.name for pick in found} for name, found in chosen.items()}
    most = max(map(len, tasks.values()))
    rows = [row_of(name, found, picks[name]) for name, found in chosen.items() if len(tasks[name]) == most]
    return sorted(rows, key=lambda row: row["mean"])


def row_of(name: str, picks: list[Pick], of_all_lengths: list[Pick]) -> dict:
    regrets = [pick.regret for pick in picks]
    apart = list(agreement(of_all_lengths))
    values = (
        name,
        np.mean(regrets),
        np.median(regrets),
        np.max(regrets),
        np.mean([pick.share for pick in picks]),
        np.mean([regret <= WITHIN for regret in regrets]),
        np.mean([pick.diverged for pick in picks]),
        spread_between_seeds(picks),
        np.mean([pick.lr is None for pick in picks]),
        np.median(apart) if apart else None,
        np.mean(apart) if apart else None,
        np.max(apart) if apart else None,
        np.mean([pick.cost for pick in picks]),
    )
    numbers = [None if value is None else round(float(value), 4) for value in values[1:]]
    return dict(zip(COLUMNS, (name, *numbers), strict=True))


def spread_between_seeds(picks: list[Pick]) -> float | None:
    """Standard deviation in decades of the seeds' picks, mean over tasks and lengths of the sweep."""
    groups: dict[tuple[str, int], list[float]] = {}
    for pick in picks:
        if pick.lr is not None:
            groups.setdefault((pick.task.name, pick.steps), []).append(np.log10(pick.lr))
    spreads = [np.std(exponents, ddof=1) for exponents in groups.values() if len(exponents) > 1]
    return float(np.mean(spreads)) if spreads else None


def agreement(picks: list[Pick]) -> Iterator[float]:
    """How many decades lie between a seed's picks after 200 and after 1,000 steps."""
    short, long = (
        {
            (pick.task.name, pick.seed): pick.lr
            for pick in picks
            if pick.steps == steps and pick.lr is not None
        }
        for steps in (200, 1000)
    )
    for place in short.keys() & long.keys():
        yield abs(np.log10(short[place] / long[place]))


def as_markdown(rows: list[dict]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    return "\n".join(lines + ["| " + " | ".join(_cells(row)) + " |" for row in rows])


def _cells(row: dict) -> list[str]:
    formats = {
        "mean share": ".0%",
        "within 1 point": ".0%",
        "diverged": ".0%",
        "no answer": ".0%",
        "steps it cost": ".0f",
    }
    cells = [
        "" if row[column] is None else format(row[column], formats.get(column, ".2f"))
        for column in COLUMNS[1:]
    ]
    return [row["method"], *cells]


def by_task(picks: dict[str, list[Pick]], tasks: list[RecordedTask], lengths: tuple[int, ...]) -> str:
    """Each task's mean regret of every method, Markdown."""
    lines = [
        "| mean regret | " + " | ".join(task.name for task in tasks) + " |",
        "|---" * (len(tasks) + 1) + "|",
    ]
    for name, found in picks.items():
        chosen = [pick for pick in found if pick.steps in lengths]
        regrets = [[pick.regret for pick in chosen if pick.task is task] for task in tasks]
        cells = [f"{np.mean(of_task):.1f}" if of_task else "" for of_task in regrets]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def save_summary(tasks: list[RecordedTask], tables: dict[str, list[dict]]) -> None:
    summary = {
        "tasks": {
            task.name: {
                "best": round(task.response.best, 3),
                "best_lr": float(task.response.rates[np.argmax(task.response.mean)]),
                "noise": round(task.response.noise, 3),
                "chance": task.response.chance,
                "metric": task.record["metric"],
            }
            for task in tasks
        },
        "machine": tasks[0].record["machine"],
        "tables": tables,
    }
    with written_whole(SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
