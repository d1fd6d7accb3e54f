"""A picture of each class, with the mistakes the network was surest of."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

NAME = "examples.json"
MOST_MISTAKES = 3  # of a class
MOST_CLASSES = 50


@dataclasses.dataclass(frozen=True)
class Shown:
    """A picture and what it was taken for.

    Args:
        png: String, the picture as a PNG file in base64.
        taken_for: String, the class that was predicted.
        confidence: Float from 0 to 1, the probability that it was given.
        file: String, where the picture is; empty if it has no file of its own.
    """

    png: str
    taken_for: str
    confidence: float
    file: str = ""


@dataclasses.dataclass(frozen=True)
class Example:
    """A class: a picture of it, and the mistakes that the network was surest of."""

    name: str
    picture: Shown
    mistakes: list[Shown]
    number_of_mistakes: int


def chosen(
    image_of: Callable[[int], np.ndarray],
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    files: Sequence[str] | None = None,
) -> list[Example]:
    """Choose them: for every class the picture that was known best, and at most three that were not.

    Of more than 50 classes, those with the most mistakes.

    Args:
        image_of: Callable that takes a row and returns a uint8 array of shape `(height, width, channels)`.
        labels: Int array of shape `(n,)`.
        probabilities: Float array of shape `(n, classes)`.
        classes: Sequence of strings.
        files: Sequence of n strings, the pictures' files; None where they have none.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)

    def shown(row: int) -> Shown:
        taken_for = classes[predicted[row]]
        return Shown(_png(image_of(row)), taken_for, float(confidence[row]), files[row] if files else "")

    wrong = [np.flatnonzero((labels == label) & (predicted != label)) for label in range(len(classes))]
    most = sorted(range(len(classes)), key=lambda label: (-len(wrong[label]), label))[:MOST_CLASSES]
    examples = []
    for label in sorted(most):
        rows = np.flatnonzero(labels == label)
        if not len(rows):
            continue
        best = rows[probabilities[rows, label].argmax()]
        worst = wrong[label][np.argsort(-confidence[wrong[label]], kind="stable")][:MOST_MISTAKES]
        mistakes = [shown(row) for row in worst]
        examples.append(Example(classes[label], shown(best), mistakes, len(wrong[label])))
    return examples


def load(folder: str | os.PathLike) -> list[Example]:
    """Read what an earlier run left in `folder`; an empty list if it cannot be read."""
    try:
        rows = json.loads(Path(folder, NAME).read_text(encoding="utf-8"))
        return [
            Example(
                row["name"], _read(row["picture"]), [_read(each) for each in row["mistakes"]], row["number"]
            )
            for row in rows
        ]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def document(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """The examples as `load` reads them."""
    return [
        {
            "name": example.name,
            "number": example.number_of_mistakes,
            "picture": dataclasses.asdict(example.picture),
            "mistakes": [dataclasses.asdict(mistake) for mistake in example.mistakes],
        }
        for example in examples
    ]


def _read(saved: dict[str, Any]) -> Shown:
    base64.b64decode(saved["png"], validate=True)
    return Shown(saved["png"], str(saved["taken_for"]), float(saved["confidence"]), str(saved["file"]))


def _png(image: np.ndarray) -> str:
    import cv2

    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[-1] == 3 else image
    return base64.b64encode(cv2.imencode(".png", bgr)[1].tobytes()).decode("ascii")
