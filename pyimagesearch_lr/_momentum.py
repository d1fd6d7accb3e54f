"""Momentum that can be set from step to step.

Keras keeps it as a float (`SGD.momentum`, `Adam.beta_1`). A step that runs as Python reads the float every
time; a compiled one keeps what it read while it was traced. So on TensorFlow a variable takes the float's
place, and outside of a step there is no sign of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
from keras import ops

from pyimagesearch_lr import _keras

MOMENTUM_NAMES = ("momentum", "beta_1")
ARITHMETIC = ("add", "sub", "mul", "truediv", "pow")


def cycled_momentum(model: keras.Model, owner: str) -> CycledMomentum:
    """Make what sets the momentum of a compiled model's optimizer from step to step, on the backend in use.

    Args:
        model: A compiled `keras.Model`.
        owner: String, the class that errors name.

    Raises:
        ValueError: If the optimizer has no momentum, or one of 0, for which it keeps no velocities, or one
            that must not change.
        RuntimeError: If the backend compiles the step in a way that fixes the momentum.
    """
    if keras.backend.backend() == "tensorflow":
        return TracedMomentum(model, owner)
    if model.jit_compile and not model.run_eagerly:
        raise RuntimeError(
            f"`{owner}`: `momentum` cannot be cycled in a step that the {keras.backend.backend()} backend "
            "compiles: the compiled step has it fixed. Leave `momentum` out, compile the model with "
            "`jit_compile=False`, or use the TensorFlow backend."
        )
    return CycledMomentum(model, owner)


class CycledMomentum:
    """Sets the momentum of each step, of a `fit` or of your own training loop, that runs as Python.

    `begin` and `end` enclose the training, `put` and `take_out` a step; the model's train function takes the
    momentum out as well, even when it raises.
    """

    has_been_read = True

    def __init__(self, model: keras.Model, owner: str):
        self.model = model
        self._optimizer = _keras.rate_holder(model.optimizer)
        self._name = next((name for name in MOMENTUM_NAMES if vars(self._optimizer).get(name)), "")
        if not self._name:
            raise ValueError(
                f"`{owner}`: the momentum of `{type(self._optimizer).__name__}` cannot be cycled: it has "
                "none, or one of 0. Use SGD or RMSprop with a `momentum` above 0, or an optimizer with a "
                "`beta_1`, such as Adam."
            )
        if isinstance(self._optimizer, getattr(keras.optimizers, "ScheduleFreeAdamW", ())):
            raise ValueError(
                f"`{owner}`: the `beta_1` of `ScheduleFreeAdamW` cannot be cycled: by it the weights are "
                "made from an average and taken apart again, which needs one value. Leave `momentum` out."
            )
        self._in_step = ExitStack()
        self._found = model.train_function
        self._train_function: Callable | None = None

    def serves(self, model: keras.Model) -> bool:
        """Whether this was made for `model` as it is compiled now: `compile` discards the train function."""
        return model is self.model and model.train_function is self._found

    def begin(self) -> None:
        """Give the model a train function that takes the momentum out after each step."""
        if self._train_function is None:
            self._train_function = self._enclosed(self._make_train_function())
        self.model.train_function = self._train_function

    def put(self, momentum: float) -> None:
        """Let the next step have this momentum."""
        self.take_out()
        self._in_step.enter_context(self._in_place(momentum))

    def take_out(self) -> None:
        """Give the optimizer its own momentum back. Harmless when done twice."""
        self._in_step.close()

    def end(self) -> None:
        """Leave model and optimizer as they were found. Harmless when done twice."""
        self.take_out()
        if self.model.train_function is self._train_function:
            self.model.train_function = self._found

    @contextmanager
    def _in_place(self, momentum: float) -> Iterator[None]:
        with _keras.replaced_attribute(self._optimizer, self._name, momentum):
            yield

    def _make_train_function(self) -> Callable:
        return self._found

    def _enclosed(self, train_function: Callable) -> Callable:
        def step_and_take_out(*args: Any) -> Any:
            with self._in_step:
                return train_function(*args)

        return step_and_take_out


class TracedMomentum(CycledMomentum):
    """The same where the step is a graph: a variable is traced into it.

    The variable has the optimizer's own momentum except in a step that is given another.

    What users have compiled themselves, a `train_step` or another function that is an attribute of the model,
    keeps the trace of an earlier training. For ours it is compiled again, and the old one is put back
    afterwards.
    """

    def __init__(self, model: keras.Model, owner: str):
        super().__init__(model, owner)
        self.has_been_read = False
        self._recompiled = _keras.recompiled_functions(model)
        with model.distribute_strategy.scope():
            self._variable = keras.Variable(
                vars(self._optimizer)[self._name],
                trainable=False,
                aggregation="only_first_replica",
                name="cycled_momentum",
            )
        self.dtype: str = self._variable.dtype
        weakref.finalize(model, _forget, self._variable)  # the user's functions may still read it

    def value(self) -> Any:
        """The momentum as a tensor, for what is being traced."""
        self.has_been_read = True
        return ops.copy(self._variable)

    @contextmanager
    def _in_place(self, momentum: float) -> Iterator[None]:
        own = vars(self._optimizer)[self._name]
        self._variable.assign(momentum)
        try:
            with self._traceable():
                yield
        finally:
            self._variable.assign(own)

    @contextmanager
    def _traceable(self) -> Iterator[None]:
        """Let what is traced inside read the variable."""
        number = _TracedAsVariable(vars(self._optimizer)[self._name], self)
        with ExitStack() as stack:
            stack.enter_context(_keras.replaced_attribute(self._optimizer, self._name, number))
            for name, function in self._recompiled.items():
                stack.enter_context(_keras.replaced_attribute(self.model, name, function))
            yield

    def _make_train_function(self) -> Callable:
        with self._traceable(), _keras.replaced_attribute(self.model, "train_function", None):
            self.model.make_train_function(force=True)
            return self.model.train_function


class _TracedAsVariable(float):
    """A float to Python, in comparisons and when it is saved; the variable's value in computations."""

    source: TracedMomentum
    dtype: str

    def __new__(cls, value: float, source: TracedMomentum) -> Any:
        self = super().__new__(cls, value)
        self.source = source
        self.dtype = source.dtype
        return self

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        value = self.source.value()
        return value if dtype is None else ops.cast(value, dtype.name)

    def __neg__(self) -> Any:
        return -self.source.value()


def _of_tensor(name: str) -> Callable:
    def method(self: _TracedAsVariable, other: Any) -> Any:
        return getattr(self.source.value(), name)(other)

    return method


for _name in ARITHMETIC:
    for _prefix in ("__", "__r"):
        setattr(_TracedAsVariable, f"{_prefix}{_name}__", _of_tensor(f"{_prefix}{_name}__"))


def _forget(variable: keras.Variable) -> None:
    """What a finalizer calls; until then it holds the variable."""
