"""Whether a learning rate that is set has an effect: `TrainingWatch` sees which optimizer trains a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras, _state

MOVES_WEIGHTS = 1e-5  # a float32 weight need not change at a lower rate


class TrainingWatch:
    """Sees whether the optimizer that a model was compiled with is the one that trains it.

    Args:
        owner: String, the class that sets the rate, for the error.
        model: A compiled `keras.Model`.
    """

    def __init__(self, owner: str, model: keras.Model):
        self._owner = owner
        self._model = model
        self._others = _state.other_optimizers(model)
        self._marks = {name: _marks(each) for name, each in self._others.items()}
        self._own = _marks(model.optimizer)
        holder = _keras.rate_holder(model.optimizer)
        self._wait = max(1, getattr(holder, "gradient_accumulation_steps", None) or 1)
        self._weights: list[np.ndarray] | None = None
        self._is_over = False

    def check(self, is_finite: bool, rate: float, steps: int = 1) -> None:
        """Look after an execution, as long as it is needed.

        Args:
            is_finite: Bool, whether the loss of every step of it was finite.
            rate: Float, the rate of its first step.
            steps: Int, how many steps it had.

        Raises:
            RuntimeError: If other optimizers train the model, or nothing does.
        """
        if self._is_over or not is_finite:
            return
        self._wait -= steps
        if _has_moved(self._model.optimizer, self._own):
            self._is_over = True
        elif self._wait <= 0:
            self._look_for_others()
            self._look_at_weights(rate)

    def _look_for_others(self) -> None:
        trained = [name for name, each in self._others.items() if _has_moved(each, self._marks[name])]
        if trained:
            own = type(self._model.optimizer).__name__
            names = " and ".join(f"`{name}` ({type(self._others[name]).__name__})" for name in trained)
            raise RuntimeError(
                f"`{self._owner}` sets the learning rate of the optimizer that the model was compiled with "
                f"(`{own}`), but the model is trained by {names} instead. "
                f"Compile the model with the optimizer that trains, or use `{self._owner}` on a model of one "
                "of the parts."
            )

    def _look_at_weights(self, rate: float) -> None:
        weights = [_keras.to_numpy(each) for each in self._model.trainable_variables]
        before, self._weights = self._weights, weights
        if before is None:
            return
        if any(not np.array_equal(a, b) for a, b in zip(before, weights, strict=True)):
            self._is_over = True
        elif rate >= MOVES_WEIGHTS:
            raise RuntimeError(
                f"`{self._owner}` sets a learning rate that has no effect: a step changed neither the "
                "optimizer that the model was compiled with nor a trainable weight. Check that the model has "
                "trainable weights and that its `train_step` applies `self.optimizer`."
            )


def _marks(optimizer: Any) -> dict[int, float]:
    """The optimizer's numbers that change as it trains (its counts, a loss scale), by variable."""
    numbers = [each for each in getattr(optimizer, "variables", ()) if tuple(each.shape) == ()]
    return {id(each): _keras.to_numpy(each).item() for each in numbers if each.name != "learning_rate"}


def _has_moved(optimizer: Any, before: dict[int, float]) -> bool:
    """Whether a number is another than when it was first seen: some are made with the first step only."""
    return any(before.setdefault(number, value) != value for number, value in _marks(optimizer).items())
