"""The engine: train along given rates inside `fit`, record every step's own logs, put everything back.

Before a step its rate is set and the metrics are reset, so after it `logs` are that step's own, what
`train_on_batch` would return. This needs only Keras's public API, on any backend. `_fast` does the same
inside TensorFlow's compiled step, where that saves time.
"""

from __future__ import annotations

import functools
import math
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras, _state
from pyimagesearch_lr._arguments import COUNT, flag, optional, path, text, whole
from pyimagesearch_lr._watch import TrainingWatch
from pyimagesearch_lr.sweep import Sweep

USES = (
    "fit",
    "evaluate",
    "predict",
    "train_on_batch",
    "test_on_batch",
    "predict_on_batch",
    "save",
    "save_weights",
    "load_weights",
    "get_weights",
    "set_weights",
    "export",
    "compile",
)
VERBOSE = whole("0, 1 or 2", lambda value: 0 <= value <= 2)
FINAL_AFTER_FIT = _keras.BACKEND == "jax"  # until `fit` returns, it overwrites what a hook puts back


class Recorder(_keras.OwnCallback):
    """Trains along the rates of a `Sweep`, once or several times, and leaves the model as it was.

    A subclass says what the rates are, in `new_sweep`. It can be given to any `fit`; the recording ends it
    through `stop_training` when the sweep is over.

    Args:
        num_steps: Int, how many steps a sweep takes; None takes all of the `fit`, divided by `repeats`.
        repeats: Int, how many sweeps to make, each from the same state and on the batches that come next.
        monitor: String, the key of `logs` that is taken as the loss.
        validation_data: As in `fit`; the loss on these data after every rate is then what is recorded.
        validation_steps: Int, as in `fit`.
        independent: Bool, whether the model is put back after every rate.
        snapshot_dir: Folder for the copy of the model's state; None keeps it in memory.
        restore: Bool, whether to put the state back at the end.
        verbose: Int, 0 for silence, 1 for a progress bar, 2 for a line at the end.
        data: String, what `fit` is given, a key of `_fast.SERVED["data"]`.
        traces: Dict in which traced train functions are kept from one sweep to the next; None keeps none.

    Attributes:
        sweeps: List of `Sweep`, those of the last `fit`; the last one may be unfinished.
        recorded_by: String, which recorder the last `fit` had: "plain" or "fast"; None before the first.
    """

    drives_learning_rate = True
    owner = property(lambda self: type(self).__name__, doc="The name that messages give this callback.")

    def __init__(
        self,
        num_steps: int | None = None,
        *,
        repeats: int = 1,
        monitor: str = "loss",
        validation_data: Any = None,
        validation_steps: int | None = None,
        independent: bool = False,
        snapshot_dir: str | os.PathLike | None = None,
        restore: bool = True,
        verbose: int = 0,
        data: str = "any",
        traces: dict | None = None,
    ) -> None:
        super().__init__()
        restore = flag(self.owner, "restore", restore)
        if not restore and (repeats > 1 or independent):
            what = f"repeats={repeats}" if repeats > 1 else "independent=True"
            raise ValueError(
                f"`{self.owner}`: starting again from the same state needs `restore=True`. "
                f"Received: {what}, restore=False."
            )
        self.num_steps = num_steps
        self.repeats = repeats
        self.monitor = text(self.owner, "monitor", monitor)
        self.validation_data = validation_data
        self.validation_steps = optional(COUNT)(self.owner, "validation_steps", validation_steps)
        self.independent = independent
        self.snapshot_dir = optional(path)(self.owner, "snapshot_dir", snapshot_dir)
        self.restore = restore
        self.verbose = VERBOSE(self.owner, "verbose", verbose)
        self.sweeps: list[Sweep] = []
        self.recorded_by: str | None = None
        self.data = data
        self.traces = traces
        self._fit: _Fit | None = None

    def new_sweep(self, num_steps: int) -> Sweep:
        """A sweep of `num_steps` steps that has not begun."""
        raise NotImplementedError

    def shown_rate(self, sweep: Sweep) -> tuple[str, float]:
        """Name and value of the rate that the progress bar shows."""
        return "lr", float(sweep.lrs[max(0, len(sweep.losses) - 1)])

    def shown_loss(self, sweep: Sweep) -> float:
        """The loss that the progress bar shows."""
        return sweep.losses[-1]

    @property
    def acts_after_each_rate(self) -> bool:
        """Whether there is something to do between the steps of one rate and those of the next."""
        return self.validation_data is not None or self.independent

    def is_validated(self, sweep: Sweep) -> bool:
        """Whether the loss on `validation_data` is recorded after the next step: the last at its rate."""
        return sweep.closes_rate

    def close(self, reason: str = "interrupted") -> None:
        """End the recording and put everything back; `fit` does this by itself. Harmless when done twice."""
        if self.sweeps:
            self.sweeps[-1].stop(reason)
        if self._fit is not None:
            fit, self._fit = self._fit, None
            fit.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.close()
        self.sweeps = []
        _keras.check_sole_driver(self)
        if self.restore:
            _keras.check_puts_weights_back_last(self)
        steps = self.num_steps or _keras.steps_of_fit(self, "num_steps") // self.repeats
        self.sweeps = [self.new_sweep(steps)]
        self._fit = _Fit(self, self.model, self.sweeps[0])
        with _keras.closed_on_error(self.close):
            self.recorded_by = self._fit.begin()
        self._progress = keras.utils.Progbar(
            self.repeats * self.sweeps[0].num_steps,
            verbose=self.verbose,
            stateful_metrics=["lr", "max_lr", "loss"],
        )

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        with self._closed_on_error():
            if self._fit is not None and self.model is not None:  # asking for `model` syncs JAX's state
                self._fit.before_step(self.sweeps[-1].step)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        with self._closed_on_error():
            if self._fit is not None and self.model is not None:
                self._record(self._fit, self._fit.steps_done(logs or {}))

    def on_test_begin(self, logs: dict | None = None) -> None:
        if self._fit is not None:
            self._fit.guard("test_function")

    def on_train_end(self, logs: dict | None = None) -> None:
        reason = self._reason_of_end()
        if self.sweeps:
            self.sweeps[-1].stop(reason)
        if self._fit is not None and not self._fit.is_left_to_its_end:
            self.close(reason)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_fit": None, "_progress": None, "traces": None}

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        with _keras.closed_on_error(self.fail):
            yield

    def fail(self) -> None:
        """What to do at once after an error inside `fit`; on JAX the rest waits for the end of `fit`."""
        if self.sweeps:
            self.sweeps[-1].stop("interrupted")
        if self._fit is not None and not self._fit.is_left_to_its_end:
            self.close()

    def _reason_of_end(self) -> str:
        if self.model.stop_training:
            return "stopped"
        return "limited" if _keras.limited_by_keras() else "exhausted"

    def _record(self, fit: _Fit, steps: list[dict[str, float]]) -> None:
        if self.acts_after_each_rate:
            self._check_within_a_rate(len(steps))
        sweep = self.sweeps[-1]
        losses = [self._loss_of(logs) for logs in steps]
        fit.check(losses, sweep.lr)
        for loss, logs in zip(losses, steps, strict=True):
            if sweep.stop_reason is None:
                sweep.record(loss, logs, self._validation_loss(sweep))
        if self.independent and sweep.opens_rate and sweep.stop_reason is None:
            fit.put_back()
        if sweep.losses and self.verbose:
            self._show(sweep)
        if sweep.stop_reason is not None:
            self._next_sweep(fit)

    def is_over_after(self, steps: list[dict[str, float]]) -> bool:
        """Record these steps; return whether the sweep is over."""
        if steps and self._fit is not None:
            self._record(self._fit, steps)
        return self.sweeps[-1].stop_reason is not None

    def _next_sweep(self, fit: _Fit) -> None:
        """Go on with the next repetition from the same state, or end `fit` after the last."""
        if len(self.sweeps) == self.repeats:
            self.model.stop_training = True
            return
        fit.put_back()
        self.sweeps.append(self.new_sweep(self.sweeps[-1].num_steps))
        fit.rewind()

    def _show(self, sweep: Sweep) -> None:
        done = (len(self.sweeps) - 1) * sweep.num_steps + sweep.step
        is_last = sweep.stop_reason is not None and len(self.sweeps) == self.repeats
        values = [self.shown_rate(sweep), ("loss", self.shown_loss(sweep))]
        self._progress.update(done, values, finalize=is_last)

    def _loss_of(self, step_logs: dict[str, float]) -> float:
        if self.monitor not in step_logs:
            raise ValueError(
                f"`{self.owner}`: the train step returned no {self.monitor!r}. It returned "
                f"{sorted(step_logs)}; set `monitor` to one of them."
            )
        return step_logs.pop(self.monitor)

    def _check_within_a_rate(self, num_steps: int) -> None:
        sweep = self.sweeps[-1]
        done = sweep.step % sweep.steps_per_lr
        if done + num_steps > sweep.steps_per_lr:
            raise ValueError(
                f"`{self.owner}`: with `validation_data` or `independent`, an execution must not "
                f"span two rates, and one took steps {done + 1} to {done + num_steps} of "
                f"{sweep.steps_per_lr}: `steps_per_execution` does not divide the batches of a pass. "
                "Compile with `steps_per_execution=1`, or give `fit` a dataset that repeats."
            )

    def _validation_loss(self, sweep: Sweep) -> float | None:
        if self.validation_data is None or not self.is_validated(sweep):
            return None
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(self.validation_data)
        logs = self.model.evaluate(
            x, y, sample_weight=sample_weight, steps=self.validation_steps, verbose=0, return_dict=True
        )
        return self._loss_of(logs)


