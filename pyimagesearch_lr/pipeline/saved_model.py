"""The trained model's file: a Keras model that carries what it takes to use it on pictures."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyimagesearch_lr.files import written_whole

if TYPE_CHECKING:
    import keras

FACTS = "pyimagesearch_lr.json"  # beside Keras's own files in the archive, which Keras passes over
SCALING = "divided by 255"
ROUNDING = 0.01  # of bfloat16


class UnusableModel(ValueError):  # noqa: N818 - the message says what is wrong
    """A file that is not one of our models; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a picture needs before the model takes it, and what its answers mean.

    Args:
        classes: Tuple of strings, the name of each output.
        image_size: Int, pixels of both sides.
        channels: Int, 1 for grey or 3 for red, green and blue.
        logits: Bool, whether the outputs are logits rather than shares, which are divided by their sum.
        mirrored_mean: Bool, whether an answer is the mean of those for an image and for its mirror image.
        scaling: String, what is done to the values from 0 to 255.
    """

    classes: tuple[str, ...]
    image_size: int
    channels: int
    logits: bool
    mirrored_mean: bool = False
    scaling: str = SCALING

    @classmethod
    def read(cls, document: Any) -> Facts:
        """The facts that are kept in a file.

        Raises:
            LookupError, TypeError, ValueError: If it holds none.
        """
        facts = cls(
            classes=tuple(map(str, document["classes"])),
            image_size=int(document["image_size"]),
            channels=int(document["channels"]),
            logits=bool(document["logits"]),
            mirrored_mean=bool(document.get("mirrored_mean", False)),
            scaling=document["scaling"],
        )
        if facts.scaling != SCALING or facts.channels not in (1, 3) or facts.image_size < 1:
            raise ValueError("of another version")
        return facts

    def probabilities(self, outputs: np.ndarray, of_mirrored: np.ndarray | None = None) -> np.ndarray:
        """The model's outputs as probabilities, float64 of shape `(n, classes)`.

        Args:
            outputs: Array of shape `(n, classes)`, what the model gives for the images.
            of_mirrored: Array like it, for their mirror images; the mean of both is then the answer.
        """
        if of_mirrored is not None:
            return (self.probabilities(outputs) + self.probabilities(of_mirrored)) / 2
        if self.logits:
            return softmax(outputs)
        shares = np.asarray(outputs, np.float64)
        return shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)


def are_logits(outputs: np.ndarray) -> bool:
    """Whether outputs of shape `(n, classes)` are neither probabilities nor shares, as of sigmoids.

    Example:

    >>> are_logits(np.array([[0.25, 0.75]])), are_logits(np.array([[0.5, 1.0]]))
    (False, False)
    >>> are_logits(np.array([[-1.0, 2.0]]))
    True
    """
    outputs = np.asarray(outputs, np.float64)
    are_shares = (outputs >= 0).all() and (outputs <= 1 + ROUNDING).all() and (outputs.sum(axis=1) > 0).all()
    return not are_shares


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64 of shape `(n, classes)`, whose rows sum to 1."""
    shifted = np.asarray(logits, np.float64)
    exponentials = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def save(path: str | os.PathLike, model: keras.Model, facts: Facts) -> None:
    """Write a Keras model with its facts to `path`, which ends in ".keras" and which Keras loads, too."""
    with written_whole(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(FACTS, json.dumps(dataclasses.asdict(facts), indent=1))


def load(path: str | os.PathLike) -> tuple[keras.Model, Facts]:
    """Read a model and its facts; nothing else is read.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        UnusableModel: If it is not a model that `save` wrote.
    """
    import keras

    import pyimagesearch_lr.layers  # noqa: F401 - which Keras has to know

    path = Path(path)
    with path.open("rb"):  # what cannot be opened is told by the system's own error
        pass
    try:
        with zipfile.ZipFile(path) as archive:
            facts = Facts.read(json.loads(archive.read(FACTS)))
    except (zipfile.BadZipFile, LookupError, TypeError, ValueError) as error:
        raise UnusableModel(
            f"{path} is not a model that a training of this package saved, or a later save has removed the "
            "names of its classes. Expected: the model.keras of an OUTPUT_DIR."
        ) from error
    try:
        return keras.saving.load_model(path, compile=False), facts
    except Exception as error:  # whatever Keras raises
        text = " ".join(str(error).split())
        raise UnusableModel(
            f"{path} cannot be loaded ({type(error).__name__}: {text[:300]}). A layer of your own has to be "
            "registered with `keras.saving.register_keras_serializable`, and its module imported, as "
            "`predict --import MODULE` does; one that is a `lambda` cannot be."
        ) from error
