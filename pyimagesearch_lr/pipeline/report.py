"""The files of a run: figures, history, numbers, model; each appears whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pyimagesearch_lr.files import strict_json, written_whole

Result = TypeVar("Result")

PLOT_ENDINGS = (".png", ".pdf", ".svg", ".jpg")
PACKAGES = ("tensorflow", "keras", "numpy")
COLUMNS = ("name", "precision", "recall", "f1-score", "support")


class Picture(NamedTuple):
    """An image file: its path, and its content, None if the file no longer exists."""

    path: str
    content: bytes | None


class Saving:
    """Writes all files that can be written, and raises the first error when the body is done.

    A full disk does not stop the rest of a result from being saved and printed.

    Attributes:
        error: OSError, the first one; None if there was none yet.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> try:
    ...     with Saving() as saving:
    ...         saving(save_text, Path("/dev/null/notes.txt"), "lost")
    ...         saving(save_text, folder / "notes.txt", "kept")
    ...         print("printed")
    ... except OSError as error:
    ...     print(error.filename, (folder / "notes.txt").read_text())
    printed
    /dev/null/notes.txt kept
    """

    def __init__(self) -> None:
        self.error: OSError | None = None

    def __enter__(self) -> Saving:
        return self

    def __call__(self, write: Callable[..., Result], *args: Any) -> Result | None:
        """What `write(*args)` returns; None where it cannot write."""
        try:
            return write(*args)
        except OSError as error:
            self.error = self.error or error
            return None

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None and self.error is not None:
            raise self.error


def save_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path`."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save_json(path: str | os.PathLike, document: Any) -> None:
    """Write `document` to `path` as strict JSON; NaN and infinity become strings that `float` reads."""
    save_text(path, strict_json(document, indent=1) + "\n")


def drawn(path: str | os.PathLike, figure: Any) -> Picture:
    """A matplotlib figure in the format that the path's ending names; the figure is closed."""
    import matplotlib.pyplot as plt

    content = io.BytesIO()
    try:
        figure.savefig(content, dpi=120, format=Path(path).suffix[1:].lower())
    finally:
        plt.close(figure)
    return Picture(str(path), content.getvalue())


def save_picture(picture: Picture) -> None:
    """Write a picture to its path."""
    with written_whole(picture.path) as temporary:
        temporary.write_bytes(picture.content or b"")


def save_figure(path: str | os.PathLike, figure: Any) -> Picture:
    """Write a matplotlib figure to `path` in the format that its ending names, close it, return the file."""
    picture = drawn(path, figure)
    save_picture(picture)
    return picture


def read_picture(path: str | os.PathLike) -> Picture:
    """The picture that an earlier run wrote."""
    return Picture(str(path), Path(path).read_bytes() if Path(path).exists() else None)


def save_history(path: str | os.PathLike, history: dict[str, list[float]]) -> None:
    """Write a training history to `path` as CSV, one row per epoch, counted from 1."""
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
        class_names: List of strings, one per class.
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


def scores(confusion: list[list[int]], class_names: list[str]) -> list[dict[str, Any]]:
    """The rows of the classification report as data: classes, accuracy, and the two averages.

    Args:
        confusion: List of lists of ints, what `confusion_matrix` returns.
        class_names: List of strings, one per class.

    Returns:
        List of dicts with "name", "precision", "recall", "f1-score" and "support".

    Example:

    >>> scores([[1, 1], [0, 1]], ["top", "bag"])[0]
    {'name': 'top', 'precision': 1.0, 'recall': 0.5, 'f1-score': 0.6666666666666666, 'support': 2}
    """
    counts = np.asarray(confusion)
    right, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    by_class = np.stack(
        [
            right / np.maximum(predicted, 1),
            right / np.maximum(support, 1),
            2 * right / np.maximum(predicted + support, 1),
        ],
        axis=1,
    )
    total = int(support.sum())
    rows = [
        *zip(class_names, by_class.tolist(), support.tolist(), strict=True),
        ("accuracy", [None, None, right.sum() / total], total),
        ("macro avg", by_class.mean(axis=0).tolist(), total),
        ("weighted avg", (support @ by_class / total).tolist(), total),
    ]
    return [dict(zip(COLUMNS, (name, *row, number), strict=True)) for name, row, number in rows]


def duration(seconds: float) -> str:
    """A time in words.

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
