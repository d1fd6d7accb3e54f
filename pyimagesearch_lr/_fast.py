"""The recorder inside TensorFlow's compiled train step: the same curve, many steps per execution.

An accelerator: without this file, or with a Keras that has other private names, the plain recorder of
`recording` does the work. Checked against Keras 3.15 on TensorFlow 2.21.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pyimagesearch_lr import _keras, _tensorflow

MAX_LOGS = 64
LONGEST_EXECUTION = 256
SECONDS_OF_EXECUTION = 0.1
FIRST_EXECUTION = 16
FAST, PLAIN = "fast", "plain"
SERVED = {  # the worst of its three rows decides
    "data": {
        "arrays": FAST,
        "tf.data": FAST,
        "PyDataset": FAST,
        "generator": FAST,
        "any": FAST,  # of a user's own `fit`
    },
    "optimizer": {
        "number": FAST,
        "schedule": FAST,
        "several": FAST,
    },
    "model": {
        "Keras's train step": FAST,
        "its own train step": FAST,
        "eager": FAST,
        "on several devices": FAST,
        "a train step that is a tf.function": PLAIN,  # it keeps its own trace
        "its own train function": PLAIN,  # it may look up the train step late
        "its own fit": PLAIN,
    },
}
ONE_STEP = ("generator", "eager", "on several devices")  # an execution takes one step, or as many as compiled


def kinds(model: keras.Model, rates: Any, data: str = "any") -> dict[str, str]:
    """The row of `SERVED` that applies, for each of its three parts."""
    if any(not _keras.is_settable(part) for part in rates.parts):
        optimizer = "schedule"
    else:
        optimizer = "number" if len(rates.parts) == 1 else "several"
    if type(model).make_train_function is not keras.Model.make_train_function:
        kind = "its own train function"
    elif type(model).fit is not keras.Model.fit:
        kind = "its own fit"
    elif _tensorflow.is_compiled(model.train_step) or (optimizer == "schedule" and _compiles_a_part(model)):
        kind = "a train step that is a tf.function"
    elif model.run_eagerly:
        kind = "eager"
    elif _tensorflow.num_replicas(model) > 1:
        kind = "on several devices"
    else:
        keras_trains = type(model).train_step is keras.Model.train_step
        kind = "Keras's train step" if keras_trains else "its own train step"
    return {"data": data, "optimizer": optimizer, "model": kind}


def _compiles_a_part(model: keras.Model) -> bool:
    """Whether its own train step may call a `tf.function` of its own, which keeps the schedule."""
    is_own = type(model).train_step is not keras.Model.train_step or "train_step" in vars(model)
    return is_own and bool(_tensorflow.compiled_functions(model))


def recorder_for(
    model: keras.Model, rates: Any, data: str, one_by_one: bool, traces: dict
) -> FastSteps | None:
    """The recorder for a `fit` of this model; None where the table says plain.

    Args:
        model: A compiled `keras.Model`.
        rates: `recording.Rates`, what is to be set.
        data: String, a row of `SERVED["data"]`.
        one_by_one: Bool, whether somebody could notice executions of several steps.
        traces: Dict in which the traced train function is kept for the next sweep.
    """
    found = kinds(model, rates, data)
    if PLAIN in (SERVED[part][row] for part, row in found.items()):
        return None
    single = one_by_one or model.steps_per_execution > 1 or any(row in ONE_STEP for row in found.values())
    trace = traces.get("trace")
    if trace is None or not trace.serves(model, rates):
        traces["trace"] = trace = Trace(model, rates)
    return FastSteps(trace, rates, in_long_executions=not single and data != "any")


class FastSteps:
    """What `recording.PlainSteps` does, inside the compiled step.

    Args:
        trace: `Trace`, the compiled step.
        rates: `recording.Rates`, installed.
        in_long_executions: Bool, whether a call of the train function may take as many steps as fit into
            `SECONDS_OF_EXECUTION`, though none after the last rate.
    """

    name = FAST

    def __init__(self, trace: Trace, rates: Any, *, in_long_executions: bool = False):
        self._trace = trace
        self._rates = rates
        self._in_long_executions = in_long_executions

    @contextmanager
    def installed(self) -> Iterator[Callable]:
        """Give the train function that records; beyond the end of the rates it keeps the last."""
        self._trace.begin(self._rates)
        if self._in_long_executions:
            yield self._trace.repeated(len(self._rates.table))
        else:
            yield self._trace.train_function

    def before(self, step: int) -> None:
        """Nothing: the compiled step sets its rate and resets the metrics."""

    def after(self, logs: dict[str, Any]) -> list[dict[str, float]]:
        """The logs of every step since the last call, in order."""
        return self._trace.read()

    def unread(self) -> list[dict[str, float]]:
        """The logs of steps that an execution did before one raised."""
        return self._trace.read()

    def rewind(self) -> None:
        """Begin with the first rate again."""
        self._trace.rewind()


class Trace:
    """A train step that sets the rate of each step and keeps each step's logs, traced once.

    `fit` hands callbacks the epoch's running mean, once per execution. Here the metrics are reset at the
    start of each step inside the graph, so the logs are that step's own (what `train_on_batch` would return),
    and they are written to a buffer, so that one execution may hold many steps.

    Args:
        model: A compiled `keras.Model`.
        rates: `recording.Rates`, installed: the variables that hold the rate.
    """

    def __init__(self, model: keras.Model, rates: Any):
        self.model = model
        self.capacity = max(LONGEST_EXECUTION, model.steps_per_execution)
        self._traced_for = _what_is_traced(model, rates)
        self._names: list[str] = []
        self._read = 0
        self._steps_at_once = 1
        self._many_steps: Callable | None = None
        self._rate_variables = list(rates.variables)
        with model.distribute_strategy.scope():
            self._rates = tf.Variable(
                np.zeros((1, len(self._rate_variables)), "float32"),
                shape=(None, len(self._rate_variables)),
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
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
        made_anew = _keras.train_function_made_anew(model, self._recorded(model.train_step))
        with made_anew as self.train_function:
            pass

    def serves(self, model: keras.Model, rates: Any) -> bool:
        """Whether the train function is that of `model` as it is compiled now."""
        return _keras.is_same_trace(self._traced_for, _what_is_traced(model, rates))

    def begin(self, rates: Any) -> None:
        """Begin with the first of new rates."""
        self._rates.assign(rates.table)
        self.rewind()

    def rewind(self) -> None:
        """Begin with the first rate again."""
        self._step.assign(0)
        self._read = 0

    def read(self) -> list[dict[str, float]]:
        """The logs of every step since the last call, in order."""
        done = int(self._step.numpy())
        slots = np.arange(self._read, done) % self.capacity
        rows = np.array(self._logs.numpy())[slots, : len(self._names)].tolist()
        self._read = done
        return [dict(zip(self._names, row, strict=True)) for row in rows]

    def repeated(self, num_steps: int) -> Callable:
        """A train function that takes as many steps as fit into `SECONDS_OF_EXECUTION`.

        The first call takes one step; each call takes twice as many as the one before while that was quick
        enough. A later sweep begins with the number that the last one reached, up to `FIRST_EXECUTION`: its
        batches may be larger.
        """
        self._steps_at_once = min(self._steps_at_once, FIRST_EXECUTION)
        if self._many_steps is None:
            self._many_steps = self._looped(self.train_function)
        many_steps = self._many_steps

        def repeated_train_function(iterator: Any) -> dict[str, Any]:
            started = time.perf_counter()
            steps_left = num_steps - int(self._step.numpy())
            done, logs = many_steps(iterator, tf.constant(min(self._steps_at_once, steps_left)))
            if int(done) == 0:
                raise StopIteration
            seconds = time.perf_counter() - started
            if seconds < SECONDS_OF_EXECUTION / 2:
                self._steps_at_once = min(2 * self._steps_at_once, LONGEST_EXECUTION)
            elif seconds > SECONDS_OF_EXECUTION:
                self._steps_at_once = max(1, self._steps_at_once // 2)
            return logs

        return repeated_train_function

    def _looped(self, train_function: Callable) -> Callable:
        """`(iterator, steps) -> (steps done, logs of the last)`, compiled; fewer if the data ends."""

        def many_steps(iterator: Any, steps: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            def goes_on(step: tf.Tensor, batch: tf.experimental.Optional) -> tf.Tensor:
                return tf.logical_and(step < steps, batch.has_value())

            def train(step: tf.Tensor, batch: tf.experimental.Optional) -> tuple:
                train_function([batch.get_value()])
                is_last = step + 1 == steps
                return step + 1, tf.cond(is_last, lambda: batch, iterator.get_next_as_optional)

            done, _ = tf.while_loop(goes_on, train, [tf.constant(0), iterator.get_next_as_optional()])
            last = tf.convert_to_tensor(self._logs)[(self._step - 1) % self.capacity]
            return done, {name: last[column] for column, name in enumerate(self._names)}

        return tf.function(many_steps, reduce_retracing=True, autograph=False)

    def _recorded(self, train_step: Callable) -> Callable:
        def recorded_train_step(data: Any) -> dict[str, Any]:
            self.model.reset_metrics()
            self._set_rate()
            logs = train_step(data)
            self._write(logs)
            return logs

        return recorded_train_step

    def _set_rate(self) -> None:
        rates = tf.convert_to_tensor(self._rates)
        last = tf.shape(rates, out_type=tf.int64)[0] - 1
        row = rates[tf.minimum(tf.convert_to_tensor(self._step), last)]
        for column, variable in enumerate(self._rate_variables):
            variable.assign(row[column])

    def _write(self, logs: dict[str, Any]) -> None:
        scalars = {name: value for name, value in logs.items() if len(ops.shape(value)) == 0}
        if len(scalars) > MAX_LOGS:
            raise ValueError(
                f"a sweep records up to {MAX_LOGS} logs per step, and this train step returned "
                f"{len(scalars)}: {sorted(scalars)}. Compile the model with fewer metrics for the sweep."
            )
        self._names = list(scalars)
        row = ops.stack([ops.cast(scalars[name], "float32") for name in self._names])
        slot = ops.cast(self._step % self.capacity, "int32")
        _tensorflow.assign_part(self._logs._value, [slot, 0], [slot + 1, len(self._names)], row[None, :])
        self._step.assign_add(1)


def _what_is_traced(model: keras.Model, rates: Any) -> tuple:
    return (*_keras.what_is_traced(model), *rates.variables)
