"""Everything that training can change, found and put back: `Snapshot` of a model, `preserved_randomness`.

Nothing here depends on a backend: what only TensorFlow has comes through `_keras`.
"""

from __future__ import annotations

import collections
import copy
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pyimagesearch_lr import _keras

READ_AT_ONCE = 2**24
LARGEST_ARRAY = 2**20
LONGEST_CONTAINER = 10_000
KERAS_KINDS = (
    keras.layers.Layer,
    keras.metrics.Metric,
    keras.losses.Loss,
    keras.optimizers.Optimizer,
    keras.random.SeedGenerator,
)
NOT_THE_USERS = frozenset(
    (
        *sys.stdlib_module_names,
        *("numpy", "pandas", "keras", "tensorflow", "tf_keras", "jax", "jaxlib", "torch"),
        __package__,  # its schedules do not change, and what stands in for one is not the model's
    )
) - {"__main__"}
NUMBERS = (bool, int, float, complex, str, bytes, type(None), np.generic)


class Found:
    """What a model holds: reached through instance dictionaries, lists, tuples, sets and dicts, each once.

    The search enters Keras's layers, losses, metrics and optimizers, modules of the backend, and plain
    objects of classes that are neither Python's nor a framework's. It does not enter datasets, nor
    containers of more than `LONGEST_CONTAINER` items.

    Attributes:
        variables: Dict of path to variable of Keras or TensorFlow.
        optimizers: Dict of path to `keras.optimizers.Optimizer`.
        generators: List of functions; each reads a random generator's state and returns a function that sets
            it.
        owners: List of objects whose instance dictionary may hold numbers and arrays.
        containers: List of plain lists, deques, sets and dicts that hold only numbers, arrays, and tuples of
            them.
        arrays: List of NumPy arrays of up to `LARGEST_ARRAY` bytes.
    """

    def __init__(self, model: keras.Model):
        self.variables: dict[str, Any] = {}
        self.optimizers: dict[str, Any] = {}
        self.generators: list[Callable] = []
        self.owners: list[Any] = []
        self.containers: list[Any] = []
        self.arrays: list[np.ndarray] = []
        self._seen: dict[int, Any] = {}
        listed = (model.variables, _optimizer_variables(model), model.metrics_variables)
        self._walk((("model", model), *(("variables", each) for each in listed)))

    def _walk(self, roots: tuple) -> None:
        pending = collections.deque(roots)
        while pending:
            path, value = pending.popleft()
            if isinstance(value, NUMBERS) or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            pending.extend(self._note(path, value))

    def _note(self, path: str, value: Any) -> list[tuple[str, Any]]:
        """Keep `value` if it is to be put back; return what else to look at."""
        if _keras.is_variable(value):
            self.variables[path if path not in self.variables else f"{path}#{len(self.variables)}"] = value
            return []
        if isinstance(value, np.ndarray):
            if value.nbytes <= LARGEST_ARRAY and value.dtype != object:
                self.arrays.append(value)
            return []
        generator = _generator_state(value)
        if generator is not None:
            self.generators.append(generator)
            return []
        if isinstance(value, (list, tuple, set, frozenset, dict, collections.deque)):
            return self._note_container(path, value)
        if not _is_entered(value):
            return []
        if isinstance(value, keras.optimizers.Optimizer):
            self.optimizers[path] = value
        self.owners.append(value)
        return [(f"{path}.{name}", each) for name, each in list(vars(value).items())]

    def _note_container(self, path: str, value: Any) -> list[tuple[str, Any]]:
        if len(value) > LONGEST_CONTAINER:
            return []
        items = list(value.values() if isinstance(value, dict) else value)
        is_mutable = not isinstance(value, (tuple, frozenset))
        if is_mutable and _are_plain(items):
            self.containers.append(value)
        names = list(value) if isinstance(value, dict) else range(len(items))
        return [(f"{path}[{name!r}]", item) for name, item in zip(names, items, strict=True)]


