"""`LRCurve`: what a sweep measured; Keras and TensorFlow are never imported here."""

from __future__ import annotations

import base64
import csv
import dataclasses
import html
import io
import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch_lr._arguments import COUNT, COUNT_OR_0, one_of
from pyimagesearch_lr._arguments import path as path_of
from pyimagesearch_lr.files import strict_json, written_whole
from pyimagesearch_lr.probing import FINE
from pyimagesearch_lr.smoothing import Smoothed, rate_of_change, smoothed
from pyimagesearch_lr.suggest import (
    HOW_TO_TRY,
    METHODS,
    TRIED,
    NoSuggestion,
    Probe,
    Suggestion,
    best_probe,
    suggest,
)

STOP_REASONS = ("end_lr", "diverged", "non_finite", "exhausted", "stopped", "limited", "interrupted")
FORMAT = "pyimagesearch_lr.LRCurve/1"
VERIFIED = "verified"
LONGEST_REASON = 200
METRICS = "metrics."
SWEEP = "sweep."
LOSSES_ON, PROBES_ON = "losses_on", "probes_on"  # keys of a curve's metadata, each with one of the next two
UNTRIED = "untried"  # a key of a curve's metadata: how rates could be tried
CUT_SHORT = "cut_short"  # another: trying was stopped before its end
TRAINING_DATA, VALIDATION_DATA = "training_data", "validation_data"
TRAIN_LOSS = "train_loss"  # the metric where losses are on validation data


