"""The door to Keras: each private name has a fall-back, or a refusal that says what is missing."""

import gc
import itertools
import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import KERAS, data, model, needs_none_as_target

from pyimagesearch_lr import CyclicLR, LearningRateFinder, LRFinder, _keras, _state, recording


def without(monkeypatch, *paths):
    """A Keras or TensorFlow that lacks what stands at these private paths."""
    private = _keras.private
    monkeypatch.setattr(_keras, "private", lambda path: None if path in paths else private(path))


@pytest.fixture
def curve():
    return sweep()


def sweep(**options):
    x, y = data(64)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    finder = LearningRateFinder(model(**options), stop_factor=None)
    return finder.find(dataset, 1e-4, 1.0, num_steps=8, verbose=0)


def test_private_gives_what_is_there_and_none_where_nothing_is():
    assert _keras.private("random:Random") is random.Random
    assert _keras.private("random:no_such_name") is None
    assert _keras.private("no_such_module:name") is None


@pytest.mark.parametrize(
    "path",
    [
        "keras.src.trainers.data_adapters.array_data_adapter:ArrayDataAdapter",
        "keras.src.trainers.data_adapters.py_dataset_adapter:OrderedEnqueuer",
        pytest.param(
            "keras.src.random.seed_generator:GLOBAL_SEED_GENERATOR",
            marks=pytest.mark.skipif(KERAS < (3, 13), reason="the name is new in Keras 3.13"),
        ),
        "keras.src.backend.common:global_state",
        "tensorflow.python.eager.context:context",
        "tensorflow.python.framework.ops:gradient_registry",
    ],
)
def test_without_a_private_name_sweeps_go_on(path, monkeypatch, curve):
    assert _keras.private(path) is not None
    without(monkeypatch, path)
    np.testing.assert_array_equal(sweep().raw_losses, curve.raw_losses)
    x, y = data(64)
    network = model()
    before = network.get_weights()
    found = LearningRateFinder(network, stop_factor=None).find((x, y), 1e-4, 1.0, num_steps=8, verbose=0)
    assert len(found) == 8
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_optimizer_whose_schedule_cannot_be_read_is_refused_by_name(monkeypatch):
    network = model(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)))
    monkeypatch.setattr(_keras, "RATE", "_no_such_name")
    with pytest.raises(RuntimeError, match=r"learning rate of this `SGD` is a schedule, and Keras.*float"):
        LearningRateFinder(network).find(data(64), 1e-4, 1.0, num_steps=8, verbose=0)


