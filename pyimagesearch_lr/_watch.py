"""Whether a learning rate that is set has an effect: `TrainingWatch` sees which optimizer trains a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras, _state
from pyimagesearch_lr._warn import warn

MOVES_WEIGHTS = 1e-5  # a float32 weight need not change at a lower rate
PATIENCE = 32  # steps; a train step may sum gradients up, or train another part of the model in between


class TrainingWatch:
    """Sees whether the optimizer that a model was compiled with is the one that trains it.

    Args:
        owner: String, the class that sets the rate, for the error.
        model: A compiled `keras.Model`.
        steps: Int, how many steps are to come, or None.
    """

    def __init__(self, owner: str, model: keras.Model, steps: int | None = None):
        self._owner = owner
        self._model = model
        self._others = _state.other_optimizers(model)
        self._marks = {name: _marks(each) for name, each in self._others.items()}
        self._own = _marks(model.optimizer)
        self._updates = _updates_of(model.optimizer)
        self._wait = min(PATIENCE, steps or PATIENCE)
        self._weights: list[np.ndarray] | None = None
        self._is_over = False

    @property
    def has_seen_an_update(self) -> bool:
        """Whether the model's weights have been changed, as far as this has looked."""
        return self._is_over and (
            self._weights is not None or _updates_of(self._model.optimizer) > self._updates
        )

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
            self._is_over, self._weights = True, None
            self._warn_of_wrapped()
            return
        if self._weights is None:
            self._weights = self._read_weights()
        elif self._wait <= 0:
            self._look_for_others()
            self._look_at_weights(rate)

    def _look_for_others(self) -> None:
        trained = [name for name, each in self._others.items() if _has_moved(each, self._marks[name])]
        if trained:
            own = type(self._model.optimizer).__name__
            kinds = {name: type(self._others[name]).__name__ for name in trained}
            if "optimizer" in kinds:
                raise RuntimeError(
                    f"`{self._owner}` sets the learning rate of the model's `{own}`, but it is trained by "
                    f"the `{kinds['optimizer']}` that it had before: a function that was compiled then, "
                    "and is not an attribute of the model, keeps it. Make the function again, or make it an "
                    "attribute of the model."
                )
            names = " and ".join(f"`{name}` ({kind})" for name, kind in kinds.items())
            raise RuntimeError(
                f"`{self._owner}` sets the learning rate of the optimizer that the model was compiled with "
                f"(`{own}`), but the model is trained by {names} instead. "
                f"Compile the model with the optimizer that trains, or use `{self._owner}` on a model of one "
                "of the parts."
            )

    def _warn_of_wrapped(self) -> None:
        """Warn if what trains the model is an optimizer within the one whose rate is set."""
        own = self._model.optimizer
        for name, each in self._others.items():
            is_within = name.startswith("optimizer.") and _has_moved(each, self._marks[name])
            if is_within and each.learning_rate is not _keras.rate_holder(own).learning_rate:
                warn(
                    f"`{self._owner}` sets the learning rate of `{type(own).__name__}`. The "
                    f"`{type(each).__name__}` within it, `{name}`, trains too and has a rate of its own, "
                    "which stays as it is. If that one moves the weights, the rate set has no effect: give "
                    "the outer one a `learning_rate` property that reads and sets the inner one's."
                )

    def _read_weights(self) -> list[np.ndarray]:
        return [_keras.to_numpy(each) for each in self._model.trainable_variables]

    def _look_at_weights(self, rate: float) -> None:
        """Compare with the weights after the first step."""
        pairs = zip(self._weights or (), self._read_weights(), strict=False)
        if any(not np.array_equal(a, b) for a, b in pairs):
            self._is_over, self._weights = True, []
        elif rate >= MOVES_WEIGHTS:
            raise RuntimeError(
                f"`{self._owner}` sets a learning rate that has no effect: the steps so far changed neither "
                "the optimizer that the model was compiled with nor a trainable weight. Check that the model "
                "has trainable weights and that its `train_step` applies `self.optimizer`."
            )


def _updates_of(optimizer: Any) -> int:
    return int(_keras.to_numpy(_keras.rate_holder(optimizer).iterations))


def _marks(optimizer: Any) -> dict[int, float]:
    """The optimizer's numbers that change as it trains (its counts, a loss scale), by variable."""
    numbers = [each for each in getattr(optimizer, "variables", ()) if tuple(each.shape) == ()]
    return {id(each): _keras.to_numpy(each).item() for each in numbers if each.name != "learning_rate"}


def _has_moved(optimizer: Any, before: dict[int, float]) -> bool:
    """Whether a number is another than when it was first seen: some are made with the first step only."""
    return any(before.setdefault(number, value) != value for number, value in _marks(optimizer).items())
