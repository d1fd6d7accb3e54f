"""Draws the curves and cycles that the guide explains, and keeps what the finder says about each curve.

python scripts/make/curve_figures.py    # half a minute

Writes docs/figures/*.png and docs/figures/answers.json, and the answers into docs/reading_a_curve.md. The
curves are those of real sweeps: a small dense network on the sample of Fashion-MNIST inside the package.
"""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from PIL import Image

from pyimagesearch_lr import CyclicLR, LearningRateFinder, LRCurve, NoSuggestion, OneCycleLR, Suggestion
from pyimagesearch_lr.pipeline.fashion_mnist import load_sample

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "reading_a_curve.md"
FIGURES = DOCS / "figures"
ANSWERS = FIGURES / "answers.json"
SEED = 1
COLOURS = 128
METHODS = ("bounds", "constant", "minimum", "steep", "slide", "moving_average", "valley", "verified")
CURVES: dict[str, dict[str, Any]] = {
    "good": {"start_lr": 1e-6, "end_lr": 10.0},
    "flat": {"start_lr": 1e-9, "end_lr": 1e-6},
    "noisy": {"start_lr": 1e-6, "end_lr": 10.0, "batch_size": 1},
    "noisy_repeated": {"start_lr": 1e-6, "end_lr": 10.0, "batch_size": 1, "repeats": 9},
    "too_short": {"start_lr": 1e-6, "end_lr": 1e-2},
    "too_high": {"start_lr": 0.3, "end_lr": 30.0},
    "far_too_high": {"start_lr": 1.0, "end_lr": 100.0},
    "adam": {"start_lr": 1e-6, "end_lr": 10.0, "optimizer": "adam"},
}


def main() -> None:
    curves = {name: curve_of(name) for name in CURVES}
    for name, curve in curves.items():
        save(curve.plot().figure, FIGURES / f"{name}.png")
    save(cycles(), FIGURES / "cycles.png")
    save(one_cycle(), FIGURES / "one_cycle.png")
    answers = {name: answer_to(curve, "bounds") for name, curve in curves.items()}
    answers |= {
        f"{name}_tried": answer_to(curve, "verified") for name, curve in curves.items() if curve.probes
    }
    answers["methods"] = table_of({"SGD": curves["good"], "Adam": curves["adam"]})
    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), answers), encoding="utf-8")


def new_model(optimizer: str = "sgd") -> keras.Model:
    """A dense network of one hidden layer, the same weights each time."""
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [keras.Input((784,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    chosen = {"sgd": keras.optimizers.SGD(momentum=0.9), "adam": keras.optimizers.Adam()}[optimizer]
    model.compile(chosen, "sparse_categorical_crossentropy")
    return model


def curve_of(name: str) -> LRCurve:
    """The curve of a sweep of 300 steps, with the probes around its answer."""
    (images, labels), _ = load_sample()
    settings = dict(CURVES[name])
    finder = LearningRateFinder(
        new_model(settings.pop("optimizer", "sgd")), repeats=settings.pop("repeats", 1)
    )
    data = (images.reshape(len(images), -1).astype("float32") / 255, labels)
    return finder.find(data, **settings, num_steps=300, verbose=0)


def answer_to(curve: LRCurve, method: str) -> str:
    """What the finder says: the bounds with their reason, or why there are none."""
    try:
        bounds = curve.suggest(method)
    except NoSuggestion as reason:
        return f"No suggestion: {reason}"
    spread = "" if bounds.spread is None else f" (spread {bounds.spread:.2f} decades)"
    return f"base_lr = {bounds.base_lr:.1e}, max_lr = {bounds.max_lr:.1e}{spread}: {bounds.reason}"


def table_of(curves: dict[str, LRCurve]) -> str:
    """What every method reads off these curves, as a table."""
    lines = [f"| method | {' | '.join(curves)} |", "|---|" + "---|" * len(curves)]
    for method in METHODS:
        cells = " | ".join(rates_of(curve.suggest(method)) for curve in curves.values())
        lines.append(f'| `"{method}"` | {cells} |')
    return "\n".join(lines)


def rates_of(suggestion: Suggestion) -> str:
    """Both bounds, or the constant rate."""
    if suggestion.base_lr == suggestion.max_lr:
        return f"{suggestion.max_lr:.1e}"
    return f"{suggestion.base_lr:.1e} to {suggestion.max_lr:.1e}"


def filled(text: str, answers: dict[str, str]) -> str:
    """The page with each answer between its marks: a table as it is, a sentence as a quotation."""
    for name, answer in answers.items():
        shown = answer if answer.startswith("|") else f"> {answer}"
        pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
        text, places = re.subn(pattern, lambda match: f"{match[1]}{shown}\n{match[2]}", text, flags=re.DOTALL)  # noqa: B023
        if not places:
            raise ValueError(f"no place is marked <!-- {name}:begin --> and <!-- {name}:end -->")
    return text


def cycles() -> Any:
    """The modes of `CyclicLR` over three cycles, and cosine restarts."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex=True)
    shown = {
        "triangular": CyclicLR(1e-3, 1e-2, step_size=500),
        "triangular2": CyclicLR(1e-3, 1e-2, step_size=500, mode="triangular2"),
        "exp_range, gamma 0.9995": CyclicLR(1e-3, 1e-2, step_size=500, mode="exp_range", gamma=0.9995),
        "cosine restarts, each twice as long": CyclicLR(
            1e-3, 1e-2, step_size=0, step_size_down=430, anneal="cos", cycle_mult=2
        ),
    }
    for ax, (title, clr) in zip(axes.flat, shown.items(), strict=True):
        clr.plot_preview(3000, ax=ax, title=title)
        ax.set_ylim(0, 0.013)  # room for the legend above the peaks
    for ax in axes[0]:
        ax.set_xlabel("")
    return figure


def one_cycle() -> Any:
    """Rate and momentum of one cycle, cosine and in three straight phases."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex=True, sharey="row")
    momentum = (0.85, 0.95)
    shown = {
        "one cycle": OneCycleLR(0.1, total_steps=1000, momentum=momentum),
        "three_phase, linear": OneCycleLR(
            0.1, total_steps=1000, anneal="linear", three_phase=True, momentum=momentum
        ),
    }
    for (above, below), (title, cycle) in zip(axes.T, shown.items(), strict=True):
        cycle.plot_preview(1000, ax=above, title=title)
        above.set_ylim(-0.005, 0.13)
        above.set_xlabel("")
        below.plot([cycle.momentum_at(step) for step in range(1000)], color="#d1632a", linewidth=2.0)
        below.set_xlabel("step")
        below.grid(alpha=0.25)
    axes[1, 0].set_ylabel("momentum")
    axes[0, 1].set_ylabel("")
    return figure


def save(figure: Any, path: Path) -> None:
    """Write a figure as a PNG with a palette, which is half the size."""
    figure.savefig(drawn := io.BytesIO(), dpi=100, metadata={"Software": None})
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


if __name__ == "__main__":
    main()
