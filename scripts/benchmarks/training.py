"""What training MiniGoogLeNet costs here, against the tutorial's port in stock Keras and against PyTorch.

Claims measured, as ratios of times within one run (sides in turn, medians after a warm-up of each):

- step: a training step of this package / of the tutorial's port in stock Keras 3 float32, of PyTorch's same
  network in channels_last bfloat16 (with `--torch-python`), and of the convolutions' arithmetic at the matrix
  rate measured in between;
- epoch: steps on the real pipeline with augmentation / the same steps on one batch in memory;
- stall: seconds between two epochs of a `fit`, and from its last step to its return;
- memory: peak of a process that trains as `train.py` does / as the tutorial does, on float64 arrays;
- profile: how the time of the step's operations divides among their kinds;
- durability: what a run pays to lose nothing: steps whose loss is watched / steps alone, and the checkpoint
  that ends an epoch / the epoch;
- start: seconds from `python train.py --lr-find 1` to its first step / of importing TensorFlow and building
  the model.

    python scripts/benchmarks/training.py --steps 40                                 # epoch_seconds=... only
    python scripts/benchmarks/training.py --torch-python ~/torch/bin/python          # everything, 10 minutes
    python scripts/benchmarks/training.py step stall                                 # some; the rest stays

Writes training.json beside itself, section by section. Run nothing else meanwhile. PyTorch is not needed: it
is measured if a Python that has it is named.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from measuring import ROOT, TimedProcess, in_turn, keep, one_of, peak_kib, ratio, without_autotune

sys.path.insert(0, str(ROOT))  # for config.py

JSON = Path(__file__).with_suffix(".json")
IMAGES, BATCH, EPOCHS = 60_000, 64, 48
ROUNDS, STEPS_A_ROUND = 7, 10
KINDS_OF_OPERATIONS = {  # and the part of TensorFlow's name by which each is known
    "filter gradients of convolutions": "Conv2DBackpropFilter",
    "input gradients of convolutions": "Conv2DBackpropInput",
    "convolutions": "Conv2D",
    "batch normalisation": "BatchNorm",
    "ReLU gradients": "ReluGrad",
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "sections", nargs="*", type=one_of(SECTIONS), metavar="section", help=f"of {', '.join(SECTIONS)}"
    )
    parser.add_argument("--steps", type=int, help="only time so many steps of the default path")
    parser.add_argument("--torch-python", help="a Python that has PyTorch")
    parser.add_argument("--child", choices=sorted(CHILDREN), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        return CHILDREN[args.child]()
    if args.steps:
        return print(f"epoch_seconds={epoch_seconds(args.steps):.1f}")
    for name in args.sections or SECTIONS:
        print(f"{name} ...", flush=True)
        result = SECTIONS[name](args)
        print(json.dumps(result, indent=1), flush=True)
        keep(JSON, name, result)
    return None


def steps_in_turn(sides: dict[str, Callable[[int], float]]) -> dict[str, list[float]]:
    """Seconds per step of every side."""
    whole = in_turn({name: partial(run, STEPS_A_ROUND) for name, run in sides.items()}, ROUNDS)
    return {name: [value / STEPS_A_ROUND for value in values] for name, values in whole.items()}


# ---- the sides


def our_model():
    import keras

    from pyimagesearch_lr import MiniGoogLeNet
    from pyimagesearch_lr.pipeline import machine

    keras.config.set_dtype_policy(machine.dtype_policy("auto")[0])
    return compiled(MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10))


def stock_model():
    """The tutorial's network with nothing but Keras's own layers, in float32."""
    import keras
    from keras import layers

    from pyimagesearch_lr import minigooglenet

    keras.config.set_dtype_policy("float32")
    ours = minigooglenet.FusedBatchNormalization
    minigooglenet.FusedBatchNormalization = layers.BatchNormalization
    try:
        return compiled(minigooglenet.MiniGoogLeNet.build(width=32, height=32, depth=1, classes=10))
    finally:
        minigooglenet.FusedBatchNormalization = ours


def compiled(model):
    import keras

    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def data():
    from pyimagesearch_lr.pipeline import fashion_mnist, image_batches

    (x, y), _ = fashion_mnist.load_data()
    return image_batches.training_batches(
        image_batches.resize(x), image_batches.binarize(y), BATCH, seed=42, drop_remainder=True
    )


def one_batch():
    return without_autotune(data().take(1).cache().repeat())


def fit_seconds(model, batches, *callbacks) -> Callable[[int], float]:
    def run(steps: int) -> float:
        started = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, callbacks=list(callbacks), verbose=0, shuffle=False)
        return time.perf_counter() - started

    return run


def convolution_flops(model) -> float:
    """Floating-point operations of all convolutions of one training step: forward and both gradients.

    The first convolution needs no gradient of its input.
    """
    from keras import layers

    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    total = 0.0
    for number, layer in enumerate(convolutions):
        height, width, inputs, outputs = layer.kernel.shape
        _, rows, columns, _ = layer.output.shape
        forward = 2.0 * BATCH * rows * columns * height * width * inputs * outputs
        total += forward * (2 if number == 0 else 3)
    return total


def arithmetic_seconds(flops: float, size: int = 2048) -> Callable[[int], float]:
    """The time that this much arithmetic takes at the speed of a large matrix product."""
    import tensorflow as tf

    from pyimagesearch_lr.pipeline import machine

    dtype = tf.bfloat16 if "bfloat16" in machine.dtype_policy("auto")[0] else tf.float32
    a, b = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))
    product = tf.function(tf.matmul)

    def run(steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            result = product(a, b)
        result.numpy()
        return (time.perf_counter() - started) / (2.0 * size**3) * flops

    return run


# ---- the sections


def step(args: argparse.Namespace) -> dict:
    model, batches = our_model(), one_batch()
    flops = convolution_flops(model)
    sides = {
        "ours": fit_seconds(model, batches),
        "stock_float32": fit_seconds(stock_model(), batches),
        "arithmetic": arithmetic_seconds(flops),
    }
    if args.torch_python:
        sides["torch_bfloat16"] = TimedProcess([args.torch_python, str(JSON.with_name("torch_steps.py"))])
    taken = steps_in_turn(sides)
    return {
        "batch_size": BATCH,
        "steps_a_round": STEPS_A_ROUND,
        "policy": model.dtype_policy.name,
        "seconds_a_step": {name: [round(value, 4) for value in values] for name, values in taken.items()},
        "convolution_gflop_a_step": round(flops / 1e9, 1),
        "ratios": {
            f"ours_over_{name}": ratio(taken["ours"], values)
            for name, values in taken.items()
            if name != "ours"
        },
    }


def epoch(args: argparse.Namespace) -> dict:
    model = our_model()
    taken = steps_in_turn({"pipeline": fit_seconds(model, data()), "step": fit_seconds(model, one_batch())})
    seconds = [value * IMAGES / BATCH for value in taken["pipeline"]]
    return {
        "epoch_seconds": round(median(seconds), 1),
        "epoch_seconds_range": [round(min(seconds), 1), round(max(seconds), 1)],
        "ratios": {"pipeline_over_step": ratio(taken["pipeline"], taken["step"])},
    }


def epoch_seconds(steps: int) -> float:
    run = fit_seconds(our_model(), data())
    run(3)
    return run(steps) / steps * IMAGES / BATCH


def stall(args: argparse.Namespace) -> dict:
    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.ended, self.between = 0.0, []

        def on_train_batch_begin(self, batch, logs=None):
            if batch == 0 and self.ended:
                self.between.append(time.perf_counter() - self.ended)

        def on_train_batch_end(self, batch, logs=None):
            self.ended = time.perf_counter()

    model, batches = our_model(), data()
    model.fit(batches, steps_per_epoch=3, verbose=0, shuffle=False)
    between, at_end = [], []
    for _ in range(ROUNDS):
        clock = Clock()
        model.fit(batches, epochs=2, steps_per_epoch=30, verbose=0, shuffle=False, callbacks=[clock])
        at_end.append(time.perf_counter() - clock.ended)
        between += clock.between
    return {
        "between_epochs_seconds": [round(value, 3) for value in between],
        "end_of_fit_seconds": [round(value, 3) for value in at_end],
        "largest": round(max(between + at_end), 3),
    }


def memory(args: argparse.Namespace) -> dict:
    peaks = {name: int(child(f"memory_{name}")) for name in ("ours", "tutorial")}
    return {"peak_mb": peaks, "ratios": {"ours_over_tutorial": round(peaks["ours"] / peaks["tutorial"], 3)}}


def durability(args: argparse.Namespace) -> dict:
    """The checkpoint is that of a last epoch, which holds the rates of all steps of the training."""
    from pyimagesearch_lr.pipeline.checkpoint import EpochCheckpoint
    from pyimagesearch_lr.pipeline.finite_loss import FiniteLoss

    model, batches, steps = our_model(), one_batch(), IMAGES // BATCH
    watch = FiniteLoss()
    taken = steps_in_turn(
        {"alone": fit_seconds(model, batches), "watched": fit_seconds(model, batches, watch)}
    )
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = EpochCheckpoint(Path(folder, "checkpoint.npz"), {}, {"lr": [0.01] * (EPOCHS * steps)})
        checkpoint.set_model(model)

        def end_of_epoch() -> float:
            checkpoint.on_epoch_begin(0)
            started = time.perf_counter()
            watch.on_epoch_end(0, {})
            checkpoint.on_epoch_end(0, {"loss": 0.1})
            return time.perf_counter() - started

        ends = in_turn({"end of epoch": end_of_epoch}, ROUNDS)["end of epoch"]
    return {
        "seconds_a_step": {name: [round(value, 5) for value in values] for name, values in taken.items()},
        "seconds_at_the_end_of_an_epoch": [round(value, 3) for value in ends],
        "ratios": {"watched_over_alone": ratio(taken["watched"], taken["alone"])},
        "end_of_epoch_over_epoch": round(median(ends) / (median(taken["alone"]) * steps), 5),
    }


def start(args: argparse.Namespace) -> dict:
    names = ("start_first_step", "start_build")
    taken = in_turn({name: partial(child_seconds, name) for name in names}, rounds=5)
    return {
        "seconds": {name: [round(value, 2) for value in values] for name, values in taken.items()},
        "ratios": {"first_step_over_build": ratio(*taken.values())},
    }


def child_seconds(name: str) -> float:
    started = time.perf_counter()
    child(name)
    return time.perf_counter() - started


def profile(args: argparse.Namespace) -> dict:
    """Milliseconds of operations per step, by kind; operations that run side by side count in full."""
    import tensorflow as tf

    run = fit_seconds(our_model(), one_batch())
    run(STEPS_A_ROUND)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            run(STEPS_A_ROUND)
        milliseconds = operation_milliseconds(folder)
    taken = dict.fromkeys([*KINDS_OF_OPERATIONS, "all others"], 0.0)
    for name, value in milliseconds.items():
        kind = next((kind for kind, part in KINDS_OF_OPERATIONS.items() if part in name), "all others")
        taken[kind] += value / STEPS_A_ROUND
    whole = sum(taken.values())
    return {
        "operation_ms_a_step": {kind: round(value, 1) for kind, value in taken.items()},
        "shares": {kind: round(value / whole, 3) for kind, value in taken.items()},
    }


def operation_milliseconds(folder: str) -> dict[str, float]:
    """What TensorFlow's profiler has in `folder`, summed by the type of the operation."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    taken: dict[str, float] = {}
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            operation, _, kind = name.rpartition(":")
            if operation and kind.isidentifier() and "::" not in name:  # "name:Type"; C++ has "a::b"
                taken[kind] = taken.get(kind, 0.0) + event.duration_ps / 1e9
    return taken


