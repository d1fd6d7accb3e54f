"""Guests in `fit`: `LRFinder` sweeps the learning rate; `CyclicLR` and `OneCycleLR` are here too."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras, _state, _train_step, schedules
from pyimagesearch_lr.curve import LRCurve
from pyimagesearch_lr.cycles import CyclicLR, OneCycleLR
from pyimagesearch_lr.sweep import Sweep

__all__ = ["CyclicLR", "LRFinder", "OneCycleLR"]


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
            self._recorder = _train_step.StepRecorder(self.model)
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
