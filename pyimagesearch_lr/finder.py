"""`LearningRateFinder` for any data, `LRFinder` in your own `fit`, `PeriodicLRFinder` and `compare`."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import keras
import numpy as np

from pyimagesearch_lr import _keras, _state, schedules
from pyimagesearch_lr._arguments import COUNT, function, mapping, optional, wrong_type
from pyimagesearch_lr._warn import warn
from pyimagesearch_lr.curve import (
    CUT_SHORT,
    LOSSES_ON,
    PROBES_ON,
    TRAINING_DATA,
    UNTRIED,
    VALIDATION_DATA,
    Comparison,
    LRCurve,
)
from pyimagesearch_lr.probing import (
    MIN_VERIFY_STEPS,
    RATE_BEFORE,
    STAGES,
    STEPS,
    SWEEPS,
    Verify,
    probe_around,
)
from pyimagesearch_lr.recording import Recorder
from pyimagesearch_lr.suggest import METHODS, NoSuggestion, Probe
from pyimagesearch_lr.sweep import Sweep

END_OF_PROBE = 0.2
STOPPED_BEFORE_TRYING = "it was stopped before a rate was tried. Call `find` again."
OF_THE_CONSTRUCTOR = ("ramp", "steps_per_lr", "independent", "repeats", "snapshot_dir")
FOR_ANOTHER_FIND = (*OF_THE_CONSTRUCTOR, "keep")  # what `compare` and `PeriodicLRFinder` hand on to it
WHOLE = ("end_lr", "diverged", "non_finite")
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


class LRFinder(Recorder):
    """Learning-rate range test inside your own `fit`.

    Raises the learning rate at every step from `start_lr` to `end_lr`, records every step's own loss (not
    the running mean that `fit` shows to callbacks), ends `fit` when the loss diverges or the last rate is
    reached, and puts the model back bit for bit when `fit` ends, however it ends: even with an exception or
    Ctrl-C in the data, a step, the validation or another callback. After an exception whose traceback is
    still held (a notebook's), the model is put back by its next `fit`, `evaluate`, `predict`,
    `train_on_batch` or `save`, or by `close()`; `with lr_finder:` calls it. While the sweep runs, the metrics
    in `logs` are those of the last step.

    Works with any optimizer, including one with a `LearningRateSchedule` or a callable, with `jit_compile`,
    mixed precision and, on TensorFlow, with `steps_per_execution` above 1 (each step has its own rate and
    loss) and `tf.distribute.MirroredStrategy`. With a `keras.optimizers.MultiOptimizer`, the rate of the
    sweep is that of the part with the highest rate; the other parts keep their ratio to it.

    Reference: Smith, 2017, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186.

    Args:
        start_lr: Float, the first rate.
        end_lr: Float, the last rate.
        num_steps: Int, how many steps the sweep takes; None takes `epochs * steps_per_epoch` of the `fit`.
        ramp: String, "exponential" or "linear".
        stop_factor: Float, ends the sweep when the smoothed loss exceeds this many times its best; None
            goes on to `end_lr`. See `Sweep` for losses near zero and below.
        beta: Float in [0, 1), the weight of the past in the smoothed loss.
        steps_per_lr: Int, how many steps are trained at each rate; their mean loss is recorded.
        monitor: String, the key of `logs` that is taken as the loss.
        validation_data: As in `fit`; the loss on these data after every rate is then what is recorded, as in
            Smith's test, with that of the training steps beside it as the metric "train_loss". Needs
            `steps_per_execution` to divide `steps_per_lr`.
        validation_steps: Int, as in `fit`: how many batches of `validation_data` to take.
        snapshot_dir: Folder for the copy of the model's state, for a model too large to be held in memory
            twice; None keeps the copy in memory.
        restore: Bool, whether to put the weights back at the end.
        **moved: `repeats`, `independent` and `verbose` of 0.1, deprecated: `LearningRateFinder` has them.

    Attributes:
        curve: `LRCurve`, what was measured, the mean of repeated sweeps; None before the first `fit`.
        lrs: List of floats, the rates of the recorded steps.
        losses: List of floats, the smoothed losses.

    Raises:
        ValueError: If the arguments do not make a sweep, or the length of `fit` is unknown and `num_steps`
            is not given.
        RuntimeError: At the start of `fit`, if another callback drives the learning rate too, or the
            optimizer is a `MultiOptimizer` with a schedule in one of its parts; at the first steps, if an
            optimizer other than the compiled one trains the model, or none does.

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
        monitor: str = "loss",
        validation_data: Any = None,
        validation_steps: int | None = None,
        snapshot_dir: str | os.PathLike | None = None,
        restore: bool = True,
        **moved: Any,
    ) -> None:
        moved = _warned_of("LRFinder", moved, ("repeats", "independent", "verbose"))
        COUNT("LRFinder", "repeats", moved.get("repeats", 1))
        _check_independent(moved.get("independent", False), steps_per_lr, validation_data, "LRFinder")
        _check_validation(validation_data, validation_steps, "LRFinder")
        super().__init__(
            num_steps,
            monitor=monitor,
            validation_data=validation_data,
            validation_steps=validation_steps,
            snapshot_dir=snapshot_dir,
            restore=restore,
            **moved,
        )
        self._ramp: dict[str, Any] = {"start_lr": start_lr, "end_lr": end_lr, "ramp": ramp}
        self._rules: dict[str, Any] = {"stop_factor": stop_factor, "beta": beta, "steps_per_lr": steps_per_lr}
        self.new_sweep(
            2 * steps_per_lr if num_steps is None else num_steps
        )  # says what is wrong, before `fit`
        self._ramp = _plain_ramp(self._ramp)

    def on_train_begin(self, logs: dict | None = None) -> None:
        _keras.warn_of_scaled_weights("LRFinder", self.model.optimizer)
        super().on_train_begin(logs)

    def new_sweep(self, num_steps: int) -> Sweep:
        return Sweep.over(**self._ramp, num_steps=num_steps, **self._rules)

    @property
    def curve(self) -> LRCurve | None:
        """What has been measured so far, None before the first step; repeated sweeps count when whole."""
        return _curve_of(self, **self._ramp)

    @property
    def lrs(self) -> list[float]:
        curve = self.curve
        return [] if curve is None else curve.lrs.tolist()

    @property
    def losses(self) -> list[float]:
        curve = self.curve
        return [] if curve is None else curve.losses.tolist()

    def plot(self, ax: Any = None) -> Any:
        """Draw the curve; see `LRCurve.plot`."""
        curve = self.curve
        if curve is None:
            raise RuntimeError(
                "`LRFinder.plot` draws what `fit` measured. Give this callback to `fit` first."
            )
        return curve.plot(ax=ax)


