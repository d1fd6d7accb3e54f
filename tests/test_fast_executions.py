"""Many steps in one execution: as many as are quick, the same curve, and no batch drawn for nothing."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import assert_same_state, data, model, state

from pyimagesearch_lr import _fast
from pyimagesearch_lr.finder import LearningRateFinder
from pyimagesearch_lr.recording import Recorder

SWEEP = {"start_lr": 1e-5, "end_lr": 1.0, "verbose": 0, "verify": False}


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y, size):
        super().__init__()
        self.parts = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]
        self.log = collections.deque()  # a list would be copied for the sweep

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        self.log.append(index)
        return self.parts[index]

    def on_epoch_end(self):
        self.log.append("end")


def sources():
    x, y = data(70)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    return {
        "arrays": (x, y),
        "dataset": dataset,
        "dataset of unknown length": dataset.filter(lambda *_: True),
        "dataset without end": dataset.repeat(),
        "PyDataset": Batches(x, y, 16),
    }


@pytest.fixture
def executions(monkeypatch):
    """The lengths of the executions of a sweep, in order."""
    lengths, record = [], Recorder._record

    def noted(self, fit, steps):
        lengths.append(len(steps))
        return record(self, fit, steps)

    monkeypatch.setattr(Recorder, "_record", noted)
    return lengths


@pytest.mark.parametrize("name", list(sources()))
def test_the_curve_is_the_same_to_the_bit_at_any_pace(name, monkeypatch, executions):
    curves = []
    for pace in (0.0, 1e9):
        monkeypatch.setattr(_fast, "SECONDS_OF_EXECUTION", pace)
        finder = LearningRateFinder(model(), stop_factor=None)
        curves.append(
            finder.find(sources()[name], **SWEEP, epochs=12, steps_per_epoch=5, batch_size=16).raw_losses
        )
    np.testing.assert_array_equal(*curves)
    assert executions[:60] == [1] * 60
    assert executions[60:] == [1, 2, 4, 8, 16, 29]


def test_executions_become_as_long_as_is_quick_and_never_longer_than_the_record(monkeypatch, executions):
    now = [0.0]

    def clock():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(_fast.time, "perf_counter", clock)  # a call lasts one second by this clock
    finder = LearningRateFinder(model(), stop_factor=None)
    for limit, expected in (
        (3.0, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 33]),
        (1.5, [16] * 50),  # a later sweep begins low, and this one has no need to change
        (0.9, [16, 8, 4, 2, 1, 1]),
        (3.0, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 33]),
    ):
        monkeypatch.setattr(_fast, "SECONDS_OF_EXECUTION", limit)
        executions.clear()
        finder.find(data(64), **SWEEP, epochs=200, batch_size=16)
        assert executions[: len(expected)] == expected
        assert sum(executions) == 800


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks": [keras.callbacks.Callback()]},
        {"repeats": 2},
        {"validation_data": data(16)},
        {"independent": True, "steps_per_lr": 2},
    ],
)
def test_one_step_at_a_time_where_somebody_would_see_the_difference(options, executions):
    settings = {
        name: options.pop(name) for name in ("independent", "steps_per_lr", "repeats") if name in options
    }
    LearningRateFinder(model(), **settings).find(data(64), **SWEEP, epochs=4, batch_size=16, **options)
    assert set(executions) == {1}


def test_callbacks_of_the_users_are_called_after_every_step():
    seen = []
    spy = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    finder = LearningRateFinder(model(), stop_factor=None)
    curve = finder.find(data(64), **SWEEP, epochs=5, batch_size=16, callbacks=[spy])
    np.testing.assert_allclose(seen, curve.raw_losses, rtol=1e-6)


def test_no_batch_is_drawn_beyond_the_last_step(monkeypatch):
    monkeypatch.setattr(_fast, "SECONDS_OF_EXECUTION", 1e9)
    x, y = data(64)
    drawn = []

    def endless():
        while True:
            drawn.append(1)
            yield x, y

    signature = (tf.TensorSpec((64, x.shape[1])), tf.TensorSpec((64, y.shape[1])))
    dataset = tf.data.Dataset.from_generator(endless, output_signature=signature)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they load some batches ahead
    dataset = dataset.with_options(options)
    LearningRateFinder(model(), stop_factor=None).find(dataset, **SWEEP, epochs=1, steps_per_epoch=23)
    assert len(drawn) == 23


def test_every_pass_of_a_pydataset_is_whole_and_ended_once(monkeypatch):
    monkeypatch.setattr(_fast, "SECONDS_OF_EXECUTION", 1e9)
    dataset = Batches(*data(70), 16)
    seen = []
    network = model()
    train_step = network.train_step

    def noted(batch):
        tf.py_function(lambda x: seen.append(len(x)), [batch[0]], [])
        return train_step(batch)

    network.train_step = noted
    LearningRateFinder(network, stop_factor=None).find(dataset, **SWEEP, epochs=6)
    assert len(seen) == 30
    assert [sum(seen[i : i + 5]) for i in range(0, 30, 5)] == [70] * 6
    assert dataset.log.count("end") == 0  # its hooks are not called


def test_a_dataset_that_cannot_start_again_ends_the_sweep_as_exhausted():
    x, y = data(64)
    parts = iter([(x, y)] * 5)
    signature = (tf.TensorSpec((64, x.shape[1])), tf.TensorSpec((64, y.shape[1])))
    dataset = tf.data.Dataset.from_generator(lambda: parts, output_signature=signature)
    network = model()
    network.fit(x, y, verbose=0)
    before = state(network)
    with pytest.warns(UserWarning, match="ran out after 5 of 12 steps"):
        curve = LearningRateFinder(network).find(dataset, **SWEEP, epochs=3, steps_per_epoch=4)
    assert (len(curve), curve.stop_reason) == (5, "exhausted")
    assert_same_state(before, state(network))


def test_an_error_after_the_end_of_the_sweep_takes_nothing_from_the_curve(monkeypatch):
    monkeypatch.setattr(_fast, "FIRST_EXECUTION", 256)
    x, y = data(64)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16).repeat()

    def failing_at(step):
        def check(number, batch):
            with tf.control_dependencies([tf.debugging.Assert(number != step, ["the disk is gone"])]):
                return tf.nest.map_structure(tf.identity, batch)

        return dataset.enumerate().map(check)

    for pace in (0.0, 1e9):
        monkeypatch.setattr(_fast, "SECONDS_OF_EXECUTION", pace)
        network = keras.Sequential([keras.Input((x.shape[1],)), keras.layers.Dense(y.shape[1])])
        network.compile(keras.optimizers.SGD(0.1), "mse")
        network.fit(x, y, verbose=0)
        finder, before = LearningRateFinder(network), state(network)
        sweep = {"start_lr": 1e-5, "end_lr": 1e9, "num_steps": 400, "verbose": 0, "verify": False}
        whole = finder.find(dataset, **sweep)
        assert whole.stop_reason == "diverged"
        assert len(whole) < 300
        assert len(finder.find(failing_at(len(whole) + 30), **sweep)) == len(whole)
        assert finder.curve.stop_reason == "diverged"
        with pytest.raises(tf.errors.InvalidArgumentError, match="the disk is gone"):
            finder.find(failing_at(len(whole) - 50), **sweep)
        assert len(finder.curve) == len(whole) - 50
        assert finder.curve.stop_reason == "interrupted"
        assert_same_state(before, state(network))


class Own(keras.Sequential):
    def make_train_function(self, force=False):
        train_step = self.train_step
        self.train_function = lambda iterator: train_step(next(iterator))


class LookedUpLate(keras.Sequential):
    def make_train_function(self, force=False):
        self.train_function = lambda iterator: self.train_step(next(iterator))


def test_model_that_makes_its_own_train_function_takes_single_steps(executions):
    x = np.ones((40, 4), "float32")
    for kind in (Own, LookedUpLate):
        network = kind([keras.Input((4,)), keras.layers.Dense(1)])
        network.compile("sgd", "mse")
        finder = LearningRateFinder(network)
        finder.find((x, x[:, :1]), 1e-5, 1e-3, epochs=1, batch_size=4, verbose=0)
    assert executions == [1] * 20
