"""The door to Keras: the rate inside an optimizer, the callbacks of a `fit`, and its backends.

Checked against Keras 3.10 to 3.15 and its three backends (docs/results/test_matrix.json). Whatever depends on
a private name of Keras or TensorFlow is here, or in the accelerator `_fast`, and nowhere else. Each has a
fallback, or a refusal that says what is missing.
"""

from __future__ import annotations

import copy
import functools
import inspect
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from importlib import import_module
from types import FrameType
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr._warn import warn

BACKEND = keras.backend.backend()
TRAINING_BACKENDS = ("tensorflow", "jax", "torch")
RATE, COUNT_OF_BATCHES = "_learning_rate", "_iterations"  # of an optimizer
ATTRIBUTES_OF_FIT = (
    "history",
    "stop_training",
    "train_function",
    "test_function",
    "_initial_epoch",
    "_eval_epoch_iterator",
)
CLONE = "_clone"  # of a `tf.function`
TENSORFLOWS_BOOKS = "_self_"  # attributes in which it notes what a model has tracked begin so
MADE_BY_COMPILE = ("_compile_loss", "_compile_metrics", "_loss_tracker")
NEWEST = (3, 15)  # what the tests have seen
_told: list[str] = []
MODULE_OF_SUMS = "tensorflow.python.distribute.distribute_lib"
GENERATOR_OF_SEEDS = "global_seed_generator"  # before Keras 3.13 there is no constant for it
GATHERED_AT_ONCE = 2**24
GATHERED_AHEAD = 2
KERAS_RATE_DRIVERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def tensorflow() -> Any:
    """The room `_tensorflow`, if TensorFlow is the backend or was imported already; else None."""
    if BACKEND == "tensorflow" or "tensorflow" in sys.modules:
        return import_module("pyimagesearch_lr._tensorflow")
    return None


def is_newer_than_tested() -> bool:
    """Whether this Keras is newer than any that was tested; warns once, as it costs speed."""
    newer = tuple(int(part) for part in keras.__version__.split(".")[:2]) > NEWEST
    if newer and not _told:
        _told.append(keras.__version__)
        newest = ".".join(map(str, NEWEST))
        warn(
            f"Keras {keras.__version__} is newer than {newest}, the newest that was tested: sweeps are "
            "recorded with Keras's public API alone, which is slower for small models."
        )
    return newer


def private(path: str) -> Any:
    """The object at a private import path of Keras or TensorFlow, None where there is no such object.

    Args:
        path: String, "module:name".
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


# Variables and data, whatever the backend ------------------------------------------------------------------


def is_variable(value: Any) -> bool:
    """Whether it is a variable, of Keras or of TensorFlow."""
    if isinstance(value, keras.Variable):
        return True
    room = tensorflow()
    return room is not None and room.is_variable(value)


def components(variable: Any) -> list:
    """The variables that hold the value of this one: itself, or on TensorFlow its copies, one per device."""
    room = tensorflow()
    if room is None or (BACKEND != "tensorflow" and isinstance(variable, keras.Variable)):
        return [variable]
    return room.components(variable)


def to_numpy(variable: Any) -> np.ndarray:
    """A copy of a variable's value in the memory of the host."""
    value = variable.numpy() if hasattr(variable, "handle") else keras.ops.convert_to_numpy(variable)
    return np.array(value)


def numpy_dtype(variable: Any) -> np.dtype:
    """The NumPy dtype that `to_numpy` gives."""
    if hasattr(variable, "handle"):
        return np.dtype(variable.dtype.as_numpy_dtype)
    return to_numpy(variable).dtype


def can_assign_parts(variable: Any) -> bool:
    return hasattr(variable, "handle")


def assign_part(variable: Any, begin: list, end: list, value: Any) -> None:
    """`variable[begin:end] = value` in place, of a TensorFlow variable."""
    tensorflow().assign_part(variable, begin, end, value)


def component_variables(model: keras.Model, *, metrics: bool = True) -> list:
    """Every variable of model and optimizer, one per device, each once."""
    found = [*model.variables, *model.optimizer.variables, *(model.metrics_variables if metrics else [])]
    parts = [part for variable in found for part in components(variable)]
    return list({id(part): part for part in parts}.values())