class _Recording(Recorder):
    """A recording along given rates: what `find` gives `fit`."""

    owner = "LearningRateFinder"

    def __init__(self, make_sweep: Callable[[], Sweep], shows: str = "lr", **settings: Any) -> None:
        self._make_sweep = make_sweep
        self._shows = shows
        super().__init__(self.new_sweep(0).num_steps, **settings)

    def new_sweep(self, num_steps: int) -> Sweep:
        return self._make_sweep()

    def shown_rate(self, sweep: Sweep) -> tuple[str, float]:
        return super().shown_rate(sweep) if self._shows == "lr" else (self._shows, float(sweep.lrs.max()))


class _Probing(_Recording):
    """That of a probe: the loss on `validation_data` is recorded after its last step only.

    Where the progress bar ends it shows the loss that the probe is judged by, infinity if it diverged.
    """

    @property
    def last(self) -> int:
        """How many losses it is judged by."""
        return 1 if self.validation_data is not None else max(2, round((self.num_steps or 0) * END_OF_PROBE))

    def shown_loss(self, sweep: Sweep) -> float:
        if sweep.stop_reason is None:
            return super().shown_loss(sweep)
        end = _end_of(sweep.raw_losses, self.last, sweep.num_steps)
        return float(np.mean(end)) if end else math.inf

    @property
    def acts_after_each_rate(self) -> bool:
        return False

    def is_validated(self, sweep: Sweep) -> bool:
        return sweep.step + 1 == sweep.num_steps


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
        ramp: String, "exponential" or "linear".
        steps_per_lr: Int, how many steps are trained at each rate; their mean loss is recorded.
        independent: Bool, whether every rate begins with the same state: the model is put back after each, so
            the curve shows what each rate does by itself. Needs `steps_per_lr` above 1 or `validation_data`,
            as the loss of a step is that before its update.
        repeats: Int, how many sweeps to make from the same state, on the batches that come next; the curve is
            their mean, and its suggestion says how far apart their answers lie.
        snapshot_dir: Folder for the copy of the model's state, for a model too large to be held in memory
            twice; None keeps the copy in memory.
        keep: Function of an `LRCurve`, called after the sweep, every probe and at the end with what has been
            measured so far, to save it; None for none.
        earlier: `LRCurve` that `keep` got before a process was stopped, of the same model, data and
            arguments: `find` continues from there rather than measure it again. None starts from the
            beginning.

    Attributes:
        curve: `LRCurve` of the last test, even if Ctrl-C ended it; None before.
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
    def __init__(
        self,
        model: keras.Model,
        stop_factor: float | None = 4,
        beta: float = 0.98,
        *,
        ramp: str = "exponential",
        steps_per_lr: int = 1,
        independent: bool = False,
        repeats: int = 1,
        snapshot_dir: str | os.PathLike | None = None,
        keep: Callable[[LRCurve], Any] | None = None,
        earlier: LRCurve | None = None,
    ) -> None:
        _keras.check_model("LearningRateFinder", model)
        self.model = model
        self.stop_factor = stop_factor
        self.beta = beta
        self.ramp = ramp
        self.steps_per_lr = steps_per_lr
        self.independent = independent
        self.repeats = COUNT("LearningRateFinder", "repeats", repeats)
        self.snapshot_dir = snapshot_dir
        self.keep = optional(function)("LearningRateFinder", "keep", keep)
        self.earlier = _checked_earlier(earlier)
        self.curve: LRCurve | None = None
        self._traces: dict[Any, Any] = {}

    @property
    def lrs(self) -> list[float]:
        return [] if self.curve is None else self.curve.lrs.tolist()

    @property
    def losses(self) -> list[float]:
        return [] if self.curve is None else self.curve.losses.tolist()

    def reset(self) -> None:
        """Forget the last test, as in the tutorial; `find` does so by itself."""
        self.curve = None

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
        num_steps: int | None = None,
        monitor: str = "loss",
        validation_data: Any = None,
        validation_steps: int | None = None,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        callbacks: list | None = None,
        train_steps: int | None = None,
        verify: bool | int | Verify = True,
        **moved: Any,
    ) -> LRCurve:
        """Sweep the rate from `start_lr` to `end_lr` over `num_steps` steps, then try the curve's answer.

        A curve by itself does not know which rate trains best. So rates around its answer are tried: each
        is trained with for one short triangular cycle, from the same weights and on the same batches (a
        `tf.data` pipeline with `shuffle` draws anew), and the lowest of those that end as well as the best is
        what `suggest()` of the curve gives. This costs at most three times the steps of the sweep, and at
        most 1,200. A curve without an answer is tried around its lowest loss, unless it is flat or nowhere
        finite. If the data cannot start again (a generator), the sweep was ended from outside, or that would
        be too few steps, nothing is tried, and the reason that `suggest()` gives says so.

        With a `keras.optimizers.MultiOptimizer`, the rate of the sweep is that of the part with the highest
        rate; the other parts keep their ratio to it.

        The data starts again whenever it runs out, and the test leaves it as it was. A `PyDataset` is read
        through a wrapper that keeps its epoch hooks from being called and shuffles the order of each pass
        itself. Two things cannot be put back: the orders that a `tf.data` pipeline with `shuffle` draws, and
        the batches taken from a Python generator. A generator cannot start again either: if it runs out, the
        test ends early with the stop reason "exhausted". For a generator, warnings say so. As after any `fit`
        that a callback stops in mid-epoch, `gc.collect()` may be needed before a pipeline with
        `cache(filename)` starts again.

        On TensorFlow, quick steps are trained many at a time, in executions of up to a tenth of a second,
        which does not change the curve. Where it could be noticed, they are trained one at a time: with a
        generator, with `callbacks`, `validation_data`, `independent` or `repeats`, and on several devices.

        Args:
            train_data: A tuple `(x, y)` or `(x, y, sample_weight)` of arrays (or lists or dicts of arrays),
                an array `x`, or a dict of them, for a model that needs no targets, a `tf.data.Dataset`, a
                `keras.utils.PyDataset`, an iterator of `ImageDataGenerator.flow`, a PyTorch `DataLoader` or
                a generator of batches. A model that has a `fit` of its own gets it untouched.
            start_lr: Float, the first rate.
            end_lr: Float, the last rate.
            epochs: Int; None takes `ceil(sample_size / steps_per_epoch)`.
            steps_per_epoch: Int; None takes the number of batches in the data, where it is known.
            batch_size: Int, the batch size for arrays; other data comes in batches already.
            sample_size: Int, about how many steps to take where neither `epochs` nor `num_steps` is given.
            verbose: Int, 0 for silence, 1 for a progress bar, 2 for a line at the end.
            num_steps: Int, how many steps to take, in place of `epochs` and `steps_per_epoch`.
            monitor: String, the key of `logs` that is taken as the loss.
            validation_data: As in `fit`; the loss on these data after every rate is then what is recorded, as
                in Smith's test, with the training loss beside it as the metric "train_loss".
            validation_steps: Int, as in `fit`: how many batches of `validation_data` to take.
            class_weight: Dict of class index to weight, as in `fit`.
            sample_weight: Array of weights for `(x, y)`, as in `fit`.
            callbacks: List of further Keras callbacks for the test; their hooks are called at every step, as
                in `fit`.
            train_steps: Int, how many steps the real training will take, if that is known: no probe takes
                more, but for the 2 of the shortest cycle. Probes do not get `callbacks`.
            verify: Bool, whether to try what the curve suggests, or an int, how many steps that may take, or
                a `Verify` with its settings. See `LRCurve.probes` for what was tried. Where there are
                `validation_data` that can start again, probes are judged by the loss on them.
            **moved: `ramp`, `steps_per_lr`, `independent`, `repeats`, `snapshot_dir` (arguments of the
                constructor now) and `verify_steps` (now `verify`) of 0.1, deprecated.

        Returns:
            The `LRCurve` of the test, also kept as `self.curve`.

        Raises:
            RuntimeError: If the model is not compiled, or an optimizer other than the compiled one trains it.
            TypeError: If an argument is of a wrong type.
            ValueError: If the arguments do not make a sweep, the data is empty, its number of batches is
                unknown and `steps_per_epoch` is not given, `sample_weight` is given beside data that have
                their own, or a number of steps to try with is given beside a generator.
        """
        settings = self._settings(moved)
        asked = _asked(verify, settings.pop("verify_steps"), train_data)
        train_steps = optional(COUNT)("find", "train_steps", train_steps)
        _check_compiled(self.model)
        _keras.warn_of_scaled_weights("LearningRateFinder", self.model.optimizer)
        repeats = COUNT("find", "repeats", settings["repeats"])
        _check_validation(validation_data, validation_steps)
        data = Data.of(train_data, batch_size, sample_weight)
        steps = _num_steps(num_steps, epochs, steps_per_epoch, sample_size, data)
        _check_independent(settings["independent"], settings["steps_per_lr"], validation_data)
        feed = functools.partial(
            self._fit,
            data=data,
            class_weight=optional(mapping)("find", "class_weight", class_weight),
            callbacks=_listed(callbacks),
            seed=_fresh_seed(),
        )
        common = {
            "monitor": monitor,
            "snapshot_dir": settings["snapshot_dir"],
            "verbose": int(verbose) if isinstance(verbose, bool) else verbose,
            "data": data.kind,
            "traces": self._traces,
        }
        ramp: dict[str, Any] = {"start_lr": start_lr, "end_lr": end_lr, "ramp": settings["ramp"]}
        rules: dict[str, Any] = {"stop_factor": self.stop_factor, "beta": self.beta}
        sweep = _Recording(
            functools.partial(
                Sweep.over, **ramp, num_steps=steps, steps_per_lr=settings["steps_per_lr"], **rules
            ),
            repeats=repeats,
            validation_data=validation_data,
            validation_steps=validation_steps,
            independent=settings["independent"],
            **common,
        )
        ramp = _plain_ramp(ramp)
        earlier, self.earlier = self.earlier, None
        if earlier is None:
            curve = self._swept(feed, sweep, ramp)
        else:
            _check_same_sweep(earlier, ramp, _kind_of(validation_data), sweep.new_sweep(steps))
            self.curve = curve = _begun_again(earlier)
        _warn_of_early_end(curve, settings["steps_per_lr"], sweep.num_steps or 0)
        most_steps = None if asked is None else asked.most_steps(steps)
        if asked is None or most_steps is None or curve.stop_reason not in WHOLE:
            return self._noted(UNTRIED, _how_to_try(curve, train_data, was_asked=asked is not None))
        common |= _judged_on(asked, validation_data, validation_steps)
        judged = _kind_of(common["validation_data"])
        return self._verify(
            self._noted(PROBES_ON, judged),
            functools.partial(feed, callbacks=[]),
            {**rules, **common},
            most_steps,
            train_steps,
            _tried_before(earlier, judged),
        )

    def _swept(self, feed: Callable, sweep: Recorder, ramp: dict[str, Any]) -> LRCurve:
        """The curve of the sweep; what there is of it stays if it is interrupted."""
        try:
            feed(sweep)
        finally:
            self.curve = _curve_of(sweep, **ramp)
        if self.curve is None:
            raise ValueError("`train_data` gave no batch: the sweep needs at least one.")
        self._kept()
        _warn_of_lost_sweeps(sweep)
        return self.curve

    def _noted(self, name: str, value: str) -> LRCurve:
        """The curve, with that among its metadata."""
        curve = cast(LRCurve, self.curve)
        self.curve = replace(curve, metadata={**curve.metadata, name: value})
        return self.curve

    def _kept(self) -> None:
        if self.keep is not None:
            self.keep(self.curve)

    def _settings(self, moved: dict[str, Any]) -> dict[str, Any]:
        """The settings of the constructor, and those that were given to `find` as in 0.1."""
        given = _warned_of(
            "find", moved, (*OF_THE_CONSTRUCTOR, "verify_steps"), "Pass it to `LearningRateFinder(...)`"
        )
        own = {name: getattr(self, name) for name in OF_THE_CONSTRUCTOR}
        return {**own, "verify_steps": None, **given}

    def _verify(
        self,
        curve: LRCurve,
        feed: Callable,
        settings: dict[str, Any],
        max_steps: int,
        train_steps: int | None,
        known: list[Probe],
    ) -> LRCurve:
        """The curve with what was tried around its answer, which stays if it is interrupted.

        What is `known` from an earlier process, in the order of trying, is not trained again.
        """
        answer = _place_to_try(curve)
        if answer is None:
            return curve
        base_lr, start = answer
        rules = {name: settings.pop(name) for name in ("stop_factor", "beta")}
        first_steps = STAGES.first_steps(max_steps, train_steps)
        before = functools.cache(lambda: _losses_before_learning(feed, settings, first_steps))
        probes: list[Probe] = []

        def so_far() -> LRCurve:
            """What is left if trying stops now."""
            left = {CUT_SHORT: True} if probes else {UNTRIED: STOPPED_BEFORE_TRYING}
            return replace(curve, probes=tuple(probes), metadata={**curve.metadata, **left})

        def train(max_lr: float, steps: int) -> Probe:
            if known and known[0].max_lr == max_lr and (known[0].steps == steps or known[0].diverged):
                probes.append(known.pop(0))
                self.curve = so_far()
                return probes[-1]
            known.clear()
            low = min(base_lr, max_lr / 10)
            rates = schedules.cyclic(np.arange(steps), low, max_lr, steps / 2)
            recording = _Probing(lambda: Sweep(rates, **rules), shows="max_lr", **settings)
            feed(recording)
            losses = recording.sweeps[-1].raw_losses
            probes.append(_probe_of(losses, recording.last, low, max_lr, steps, before()))
            self.curve = so_far()
            self._kept()
            return probes[-1]

        if settings["verbose"]:
            most = f"{max_steps - first_steps:,} steps after {first_steps:,} that change nothing"
            print(f"Trying rates around {start:.1e}, in at most {most}:")
        self.curve = so_far()
        limits = (float(curve.lrs[0]), float(curve.metadata["end_lr"]))
        probe_around(start, train, max_steps, limits, train_steps=train_steps)
        self.curve = replace(curve, probes=tuple(probes))
        self._kept()
        if settings["verbose"]:
            print(_said_of(self.curve))
        return self.curve

    def _fit(
        self, recording: Recorder, *, data: Data, class_weight: dict | None, callbacks: list, seed: int
    ) -> None:
        """Give `fit` the data and `recording`, and leave no trace of either.

        The `seed` is for an order of the data that has none, so that a sweep and its probes see the same.
        """
        steps = recording.repeats * (recording.num_steps or 0)
        with (
            _keras.seeded_if_unseeded(seed),
            _undisturbed(self.model),
            _state.preserved_randomness(),
            data.feed(self.model, steps, class_weight) as feed,
        ):
            try:
                settings = {"class_weight": class_weight, **feed}
                self.model.fit(**settings, verbose=0, callbacks=[recording, *callbacks])
            finally:
                recording.close()

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