@dataclass(frozen=True, eq=False)
class LRCurve:
    """Loss against learning rate, as measured by a sweep.

    Everything measured is kept, raw and smoothed, so that a saved curve gives the same plots and the same
    suggestions as the live one, with any other settings, without training again.

    Args:
        lrs: float64 array of shape `(rates,)`, the learning rates, each used for one step or several.
        raw_losses: float64 array of shape `(rates,)`, each step's own loss.
        losses: float64 array of shape `(rates,)`, the running average of `raw_losses` that the tutorial
            keeps and that decides when a sweep has diverged. It lags behind; what is drawn and read off is
            `smoothed`.
        stop_reason: String, why the sweep ended: one of "end_lr", "diverged", "non_finite", "exhausted",
            "interrupted".
        metrics: Dict of arrays of shape `(rates,)`, the model's other metrics, each step's own.
        metadata: Dict, the settings and versions of the sweep; must be JSON-serialisable.
        sweep_losses: float64 array of shape `(sweeps, rates)`, the raw losses of each sweep where the test
            was repeated and `raw_losses` is their mean; None takes `raw_losses` as the only sweep.
        probes: Tuple of `Probe`, the short trainings that verified the curve's answer; empty if there were
            none.

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
    sweep_losses: Any = None
    probes: tuple[Probe, ...] = ()

    def __post_init__(self) -> None:
        for name in ("lrs", "raw_losses", "losses"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in self.metrics.items()}
        object.__setattr__(self, "metrics", arrays)
        sweeps = self.raw_losses[None] if self.sweep_losses is None else self.sweep_losses
        object.__setattr__(self, "sweep_losses", np.atleast_2d(np.asarray(sweeps, dtype=np.float64)))
        object.__setattr__(self, "probes", tuple(self.probes))
        lengths = {"lrs": len(self.lrs), "raw_losses": len(self.raw_losses), "losses": len(self.losses)}
        lengths.update({name: len(values) for name, values in arrays.items()})
        lengths["sweep_losses"] = self.sweep_losses.shape[1]
        if len(set(lengths.values())) > 1:
            raise ValueError(f"`LRCurve`: all arrays must have the same length. Received: {lengths}.")
        if self.stop_reason not in STOP_REASONS:
            raise ValueError(
                f"`LRCurve`: `stop_reason` must be one of {STOP_REASONS}. Received: {self.stop_reason!r}."
            )

    def __len__(self) -> int:
        return len(self.lrs)

    @property
    def smoothed(self) -> Smoothed:
        """The line through the raw losses that plots draw and suggestions are read off."""
        return smoothed(self.lrs, self.raw_losses)

    @classmethod
    def mean(cls, curves: Sequence[LRCurve]) -> LRCurve:
        """The mean of repeated sweeps over the same rates, up to the end of the shortest.

        Each sweep's raw losses stay in `sweep_losses`; stop reason and metadata are the shortest one's.
        """
        shortest = min(curves, key=len)
        n = len(shortest)
        sweeps = np.stack([curve.raw_losses[:n] for curve in curves])
        metrics = {
            name: np.mean([curve.metrics[name][:n] for curve in curves], axis=0) for name in shortest.metrics
        }
        losses = np.mean([curve.losses[:n] for curve in curves], axis=0)
        return cls(
            shortest.lrs,
            sweeps.mean(axis=0),
            losses,
            shortest.stop_reason,
            metrics,
            shortest.metadata,
            sweep_losses=sweeps,
        )

    def suggest(self, method: str | None = None) -> Suggestion:
        """Learning rates to train with, read off the curve.

        Args:
            method: String, the name of a method in `pyimagesearch_lr.suggest.METHODS`, or "verified" for what
                trained best of the curve's probes. None takes "verified" where there are probes and "bounds",
                for cyclical training, where there are none.

        Returns:
            A `Suggestion` with `base_lr`, `max_lr`, `method` and `reason`, and `spread` where the sweep was
            repeated: that of the curves' own answers.

        Raises:
            NoSuggestion: If the curve supports none; its message says why and what to do.
            ValueError: If the method is unknown.
            TypeError: If it is neither a string nor None.
        """
        if method is None:
            method = VERIFIED if self.probes else "bounds"
        if one_of((*METHODS, VERIFIED))("", "method", method) == VERIFIED:
            return self._tried_answer()
        how_to_try = TRIED if self.probes else str(self.metadata.get(UNTRIED, HOW_TO_TRY))
        suggestion = suggest(self.lrs, self.raw_losses, method, how_to_try)
        return (
            dataclasses.replace(suggestion, spread=self._spread(method)) if self._is_repeated else suggestion
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the curve to `path`, whole or not at all.

        Args:
            path: Path that ends in ".json" or ".csv". Both keep everything; CSV has one row per rate, with
                the metadata in a comment on its first line. A metric's column is named `metrics.<name>`.

        Raises:
            TypeError: If `path` is not a path.
            ValueError: If it has another ending.
        """
        path = Path(path_of("LRCurve.save", "path", path))
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
        path = Path(path_of("LRCurve.load", "path", path))
        parse = {".json": _fields_from_json, ".csv": _fields_from_csv}[_format_of(path)]
        content = path.read_bytes()
        try:
            return _readable(cls(**parse(content.decode("utf-8"))))
        except Exception as error:  # whatever an unknown file makes the readers raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
            raise ValueError(
                f"{path} does not hold a curve saved by `LRCurve.save` ({reason}). Expected {FORMAT}."
            ) from error

    def plot(self, ax: Any = None, *, skip_begin: int = 0, skip_end: int = 0, title: str = "") -> Any:
        """Draw raw and smoothed loss against the learning rate, with the suggested bounds if there are any.

        Where rates were tried, each probe is drawn over the curve: the loss that it ended with, with its
        standard error, at the highest rate of its cycle, and a star on the one that was taken. The legend
        says where losses are on validation data, and on which data the probes' are if those differ.

        The smoothed line is the one that suggestions are read off; a band around it spans the sweeps where
        the test was repeated, and a dot marks where the loss falls fastest.

        Args:
            ax: matplotlib Axes to draw on; None makes a figure.
            skip_begin: Int, how many of the first rates to leave out.
            skip_end: Int, how many of the last rates to leave out.
            title: String, the title of the axes.

        Returns:
            The Axes. Nothing is shown on screen; call `ax.figure.savefig(...)` or `plt.show()`.
        """
        from pyimagesearch_lr import plots

        shown = _shown(self, skip_begin, skip_end)
        line = self.smoothed
        sweeps = [smoothed(self.lrs, losses) for losses in self.sweep_losses]
        on_show = _within(line, self.lrs[shown])
        measure, of_probes = self._measure(LOSSES_ON), self._measure(PROBES_ON)
        note = "" if of_probes == measure else f", {'training ' * (of_probes == 'loss')}{of_probes}"
        return plots.loss_against_lr(
            self.lrs[shown],
            self.raw_losses[shown],
            line.lrs[on_show],
            line.losses[on_show],
            band=np.array([sweep.at(line.lrs[on_show]) for sweep in sweeps]) if len(sweeps) > 1 else None,
            suggestion=self._answer(None),
            steepest=self._answer("steep"),
            probes=self.probes,
            measured=f"{measure} of each {'step' if measure == 'loss' else 'rate'}",
            note=note,
            ax=ax,
            title=title,
        )

    def plot_rate_of_change(self, window: int = 20, ax: Any = None, title: str = "") -> Any:
        """Draw the change of the smoothed loss per step, over `window` steps, against the learning rate.

        The fastest fall on the way to the lowest loss gives the axis its height.

        Args:
            window: Int, over how many steps the change is taken; it is drawn at their middle.
            ax: matplotlib Axes to draw on; None makes a figure.
            title: String, the title of the axes.

        Returns:
            The Axes.
        """
        from pyimagesearch_lr import plots

        return plots.rate_of_change(*_change(self, window), ax=ax, title=title)

    def __repr__(self) -> str:
        span = f" from {self.lrs[0]:.1e} to {self.lrs[-1]:.1e}" if len(self) else ""
        return f"<LRCurve of {len(self)} rates{span}, stop_reason={self.stop_reason!r}>"

    def _repr_html_(self) -> str:
        """The plot and the bounds with their reason: what a notebook shows for a curve."""
        from pyimagesearch_lr import plots

        try:
            bounds = self.suggest()
            found = f"base_lr = {bounds.base_lr:.1e}, max_lr = {bounds.max_lr:.1e}: {bounds.reason}"
        except NoSuggestion as reason:
            found = f"No bounds: {reason}"
        image = base64.b64encode(plots.png_of(self.plot().figure)).decode("ascii")
        return f'<img src="data:image/png;base64,{image}" width="720"><p>{html.escape(found)}</p>'

    def _answer(self, method: str | None) -> Suggestion | None:
        try:
            return self.suggest(method)
        except NoSuggestion:
            return None

    @property
    def _is_repeated(self) -> bool:
        return len(self.sweep_losses) > 1

    def _measure(self, of: str) -> str:
        """What the losses of the curve, `LOSSES_ON`, or of its probes, `PROBES_ON`, are."""
        return "validation loss" if self.metadata.get(of) == VALIDATION_DATA else "loss"

    def _tried_answer(self) -> Suggestion:
        """That of the probes, with the spread of the curve's own where the sweep was repeated."""
        tried = self._with_edge(best_probe(self.probes, self._measure(PROBES_ON)))
        if self.metadata.get(CUT_SHORT):
            tried = dataclasses.replace(tried, reason=f"{tried.reason} Trying was stopped before its end.")
        return dataclasses.replace(tried, spread=self._spread("bounds")) if self._is_repeated else tried

    def _with_edge(self, suggestion: Suggestion) -> Suggestion:
        """The same, with a word where there were no further rates to try on one side."""
        if not len(self):
            return suggestion
        highest = self.lrs[-1]
        if self.stop_reason in ("diverged", "non_finite"):  # rates above the last may be tried
            asked = self.metadata.get("end_lr")
            highest = asked if isinstance(asked, (int, float)) and asked > 0 else np.inf
        below, above = np.diff(np.log10([self.lrs[0], suggestion.max_lr, highest])) < FINE - 1e-9
        if not below and not above:
            return suggestion
        way = "highest" if above else "lowest"
        change = "raise `end_lr`" if above else "lower `start_lr`"
        edge = f"It is the {way} that the sweep allowed to try: {change} to try more."
        return dataclasses.replace(suggestion, reason=f"{suggestion.reason} {edge}")

    def _spread(self, method: str) -> float:
        """Standard deviation of log10(max_lr) over the sweeps that each support an answer."""
        answers = []
        for losses in self.sweep_losses:
            with suppress(NoSuggestion):
                answers.append(suggest(self.lrs, losses, method=method).max_lr)
        return float(np.std(np.log10(answers), ddof=1)) if len(answers) > 1 else float("nan")

    def _columns(self) -> dict[str, np.ndarray]:
        sweeps = self.sweep_losses if len(self.sweep_losses) > 1 else []
        sweeps = {f"{SWEEP}{number}": losses for number, losses in enumerate(sweeps, 1)}
        metrics = {METRICS + name: values for name, values in self.metrics.items()}
        return {"lr": self.lrs, "raw_loss": self.raw_losses, "loss": self.losses, **sweeps, **metrics}

    def _header(self) -> dict[str, Any]:
        probes = [dataclasses.asdict(probe) for probe in self.probes]
        return {
            "format": FORMAT,
            "stop_reason": self.stop_reason,
            "metadata": self.metadata,
            **({"probes": probes} if probes else {}),
        }

    def _to_json(self) -> str:
        columns = {name: values.tolist() for name, values in self._columns().items()}
        return strict_json({**self._header(), "columns": columns}, indent=1)

    def _to_csv(self) -> str:
        text = io.StringIO()
        header = {**self._header(), "rates": len(self)}
        text.write("# " + strict_json(header) + "\n")
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


