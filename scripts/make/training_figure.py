"""Draw the tutorial's recipe with two pairs of bounds, the tutorial's and the finder's, epoch by epoch.

python scripts/make/training_figure.py    # seconds; trains nothing

Reads history.csv of docs/results/tutorial and docs/results/auto; writes docs/results/both_bounds.png.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("agg")
import matplotlib.pyplot as plt

from pyimagesearch_lr import plots
from pyimagesearch_lr.files import written_whole

RESULTS = Path(__file__).resolve().parents[2] / "docs/results"
FIGURE = RESULTS / "both_bounds.png"
RUNS = {"tutorial": ("the tutorial's bounds", "#1f4e8c"), "auto": ("the finder's bounds", "#d1632a")}
SHOWN = {"val_accuracy": "test accuracy", "val_loss": "test loss"}
LOSSES = (0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
CYCLE = 16  # epochs


def main() -> int:
    with written_whole(FIGURE) as temporary:
        temporary.write_bytes(plots.png_of(figure_of({name: history(RESULTS / name) for name in RUNS})))
    return 0


def history(folder: Path) -> dict[str, np.ndarray]:
    """The columns of a run's history.csv."""
    table = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    return {name: np.atleast_1d(table[name]) for name in table.dtype.names}


def figure_of(histories: dict[str, dict[str, np.ndarray]]) -> Any:
    """Test accuracy above and test loss below, with a line where a cycle ends."""
    figure, rows = plt.subplots(len(SHOWN), 1, figsize=(8, 6), sharex=True, layout="constrained")
    for ax, (column, label) in zip(rows, SHOWN.items(), strict=True):
        for name, (of, colour) in RUNS.items():
            run = histories[name]
            ax.plot(run["epoch"], run[column], label=of, color=colour, marker=".", linewidth=2.0)
        epochs = max(int(run["epoch"][-1]) for run in histories.values())
        for end in range(CYCLE, epochs + 1, CYCLE):
            ax.axvline(end, color="#888888", linestyle="--", linewidth=1.0, zorder=0)
        ax.set_ylabel(label)
        ax.grid(alpha=0.25)
    rows[0].legend(loc="lower right")
    rows[1].set_yscale("log")
    rows[1].set_yticks(LOSSES, [f"{loss:g}" for loss in LOSSES])
    rows[1].minorticks_off()
    rows[0].set_title("MiniGoogLeNet on Fashion-MNIST, cycles of 16 epochs")
    rows[-1].set_xlabel("epoch; dashed: the end of a cycle")
    rows[-1].set_xticks(range(0, epochs + 1, CYCLE // 2))
    return figure


if __name__ == "__main__":
    sys.exit(main())