class PeriodicLRFinder(_keras.OwnCallback):
    """Repeats the range test every few epochs of a training, which continues as if there had been no test.

    The best rate falls as training goes on; this shows by how much, and can follow it.

    Source: Surmenok, 2017, Estimating an Optimal Learning Rate For a Deep Neural Network.

    Args:
        train_data: As in `LearningRateFinder.find`.
        every: Int, how many epochs lie between two tests.
        apply: String, the name of a suggestion method (see `LRCurve.suggest`) whose `max_lr` the optimizer
            gets after each test; "verified" needs `verify=True`. None only records. A curve that supports no
            suggestion changes nothing, and a warning says why.
        stop_factor: Float, as in `LearningRateFinder`.
        beta: Float, as in `LearningRateFinder`.
        **find: The other arguments of `LearningRateFinder` and its `find`; `start_lr` and `end_lr` are
            needed. Nothing is tried unless `verify` is passed.

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
        _check_is_data("PeriodicLRFinder", "train_data", train_data)
        every = COUNT("PeriodicLRFinder", "every", every)
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
        self._in_fit: Any = None
        _check_arguments("PeriodicLRFinder", find)
        self._finder: dict[str, Any] = {name: find.pop(name) for name in FOR_ANOTHER_FIND if name in find}
        self._finder |= {"stop_factor": stop_factor, "beta": beta}
        self._find = {"verify": False, **find}

    @property
    def drives_learning_rate(self) -> bool:
        """Whether it sets the rate: then no other callback of the `fit` may."""
        return self.apply is not None

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.apply is not None:
            _keras.check_can_drive(self)
        self._in_fit = LearningRateFinder(self.model, **self._finder)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._in_fit = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_in_fit": None}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self.curves[epoch + 1] = self._in_fit.find(self.train_data, **self._find)
            if self.apply is not None:
                self._apply_suggestion(self.curves[epoch + 1], self.apply)

    def _apply_suggestion(self, curve: LRCurve, method: str) -> None:
        try:
            suggestion = curve.suggest(method)
        except NoSuggestion as reason:
            warn(f"`PeriodicLRFinder`: the learning rate stays as it is: {reason}")
            return
        _keras.set_learning_rate(self.model.optimizer, suggestion.max_lr)


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
    """Run the same range test with several optimizers, or on several models, and compare the curves.

    Every sweep starts from the model's present weights, with the same random state and, for arrays and
    `PyDataset`, the same order of the data (a `tf.data` pipeline with `shuffle` draws a new order each time).
    The model keeps its own optimizer, loss, metrics and weights bit for bit; the optimizers given are copied,
    and their learning rates play no part. A grid of weight decays, or of any other of their
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
        **find: The other arguments of `LearningRateFinder` and its `find`. Nothing is tried unless `verify`
            is passed.

    Returns:
        A `Comparison`: a dict of label to `LRCurve` that draws its curves over each other, and prints
        their bounds as a table.

    Raises:
        RuntimeError: If a model is not compiled.
        TypeError: If `train_data` is a generator, or the arguments are neither one model with a dict of
            optimizers nor a dict of models.

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
    settings = {name: find.pop(name) for name in FOR_ANOTHER_FIND if name in find}
    find.setdefault("verify", False)
    curves = Comparison()
    for label, each in models.items():
        _check_compiled(each)
        with ExitStack() as stack:
            stack.enter_context(_keras.seeded_if_unseeded())
            if optimizers is not None:
                stack.enter_context(_keras.optimizer_in_place(each, optimizers[label]))
            finder = LearningRateFinder(each, stop_factor=stop_factor, beta=beta, **settings)
            curves[label] = finder.find(train_data, start_lr, end_lr, **find)
    return curves