class PlainSteps:
    """Sets the rate and resets the metrics before every step, so that the step's logs are its own."""

    name = "plain"

    def __init__(self, model: keras.Model, rates: Rates, traces: dict | None = None):
        self._model = model
        self._rates = rates
        self._traces = {} if traces is None else traces

    @contextmanager
    def installed(self) -> Iterator[Callable]:
        """Give the train function to use: the model's own, traced again if its optimizer had a schedule."""
        made_anew = _keras.train_function_made_anew(self._model) if self._rates.replaces_a_schedule else None
        with made_anew or nullcontext(self._own_train_function()) as train_function:
            yield train_function

    def _own_train_function(self) -> Callable:
        """That of the sweep before, which is compiled already, if the model is still what it was."""
        if type(self._model).make_train_function is not keras.Model.make_train_function:
            return self._model.train_function
        now = _keras.what_is_traced(self._model)
        traced_for, _ = self._traces.get(self.name, ((), None))
        if not _keras.is_same_trace(traced_for, now):
            self._traces[self.name] = now, self._model.train_function
        return self._traces[self.name][1]

    def before(self, step: int) -> None:
        self._model.reset_metrics()
        self._rates.set(step)

    def after(self, logs: dict[str, Any]) -> list[dict[str, float]]:
        """The logs of the steps that were done, in order: here there is one."""
        return [{name: value for name, value in logs.items() if isinstance(value, (int, float))}]

    def unread(self) -> list[dict[str, float]]:
        """The logs of steps that were done before one raised."""
        return []

    def rewind(self) -> None:
        """Begin with the first rate again."""


