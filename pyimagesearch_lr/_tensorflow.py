"""What only TensorFlow has, by its public names; loaded if it is the backend or was imported already."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import MethodType
from typing import Any

import keras
import tensorflow as tf

END_OF_DATA = (StopIteration, tf.errors.OutOfRangeError)

MADE_BY_KERAS = ("train_function", "test_function", "predict_function")


def is_dataset(data: Any) -> bool:
    return isinstance(data, tf.data.Dataset)


def is_variable(value: Any) -> bool:
    return isinstance(value, tf.Variable)


def is_module(value: Any) -> bool:
    return isinstance(value, (tf.Module, tf.random.Generator))


def components(variable: Any) -> list[tf.Variable]:
    """The variables that hold the value of a Keras or TensorFlow variable, one per device."""
    value = variable.value if isinstance(variable, keras.Variable) else variable
    return list(getattr(value, "values", [value]))


def num_replicas(model: keras.Model) -> int:
    """On how many devices a step of this model is trained."""
    return model.distribute_strategy.num_replicas_in_sync


def exactly(dataset: tf.data.Dataset, steps: int) -> tf.data.Dataset:
    """`steps` batches of `dataset`, which starts again whenever it ends."""
    return dataset.repeat().take(steps)


def cut(
    batches: tf.data.Dataset, gathered: int, batch_size: int, steps: int, *, evenly: bool
) -> tf.data.Dataset:
    """`steps` batches of `batch_size`, cut out of passes over larger ones, without autotuning.

    Where a pass is cut `evenly`, the batch size is known to the model, as with Keras's own batches.
    """
    if gathered > batch_size:
        batches = batches.rebatch(batch_size, drop_remainder=evenly)
    options = tf.data.Options()
    options.autotune.enabled = False
    return exactly(batches, steps).with_options(options)


def scope_of(model: keras.Model) -> Any:
    """The context in which to make variables for this model."""
    return model.distribute_strategy.scope()


def is_multi_worker(model: keras.Model) -> bool:
    """Whether several processes of `tf.distribute` train this model together."""
    return isinstance(model.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)


def trace_step(model: keras.Model, iterator: Any) -> None:
    """Trace the model's train step on what `iterator` gives, taking no batch: this creates all variables.

    Raises:
        Exception: Whatever the train step raises when it is traced.
    """

    def step(batches: Any) -> Any:
        batch = tf.nest.map_structure(
            lambda each: None if isinstance(each, tf.experimental.Optional) else each, next(batches)
        )
        return model.train_step(batch)

    tf.function(step, autograph=False).get_concrete_function(iterator)


def is_compiled(train_step: Any) -> bool:
    """Whether a train step is a `tf.function`, which keeps its own trace."""
    return hasattr(train_step, "python_function") and hasattr(train_step, "get_concrete_function")


def compiled_functions(model: keras.Model) -> dict[str, tuple[Any, Callable]]:
    """Each `tf.function` that is an attribute of the model or its class, and what to compile in its place."""
    names = [name for name in dir(model) if name not in MADE_BY_KERAS]
    found = {name: inspect.getattr_static(model, name, None) for name in names}
    compiled = {name: value for name, value in found.items() if hasattr(value, "python_function")}
    if not compiled:
        return {}
    held = vars(model)
    plain = {
        name: _python_function(value) if name in held else MethodType(value.python_function, model)
        for name, value in compiled.items()
    }
    return {name: (value, plain[name]) for name, value in compiled.items()}


def compiled(function: Callable) -> Any:
    return tf.function(function)


def _python_function(compiled: Any) -> Callable:
    """The function that an attribute of a model was compiled from.

    Of a method that was compiled in its class, TensorFlow keeps one with a stand-in for its object.
    """
    function = compiled.python_function
    method: Any = getattr(function, "__wrapped__", None)
    owner = getattr(getattr(method, "__self__", None), "target", None)
    return function if owner is None else MethodType(method.__func__, owner)


def assign_part(variable: tf.Variable, begin: list, end: list, value: Any) -> None:
    """`variable[begin:end] = value`, in place; `variable[...].assign` reads it first and then has to copy it.

    Args:
        variable: A variable, or in a replica's context one that is distributed.
        begin: Ints or scalars, where the part begins on each axis; axes that are left out are taken whole.
        end: Likewise, where it ends.
        value: What to assign, in the part's shape.
    """
    tf.raw_ops.ResourceStridedSliceAssign(
        ref=variable.handle, begin=begin, end=end, strides=[1] * len(begin), value=value
    )
