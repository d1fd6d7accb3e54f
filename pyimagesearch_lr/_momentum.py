"""Momentum that can be set from step to step, in a step that is compiled once.

Checked against Keras 3.15 on TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from pyimagesearch_lr import _keras

MOMENTUM_NAMES = ("momentum", "beta_1")


class TracedOnce:
    """A train function of its own for a model, that is traced once and serves until the model is compiled."""

    def __init__(self, model: keras.Model):
        self.model = model
        self._traced_for = _what_is_traced(model)
        self._train_function: Callable | None = None

    def serves(self, model: keras.Model) -> bool:
        """Whether the train function is one of `model` as it is compiled now."""
        return all(a is b for a, b in zip(self._traced_for, _what_is_traced(model), strict=True))

    @contextmanager
    def _train_function_installed(self, train_step: Callable | None = None) -> Iterator[Callable]:
        """Put the train function into the model, traced of `train_step` if it is not yet, and give it."""
        with _keras.replaced_attribute(self.model, "train_function", self._train_function):
            if self._train_function is None:
                with _keras.replaced_attribute(self.model, "train_step", train_step or self.model.train_step):
                    self.model.make_train_function(force=True)
                self._train_function = self.model.train_function
            yield self._train_function


class CycledMomentum(TracedOnce):
    """Lets the momentum of a model's optimizer be set from step to step.

    Keras keeps it as a float (`SGD.momentum`, `Adam.beta_1`), which is fixed in the train step once that is
    traced. Here a variable takes its place while the step is traced; for all else it stays the float it was,
    so that a model saved meanwhile has its own momentum.

    Args:
        model: A compiled `keras.Model`.

    Raises:
        ValueError: If the optimizer has no momentum, or one of 0, for which it keeps no velocities.
    """

    def __init__(self, model: keras.Model):
        super().__init__(model)
        self._holder = _keras.rate_holder(model.optimizer)
        self._name = next((name for name in MOMENTUM_NAMES if vars(self._holder).get(name)), "")
        if not self._name:
            raise ValueError(
                f"the momentum of `{type(self._holder).__name__}` cannot be cycled: it has none, or one of "
                "0. Use SGD or RMSprop made with a `momentum` above 0, or one with a `beta_1`, as Adam."
            )
        with model.distribute_strategy.scope():
            self._variable = keras.Variable(
                vars(self._holder)[self._name],
                trainable=False,
                aggregation="only_first_replica",
                name="cycled_momentum",
            )

    def assign(self, momentum: float) -> None:
        """Set the momentum of the next step."""
        self._variable.assign(momentum)

    @contextmanager
    def installed(self) -> Iterator[Callable]:
        """Put the variable in the optimizer; give the train function that has it; take it out at the end."""
        number = _TracedAsVariable(vars(self._holder)[self._name], self._variable)
        with (
            _keras.replaced_attribute(self._holder, self._name, number),
            self._train_function_installed() as train_function,
        ):
            yield train_function


class _TracedAsVariable(float):
    """A float to Python, to comparisons and to whoever saves it; the variable's value to computations."""

    variable: keras.Variable
    dtype: str

    def __new__(cls, value: float, variable: keras.Variable) -> Any:
        self = super().__new__(cls, value)
        self.variable = variable
        self.dtype = variable.dtype
        return self

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        value = tf.convert_to_tensor(self.variable)
        return value if dtype is None else tf.cast(value, dtype)

    def __add__(self, other: Any) -> Any:
        return tf.convert_to_tensor(self) + other

    def __sub__(self, other: Any) -> Any:
        return tf.convert_to_tensor(self) - other

    def __rsub__(self, other: Any) -> Any:
        return other - tf.convert_to_tensor(self)

    def __mul__(self, other: Any) -> Any:
        return tf.convert_to_tensor(self) * other

    __radd__ = __add__
    __rmul__ = __mul__


def _what_is_traced(model: keras.Model) -> tuple:
    """The objects that `compile` makes anew, and the options that a train function is traced with."""
    made = (model, model.optimizer, model._compile_loss, model._compile_metrics, model._loss_tracker)
    momenta = [vars(_keras.rate_holder(model.optimizer)).get(name) for name in MOMENTUM_NAMES]
    return (*made, model.steps_per_execution, model.run_eagerly, model.jit_compile, *momenta)