def _fields(header: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}")
    columns = {name: np.array([float(value) for value in values]) for name, values in columns.items()}
    sweeps = [columns.pop(name) for name in list(columns) if name.startswith(SWEEP)]
    return {
        "lrs": columns.pop("lr"),
        "raw_losses": columns.pop("raw_loss"),
        "losses": columns.pop("loss"),
        "stop_reason": header["stop_reason"],
        "metrics": {name.removeprefix(METRICS): values for name, values in columns.items()},
        "metadata": header["metadata"],
        "sweep_losses": sweeps or None,
        "probes": [_probe(numbers) for numbers in header.get("probes", [])],
    }


def _probe(numbers: dict[str, Any]) -> Probe:
    """A probe, if the numbers can be those of one."""
    steps = COUNT("", "steps", numbers["steps"])
    probe = Probe(**{**{name: _number(value) for name, value in numbers.items()}, "steps": steps})
    if not (0 < probe.base_lr <= probe.max_lr < math.inf and probe.error >= 0):
        raise ValueError(f"no short training has these rates and this error: {probe}")
    return probe


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(f"{value} is not a number")
    return float(value)


def _readable(curve: LRCurve) -> LRCurve:
    """The curve, if suggestions can be read off it and it can be drawn."""
    rates = curve.lrs
    if not (np.isfinite(rates).all() and (rates > 0).all() and (np.diff(rates) >= 0).all()):
        raise ValueError("its rates are not finite numbers above 0, each at least the one before")
    if not isinstance(curve.metadata, dict):
        raise TypeError("its metadata is not a dict")
    return curve


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