def _check_arguments(owner: str, given: dict[str, Any]) -> None:
    """Raise for arguments that neither `LearningRateFinder` nor its `find` has, and for rates left out."""
    names = [TUTORIAL_NAMES.get(name, name) for name in given]
    known = {*inspect.signature(LearningRateFinder.find).parameters, *FOR_ANOTHER_FIND, "verify_steps"}
    known -= {"self", "train_data", "moved"}
    for name, given_name in zip(names, given, strict=True):
        if name not in known:
            raise TypeError(f"`{owner}` got an unexpected keyword argument {given_name!r}.")
    for name in ("start_lr", "end_lr"):
        if name not in names:
            raise TypeError(f"`{owner}` needs `{name}`, as `LearningRateFinder.find` does.")


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


@dataclass(frozen=True)
class Data:
    """Training data as a test needs it: what it is, how many batches, how `fit` gets it.

    Args:
        given: The data as the user gave it; arrays as a tuple `(x, y)` or `(x, y, sample_weight)`.
        kind: String, "arrays", "tf.data", "PyDataset", "generator" or "any".
        num_batches: Number, batches in one pass; infinite, or None if unknown.
        batch_size: Int, of arrays.
    """

    given: Any
    kind: str
    num_batches: float | None
    batch_size: int

    @classmethod
    def of(cls, train_data: Any, batch_size: int, sample_weight: Any) -> Data:
        """Look at what the user gave, taking nothing from it."""
        _check_is_data("find", "train_data", train_data)
        if isinstance(sample_weight, str | bytes | numbers.Number):
            raise wrong_type("find", "sample_weight", "an array of weights", sample_weight)
        given = _as_tuple_if_arrays(train_data)
        num_batches: float | None
        if isinstance(given, tuple):
            batch_size = COUNT("find", "batch_size", batch_size)
            if sample_weight is not None and len(given) == 2:
                given, sample_weight = (*given, sample_weight), None
            samples = _num_samples(given)
            kind, num_batches = "arrays", math.ceil(samples / batch_size)
        elif _keras.is_tf_dataset(given):
            cardinality = int(given.cardinality())
            kind, num_batches = "tf.data", {-1: math.inf, -2: None}.get(cardinality, cardinality)
        elif isinstance(given, keras.utils.PyDataset):
            kind, num_batches = "PyDataset", given.num_batches
        elif inspect.isgenerator(given):
            kind, num_batches = "generator", None
        else:
            kind, num_batches = "any", _length_of(given)
        if sample_weight is not None:
            what = "(x, y, sample_weight)" if isinstance(given, tuple) else type(given).__name__
            raise ValueError(
                "`sample_weight` goes with `(x, y)`; other data carry their weights themselves. "
                f"Received: `train_data` of type {what}. Leave `sample_weight` out."
            )
        if num_batches == 0:
            raise ValueError("`train_data` is empty: the sweep needs at least one batch.")
        return cls(given, kind, num_batches, int(batch_size))

    @contextmanager
    def feed(
        self, model: keras.Model, steps: int, class_weight: dict | None = None
    ) -> Iterator[dict[str, Any]]:
        """The arguments of `fit` for exactly `steps` steps, which leave the caller's own object as it is."""
        if self.kind == "generator":
            warn(
                "`train_data` is a generator, which cannot be rewound: the batches that the sweep takes from "
                "it are gone. Pass a `tf.data.Dataset` or a `keras.utils.PyDataset` to keep them for "
                "training."
            )
            yield {"x": self.given, "shuffle": False}
            return
        if type(model).fit is not keras.Model.fit:
            yield self._untouched(steps)
            return
        if self.kind == "arrays":
            yield self._batches_of_arrays(steps, class_weight)
        elif self.kind == "tf.data":
            yield {"x": _keras.tensorflow().exactly(self.given, steps), "shuffle": False}
        elif self.kind == "PyDataset":
            passes = Passes(self.given, steps)
            with _state.preserved_position(self.given):
                try:
                    yield {"x": passes, "shuffle": False}
                finally:
                    _keras.stop_workers(passes)
        else:
            yield self._untouched(steps)

    def _batches_of_arrays(self, steps: int, class_weight: dict | None) -> dict[str, Any]:
        x, y, *weights = self.given
        weight = weights[0] if weights else None
        batches = _keras.array_batches(x, y, weight, self.batch_size, steps)
        if batches is None:
            return self._untouched(steps)
        return {"x": batches, "shuffle": False, "class_weight": _for_all_classes(class_weight, y)}

    def _untouched(self, steps: int) -> dict[str, Any]:
        arguments: dict[str, Any] = {"x": self.given, "shuffle": False}
        if self.kind == "arrays":
            x, y, *weights = self.given
            arguments = {"x": x, "y": y, "batch_size": self.batch_size}
            if weights:
                arguments["sample_weight"] = weights[0]
        if self.num_batches is None or math.isinf(self.num_batches):
            return {**arguments, "epochs": steps}
        return {**arguments, "epochs": math.ceil(steps / self.num_batches)}


