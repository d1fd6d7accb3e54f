"""What a sweep costs, against plain `fit` and against the per-batch callback that other finders use.

Claims measured, each as a ratio of times within one run (median of the pairs, after a warm-up of both sides):

- minigooglenet: sweep / plain fit of as many steps, batch 64, all in this machine's default precision;
- small: a dense network (12-128-256-256-1, Adam, batch 32, 2,000 steps): sweep / plain fit without callbacks,
  and the usual way (`UsualWay` below, a callback like those of the tutorial and of keras_lr_finder) / sweep;
  beside it the same with the leanest callback possible, which only sets the rate and reads the loss, and the
  usual way / as many of the network's own training steps in one execution on one batch, which is the most
  that a sweep could reach. `fit` gets Keras's own batches of the arrays, made again each time, but without
  tf.data's autotuning: its thread delays the end of some fits by a second;
- plain: the same network and steps, recorded by Keras's public calls alone: `find`, and `LRFinder` in a fit,
  / a callback written by hand that makes the same four calls (`ByHand` below);
- memory: peak of a process that sweeps / one that only fits, a 100 MB model with Adam, snapshot on disk;
- steps: seconds of sweeps of 200 to 20,000 steps of the small network, and how far from a straight line;
- size: seconds of a 20-step sweep of dense networks of 1e4 to 1e8 parameters, and the snapshot's share.

    python scripts/benchmarks/sweep.py                     # everything; about 15 minutes on two cores
    python scripts/benchmarks/sweep.py small steps         # some of it; the rest of the JSON stays
    python scripts/benchmarks/sweep.py --against ../old    # with the version in another checkout, in turn
    python scripts/benchmarks/sweep.py small --quick       # a minute, to see that it runs; writes nothing

Each version's sides wait in a separate process and are called in turn. Writes sweep.json beside itself,
section by section; what the other version took stands there under "against". Run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from measuring import ROOT, TimedProcess, in_turn, keep, one_of, peak_kib, ratio, without_autotune

import pyimagesearch_lr
from pyimagesearch_lr import LearningRateFinder, LRFinder, MiniGoogLeNet

JSON = Path(__file__).with_suffix(".json")
RAMP = {"start_lr": 1e-7, "end_lr": 1e-2}
SWEEP = {**RAMP, "verbose": 0, "verify": False}
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Section:
    """What is measured together.

    Args:
        prepare: Function of the command line to the settings and the sides, which return what they measure.
        summary: Function of what each side returned, by round, to what the section says.
        rounds: Int, how often each side is called.
        measured: String, what the sides return.
    """

    prepare: Callable[[argparse.Namespace], tuple[dict, dict[str, Callable[[], float]]]]
    summary: Callable[[Seconds], dict]
    rounds: int
    measured: str = "seconds"


def main(argv: list[str]) -> None:
    args = parsed(argv)
    if args.worker:
        return work(args)
    if args.peak:
        return print(peak(args.peak))
    versions = {"this": ROOT} | ({"against": args.against} if args.against else {})
    for name in args.sections or SECTIONS:
        print(f"{name} ...", flush=True)
        result = measured(name, versions, args)
        print(json.dumps(result, indent=1), flush=True)
        if result and not args.quick:
            keep(JSON, name, result)
    return None


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "sections", nargs="*", type=one_of(SECTIONS), metavar="section", help=f"of {', '.join(SECTIONS)}"
    )
    parser.add_argument(
        "--against", type=checkout, help="a checkout of another version, timed in turn with this"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, to see that it runs; writes nothing"
    )
    parser.add_argument(
        "--policy", help="precision of MiniGoogLeNet (default: the one this machine is given)"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def checkout(path: str) -> Path:
    folder = Path(path).resolve()
    if not (folder / "pyimagesearch_lr").is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder pyimagesearch_lr in {folder}")
    return folder


# ---- versions in turn


def measured(name: str, versions: dict[str, Path], args: argparse.Namespace) -> dict:
    """The section's result in this version, with the other's beside it; empty if this one has no sides."""
    section = SECTIONS[name]
    policy = args.policy or default_policy()
    processes = {version: worker(name, path, policy, args.quick) for version, path in versions.items()}
    opened = {version: json.loads(process.ask("sides")) for version, process in processes.items()}
    sides = {
        (side, version): partial(processes[version], side)
        for side in opened["this"]["sides"]
        for version in versions
        if side in opened[version]["sides"]
    }
    taken = in_turn(sides, 1 if args.quick else section.rounds)
    for process in processes.values():
        process.close()
    results = {}
    for version in versions:
        of_version = {side: values for (side, each), values in taken.items() if each == version}
        if of_version:
            results[version] = {section.measured: of_version, **section.summary(of_version)}
    if "against" in results:
        results["this"]["against"] = {"commit": commit(versions["against"]), **results["against"]}
    return {"settings": opened["this"]["settings"], **results["this"]} if results else {}


def worker(name: str, path: Path, policy: str, quick: bool) -> TimedProcess:
    """A process with the sides of a section, made from the package in that folder."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", name, "--policy", policy]
    return TimedProcess([*command, *["--quick"] * quick], PYTHONPATH=str(path))