def steps_recorder(
    model: keras.Model, rates: Rates, *, data: str, one_by_one: bool, traces: dict | None
) -> Any:
    """The recorder for the steps of a `fit`: the accelerator where it can be used, else `PlainSteps`.

    Args:
        model: A compiled `keras.Model`.
        rates: `Rates`, what is to be set.
        data: String, what `fit` is given.
        one_by_one: Bool, whether somebody could notice executions of several steps.
        traces: Dict in which traced train functions are kept from one sweep to the next, or None.

    Raises:
        RuntimeError: If an execution has several steps and only `PlainSteps` is left.
    """
    fast = fast_recorder_for(model, rates, data, one_by_one, {} if traces is None else traces)
    if fast is not None:
        return fast
    if model.steps_per_execution > 1:
        raise RuntimeError(
            f"each step of a sweep has its own rate, and with steps_per_execution="
            f"{model.steps_per_execution} this `fit` calls back only once per execution. Compile the model "
            "with `steps_per_execution=1`, or use `LearningRateFinder.find`, which sets it for the sweep."
        )
    return PlainSteps(model, rates, traces)


def fast_recorder_for(model: keras.Model, rates: Rates, data: str, one_by_one: bool, traces: dict) -> Any:
    """The accelerator's recorder, or None where it cannot be used, or is missing."""
    if _keras.BACKEND != "tensorflow" or _keras.is_newer_than_tested():
        return None
    try:
        from pyimagesearch_lr import _fast
    except ImportError:  # it needs private names of Keras and TensorFlow
        return None
    return _fast.recorder_for(model, rates, data, one_by_one, traces)


