"""What suggestions.py measures by training: the sweeps, the response to the rate, and short trainings.

Every part of a task's record is written when it is finished; what is already there is not trained again.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import suggestion_rivals
import tensorflow as tf
from measuring import describe_machine, rounded
from suggestion_tasks import TASKS, Data, Task

from pyimagesearch_lr import LearningRateFinder, LRCurve, NoSuggestion, schedules
from pyimagesearch_lr.files import written_whole
from pyimagesearch_lr.probing import STAGES
from pyimagesearch_lr.suggest import suggest

FOLDER = Path(__file__).with_name("suggestions")
START_LR, END_LR = 1e-8, 100.0
SWEEP_STEPS = (100, 200, 300, 1000)
VERIFIED_SWEEPS = (200, 1000)
VERIFY_STEPS = (600, 1200)
SEEDS = range(5)
FAR_SEEDS = range(3)
PROBE_SEEDS = range(2)
PROBE_STEPS = (25, 50, 100, 150, 200, 300, 400)
FAR_PROBE_STEPS = 150
PROBED_DECADES = 1.6
LAST_SHARE = 0.3
CYCLES = 2
BASE_SHARE = 0.1
OTHER_SHARES = (1 / 4, 1 / 50, 1 / 1000)
FINDER, FINDER_STEPS = "finder", 300  # a lowest rate that the finder gave, and the steps of its sweep
RATES_PER_DECADE = 2
MOST_RATES = 19
VALIDATED_ON = 512
THREADS = 1
OPTIMIZER_SETTINGS = ("momentum", "weight_decay", "rho", "beta_1", "beta_2", "clipnorm", "clipvalue")


def collect(
    names: list[str], parts: Iterable[str], csv: str | None, split: str = "all", *, anew: bool = False
) -> None:
    """Train these parts of these tasks, unless they are recorded already; all tasks if none is named."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    for task in TASKS:
        if (names and task.name not in names) or split not in ("all", task.split):
            continue
        record = kept(task.name)
        missing = [part for part in parts if anew or part not in record]
        if not missing:
            continue
        try:
            data = task.data(csv) if task.needs_csv else task.data()
        except FileNotFoundError as error:
            print(f"{task.name}: left out, {error}", flush=True)
            continue
        trainer = Trainer(task, data)
        for part in missing:
            started = time.perf_counter()
            record = {**record, **trainer.description(), part: PARTS[part](trainer, record)}
            save(path_of(task.name), record)
            print(f"{task.name}: {part} in {time.perf_counter() - started:.0f} s", flush=True)
        print(summary_line(record), flush=True)


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def kept(name: str) -> dict:
    path = path_of(name)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(path: Path, record: dict) -> None:
    """One line for each curve and each training, so that a change of one is a change of one line."""
    lines = [f' "{key}": {_rows(value)}' for key, value in record.items()]
    with written_whole(path) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rows(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(json.dumps(row, allow_nan=False) for row in value) + "\n ]"
    return json.dumps(value, allow_nan=False)


def summary_line(record: dict) -> str:
    means = means_of(record.get("response", []))
    table = " ".join(f"{np.log10(rate):.2f}:{mean:.1f}" for rate, mean in means.items())
    return f"{record['task']}: chance {record['chance']}; {table}"


def means_of(rows: list[dict]) -> dict[float, float]:
    """The mean metric of each rate."""
    rates = sorted({row["max_lr"] for row in rows})
    return {rate: float(np.mean([row["metric"] for row in rows if row["max_lr"] == rate])) for rate in rates}


class Trainer:
    """One model for all trainings of a task, so that its step is compiled once.

    Each seed has its own initial weights and its own order of the data; all rates of a seed have the same.
    """

    def __init__(self, task: Task, data: Data):
        self.task = task
        self.data = self._whole_batches(data)
        self.initial_weights = [self._initial_weights(seed) for seed in SEEDS]
        self.model = task.model()
        self.model.compile(task.optimizer(), task.loss)
        self.model.train_on_batch(self.data.x[: task.batch_size], self.data.y[: task.batch_size])
        self._blank = self._blank_optimizer()
        self.chance = task.metric.chance(data.y_validation)

    @cached_property
    def finder(self) -> LearningRateFinder:
        return LearningRateFinder(self.model)

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
            "loss": task.loss if isinstance(task.loss, str) else task.loss.__name__,
            "metric": task.metric.name,
            "chance": rounded(self.chance),
            "batch_size": task.batch_size,
            "budget_steps": task.budget_steps,
            "train_samples": len(self.data.x),
            "validation_samples": len(self.data.x_validation),
            "sweep": {"start_lr": START_LR, "end_lr": END_LR, "stop_factor": self.finder.stop_factor},
            "machine": {**describe_machine(), "threads": THREADS},
        }

    # ---- what is recorded

    def curves(self, record: dict) -> list[dict]:
        """Sweeps of all lengths with `LearningRateFinder`."""
        rows = []
        for steps in SWEEP_STEPS:
            for seed in SEEDS:
                curve = self.swept(seed, steps, verify=False)
                losses = [rounded(loss) for loss in curve.raw_losses]
                rows.append(
                    {"seed": seed, "steps": steps, "stop_reason": curve.stop_reason, "raw_losses": losses}
                )
        return rows

    def response(self, record: dict) -> list[dict]:
        """The metric of each rate in half decades, in quarters near the best."""
        rows = list(self._responses(grid(*self.task.rates), FAR_SEEDS))
        while further := beyond(means_of(rows)):
            rows += self._responses([further], FAR_SEEDS)
        rows += self._responses(between_best(means_of(rows)), FAR_SEEDS)
        return sorted(rows, key=lambda row: (row["max_lr"], row["seed"]))

    def near_best(self, record: dict) -> list[dict]:
        """More seeds of the rates up to half a decade from the best."""
        rates = _around_best(means_of(record["response"]), RATES_PER_DECADE)
        return list(self._responses(rates, [seed for seed in SEEDS if seed not in FAR_SEEDS]))

    def bases(self, record: dict) -> list[dict]:
        """The metric of the best rate with cycles from other lowest rates, the finder's among them."""
        means = means_of(record["response"] + record["near_best"])
        best = max(means, key=means.__getitem__)
        of_finder = {seed: base_of_finder(record, seed) / best for seed in SEEDS}
        chosen = [(share, seed, {}) for share in OTHER_SHARES for seed in SEEDS]
        chosen += [(min(share, BASE_SHARE), seed, {"of": FINDER}) for seed, share in of_finder.items()]
        return [
            {
                "max_lr": best,
                "share": rounded(share),
                "seed": seed,
                "metric": self._trained(best, seed, share)["metric"],
                **of,
            }
            for share, seed, of in chosen
        ]

    def probes(self, record: dict) -> list[dict]:
        """Short trainings of several lengths with the rates of the response: how each ended.

        The longer ones are of the rates up to a decade and a half from the best alone.
        """
        means = means_of(record["response"])
        best = max(means, key=means.__getitem__)
        return [
            {"steps": steps, "seed": seed, "max_lr": rate, **self._probed(rate, seed, steps)}
            for steps in PROBE_STEPS
            for seed in PROBE_SEEDS
            for rate in means
            if steps <= FAR_PROBE_STEPS or abs(np.log10(rate / best)) < PROBED_DECADES
        ]

    def verified(self, record: dict) -> list[dict]:
        """What `find(verify=...)` answers, None for no answer, and how many steps it took."""
        return [
            {
                "seed": seed,
                "steps": steps,
                "verify_steps": probe_steps,
                **self._verified(seed, steps, probe_steps),
            }
            for probe_steps in VERIFY_STEPS
            for steps in VERIFIED_SWEEPS
            for seed in SEEDS
        ]

    def _verified(self, seed: int, steps: int, probe_steps: int) -> dict:
        curve = self.swept(seed, steps, verify=probe_steps)
        before = STAGES.first_steps(probe_steps) if curve.probes else 0
        cost = len(curve) + before + sum(probe.steps for probe in curve.probes)
        try:
            pick = rounded(curve.suggest("verified").max_lr)
        except NoSuggestion:  # nothing was tried, or nothing that was tried trained
            pick = None
        return {"pick": pick, "cost_steps": cost}

    def swept(self, seed: int, steps: int, **settings) -> LRCurve:
        self.start(seed)
        keras.utils.set_random_seed(10_000 * seed + steps)
        return self.finder.find(
            (self.data.x, self.data.y),
            START_LR,
            END_LR,
            num_steps=steps,
            batch_size=self.task.batch_size,
            verbose=0,
            **settings,
        )

    def _responses(self, rates: Iterable[float], seeds: Iterable[int]) -> Iterator[dict]:
        for rate in rates:
            for seed in seeds:
                yield {"max_lr": rate, "seed": seed, **self._trained(rate, seed)}

    def _trained(self, rate: float, seed: int, share: float = BASE_SHARE) -> dict:
        """A training of full length."""
        steps = self.task.budget_steps
        rates = schedules.cyclic(np.arange(steps), share * rate, rate, steps / (2 * CYCLES))
        losses = self.train(seed, rates, self.order(steps, seed))
        return {**self.validation(), "train_loss": rounded(np.mean(losses[-max(1, steps // 10) :]))}

    def _probed(self, rate: float, seed: int, steps: int) -> dict:
        losses = self.train_cycle(rate, seed, steps)
        if len(losses) < steps or not np.isfinite(losses[-1]):
            return {"first_loss": rounded(losses[0]), "val_loss": "nan", "losses": []}
        last = [float(f"{loss:.4g}") for loss in losses[-round(LAST_SHARE * steps) :]]
        return {"first_loss": rounded(losses[0]), "val_loss": self._validation_loss(), "losses": last}

    def train_cycle(self, rate: float, seed: int, steps: int) -> np.ndarray:
        """Losses of one triangular cycle."""
        rates = schedules.cyclic(np.arange(steps), BASE_SHARE * rate, rate, steps / 2)
        return self.train(seed, rates, self.order(steps, seed, 1))

    # ---- training

    def start(self, seed: int) -> None:
        """Put the model where the seed's trainings begin."""
        for variable, value in zip(self.model.variables, self.initial_weights[seed], strict=True):
            variable.assign(value)
        for variable, value in zip(self.model.optimizer.variables, self._blank, strict=True):
            variable.assign(value)

    def _blank_optimizer(self) -> list[np.ndarray]:
        optimizer = self.task.optimizer()
        optimizer.build(self.model.trainable_variables)
        return [variable.numpy() for variable in optimizer.variables]

    def train(self, seed: int, rates: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Losses of the steps with these rates on these rows, up to the first that is not finite."""
        self.start(seed)
        losses, done = self._loop(tf.constant(rates, tf.float32), tf.constant(order, tf.int32))
        return losses.numpy()[: int(done)]

    @cached_property
    def _loop(self) -> Callable:
        model, optimizer = self.model, self.model.optimizer
        x_all, y_all = tf.constant(self.data.x), tf.constant(self.data.y)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None, self.task.batch_size], tf.int32),
            ]
        )
        def loop(rates, order):
            steps = tf.shape(rates)[0]
            losses = tf.TensorArray(tf.float32, size=steps)
            step, loss = 0, 0.0
            while step < steps and tf.math.is_finite(loss):
                optimizer.learning_rate.assign(rates[step])
                x, y = tf.gather(x_all, order[step]), tf.gather(y_all, order[step])
                with tf.GradientTape() as tape:
                    loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
                    loss = tf.cast(loss, tf.float32)
                variables = model.trainable_variables
                optimizer.apply(tape.gradient(loss, variables), variables)
                losses = losses.write(step, loss)
                step += 1
            return losses.stack(), step

        return loop

    def order(self, steps: int, *seed: int) -> np.ndarray:
        """Rows of the batches, pass by pass."""
        rng = np.random.default_rng(seed)
        wanted = steps * self.task.batch_size
        passes = -(-wanted // len(self.data.x))
        order = np.concatenate([rng.permutation(len(self.data.x)) for _ in range(passes)])[:wanted]
        return order.reshape(-1, self.task.batch_size)

    def validation(self) -> dict:
        """Loss and metric on the validation data, those of chance if the network's output is not finite."""
        y, predicted = self.data.y_validation, self._predict(tf.constant(self.data.x_validation)).numpy()
        if not np.isfinite(predicted).all():
            return {"val_loss": "nan", "metric": rounded(self.chance)}
        return {
            "val_loss": self._loss_of(y, predicted),
            "metric": rounded(self.task.metric.points(y, predicted)),
        }

    def _validation_loss(self) -> float | str:
        x, y = self.data.x_validation[:VALIDATED_ON], self.data.y_validation[:VALIDATED_ON]
        return self._loss_of(y, self._predict(tf.constant(x)).numpy())

    def _loss_of(self, y: np.ndarray, predicted: np.ndarray) -> float | str:
        loss = keras.losses.get(self.task.loss)
        targets = y.reshape(predicted.shape) if y.size == predicted.size else y
        return rounded(np.mean(loss(targets, predicted)))

    @cached_property
    def _predict(self) -> Callable:
        return tf.function(lambda x: self.model(x, training=False), reduce_retracing=True)

    def _initial_weights(self, seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return [variable.numpy() for variable in self.task.model().variables]

    def _whole_batches(self, data: Data) -> Data:
        count = len(data.x) - len(data.x) % self.task.batch_size
        return replace(data, x=data.x[:count], y=data.y[:count])


PARTS: dict[str, Callable[[Trainer, dict], list[dict]]] = {
    "curves": Trainer.curves,
    "response": Trainer.response,
    "near_best": Trainer.near_best,
    "bases": Trainer.bases,
    "probes": Trainer.probes,
    "verified": Trainer.verified,
    "constants": suggestion_rivals.constants,
    "curvature": suggestion_rivals.curvature,
    "rate_free": suggestion_rivals.rate_free,
}


# ---- rates


def base_of_finder(record: dict, seed: int) -> float:
    """The lowest rate of a cycle that a recorded sweep says; infinity for none, and a tenth is then taken."""
    lrs = schedules.ramp_rates(START_LR, END_LR, FINDER_STEPS)
    (curve,) = (row for row in record["curves"] if (row["steps"], row["seed"]) == (FINDER_STEPS, seed))
    losses = [float(loss) for loss in curve["raw_losses"]]
    try:
        return suggest(lrs[: len(losses)], losses).base_lr
    except NoSuggestion:
        return np.inf


def grid(low: float, high: float) -> list[float]:
    """Rates in half decades."""
    count = round(RATES_PER_DECADE * np.log10(high / low)) + 1
    return [rounded(rate) for rate in np.geomspace(low, high, count)]


def beyond(means: dict[float, float]) -> float | None:
    """The next rate if the best lies at an end of the grid, else None."""
    rates, values = list(means), list(means.values())
    best, step = int(np.argmax(values)), 10 ** (1 / RATES_PER_DECADE)
    if len(rates) >= MOST_RATES or 0 < best < len(rates) - 1:
        return None
    return rounded(rates[0] / step if best == 0 else rates[-1] * step)


def between_best(means: dict[float, float]) -> list[float]:
    """The rates half-way between those of the grid, up to a decade on both sides of the best."""
    return [rounded((low * high) ** 0.5) for low, high in pairwise(_around_best(means, RATES_PER_DECADE))]


def _around_best(means: dict[float, float], count: int) -> list[float]:
    """The best rate and that many of its neighbours on both sides."""
    rates, values = list(means), list(means.values())
    best = int(np.argmax(values))
    return rates[max(0, best - count) : best + count + 1]
