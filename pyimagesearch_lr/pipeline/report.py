"""The files of a run: figures, history, classification report, settings; each appears whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
from importlib import import_module
from typing import Any

import numpy as np

from pyimagesearch_lr.files import written_whole

PACKAGES = ("tensorflow", "keras", "numpy")


def save_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path`."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save_json(path: str | os.PathLike, document: Any) -> None:
    """Write `document` to `path` as strict JSON; NaN and infinity become strings that `float` reads."""
    save_text(path, json.dumps(_jsonable(document), indent=1, allow_nan=False) + "\n")


def save_figure(path: str | os.PathLike, figure: Any) -> None:
    """Write a matplotlib figure to `path` in the format of its ending, and close it."""
    import matplotlib.pyplot as plt

    try:
        with written_whole(path) as temporary:
            figure.savefig(temporary, dpi=120)
    finally:
        plt.close(figure)


def save_model(path: str | os.PathLike, model: Any) -> None:
    """Write a Keras model to `path`, which ends in ".keras"."""
    with written_whole(path) as temporary:
        model.save(temporary)


def save_history(path: str | os.PathLike, history: dict[str, list[float]]) -> None:
    """Write a training history to `path` as CSV, one row an epoch, counted from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", *history])
    writer.writerows([epoch, *row] for epoch, row in enumerate(zip(*history.values(), strict=True), 1))
    save_text(path, text.getvalue())


def classification_report(labels: np.ndarray, predicted: np.ndarray, class_names: list[str]) -> str:
    """Precision, recall and F1 of every class, as text.

    Args:
        labels: int array of shape `(samples,)`, the true classes.
        predicted: int array of shape `(samples,)`, the predicted classes.
        class_names: List of strings, one a class.
    """
    from sklearn import metrics

    return metrics.classification_report(
        labels,
        predicted,
        labels=range(len(class_names)),
        target_names=list(class_names),
        digits=4,
        zero_division=0,
    )


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> list[list[int]]:
    """How often each class, a row, was predicted as each class, a column.

    Example:

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), num_classes=2)
    [[1, 1], [0, 1]]
    """
    pairs = num_classes * labels.astype(int) + predicted
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes).tolist()


def duration(seconds: float) -> str:
    """A time for people.

    Example:

    >>> duration(3606.6)
    '1 h 0 min'
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on, and the kind of machine."""
    found = {name: import_module(name).__version__ for name in PACKAGES}
    return {"python": platform.python_version(), **found, "machine": platform.machine()}


def _jsonable(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _jsonable(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_jsonable(value) for value in document]
    is_number = not isinstance(document, float) or math.isfinite(document)
    return document if is_number else str(document)
