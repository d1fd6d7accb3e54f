"""`LRCurve`: what a sweep measured. NumPy only; TensorFlow is never imported here."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch_lr.files import written_whole
from pyimagesearch_lr.smoothing import rate_of_change
from pyimagesearch_lr.suggest import NoSuggestion, Suggestion, suggest

STOP_REASONS = ("end_lr", "diverged", "non_finite", "exhausted", "interrupted")
FORMAT = "pyimagesearch_lr.LRCurve/1"
METRICS = "metrics."


@dataclass(frozen=True, eq=False)
class LRCurve:
    """Loss against learning rate, as measured by a sweep.

    Everything measured is kept, raw and smoothed, so that a saved curve gives the same plots and the same
    suggestions as the live one, with any other settings, without training again.

    Args:
        lrs: float64 array of shape `(rates,)`, the learning rate of every recorded step.
        raw_losses: float64 array of shape `(rates,)`, the loss of each step by itself.
        losses: float64 array of shape `(rates,)`, `raw_losses` smoothed.
        stop_reason: String, why the sweep ended: one of "end_lr", "diverged", "non_finite", "exhausted",
            "interrupted".
        metrics: Dict of arrays of shape `(rates,)`, the model's other metrics of each step by itself.
        metadata: Dict, the settings and versions of the sweep; has to be JSON-serialisable.

    Raises:
        ValueError: If the arrays differ in length or the stop reason is unknown.

    Example:

    >>> curve = LRCurve([0.1, 0.2], [2.0, 1.0], [2.0, 1.5], "end_lr")
    >>> len(curve)
    2
    """

    lrs: np.ndarray
    raw_losses: np.ndarray
    losses: np.ndarray
    stop_reason: str
    metrics: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("lrs", "raw_losses", "losses"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in self.metrics.items()}
        object.__setattr__(self, "metrics", arrays)
        lengths = {"lrs": len(self.lrs), "raw_losses": len(self.raw_losses), "losses": len(self.losses)}
        lengths.update({name: len(values) for name, values in arrays.items()})
        if len(set(lengths.values())) > 1:
            raise ValueError(f"`LRCurve`: all arrays must have the same length. Received: {lengths}.")
        if self.stop_reason not in STOP_REASONS:
            raise ValueError(
                f"`LRCurve`: `stop_reason` must be one of {STOP_REASONS}. Received: {self.stop_reason!r}."
            )

    def __len__(self) -> int:
        return len(self.lrs)

    def suggest(self, method: str = "bounds") -> Suggestion:
        """Learning rates to train with, read off the curve.

        Args:
            method: String, the name of a method in `pyimagesearch_lr.suggest.METHODS`: "bounds" for cyclical
                training.

        Returns:
            A `Suggestion` with `base_lr`, `max_lr`, `method` and `reason`.

        Raises:
            NoSuggestion: If the curve supports none; its message says why and what to do.
            ValueError: If the method is unknown.
        """
        return suggest(self.lrs, self.raw_losses, method=method)

    def save(self, path: str | os.PathLike) -> None:
        """Write the curve to `path`, whole or not at all.

        Args:
            path: Path that ends in ".json" or ".csv". Both keep everything; CSV has one row a rate, with
                the metadata in a comment on its first line. A metric's column is named `metrics.<name>`.

        Raises:
            ValueError: If the path ends in neither.
        """
        path = Path(path)
        text = {".json": self._to_json, ".csv": self._to_csv}[_format_of(path)]()
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike) -> LRCurve:
        """Read a curve that `save` wrote.

        Args:
            path: Path that ends in ".json" or ".csv".

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file does not hold a curve.
        """
        path = Path(path)
        parse = {".json": _fields_from_json, ".csv": _fields_from_csv}[_format_of(path)]
        try:
            return cls(**parse(path.read_text(encoding="utf-8")))
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, csv.Error) as error:
            raise ValueError(
                f"{path} does not hold a curve saved by `LRCurve.save` ({error}). Expected {FORMAT}."
            ) from error

    def plot(self, ax: Any = None, *, skip_begin: int = 0, skip_end: int = 0, title: str = "") -> Any:
        """Draw raw and smoothed loss against the learning rate, with the suggested bounds if there are any.

        Args:
            ax: matplotlib Axes to draw on; None makes a figure.
            skip_begin: Int, how many of the first rates to leave out.
            skip_end: Int, how many of the last rates to leave out.
            title: String, the title of the axes.

        Returns:
            The Axes. Nothing is shown on screen; call `ax.figure.savefig(...)` or `plt.show()`.
        """
        from pyimagesearch_lr import plots

        try:
            suggestion = self.suggest()
        except NoSuggestion:
            suggestion = None
        shown = slice(skip_begin, max(0, len(self) - skip_end))
        return plots.loss_against_lr(
            self.lrs[shown],
            self.raw_losses[shown],
            self.losses[shown],
            suggestion=suggestion,
            ax=ax,
            title=title,
        )

    def plot_rate_of_change(self, window: int = 20, ax: Any = None, title: str = "") -> Any:
        """Draw the change of the smoothed loss a step, over `window` steps, against the learning rate.

        Args:
            window: Int, over how many steps the change is taken.
            ax: matplotlib Axes to draw on; None makes a figure.
            title: String, the title of the axes.

        Returns:
            The Axes.
        """
        from pyimagesearch_lr import plots

        return plots.rate_of_change(self.lrs, rate_of_change(self.losses, window), ax=ax, title=title)

    def _columns(self) -> dict[str, np.ndarray]:
        metrics = {METRICS + name: values for name, values in self.metrics.items()}
        return {"lr": self.lrs, "raw_loss": self.raw_losses, "loss": self.losses, **metrics}

    def _to_json(self) -> str:
        document = {
            "format": FORMAT,
            "stop_reason": self.stop_reason,
            "metadata": self.metadata,
            "columns": {name: _jsonable(values) for name, values in self._columns().items()},
        }
        return json.dumps(document, allow_nan=False, indent=1)

    def _to_csv(self) -> str:
        text = io.StringIO()
        header = {
            "format": FORMAT,
            "stop_reason": self.stop_reason,
            "rates": len(self),
            "metadata": self.metadata,
        }
        text.write("# " + json.dumps(header, allow_nan=False) + "\n")
        columns = self._columns()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
        return text.getvalue()


def _format_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise ValueError(f'A curve is saved as ".json" or ".csv". Received: {str(path)!r}.')
    return suffix


def _jsonable(values: np.ndarray) -> list[float | str]:
    """JSON has no NaN and no infinity: they are written as strings that `float` reads."""
    return [value if np.isfinite(value) else str(value) for value in values.tolist()]


def _fields(header: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}")
    columns = {name: np.array([float(value) for value in values]) for name, values in columns.items()}
    return {
        "lrs": columns.pop("lr"),
        "raw_losses": columns.pop("raw_loss"),
        "losses": columns.pop("loss"),
        "metrics": {name.removeprefix(METRICS): values for name, values in columns.items()},
        "stop_reason": header["stop_reason"],
        "metadata": header["metadata"],
    }


def _fields_from_json(text: str) -> dict[str, Any]:
    document = json.loads(text)
    return _fields(document, document["columns"])


def _fields_from_csv(text: str) -> dict[str, Any]:
    first_line, _, table = text.partition("\n")
    header = json.loads(first_line.removeprefix("# "))
    rows = list(csv.reader(io.StringIO(table)))
    columns = {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}
    if len(rows) != 1 + header["rates"] or not table.endswith("\n"):
        raise ValueError("it does not end where it should")
    return _fields(header, columns)