def is_backend_module(value: Any) -> bool:
    """Whether it is a module of TensorFlow or PyTorch, or another object of theirs that holds variables."""
    room, torch = tensorflow(), sys.modules.get("torch")
    if room is not None and room.is_module(value):
        return True
    modules = getattr(getattr(torch, "nn", None), "Module", ())
    return isinstance(value, modules)


def is_tf_dataset(data: Any) -> bool:
    room = tensorflow()
    return room is not None and room.is_dataset(data)


def variable_scope(model: keras.Model) -> Any:
    """The context in which to make variables that go with this model's."""
    return tensorflow().scope_of(model) if BACKEND == "tensorflow" else nullcontext()


def is_data(value: Any) -> bool:
    """Whether it is a dataset, which is never part of a model."""
    torch = sys.modules.get("torch")
    loaders = getattr(getattr(getattr(torch, "utils", None), "data", None), "DataLoader", ())
    return isinstance(value, (keras.utils.PyDataset, loaders)) or is_tf_dataset(value)


def end_of_data() -> tuple[type[BaseException], ...]:
    """The errors that end an epoch of `fit` when there are no more batches."""
    room = tensorflow()
    return (StopIteration,) if room is None else room.END_OF_DATA


def num_replicas(model: keras.Model) -> int:
    """On how many devices of `tf.distribute` a step of this model is trained."""
    return tensorflow().num_replicas(model) if BACKEND == "tensorflow" else 1


# The model --------------------------------------------------------------------------------------------------


class OwnCallback(keras.callbacks.Callback):
    """One of our callbacks: accepts only models of Keras 3; copied and pickled without its model."""

    def set_model(self, model: Any) -> None:
        check_model(type(self).__name__, model)
        _called_in_turn(running_fit())
        super().set_model(model)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_model": None}


def _called_in_turn(fit: keras.callbacks.CallbackList | None) -> None:
    """Let `fit` wait for the hooks after each batch, as it does for callbacks that are given in a list.

    On JAX and PyTorch it calls them in threads if no callback needs to be waited for, and it looks for such
    callbacks only in a list or a tuple.
    """
    for name in ("_async_train", "_async_test"):
        if hasattr(fit, name):
            setattr(fit, name, False)


def check_model(owner: str, model: Any) -> None:
    """Raise a TypeError unless `model` is a Keras 3 model, a RuntimeError if the backend cannot train it."""
    if BACKEND not in TRAINING_BACKENDS:
        raise RuntimeError(
            f"the {BACKEND} backend of Keras cannot train: set KERAS_BACKEND to one of {TRAINING_BACKENDS}."
        )
    if isinstance(model, keras.Model):
        if BACKEND == "tensorflow" and tensorflow().is_multi_worker(model):
            raise RuntimeError(
                f"`{owner}`: Keras 3 cannot train under `tf.distribute.MultiWorkerMirroredStrategy` "
                "(https://github.com/keras-team/keras/issues/20585). Use `keras.distribution.DataParallel` "
                "on JAX for several processes, `tf.distribute.MirroredStrategy` for several devices of one."
            )
        return
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    legacy = " It is a model of the legacy package tf_keras: build it with `keras` 3 itself." * any(
        base.__module__.partition(".")[0] == "tf_keras" for base in type(model).__mro__
    )
    raise TypeError(f"`{owner}` takes a model of Keras 3 (`keras.Model`). Received: {kind}.{legacy}")


def symbolic_build(model: keras.Model, iterator: Any) -> None:
    """Let Keras create all variables from the shapes of the batches, as its `fit` does on JAX and PyTorch.

    Does nothing if this version of Keras works in another way: the first step then creates them.
    """
    build, spec = getattr(model, "_symbolic_build", None), getattr(iterator, "element_spec", None)
    if build is None or spec is None or num_replicas(model) > 1:
        return
    nothing = private("tensorflow.python.data.util.structure:NoneTensorSpec") or ()
    build(data_batch=keras.tree.map_structure(lambda each: None if isinstance(each, nothing) else each, spec))


@contextmanager
def first_look_repeated(model: keras.Model) -> Iterator[None]:
    """Let the next `fit` look at a first batch again, as before the model's first training.

    On JAX and PyTorch it does so while the loss is not built, and shuffles arrays for that.
    """
    loss = getattr(model, "_compile_loss", None)
    if BACKEND == "tensorflow" or loss is None:
        yield
        return
    with replaced_attribute(loss, "built", loss.built):
        yield


