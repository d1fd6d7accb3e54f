"""What training can change, wherever it hangs, is found and put back; data sets are not entered."""

import collections
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch_lr import LearningRateFinder, LRFinder
from pyimagesearch_lr._state import Found, Snapshot, preserved_position, preserved_randomness


class Box:
    """A plain object of the user's."""

    def __init__(self, value):
        self.value = value


class TfModule(tf.Module):
    def __init__(self):
        super().__init__()
        self.total = tf.Variable(0.0)


class Everything(keras.Model):
    """A model that keeps state in every way there is and changes all of it in each step."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.in_list = [tf.Variable(0.0)]
        self.in_dict = {"a": {"b": tf.Variable(0.0)}}
        self.in_tuple = (keras.Variable(0.0, trainable=False),)
        self.in_box = Box(Box(tf.Variable(0.0)))
        self.module = TfModule()
        self.generators = [np.random.default_rng(3), random.Random(3), np.random.RandomState(3)]
        self.tf_generator = tf.random.Generator.from_seed(3)
        self.seeds = Box(keras.random.SeedGenerator(3))
        self.count = 0
        self._hidden = 0.5
        self.table = np.zeros(3)
        self.counts = Box([0, 0])
        self.recent = Box(collections.deque([0.0], maxlen=4))
        self.memory = Box(collections.deque([(np.zeros(2), 1.0)]))
        self.other = keras.optimizers.Adam(0.1)
        self.rebound = Box(tf.constant(0.0))

    def call(self, x):
        return self.dense(x)

    def train_step(self, batch):
        logs = super().train_step(batch)
        for variable in (
            self.in_list[0],
            self.in_dict["a"]["b"],
            self.in_tuple[0],
            self.in_box.value.value,
            self.module.total,
        ):
            variable.assign_add(1.0)
        self.generators[0].random()
        self.generators[1].random()
        self.generators[2].random_sample()
        self.tf_generator.normal(())
        self.seeds.value.next()
        self.count += 1
        self._hidden *= 2
        self.table += 1
        self.counts.value[0] += 1
        self.recent.value.append(1.0)
        self.memory.value.append((np.ones(2), 2.0))
        weight = self.trainable_variables[0]
        self.other.apply([tf.zeros_like(weight)], [weight])
        self.rebound.value = self.rebound.value + 1.0
        return logs


def picture(network):
    return {
        "variables": [
            float(network.in_list[0].numpy()),
            float(network.in_dict["a"]["b"].numpy()),
            float(keras.ops.convert_to_numpy(network.in_tuple[0])),
            float(network.in_box.value.value.numpy()),
            float(network.module.total.numpy()),
        ],
        "numpy": network.generators[0].bit_generator.state["state"]["state"],
        "python": network.generators[1].getstate(),
        "legacy": network.generators[2].get_state()[2],
        "tf": network.tf_generator.state.numpy().tolist(),
        "seeds": keras.ops.convert_to_numpy(network.seeds.value.state).tolist(),
        "numbers": (network.count, network._hidden, float(network.rebound.value)),
        "table": network.table.tolist(),
        "counts": list(network.counts.value),
        "recent": list(network.recent.value),
        "memory": [(array.tolist(), number) for array, number in network.memory.value],
        "other": [np.array(v.numpy()).tolist() for v in network.other.variables],
    }


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    made = Everything()
    made.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    x = np.ones((16, 3), "float32")
    made.fit(x, x[:, :1], batch_size=8, verbose=0)
    return made


def test_a_sweep_puts_back_whatever_hangs_on_the_model(network):
    x = np.ones((16, 3), "float32")
    before = picture(network)
    curve = LearningRateFinder(network, stop_factor=None).find(
        (x, x[:, :1]), 1e-4, 1e-2, num_steps=6, batch_size=8, verbose=0
    )
    assert len(curve) == 6
    assert picture(network) == before


def test_so_does_the_callback_after_an_error(network):
    x = np.ones((16, 3), "float32")
    before = picture(network)

    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        network.fit(x, x[:, :1], callbacks=[LRFinder(1e-4, 1e-2, 5), Failing()], verbose=0)
    assert picture(network) == before


def test_a_stateful_rnn_keeps_its_states():
    network = keras.Sequential(
        [keras.Input(batch_shape=(4, 3, 2)), keras.layers.LSTM(5, stateful=True), keras.layers.Dense(1)]
    )
    network.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(8, 3, 2)).astype("float32")
    network.fit(x, x[:, 0, :1], batch_size=4, shuffle=False, verbose=0)
    before = [np.array(state) for state in network.layers[0].states]
    assert np.abs(before[0]).max() > 0
    LearningRateFinder(network).find((x, x[:, 0, :1]), 1e-4, 1.0, num_steps=6, batch_size=4, verbose=0)
    for expected, got in zip(before, network.layers[0].states, strict=True):
        np.testing.assert_array_equal(np.array(got), expected)


def test_each_thing_is_found_once_and_properties_are_not_asked():
    class Shy(keras.Sequential):
        @property
        def secret(self):
            raise AssertionError("a property was read")

    network = Shy([keras.Input((2,)), keras.layers.Dense(1)])
    network.compile("adam", "mse")
    network.again = network.layers[0]
    network.loop = Box(network)
    found = list(map(id, Found(network).variables.values()))
    assert len(found) == len(set(found))


def test_data_sets_long_containers_and_large_arrays_are_left_alone():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    network.holder = Box(tf.data.Dataset.range(3))
    network.large = Box(np.zeros(2**18 + 1))
    network.long = Box([0] * 20_000)
    found = Found(network)
    assert not any(array is network.large.value for array in found.arrays)
    assert not any(container is network.long.value for container in found.containers)
    assert not any(isinstance(owner, tf.data.Dataset) for owner in found.owners)


def test_what_was_built_since_stays_built():
    layer = keras.layers.Dense(1)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    network.extra = Box(layer)
    network.compile("sgd", "mse")
    snapshot = Snapshot(network)
    layer.build((None, 2))
    snapshot.put_back()
    assert layer.built
    snapshot.discard()


def test_global_generators_come_back():
    with preserved_randomness():
        expected = random.Random()
        expected.setstate(random.getstate())
        legacy = np.random.get_state()[2]
        random.random()
        np.random.random()
    assert random.random() == expected.random()
    assert np.random.get_state()[2] == legacy


def test_the_position_of_a_data_object_comes_back():
    class Walker:
        def __init__(self):
            self.place, self.order, self.rng = 3, np.arange(5), np.random.default_rng(0)

    walker = Walker()
    with preserved_position(walker):
        walker.place += 1
        walker.rng.shuffle(walker.order)
    assert walker.place == 3
    assert walker.order.tolist() == [0, 1, 2, 3, 4]
    assert walker.rng.random() == np.random.default_rng(0).random()
