"""A training whose loss is no longer finite ends at once."""

from __future__ import annotations

import math

import keras
import numpy as np

from pyimagesearch_lr.pipeline.stopping import raise_if_stopped


class LossNotFinite(ArithmeticError):  # noqa: N818 - the name says what it is
    """The loss, or a variable, of a training is NaN or infinite; the message says where."""


class FiniteLoss(keras.callbacks.Callback):
    """Ends `fit` with `LossNotFinite` at the first step, or validation, whose loss is NaN or infinite.

    Comes before the callback that saves the epoch and checks the variables too, so that no such model is ever
    kept. After every step it also checks whether a signal has asked the process to end.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(1e30), "mse")
    >>> try:
    ...     history = model.fit(np.ones((4, 1)), np.ones(4), 1, 4, verbose=0, callbacks=[FiniteLoss()])
    ... except LossNotFinite as error:
    ...     print(str(error).partition(" at ")[2])
    step 2 of epoch 1
    """

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        raise_if_stopped()
        self._check(logs, "loss", f"step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._check(logs, "val_loss", "the validation")
        for variable in (*self.model.variables, *self.model.optimizer.variables):
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                raise LossNotFinite(
                    f"`{variable.name}` is no longer finite at the end of epoch {self._epoch}"
                )

    def _check(self, logs: dict[str, float] | None, name: str, where: str) -> None:
        loss = float((logs or {}).get(name, 0.0))
        if not math.isfinite(loss):
            raise LossNotFinite(f"the loss is {loss} at {where} of epoch {self._epoch}")