class Passes(keras.utils.PyDataset):
    """Passes over a `PyDataset`, each in its own order, without calling its epoch hooks.

    Args:
        dataset: The `keras.utils.PyDataset`.
        steps: Int, how many batches there are in all.
    """

    def __init__(self, dataset: keras.utils.PyDataset, steps: int):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.steps = steps
        length = dataset.num_batches
        if length is None:
            self._order = np.arange(steps)
        else:
            passes = [np.random.permutation(length) for _ in range(math.ceil(steps / length))]
            self._order = np.concatenate(passes)[:steps]

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self._order[index])]


def _curve_of(recording: Recorder, **ramp: Any) -> LRCurve | None:
    """What was recorded: the mean of the complete sweeps, or as much of the first as there is."""
    whole = [sweep for sweep in recording.sweeps if sweep.stop_reason in WHOLE]
    metadata = {**ramp, "recorder": recording.recorded_by, LOSSES_ON: _kind_of(recording.validation_data)}
    curves = [sweep.curve(**metadata) for sweep in whole or recording.sweeps[:1] if sweep.losses]
    return (LRCurve.mean(curves) if len(curves) > 1 else curves[0]) if curves else None


def _plain_ramp(ramp: dict[str, Any]) -> dict[str, Any]:
    """The same with Python's own numbers, which a saved curve can hold."""
    return {name: value if name == "ramp" else float(value) for name, value in ramp.items()}


