"""What a sweep costs on each backend of Keras, against that backend's own `fit`.

Claims measured, each as a ratio of times within one run (median of the pairs, after a warm-up of both sides):

- small: the dense network of sweep.py (12-128-256-256-1, Adam, batch 32): sweep / plain `fit` of as many
  steps, and sweep / a callback written by hand that makes the same public calls (sweep.py's `ByHand`);
- minigooglenet: sweep / plain `fit`, batch 64, float32, 28 x 28 pixels.

    python scripts/benchmarks/backends.py              # all; about 15 minutes on two cores
    python scripts/benchmarks/backends.py small        # some of it; the rest of the JSON stays

Data are arrays. Every backend waits in a process of its own, and all sides are called in turn; a backend that
is not installed is left out. Writes backends.json beside itself. Run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from measuring import ROOT, TimedProcess, in_turn, keep, one_of, ratio
from sweep import RAMP, SWEEP, ByHand, dense, table, timed

from pyimagesearch_lr import LearningRateFinder, MiniGoogLeNet

JSON = Path(__file__).with_suffix(".json")
BACKENDS = ("tensorflow", "jax", "torch")
ROUNDS = {"small": 9, "minigooglenet": 5}
STEPS = {"small": 1000, "minigooglenet": 12}
Sides = dict[str, Callable[[], float]]


def main(argv: list[str]) -> None:
    args = parsed(argv)
    if args.worker:
        return work(args.worker, args.quick)
    for name in args.sections or SECTIONS:
        print(f"{name} ...", flush=True)
        result = measured(name, args.quick)
        print(json.dumps(result, indent=1), flush=True)
        if not args.quick:
            keep(JSON, name, result)
    return None


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "sections", nargs="*", type=one_of(SECTIONS), metavar="section", help=f"of {', '.join(SECTIONS)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, to see that it runs; writes nothing"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measured(name: str, quick: bool) -> dict:
    """What every side took on every backend that is installed, and the ratios."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", name, *["--quick"] * quick]
    processes = {
        backend: TimedProcess(command, KERAS_BACKEND=backend, PYTHONPATH=str(ROOT))
        for backend in BACKENDS
        if importlib.util.find_spec(backend) is not None
    }
    sides = {
        (backend, side): partial(process, side)
        for backend, process in processes.items()
        for side in json.loads(process.ask("sides"))
    }
    taken = in_turn(sides, 1 if quick else ROUNDS[name])
    for process in processes.values():
        process.close()
    return {
        "settings": {"steps": steps_of(name, quick), "batch_size": BATCH_SIZES[name]},
        "backends": {backend: of_backend(backend, taken) for backend in processes},
    }


def of_backend(backend: str, taken: dict[tuple[str, str], list[float]]) -> dict:
    """The seconds of each side, and the sweep's ratio to each of the others."""
    seconds = {side: values for (each, side), values in taken.items() if each == backend}
    others = [side for side in seconds if side != "sweep"]
    return {
        "version": importlib.metadata.version(backend),
        "seconds": seconds,
        **{f"sweep_over_{side.replace(' ', '_')}": ratio(seconds["sweep"], seconds[side]) for side in others},
    }


def steps_of(name: str, quick: bool) -> int:
    return 2 if quick else STEPS[name]


def work(name: str, quick: bool) -> None:
    """The body of such a process."""
    sides = SECTIONS[name](steps_of(name, quick))
    for line in map(str.strip, sys.stdin):
        print(json.dumps(list(sides)) if line == "sides" else sides[line](), flush=True)


def small(steps: int) -> Sides:
    x, y = table(steps, BATCH_SIZES["small"])
    plain, swept, by_hand = (dense() for _ in range(3))
    rates = np.geomspace(*RAMP.values(), steps)
    fit = {"batch_size": BATCH_SIZES["small"], "verbose": 0}
    finder = LearningRateFinder(swept, stop_factor=None)
    return timed(
        {
            "fit": lambda: plain.fit(x, y, **fit),
            "by hand": lambda: by_hand.fit(x, y, callbacks=[ByHand(rates)], **fit),
            "sweep": lambda: finder.find((x, y), epochs=1, batch_size=BATCH_SIZES["small"], **SWEEP),
        }
    )


def minigooglenet(steps: int) -> Sides:
    batch_size = BATCH_SIZES["minigooglenet"]
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(batch_size * steps, 28, 28, 1)).astype("float32")
    y = np.eye(10, dtype="float32")[rng.integers(0, 10, len(x))]
    plain, swept = (compiled_minigooglenet() for _ in range(2))
    finder = LearningRateFinder(swept, stop_factor=None)
    return timed(
        {
            "fit": lambda: plain.fit(x, y, batch_size=batch_size, verbose=0),
            "sweep": lambda: finder.find((x, y), epochs=1, batch_size=batch_size, **SWEEP),
        }
    )


def compiled_minigooglenet() -> keras.Model:
    model = MiniGoogLeNet.build(28, 28, 1, 10)
    model.compile(keras.optimizers.SGD(1e-4, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


SECTIONS: dict[str, Callable[[int], Sides]] = {"small": small, "minigooglenet": minigooglenet}
BATCH_SIZES = {"small": 32, "minigooglenet": 64}

if __name__ == "__main__":
    main(sys.argv[1:])
