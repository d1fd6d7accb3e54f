"""Drawing on matplotlib axes. Nothing is shown on screen; matplotlib is imported on the first drawing.

Keras and TensorFlow are never imported here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

RAW = {"color": "#9db7d5", "linewidth": 0.8}
SMOOTHED = {"color": "#1f4e8c", "linewidth": 2.0}
BAND = {"color": "#1f4e8c", "alpha": 0.2, "linewidth": 0}
STEEPEST = {"color": "#d1632a", "marker": "o", "markersize": 7, "linestyle": "none"}
PROBE: dict[str, Any] = {"color": "#7a3e9d", "marker": "o", "markersize": 6, "linewidth": 1.0, "zorder": 4}
DIVERGED = {"color": "#7a3e9d", "marker": "x", "markersize": 7, "linestyle": "none", "clip_on": False}
ABOVE = {**DIVERGED, "marker": "^", "markerfacecolor": "white"}
WINNER = {"color": "#7a3e9d", "marker": "*", "markersize": 15, "linestyle": "none", "zorder": 5}
BOUNDS = "#2e9e5b"
ACCURACIES = ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy")
MOST_NUMBERED, MOST_TICKS = 40, 60  # classes of a confusion matrix
BELOW_THE_LEVEL: dict[str, Any] = {"loc": "lower left", "framealpha": 0.9}  # where a sweep has no losses


def new_axes(width: float = 8.0, height: float = 4.5) -> Any:
    """One new Axes of the given size in inches; its figure becomes pyplot's current one."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def loss_against_lr(
    lrs: np.ndarray,
    raw_losses: np.ndarray,
    smooth_lrs: np.ndarray,
    smooth_losses: np.ndarray,
    *,
    band: np.ndarray | None = None,
    suggestion: Any = None,
    steepest: Any = None,
    probes: Sequence[Any] = (),
    measured: str = "loss of each step",
    note: str = "",
    ax: Any = None,
    title: str = "",
) -> Any:
    """Raw losses faint, smoothed ones strong, the suggested bounds shaded; logarithmic rate axis.

    Over them the probes: the loss that each ended with at the highest rate of its cycle.

    Args:
        lrs: float array of shape `(rates,)`.
        raw_losses: float array of shape `(rates,)`.
        smooth_lrs: float array of shape `(points,)`.
        smooth_losses: float array of shape `(points,)`.
        band: float array of shape `(sweeps, points)`, the smoothed losses of each sweep, or None.
        suggestion: `Suggestion` of bounds to mark, or None.
        steepest: `Suggestion` of the rate where the loss falls fastest, or None.
        probes: Sequence of `Probe`.
        measured: String, what the raw losses are, for the legend.
        note: String, what follows there on the length of probes.
        ax: matplotlib Axes; None makes one.
        title: String.

    Returns:
        The Axes.
    """
    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    ax.plot(lrs, raw_losses, label=measured, **RAW)
    if band is not None:
        rates = smooth_lrs[: band.shape[1]]
        label = f"range of {len(band)} sweeps"
        ax.fill_between(rates, band.min(axis=0), band.max(axis=0), label=label, **BAND)
    ax.plot(smooth_lrs, smooth_losses, label="smoothed", **SMOOTHED)
    if suggestion is not None:
        _mark_bounds(ax, suggestion)
    if steepest is not None and len(smooth_lrs):
        height = np.interp(np.log(steepest.max_lr), np.log(smooth_lrs), smooth_losses)
        ax.plot([steepest.max_lr], [height], label=f"steepest at {steepest.max_lr:.1e}", **STEEPEST)
    low, high = _readable_limits(raw_losses, smooth_losses)
    tried = [probe.loss for probe in probes if np.isfinite(probe.loss)]
    ax.set_ylim(min([low, *(loss - 0.08 * (high - loss) for loss in tried)]), high)
    _draw_probes(ax, probes, suggestion, note)
    _label(ax, "learning rate (log scale)", "loss", title)
    ax.legend(**BELOW_THE_LEVEL)
    return ax