def child(name: str) -> str:
    """The last line that a part of the benchmark prints in a separate process."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", name]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return (done.stdout.splitlines() or [""])[-1]


# ---- the parts that run in a process of their own


def memory_ours() -> None:
    """Load, augment and train as `train.py` does; evaluate as it does after each epoch."""
    from pyimagesearch_lr.pipeline import fashion_mnist, image_batches

    (x, y), (x_test, y_test) = fashion_mnist.load_data()
    model = our_model()
    batches = image_batches.training_batches(
        image_batches.resize(x), image_batches.binarize(y), BATCH, seed=42, drop_remainder=True
    )
    test = image_batches.evaluation_batches(
        image_batches.resize(x_test), image_batches.binarize(y_test), BATCH
    )
    model.fit(batches, steps_per_epoch=20, validation_data=test, validation_steps=5, verbose=0, shuffle=False)
    print_peak_mb()


def memory_tutorial() -> None:
    """Load, scale and train as the tutorial does: float64 arrays, ImageDataGenerator, stock Keras."""
    import cv2
    import numpy as np
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    from sklearn.preprocessing import LabelBinarizer

    from pyimagesearch_lr.pipeline import fashion_mnist, image_batches

    (x, y), (x_test, y_test) = fashion_mnist.load_data()
    x, x_test = (np.array([cv2.resize(image, (32, 32)) for image in part]) for part in (x, x_test))
    x, x_test = x.astype("float") / 255.0, x_test.astype("float") / 255.0
    x, x_test = x.reshape((-1, 32, 32, 1)), x_test.reshape((-1, 32, 32, 1))
    binarizer = LabelBinarizer()
    y, y_test = binarizer.fit_transform(y), binarizer.transform(y_test)
    generator = ImageDataGenerator(**image_batches.TUTORIAL_AUGMENTATION)
    model = stock_model()
    batches = generator.flow(x, y, batch_size=BATCH)
    model.fit(batches, steps_per_epoch=20, validation_data=(x_test, y_test), validation_steps=5, verbose=0)
    print_peak_mb()


def print_peak_mb() -> None:
    print(round(peak_kib() / 1024))


def start_first_step() -> None:
    """`train.py --lr-find 1` up to the moment its first step begins."""
    import keras

    import config
    from pyimagesearch_lr import pipeline

    keras.callbacks.CallbackList.on_train_batch_begin = lambda *_, **__: os._exit(0)

    pipeline.main(config, ["--lr-find", "1"])
    raise SystemExit("the sweep took no step")


def start_build() -> None:
    our_model()


SECTIONS = {
    "step": step,
    "epoch": epoch,
    "stall": stall,
    "memory": memory,
    "profile": profile,
    "durability": durability,
    "start": start,
}
CHILDREN = {
    function.__name__: function for function in (memory_ours, memory_tutorial, start_first_step, start_build)
}

if __name__ == "__main__":
    main()