def _are_plain(items: Iterable) -> bool:
    """Whether all are numbers, texts, arrays, or tuples of those."""
    return all(
        _are_plain(item) if type(item) is tuple else isinstance(item, (*NUMBERS, np.ndarray))
        for item in items
    )


def is_built(model: keras.Model) -> bool:
    """Whether all variables exist that a training step would create."""
    layers = [each for each in Found(model).owners if isinstance(each, keras.layers.Layer)]
    parts = [model.optimizer, *model.metrics, *layers]
    return all(getattr(part, "built", True) for part in parts)


def build_as_fit_would(model: keras.Model, iterator: Any) -> None:
    """Create the variables of layers and optimizer as the first step of `fit` would, taking no batch.

    On JAX and PyTorch `fit` does it before the first batch; on TensorFlow it happens when the step is traced.
    Where a step cannot be traced (it runs eagerly, or fails), the optimizer's variables are made here if the
    layers have theirs; anything else that such a step creates keeps the value that it leaves.
    """
    if is_built(model):
        return
    keras_trains = type(model).train_step is keras.Model.train_step
    if keras_trains:
        with suppress(Exception):
            _keras.symbolic_build(model, iterator)
    if is_built(model):
        return
    if _keras.BACKEND == "tensorflow" and not (model.built and keras_trains) and not model.run_eagerly:
        with suppress(Exception):  # fit says better what is wrong with the step
            _keras.tensorflow().trace_step(model, iterator)
            return
    if not model.built and hasattr(iterator, "element_spec"):
        with suppress(Exception):
            model.build(keras.tree.map_structure(lambda spec: tuple(spec.shape), iterator.element_spec[0]))
    if not model.optimizer.built and model.trainable_variables:
        with suppress(Exception):
            model.optimizer.build(model.trainable_variables)


def other_optimizers(model: keras.Model) -> dict[str, Any]:
    """The optimizers that the model holds besides the one it was compiled with, by attribute.

    One that is kept only in TensorFlow's books was the model's before; it is "optimizer".

    Example: `{"d_optimizer": <Adam>, "g_optimizer": <Adam>}`.
    """
    own = {id(part) for part in _keras.parts_of(model.optimizer)}
    found = Found(model).optimizers
    held = {path.removeprefix("model."): each for path, each in found.items() if id(each) not in own}
    books = _keras.TENSORFLOWS_BOOKS
    return {"optimizer" if path.startswith(books) else path: each for path, each in held.items()}


class Snapshot:
    """A copy of everything that training can change in a model; `put_back` restores it, as often as asked.

    Weights, batch-normalisation statistics, optimizer slots, the step counter, the learning rate, the loss
    scale, the seeds of dropout and the metrics come back bit for bit, and so do variables, other optimizers,
    random generators, numbers and NumPy arrays of up to 1 MB that the model holds in any other way (see
    `Found`). The numbers of an object that was built only after the copy are left as they are.

    Args:
        model: A compiled and built `keras.Model`.
        directory: Folder in which to keep the copies of variables, for a model too large to be held in
            memory twice; None keeps them in memory.
    """

    def __init__(self, model: keras.Model, directory: str | os.PathLike | None = None):
        found = Found(model)
        self._model = model
        self._names = set(map(id, found.variables.values()))
        self._variables = [part for each in found.variables.values() for part in _keras.components(each)]
        self._copies = (
            _InMemory(self._variables) if directory is None else _OnDisk(self._variables, directory)
        )
        self._generators = [read() for read in found.generators]
        self._numbers = [(owner, _numbers_of(owner), _is_built(owner)) for owner in found.owners]
        self._containers = [(each, copy.copy(each)) for each in found.containers]
        self._arrays = [(each, each.copy()) for each in found.arrays]

    def put_back(self) -> None:
        """Set everything as it was when this was made."""
        self._copies.put_back()
        for put_back in self._generators:
            put_back()
        for owner, numbers, was_built in self._numbers:
            if _is_built(owner) == was_built:
                _set_numbers(owner, numbers)
        for container, items in self._containers:
            _set_items(container, items)
        for array, values in self._arrays:
            if array.flags.writeable:
                array[...] = values
        self._reset_new_metrics()

    def discard(self) -> None:
        """Let go of the copies; files are removed."""
        self._copies.discard()

    def _reset_new_metrics(self) -> None:
        """Metrics whose variables were made after the copy are reset, as before their first step."""
        for metric in self._model.metrics:
            if any(id(variable) not in self._names for variable in metric.variables):
                metric.reset_state()


