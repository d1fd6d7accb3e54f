"""`LearningRateFinder`: a sweep over any data, that leaves the model as it was."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import os
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, cast

import keras
import numpy as np

from pyimagesearch_lr import _fast, _keras, _state, schedules
from pyimagesearch_lr.curve import Comparison, LRCurve
from pyimagesearch_lr.probing import check_verify_steps, probe_around
from pyimagesearch_lr.suggest import METHODS, NoSuggestion, Probe
from pyimagesearch_lr.sweep import Sweep

END_OF_PROBE = 0.2
TUTORIAL_NAMES = {
    "trainData": "train_data",
    "startLR": "start_lr",
    "endLR": "end_lr",
    "stepsPerEpoch": "steps_per_epoch",
    "batchSize": "batch_size",
    "sampleSize": "sample_size",
    "stopFactor": "stop_factor",
    "skipBegin": "skip_begin",
    "skipEnd": "skip_end",
}


Function = TypeVar("Function", bound=Callable[..., Any])


def accepts_tutorial_names(function: Function) -> Function:
    """Let `function` be called with the tutorial's camelCase keywords as well as its own."""

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        translated = {TUTORIAL_NAMES.get(name, name): value for name, value in kwargs.items()}
        if len(translated) < len(kwargs):
            raise TypeError(
                f"`{function.__qualname__}` received an argument under both its names: {sorted(kwargs)}."
            )
        return function(*args, **translated)

    return cast(Function, renamed)