class Rates:
    """The learning rate of a model's optimizer as a number that can be set, even if it was a schedule.

    For an optimizer made of several, it is the rate of the part that has the highest now; the others keep
    their ratio to it.

    Args:
        model: A compiled `keras.Model`.
        step_lrs: float array of shape `(steps,)`, the rate of each step.
        independent: Bool, whether the model is put back after each rate.
    """

    def __init__(self, model: keras.Model, step_lrs: np.ndarray, *, independent: bool = False):
        self._independent = independent
        self.parts = _keras.parts_with_rates(model)
        self.table = np.outer(step_lrs, _keras.shares_of_rate(self.parts))
        self.replaces_a_schedule = not all(map(_keras.is_settable, self.parts))
        self.variables: list[keras.Variable] = []
        self._stand_ins: list[StandIn] = []
        self._model = model

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the rate be set inside; put back what was there."""
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(self._settable(part))
            yield

    @property
    def are_read(self) -> bool:
        """Whether the step, or what was traced for it, has read all that stands in for schedules."""
        return all(each.has_been_read for each in self._stand_ins)

    @contextmanager
    def in_a_step(self) -> Iterator[None]:
        """Take what is read inside for read by the step."""
        for each in self._stand_ins:
            each.is_in_a_step = True
        try:
            yield
        finally:
            for each in self._stand_ins:
                each.is_in_a_step = False

    def set(self, step: int) -> None:
        """Set the rate of the step; beyond the end, the last rate."""
        for variable, rate in zip(self.variables, self.table[min(step, len(self.table) - 1)], strict=False):
            variable.assign(rate)

    @contextmanager
    def _settable(self, part: keras.optimizers.Optimizer) -> Iterator[None]:
        if _keras.is_settable(part):
            before = _keras.to_numpy(part.learning_rate)
            self.variables.append(part.learning_rate)
            try:
                yield
            finally:
                part.learning_rate.assign(before)
            return
        schedule = _keras.rate_object(part)
        stand_in = self._stand_in(part, schedule)
        self._stand_ins.append(stand_in)
        part.learning_rate = stand_in
        try:
            yield
        finally:
            part.learning_rate = schedule
            stand_in.give_way()

    def _stand_in(self, part: keras.optimizers.Optimizer, schedule: Any) -> StandIn:
        if _keras.BACKEND != "jax":
            swept = _SWEPT_RATES.get(part)
            if swept is None or swept.schedule is not schedule:
                with _keras.variable_scope(self._model):
                    swept = _SWEPT_RATES[part] = SweptRate(schedule=schedule)
            self.variables.append(swept.variable)
            return swept
        if isinstance(self._model.optimizer, keras.optimizers.LossScaleOptimizer):
            raise RuntimeError(
                "on JAX a sweep counts the steps of an optimizer with a schedule, and a "
                "`LossScaleOptimizer` does not count steps that overflow. Compile the model with a float "
                "`learning_rate` for the sweep."
            )
        if self._independent:
            raise RuntimeError(
                "on JAX a sweep counts the steps of an optimizer with a schedule, and with `independent` "
                "each rate begins with the same count. Compile the model with a float `learning_rate` for "
                "the sweep."
            )
        return RateOfStep(self.table[:, 0].tolist(), _keras.steps_done(part))


class StandIn(keras.optimizers.schedules.LearningRateSchedule):
    """Stands in for an optimizer's schedule during a sweep.

    Attributes:
        is_in_a_step: Bool, whether a step is running now.
        has_been_read: Bool, whether a step, or the tracing of one, has asked for the rate.
    """

    is_in_a_step = False
    has_been_read = False

    def give_way(self) -> None:
        """The sweep is over."""


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class SweptRate(StandIn):
    """A rate that is set from outside, and before and after the sweep that of the schedule.

    What is compiled during a sweep may hold it for longer: it computes the schedule again once this has given
    way.

    Args:
        rate: Float, the first rate.
        schedule: Schedule or function that this stands in for, or None.
    """

    def __init__(self, rate: float = 0.0, schedule: Any = None):
        self.schedule = schedule
        self.variable = keras.Variable(
            rate, trainable=False, aggregation="only_first_replica", name="swept_learning_rate"
        )

    def __call__(self, step: Any) -> Any:
        self.has_been_read |= self.is_in_a_step
        rate = self.variable.value
        if self.schedule is None:
            return rate
        is_schedule = isinstance(self.schedule, keras.optimizers.schedules.LearningRateSchedule)
        own = self.schedule(step) if is_schedule else self.schedule()
        return keras.ops.where(keras.ops.isnan(rate), keras.ops.cast(own, rate.dtype), rate)

    def give_way(self) -> None:
        self.variable.assign(math.nan)

    def get_config(self) -> dict[str, Any]:
        return {"rate": float(_keras.to_numpy(self.variable))}


_SWEPT_RATES: weakref.WeakKeyDictionary[Any, SweptRate] = weakref.WeakKeyDictionary()  # by the optimizer


@keras.saving.register_keras_serializable("pyimagesearch_lr")
class RateOfStep(StandIn):
    """Stands in for an optimizer's schedule during a sweep on JAX, whose compiled step has no other state.

    Args:
        rates: List of floats, the rate of each step.
        origin: Int, the optimizer's count of steps at the first rate.
    """

    def __init__(self, rates: list[float], origin: int):
        self.rates, self.origin = rates, origin

    def __call__(self, step: Any) -> Any:
        self.has_been_read |= self.is_in_a_step
        place = keras.ops.clip(keras.ops.cast(step, "int32") - self.origin, 0, len(self.rates) - 1)
        return keras.ops.take(keras.ops.convert_to_tensor(self.rates, "float32"), place)

    def get_config(self) -> dict[str, Any]:
        return {"rates": self.rates, "origin": self.origin}


class _Fit:
    """What a recording holds during a `fit`: the steps' recorder, the copy of the state, the safety nets."""

    def __init__(self, recorder: Recorder, model: keras.Model, sweep: Sweep):
        self._recorder = recorder
        self._model = model
        self._stack = ExitStack()
        self._snapshot: _state.Snapshot | None = None
        self._is_prepared = False
        self._close = recorder.close
        self._fail = recorder.fail
        self._sweep = sweep
        self._owner = recorder.owner
        self._finalizer: Any = None
        self.watch = TrainingWatch(self._owner, model, sweep.num_steps)

    @property
    def is_left_to_its_end(self) -> bool:
        """Whether the state will be put back only after `fit` has returned."""
        return FINAL_AFTER_FIT and self._finalizer is not None

    def begin(self) -> str:
        """Copy the state, install the recorder and the safety nets; return the recorder's name."""
        recorder, model = self._recorder, self._model
        running = _keras.running_fit()
        self._finalizer = None if running is None else weakref.finalize(running, self._close)
        if self._finalizer is not None:
            self._finalizer.atexit = False
        self._stack.callback(setattr, model, "stop_training", False)
        self._stack.enter_context(_keras.traces_released())
        if recorder.restore:
            self._stack.enter_context(_state.preserved_randomness_of_layers())
        if _state.is_built(model) or self.is_left_to_its_end:  # JAX's `fit` has built all that it will
            self._prepare()
        self._rates = Rates(model, self._sweep.step_lrs, independent=recorder.independent)
        self._stack.enter_context(self._rates.installed())
        self._steps = self._steps_recorder(self._rates, running)
        train_function = self._stack.enter_context(self._steps.installed())
        self._stack.enter_context(_keras.replaced_attribute(model, "train_function", train_function))
        self.guard("train_function")
        if _keras.fit_is_running(model):
            for name in USES:
                use = self._asking_first(getattr(model, name))
                self._stack.enter_context(_keras.replaced_attribute(model, name, use))
        return self._steps.name

    def _steps_recorder(self, rates: Rates, running: Any) -> Any:
        recorder, model = self._recorder, self._model
        spe, steps_per_lr = model.steps_per_execution, self._sweep.steps_per_lr
        if recorder.acts_after_each_rate and steps_per_lr % spe:
            raise ValueError(
                f"`{self._owner}`: with `validation_data` or `independent`, `steps_per_execution` must "
                f"divide `steps_per_lr`. Received: steps_per_execution={spe}, steps_per_lr={steps_per_lr}."
            )
        neighbours = [] if running is None else running.callbacks
        kerass = (keras.callbacks.History, keras.callbacks.ProgbarLogger, Recorder)
        watched = not all(isinstance(each, kerass) for each in neighbours)
        if watched and spe == 1:
            return PlainSteps(model, rates, recorder.traces)
        return steps_recorder(
            model,
            rates,
            data=recorder.data,
            one_by_one=watched or recorder.acts_after_each_rate or recorder.repeats > 1,
            traces=recorder.traces,
        )

    def before_step(self, step: int) -> None:
        self._steps.before(step)

    def steps_done(self, logs: dict[str, Any]) -> list[dict[str, float]]:
        return self._steps.after(logs)

    def rewind(self) -> None:
        self._steps.rewind()

    def put_back(self) -> None:
        """Set the model's state as it was before the first step."""
        if self._snapshot is not None:
            is_to_stop = self._model.stop_training  # another callback may have asked for it since the copy
            self._snapshot.put_back()
            self._model.stop_training = is_to_stop

    def check(self, losses: list[float], rate: float) -> None:
        """Raise a RuntimeError if steps with these losses, the first at this rate, did not train with it."""
        self.watch.check(all(map(math.isfinite, losses)), rate, len(losses))
        if not self._rates.are_read and self.watch.has_seen_an_update:
            raise RuntimeError(
                f"`{self._owner}`: the step that was trained did not read the learning rate of the model's "
                "optimizer, which is a schedule. A function that was compiled before, and is not an "
                "attribute of the model, keeps the schedule as it was. Make that function again, or compile "
                "the model with a float `learning_rate`."
            )

    def close(self) -> None:
        """Put everything back and release the copy."""
        if self._finalizer is not None:
            self._finalizer.detach()
        with self._stack:  # the rate comes back last: the copy may be later than its first change
            snapshot, self._snapshot = self._snapshot, None
            if snapshot is not None:
                snapshot.put_back()
                snapshot.discard()

    def guard(self, name: str) -> None:
        """Put everything back at once if the model's train or test function raises."""
        function = vars(self._model).get(name)
        if function is None or hasattr(function, "guarded_by_recorder"):
            return

        @functools.wraps(function)
        def guarded(*args: Any) -> Any:
            with _keras.closed_on_error(self._fail), self._rates.in_a_step():
                if not self._is_prepared:
                    _state.build_as_fit_would(self._model, args[-1])
                    self._prepare()
                try:
                    return function(*args)
                except _keras.end_of_data():
                    raise
                except Exception:  # in the middle of an execution of several steps
                    if not self._recorder.is_over_after(self._steps.unread()):
                        raise
                    return {}  # the step that raised came after the sweep's end

        guarded.guarded_by_recorder = True  # type: ignore[attr-defined]
        self._stack.enter_context(_keras.replaced_attribute(self._model, name, guarded))

    def _prepare(self) -> None:
        self._is_prepared = True
        if self._recorder.restore:
            self._snapshot = _state.Snapshot(self._model, self._recorder.snapshot_dir)

    def _asking_first(self, use: Callable) -> Callable:
        """A method of the model that puts everything back first, unless the recorded `fit` calls it."""

        @functools.wraps(use)
        def used(*args: Any, **kwargs: Any) -> Any:
            if not _keras.fit_is_running(self._model):
                self._close()
            return use(*args, **kwargs)

        return used
