"""How short the sweep of `train.py --lr-find 1` may be, and whether its precision changes the answer.

Claim measured: the bounds of a shorter sweep of MiniGoogLeNet on Fashion-MNIST lie within a quarter of a
decade of those of the tutorial's 2,814 steps, and so do those in float32. All start from the same weights.

    python scripts/benchmarks/lrfind_steps.py                      # what is missing; 20 minutes on two cores
    python scripts/benchmarks/lrfind_steps.py mixed_bfloat16:500    # some of it

Writes lrfind_steps.json beside itself: the raw losses of each sweep, from which the page's bounds are read.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from measuring import keep, kept, rounded

from pyimagesearch_lr import LearningRateFinder, MiniGoogLeNet
from pyimagesearch_lr.pipeline import fashion_mnist, image_batches

JSON = Path(__file__).with_suffix(".json")
START_LR, END_LR, BATCH, SEED = 1e-10, 10.0, 64, 42
SWEEPS = [
    *(f"mixed_bfloat16:{steps}" for steps in (200, 300, 500, 1000, 2814)),
    "float32:500",
]


def main(names: list[str]) -> None:
    for name in names or [name for name in SWEEPS if name not in kept(JSON)]:
        policy, steps = name.split(":")
        keep(JSON, name, swept(policy, int(steps)), indent=None)


def swept(policy: str, steps: int) -> dict:
    keras.utils.set_random_seed(SEED)
    keras.config.set_dtype_policy(policy)
    model = MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10)
    model.compile(keras.optimizers.SGD(1e-5, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    (x, y), _ = fashion_mnist.load_data()
    batches = image_batches.training_batches(
        image_batches.resize(x), image_batches.binarize(y), BATCH, seed=SEED
    )
    started = time.perf_counter()
    curve = LearningRateFinder(model).find(
        batches, START_LR, END_LR, epochs=1, steps_per_epoch=steps, verbose=0
    )
    seconds = time.perf_counter() - started
    return {
        "steps": steps,
        "stop_reason": curve.stop_reason,
        "seconds": round(seconds, 1),
        "raw_losses": [rounded(loss) for loss in curve.raw_losses],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
