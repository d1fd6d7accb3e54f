"""What the two phases result in: objects that are passed on, or read from the files of an earlier run."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pyimagesearch_lr import LRCurve, NoSuggestion, Suggestion
from pyimagesearch_lr.pipeline import examples, report
from pyimagesearch_lr.pipeline.examples import Example
from pyimagesearch_lr.pipeline.plan import RUN, SettingError
from pyimagesearch_lr.pipeline.report import Picture
from pyimagesearch_lr.suggest import IF_NOISE

Phase = TypeVar("Phase", "Finding", "Training")

CURVE, TRAINING = "lrfind.json", "training.json"
WITHOUT_MIRROR_IMAGES = "accuracy_without_mirror_images"
SHOWN = ("loss", "val_loss")
IN_SETTINGS = {  # what `suggest` says: what to change here
    IF_NOISE: "If losses are noisy (small batches, a rare class), a larger BATCH_SIZE helps.",
    ", or, where the sweep ended before it, pass `stop_factor=None` and data for all its steps": "",
    "or take more steps": "or LRFIND_STEPS",
    "take more steps": "raise LRFIND_STEPS",
    "`start_lr`": "LRFIND_START_LR",
    "`end_lr`": "LRFIND_END_LR",
    "Call `find` again.": "Start it again.",
}
ENDINGS = {
    "end_lr": "it reached the last rate",
    "diverged": "the loss diverged",
    "non_finite": "the loss was no longer finite",
    "exhausted": "the data ran out",
    "stopped": "a callback stopped it",
    "limited": "Keras's limit of steps per epoch ended it",
    "interrupted": "it was interrupted",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What is kept with the results of either phase: settings, versions, how long it took and when."""

    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float
    finished: str

    @classmethod
    def finished_now(cls, settings: dict[str, Any], seconds: float) -> Run:
        """The record of a run that has just ended."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(settings, report.versions(), round(seconds, 1), now)

    @classmethod
    def read(cls, saved: dict[str, Any]) -> Run:
        """The record that is kept in a file.

        Raises:
            LookupError, TypeError, ValueError: If there is none.
        """
        for name in ("settings", "versions"):
            if not isinstance(saved[name], dict):
                raise TypeError(f"the {name} of a run are a dict, not {saved[name]!r}")
        if not math.isfinite(saved["seconds"]):
            raise ValueError(f"a run takes a finite time, not {saved['seconds']!r} s")
        return cls(
            settings=saved["settings"],
            versions=saved["versions"],
            seconds=saved["seconds"],
            finished=saved.get("finished", "not recorded"),
        )


def in_settings(reason: str) -> str:
    """What the finder says, with the settings of config.py in place of the arguments of `find`.

    Example:

    >>> in_settings("It is the highest that the sweep allowed to try: raise `end_lr` to try more.")
    'It is the highest that the sweep allowed to try: raise LRFIND_END_LR to try more.'
    """
    for argument, setting in IN_SETTINGS.items():
        reason = reason.replace(argument, setting)
    return reason


@dataclasses.dataclass(frozen=True)
class Finding:
    """What phase 1 results in.

    Args:
        run: `Run`.
        curve: `LRCurve`.
        plot: `Picture` of it.
        suggestion: `Suggestion`, the curve's own; None where it supports none.
        reason: String, why these bounds, or why there are none.
    """

    run: Run
    curve: LRCurve
    plot: Picture
    suggestion: Suggestion | None
    reason: str

    @property
    def ending(self) -> str:
        """Why the sweep ended, for the user."""
        return ENDINGS[self.curve.stop_reason]

    @property
    def bounds(self) -> tuple[str, str] | None:
        """The suggested MIN_LR and MAX_LR, to two digits as for config.py; None where there are none."""
        found = self.suggestion
        return (f"{found.base_lr:.1e}", f"{found.max_lr:.1e}") if found else None

    @classmethod
    def of(cls, run: Run, curve: LRCurve, plot: Picture) -> Finding:
        """What this curve says."""
        try:
            suggestion = curve.suggest()
        except NoSuggestion as reason:
            return cls(run, curve, plot, None, in_settings(str(reason)))
        return cls(run, curve, plot, suggestion, in_settings(suggestion.reason))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Finding:
        """Read what an earlier run left in `folder`.

        Raises:
            OSError, ValueError, LookupError, TypeError: If that is not the result of a run.
        """
        curve = LRCurve.load(Path(folder, CURVE))
        run = Run.read(curve.metadata)
        return cls.of(run, curve, report.read_picture(run.settings["lrfind_plot_path"]))


@dataclasses.dataclass(frozen=True)
class Training:
    """What phase 2 results in.

    Args:
        run: `Run`.
        description: String, the training in a line.
        history: Dict of lists, one number per epoch.
        evaluated_on: String, which images: "test" or "held-out".
        accuracy: Float, the share of them that is classified correctly.
        confusion_matrix: List of lists of ints, one row per true class.
        plot: `Picture` of the history.
        clr_plot: `Picture` of the learning rate of every step.
        examples: List of `Example`, a picture of each class with its worst mistakes.
        accuracy_without_mirror_images: Float, that share if the answers were for the images alone; None where
            they are.
    """

    run: Run
    description: str
    history: dict[str, list[float]]
    evaluated_on: str
    accuracy: float
    confusion_matrix: list[list[int]]
    plot: Picture
    clr_plot: Picture
    examples: list[Example] = dataclasses.field(default_factory=list)
    accuracy_without_mirror_images: float | None = None

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The rows of the classification report."""
        return report.scores(self.confusion_matrix, self.run.settings["classes"])

    @property
    def summary(self) -> str:
        """Accuracy and time, in one line."""
        alone, took = self.accuracy_without_mirror_images, report.duration(self.run.seconds)
        also = "" if alone is None else f" ({alone:.4f} without the mirror images)"
        return f"{self.evaluated_on} accuracy {self.accuracy:.4f}{also} after {took}"

    def save(self, folder: str | os.PathLike) -> None:
        """Write the numbers to training.json and history.csv."""
        numbers = {
            "training": self.description,
            _accuracy_of(self.evaluated_on): self.accuracy,
            WITHOUT_MIRROR_IMAGES: self.accuracy_without_mirror_images,
            "confusion_matrix": self.confusion_matrix,
            "classification_report": self.scores,
            "history": self.history,
        }
        report.save_history(Path(folder, "history.csv"), self.history)
        report.save_json(Path(folder, examples.NAME), examples.document(self.examples))
        report.save_json(Path(folder, TRAINING), {**dataclasses.asdict(self.run), **numbers})

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Training:
        """Read what an earlier run left in `folder`.

        Raises:
            OSError, ValueError, LookupError, TypeError: If that is not the result of a run.
        """
        saved = json.loads(Path(folder, TRAINING).read_text(encoding="utf-8"))
        run = Run.read(saved)
        classes = len(run.settings["classes"])
        if np.shape(saved["confusion_matrix"]) != (classes, classes):
            raise ValueError(f"its confusion matrix is not one of {classes} classes")
        evaluated_on = "held-out" if _accuracy_of("held-out") in saved else "test"
        history = {name: [float(value) for value in values] for name, values in saved["history"].items()}
        lengths = {len(history[name]) for name in (*SHOWN, *history)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("its history has no epoch, or rows of unequal length")
        return cls(
            run,
            str(saved["training"]),
            history,
            evaluated_on,
            float(saved[_accuracy_of(evaluated_on)]),
            saved["confusion_matrix"],
            report.read_picture(run.settings["training_plot_path"]),
            report.read_picture(run.settings["clr_plot_path"]),
            examples.load(folder),
            saved.get(WITHOUT_MIRROR_IMAGES),
        )


def earlier(kind: type[Phase], folder: str | os.PathLike) -> Phase | None:
    """What an earlier run left in `folder`; None if it is not a result, so that it cannot end this run.

    Args:
        kind: `Finding` or `Training`.
        folder: Path of the folder.
    """
    try:
        return kind.load(folder)
    except Exception:  # whatever a damaged file makes the readers raise
        return None


def measured_by(run: str | None, folder: str | os.PathLike) -> Finding | None:
    """What the finder of that run left in `folder`; None if it left nothing.

    Args:
        run: String, which tells the run from others; None for one of version 0.1.0.
        folder: Path of the folder.
    """
    finding = earlier(Finding, folder)
    return finding if finding is not None and finding.curve.metadata.get(RUN) == run else None


def finished_training(folder: str | os.PathLike) -> Training | None:
    """The finished training in `folder`, None if there is none.

    Raises:
        SettingError: If its file cannot be read: that must not look as if there were none.
    """
    path = Path(folder, TRAINING)
    if not path.exists():
        return None
    training = earlier(Training, folder)
    if training is None:
        raise SettingError(
            f"--resume: {path} is damaged, so it is not known whether this training is finished. --restart "
            "starts over."
        )
    return training


def _accuracy_of(evaluated_on: str) -> str:
    return f"{evaluated_on.replace('-', '_')}_accuracy"