@contextmanager
def train_function_made_anew(model: keras.Model, train_step: Callable | None = None) -> Iterator[Callable]:
    """Give the model a newly traced train function; take it out at the end.

    Functions of the model that the user has compiled keep an earlier trace, so they are replaced as well.

    Args:
        model: A compiled `keras.Model`.
        train_step: The train step to trace; None takes the model's own.
    """
    with ExitStack() as stack:
        for name, function in recompiled_functions(model).items():
            stack.enter_context(replaced_attribute(model, name, function))
        with (
            replaced_attribute(model, "train_function", None),
            replaced_attribute(model, "train_step", train_step or _another_function(model.train_step)),
        ):
            model.make_train_function(force=True)
            made = model.train_function
        stack.enter_context(replaced_attribute(model, "train_function", made))
        yield made


def recompiled_functions(model: keras.Model) -> dict[str, Any]:
    """Each `tf.function` that is an attribute of the model or its class, made again and not traced yet.

    It keeps the options that its user gave, unless this version of TensorFlow copies it in another way.
    """
    room = tensorflow()
    found = {} if room is None else room.compiled_functions(model)
    return {name: getattr(old, CLONE, room.compiled)(function) for name, (old, function) in found.items()}


def _another_function(train_step: Callable) -> Callable:
    """The same train step: JAX takes again what it compiled for a method, as long as anyone holds that."""
    return functools.partial(train_step) if BACKEND == "jax" else train_step


def what_is_traced(model: keras.Model) -> tuple:
    """What a train function of the model, as it is compiled now, was traced for: see `is_same_trace`."""
    made = [getattr(model, name, object()) for name in MADE_BY_COMPILE]  # without such a name, equal to none
    momenta = [vars(rate_holder(model.optimizer)).get(name) for name in ("momentum", "beta_1")]
    options = (model.steps_per_execution, model.run_eagerly, model.jit_compile)
    return (model, model.optimizer, *made, *options, *momenta, *model.trainable_variables)


def is_same_trace(traced_for: tuple, now: tuple) -> bool:
    """Whether both are of the same objects, so that a train function can be used again."""
    return len(traced_for) == len(now) and all(a is b for a, b in zip(traced_for, now, strict=True))


@contextmanager
def traces_released() -> Iterator[None]:
    """Let go of the train steps that are traced inside, once nobody else holds them.

    Keras sums a step's gradients over the devices through a custom gradient, and TensorFlow keeps each of
    those, with the graph around it, for the life of the process: 1.7 MB per trace of a small network. Their
    own gradient is needed only while the step is traced, if at all.
    """
    registry = getattr(private("tensorflow.python.framework.ops:gradient_registry"), "_registry", None)
    if BACKEND != "tensorflow" or registry is None:
        yield
        return
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if any(
                each.__module__ == MODULE_OF_SUMS for each in _functions_within(registry[name].get("type"))
            ):
                del registry[name]


def _functions_within(function: Any) -> list:
    """A function, and those it closes over, each once."""
    found, pending = [], [function]
    while pending:
        function = pending.pop()
        if not inspect.isfunction(function) or function in found:
            continue
        found.append(function)
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # an empty cell
                pending.append(cell.cell_contents)
    return found


@contextmanager
def replaced_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give `owner` another attribute for a while, bypassing any tracking its class does on assignment."""
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


# The learning rate ------------------------------------------------------------------------------------------


def rate_holder(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that holds the learning rate: the innermost one, under any `LossScaleOptimizer`."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def has_several_rates(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer is made of several, for different variables, each with its own rate."""
    return hasattr(rate_holder(optimizer), "optimizers")


def parts_of(optimizer: Any) -> list:
    """An optimizer, those it wraps, and those that it is made of."""
    found = [optimizer]
    while hasattr(found[-1], "inner_optimizer"):
        found.append(found[-1].inner_optimizer)
    return [*found, *getattr(found[-1], "optimizers", ())]


