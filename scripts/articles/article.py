"""What the five article scripts share: their command line, images and network, and where their results go."""

import argparse
import contextlib
import io
import os
import socket
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from pyimagesearch_lr import LRCurve
from pyimagesearch_lr.pipeline import fashion_mnist, report
from pyimagesearch_lr.smoothing import rate_of_change

ROOT = Path(__file__).resolve().parents[2]
DOWNLOAD_SECONDS = 5


def command_line(doc: str, csv: bool = False) -> argparse.Namespace:
    """The options of an article's script, whose docstring is `doc`; `csv` where it reads a table."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="a look at all of it, on small data")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of the figures and numbers (default: output/articles, or output/quick)",
    )
    if csv:
        parser.add_argument("--csv", type=Path, required=True, help="the wine-quality table, red and white")
    options = parser.parse_args()
    options.output = options.output or ROOT / "output" / ("quick" if options.quick else "articles")
    return options


def load_images(quick: bool) -> tuple:
    """`(x_train, y_train), (x_test, y_test), name`: x float32 of shape (n, 28, 28, 1) in [0, 1], y (n,)."""
    if quick:
        (*data,), name = fashion_mnist.load_sample(), "the embedded sample of Fashion-MNIST"
    else:
        (*data,), name = _mnist_or_fashion_mnist()
    print(f"data: {name}")
    return *((x[..., np.newaxis].astype("float32") / 255, y) for x, y in data), name


def _mnist_or_fashion_mnist() -> tuple:
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return keras.datasets.mnist.load_data(), "MNIST"
    except Exception as error:  # get_file raises a bare Exception when it cannot reach the host
        print(f"MNIST cannot be had here ({error}); its drop-in replacement is used instead")
        return fashion_mnist.load_data(), "Fashion-MNIST"
    finally:
        socket.setdefaulttimeout(timeout)


def small_cnn() -> keras.Model:
    """The network of articles 1 and 3, not compiled."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def fastest_fall(curve: LRCurve, window: int) -> float:
    """The rate in the middle of the `window` steps over which the drawn line falls most, down to its lowest.

    What falls beyond that comes back from losses that exploded.
    """
    losses = curve.smoothed.at(curve.lrs)
    change = rate_of_change(losses[: max(window, int(np.nanargmin(losses))) + 1], window)
    return float(curve.lrs[int(np.nanargmin(change)) - window + window // 2])


def save(output: Path, name: str, settings: dict, results: dict, figures: dict) -> None:
    """Write `<name>.json` and the figures, a dict of file name without ending to matplotlib figure."""
    document = {"settings": settings, "versions": report.versions(), **results}
    report.save_json(output / f"{name}.json", document)
    for figure_name, figure in figures.items():
        report.save_figure(output / f"{figure_name}.png", figure)
    print(f"saved: {name}.json, {', '.join(f'{each}.png' for each in figures)} in {output}")
