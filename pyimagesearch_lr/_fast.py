"""The recorder inside TensorFlow's compiled train step: a rate and a record for every step, many at a time.

Checked against Keras 3.15 on TensorFlow 2.21.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pyimagesearch_lr import _keras
from pyimagesearch_lr._momentum import TracedOnce

MAX_LOGS = 64
LONGEST_EXECUTION = 256
SECONDS_OF_EXECUTION = 0.1
FIRST_EXECUTION = 16


def executes_single_steps(model: keras.Model) -> bool:
    """Whether an execution is one compiled step on one device, as Keras has it by default."""
    on_one_device = model.distribute_strategy.num_replicas_in_sync == 1
    keras_makes_it = type(model).make_train_function is keras.Model.make_train_function
    compiled = keras_makes_it and not model.run_eagerly
    return on_one_device and compiled and model.steps_per_execution == 1


class StepRecorder(TracedOnce):
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
        self.capacity = max(LONGEST_EXECUTION, model.steps_per_execution)
        self._names: list[str] = []
        self._read = 0
        self._steps_at_once = 1
        self._many_steps: Callable | None = None
        with model.distribute_strategy.scope():
            self._rates = tf.Variable(
                [[0.0]],
                shape=(None, None),
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

    @contextmanager
    def installed(self, rates: np.ndarray, *, in_long_executions: bool = False) -> Iterator[Callable]:
        """Put the recorder into the model; give the train function that has it; take it out at the end.

        Args:
            rates: float array of shape `(steps,)`, the rate of each step; the last one serves beyond its end.
                Of an optimizer made of several it is the rate of the one that now has the highest; the others
                keep their ratio to it.
            in_long_executions: Bool, whether a call of the train function may take as many steps as fit into
                `SECONDS_OF_EXECUTION`, but none after the last rate. For models of which
                `executes_single_steps` is true.
        """
        parts = _keras.parts_with_rates(self.model)
        self._rates.assign(np.outer(rates, _keras.shares_of_rate(parts)))
        self.rewind()
        with ExitStack() as stack:
            for number, part in enumerate(parts):
                schedule = _RateOfStep(self._rates, self._step, number)
                stack.enter_context(_keras.replaced_attribute(part, "_learning_rate", schedule))
            train_step = self._wrap(self.model.train_step)
            train_function = stack.enter_context(self._train_function_installed(train_step))
            yield self._repeated(train_function, len(rates)) if in_long_executions else train_function

    def _repeated(self, train_function: Callable, num_steps: int) -> Callable:
        """A train function that calls one of a single step as often as fits into `SECONDS_OF_EXECUTION`.

        The first call takes one step, and a call twice as many as the one before while that was quick enough.
        A later sweep begins where an earlier one came to, but low: its batches may be larger.
        """
        self._steps_at_once = min(self._steps_at_once, FIRST_EXECUTION)
        if self._many_steps is None:
            self._many_steps = self._looped(train_function)
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
        """`(iterator, steps) -> (steps done, logs of the last)`, compiled; fewer are done where data end."""

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
        slot = ops.cast(self._step % self.capacity, "int32")
        _keras.assign_part(self._logs._value, [slot, 0], [slot + 1, len(self._names)], row[None, :])
        self._step.assign_add(1)


class _RateOfStep(keras.optimizers.schedules.LearningRateSchedule):
    """Looks the rate up by the recorder's own count of steps, not by the optimizer's."""

    def __init__(self, rates: tf.Variable, step: keras.Variable, column: int):
        self._rates = rates
        self._step = step
        self._column = column

    def __call__(self, step: Any) -> Any:
        rates = tf.convert_to_tensor(self._rates)
        last = tf.shape(rates, out_type=tf.int64)[0] - 1
        return rates[tf.minimum(tf.convert_to_tensor(self._step), last), self._column]