def parts_with_rates(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """The optimizers that hold a learning rate: the one, or those a `MultiOptimizer` is made of.

    A `MultiOptimizer` that is not built yet is built here: only then is it known which of its parts have
    variables to train. The others are left out.

    Raises:
        RuntimeError: If it cannot be built because the model has no variables yet.
    """
    holder = rate_holder(model.optimizer)
    if not has_several_rates(holder):
        return [holder]
    if not holder.built:
        if not model.built:
            raise RuntimeError(
                "the parts of a `MultiOptimizer` that are used are known only once the model has variables. "
                "Call `model.build(input_shape)`, or give the model a `keras.Input`, before the sweep."
            )
        holder.build(model.trainable_variables)
    return [part for part in holder.optimizers if part.built]


def is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer's rate is a number that can be set, not a schedule or a callable."""
    return isinstance(rate_holder(optimizer).learning_rate, keras.Variable)


def rate_object(optimizer: keras.optimizers.Optimizer) -> Any:
    """The schedule or callable that sets the optimizer's rate.

    Raises:
        RuntimeError: If this version of Keras keeps it where it cannot be read.
    """
    holder = rate_holder(optimizer)
    found = getattr(holder, RATE, None)
    if found is None:
        raise RuntimeError(
            f"the learning rate of this `{type(holder).__name__}` is a schedule, and Keras "
            f"{keras.__version__} keeps it where it cannot be read, so it could not be put back. Compile the "
            "model with a float `learning_rate` for the sweep."
        )
    return found


def rate_source(optimizer: keras.optimizers.Optimizer) -> str | None:
    """The name of the schedule or callable that sets the optimizer's rate; None where a float can be set."""
    if is_settable(optimizer):
        return None
    rate = getattr(rate_holder(optimizer), RATE, None)
    return getattr(rate, "__name__", type(rate).__name__)


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
                "a sweep keeps the ratios between the rates of an optimizer made of several, and the rate of "
                f"its `{type(part).__name__}` is set by `{rate_source(part)}`. Give each of them a float "
                "`learning_rate` for the sweep."
            )
    rates = np.array([float(keras.ops.convert_to_numpy(part.learning_rate)) for part in parts])
    return rates / rates.max() if rates.max() > 0 else np.ones(len(parts))


def steps_done(optimizer: keras.optimizers.Optimizer) -> int:
    """How many batches the optimizer has been given: what a schedule inside it counts.

    With gradient accumulation that is more than the updates it made; with a loss scale, batches whose
    gradients overflowed are not counted.
    """
    holder = rate_holder(optimizer)
    batches = getattr(holder, COUNT_OF_BATCHES, None)
    if batches is None:  # the public count is of updates
        return int(to_numpy(holder.iterations)) * (holder.gradient_accumulation_steps or 1)
    return int(to_numpy(batches))


def steps_of_fit(callback: keras.callbacks.Callback, argument: str) -> int:
    """How many steps the `fit` of this callback takes in all its epochs.

    Raises:
        ValueError: If that is unknown; the message says to give the callback `argument`.
    """
    params = callback.params or {}
    if not params.get("steps"):
        owner = type(callback).__name__
        raise ValueError(
            f"`{owner}`: the length of this `fit` is unknown. Give `{owner}` `{argument}`, or `fit` "
            "`steps_per_epoch`."
        )
    return params["epochs"] * params["steps"]


def index_of(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """The place of a variable, and of what an optimizer of ours keeps for it, among those that it trains.

    Raises:
        RuntimeError: If this version of Keras finds it in another way.
    """
    found = getattr(optimizer, "_get_variable_index", None)
    if found is None:
        raise RuntimeError(
            f"`{type(optimizer).__name__}` does not find its momentum with Keras {keras.__version__}: use "
            "`keras.optimizers.SGD`."
        )
    return found(variable)


def set_learning_rate(optimizer: keras.optimizers.Optimizer, lr: float) -> None:
    """Set the rate of the optimizer's next step; the optimizer's rate must be settable."""
    rate_holder(optimizer).learning_rate = lr


# The fit ----------------------------------------------------------------------------------------------------


@contextmanager
def closed_on_error(close: Callable[[], None]) -> Iterator[None]:
    """Call `close` if the body raises, as `fit` then calls no `on_train_end`; not at the end of the data."""
    try:
        yield
    except end_of_data():
        raise
    except BaseException:
        close()
        raise


def running_fit() -> keras.callbacks.CallbackList | None:
    """The `CallbackList` of the `fit` that is running around the caller, in this thread; None outside of one.

    Keras does not give a callback its neighbours, so their list is found among the callers.
    """
    frame: FrameType | None = inspect.currentframe()
    frame = frame.f_back if frame is not None else None  # not this one, which would hold itself and them all
    found = None
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.callbacks.CallbackList):
            found = owner
            break
        listed = frame.f_locals.get("callbacks")
        if isinstance(listed, keras.callbacks.CallbackList):
            found = listed
            break
        frame = frame.f_back
    del frame
    return found