class Comparison(dict[str, LRCurve]):
    """Curves by label, drawn over each other; `print` shows their bounds as a table.

    `compare` returns one. Any dict of label to `LRCurve` makes one, such as the `curves` of a
    `PeriodicLRFinder`.

    Example:

    >>> lrs = np.geomspace(1e-4, 1, 30)
    >>> losses = np.interp(np.log10(lrs), [-4, -3, -1, 0], [2.3, 2.3, 0.5, 9.0])
    >>> print(Comparison({"SGD": LRCurve(lrs, losses, losses, "end_lr")}).table().split()[:6])
    ['label', 'base_lr', 'max_lr', 'best', 'loss', 'why']
    """

    def plot(self, ax: Any = None, *, skip_begin: int = 0, skip_end: int = 0, title: str = "") -> Any:
        """Draw the smoothed loss of each curve against the learning rate.

        Args:
            ax: matplotlib Axes to draw on; None makes a figure.
            skip_begin: Int, how many of the first rates of each to leave out.
            skip_end: Int, how many of the last rates of each to leave out.
            title: String, the title of the axes.

        Returns:
            The Axes.
        """
        from pyimagesearch_lr import plots

        lines = {}
        for name, curve in self.items():
            line = curve.smoothed
            on_show = _within(line, curve.lrs[_shown(curve, skip_begin, skip_end)])
            lines[str(name)] = (line.lrs[on_show], line.losses[on_show])
        return plots.losses_against_lr(lines, ax=ax, title=title)

    def plot_rate_of_change(self, window: int = 20, ax: Any = None, title: str = "") -> Any:
        """Draw each curve's change of the smoothed loss per step, as `LRCurve.plot_rate_of_change` does.

        Args:
            window: Int, over how many steps the change is taken.
            ax: matplotlib Axes to draw on; None makes a figure.
            title: String, the title of the axes.

        Returns:
            The Axes, with a dot where each curve falls fastest on the way to its lowest loss.
        """
        from pyimagesearch_lr import plots

        lines = {str(name): _change(curve, window) for name, curve in self.items()}
        return plots.rates_of_change(lines, ax=ax, title=title)

    def table(self) -> str:
        """Bounds, lowest smoothed loss and the reason of each curve, or why it supports no suggestion."""
        rows = [("label", "base_lr", "max_lr", "best loss", "why")]
        rows += [(str(name), *_summary(curve)) for name, curve in self.items()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            f"{label:<{widths[0]}}  "
            + "  ".join(f"{n:>{w}}" for n, w in zip(numbers, widths[1:], strict=True))
            + f"  {why}"
            for label, *numbers, why in rows
        )

    def __str__(self) -> str:
        return self.table()