def work(args: argparse.Namespace) -> None:
    """The body of such a process."""
    settings, sides = SECTIONS[args.worker].prepare(args)
    for line in map(str.strip, sys.stdin):
        answer = {"settings": settings, "sides": list(sides)} if line == "sides" else sides[line]()
        print(json.dumps(answer), flush=True)


def commit(folder: Path) -> str:
    described = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    return subprocess.run(described, capture_output=True, text=True, check=True).stdout.strip()


def default_policy() -> str:
    from pyimagesearch_lr.pipeline import machine

    return machine.dtype_policy("auto")[0]


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def timed(actions: dict[str, Callable[[], object]]) -> dict[str, Callable[[], float]]:
    return {name: partial(seconds, action) for name, action in actions.items()}


# ---- the sections


def minigooglenet(args: argparse.Namespace) -> tuple[dict, dict]:
    keras.config.set_dtype_policy(args.policy)
    model = MiniGoogLeNet.build(32, 32, 1, 10)
    keras.config.set_dtype_policy("float32")
    model.compile(keras.optimizers.SGD(1e-4, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    steps = 2 if args.quick else 60
    x = rng.uniform(size=(64 * steps, 32, 32, 1)).astype("float32")
    y = np.eye(10, dtype="float32")[rng.integers(0, 10, len(x))]
    data = without_autotune(tf.data.Dataset.from_tensor_slices((x, y)).batch(64))
    finder = LearningRateFinder(model, stop_factor=None)
    sides = {
        "fit": lambda: model.fit(data, verbose=0, shuffle=False),
        "sweep": lambda: finder.find(data, epochs=1, **SWEEP),
    }
    return {"batch_size": 64, "steps": steps, "dtype_policy": args.policy}, timed(sides)


def ratio_to_fit(taken: Seconds) -> dict:
    return {"sweep_over_fit": ratio(taken["sweep"], taken["fit"])}


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


def fit_batches(
    model: keras.Model, x: np.ndarray, y: np.ndarray, *callbacks: keras.callbacks.Callback
) -> None:
    """`fit` on Keras's own batches of the arrays, without autotuning."""
    batches = ArrayDataAdapter(x, y, batch_size=32, shuffle=True).get_tf_dataset()
    batches = batches.apply(tf.data.experimental.assert_cardinality(len(x) // 32))
    model.fit(without_autotune(batches), shuffle=False, callbacks=list(callbacks), verbose=0)


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


def small(args: argparse.Namespace) -> tuple[dict, dict]:
    settings = small_settings(args)
    steps = settings["steps"]
    x, y = table(steps)
    plain, swept, lean, usual, bare = (dense() for _ in range(5))
    finder = LearningRateFinder(swept, stop_factor=None)
    leanest_way = LeanestWay(np.geomspace(*RAMP.values(), steps))
    usual_way = UsualWay(*RAMP.values(), steps)
    sides = {
        "fit": lambda: fit_batches(plain, x, y),
        "sweep": lambda: finder.find((x, y), epochs=1, batch_size=32, **SWEEP),
        "leanest way": lambda: fit_batches(lean, x, y, leanest_way),
        "usual way": lambda: fit_batches(usual, x, y, usual_way),
        "step alone": step_alone(bare, x[:32], y[:32], steps),
    }
    return settings, timed(sides)


def small_settings(args: argparse.Namespace) -> dict:
    steps = 50 if args.quick else 2000
    return {"network": "12-128-256-256-1", "optimizer": "Adam", "batch_size": 32, "steps": steps}


def small_ratios(taken: Seconds) -> dict:
    return {
        **ratio_to_fit(taken),
        "usual_way_over_sweep": ratio(taken["usual way"], taken["sweep"]),
        "leanest_way_over_sweep": ratio(taken["leanest way"], taken["sweep"]),
        "usual_way_over_step_alone": ratio(taken["usual way"], taken["step alone"]),
    }


class ByHand(keras.callbacks.Callback):
    """A sweep in Keras's public calls: each step has its own rate and logs; all variables are put back."""

    def __init__(self, rates):
        super().__init__()
        self.rates, self.rows = rates, []

    def on_train_begin(self, logs=None):
        self.step, self.rows = 0, []
        self.variables = [*self.model.variables, *self.model.optimizer.variables]
        self.values = [variable.numpy() for variable in self.variables]

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()
        self.model.optimizer.learning_rate = self.rates[self.step]
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append({name: float(value) for name, value in logs.items()})

    def on_train_end(self, logs=None):
        for variable, value in zip(self.variables, self.values, strict=True):
            variable.assign(value)


def plain(args: argparse.Namespace) -> tuple[dict, dict]:
    settings = small_settings(args)
    if not force_plain_recorder():
        return settings, {}
    steps = settings["steps"]
    x, y = table(steps)
    swept, called, by_hand = (dense() for _ in range(3))
    finder = LearningRateFinder(swept, stop_factor=None)
    rates = np.geomspace(*RAMP.values(), steps)
    sides = {
        "by hand": lambda: fit_batches(by_hand, x, y, ByHand(rates)),
        "sweep": lambda: finder.find((x, y), epochs=1, batch_size=32, **SWEEP),
        "callback": lambda: fit_batches(called, x, y, LRFinder(**RAMP, num_steps=steps, stop_factor=None)),
    }
    return settings, timed(sides)


def force_plain_recorder() -> bool:
    """Let public calls record every sweep of this process; false if the version has no such recorder."""
    if not Path(pyimagesearch_lr.__file__).with_name("recording.py").exists():  # an import may find another's
        return False
    recording = importlib.import_module("pyimagesearch_lr.recording")
    recording.fast_recorder_for = lambda *args, **kwargs: None
    return True


def plain_ratios(taken: Seconds) -> dict:
    return {f"{name}_over_by_hand": ratio(taken[name], taken["by hand"]) for name in ("sweep", "callback")}


def memory(args: argparse.Namespace) -> tuple[dict, dict]:
    ways = ("fit", "sweep, snapshot on disk", "sweep, snapshot in memory")
    settings = {"parameters": 25_000_000, "optimizer": "Adam", "steps": 20}
    return settings, {way: partial(peak_of_process, way) for way in ways}


def peak_of_process(way: str) -> float:
    command = [sys.executable, __file__, "--peak", way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def peak(way: str) -> int:
    """The peak memory, in KiB, of this process after a fit or a sweep of a 100 MB model."""
    model = keras.Sequential([keras.Input((5000,)), keras.layers.Dense(5000), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = np.ones((640, 5000), "float32"), np.ones((640, 1), "float32")
    if way == "fit":
        model.fit(x, y, batch_size=32, verbose=0)
    else:
        with tempfile.TemporaryDirectory() as folder:
            snapshot_dir = folder if way.endswith("disk") else None
            made, found = {"snapshot_dir": snapshot_dir}, {}
            if "snapshot_dir" not in inspect.signature(LearningRateFinder).parameters:  # before 0.2
                made, found = found, made
            finder = LearningRateFinder(model, stop_factor=None, **made)
            finder.find((x, y), epochs=1, batch_size=32, **SWEEP, **found)
    return peak_kib()


def memory_ratios(peaks: Seconds) -> dict:
    medians = {way: median(values) for way, values in peaks.items()}
    return {
        "on_disk_over_fit": medians["sweep, snapshot on disk"] / medians["fit"],
        "in_memory_over_fit": medians["sweep, snapshot in memory"] / medians["fit"],
    }


def steps(args: argparse.Namespace) -> tuple[dict, dict]:
    unit = 10 if args.quick else 200
    x, y = table(unit)
    finder = LearningRateFinder(dense(), stop_factor=None)
    sides = {
        str(unit * epochs): partial(finder.find, (x, y), epochs=epochs, batch_size=32, **SWEEP)
        for epochs in (1, 5, 25, 100)
    }
    return {"batch_size": 32, "optimizer": "Adam"}, timed(sides)


def line(taken: Seconds) -> dict:
    middle = {int(n): median(values) for n, values in taken.items()}
    slope, intercept = np.polyfit(
        list(middle), list(middle.values()), 1, w=[1 / value for value in middle.values()]
    )
    deviation = {n: value / (intercept + slope * n) - 1 for n, value in middle.items()}
    return {
        "seconds_a_step": slope,
        "seconds_of_no_steps": intercept,
        "deviation_from_a_line": deviation,
        "largest_deviation": max(abs(value) for value in deviation.values()),
    }


def size(args: argparse.Namespace) -> tuple[dict, dict]:
    x, y = table(20)
    sides: dict[str, Callable[[], object]] = {}
    for factor in (0.3, 1) if args.quick else (0.3, 1, 3.2, 10, 31):
        model = dense(factor)
        finder = LearningRateFinder(model, stop_factor=None)
        sides[f"{model.count_params()}"] = partial(finder.find, (x, y), epochs=1, **SWEEP)
        sides[f"{model.count_params()} snapshot"] = partial(snapshot, model)
    return {"steps": 20, "batch_size": 32, "optimizer": "Adam"}, timed(sides)


def snapshot(model: keras.Model) -> None:
    from pyimagesearch_lr import _state

    with _state.preserved(model):
        pass


def snapshot_shares(taken: Seconds) -> dict:
    sizes = [name for name in taken if name.isdigit()]
    return {
        "snapshot_share": {name: median(taken[f"{name} snapshot"]) / median(taken[name]) for name in sizes}
    }


SECTIONS = {
    "minigooglenet": Section(minigooglenet, ratio_to_fit, rounds=7),
    "small": Section(small, small_ratios, rounds=15),
    "plain": Section(plain, plain_ratios, rounds=15),
    "memory": Section(memory, memory_ratios, rounds=5, measured="peak_kib"),
    "steps": Section(steps, line, rounds=5),
    "size": Section(size, snapshot_shares, rounds=5),
}

if __name__ == "__main__":
    main(sys.argv[1:])