def _draw_probes(ax: Any, probes: Sequence[Any], winner: Any, note: str) -> None:
    """A point for each probe, filled for the longest; marks at the top for what is not within the axis.

    A cross is a rate that diverged in a probe of any length, which excludes it; a triangle a loss above.
    """
    trained = [probe for probe in probes if np.isfinite(probe.loss)]
    for steps in sorted({probe.steps for probe in trained}):
        of_length = sorted((p for p in trained if p.steps == steps), key=lambda probe: probe.max_lr)
        is_longest = steps == max(probe.steps for probe in trained)
        ax.errorbar(
            [probe.max_lr for probe in of_length],
            [probe.loss for probe in of_length],
            yerr=[probe.error for probe in of_length],
            label=f"tried for {steps:,} steps each{note}",
            markerfacecolor=PROBE["color"] if is_longest else "white",
            **PROBE,
        )
    diverged = {probe.max_lr for probe in probes if not np.isfinite(probe.loss)}
    above = {probe.max_lr for probe in trained if probe.loss > ax.get_ylim()[1]}
    _mark_at_the_top(ax, above - diverged, "tried, ended above", ABOVE)
    _mark_at_the_top(ax, diverged, "tried, diverged", DIVERGED)
    best = [p for p in trained if winner is not None and p.max_lr == winner.max_lr]
    if best:
        longest = max(best, key=lambda probe: probe.steps)
        ax.plot([longest.max_lr], [longest.loss], label=f"taken: {longest.max_lr:.1e}", **WINNER)


def _mark_at_the_top(ax: Any, lrs: set[float], label: str, style: dict[str, Any]) -> None:
    if lrs:
        heights = [0.97] * len(lrs)
        ax.plot(sorted(lrs), heights, label=label, transform=ax.get_xaxis_transform(), **style)


def rate_of_change(
    lrs: np.ndarray, change: np.ndarray, fastest: int | None = None, *, ax: Any = None, title: str = ""
) -> Any:
    """Change of the loss per step against the learning rate, on a logarithmic rate axis.

    Args:
        lrs: Float array of shape `(rates,)`.
        change: Float array of the same shape.
        fastest: Int, the index at which the loss falls fastest, which gives the axis its height; None is the
            lowest change.
        ax: matplotlib Axes; None makes one.
        title: String.

    Returns:
        The Axes.
    """
    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    ax.plot(lrs, change, **SMOOTHED)
    ax.axhline(0, color="grey", linewidth=0.8)
    shown = change[np.isfinite(change)] if fastest is None else change[[fastest]]
    if len(shown):
        depth = max(-float(shown.min()), 1e-12)
        ax.set_ylim(-1.3 * depth, 1.3 * depth)
    _label(ax, "learning rate (log scale)", "change of loss per step", title)
    return ax


def training_history(history: dict[str, list[float]], *, evaluated_on: str = "test", title: str = "") -> Any:
    """Loss above and, where it was recorded, accuracy below against the epoch, of training and evaluation.

    Returns the Figure.
    """
    import matplotlib.pyplot as plt

    shown = ["loss", *[name for name in ACCURACIES if name in history and f"val_{name}" in history][:1]]
    size = (8, 1 + 3 * len(shown))
    figure, rows = plt.subplots(len(shown), 1, figsize=size, sharex=True, layout="constrained", squeeze=False)
    for ax, name in zip(rows[:, 0], shown, strict=True):
        epochs = np.arange(1, len(history[name]) + 1)
        ax.plot(epochs, history[name], label="training", marker=".", **SMOOTHED)
        ax.plot(
            epochs, history[f"val_{name}"], label=evaluated_on, marker=".", color="#d1632a", linewidth=2.0
        )
        ax.legend()
        _label(ax, "", "loss" if name == "loss" else "accuracy", "")
    rows[0, 0].set_title(title)
    rows[-1, 0].set_xlabel("epoch")
    rows[-1, 0].xaxis.get_major_locator().set_params(integer=True)
    return figure