def _fresh_seed() -> int:
    """A number that no generator was asked for."""
    return int(np.random.SeedSequence().generate_state(1)[0]) // 2


def _kind_of(validation_data: Any) -> str:
    """On which data losses are recorded."""
    return TRAINING_DATA if validation_data is None else VALIDATION_DATA


def _checked_earlier(earlier: Any) -> LRCurve | None:
    """The curve to continue from; None if its sweep was not complete, so that it has to be made again."""
    if not isinstance(earlier, LRCurve | None):
        raise wrong_type("LearningRateFinder", "earlier", "an `LRCurve` or None", earlier)
    return earlier if earlier is not None and earlier.stop_reason in WHOLE else None


def _begun_again(earlier: LRCurve) -> LRCurve:
    """The curve without what was tried around it, and without what was said of that."""
    metadata = {name: value for name, value in earlier.metadata.items() if name not in (CUT_SHORT, UNTRIED)}
    return replace(earlier, probes=(), metadata=metadata)


def _tried_before(earlier: LRCurve | None, judged: str) -> list[Probe]:
    """The probes of an earlier process, unless they were judged on other data."""
    if earlier is None or earlier.metadata.get(PROBES_ON, TRAINING_DATA) != judged:
        return []
    return list(earlier.probes)


def _check_same_sweep(earlier: LRCurve, ramp: dict[str, Any], losses_on: str, sweep: Sweep) -> None:
    """Raise unless the curve is one of that sweep, as far as it can tell."""
    expected = {**ramp, LOSSES_ON: losses_on, "first rate": float(sweep.lrs[0])}
    received = {name: earlier.metadata.get(name) for name in ramp}
    received[LOSSES_ON] = earlier.metadata.get(LOSSES_ON, losses_on)  # 0.1 does not say
    received["first rate"] = float(earlier.lrs[0])
    as_long = len(earlier) == len(sweep.lrs) or earlier.stop_reason != "end_lr"
    if received != expected or len(earlier) > len(sweep.lrs) or not as_long:
        raise ValueError(
            f"`LearningRateFinder`: `earlier` must be a curve of the same sweep, {len(sweep.lrs)} rates of "
            f"{expected}. Received: {earlier!r} of {received}. Leave `earlier` out to start over."
        )


def _probe_of(
    losses: list[float], last: int, base_lr: float, max_lr: float, steps: int, before: list[float]
) -> Probe:
    """How a short training ended: the mean of its `last` losses, or that it diverged.

    The loss that it began with is that of the same batches `before`, or of all of those if it went further.
    """
    end = _end_of(losses, last, steps)
    if not end:
        return Probe(base_lr, max_lr, len(losses), math.inf)
    error = float(np.std(end, ddof=1) / np.sqrt(last)) if last > 1 else 0.0
    first = before[-last:] if len(before) == steps else before
    return Probe(base_lr, max_lr, steps, float(np.mean(end)), error, float(np.mean(first)) if first else 0.0)


def _end_of(losses: list[float], last: int, steps: int) -> list[float]:
    """The last losses of a probe; none if it diverged."""
    return losses[-last:] if len(losses) == steps and math.isfinite(losses[-1]) else []


