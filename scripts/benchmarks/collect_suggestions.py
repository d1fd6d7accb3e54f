"""What suggestions.py measures by training: the sweeps' curves, and the response to the rate."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from measuring import describe_machine, rounded, without_autotune
from suggestion_tasks import TASKS, Data, Task

from pyimagesearch_lr import LearningRateFinder, LRCurve, _state, schedules
from pyimagesearch_lr.files import written_whole

FOLDER = Path(__file__).with_name("suggestions")
START_LR, END_LR = 1e-8, 100.0
SWEEP_STEPS = (100, 200, 300, 1000)
SWEEP_SEEDS = range(5)
RESPONSE_SEEDS = range(3)
CYCLES = 2
BASE_SHARE = 0.1
REPORTS = 10
RATES_PER_DECADE = 2
THREADS = 1
OPTIMIZER_SETTINGS = ("momentum", "weight_decay", "rho", "beta_1", "beta_2")


def collect(names: list[str], csv: str | None) -> None:
    _use_one_core()
    tasks = {task.name: task for task in TASKS}
    unknown = set(names) - set(tasks)
    if unknown:
        raise SystemExit(f"No such task: {', '.join(sorted(unknown))}. There are: {', '.join(tasks)}.")
    for task in [tasks[name] for name in names] or tasks.values():
        _collect_task(task, csv)


def _use_one_core() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def _collect_task(task: Task, csv: str | None) -> None:
    path = path_of(task.name)
    if path.exists():
        return
    try:
        data = task.data(csv) if task.needs_csv else task.data()
    except FileNotFoundError as error:
        print(f"{task.name}: left out, {error}", flush=True)
        return
    started = time.perf_counter()
    trainer = Trainer(task, data)
    curves = list(trainer.curves())
    response = list(trainer.response(grid(*task.rates)))
    response += trainer.response(between_best(response))
    response.sort(key=lambda row: (row["max_lr"], row["seed"]))
    record = {
        **trainer.description(),
        "initial_losses": initial_losses(curves),
        "seconds": round(time.perf_counter() - started),
        "machine": {**describe_machine(), "threads": THREADS},
        "curves": curves,
        "response": response,
        "verified": [],
    }
    save(path, record)
    print(summary_line(record), flush=True)


def collect_verified(
    names: list[str], csv: str | None, steps: tuple[int, ...], verify_steps: tuple[int, ...]
) -> None:
    """Let `find(verify=True)` answer for every task that has been collected, anew."""
    _use_one_core()
    for task in [task for task in TASKS if task.name in names or not names]:
        path = path_of(task.name)
        if not path.exists():
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        lengths = [(each, probes) for each in steps for probes in verify_steps]
        kept = [row for row in record["verified"] if (row["steps"], row["verify_steps"]) not in lengths]
        trainer = Trainer(task, task.data(csv) if task.needs_csv else task.data())
        rows = [row for each, probes in lengths for row in trainer.verified(each, probes)]
        order = ("verify_steps", "steps", "seed")
        record["verified"] = sorted(kept + rows, key=lambda row: tuple(row[name] for name in order))
        save(path, record)
        picks = [row["pick"] for row in rows]
        print(f"{task.name}: {picks}", flush=True)


def initial_losses(curves: list[dict]) -> list[float]:
    """Each seed's training loss before it learns: the mean of its longest sweep's first tenth of a decade."""
    longest = [curve for curve in curves if curve["steps"] == max(SWEEP_STEPS)]
    return [rounded(np.mean(curve["raw_losses"][:10])) for curve in longest]


def summary_line(record: dict) -> str:
    rates = sorted({row["max_lr"] for row in record["response"]})
    rows = record["response"]
    means = [np.mean([row["metric"] for row in rows if row["max_lr"] == rate]) for rate in rates]
    table = " ".join(f"{np.log10(rate):.2f}:{mean:.1f}" for rate, mean in zip(rates, means, strict=True))
    return f"{record['task']}: {record['seconds']} s; {table}"


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def save(path: Path, record: dict) -> None:
    """One line for each curve and each training, so that a change of one is a change of one line."""
    lines = [f' "{key}": {_rows(value)}' for key, value in record.items()]
    with written_whole(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rows(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(json.dumps(row, allow_nan=False) for row in value) + "\n ]"
    return json.dumps(value, allow_nan=False)


def grid(low: float, high: float) -> list[float]:
    """Rates in half decades."""
    count = round(RATES_PER_DECADE * np.log10(high / low)) + 1
    return [rounded(rate) for rate in np.geomspace(low, high, count)]


def between_best(response: list[dict]) -> list[float]:
    """The rates half-way between those of the grid, up to a decade to both sides of the best."""
    rates = sorted({row["max_lr"] for row in response})
    means = [np.mean([row["metric"] for row in response if row["max_lr"] == rate]) for rate in rates]
    best = int(np.argmax(means))
    near = rates[max(0, best - RATES_PER_DECADE) : best + RATES_PER_DECADE + 1]
    return [rounded((low * high) ** 0.5) for low, high in pairwise(near)]


class Cycles(keras.optimizers.schedules.LearningRateSchedule):
    """The triangular policy of `CyclicLR` with a `max_lr` that can be set, and no new trace for each."""

    def __init__(self, step_size: float):
        self.step_size = step_size
        self.max_lr = tf.Variable(1.0, dtype="float64", trainable=False)

    def __call__(self, step):
        max_lr = tf.convert_to_tensor(self.max_lr)
        step = keras.ops.cast(step, "float64")
        lr = schedules.cyclic(step, BASE_SHARE * max_lr, max_lr, self.step_size, xp=keras.ops)
        return keras.ops.cast(lr, "float32")


class Trainer:
    """One model for all trainings of a task, so that its train step is traced once.

    Each seed has its own initial weights and its own order of the data; all rates of a seed have the same.
    """

    def __init__(self, task: Task, data: Data):
        self.task = task
        self.data = self._whole_batches(data)
        self.cycle = Cycles(task.budget_steps / (2 * CYCLES))
        self.initial = [self._initial_weights(seed) for seed in SWEEP_SEEDS]
        self.model = task.model()
        self.model.compile(
            task.optimizer(self.cycle), task.loss, steps_per_execution=task.budget_steps // REPORTS
        )
        self.finder = LearningRateFinder(self.model)
        self.chance = task.metric.chance(data.y_validation)
        self.loss = keras.losses.get(task.loss)

    def description(self) -> dict:
        task, optimizer = self.task, self.task.optimizer()
        config = optimizer.get_config()
        settings = {name: config[name] for name in OPTIMIZER_SETTINGS if config.get(name) is not None}
        return {
            "task": task.name,
            "split": task.split,
            "model": {"layers": len(self.model.layers), "parameters": self.model.count_params()},
            "optimizer": {"class": type(optimizer).__name__, **settings},
            "default_lr": rounded(float(optimizer.learning_rate)),
            "loss": task.loss,
            "metric": task.metric.name,
            "chance": rounded(self.chance),
            "batch_size": task.batch_size,
            "budget_steps": task.budget_steps,
            "train_samples": len(self.data.x),
            "validation_samples": len(self.data.x_validation),
            "sweep": {"start_lr": START_LR, "end_lr": END_LR, "stop_factor": self.finder.stop_factor},
        }

    def curves(self) -> Iterator[dict]:
        for steps in SWEEP_STEPS:
            for seed in SWEEP_SEEDS:
                curve = self._swept(seed, steps)
                losses = [rounded(loss) for loss in curve.raw_losses]
                yield {"seed": seed, "steps": steps, "stop_reason": curve.stop_reason, "raw_losses": losses}

    def verified(self, steps: int, verify_steps: int) -> Iterator[dict]:
        """What `verify=True` answers, None for no answer, and all the steps it took."""
        for seed in SWEEP_SEEDS:
            curve = self._swept(seed, steps, verify=verify_steps)
            cost = len(curve) + sum(probe.steps for probe in curve.probes)
            pick = rounded(curve.suggest().max_lr) if curve.probes else None
            found = {"pick": pick, "cost_steps": cost}
            yield {"seed": seed, "steps": steps, "verify_steps": verify_steps, **found}

    def _swept(self, seed: int, steps: int, **settings) -> LRCurve:
        self._start(seed, steps)
        return self.finder.find(
            (self.data.x, self.data.y),
            START_LR,
            END_LR,
            epochs=1,
            steps_per_epoch=steps,
            batch_size=self.task.batch_size,
            verbose=0,
            **settings,
        )

    def response(self, rates: list[float]) -> Iterator[dict]:
        for seed in RESPONSE_SEEDS:
            batches = self._batches(seed)
            for rate in rates:
                yield {"max_lr": rate, "seed": seed, **self._trained(batches, seed, rate)}

    def _trained(self, batches, seed: int, rate: float) -> dict:
        self._start(seed)
        self.cycle.max_lr.assign(rate)
        with _state.preserved(self.model):
            history = self.model.fit(
                batches,
                epochs=REPORTS,
                steps_per_epoch=self.task.budget_steps // REPORTS,
                callbacks=[keras.callbacks.TerminateOnNaN()],
                verbose=0,
            )
            return {**self._validation(), "train_loss": rounded(history.history["loss"][-1])}

    def _validation(self) -> dict:
        y = self.data.y_validation
        predicted = self.model.predict(self.data.x_validation, batch_size=500, verbose=0)
        if not np.isfinite(predicted).all():
            return {"val_loss": "nan", "metric": self.chance}
        targets = y if predicted.shape[-1] > 1 else y.reshape(predicted.shape)
        loss = float(np.mean(self.loss(targets, predicted)))
        return {"val_loss": rounded(loss), "metric": rounded(self.task.metric.points(y, predicted))}

    def _start(self, seed: int, order: int = 0) -> None:
        for variable, value in zip(self.model.variables, self.initial[seed], strict=True):
            variable.assign(value)
        keras.utils.set_random_seed(10_000 * seed + order)

    def _initial_weights(self, seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return [variable.numpy() for variable in self.task.model().variables]

    def _whole_batches(self, data: Data) -> Data:
        count = len(data.x) - len(data.x) % self.task.batch_size
        return replace(data, x=data.x[:count], y=data.y[:count])

    def _batches(self, seed: int) -> tf.data.Dataset:
        rng = np.random.default_rng(seed)
        wanted = self.task.budget_steps * self.task.batch_size
        passes = -(-wanted // len(self.data.x))
        order = np.concatenate([rng.permutation(len(self.data.x)) for _ in range(passes)])[:wanted]
        x, y = tf.constant(self.data.x), tf.constant(self.data.y)
        chosen = tf.data.Dataset.from_tensor_slices(order.reshape(-1, self.task.batch_size))
        return without_autotune(chosen.map(lambda rows: (tf.gather(x, rows), tf.gather(y, rows))))