def lr_against_step(lrs: Any, *, base_lr: float, max_lr: float, ax: Any = None, title: str = "") -> Any:
    """Learning rate of every step of a training, with its two bounds as lines. Returns the Axes."""
    ax = new_axes() if ax is None else ax
    ax.plot(np.arange(len(lrs)), lrs, **SMOOTHED)
    for value, name in ((base_lr, "base_lr"), (max_lr, "max_lr")):
        ax.axhline(value, color=BOUNDS, linestyle="--", linewidth=1.0, label=f"{name} = {value:.3g}")
    span = max_lr - base_lr
    ax.set_ylim(base_lr - 0.05 * span, max_lr + 0.2 * span)
    ax.legend(loc="upper right", ncols=2)
    _label(ax, "step", "learning rate", title)
    return ax


def confusion_matrix(counts: Any, class_names: Sequence[str], *, ax: Any = None, title: str = "") -> Any:
    """How often each class, a row, was taken for each class, a column; darker is a larger share of the row.

    Above 40 classes the numbers are left out. A name that the font cannot draw is replaced by its number.

    Args:
        counts: int array of shape `(classes, classes)`.
        class_names: List of strings, one per class.
        ax: matplotlib Axes; None makes one.
        title: String.

    Returns:
        The Axes.
    """
    counts = np.asarray(counts)
    side = min(max(7.5, 0.42 * len(counts)), 24.0)
    ax = new_axes(side + 0.5, side) if ax is None else ax
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(np.sqrt(share), cmap="Blues", vmin=0.0, vmax=1.0)
    if len(counts) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if share[row, column] > 0.4 else "#777777" if count == 0 else "black"
            ax.text(column, row, str(count), ha="center", va="center", color=color, fontsize=9)
    names = [name if _is_drawn(name) else f"class {number}" for number, name in enumerate(class_names, 1)]
    every = range(0, len(names), -(-len(names) // MOST_TICKS))
    ticks = [names[number] for number in every]
    ax.set_xticks(every, ticks, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(every, ticks)
    _as_written([*ax.get_xticklabels(), *ax.get_yticklabels()])
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.set_title(title)
    return ax


def literal(text: str) -> str:
    """A text that somebody else chose, as a title: a `$` is no formula, and what the font lacks is a `?`.

    Example:

    >>> print(literal("5$ or 6$"))
    5\\$ or 6\\$
    """
    return "".join(character if _is_drawn(character) else "?" for character in text).replace("$", r"\$")


def png_of(figure: Any) -> bytes:
    """A matplotlib figure as the bytes of a PNG file; it is closed, so that nothing draws it again."""
    import matplotlib.pyplot as plt

    content = io.BytesIO()
    try:
        figure.savefig(content, dpi=120, format="png")
    finally:
        plt.close(figure)
    return content.getvalue()


def _mark_bounds(ax: Any, suggestion: Any) -> None:
    ax.axvspan(suggestion.base_lr, suggestion.max_lr, color=BOUNDS, alpha=0.12, linewidth=0)
    for value, name in ((suggestion.base_lr, "base_lr"), (suggestion.max_lr, "max_lr")):
        label = f"{name} = {value:.1e}"
        ax.axvline(value, color=BOUNDS, linestyle="--", linewidth=1.5, label=label)


def _readable_limits(raw_losses: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """Limits that show the fall: a diverging tail would flatten it to a line."""
    smoothed = losses[np.isfinite(losses)]
    if not len(smoothed):
        return 0.0, 1.0
    raw = raw_losses[np.isfinite(raw_losses)]
    low = float(min(np.percentile(raw, 0.5) if len(raw) else np.inf, smoothed.min()))
    level = float(smoothed[: max(1, len(smoothed) // 10)].max())
    span = max(level - low, 1e-9 * abs(level), 1e-12)
    return low - 0.08 * span, level + 0.6 * span


def _label(ax: Any, x: str, y: str, title: str) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.set_title(title)
    ax.grid(True, alpha=0.25)


def losses_against_lr(
    lines: dict[str, tuple[np.ndarray, np.ndarray]], *, ax: Any = None, title: str = ""
) -> Any:
    """One line of losses per label, on one logarithmic rate axis.

    Args:
        lines: Dict of label to `(lrs, losses)`, float arrays of shape `(rates,)`.
        ax: matplotlib Axes; None makes one.
        title: String.

    Returns:
        The Axes.
    """
    ax = _overlaid(lines, ax, title)
    limits = [_readable_limits(losses, losses) for _, losses in lines.values()]
    ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    ax.set_ylabel("loss")
    return ax


def rates_of_change(
    lines: dict[str, tuple[np.ndarray, np.ndarray, int | None]], *, ax: Any = None, title: str = ""
) -> Any:
    """One line of changes per label, on one logarithmic rate axis, with a dot where each falls fastest.

    Args:
        lines: Dict of label to `(lrs, change, fastest)`: float arrays of shape `(rates,)`, and the index of
            the dot, or None for no dot.
        ax: matplotlib Axes; None makes one.
        title: String.

    Returns:
        The Axes.
    """
    ax = _overlaid({label: (lrs, change) for label, (lrs, change, _) in lines.items()}, ax, title)
    ax.axhline(0, color="grey", linewidth=0.8)
    depth = 1e-12
    for line, (lrs, change, fastest) in zip(ax.lines, lines.values(), strict=False):
        if fastest is not None:
            ax.plot(lrs[fastest], change[fastest], "o", color=line.get_color(), markersize=7)
            depth = max(depth, -float(change[fastest]))
    ax.set_ylim(-1.3 * depth, 1.3 * depth)
    ax.set_ylabel("change of loss per step")
    return ax


def epoch_sweep(history: dict[str, list[float]], *, lr: float | None = None, title: str = "") -> Any:
    """A sweep of one rate per epoch: loss, accuracy and rate by epoch, and loss against rate.

    Args:
        history: Dict of lists of shape `(epochs,)`: "loss", "accuracy" and "learning_rate".
        lr: Float, the rate that was taken, to mark; None marks none.
        title: String.

    Returns:
        The Figure, with the epochs on its first Axes (the rate on a second scale) and the rates on its last.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    epochs = np.arange(1, len(history["loss"]) + 1)
    scale = left.twinx()
    lines = [
        *left.plot(epochs, history["loss"], label="loss", **SMOOTHED),
        *left.plot(epochs, history["accuracy"], label="accuracy", color="#d1632a", linewidth=2.0),
        *scale.plot(epochs, history["learning_rate"], label="learning rate", color="grey", linestyle="--"),
    ]
    scale.set_yscale("log")
    scale.set_ylabel("learning rate (log scale)")
    left.set_ylim(0, 1.4 * max(1.0, history["loss"][0]))
    left.legend(handles=lines, loc="upper left")
    _label(left, "epoch", "loss, accuracy", title)
    swept = (np.asarray(history["learning_rate"]), np.asarray(history["loss"]))
    losses_against_lr({"loss of each epoch": swept}, ax=right)
    if lr is not None:
        right.axvline(lr, color=BOUNDS, linestyle="--", linewidth=1.5, label=f"taken: {lr:.1e}")
    right.legend(**BELOW_THE_LEVEL)
    return figure


def _overlaid(lines: dict[str, tuple[np.ndarray, np.ndarray]], ax: Any, title: str) -> Any:
    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    for label, (lrs, values) in lines.items():
        ax.plot(lrs, values, label=label, linewidth=2.0)
    _label(ax, "learning rate (log scale)", "", title)
    _as_written(ax.legend(**BELOW_THE_LEVEL).get_texts())
    return ax


def _is_drawn(text: str) -> bool:
    """Whether the plot's font has all characters of a text, so that none is drawn as an empty box."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return all(font.get_char_index(ord(character)) for character in text)


def _as_written(texts: Sequence[Any]) -> None:
    """Show the user's names as they are: a `$` in them does not start a formula."""
    for text in texts:
        text.set_parse_math(False)