def _losses_before_learning(feed: Callable, settings: dict[str, Any], steps: int) -> list[float]:
    """The losses of that many steps that change nothing; that of one batch may be far from their mean.

    The loss on the validation data after them, if there are any. An empty list, which stands for unknown,
    where one is not finite.
    """
    rates = np.full(steps, RATE_BEFORE)
    recording = _Probing(lambda: Sweep(rates, stop_factor=None), **{**settings, "verbose": 0})
    feed(recording)
    losses = recording.sweeps[-1].raw_losses
    if recording.validation_data is not None:
        losses = losses[-1:]
    return list(losses) if np.isfinite(losses).all() else []


def _place_to_try(curve: LRCurve) -> tuple[float, float] | None:
    """Lowest rate of a cycle and where to begin trying: the curve's answer, or else its lowest loss.

    None where the curve is flat.
    """
    try:
        bounds = curve.suggest("bounds")
    except NoSuggestion as answer:
        return None if answer.lowest_lr is None else (math.inf, answer.lowest_lr)
    return bounds.base_lr, bounds.max_lr


def _how_to_try(curve: LRCurve, train_data: Any, *, was_asked: bool) -> str:
    """Why nothing was tried, and how it would be."""
    if inspect.isgenerator(train_data):
        return (
            "a generator cannot start again. Pass arrays, a `tf.data.Dataset` or a `keras.utils.PyDataset`, "
            "and `find` tries what the curve says."
        )
    if not was_asked:
        return "pass `verify=True`, and rates around it are tried."
    if curve.stop_reason not in WHOLE:
        return "the sweep was stopped before its end, and only what a whole one says is tried."
    return (
        f"{SWEEPS} times as many steps as the sweep's are too few to try rates in. Pass "
        f"`verify={MIN_VERIFY_STEPS}` or more, or take at least {MIN_VERIFY_STEPS // SWEEPS} steps."
    )


def _said_of(curve: LRCurve) -> str:
    try:
        return curve.suggest().reason
    except NoSuggestion as reason:
        return f"No rate to train with: {reason}"


def _warned_of(
    owner: str, given: dict[str, Any], known: tuple[str, ...], instead: str = ""
) -> dict[str, Any]:
    """The arguments of 0.1 among `given`, with a warning each.

    Raises:
        TypeError: If there are others.
    """
    instead = instead or "Use `LearningRateFinder.find`, which has it"
    for name in given:
        if name not in known:
            raise TypeError(f"`{owner}` got an unexpected keyword argument {name!r}.")
        how = "Pass the number as `verify`" if name == "verify_steps" else instead
        warn(
            f"`{owner}`: `{name}` is deprecated here and will be removed in 0.3. {how}.",
            DeprecationWarning,
        )
    return given


def _asked(verify: Any, steps: int | None, train_data: Any) -> Verify | None:
    """How to try the curve's answer, None for not at all."""
    if not isinstance(verify, (bool, int, np.bool_, np.integer, Verify)):
        raise wrong_type("find", "verify", "True, False, a number of steps or a `Verify`", verify)
    is_demand = not isinstance(verify, bool | np.bool_)  # in place of True, which is the default
    if not isinstance(verify, Verify):
        if not verify:
            return None
        verify = Verify(STEPS("find", "verify", verify) if is_demand else steps)
    if inspect.isgenerator(train_data):
        if not is_demand and verify.steps is None:
            return None
        raise ValueError(
            "`verify` trains on the same data again and again, and a generator cannot start again. Pass "
            "arrays, a `tf.data.Dataset` or a `keras.utils.PyDataset`, or leave `verify` out."
        )
    if inspect.isgenerator(verify.validation_data):
        raise ValueError(
            "`Verify` compares losses on the same `validation_data`, and a generator cannot start again. "
            "Pass arrays, a `tf.data.Dataset` or a `keras.utils.PyDataset`."
        )
    _check_validation(verify.validation_data, verify.validation_steps, "Verify")
    return verify


def _judged_on(asked: Verify, validation_data: Any, validation_steps: int | None) -> dict[str, Any]:
    """The data on which a probe is judged, as settings of its recording: its own, or those of the sweep."""
    if asked.validation_data is not None:
        validation_data, validation_steps = asked.validation_data, asked.validation_steps
    elif inspect.isgenerator(validation_data):  # other data for each probe
        validation_data, validation_steps = None, None
    return {"validation_data": validation_data, "validation_steps": validation_steps}


def _check_compiled(model: Any) -> None:
    _keras.check_model("LearningRateFinder", model)
    if not model.compiled or model.optimizer is None:
        raise RuntimeError(
            "`LearningRateFinder.find` trains the model, and it has no optimizer and loss yet. Call "
            "`model.compile(optimizer=..., loss=...)` first."
        )


def _check_independent(
    independent: bool, steps_per_lr: int, validation_data: Any, owner: str = "LearningRateFinder"
) -> None:
    if independent and steps_per_lr == 1 and validation_data is None:
        raise ValueError(
            f"`{owner}`: with `independent`, the first loss of each rate is that of the model as "
            "it was. Pass `steps_per_lr` above 1 or `validation_data`. Received: steps_per_lr=1."
        )


def _listed(callbacks: Any) -> list:
    """The callbacks as a list; one may stand alone, as in `fit`."""
    listed = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks or []
    if not isinstance(listed, list | tuple) or not all(
        isinstance(each, keras.callbacks.Callback) for each in listed
    ):
        raise wrong_type("find", "callbacks", "a list of Keras callbacks", callbacks)
    return list(listed)


def _check_is_data(owner: str, name: str, data: Any) -> None:
    if data is None or isinstance(data, str | bytes | numbers.Number):
        raise wrong_type(owner, name, "what `fit` takes as data: arrays, a dataset or a generator", data)


