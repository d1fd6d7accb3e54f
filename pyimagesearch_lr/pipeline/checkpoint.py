"""`EpochCheckpoint`: a training that was stopped at any time goes on from its last finished epoch."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras
from pyimagesearch_lr.files import written_whole


def saved_settings(path: str | os.PathLike) -> dict[str, Any]:
    """The `settings` of the `EpochCheckpoint` that is saved at `path`."""
    with np.load(path) as saved:
        return json.loads(str(saved["document"]))["settings"]


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves, after every epoch, everything that the rest of a training depends on.

    One file holds every variable of model and optimizer (weights, batch-normalisation statistics, slots, step
    counter, dropout's seeds) with the history so far; it appears whole or not at all, so a process may be
    killed at any time. Give `fit` the history's length as `initial_epoch` and data that start at that epoch.

    Args:
        path: Path of the file, which ends in ".npz".
        settings: Dict, what has to be the same when the training goes on; JSON-serialisable.
        history: Dict of lists to record into, as of `CyclicLR.history`, saved and restored as well; None for
            none.

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
        """Put the saved state into `model`; return how many epochs are done, 0 where nothing is saved.

        Args:
            model: The model, compiled as it was.

        Raises:
            ValueError: If what is saved belongs to another model or to other settings.
        """
        if not self.path.exists():
            return 0
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        with np.load(self.path) as saved:
            document = json.loads(str(saved["document"]))
            self._check_settings(document["settings"])
            self._put_back(_keras.component_variables(model, metrics=False), saved)
            for name in document["step_history"]:
                self.step_history[name] = saved[f"step/{name}"].tolist()
        self.logs = document["logs"]
        self.epochs_saved = len(self.logs["seconds"])
        return self.epochs_saved

    def discard(self) -> None:
        """Remove what is saved: the training is finished, or starts anew."""
        self.path.unlink(missing_ok=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._epoch_began
        for name, value in {**(logs or {}), "seconds": seconds}.items():
            self.logs.setdefault(name, []).append(float(value))
        variables = _keras.component_variables(self.model, metrics=False)
        arrays = {f"variable/{number}": variable.numpy() for number, variable in enumerate(variables)}
        arrays |= {f"step/{name}": np.asarray(values) for name, values in self.step_history.items()}
        document = {"settings": self.settings, "logs": self.logs, "step_history": list(self.step_history)}
        with written_whole(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, document=np.array(json.dumps(document)), **arrays)
        self.epochs_saved = len(self.logs["seconds"])

    def _check_settings(self, saved: dict[str, Any]) -> None:
        for name in sorted(saved.keys() & self.settings.keys()):  # another version may know more, or fewer
            before, now = saved[name], self.settings[name]
            if before != now:
                raise ValueError(
                    f"the training in {self.path} was started with {name} = {before!r}, and it is {now!r} "
                    "now: set it back to go on, or start anew without resuming."
                )

    def _put_back(self, variables: list, saved: Any) -> None:
        arrays = [saved[name] for name in saved.files if name.startswith("variable/")]
        shapes = [tuple(variable.shape) for variable in variables]
        if [array.shape for array in arrays] != shapes:
            raise ValueError(
                f"the training in {self.path} is of another model: it has {len(arrays)} variables and this "
                f"one has {len(shapes)}, or their shapes differ. Start anew without resuming."
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