@contextmanager
def preserved(model: keras.Model, directory: str | os.PathLike | None = None) -> Iterator[Callable[[], None]]:
    """Put the model's state back at the end, even when the body raises; see `Snapshot`.

    The body is given a function that puts it back at once, as often as it is called.

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
    snapshot = Snapshot(model, directory)
    try:
        yield snapshot.put_back
    finally:
        snapshot.put_back()
        snapshot.discard()


@contextmanager
def preserved_randomness() -> Iterator[None]:
    """Put the global random states of Python, NumPy, Keras, TensorFlow and PyTorch back at the end."""
    with ExitStack() as at_end:
        at_end.callback(random.setstate, random.getstate())
        at_end.callback(np.random.set_state, np.random.get_state())
        at_end.callback(_keras.random_states())
        for put_back in _torch_states():
            at_end.callback(put_back)
        yield


@contextmanager
def preserved_randomness_of_layers() -> Iterator[None]:
    """Put back at the end what dropout draws from if that is not the layer's own: PyTorch's global state."""
    with ExitStack() as at_end:
        for put_back in _torch_states() if _keras.BACKEND == "torch" else []:
            at_end.callback(put_back)
        yield


@contextmanager
def preserved_position(data: Any) -> Iterator[None]:
    """Put back what reading batches changes in a dataset: its numbers, orders and random generators.

    An order is a list, or an array of one axis of up to `LARGEST_ARRAY` bytes. The data itself is not copied.
    """
    attributes = list(vars(data).values()) if hasattr(data, "__dict__") else []
    generators = [state() for state in map(_generator_state, attributes) if state is not None]
    numbers = _numbers_of(data)
    arrays = [each for each in attributes if isinstance(each, np.ndarray) and each.ndim == 1]
    orders = [(each, each.copy()) for each in arrays if each.nbytes <= LARGEST_ARRAY]
    named = list(_attributes(data).items())
    lists = [(name, each, list(each)) for name, each in named if type(each) is list and _are_plain(each)]
    try:
        yield
    finally:
        for put_back in generators:
            put_back()
        _set_numbers(data, numbers)
        for name, each, items in lists:
            _set_items(each, items)
            if type(_attributes(data).get(name)) is list:
                _attributes(data)[name] = each
        for order, values in orders:
            if order.flags.writeable:
                order[...] = values


class _InMemory:
    def __init__(self, variables: list):
        self._copies = [(variable, _keras.to_numpy(variable)) for variable in variables]

    def put_back(self) -> None:
        for variable, values in self._copies:
            variable.assign(values)

    def discard(self) -> None:
        self._copies = []


class _OnDisk:
    """Copies in files of a temporary folder."""

    def __init__(self, variables: list, directory: str | os.PathLike):
        self._folder = tempfile.TemporaryDirectory(prefix="snapshot-", dir=directory)
        self._files = [
            (variable, Path(self._folder.name, str(number))) for number, variable in enumerate(variables)
        ]
        try:
            for variable, file in self._files:
                file.write_bytes(np.ascontiguousarray(_keras.to_numpy(variable)).view(np.uint8).data)
        except BaseException:
            self.discard()
            raise

    def put_back(self) -> None:
        for variable, file in self._files:
            _read_into(variable, file)

    def discard(self) -> None:
        self._files = []
        self._folder.cleanup()


def _read_into(variable: Any, file: Path) -> None:
    """Assign what `file` holds, some rows at a time: those rows are in memory twice, once as a tensor."""
    shape, dtype = tuple(variable.shape), _keras.numpy_dtype(variable)
    size = dtype.itemsize * int(np.prod(shape))
    if not shape or size <= READ_AT_ONCE or not _keras.can_assign_parts(variable):
        variable.assign(np.frombuffer(file.read_bytes(), dtype).reshape(shape))
        return
    bytes_of_row = size // shape[0]
    rows_at_once = max(1, READ_AT_ONCE // bytes_of_row)
    with open(file, "rb") as stream:
        for begin in range(0, shape[0], rows_at_once):
            part = np.frombuffer(stream.read(rows_at_once * bytes_of_row), dtype)
            end = min(begin + rows_at_once, shape[0])
            _keras.assign_part(variable, [begin], [end], part.reshape(-1, *shape[1:]))


def _optimizer_variables(model: keras.Model) -> list:
    return list(getattr(model.optimizer, "variables", ()))


def _is_entered(value: Any) -> bool:
    if isinstance(value, type) or callable(getattr(type(value), "__get__", None)):
        return False  # classes, functions and methods
    if not hasattr(value, "__dict__") or _keras.is_data(value):
        return False
    if isinstance(value, KERAS_KINDS) or _keras.is_backend_module(value):
        return True
    return type(value).__module__.partition(".")[0] not in NOT_THE_USERS


def _generator_state(value: Any) -> Callable | None:
    """A function that reads a random generator's state and returns its setter; None for other objects."""
    if isinstance(value, random.Random):
        return lambda: _setter(value.setstate, value.getstate())
    if isinstance(value, np.random.RandomState):
        legacy: Any = value
        return lambda: _setter(legacy.set_state, legacy.get_state())
    if isinstance(value, np.random.Generator):
        bits: Any = value.bit_generator
        return lambda: _setter(lambda state: setattr(bits, "state", state), bits.state)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, getattr(torch, "Generator", ())):
        own: Any = value
        return lambda: _setter(own.set_state, own.get_state().clone())
    return None