def _check_validation(data: Any, steps: int | None, owner: str = "find") -> None:
    """Raise if an evaluation would not end, or there is nothing to evaluate on."""
    if data is None and optional(COUNT)(owner, "validation_steps", steps) is not None:
        raise ValueError(
            f"`{owner}`: `validation_steps` says how many batches of `validation_data` to take. Pass "
            "`validation_data` as well, or leave `validation_steps` out."
        )
    if data is not None:
        _check_is_data(owner, "validation_data", data)
    if data is None or steps is not None:
        return
    endless = _keras.is_tf_dataset(data) and int(data.cardinality()) == -1
    endless = endless or (isinstance(data, keras.utils.PyDataset) and data.num_batches is None)
    if endless or inspect.isgenerator(data):
        what = "is a generator" if inspect.isgenerator(data) else "repeats forever"
        raise ValueError(
            f"`validation_data` {what}, so an evaluation would not end as it should: say how many batches to "
            "take with `validation_steps`."
        )


def _as_tuple_if_arrays(train_data: Any) -> Any:
    """`[x, y]` as `(x, y)`, and inputs without targets as `(x, None)`; other data as it is."""
    if isinstance(train_data, list):
        return tuple(train_data)
    without_targets = isinstance(train_data, dict) or hasattr(train_data, "shape")
    return (train_data, None) if without_targets else train_data


def _for_all_classes(class_weight: dict | None, y: Any) -> dict | None:
    """The weights, and 1 for all other classes of the targets, as `fit` has it with arrays."""
    if not class_weight or not hasattr(y, "shape"):
        return class_weight
    labels = keras.ops.convert_to_numpy(y)
    classes = labels.shape[-1] if labels.ndim > 1 and labels.shape[-1] > 1 else int(labels.max()) + 1
    return {**dict.fromkeys(range(classes), 1.0), **class_weight}


def _length_of(data: Any) -> int | None:
    """How many batches there are; None where that is not known, as of a `DataLoader` of a stream."""
    try:
        return len(data)
    except TypeError:
        return None


def _num_samples(train_data: tuple) -> int:
    if not 2 <= len(train_data) <= 3:
        raise ValueError(
            "`train_data` must be `(x, y)` or `(x, y, sample_weight)` where it is a tuple. "
            f"Received a tuple of {len(train_data)}."
        )
    first: Any = next(iter(keras.tree.flatten(train_data[0])), ())
    if not getattr(first, "shape", ()) and not hasattr(first, "__len__"):
        raise wrong_type(
            "find",
            "train_data",
            "arrays where it is a tuple; turn lists of numbers into arrays with `np.array`",
            train_data,
        )
    return int(first.shape[0]) if getattr(first, "shape", ()) else len(first)


def _num_steps(
    num_steps: int | None, epochs: int | None, steps_per_epoch: int | None, sample_size: int, data: Data
) -> int:
    """How many steps the sweep takes."""
    count = optional(COUNT)
    num_steps = count("find", "num_steps", num_steps)
    epochs, steps_per_epoch = (
        count("find", "epochs", epochs),
        count("find", "steps_per_epoch", steps_per_epoch),
    )
    sample_size = COUNT("find", "sample_size", sample_size)
    if num_steps is not None:
        if epochs is not None or steps_per_epoch is not None:
            raise ValueError(
                "`num_steps` says how many steps to take, in place of `epochs` and `steps_per_epoch`. "
                f"Received: num_steps={num_steps}, epochs={epochs}, steps_per_epoch={steps_per_epoch}."
            )
        return num_steps
    if steps_per_epoch is None:
        if data.num_batches is None or math.isinf(data.num_batches):
            raise ValueError(
                "`steps_per_epoch` is needed: the number of batches of "
                f"{type(data.given).__name__} data is not known. Pass "
                "`steps_per_epoch=ceil(number of samples / batch size)`, or `num_steps`."
            )
        steps_per_epoch = int(data.num_batches)
    epochs = math.ceil(sample_size / steps_per_epoch) if epochs is None else epochs
    return epochs * steps_per_epoch


def _warn_of_lost_sweeps(recording: Recorder) -> None:
    """Say that not all repeated sweeps count, because the last one was cut short."""
    whole = sum(sweep.stop_reason in WHOLE for sweep in recording.sweeps)
    if 0 < whole < recording.repeats:
        ending = recording.sweeps[-1].stop_reason
        warn(
            f"`repeats={recording.repeats}`: sweep {len(recording.sweeps)} was cut short ({ending}), and the "
            f"curve is of the {whole} before. Pass more batches, or fewer `repeats`."
        )


def _warn_of_early_end(curve: LRCurve, steps_per_lr: int, num_steps: int) -> None:
    done = (
        f"after {steps_per_lr * len(curve)} of {num_steps} steps, at a learning rate of {curve.lrs[-1]:.1e}"
    )
    said = {
        "exhausted": f"`train_data` ran out {done}: the curve ends there. Pass more batches, or lower "
        "`num_steps`, or `epochs` or `steps_per_epoch`.",
        "limited": f"the sweep ended {done}, as `keras.config` limits the epochs or steps of every `fit`: "
        "the curve ends there. Lift the limit with `keras.config.set_max_epochs(None)` and "
        "`keras.config.set_max_steps_per_epoch(None)`.",
    }.get(curve.stop_reason)
    if said is not None:
        warn(said)


@contextmanager
def _undisturbed(model: keras.Model) -> Iterator[None]:
    """Let `fit` run inside, from its first epoch, without a trace in the model's attributes."""
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        if model.steps_per_execution != 1:
            stack.enter_context(_keras.replaced_attribute(model, "steps_per_execution", 1))
            stack.enter_context(_keras.replaced_attribute(model, "train_function", None))
        stack.enter_context(_keras.first_look_repeated(model))
        for name in _keras.ATTRIBUTES_OF_FIT:
            keep = name == "train_function"  # its trace can be used again
            value = vars(model).get(name) if keep else None
            stack.enter_context(_keras.replaced_attribute(model, name, value))
        yield