def _shown(curve: LRCurve, skip_begin: int, skip_end: int) -> slice:
    """The rates to show, without the given numbers of the first and last."""
    begin = COUNT_OR_0("", "skip_begin", skip_begin)
    return slice(begin, max(0, len(curve) - COUNT_OR_0("", "skip_end", skip_end)))


def _within(line: Smoothed, lrs: np.ndarray) -> np.ndarray:
    """Which points of the line lie between the first and the last of these rates."""
    low, high = (lrs[0], lrs[-1]) if len(lrs) else (np.inf, -np.inf)
    return (line.lrs >= low * (1 - 1e-9)) & (line.lrs <= high * (1 + 1e-9))


def _change(curve: LRCurve, window: int) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Rates, the change of the smoothed loss per step around each, and where it falls fastest.

    The change is taken over `window` steps. What falls beyond the lowest loss comes back from an explosion.
    """
    losses = curve.smoothed.at(curve.lrs)
    change = rate_of_change(losses, window)[int(window) :]
    lowest = int(np.nanargmin(losses)) if np.isfinite(losses).any() else 0
    on_the_way = change[: max(1, lowest - int(window) + 1)]
    fastest = int(np.nanargmin(on_the_way)) if np.isfinite(on_the_way).any() else None
    return curve.lrs[int(window // 2) :][: len(change)], change, fastest


def _summary(curve: LRCurve) -> tuple[str, str, str, str]:
    losses = curve.smoothed.losses
    best = f"{losses.min():.4g}" if len(losses) else "-"
    try:
        suggestion = curve.suggest()
    except NoSuggestion as reason:
        return "-", "-", best, f"no suggestion: {reason}"
    return f"{suggestion.base_lr:.1e}", f"{suggestion.max_lr:.1e}", best, suggestion.reason