class LRFinder(keras.callbacks.Callback):
    """Learning-rate range test inside your own `fit`.

    Raises the learning rate at every step from `start_lr` to `end_lr`, records every step's own loss (not
    the running mean that `fit` shows to callbacks), ends `fit` when the loss diverges or the last rate is
    reached, and puts model and optimizer back bit for bit when `fit` ends, also when it ends by an exception
    in the data or in a step, or by Ctrl-C (should another callback raise, call `close`). While it runs, the
    metrics in `logs` are those of the last step.

    Works with any optimizer, also one made with a `LearningRateSchedule` or a callable, with
    `steps_per_execution` above 1 (each step has its own rate and loss), `jit_compile`, mixed precision and
    `tf.distribute.MirroredStrategy`. With a `keras.optimizers.MultiOptimizer`, the rate of the sweep is that
    of the part with the highest rate; the other parts keep their ratio to it.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        start_lr: Float, the first rate.
        end_lr: Float, the last rate.
        num_steps: Int, how many steps the sweep takes; None takes `epochs * steps_per_epoch` of the `fit`.
        ramp: String, "exponential" or "linear".
        stop_factor: Float, ends the sweep when the smoothed loss exceeds this many times its best; None
            goes on to `end_lr`. See `Sweep` for losses near zero and below.
        beta: Float in [0, 1), the weight of the past in the smoothed loss.
        steps_per_lr: Int, how many steps are trained with each rate; their mean loss is recorded.
        repeats: Int, how many sweeps to make, each from the same state and on the batches that come next;
            `fit` has to go on for that many times `num_steps`.
        monitor: String, the key of `logs` that is taken as the loss.
        validation_data: As in `fit`; the loss on these data after every rate is then what is recorded, as in
            Smith's test, with that of the training steps beside it as the metric "train_loss". Needs
            `steps_per_execution` to divide `steps_per_lr`.
        independent: Bool, whether every rate begins with the same state: the model is put back after each, so
            the curve shows what each rate does by itself. Needs `steps_per_lr` above 1 or `validation_data`,
            as the loss of a step is that before its update, and `steps_per_execution` as above.
        snapshot_dir: Folder for the copy of the model's state, for a model too large to be held in memory
            twice; None keeps the copy in memory.
        restore: Bool, whether to put the weights back at the end.
        verbose: Int, 0 for silence, 1 for a progress bar, 2 for a line at the end (and give `fit`
            `verbose=0`).

    Attributes:
        curve: `LRCurve`, what was measured, the mean of repeated sweeps; None before the first `fit`.
        lrs: List of floats, the rates of the recorded steps.
        losses: List of floats, the smoothed losses.

    Raises:
        ValueError: If the arguments do not make a sweep, or the length of `fit` is unknown and `num_steps`
            is not given.
        RuntimeError: At the start of `fit`, if another callback drives the learning rate too, or the
            optimizer is a `MultiOptimizer` of which a part has a schedule.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.random.default_rng(0).normal(size=(320, 4))
    >>> lr_finder = LRFinder(start_lr=1e-5, end_lr=1e3)
    >>> history = model.fit(x, x.sum(axis=1), epochs=10, callbacks=[lr_finder], verbose=0)
    >>> lr_finder.curve.stop_reason
    'diverged'
    """

    drives_learning_rate = True

    def __init__(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_steps: int | None = None,
        *,
        ramp: str = "exponential",
        stop_factor: float | None = 4.0,
        beta: float = 0.98,
        steps_per_lr: int = 1,
        repeats: int = 1,
        monitor: str = "loss",
        validation_data: Any = None,
        independent: bool = False,
        snapshot_dir: str | os.PathLike | None = None,
        restore: bool = True,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        self._ramp: dict[str, Any] = {"start_lr": float(start_lr), "end_lr": float(end_lr), "ramp": ramp}
        self._rules: dict[str, Any] = {"stop_factor": stop_factor, "beta": beta, "steps_per_lr": steps_per_lr}
        self.validation_data = validation_data
        self.snapshot_dir = snapshot_dir
        self.num_steps = num_steps
        self.repeats = _checked_repeats(repeats, restore)
        self.independent = independent
        self._check_independent(steps_per_lr, restore)
        self.monitor = monitor
        self.restore = restore
        self.verbose = verbose
        self._stack = ExitStack()
        self._put_back: Callable[[], None] | None = None
        self._recorder: Any = None
        self._in_long_executions = False
        self._is_preserved = False
        self._finished: list[Sweep] = []
        self._sweep = self._new_sweep(2 * steps_per_lr if num_steps is None else num_steps)

    @property
    def acts_after_each_rate(self) -> bool:
        """Whether there is something to do between the steps of one rate and those of the next."""
        return self.validation_data is not None or self.independent

    @property
    def curve(self) -> LRCurve | None:
        """What has been measured so far, None before the first step; repeated sweeps count when whole."""
        curves = [sweep.curve(**self._ramp) for sweep in self._finished or [self._sweep] if sweep.losses]
        return (LRCurve.mean(curves) if len(curves) > 1 else curves[0]) if curves else None

    @property
    def lrs(self) -> list[float]:
        curve = self.curve
        return [] if curve is None else curve.lrs.tolist()

    @property
    def losses(self) -> list[float]:
        curve = self.curve
        return [] if curve is None else curve.losses.tolist()

    @property
    def total_steps(self) -> int:
        """How many steps all sweeps take if nothing ends them early."""
        return self.repeats * self._sweep.num_steps

    def plot(self, ax: Any = None) -> Any:
        """Draw the curve; see `LRCurve.plot`."""
        curve = self.curve
        if curve is None:
            raise RuntimeError(
                "`LRFinder.plot` draws what `fit` measured. Give this callback to `fit` first."
            )
        return curve.plot(ax=ax)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._stack.close()
        _keras.check_sole_driver(self)
        if self.restore:
            _keras.check_puts_weights_back_last(self)
        self._is_preserved = False
        self._finished = []
        num_steps = self.num_steps or _keras.steps_of_fit(self, "num_steps") // self.repeats
        self._sweep = self._new_sweep(num_steps)
        capacity = self.model.steps_per_execution
        if self.acts_after_each_rate and self._sweep.steps_per_lr % capacity:
            raise ValueError(
                "`LRFinder`: with `validation_data` or `independent`, `steps_per_execution` must divide "
                f"`steps_per_lr`. Received: steps_per_execution={capacity}, "
                f"steps_per_lr={self._sweep.steps_per_lr}."
            )
        if self._recorder is None or not self._recorder.serves(self.model):
            self._recorder = _fast.StepRecorder(self.model)
        self._progress = keras.utils.Progbar(
            self.total_steps, verbose=self.verbose, stateful_metrics=["lr", "max_lr", "loss"]
        )
        self._stack.callback(setattr, self.model, "stop_training", False)
        recorder = self._recorder.installed(self._sweep.step_lrs, in_long_executions=self._in_long_executions)
        train_function = self._stack.enter_context(recorder)
        self.model.train_function = self._guarded(train_function)
        if _keras.is_built(self.model):
            self._preserve()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        with _keras.closed_on_error(self.close):
            if self._take_down() == 0 and self._sweep.stop_reason is None:
                raise RuntimeError(
                    "`LRFinder`: a batch was trained on and nothing was recorded, as the model's own "
                    "`make_train_function` looks `train_step` up when it is called. Look it up when the "
                    "function is made."
                )
            if self._sweep.stop_reason is not None:
                self._next_sweep()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.close("exhausted")

    def close(self, reason: str = "interrupted") -> None:
        """End the sweep and put everything back; `fit` does this by itself. Harmless when done twice."""
        self._sweep.stop(reason)
        self._stack.close()

    def _check_independent(self, steps_per_lr: int, restore: bool) -> None:
        if not self.independent:
            return
        if not restore:
            raise ValueError(
                "`LRFinder`: `independent` puts the model back after every rate, which needs `restore=True`. "
                "Received: independent=True, restore=False."
            )
        if steps_per_lr == 1 and self.validation_data is None:
            raise ValueError(
                "`LRFinder`: with `independent`, the first loss of each rate is that of the model as it was. "
                "Pass `steps_per_lr` above 1 or `validation_data`. Received: steps_per_lr=1."
            )

    def _next_sweep(self) -> None:
        """Go on with the next repetition from the same state, or end `fit` after the last."""
        self._finished.append(self._sweep)
        if len(self._finished) == self.repeats:
            self.model.stop_training = True
            return
        if self._put_back is not None:
            self._put_back()
        self._sweep = Sweep(self._sweep.lrs, **self._rules)
        self._recorder.rewind()

    def _new_sweep(self, num_steps: int) -> Sweep:
        return Sweep.over(**self._ramp, num_steps=num_steps, **self._rules)

    def _loss_of(self, step_logs: dict[str, float]) -> float:
        if self.monitor not in step_logs:
            raise ValueError(
                f"`LRFinder`: the train step returned no {self.monitor!r}. It returned {sorted(step_logs)}; "
                "set `monitor` to one of them."
            )
        return step_logs.pop(self.monitor)

    def _take_down(self) -> int:
        """Record the steps since the last time and give their number."""
        steps = self._recorder.read()
        if self.acts_after_each_rate:
            self._check_within_a_rate(len(steps))
        for step_logs in steps:
            if self._sweep.stop_reason is None:
                self._sweep.record(self._loss_of(step_logs), step_logs, self._validation_loss())
        if self.independent and self._sweep.opens_rate and self._put_back is not None:
            self._put_back()
        if self._sweep.losses:
            values = [self._shown_rate(), ("loss", self._sweep.losses[-1])]
            done = len(self._finished) * self._sweep.num_steps + self._sweep.step
            is_last = self._sweep.stop_reason is not None and len(self._finished) + 1 == self.repeats
            self._progress.update(done, values, finalize=is_last)
        return len(steps)

    def _check_within_a_rate(self, num_steps: int) -> None:
        done = self._sweep.step % self._sweep.steps_per_lr
        if done + num_steps > self._sweep.steps_per_lr:
            raise ValueError(
                "`LRFinder`: with `validation_data` or `independent`, an execution must not reach from one "
                f"rate to the next, and one took steps {done + 1} to {done + num_steps} of "
                f"{self._sweep.steps_per_lr}: `steps_per_execution` does not divide the batches of a pass. "
                "Compile with `steps_per_execution=1`, or give `fit` a dataset that repeats."
            )

    def _shown_rate(self) -> tuple[str, float]:
        return "lr", self._sweep.lrs[len(self._sweep.losses) - 1]

    def _validation_loss(self) -> float | None:
        if self.validation_data is None or not self._sweep.closes_rate:
            return None
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(self.validation_data)
        logs = self.model.evaluate(x, y, sample_weight=sample_weight, verbose=0, return_dict=True)
        return self._loss_of(logs)

    def _guarded(self, train_function: Callable) -> Callable:
        """The train function, which builds what is not yet built, and puts everything back if it raises."""

        def guarded_train_function(iterator: Any) -> Any:
            with _keras.closed_on_error(self.close):
                if not self._is_preserved:
                    _keras.build_from(self.model, iterator)
                    self._preserve()
                try:
                    return train_function(iterator)
                except _keras.OUT_OF_DATA:
                    raise
                except Exception:
                    self._take_down()  # what the execution did before the error
                    if self._sweep.stop_reason is None:
                        raise
                    return {}  # a step after the sweep's end, which would not have been taken one by one

        return guarded_train_function

    def _preserve(self) -> None:
        self._is_preserved = True
        if self.restore:
            preserved = _state.preserved(self.model, self.snapshot_dir)
            self._put_back = self._stack.enter_context(preserved)


class LRProbe(LRFinder):
    """One short training with a cyclical rate inside `fit`, recorded and undone like a sweep.

    Args:
        base_lr: Float, the lowest rate of the cycle.
        max_lr: Float, the highest rate of the cycle.
        num_steps: Int, the steps of the one whole cycle.
        **settings: As for `LRFinder`.

    Example:

    >>> LRProbe(base_lr=1.0, max_lr=3.0, num_steps=4).step_lrs.tolist()
    [1.0, 2.0, 3.0, 2.0]
    """

    def __init__(self, base_lr: float, max_lr: float, num_steps: int, **settings: Any) -> None:
        super().__init__(base_lr, max_lr, num_steps, **settings)

    @property
    def step_lrs(self) -> np.ndarray:
        """The rate of every step, shape `(num_steps,)`."""
        return self._sweep.step_lrs

    def _shown_rate(self) -> tuple[str, float]:
        return "max_lr", self._ramp["end_lr"]

    def _new_sweep(self, num_steps: int) -> Sweep:
        rates = schedules.cyclic(
            np.arange(num_steps), self._ramp["start_lr"], self._ramp["end_lr"], num_steps / 2
        )
        return Sweep(rates, **self._rules)


def _checked_repeats(repeats: int, restore: bool) -> int:
    if repeats != int(repeats) or repeats < 1:
        raise ValueError(f"`LRFinder`: `repeats` must be a whole number of at least 1. Received: {repeats}.")
    if repeats > 1 and not restore:
        raise ValueError(
            "`LRFinder`: `repeats` begins each sweep from the same state, which needs `restore=True`. "
            f"Received: repeats={repeats}, restore=False."
        )
    return int(repeats)


class LearningRateFinder:
    """Learning-rate range test: train with a rate that rises at every step, and watch the loss.

    `find` runs the test on whatever `Model.fit` accepts and puts the model back exactly as it was, so that
    training afterwards goes as if there had been no test. Keywords may be written in snake_case or, as in
    the tutorial this class follows, in camelCase.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        model: A compiled `keras.Model`; it need not be built.
        stop_factor: Float, ends the test when the smoothed loss exceeds this many times its best; None
            goes on to the last rate. See `Sweep` for losses near zero and below.
        beta: Float in [0, 1), the weight of the past in the smoothed loss.

    Attributes:
        curve: `LRCurve` of the last test, also of one that Ctrl-C ended; None before.
        lrs: List of floats, its rates.
        losses: List of floats, its smoothed losses.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    >>> x = np.random.default_rng(0).normal(size=(640, 4))
    >>> finder = LearningRateFinder(model)
    >>> curve = finder.find((x, x.sum(axis=1)), start_lr=1e-6, end_lr=10.0, epochs=10, verbose=0)
    >>> suggestion = curve.suggest()
    >>> 1e-6 <= suggestion.base_lr < suggestion.max_lr <= 10.0
    True
    """

    @accepts_tutorial_names
    def __init__(self, model: keras.Model, stop_factor: float | None = 4, beta: float = 0.98) -> None:
        self.model = model
        self.stop_factor = stop_factor
        self.beta = beta
        self.curve: LRCurve | None = None
        self._recorder: _fast.StepRecorder | None = None

    @property
    def lrs(self) -> list[float]:
        return [] if self.curve is None else self.curve.lrs.tolist()

    @property
    def losses(self) -> list[float]:
        return [] if self.curve is None else self.curve.losses.tolist()

    @accepts_tutorial_names
    def find(
        self,
        train_data: Any,
        start_lr: float,
        end_lr: float,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        batch_size: int = 32,
        sample_size: int = 2048,
        verbose: int = 1,
        *,
        ramp: str = "exponential",
        steps_per_lr: int = 1,
        validation_data: Any = None,
        independent: bool = False,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        callbacks: list | None = None,
        repeats: int = 1,
        verify: bool = False,
        verify_steps: int = 1200,
        snapshot_dir: str | os.PathLike | None = None,
    ) -> LRCurve:
        """Sweep the rate from `start_lr` to `end_lr` over `epochs * steps_per_epoch` steps.

        With a `keras.optimizers.MultiOptimizer`, the rate of the sweep is that of the part with the highest
        rate; the other parts keep their ratio to it.

        The data starts again whenever it runs out, and the test leaves it as it was: a `PyDataset` is walked
        as a shallow copy with lists, one-axis arrays and random generators of its own, so that its position
        and order stay. Two things cannot be put back: the orders that a `tf.data` pipeline with `shuffle`
        draws, and the batches taken from a Python generator. A generator cannot start again either: if it
        runs out, the test ends early with the stop reason "exhausted". Warnings say both of a generator.
        As after any `fit` that a callback stops in mid-pass, `gc.collect()` may be needed before a pipeline
        with `cache(filename)` starts again.

        Quick steps are trained many at a time, in executions of up to a tenth of a second, which changes
        nothing in the curve. Where it could be noticed, it is one step at a time, or `steps_per_execution` as
        compiled: with a generator, with `callbacks`, `validation_data`, `independent` or `repeats`, and on
        several devices.

        Args:
            train_data: A tuple `(x, y)` or `(x, y, sample_weight)` of arrays (or lists or dicts of arrays),
                an array `x`, or a dict of them, for a model that needs no targets, a `tf.data.Dataset`, a
                `keras.utils.PyDataset`, an iterator of `ImageDataGenerator.flow`, a PyTorch `DataLoader` or
                a generator of batches.
            start_lr: Float, the first rate.
            end_lr: Float, the last rate.
            epochs: Int; None takes `ceil(sample_size / steps_per_epoch)`.
            steps_per_epoch: Int; None takes the number of batches in the data, where it is known.
            batch_size: Int, the batch size for arrays; other data comes in batches already.
            sample_size: Int, about how many steps to take where `epochs` is None.
            verbose: Int, 0 for silence, 1 for a progress bar, 2 for a line at the end.
            ramp: String, "exponential" or "linear".
            steps_per_lr: Int, how many steps are trained with each rate; their mean loss is recorded.
            validation_data: As in `fit`; the loss on these data after every rate is then what is recorded, as
                in Smith's test, with the training loss beside it as the metric "train_loss".
            independent: Bool, whether every rate begins with the same state: the model is put back after
                each, so the curve shows what each rate does by itself. Needs `steps_per_lr` above 1 or
                `validation_data`, as the loss of a step is that before its update.
            class_weight: Dict of class index to weight, as in `fit`.
            sample_weight: Array of weights for `(x, y)`, as in `fit`.
            callbacks: List of further Keras callbacks for the time of the test; their hooks are called at
                every execution, as in `fit`.
            repeats: Int, how many sweeps to make from the same state, on the batches that come next; the
                curve is their mean, and its suggestion says how far their answers lie apart.
            verify: Bool, whether to try what the curve suggests: rates around it are trained with for one
                short cycle each, from the same state, and the lowest of those that end with the best loss
                becomes the curve's suggestion. A curve that refuses is tried around its lowest loss, unless
                it is flat. See `LRCurve.probes`.
            verify_steps: Int, how many steps these trainings may take together, at least 120.
            snapshot_dir: Folder for the copy of the model's state, for a model too large to be held in memory
                twice; None keeps the copy in memory.

        Returns:
            The `LRCurve` of the test, also kept as `self.curve`.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError: If the arguments do not make a sweep, the data is empty, its number of batches is
                unknown and `steps_per_epoch` is not given, `sample_weight` is given beside data that have
                their own, or `verify` is asked for on a generator.
        """
        _check_model(self.model)
        if verify:
            check_verify_steps(verify_steps)
        if verify and inspect.isgenerator(train_data):
            raise ValueError(
                "`verify` trains on the same data again and again, and a generator cannot start again. Pass "
                "arrays, a `tf.data.Dataset` or a `keras.utils.PyDataset`, or leave `verify` out."
            )
        train_data = _as_tuple_if_arrays(train_data)
        if sample_weight is not None:
            _check_takes_weights(train_data)
        num_batches = _num_batches(train_data, batch_size)
        steps_per_epoch = _steps_per_epoch(steps_per_epoch, num_batches, type(train_data).__name__)
        epochs = math.ceil(sample_size / steps_per_epoch) if epochs is None else epochs
        num_steps = int(epochs) * steps_per_epoch
        fit = functools.partial(
            self._fit,
            train_data=train_data,
            num_batches=num_batches,
            batch_size=batch_size,
            class_weight=class_weight,
            sample_weight=sample_weight,
            callbacks=callbacks or [],
        )
        settings: dict[str, Any] = {
            "stop_factor": self.stop_factor,
            "beta": self.beta,
            "snapshot_dir": snapshot_dir,
            "verbose": verbose,
        }
        sweep = LRFinder(
            start_lr,
            end_lr,
            num_steps,
            ramp=ramp,
            steps_per_lr=steps_per_lr,
            repeats=repeats,
            validation_data=validation_data,
            independent=independent,
            **settings,
        )
        try:
            fit(sweep)
        finally:
            self.curve = sweep.curve
        if self.curve is None:
            raise ValueError("`train_data` gave no batch: the sweep needs at least one.")
        if self.curve.stop_reason == "exhausted":
            _warn_of_exhaustion(sweep)
        if verify:
            probe = functools.partial(self._probe, fit, settings)
            probes = tuple(_probes(self.curve, probe, verify_steps))
            self.curve = dataclasses.replace(self.curve, probes=probes)
        return self.curve

    def _probe(self, fit: Callable, settings: dict, base_lr: float, max_lr: float, steps: int) -> Probe:
        """Train one short cycle, undo it, and say how it ended."""
        callback = LRProbe(base_lr, max_lr, steps, **settings)
        fit(callback)
        losses = [] if callback.curve is None else callback.curve.raw_losses.tolist()
        if len(losses) < steps or not math.isfinite(losses[-1]):
            return Probe(base_lr, max_lr, len(losses), math.inf)
        last = losses[-max(2, round(steps * END_OF_PROBE)) :]
        error = float(np.std(last, ddof=1) / np.sqrt(len(last)))
        return Probe(base_lr, max_lr, steps, float(np.mean(last)), error, losses[0])

    def _fit(
        self,
        callback: LRFinder,
        *,
        train_data: Any,
        num_batches: float | None,
        batch_size: int,
        class_weight: dict | None,
        sample_weight: Any,
        callbacks: list,
    ) -> None:
        """Give `fit` the data and `callback`, and leave no trace of either."""
        one_shot = inspect.isgenerator(train_data)
        restarts_itself = isinstance(train_data, tuple) or _keras.is_tf_dataset(train_data)
        # A sweep that diverges within an execution has drawn the batches of the execution's other steps, too:
        # how many depends on the time a step takes, so only where nobody can tell.
        noticed = one_shot or callbacks or callback.acts_after_each_rate or callback.repeats > 1
        callback._in_long_executions = not noticed and _fast.executes_single_steps(self.model)
        callback._recorder = self._recorder
        with _undisturbed(self.model, callback.acts_after_each_rate), _state.preserved_randomness():
            source = _source(train_data, batch_size, sample_weight)
            try:
                self.model.fit(
                    source,
                    epochs=1 if one_shot or restarts_itself else callback.total_steps,
                    verbose=0,
                    shuffle=isinstance(train_data, keras.utils.PyDataset),
                    class_weight=class_weight,
                    callbacks=[callback, *callbacks],
                )
            finally:
                callback.close()
                self._recorder = callback._recorder
                if isinstance(source, keras.utils.PyDataset):
                    _keras.stop_workers(source)

    @accepts_tutorial_names
    def plot_loss(self, skip_begin: int = 10, skip_end: int = 1, title: str = "", ax: Any = None) -> Any:
        """Draw loss against learning rate, on a logarithmic axis.

        Args:
            skip_begin: Int, how many of the first rates to leave out.
            skip_end: Int, how many of the last rates to leave out.
            title: String, the title.
            ax: matplotlib Axes to draw on; None makes a figure.

        Returns:
            The Axes.

        Raises:
            RuntimeError: If nothing has been measured yet.
        """
        if self.curve is None:
            raise RuntimeError("`plot_loss` draws what `find` measured. Call `find` first.")
        return self.curve.plot(ax, skip_begin=skip_begin, skip_end=skip_end, title=title)


class PeriodicLRFinder(keras.callbacks.Callback):
    """Repeats the range test every few epochs of a training, which goes on as if it had not been there.

    The best rate falls as training goes on; this shows by how much, and can follow it.

    Source: Surmenok, 2017, Estimating an Optimal Learning Rate For a Deep Neural Network.

    Args:
        train_data: As in `LearningRateFinder.find`.
        every: Int, how many epochs lie between two tests.
        apply: String, the name of a suggestion method (see `LRCurve.suggest`) whose `max_lr` the optimizer
            gets after each test; "verified" needs `verify=True`. None only records. A curve that supports no
            suggestion changes nothing.
        stop_factor: Float, as in `LearningRateFinder`.
        beta: Float, as in `LearningRateFinder`.
        **find: The other arguments of `LearningRateFinder.find`; `start_lr` and `end_lr` are needed.

    Attributes:
        curves: Dict of epoch, counted from 1, to `LRCurve`.

    Raises:
        ValueError: If `every` or `apply` is none of these.
        RuntimeError: At the start of `fit`, if `apply` is given and the optimizer's rate is a schedule, or
            another callback drives it too.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.random.default_rng(0).normal(size=(320, 4))
    >>> y = x.sum(axis=1)
    >>> periodic = PeriodicLRFinder((x, y), every=2, start_lr=1e-5, end_lr=10.0, epochs=3, verbose=0)
    >>> history = model.fit(x, y, epochs=4, callbacks=[periodic], verbose=0)
    >>> list(periodic.curves)
    [2, 4]
    """

    def __init__(
        self,
        train_data: Any,
        every: int,
        *,
        apply: str | None = None,
        stop_factor: float | None = 4,
        beta: float = 0.98,
        **find: Any,
    ) -> None:
        super().__init__()
        if every != int(every) or every < 1:
            raise ValueError(
                f"`PeriodicLRFinder`: `every` must be a whole number of at least 1. Received: {every}."
            )
        choices = ("verified", *METHODS)
        if apply is not None and apply not in choices:
            raise ValueError(
                f"`PeriodicLRFinder`: `apply` must be None or one of {choices}. Received: {apply!r}."
            )
        if apply == "verified" and not find.get("verify"):
            raise ValueError(
                '`PeriodicLRFinder`: `apply="verified"` takes what short trainings found best. Pass '
                "`verify=True` as well."
            )
        self.train_data = train_data
        self.every = every
        self.apply = apply
        self.curves: dict[int, LRCurve] = {}
        self._rules: dict[str, Any] = {"stop_factor": stop_factor, "beta": beta}
        self._find = find

    @property
    def drives_learning_rate(self) -> bool:
        """Whether it sets the rate: then no other callback of the `fit` may."""
        return self.apply is not None

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.apply is not None:
            _keras.check_can_drive(self)
        self._finder = LearningRateFinder(self.model, **self._rules)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self.curves[epoch + 1] = self._finder.find(self.train_data, **self._find)
            if self.apply is not None:
                self._apply_suggestion(self.curves[epoch + 1], self.apply)

    def _apply_suggestion(self, curve: LRCurve, method: str) -> None:
        try:
            suggestion = curve.suggest(method)
        except NoSuggestion:
            return
        _keras.set_learning_rate(self.model.optimizer, suggestion.max_lr)


def _probes(curve: LRCurve, train: Callable[..., Probe], max_steps: int) -> list[Probe]:
    """Short trainings around what the curve suggests, or around its lowest loss where it suggests nothing.

    None where the curve is flat.
    """
    try:
        bounds = curve.suggest("bounds")
        base_lr, start = bounds.base_lr, bounds.max_lr
    except NoSuggestion as answer:
        if answer.lowest_lr is None:
            return []
        base_lr, start = math.inf, answer.lowest_lr

    def train_cycle(max_lr: float, steps: int) -> Probe:
        return train(min(base_lr, max_lr / 10), max_lr, steps)

    return probe_around(start, train_cycle, max_steps, (curve.lrs[0], curve.lrs[-1]))


@accepts_tutorial_names
def compare(
    model: keras.Model | dict[str, keras.Model],
    optimizers: dict[str, Any] | None,
    train_data: Any,
    start_lr: float,
    end_lr: float,
    *,
    stop_factor: float | None = 4,
    beta: float = 0.98,
    **find: Any,
) -> Comparison:
    """Run the same range test with several optimizers, or on several models, and lay the curves together.

    Every sweep starts from the model's present weights, with the same random state and, for arrays and
    `PyDataset`, the same order of the data (a `tf.data` pipeline with `shuffle` draws a new order each time).
    The model keeps its own optimizer, loss, metrics and weights bit for bit; the optimizers given are copied
    by their config, and their learning rates play no part. A grid of weight decays, or of any other of their
    settings, is a dict of one optimizer for each value.

    Source: the comparison of optimizers by range test in MachineCurve, 2020, Finding optimal learning rates
    with the Learning Rate Range Test.

    Args:
        model: A compiled `keras.Model`, or a dict of label to compiled model where `optimizers` is None.
        optimizers: Dict of label to optimizer, or to the name of one; None where `model` is a dict.
        train_data: As in `LearningRateFinder.find`, but not a generator.
        start_lr: Float, the first rate.
        end_lr: Float, the last rate.
        stop_factor: Float, as in `LearningRateFinder`.
        beta: Float, as in `LearningRateFinder`.
        **find: The other arguments of `LearningRateFinder.find`.

    Returns:
        A `Comparison`: a dict of label to `LRCurve` that draws its curves over each other, and prints
        their bounds as a table.

    Raises:
        RuntimeError: If a model is not compiled.
        TypeError: If `train_data` is a generator, or there is not either one model with a dict of optimizers
            or a dict of models.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.random.default_rng(0).normal(size=(320, 4))
    >>> curves = compare(
    ...     model,
    ...     {"SGD": "sgd", "Adam": keras.optimizers.Adam()},
    ...     (x, x.sum(axis=1)),
    ...     1e-5,
    ...     10.0,
    ...     epochs=5,
    ...     verbose=0,
    ... )
    >>> list(curves)
    ['SGD', 'Adam']
    >>> axes = curves.plot()
    """
    _check_comparable(model, optimizers, train_data)
    models = model if isinstance(model, dict) else dict.fromkeys(optimizers or {}, model)
    curves = Comparison()
    for label, each in models.items():
        _check_model(each)
        with ExitStack() as stack:
            stack.enter_context(_keras.seeded_if_unseeded())
            if optimizers is not None:
                stack.enter_context(_keras.optimizer_in_place(each, optimizers[label]))
            finder = LearningRateFinder(each, stop_factor=stop_factor, beta=beta)
            curves[label] = finder.find(train_data, start_lr, end_lr, **find)
    return curves


def _check_comparable(model: Any, optimizers: Any, train_data: Any) -> None:
    one_model = isinstance(model, keras.Model) and isinstance(optimizers, dict) and optimizers
    several_models = isinstance(model, dict) and model and optimizers is None
    if not (one_model or several_models):
        raise TypeError(
            "`compare` takes one model and a dict of label to optimizer, or a dict of label to model and "
            f"`optimizers=None`. Received: model of type {type(model).__name__}, optimizers={optimizers!r}."
        )
    if inspect.isgenerator(train_data):
        raise TypeError(
            "`compare` gives every sweep the same data, and a generator cannot be rewound. Pass arrays, a "
            "`tf.data.Dataset` or a `keras.utils.PyDataset`."
        )


def _check_model(model: keras.Model) -> None:
    if not model.compiled or model.optimizer is None:
        raise RuntimeError(
            "`LearningRateFinder.find` trains the model, and it has no optimizer and loss yet. Call "
            "`model.compile(optimizer=..., loss=...)` first."
        )


def _as_tuple_if_arrays(train_data: Any) -> Any:
    """`[x, y]` as `(x, y)`, and inputs without targets as `(x, None)`; other data as they are."""
    if isinstance(train_data, list):
        return tuple(train_data)
    without_targets = isinstance(train_data, dict) or hasattr(train_data, "shape")
    return (train_data, None) if without_targets else train_data


def _check_takes_weights(train_data: Any) -> None:
    if not (isinstance(train_data, tuple) and len(train_data) == 2):
        kind = "(x, y, sample_weight)" if isinstance(train_data, tuple) else type(train_data).__name__
        raise ValueError(
            "`sample_weight` goes with `(x, y)`; other data carry their weights themselves. "
            f"Received: `train_data` of type {kind}. Leave `sample_weight` out."
        )


def _source(train_data: Any, batch_size: int, sample_weight: Any) -> Any:
    """The data as one object for `fit`, such that the caller's own object keeps its place where it can."""
    if isinstance(train_data, tuple):
        x, y, *weights = train_data
        return _keras.array_batches(x, y, weights[0] if weights else sample_weight, int(batch_size))
    if isinstance(train_data, keras.utils.PyDataset):
        return _copy_to_walk(train_data)
    if _keras.is_tf_dataset(train_data):
        return train_data.repeat()
    if inspect.isgenerator(train_data):
        warnings.warn(
            "`train_data` is a generator, which cannot be rewound: the batches that the sweep takes from "
            "it are gone. Pass a `tf.data.Dataset` or a `keras.utils.PyDataset` to keep them for training.",
            stacklevel=4,
        )
    return train_data


def _copy_to_walk(dataset: keras.utils.PyDataset) -> keras.utils.PyDataset:
    """A shallow copy with its own order and random generators, which `on_epoch_end` may change in place.

    An order is a list or an array of one axis; larger arrays, the data themselves, stay shared.
    """
    walked = copy.copy(dataset)
    for name, value in vars(dataset).items():
        if isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
            vars(walked)[name] = copy.deepcopy(value)
        elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1):
            vars(walked)[name] = value.copy()
    return walked


