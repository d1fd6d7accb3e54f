"""A program: the pipeline on a network of one layer, which prints the phase that it is in.

    SETTINGS='{"NUM_EPOCHS": 2}' python tiny_pipeline.py [options of train.py]

Works in the current folder; tests/pipeline/test_killed.py kills it. Every phase is announced by a line
`PHASE name` when it begins, also the writing of a checkpoint within the epochs.
"""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace


def phase(name: str) -> None:
    print(f"PHASE {name}", flush=True)


def announcing(name: str, function, after: str | None = None):
    """The function, which announces the phase before and the one that follows it."""

    def announced(*args, **kwargs):
        phase(name)
        try:
            return function(*args, **kwargs)
        finally:
            if after is not None:
                phase(after)

    return announced


def main() -> int:
    phase("start")
    import keras

    from pyimagesearch_lr import finder, pipeline
    from pyimagesearch_lr.minigooglenet import MiniGoogLeNet
    from pyimagesearch_lr.pipeline import checkpoint_file, fashion_mnist, page, process, training

    def network(width, height, depth, classes, dropout):
        layers = [
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(classes, activation="softmax", dtype="float32"),
        ]
        return keras.Sequential([keras.Input((height, width, depth)), *layers])

    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_sample()
    images = (x_train[:640], y_train[:640]), (x_test[:64], y_test[:64])
    fashion_mnist.load_data = lambda folder=None: images
    MiniGoogLeNet.build = staticmethod(network)
    training.find = announcing("sweep", training.find, "between")
    finder.LearningRateFinder._verify = announcing("probes", finder.LearningRateFinder._verify)
    training.train = announcing("epochs", training.train)
    checkpoint_file.save = announcing("checkpoint", checkpoint_file.save, "epochs")
    training.evaluate = announcing("evaluation", training.evaluate)
    write = page.write
    page.write = lambda folder, finding=None, trained=None: announcing(
        "page" if trained is None else "report", write
    )(folder, finding, trained)
    settings = {
        "CLASSES": list(fashion_mnist.CLASS_NAMES),
        "LRFIND_START_LR": 1e-6,
        "LRFIND_END_LR": 10.0,
        "LRFIND_STEPS": 120,
        "LRFIND_VERIFY_STEPS": 240,
        "MIN_LR": 1e-4,
        "MAX_LR": 1e-2,
        "STEP_SIZE": 2,
        "CLR_METHOD": "triangular",
        "NUM_EPOCHS": 8,
        "BATCH_SIZE": 32,
        "DTYPE_POLICY": "float32",
        "LRFIND_PLOT_PATH": "output/lrfind_plot.png",
        "TRAINING_PLOT_PATH": "output/training_plot.png",
        "CLR_PLOT_PATH": "output/clr_plot.png",
    }
    settings |= json.loads(os.environ.get("SETTINGS", "{}"))
    with pipeline.stoppable():
        process.prepare_console()
        return process.flushed(pipeline.main(SimpleNamespace(**settings), sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
