"""Everything put back as it was: `preserved` for a model's state, `preserved_randomness` for the process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from pyimagesearch_lr import _keras


@contextmanager
def preserved(model: keras.Model, directory: str | os.PathLike | None = None) -> Iterator[Callable[[], None]]:
    """Copy every variable of the model and its optimizer now and put the copies back at the end.

    The body is given a function that puts them back at once, as often as it is called.

    Weights, batch-normalisation statistics, optimizer slots, the step counter, the learning rate, the loss
    scale, dropout's seeds and the metrics come back bit for bit, also when the body raises.

    Args:
        model: A compiled and built `keras.Model`.
        directory: Folder in which to keep the copies for the time, for a model too large to be held in
            memory twice; None keeps them in memory.

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
    variables = _keras.component_variables(model)
    with (
        _copies_in_memory(variables) if directory is None else _copies_on_disk(variables, directory) as copies
    ):

        def put_back() -> None:
            for variable, copy in zip(variables, copies(), strict=True):
                variable.assign(copy)

        try:
            yield put_back
        finally:
            put_back()


@contextmanager
def _copies_in_memory(variables: list) -> Iterator[Callable[[], Iterable[np.ndarray]]]:
    copies = [np.array(variable.numpy()) for variable in variables]
    yield lambda: copies


@contextmanager
def _copies_on_disk(
    variables: list, directory: str | os.PathLike
) -> Iterator[Callable[[], Iterable[np.ndarray]]]:
    """Copies in files of a temporary folder, read back one at a time."""
    with tempfile.TemporaryDirectory(prefix="snapshot-", dir=directory) as folder:
        files = [Path(folder, str(number)) for number in range(len(variables))]
        for file, variable in zip(files, variables, strict=True):
            file.write_bytes(variable.numpy().tobytes())
        yield lambda: (
            np.frombuffer(file.read_bytes(), variable.dtype.as_numpy_dtype).reshape(variable.shape)
            for file, variable in zip(files, variables, strict=True)
        )


@contextmanager
def preserved_randomness() -> Iterator[None]:
    """Put the global random states of Python, NumPy, TensorFlow and Keras back at the end."""
    put_back = _keras.random_states()
    try:
        yield
    finally:
        put_back()
