"""The door to what Keras keeps to itself: the rate inside an optimizer, the callbacks and data of a `fit`.

Checked against Keras 3.15 on TensorFlow 2.21. Whatever depends on a private name of Keras or TensorFlow
stands here, or in `_train_step` if it rides in the compiled step, and nowhere else.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.py_dataset_adapter import OrderedEnqueuer
from tensorflow.python.data.util.structure import NoneTensorSpec
from tensorflow.python.eager import context as tf_context

GATHERED_AT_ONCE = 2**24
GATHERED_AHEAD = 2
ATTRIBUTES_OF_FIT = ("history", "stop_training", "_eval_epoch_iterator", "test_function")
OUT_OF_DATA = (StopIteration, tf.errors.OutOfRangeError)
KERAS_RATE_DRIVERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def rate_holder(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that holds the learning rate: the innermost one, under any `LossScaleOptimizer`."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def has_several_rates(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer is made of several, for different variables, each with a rate of its own."""
    return hasattr(rate_holder(optimizer), "optimizers")


def parts_with_rates(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """The optimizers that hold a learning rate: the one, or those a `MultiOptimizer` is made of.

    A `MultiOptimizer` is built here if it is not yet: only then is it known which of its parts have variables
    to train. The others are left out.

    Raises:
        RuntimeError: If that cannot be done, as the model has no variables yet.
    """
    holder = rate_holder(model.optimizer)
    if not has_several_rates(holder):
        return [holder]
    if not holder.built:
        if not model.built:
            raise RuntimeError(
                "which parts of a `MultiOptimizer` are used is known only once the model has variables. "
                "Call `model.build(input_shape)`, or give the model a `keras.Input`, before the sweep."
            )
        holder.build(model.trainable_variables)
    return [part for part in holder.optimizers if part.built]


def shares_of_rate(parts: list[keras.optimizers.Optimizer]) -> np.ndarray:
    """The rates of these optimizers as shares of the highest of them, 1 where there is only one.

    Raises:
        RuntimeError: If there are several and one of them is a schedule or a callable.
    """
    if len(parts) == 1:
        return np.ones(1)
    for part in parts:
        if rate_source(part) is not None:
            raise RuntimeError(
                "a sweep keeps the ratios between the rates of an optimizer made of several, and that of its "
                f"`{type(part).__name__}` is set by `{rate_source(part)}`. Give each of them a float "
                "`learning_rate` for the sweep."
            )
    rates = np.array([float(part._learning_rate.numpy()) for part in parts])
    return rates / rates.max() if rates.max() > 0 else np.ones(len(parts))


def rate_source(optimizer: keras.optimizers.Optimizer) -> str | None:
    """The name of the schedule or callable that sets the optimizer's rate; None where a float can be set."""
    rate = rate_holder(optimizer)._learning_rate
    if isinstance(rate, keras.Variable):
        return None
    return getattr(rate, "__name__", type(rate).__name__)


def steps_done(optimizer: keras.optimizers.Optimizer) -> int:
    """How many batches the optimizer has been given: what a schedule inside it counts.

    With gradient accumulation that is more than the updates it made; with a loss scale, batches whose
    gradients overflowed are not among them.
    """
    return int(rate_holder(optimizer)._iterations.numpy())


def steps_of_fit(callback: keras.callbacks.Callback, argument: str) -> int:
    """How many steps the `fit` of this callback takes in all its epochs.

    Raises:
        ValueError: If that is unknown; it tells to give the callback `argument`.
    """
    if not callback.params.get("steps"):
        owner = type(callback).__name__
        raise ValueError(
            f"`{owner}`: the length of this `fit` is unknown. Give `{owner}` `{argument}`, or `fit` "
            "`steps_per_epoch`."
        )
    return callback.params["epochs"] * callback.params["steps"]


def set_learning_rate(optimizer: keras.optimizers.Optimizer, lr: float) -> None:
    """Set the rate of the optimizer's next step; the optimizer's rate must be settable."""
    rate_holder(optimizer)._learning_rate.assign(lr)


@contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give `owner` another attribute for a while, past any tracking its class does on assignment."""
    held = name in vars(owner)
    before = vars(owner).get(name)
    vars(owner)[name] = value
    try:
        yield
    finally:
        if held:
            vars(owner)[name] = before
        else:
            vars(owner).pop(name, None)


@contextmanager
def closed_on_error(close: Callable[[], None]) -> Iterator[None]:
    """Call `close` if the body raises, unless for the end of the data: `fit` calls no `on_train_end` then."""
    try:
        yield
    except OUT_OF_DATA:
        raise
    except BaseException:
        close()
        raise


def callbacks_of_fit() -> list[keras.callbacks.Callback]:
    """The list of the `fit` that is calling a callback's hook just now, itself; empty outside of one.

    Keras gives a callback no way to its neighbours; its `CallbackList` is found among the callers.
    """
    frame: FrameType | None = sys._getframe(
        1
    )  # not this function's own, which would hold itself, and so all the callers'
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.callbacks.CallbackList):
            return owner.callbacks
        frame = frame.f_back
    return []


def check_sole_driver(callback: keras.callbacks.Callback) -> None:
    """Raise if another callback of this `fit` sets the learning rate as well.

    Besides Keras's own, any callback does that says so by a true attribute `drives_learning_rate`.
    """
    for other in callbacks_of_fit():
        drives = isinstance(other, KERAS_RATE_DRIVERS) or getattr(other, "drives_learning_rate", False)
        if other is not callback and drives:
            raise RuntimeError(
                f"`{type(callback).__name__}` and `{type(other).__name__}` both drive the learning rate of "
                "this `fit`. Give it one of them."
            )


def check_can_drive(callback: keras.callbacks.Callback) -> None:
    """Raise unless this callback alone can set the learning rate of its `fit`: one rate, that is a number."""
    check_sole_driver(callback)
    owner, optimizer = type(callback).__name__, callback.model.optimizer
    if has_several_rates(optimizer):
        raise RuntimeError(
            f"`{owner}` sets one learning rate, and this optimizer is made of several that have their own. "
            "Give each of them a `CyclicalLearningRate` or a `OneCycleLearningRate`."
        )
    source = rate_source(optimizer)
    if source is not None:
        raise RuntimeError(
            f"`{owner}` and the optimizer's `{source}` both drive the learning rate: this optimizer was made "
            "with a schedule. Give the optimizer a float `learning_rate`."
        )


def check_puts_weights_back_last(callback: keras.callbacks.Callback) -> None:
    """Raise if an `EarlyStopping` would write its best weights over what this callback puts back."""
    callbacks = callbacks_of_fit()
    later = callbacks[callbacks.index(callback) + 1 :] if callback in callbacks else []
    for other in later:
        if isinstance(other, keras.callbacks.EarlyStopping) and other.restore_best_weights:
            raise RuntimeError(
                f"`EarlyStopping(restore_best_weights=True)` after `{type(callback).__name__}` would put "
                f"weights of the sweep into the model at the end. Name `{type(callback).__name__}` last in "
                "`callbacks`."
            )


def call_first(callback: keras.callbacks.Callback) -> None:
    """Have the running `fit` call this callback before the others: they see what it puts in `logs`."""
    callbacks = callbacks_of_fit()
    if callback in callbacks:
        callbacks.insert(0, callbacks.pop(callbacks.index(callback)))


def is_tf_dataset(data: Any) -> bool:
    return isinstance(data, tf.data.Dataset)


def array_batches(x: Any, y: Any, sample_weight: Any, batch_size: int) -> tf.data.Dataset:
    """The batches that `fit` makes of arrays, without end and shuffled anew every pass.

    Many batches are gathered at once and then cut, which costs a small network's step less than a gather for
    each. Without autotuning: it gains nothing on arrays in memory, and its thread holds up the end of a short
    `fit`.
    """
    arrays = keras.tree.flatten((x, y, sample_weight))
    at_once = _batches_at_once(arrays, batch_size) * batch_size
    adapter = ArrayDataAdapter(x, y, sample_weight, batch_size=at_once, shuffle=True)
    batches = adapter.get_tf_dataset().prefetch(GATHERED_AHEAD)
    if at_once > batch_size:
        batches = batches.rebatch(batch_size)
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.repeat().with_options(options)


def _batches_at_once(arrays: list, batch_size: int) -> int:
    """How many batches of NumPy arrays make up `GATHERED_AT_ONCE` bytes; 1 of other kinds of array."""
    present = [array for array in arrays if array is not None]
    if not all(isinstance(array, np.ndarray) for array in present):
        return 1
    bytes_of_batch = batch_size * sum(array.nbytes for array in present) / len(present[0])
    return max(1, int(GATHERED_AT_ONCE / max(1, bytes_of_batch)))


def stop_workers(py_dataset: keras.utils.PyDataset) -> None:
    """End the threads that still load batches of `py_dataset`: `fit` leaves them if it stops in mid-epoch.

    An error in a batch that was loaded ahead and never asked for is not raised.
    """
    for thread in threading.enumerate():
        enqueuer = getattr(getattr(thread, "_target", None), "__self__", None)
        if isinstance(enqueuer, OrderedEnqueuer) and enqueuer.py_dataset is py_dataset:
            with suppress(Exception):
                enqueuer.stop()


def build_from(model: keras.Model, iterator: Any) -> None:
    """Create the variables of model, loss, metrics and optimizer from the data's shapes, taking no batch."""
    spec = getattr(iterator, "element_spec", None)
    if spec is None or model.distribute_strategy.num_replicas_in_sync > 1:
        return
    model._symbolic_build(data_batch=tf.nest.map_structure(_symbolic, spec))


def _symbolic(spec: Any) -> Any:
    return None if isinstance(spec, (tf.OptionalSpec, NoneTensorSpec)) else spec


def is_built(model: keras.Model) -> bool:
    """Whether training would create no more variables."""
    parts = (model.optimizer, model._compile_metrics, model._compile_loss, *model._flatten_layers())
    return all(part.built for part in parts if part is not None)


def assign_part(variable: tf.Variable, begin: list, end: list, value: Any) -> None:
    """`variable[begin:end] = value`, in place; `variable[...].assign` reads it first and then has to copy it.

    Args:
        variable: A variable, or in a replica's context one that is distributed.
        begin: Ints or scalars, where the part begins in each axis; axes that are left out are taken whole.
        end: Likewise, where it ends.
        value: What to assign, in the part's shape.
    """
    tf.raw_ops.ResourceStridedSliceAssign(
        ref=variable.handle, begin=begin, end=end, strides=[1] * len(begin), value=value
    )


def component_variables(model: keras.Model, *, metrics: bool = True) -> list[tf.Variable]:
    """Every variable that training can change, one a device: of layers, seeds, optimizer and metrics.

    Also TensorFlow's own variables that are attributes of a layer, of which Keras takes no notice.
    """
    found = [*model.variables, *model.optimizer.variables, *(model.metrics_variables if metrics else [])]
    attributes = [value for layer in model._flatten_layers() for value in vars(layer).values()]
    found += [value for value in attributes if isinstance(value, tf.Variable)]
    values = [variable.value if isinstance(variable, keras.Variable) else variable for variable in found]
    components = [part for value in values for part in getattr(value, "values", [value])]
    return list({id(part): part for part in components}.values())


def random_states() -> Callable[[], None]:
    """Take down the state of every global random generator; calling the result puts it back."""
    python, legacy = random.getstate(), np.random.get_state()
    eager = getattr(tf_context.context(), "_rng", None)
    eager_state = eager.getstate() if eager is not None else None
    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    generator_state = None if generator is None else generator.state.numpy()

    def put_back() -> None:
        random.setstate(python)
        np.random.set_state(legacy)
        if eager is not None:
            eager.setstate(eager_state)
        if generator is not None:
            generator.state.assign(generator_state)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)

    return put_back


@contextmanager
def optimizer_in_place(model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Let `model` train with a fresh copy of `optimizer` for a while; its own one, loss and metrics stay.

    Args:
        model: A compiled `keras.Model`.
        optimizer: A `keras.optimizers.Optimizer`, or the name or config of one; it is not changed.
    """
    optimizer = keras.optimizers.get(optimizer)
    with model.distribute_strategy.scope():
        copy = optimizer.from_config(optimizer.get_config())
        scaled = keras.optimizers.LossScaleOptimizer
        if isinstance(model.optimizer, scaled) and not isinstance(copy, scaled):
            copy = scaled(copy)
        if model.built:
            copy.build(model.trainable_variables)
    with replaced_attribute(model, "optimizer", copy):
        yield


@contextmanager
def seeded_if_unseeded(seed: int = 0) -> Iterator[None]:
    """Give TensorFlow a global seed for a while, unless it has one, and leave no trace of it."""
    context = tf_context.context()
    if context._seed is not None:
        yield
        return
    with replaced_attribute(context, "_seed", None), replaced_attribute(context, "_rng", None):
        tf.random.set_seed(seed)
        yield