def test_the_count_of_steps_falls_back_to_the_public_one(monkeypatch):
    network = model(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    network.fit(*data(64), batch_size=16, verbose=0)
    assert _keras.steps_done(network.optimizer) == 4
    monkeypatch.setattr(_keras, "COUNT_OF_BATCHES", "_no_such_name")
    assert _keras.steps_done(network.optimizer) == 4


def test_the_neighbours_of_a_callback_are_found_in_fit_and_nowhere_else():
    seen = []

    class Asking(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((_keras.callbacks_of_fit(), _keras.fit_is_running(self.model)))

    asking, network = Asking(), model()
    network.fit(*data(32), callbacks=[asking], verbose=0)
    ((callbacks, is_running),) = seen
    assert asking in callbacks
    assert is_running
    assert _keras.callbacks_of_fit() == []
    assert not _keras.fit_is_running(network)


def graphs_alive():
    gc.collect()
    return sum(isinstance(each, tf.Graph) for each in gc.get_objects())


def by_find(network, x, y):
    LearningRateFinder(network).find((x, y), 1e-4, 1.0, num_steps=4, verbose=0)


def in_the_users_fit(network, x, y):
    network.fit(x, y, batch_size=16, callbacks=[LRFinder(1e-4, 1.0)], verbose=0)


@pytest.mark.parametrize("recorder", ["fast", "plain"])
@pytest.mark.parametrize(
    "swept, rate",
    [
        pytest.param(by_find, 0.05, id="find"),
        pytest.param(in_the_users_fit, 0.05, id="fit"),
        pytest.param(in_the_users_fit, keras.optimizers.schedules.CosineDecay(0.05, 100), id="fit, schedule"),
    ],
)
def test_no_trace_of_a_finders_step_outlives_it(swept, rate, recorder, monkeypatch):
    if recorder == "plain":
        monkeypatch.setattr(recording, "fast_recorder_for", lambda *args: None)
    network, (x, y) = model(keras.optimizers.SGD(rate, momentum=0.9)), data(64)

    def sweeps(count):
        for _ in range(count):
            swept(network, x, y)
        return graphs_alive()

    after_two = sweeps(2)
    assert sweeps(3) == after_two


def test_a_custom_gradient_of_the_users_own_stays():
    @tf.custom_gradient
    def doubled(x):
        return x, lambda upstream: 2.0 * upstream

    function = tf.function(doubled)

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return function(self.dense(x))

    network = Network()
    network.compile("sgd", "mse")
    LearningRateFinder(network).find(data(64), 1e-4, 1.0, num_steps=4, verbose=0)
    x = tf.constant(np.ones((32, 3), "float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    np.testing.assert_array_equal(tape.gradient(y, x), np.full((32, 3), 2.0))


def test_no_worker_is_left_after_a_sweep_over_a_pydataset_with_workers():
    class Slow(keras.utils.PyDataset):
        def __len__(self):
            return 50

        def __getitem__(self, index):
            return data(8)

    before = set(threading.enumerate())
    LearningRateFinder(model()).find(Slow(workers=2), 1e-5, 1e-3, num_steps=5, verbose=0)
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not [thread for thread in left if "Enqueuer" in repr(getattr(thread, "_target", ""))]


def test_a_model_of_another_package_is_refused_by_name():
    class Model:
        pass

    with pytest.raises(TypeError, match=r"`LearningRateFinder` takes a model of Keras 3 \(`keras.Model`\)"):
        LearningRateFinder(Model())


def test_an_optimizer_is_copied_with_all_that_was_set_on_it():
    optimizer = keras.optimizers.AdamW(lambda: 0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel", "bias"])
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    network.compile("sgd", "mse")
    x = np.zeros((8, 2), "float32")
    with _keras.optimizer_in_place(network, optimizer):
        assert network.optimizer is not optimizer
        network.fit(x, x[:, :1], verbose=0)
        np.testing.assert_array_equal(network.get_weights()[0], np.ones((2, 1)))  # no decay, as it was set
    assert not optimizer.built
    assert _state.is_built(network) is False


class TestArrayBatches:
    """Keras's own batches of arrays, whatever number of them is gathered at once."""

    @staticmethod
    def passes(samples, batch_size, count):
        x = np.arange(samples)
        tf.random.set_seed(7)
        stream = _keras.array_batches(x, {"y": x, "z": None}, None, batch_size, 1000).as_numpy_iterator()
        found = [next(stream) for _ in range(count * -(-samples // batch_size))]
        for batch in found:
            np.testing.assert_array_equal(batch[0], batch[1]["y"])
        return [batch[0].tolist() for batch in found]

    @needs_none_as_target
    @pytest.mark.parametrize("samples, batch_size", [(70, 16), (64, 16), (5, 16), (70, 1)])
    def test_order_does_not_depend_on_how_many_are_gathered_at_once(self, samples, batch_size, monkeypatch):
        orders = []
        for at_once in (1, 2, 3, 1000):
            monkeypatch.setattr(_keras, "_batches_at_once", lambda *_, at_once=at_once: at_once)
            orders.append(self.passes(samples, batch_size, 3))
        assert orders[1:] == orders[:1] * 3

    @needs_none_as_target
    def test_every_pass_has_every_sample_once_in_another_order(self):
        found = self.passes(70, 16, 3)
        passes = [list(itertools.chain(*found[i : i + 5])) for i in (0, 5, 10)]
        assert [sorted(each) for each in passes] == [list(range(70))] * 3
        assert len({tuple(each) for each in passes}) == 3

    @pytest.mark.parametrize(
        "shape, at_once", [((1000, 256, 256, 16), 1), ((100_000, 32, 32), 64), ((100_000,), 65_536)]
    )
    def test_what_is_gathered_at_once_is_bounded_in_bytes(self, shape, at_once):
        array = np.broadcast_to(np.float32(0), shape)
        assert _keras._batches_at_once([array, None], 64) == at_once

    def test_tensors_are_gathered_batch_by_batch(self):
        assert _keras._batches_at_once([tf.range(70), None], 16) == 1
        stream = _keras.array_batches(tf.range(70), None, None, 16, 1000).as_numpy_iterator()
        assert sorted(np.concatenate([next(stream) for _ in range(5)])) == list(range(70))


def test_newer_keras_than_tested_is_recorded_by_the_public_api_with_one_warning(monkeypatch, curve):
    major, minor = _keras.NEWEST
    monkeypatch.setattr(keras, "__version__", f"{major}.{minor + 1}.0")
    monkeypatch.setattr(_keras, "_told", [])
    with pytest.warns(UserWarning, match="is newer than 3.15, the newest that was tested") as caught:
        curves = [sweep() for _ in range(2)]
    (warning,) = [each for each in caught if "newest that was tested" in str(each.message)]
    assert warning.filename == __file__
    for each in curves:
        assert each.metadata["recorder"] == "plain"
        np.testing.assert_allclose(each.raw_losses, curve.raw_losses, rtol=1e-6)


def test_multi_worker_strategy_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(_keras.tensorflow(), "is_multi_worker", lambda model: True)
    with pytest.raises(RuntimeError, match=r"MultiWorkerMirroredStrategy.*issues/20585.*DataParallel"):
        LearningRateFinder(model())


def test_batch_size_is_known_where_the_arrays_are_cut_evenly():
    for samples, size in ((64, 16), (70, None)):
        batches = _keras.array_batches(np.zeros((samples, 2)), None, None, 16, 10)
        assert keras.tree.flatten(batches.element_spec)[0].shape[0] == size


FIT = {"batch_size": 8, "verbose": 0}  # 4 steps
DRIVERS = {
    "LearningRateFinder": lambda model, x, y: LearningRateFinder(model, stop_factor=None).find(
        (x, y), 1e-4, 1e-2, num_steps=4, verify=False, **FIT
    ),
    "LRFinder": lambda model, x, y: model.fit(
        x, y, callbacks=[LRFinder(1e-4, 1e-2, stop_factor=None)], **FIT
    ),
    "CyclicLR": lambda model, x, y: model.fit(x, y, callbacks=[CyclicLR(1e-3, 1e-2, 2)], **FIT),
}


@pytest.mark.parametrize("owner", DRIVERS)
def test_optimizer_whose_weights_follow_the_rate_is_told_of(owner):
    """Ten times the rate is ten times the weights, with next to no gradient."""
    variable, gradient = keras.Variable([0.5, -0.3]), keras.ops.convert_to_tensor([1e-6, 1e-6])
    optimizer = keras.optimizers.Ftrl(1e-3)
    optimizer.build([variable])
    sizes = []
    for rate in (1e-3, 1e-3, 1e-2):
        optimizer.learning_rate.assign(rate)
        optimizer.apply([gradient], [variable])
        sizes.append(np.abs(keras.ops.convert_to_numpy(variable)))
    assert (sizes[2] > 5 * sizes[1]).all()

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Ftrl(1e-3), "mse")
    x = np.random.default_rng(0).normal(size=(32, 2))
    with pytest.warns(UserWarning, match=f"`{owner}`: `Ftrl` makes the weights anew in each step"):
        DRIVERS[owner](model, x, x.sum(axis=1))


def test_functions_compiled_again_keep_the_options_that_they_were_given():
    class Network(keras.Model):
        @tf.function(jit_compile=True, reduce_retracing=True, autograph=False)
        def in_class(self, x):
            return x

        @tf.function(input_signature=[tf.TensorSpec((None, 2))])
        def with_signature(self, x):
            return x

    network = Network()
    network.held = tf.function(lambda x: x, jit_compile=True)
    again = _keras.recompiled_functions(network)
    assert set(again) == {"in_class", "with_signature", "held"}
    assert again["with_signature"].input_signature == (tf.TensorSpec((None, 2)),)
    assert np.array(again["with_signature"](np.ones((3, 2), "float32"))).shape == (3, 2)
    with pytest.raises(TypeError):
        again["with_signature"](np.ones((3, 4), "float32"))
    for name in ("in_class", "held"):
        text = again[name].experimental_get_compiler_ir(tf.ones(2))(stage="hlo")  # only of what XLA compiles
        assert "HloModule" in text