def _warn_of_exhaustion(callback: LRFinder) -> None:
    warnings.warn(
        f"`train_data` ran out after {len(callback.lrs)} of {callback.num_steps} steps, at a learning rate "
        f"of {callback.lrs[-1]:.1e}: the curve ends there. Pass more batches, or lower `epochs` or "
        "`steps_per_epoch`.",
        stacklevel=4,
    )


def _num_batches(train_data: Any, batch_size: int) -> float | None:
    """Batches in one pass: a number, infinity, or None where nothing says."""
    if isinstance(train_data, tuple):
        return math.ceil(_num_samples(train_data, batch_size) / batch_size)
    if hasattr(train_data, "cardinality"):
        cardinality = int(train_data.cardinality())
        return {-1: math.inf, -2: None}.get(cardinality, cardinality)
    if isinstance(train_data, keras.utils.PyDataset):
        return train_data.num_batches
    return len(train_data) if hasattr(train_data, "__len__") else None


def _num_samples(train_data: tuple, batch_size: int) -> int:
    if not 2 <= len(train_data) <= 3:
        raise ValueError(
            "`train_data` must be `(x, y)` or `(x, y, sample_weight)` where it is a tuple. "
            f"Received a tuple of {len(train_data)}."
        )
    if batch_size != int(batch_size) or batch_size < 1:
        raise ValueError(f"`batch_size` must be a whole number of at least 1. Received: {batch_size}.")
    first = keras.tree.flatten(train_data[0])[0]
    return int(first.shape[0]) if getattr(first, "shape", ()) else len(first)


def _steps_per_epoch(steps: float | None, num_batches: float | None, kind: str) -> int:
    if num_batches == 0:
        raise ValueError("`train_data` is empty: the sweep needs at least one batch.")
    if steps is None:
        if num_batches is None or num_batches == math.inf:
            raise ValueError(
                f"`steps_per_epoch` is needed: the number of batches of {kind} data is not known. "
                "Pass `steps_per_epoch=ceil(number of samples / batch size)`."
            )
        return int(num_batches)
    if steps != int(steps) or steps < 1:
        raise ValueError(f"`steps_per_epoch` must be a whole number of at least 1. Received: {steps}.")
    return int(steps)


@contextmanager
def _undisturbed(model: keras.Model, one_step_at_a_time: bool) -> Iterator[None]:
    """Let `fit` run inside without a trace in the model's attributes."""
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        if one_step_at_a_time:
            stack.enter_context(_keras.replaced_attribute(model, "steps_per_execution", 1))
        for name in _keras.ATTRIBUTES_OF_FIT:
            stack.enter_context(_keras.replaced_attribute(model, name, None))
        yield