def fit_is_running(model: keras.Model) -> bool:
    """Whether the caller was called by a `fit` of this model, in this thread."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return True
        frame = frame.f_back
    return False


def callbacks_of_fit() -> list[keras.callbacks.Callback]:
    """The list of callbacks, not a copy, of the `fit` that is calling a hook now; empty outside of one."""
    fit = running_fit()
    return [] if fit is None else fit.callbacks


def limited_by_keras() -> bool:
    """Whether Keras's own debug limits (`keras.config.set_max_epochs` and the like) shorten every `fit`."""
    names = ("max_epochs", "max_steps_per_epoch")
    return any(getattr(keras.config, name, lambda: None)() for name in names)


def check_sole_driver(callback: keras.callbacks.Callback) -> None:
    """Raise if another callback of this `fit` sets the learning rate as well.

    Keras's own are known; any other callback says so with a true attribute `drives_learning_rate`.
    """
    owner = getattr(callback, "owner", type(callback).__name__)
    for other in callbacks_of_fit():
        drives = isinstance(other, KERAS_RATE_DRIVERS) or getattr(other, "drives_learning_rate", False)
        if other is not callback and drives:
            raise RuntimeError(
                f"`{owner}` and `{type(other).__name__}` both drive the learning rate of "
                "this `fit`. Give it one of them."
            )


