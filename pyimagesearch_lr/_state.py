"""Everything put back as it was: `preserved` for a model's state, `preserved_randomness` for the process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras

READ_AT_ONCE = 2**24


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
    with _kept_in_memory(variables) if directory is None else _kept_on_disk(variables, directory) as put_back:
        try:
            yield put_back
        finally:
            put_back()


@contextmanager
def _kept_in_memory(variables: list) -> Iterator[Callable[[], None]]:
    copies = [np.array(variable.numpy()) for variable in variables]

    def put_back() -> None:
        for variable, copy in zip(variables, copies, strict=True):
            variable.assign(copy)

    yield put_back


@contextmanager
def _kept_on_disk(variables: list, directory: str | os.PathLike) -> Iterator[Callable[[], None]]:
    """Copies in files of a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="snapshot-", dir=directory) as folder:
        files = [Path(folder, str(number)) for number in range(len(variables))]
        for file, variable in zip(files, variables, strict=True):
            file.write_bytes(np.ascontiguousarray(variable.numpy()).view(np.uint8).data)

        def put_back() -> None:
            for file, variable in zip(files, variables, strict=True):
                _read_into(variable, file)

        yield put_back


def _read_into(variable: Any, file: Path) -> None:
    """Assign what `file` holds, some rows at a time: what is read is in memory twice, once as a tensor."""
    shape, dtype = variable.shape, variable.dtype
    size = dtype.size * shape.num_elements()
    if shape.rank == 0 or size <= READ_AT_ONCE:
        variable.assign(np.frombuffer(file.read_bytes(), dtype.as_numpy_dtype).reshape(shape))
        return
    bytes_of_row = size // shape[0]
    rows_at_once = max(1, READ_AT_ONCE // bytes_of_row)
    with open(file, "rb") as stream:
        for begin in range(0, shape[0], rows_at_once):
            part = np.frombuffer(stream.read(rows_at_once * bytes_of_row), dtype.as_numpy_dtype)
            end = min(begin + rows_at_once, shape[0])
            _keras.assign_part(variable, [begin], [end], part.reshape(-1, *shape[1:]))


@contextmanager
def preserved_randomness() -> Iterator[None]:
    """Put the global random states of Python, NumPy, TensorFlow and Keras back at the end."""
    put_back = _keras.random_states()
    try:
        yield
    finally:
        put_back()
