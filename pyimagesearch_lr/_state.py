"""Everything put back as it was: `preserved` for a model's state, `preserved_randomness` for the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from pyimagesearch_lr import _keras


@contextmanager
def preserved(model: keras.Model) -> Iterator[None]:
    """Copy every variable of the model and its optimizer now and put the copies back at the end.

    Weights, batch-normalisation statistics, optimizer slots, the step counter, the learning rate, the loss
    scale, dropout's seeds and the metrics come back bit for bit, also when the body raises.

    Args:
        model: A compiled and built `keras.Model`.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> before = model.get_weights()
    >>> with preserved(model):
    ...     history = model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
    >>> all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    True
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    copies = [(variable, np.array(variable.numpy())) for variable in _keras.component_variables(model)]
    try:
        yield
    finally:
        for variable, value in copies:
            variable.assign(value)


@contextmanager
def preserved_randomness() -> Iterator[None]:
    """Put the global random states of Python, NumPy, TensorFlow and Keras back at the end."""
    put_back = _keras.random_states()
    try:
        yield
    finally:
        put_back()
