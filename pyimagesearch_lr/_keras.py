"""The only door to what Keras keeps to itself: the rate inside an optimizer, the train step inside `fit`.

Checked against Keras 3.15 on TensorFlow 2.21. Whatever depends on a private name of Keras or TensorFlow
stands here and nowhere else.
"""

from __future__ import annotations

import inspect
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.py_dataset_adapter import OrderedEnqueuer
from tensorflow.python.eager import context as tf_context

MAX_LOGS = 64
BATCHES_AHEAD = 16
ATTRIBUTES_OF_FIT = ("history", "stop_training", "_eval_epoch_iterator", "test_function")
OUT_OF_DATA = (StopIteration, tf.errors.OutOfRangeError)
KERAS_RATE_DRIVERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
MOMENTUM_NAMES = ("momentum", "beta_1")


def rate_holder(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that holds the learning rate: the innermost one, under any `LossScaleOptimizer`."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def has_several_rates(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer is made of several, for different variables, each with a rate of its own."""
    return hasattr(rate_holder(optimizer), "optimizers")


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
    frame = inspect.currentframe()
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


def call_first(callback: keras.callbacks.Callback) -> None:
    """Have the running `fit` call this callback before the others: they see what it puts in `logs`."""
    callbacks = callbacks_of_fit()
    if callback in callbacks:
        callbacks.insert(0, callbacks.pop(callbacks.index(callback)))


class _TracedOnce:
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
        with replaced_attribute(self.model, "train_function", self._train_function):
            if self._train_function is None:
                with replaced_attribute(self.model, "train_step", train_step or self.model.train_step):
                    self.model.make_train_function(force=True)
                self._train_function = self.model.train_function
            yield self._train_function


class CycledMomentum(_TracedOnce):
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
        self._holder = rate_holder(model.optimizer)
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
            replaced_attribute(self._holder, self._name, number),
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


class StepRecorder(_TracedOnce):
    """Rides in the compiled train step: gives every step its own rate and keeps every step's own logs.

    `fit` hands callbacks the epoch's running mean, once an execution. Here the metrics are reset at the start
    of each step inside the graph, so the logs are that step's own (what `train_on_batch` would return), and
    they are written to a buffer, so that one execution may hold many steps. The rate comes from a schedule
    put in the optimizer's place for it, whatever was there: a variable, a schedule, a callable.

    Args:
        model: A compiled `keras.Model`.
    """

    def __init__(self, model: keras.Model):
        super().__init__(model)
        self.capacity = model.steps_per_execution
        self._names: list[str] = []
        self._read = 0
        with model.distribute_strategy.scope():
            self._rates = tf.Variable(
                [0.0], shape=(None,), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
            )
            self._step = keras.Variable(  # int64: TensorFlow keeps int32 variables off a GPU, and XLA fails
                0, dtype="int64", trainable=False, aggregation="only_first_replica", name="sweep_step"
            )
            self._logs = keras.Variable(
                np.zeros((self.capacity, MAX_LOGS), "float32"),
                trainable=False,
                aggregation="mean",
                synchronization="on_read",
                name="sweep_logs",
            )

    @contextmanager
    def installed(self, rates: np.ndarray) -> Iterator[Callable]:
        """Put the recorder into the model; give the train function that has it; take it out at the end.

        Args:
            rates: float array of shape `(steps,)`, the rate of each step; the last one serves beyond its end.
        """
        self._rates.assign(rates)
        self.rewind()
        schedule = _RateOfStep(self._rates, self._step)
        with (
            replaced_attribute(rate_holder(self.model.optimizer), "_learning_rate", schedule),
            self._train_function_installed(self._wrap(self.model.train_step)) as train_function,
        ):
            yield train_function

    def rewind(self) -> None:
        """Begin with the first rate again."""
        self._step.assign(0)
        self._read = 0

    def read(self) -> list[dict[str, float]]:
        """The logs of every step since the last call, in order."""
        done = int(self._step.numpy())
        rows = np.array(self._logs.numpy())
        steps = range(self._read, done)
        self._read = done
        return [dict(zip(self._names, rows[step % self.capacity].tolist(), strict=False)) for step in steps]

    def _wrap(self, train_step: Callable) -> Callable:
        def recorded_train_step(data: Any) -> dict[str, Any]:
            self.model.reset_metrics()
            logs = train_step(data)
            self._write(logs)
            return logs

        return recorded_train_step

    def _write(self, logs: dict[str, Any]) -> None:
        scalars = {name: value for name, value in logs.items() if len(ops.shape(value)) == 0}
        if len(scalars) > MAX_LOGS:
            raise ValueError(
                f"a sweep records up to {MAX_LOGS} logs of a step, and this train step returned "
                f"{len(scalars)}: {sorted(scalars)}. Compile the model with fewer metrics for the sweep."
            )
        self._names = list(scalars)
        row = ops.stack([ops.cast(scalars[name], "float32") for name in self._names])
        row = ops.pad(row, [(0, MAX_LOGS - len(self._names))])
        here = ops.equal(ops.arange(self.capacity, dtype="int64"), self._step % self.capacity)
        self._logs.assign(ops.where(here[:, None], row[None, :], self._logs))
        self._step.assign_add(1)


class _RateOfStep(keras.optimizers.schedules.LearningRateSchedule):
    """Looks the rate up by the recorder's own count of steps, not by the optimizer's."""

    def __init__(self, rates: tf.Variable, step: keras.Variable):
        self._rates = rates
        self._step = step

    def __call__(self, step: Any) -> Any:
        rates = tf.convert_to_tensor(self._rates)
        last = tf.size(rates, out_type=tf.int64) - 1
        return rates[tf.minimum(tf.convert_to_tensor(self._step), last)]


def _what_is_traced(model: keras.Model) -> tuple:
    """The objects that `compile` makes anew, and the options that a train function is traced with."""
    made = (model, model.optimizer, model._compile_loss, model._compile_metrics, model._loss_tracker)
    momenta = [vars(rate_holder(model.optimizer)).get(name) for name in MOMENTUM_NAMES]
    return (*made, model.steps_per_execution, model.run_eagerly, model.jit_compile, *momenta)


def array_batches(x: Any, y: Any, sample_weight: Any, batch_size: int) -> tf.data.Dataset:
    """The batches that `fit` makes of arrays, without end and shuffled anew every pass.

    In one dataset of many passes, an execution of many steps may reach over the end of a pass. Without
    autotuning: it gains nothing on arrays in memory, and its thread holds up the end of a short `fit`.
    """
    adapter = ArrayDataAdapter(x, y, sample_weight, batch_size=batch_size, shuffle=True)
    options = tf.data.Options()
    options.autotune.enabled = False
    return adapter.get_tf_dataset().repeat().prefetch(BATCHES_AHEAD).with_options(options)


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
    return None if isinstance(spec, tf.OptionalSpec) else spec


def is_built(model: keras.Model) -> bool:
    """Whether training would create no more variables."""
    parts = (model.optimizer, model._compile_metrics, model._compile_loss, *model._flatten_layers())
    return all(part.built for part in parts if part is not None)


def component_variables(model: keras.Model, *, metrics: bool = True) -> list[tf.Variable]:
    """Every variable that training can change, one a device: of layers, seeds, optimizer and metrics."""
    found = [*model.variables, *model.optimizer.variables, *(model.metrics_variables if metrics else [])]
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