def warn_of_scaled_weights(owner: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Warn if a rate that changes does not change how fast the weights learn, but the weights: `Ftrl`.

    It computes the weights anew in each step, as the rate times what it has summed up so far.
    """
    if any(isinstance(part, keras.optimizers.Ftrl) for part in parts_of(optimizer)):
        warn(
            f"`{owner}`: `Ftrl` makes the weights anew in each step, in proportion to the learning rate, so "
            "that raising the rate scales up the weights. Neither a sweep nor a cycle says how fast to learn "
            "with it. Use another optimizer."
        )


def check_can_drive(callback: keras.callbacks.Callback) -> None:
    """Raise unless this callback alone can set the learning rate of its `fit`: a single rate, a number."""
    check_sole_driver(callback)
    owner, optimizer = type(callback).__name__, callback.model.optimizer
    warn_of_scaled_weights(owner, optimizer)
    if has_several_rates(optimizer):
        raise RuntimeError(
            f"`{owner}` sets one learning rate, and this optimizer is made of several with their own. "
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
            owner = callback.owner
            is_named = owner == type(callback).__name__
            how = f"Name `{owner}` last in `callbacks`" if is_named else "Leave it out of `callbacks`"
            raise RuntimeError(
                f"`EarlyStopping(restore_best_weights=True)` after `{owner}` would put weights of the sweep "
                f"into the model at the end. {how}."
            )


def call_first(callback: keras.callbacks.Callback) -> None:
    """Have the running `fit` call this callback first: the others then see what it puts in `logs`."""
    callbacks = callbacks_of_fit()
    if callback in callbacks:
        callbacks.insert(0, callbacks.pop(callbacks.index(callback)))


# Data -------------------------------------------------------------------------------------------------------


def array_batches(x: Any, y: Any, sample_weight: Any, batch_size: int, steps: int) -> Any:
    """The batches that `fit` makes of arrays on TensorFlow, reshuffled every pass, `steps` of them.

    Many batches are gathered at once and then cut, which is faster for a small network than a gather for
    each. Autotuning is off: it gains nothing on arrays in memory, and its thread delays the end of a short
    `fit`.

    Returns:
        A `tf.data.Dataset`; None if this version of Keras makes its batches in another way, so that `fit`
        must get the arrays.
    """
    adapter = private("keras.src.trainers.data_adapters.array_data_adapter:ArrayDataAdapter")
    if adapter is None or BACKEND != "tensorflow":
        return None
    arrays = [array for array in keras.tree.flatten((x, y, sample_weight)) if array is not None]
    at_once = _batches_at_once(arrays, batch_size) * batch_size
    batches = adapter(x, y, sample_weight, batch_size=at_once, shuffle=True).get_tf_dataset()
    evenly = int(arrays[0].shape[0]) % batch_size == 0
    return tensorflow().cut(batches.prefetch(GATHERED_AHEAD), at_once, batch_size, steps, evenly=evenly)


def _batches_at_once(arrays: list, batch_size: int) -> int:
    """How many batches of NumPy arrays make up `GATHERED_AT_ONCE` bytes; 1 for other kinds of array."""
    present = [array for array in arrays if array is not None]
    if not all(isinstance(array, np.ndarray) for array in present):
        return 1
    bytes_of_batch = batch_size * sum(array.nbytes for array in present) / len(present[0])
    return max(1, int(GATHERED_AT_ONCE / max(1, bytes_of_batch)))


def stop_workers(py_dataset: keras.utils.PyDataset) -> None:
    """End the threads that still load batches of `py_dataset`: `fit` leaves them if it stops in mid-epoch.

    An error in a batch that was loaded ahead and never asked for is not raised.
    """
    enqueuers = private("keras.src.trainers.data_adapters.py_dataset_adapter:OrderedEnqueuer") or ()
    for thread in threading.enumerate():
        enqueuer = getattr(getattr(thread, "_target", None), "__self__", None)
        if isinstance(enqueuer, enqueuers) and enqueuer.py_dataset is py_dataset:
            with suppress(Exception):
                enqueuer.stop()


# Randomness -------------------------------------------------------------------------------------------------


def random_states() -> Callable[[], None]:
    """Read the state of the global generators of Keras and TensorFlow; calling the result puts it back."""
    name = private("keras.src.random.seed_generator:GLOBAL_SEED_GENERATOR") or GENERATOR_OF_SEEDS
    state = private("keras.src.backend.common:global_state")
    generator = None if state is None else state.get_global_attribute(name)
    seeds = None if generator is None else to_numpy(generator.state)
    eager = getattr(_eager_context(), "_rng", None)
    eager_state = None if eager is None else eager.getstate()

    def put_back() -> None:
        if eager is not None:
            eager.setstate(eager_state)
        if generator is not None:
            generator.state.assign(seeds)
        if state is not None:
            state.set_global_attribute(name, generator)

    return put_back


def _eager_context() -> Any:
    """TensorFlow's eager context, which holds its global seed; None without TensorFlow."""
    context = None if tensorflow() is None else private("tensorflow.python.eager.context:context")
    return None if context is None else context()


@contextmanager
def seeded_if_unseeded(seed: int = 0) -> Iterator[None]:
    """Give TensorFlow a global seed for a while, unless it has one, and leave no trace of it."""
    context = _eager_context()
    if context is None or not hasattr(context, "_seed") or context._seed is not None:
        yield
        return
    with (  # not by `set_seed`, which starts the counters of seeded operations again
        replaced_attribute(context, "_seed", seed),
        replaced_attribute(context, "_rng", random.Random(seed)),
    ):
        yield


@contextmanager
def optimizer_in_place(model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Let `model` train with a fresh copy of `optimizer` for a while; its own, loss and metrics stay.

    Args:
        model: A compiled `keras.Model`.
        optimizer: A `keras.optimizers.Optimizer`, or the name or config of one; it is not changed.
    """
    with variable_scope(model):
        fresh = _fresh_copy(keras.optimizers.get(optimizer))
        scaled = keras.optimizers.LossScaleOptimizer
        if isinstance(model.optimizer, scaled) and not isinstance(fresh, scaled):
            fresh = scaled(fresh)
        if model.built:
            fresh.build(model.trainable_variables)
    with ExitStack() as stack:
        for name, function in recompiled_functions(model).items():
            stack.enter_context(replaced_attribute(model, name, function))
        stack.enter_context(replaced_attribute(model, "optimizer", fresh))
        stack.enter_context(replaced_attribute(model, "train_function", None))
        if BACKEND == "jax":
            step = _another_function(model.train_step)
            stack.enter_context(replaced_attribute(model, "train_step", step))
        yield  # all that was traced with the model's own is traced anew


def _fresh_copy(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """A copy with all that was set on it; one in use is bound to its variables, so its config is copied."""
    if optimizer.built:
        return optimizer.from_config(optimizer.get_config())
    fresh = optimizer.__new__(type(optimizer))
    memo = {id(optimizer): fresh}  # what belongs to the process, such as devices, is shared
    shared = [each for each in vars(optimizer).values() if type(each).__module__.startswith("tensorflow")]
    memo |= {id(each): each for each in shared if not (is_variable(each) or isinstance(each, list | dict))}
    vars(fresh).update(copy.deepcopy(vars(optimizer), memo))
    return fresh
