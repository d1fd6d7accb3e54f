"""`EpochCheckpoint`: a training that was stopped at any time continues from its last finished epoch."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras
from pyimagesearch_lr.pipeline import checkpoint_file
from pyimagesearch_lr.pipeline.checkpoint_file import UnusableCheckpoint


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves, after every epoch, everything that the rest of a training depends on.

    One file holds every variable of model and optimizer (weights, batch-normalisation statistics, slots, step
    counter, dropout's seeds) with the history so far; it appears whole or not at all, and the previous one
    stays beside it, so a process may be killed at any time. Give `fit` the history's length as
    `initial_epoch` and data that start at that epoch.

    Args:
        path: Path of the file, which ends in ".npz".
        settings: Dict, what must be the same when the training continues; JSON-serialisable.
        history: Dict of lists to record into, such as `CyclicLR.history`, saved and restored as well; None
            for none.

    Attributes:
        logs: Dict of lists, the history of the finished epochs, with the seconds each took.
        epochs_saved: Int, how many epochs the saved file holds.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "checkpoint.npz")
    >>> def make():
    ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    ...     model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    ...     return model
    >>> x, y = np.ones((8, 1)), np.zeros(8)
    >>> stopped = make().fit(x, y, epochs=2, verbose=0, callbacks=[EpochCheckpoint(path, {})])
    >>> model, checkpoint = make(), EpochCheckpoint(path, {})
    >>> epochs_done = checkpoint.restore(model)
    >>> rest = model.fit(x, y, initial_epoch=epochs_done, epochs=3, verbose=0, callbacks=[checkpoint])
    >>> whole = make().fit(x, y, epochs=3, verbose=0)
    >>> checkpoint.logs["loss"] == whole.history["loss"]
    True
    """

    def __init__(
        self, path: str | os.PathLike, settings: dict[str, Any], history: dict[str, list] | None = None
    ):
        super().__init__()
        self.path = Path(path)
        self.settings = json.loads(json.dumps(settings))
        self.step_history = {} if history is None else history
        self.logs: dict[str, list[float]] = {}
        self.epochs_saved = 0

    def restore(self, model: keras.Model) -> int:
        """Put the saved state into `model`; return how many epochs are done, 0 if nothing is saved.

        Args:
            model: The model, compiled as it was.

        Raises:
            UnusableCheckpoint: If what is saved is damaged, or belongs to another model or other settings;
                the model is then left as it was.
        """
        saved = checkpoint_file.load(self.path)
        if saved is None:
            return 0
        for name, (before, now) in saved.differences(self.settings).items():
            if name == checkpoint_file.IMAGES:
                raise UnusableCheckpoint(
                    f"the training in {self.path} was started with other images: put those back to continue, "
                    "or start over with --restart."
                )
            raise UnusableCheckpoint(
                f"the training in {self.path} was started with {name} = {before!r}, and it is {now!r} "
                "now: set it back to continue, or start over with --restart."
            )
        if saved.epochs_done:
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            self._put_back(_keras.component_variables(model, metrics=False), saved)
        if saved.passed_over is not None:
            checkpoint_file.make_last(self.path)
        for name, values in saved.step_history.items():
            self.step_history[name] = values
        self.logs = saved.logs
        self.epochs_saved = saved.epochs_done
        return self.epochs_saved

    def begin(self) -> None:
        """Save that a training with these settings has begun and has no finished epoch."""
        checkpoint_file.begin(self.path, self.settings)

    def discard(self) -> None:
        """Remove what is saved: the training is finished, or starts over."""
        checkpoint_file.discard(self.path)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._epoch_began
        for name, value in {**(logs or {}), "seconds": seconds}.items():
            self.logs.setdefault(name, []).append(float(value))
        variables = _keras.component_variables(self.model, metrics=False)
        arrays = [
            (_name(variable), _storable(keras.ops.convert_to_numpy(variable))) for variable in variables
        ]
        checkpoint_file.save(self.path, self.settings, self.logs, self.step_history, arrays)
        self.epochs_saved = len(self.logs["seconds"])

    def _put_back(self, variables: list, saved: checkpoint_file.Unfinished) -> None:
        """Assign what is saved, once all of it has been compared with what is expected."""
        expected = [
            (tuple(variable.shape), _stored_as(keras.backend.standardize_dtype(variable.dtype)))
            for variable in variables
        ]
        received = [(array.shape, str(array.dtype)) for array in saved.variables]
        names = [_name(variable) for variable in variables]
        if received != expected or saved.names not in (None, names):
            raise UnusableCheckpoint(
                f"the training in {self.path} is of another model: it has {len(received)} variables and this "
                f"one has {len(expected)}, or their names, shapes or types differ. Start over with --restart."
            )
        for variable, array in zip(variables, saved.variables, strict=True):
            variable.assign(array)


def _stored_as(dtype: str) -> str:
    """The type in which a file has it: NumPy has no bfloat16, and float32 holds all of its values."""
    return "float32" if dtype == "bfloat16" else dtype


def _storable(array: np.ndarray) -> np.ndarray:
    return array.astype(_stored_as(str(array.dtype)), copy=False)


def _name(variable: Any) -> str:
    """What a variable is called, without the numbers by which Keras counts the layers of a process."""
    return re.sub(r"_\d+(?=[/_:]|$)", "", getattr(variable, "path", variable.name))
