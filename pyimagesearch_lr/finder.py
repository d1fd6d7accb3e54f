"""`LearningRateFinder`: a sweep over any data, that leaves the model as it was."""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from pyimagesearch_lr import _keras, _state
from pyimagesearch_lr.callbacks import LRFinder
from pyimagesearch_lr.curve import LRCurve

STEPS_PER_EXECUTION = 32
SMALL_MODEL = 500_000
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


def accepts_tutorial_names(function: Callable) -> Callable:
    """Let `function` be called with the tutorial's camelCase keywords as well as its own."""

    @functools.wraps(function)
    def renamed(*args, **kwargs):
        translated = {TUTORIAL_NAMES.get(name, name): value for name, value in kwargs.items()}
        if len(translated) < len(kwargs):
            raise TypeError(
                f"`{function.__qualname__}` received an argument under both its names: {sorted(kwargs)}."
            )
        return function(*args, **translated)

    return renamed


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
    def __init__(self, model: keras.Model, stop_factor: float | None = 4, beta: float = 0.98):
        self.model = model
        self.stop_factor = stop_factor
        self.beta = beta
        self.curve: LRCurve | None = None

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
        class_weight: dict | None = None,
        sample_weight: Any = None,
        callbacks: list | None = None,
    ) -> LRCurve:
        """Sweep the rate from `start_lr` to `end_lr` over `epochs * steps_per_epoch` steps.

        The data starts again whenever it runs out. A Python generator cannot start again: the test then ends
        early with the stop reason "exhausted", and the batches it took are gone.

        Args:
            train_data: A tuple `(x, y)` or `(x, y, sample_weight)` of arrays (or lists or dicts of arrays), a
                `tf.data.Dataset`, a `keras.utils.PyDataset`, an iterator of `ImageDataGenerator.flow`, a
                PyTorch `DataLoader` or a generator of batches.
            start_lr: Float, the first rate.
            end_lr: Float, the last rate.
            epochs: Int; None takes `ceil(sample_size / steps_per_epoch)`.
            steps_per_epoch: Int; None takes the number of batches in the data, where it is known.
            batch_size: Int, the batch size for arrays; other data comes in batches already.
            sample_size: Int, about how many steps to take where `epochs` is None.
            verbose: 0 or 1, whether to show a progress bar.
            ramp: String, "exponential" or "linear".
            steps_per_lr: Int, how many steps are trained with each rate; their mean loss is recorded.
            class_weight: Dict of class index to weight, as in `fit`.
            sample_weight: Array of weights for arrays, as in `fit`.
            callbacks: List of further Keras callbacks for the time of the test.

        Returns:
            The `LRCurve` of the test, also kept as `self.curve`.

        Raises:
            RuntimeError: If the model is not compiled.
            ValueError: If the arguments do not make a sweep, the data is empty, or its number of batches is
                unknown and `steps_per_epoch` is not given.
        """
        _check_model(self.model)
        source = _source(train_data, batch_size, sample_weight)
        steps_per_epoch = _steps_per_epoch(steps_per_epoch, train_data, source, batch_size)
        epochs = math.ceil(sample_size / steps_per_epoch) if epochs is None else epochs
        callback = LRFinder(
            start_lr,
            end_lr,
            int(epochs) * steps_per_epoch,
            ramp=ramp,
            stop_factor=self.stop_factor,
            beta=self.beta,
            steps_per_lr=steps_per_lr,
            verbose=verbose,
        )
        restartable = not inspect.isgenerator(train_data) and _num_batches(train_data) != math.inf
        with _undisturbed(self.model), _state.preserved_randomness():
            try:
                self.model.fit(
                    **source,
                    epochs=callback.num_steps if restartable else 1,
                    verbose=0,
                    class_weight=class_weight,
                    callbacks=[callback, *(callbacks or [])],
                )
            finally:
                callback.close()
                self.curve = callback.curve
        if self.curve is None:
            raise ValueError("`train_data` gave no batch: the sweep needs at least one.")
        return self.curve

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


def _check_model(model: keras.Model) -> None:
    if not model.compiled or model.optimizer is None:
        raise RuntimeError(
            "`LearningRateFinder.find` trains the model, and it has no optimizer and loss yet. Call "
            "`model.compile(optimizer=..., loss=...)` first."
        )


def _source(train_data: Any, batch_size: int, sample_weight: Any) -> dict[str, Any]:
    """The arguments of `fit` that carry the data."""
    if not isinstance(train_data, tuple):
        return {"x": train_data, "shuffle": isinstance(train_data, keras.utils.PyDataset)}
    if not 2 <= len(train_data) <= 3:
        raise ValueError(
            "`train_data` must be `(x, y)` or `(x, y, sample_weight)` where it is a tuple. "
            f"Received a tuple of {len(train_data)}."
        )
    if batch_size != int(batch_size) or batch_size < 1:
        raise ValueError(f"`batch_size` must be a whole number of at least 1. Received: {batch_size}.")
    x, y, *weights = train_data
    weights = weights[0] if weights else sample_weight
    return {"x": x, "y": y, "sample_weight": weights, "batch_size": int(batch_size)}


def _steps_per_epoch(steps: float | None, train_data: Any, source: dict[str, Any], batch_size: int) -> int:
    num_batches: float | None
    if "y" in source:
        num_batches = math.ceil(len(keras.tree.flatten(source["x"])[0]) / batch_size)
    else:
        num_batches = _num_batches(train_data)
    if num_batches == 0:
        raise ValueError("`train_data` is empty: the sweep needs at least one batch.")
    if steps is None:
        if num_batches is None or num_batches == math.inf:
            raise ValueError(
                "`steps_per_epoch` is needed: the number of batches of "
                f"{type(train_data).__name__} data is not known. "
                "Pass `steps_per_epoch=ceil(number of samples / batch size)`."
            )
        return int(num_batches)
    if steps != int(steps) or steps < 1:
        raise ValueError(f"`steps_per_epoch` must be a whole number of at least 1. Received: {steps}.")
    return int(steps)


def _num_batches(train_data: Any) -> float | None:
    """Batches in one pass: a number, infinity, or None where nothing says."""
    if hasattr(train_data, "cardinality"):
        cardinality = int(train_data.cardinality())
        return {-1: math.inf, -2: None}.get(cardinality, cardinality)
    if isinstance(train_data, keras.utils.PyDataset):
        return train_data.num_batches
    return len(train_data) if hasattr(train_data, "__len__") else None


def _steps_per_execution(model: keras.Model) -> int:
    """The model's own, or many where Python would otherwise take a good part of each step's time."""
    several_devices = model.distribute_strategy.num_replicas_in_sync > 1
    small = not model.built or model.count_params() < SMALL_MODEL
    own = model.steps_per_execution
    return STEPS_PER_EXECUTION if own == 1 and small and not several_devices else own


@contextmanager
def _undisturbed(model: keras.Model) -> Iterator[None]:
    """Let `fit` run inside without a trace in the model's attributes."""
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        steps = _steps_per_execution(model)
        stack.enter_context(_keras.replaced_attribute(model, "steps_per_execution", steps))
        for name in ("history", "stop_training", "_eval_epoch_iterator"):
            stack.enter_context(_keras.replaced_attribute(model, name, None))
        yield
