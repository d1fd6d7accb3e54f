"""What a sweep costs, against plain `fit` and against the per-batch callback that other finders use.

Claims measured, each as a ratio of times within one run (median of the pairs, after a warm-up of both sides):

- minigooglenet: sweep / plain fit of as many steps, batch 64, all in this machine's default precision;
- small: a dense network (12-128-256-256-1, Adam, batch 32, 2,000 steps): sweep / plain fit without callbacks,
  and the usual way (`UsualWay` below, a callback like those of the tutorial and of keras_lr_finder) / sweep;
  beside it the same with the leanest callback there can be, which only sets the rate and reads the loss, and
  the usual way / as many of the network's own training steps in one execution on one batch, which is the most
  that a sweep could reach. `fit` gets Keras's own batches of the arrays, made anew each time as it does, but
  without tf.data's autotuning: its thread holds up the end of some fits by a second;
- memory: peak of a process that sweeps / one that only fits, a 100 MB model with Adam, snapshot on disk;
- steps: seconds of sweeps of 200 to 20,000 steps of the small network, and how far from a straight line;
- size: seconds of a 20-step sweep of dense networks of 1e4 to 1e8 parameters, and the snapshot's share.

    python scripts/bench_sweep.py                  # everything; about 15 minutes on two cores
    python scripts/bench_sweep.py small steps      # some of it; the rest of the JSON stays

Writes scripts/bench_sweep.json beside itself, section by section. Run nothing else meanwhile.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from benchmarks import keep
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from pyimagesearch_lr import LearningRateFinder, MiniGoogLeNet, _state, machine

JSON = Path(__file__).with_suffix(".json")
PAIRS = 7
SWEEP = {"start_lr": 1e-7, "end_lr": 1e-2, "verbose": 0}


def main(names: list[str]) -> None:
    for name in names or list(SECTIONS):
        print(f"{name} ...", flush=True)
        result = SECTIONS[name]()
        print(json.dumps(result, indent=1), flush=True)
        keep(JSON, name, result)


def seconds(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def timed_in_turn(actions: dict, rounds: int = PAIRS) -> dict[str, list[float]]:
    """Seconds of every action, in turn, `rounds` times after one warm-up of each."""
    for action in actions.values():
        action()
    times = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return times


def ratio(times: dict[str, list[float]], above: str, below: str) -> dict:
    ratios = [a / b for a, b in zip(times[above], times[below], strict=True)]
    return {"median": median(ratios), "min": min(ratios), "max": max(ratios), "n": len(ratios)}


def minigooglenet() -> dict:
    policy, reason = machine.dtype_policy()
    keras.config.set_dtype_policy(policy)
    model = MiniGoogLeNet.build(32, 32, 1, 10)
    keras.config.set_dtype_policy("float32")
    model.compile(keras.optimizers.SGD(1e-4, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    steps = 60
    x = rng.uniform(size=(64 * steps, 32, 32, 1)).astype("float32")
    y = np.eye(10, dtype="float32")[rng.integers(0, 10, len(x))]
    data = without_autotune(tf.data.Dataset.from_tensor_slices((x, y)).batch(64))
    finder = LearningRateFinder(model, stop_factor=None)
    times = timed_in_turn(
        {
            "fit": lambda: model.fit(data, verbose=0, shuffle=False),
            "sweep": lambda: finder.find(data, epochs=1, **SWEEP),
        }
    )
    return {
        "settings": {"batch_size": 64, "steps": steps, "dtype_policy": policy, "reason": reason},
        "seconds": times,
        "sweep_over_fit": ratio(times, "sweep", "fit"),
    }


def without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def dense(width_factor: float = 1.0, optimizer: str = "adam") -> keras.Model:
    widths = [round(width * width_factor) for width in (128, 256, 256)]
    layers = [keras.layers.Dense(width, activation="relu") for width in widths]
    model = keras.Sequential([keras.Input((12,)), *layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def table(steps: int, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * batch_size, 12)).astype("float32")
    return x, (x.sum(axis=1) > 0).astype("float32")[:, None]


class LeanestWay(keras.callbacks.Callback):
    """Sets the rate before every batch and reads the loss that `fit` shows after it; puts nothing back."""

    def __init__(self, rates):
        super().__init__()
        self.rates, self.losses = rates, []

    def on_train_begin(self, logs=None):
        self.step, self.losses = 0, []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate.assign(self.rates[self.step])
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


class UsualWay(keras.callbacks.Callback):
    """What the usual finders do: read rate and loss after every batch, smooth, multiply and set the rate.

    Weights and rate are put back at the end, the weights from memory; some finders use a file.
    """

    def __init__(self, start_lr, end_lr, steps, beta=0.98):
        super().__init__()
        self.start_lr, self.factor, self.beta = start_lr, (end_lr / start_lr) ** (1 / steps), beta

    def on_train_begin(self, logs=None):
        self.lrs, self.losses = [], []
        self.average, self.best = 0.0, float("inf")
        self.weights, self.rate = self.model.get_weights(), self.read_rate()
        self.model.optimizer.learning_rate = self.start_lr

    def on_train_batch_end(self, batch, logs=None):
        rate = self.read_rate()
        self.lrs.append(rate)
        self.average = self.beta * self.average + (1 - self.beta) * logs["loss"]
        smoothed = self.average / (1 - self.beta ** len(self.lrs))
        self.losses.append(smoothed)
        self.best = min(self.best, smoothed)
        self.model.optimizer.learning_rate = rate * self.factor

    def on_train_end(self, logs=None):
        self.model.set_weights(self.weights)
        self.model.optimizer.learning_rate = self.rate

    def read_rate(self):
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


def step_alone(model: keras.Model, x: np.ndarray, y: np.ndarray, steps: int) -> Callable[[], None]:
    """Trains on one batch `steps` times in one execution: no data pipeline, no callbacks, no finder."""
    batch = tf.constant(x), tf.constant(y)
    model.train_on_batch(x, y)

    def body(step):
        model.train_step(batch)
        return (step + 1,)

    def loop():
        tf.while_loop(lambda step: step < steps, body, [tf.constant(0)])

    return tf.function(loop, autograph=False)


def small() -> dict:
    steps = 2000
    x, y = table(steps)
    plain, swept, lean, usual, bare = (dense() for _ in range(5))
    finder = LearningRateFinder(swept, stop_factor=None)
    leanest_way = LeanestWay(np.geomspace(1e-7, 1e-2, steps))
    usual_way = UsualWay(1e-7, 1e-2, steps)

    def fit(model, *callbacks):
        batches = ArrayDataAdapter(x, y, batch_size=32, shuffle=True).get_tf_dataset()
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        model.fit(without_autotune(batches), shuffle=False, callbacks=list(callbacks), verbose=0)

    times = timed_in_turn(
        {
            "fit": lambda: fit(plain),
            "sweep": lambda: finder.find((x, y), epochs=1, batch_size=32, **SWEEP),
            "leanest way": lambda: fit(lean, leanest_way),
            "usual way": lambda: fit(usual, usual_way),
            "step alone": step_alone(bare, x[:32], y[:32], steps),
        },
        rounds=15,
    )
    return {
        "settings": {"network": "12-128-256-256-1", "optimizer": "Adam", "batch_size": 32, "steps": steps},
        "seconds": times,
        "sweep_over_fit": ratio(times, "sweep", "fit"),
        "usual_way_over_sweep": ratio(times, "usual way", "sweep"),
        "leanest_way_over_sweep": ratio(times, "leanest way", "sweep"),
        "usual_way_over_step_alone": ratio(times, "usual way", "step alone"),
    }


def memory() -> dict:
    peaks = {}
    for way in ("fit", "sweep, snapshot on disk", "sweep, snapshot in memory"):
        command = [sys.executable, __file__, "--peak", way]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(5)]
        peaks[way] = [int(run.stdout.split()[-1]) for run in runs]
    medians = {way: median(values) for way, values in peaks.items()}
    return {
        "settings": {"parameters": 25_000_000, "optimizer": "Adam", "steps": 20},
        "peak_kib": peaks,
        "on_disk_over_fit": medians["sweep, snapshot on disk"] / medians["fit"],
        "in_memory_over_fit": medians["sweep, snapshot in memory"] / medians["fit"],
    }


def peak(way: str) -> None:
    """Print the peak memory, in KiB, of this process after a fit or a sweep of a 100 MB model."""
    model = keras.Sequential([keras.Input((5000,)), keras.layers.Dense(5000), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = np.ones((640, 5000), "float32"), np.ones((640, 1), "float32")
    if way == "fit":
        model.fit(x, y, batch_size=32, verbose=0)
    else:
        with tempfile.TemporaryDirectory() as folder:
            snapshot_dir = folder if way.endswith("disk") else None
            finder = LearningRateFinder(model, stop_factor=None)
            finder.find((x, y), epochs=1, batch_size=32, snapshot_dir=snapshot_dir, **SWEEP)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def steps() -> dict:
    x, y = table(200)
    finder = LearningRateFinder(dense(), stop_factor=None)
    lengths = [200, 1000, 5000, 20_000]
    times = timed_in_turn(
        {str(n): (lambda n=n: finder.find((x, y), epochs=n // 200, batch_size=32, **SWEEP)) for n in lengths},
        rounds=5,
    )
    middle = {n: median(times[str(n)]) for n in lengths}
    slope, intercept = np.polyfit(
        lengths, [middle[n] for n in lengths], 1, w=[1 / middle[n] for n in lengths]
    )
    deviation = {n: middle[n] / (intercept + slope * n) - 1 for n in lengths}
    return {
        "seconds": times,
        "seconds_a_step": slope,
        "seconds_of_no_steps": intercept,
        "deviation_from_a_line": deviation,
        "largest_deviation": max(abs(value) for value in deviation.values()),
    }


def size() -> dict:
    rows = []
    for factor in (0.3, 1, 3.2, 10, 31):
        model = dense(factor, optimizer="adam")
        x, y = table(20)
        finder = LearningRateFinder(model, stop_factor=None)
        finder.find((x, y), epochs=1, **SWEEP)
        totals = [seconds(lambda: finder.find((x, y), epochs=1, **SWEEP)) for _ in range(5)]  # noqa: B023
        snapshots = [seconds(lambda: snapshot(model)) for _ in range(5)]  # noqa: B023
        rows.append(
            {
                "parameters": model.count_params(),
                "seconds": totals,
                "snapshot_seconds": snapshots,
                "snapshot_share": median(snapshots) / median(totals),
            }
        )
    return {"settings": {"steps": 20, "batch_size": 32, "optimizer": "Adam"}, "sizes": rows}


def snapshot(model: keras.Model) -> None:
    with _state.preserved(model):
        pass


SECTIONS = {
    "minigooglenet": minigooglenet,
    "small": small,
    "memory": memory,
    "steps": steps,
    "size": size,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        peak(sys.argv[2])
    else:
        main(sys.argv[1:])