def _setter(put_back: Callable, state: Any) -> Callable[[], None]:
    return lambda: put_back(state)


def _torch_states() -> list[Callable[[], None]]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_rng_state"):
        return []
    states = [_setter(torch.set_rng_state, torch.get_rng_state())]
    if torch.cuda.is_available():
        states.append(_setter(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    return states


def _numbers_of(owner: Any) -> dict[str, Any]:
    return {name: value for name, value in _attributes(owner).items() if _is_replaced_whole(value)}


def _is_replaced_whole(value: Any) -> bool:
    """Whether training changes such a value by replacing it."""
    return isinstance(value, (*NUMBERS, np.ndarray)) or keras.ops.is_tensor(value)


def _is_built(owner: Any) -> Any:
    """Whether a layer, metric, loss or optimizer has been built; None for other objects."""
    return owner.built if isinstance(owner, KERAS_KINDS) and hasattr(owner, "built") else None


def _attributes(owner: Any) -> dict[str, Any]:
    return getattr(owner, "__dict__", {})


def _set_numbers(owner: Any, numbers: dict[str, Any]) -> None:
    attributes = _attributes(owner)
    for name, value in numbers.items():
        if attributes.get(name) is not value and _is_replaced_whole(attributes.get(name)):
            attributes[name] = value


def _set_items(container: Any, items: Any) -> None:
    """Give a container the items of its copy, in place."""
    with suppress(Exception):  # comparing arrays; then they are set
        if container == items:
            return
    if isinstance(container, list):
        container[:] = list(items)
    else:
        container.clear()
        add = container.extend if isinstance(container, collections.deque) else container.update
        add(items)
