"""The engine: whatever ends a `fit`, the model is as it was; a rate has an effect or is refused."""

import copy
import gc
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import assert_same_state, data, model, state

from pyimagesearch_lr import CyclicLR, LearningRateFinder, LRFinder, OneCycleLR, recording

HOOKS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_test_end",
    "on_epoch_end",
    "on_train_end",
]


class Raising(keras.callbacks.Callback):
    """Raises in one of its hooks, the second time where there is one."""

    def __init__(self, hook, error):
        super().__init__()
        self.calls = 0

        def raises(*args, **kwargs):
            self.calls += 1
            if self.calls == 2 or hook in ("on_train_begin", "on_train_end"):
                raise error("mine")

        setattr(self, hook, raises)


def trained(network, steps=3):
    """Weights after a plain training, which shows any rate that is left."""
    tf.random.set_seed(3)
    x, y = data(64)
    network.fit(x, y, batch_size=16, epochs=steps, shuffle=False, verbose=0)
    return network.get_weights()


@pytest.fixture(scope="module")
def untouched():
    network = model(dropout=0)
    network.fit(*data(64), verbose=0, shuffle=False)
    return trained(network)


def swept_model():
    network = model(dropout=0)
    network.fit(*data(64), verbose=0, shuffle=False)
    return network


ENDINGS = {
    "error, finder last": (RuntimeError, False, False),
    "Ctrl-C, finder first": (KeyboardInterrupt, True, False),
    "traceback kept": (RuntimeError, True, True),
}
CASES = [
    pytest.param(
        hook, *ENDINGS[ending], id=f"{hook}, {ending}", marks=() if (i + j) % 3 == 0 else pytest.mark.slow
    )
    for i, hook in enumerate(HOOKS)
    for j, ending in enumerate(ENDINGS)
]  # every hook and every ending in the fast tests, each with each in all


@pytest.mark.parametrize("hook, error, is_first, is_kept", CASES)
def test_an_error_in_any_hook_of_a_neighbour_leaves_no_trace(hook, error, is_first, is_kept, untouched):
    network = swept_model()
    before = state(network)
    lr_finder = LRFinder(1e-3, 1.0, stop_factor=None)
    callbacks = [Raising(hook, error)]
    callbacks.insert(0 if is_first else 1, lr_finder)
    kept = None
    try:
        network.fit(
            *data(64), batch_size=16, epochs=4, validation_data=data(20), callbacks=callbacks, verbose=0
        )
    except (RuntimeError, KeyboardInterrupt) as caught:
        kept = caught if is_kept else None
    if kept is None:
        after = state(network)
        for expected, got in zip(before["variables"], after["variables"], strict=True):
            np.testing.assert_array_equal(got, expected)
    for expected, got in zip(untouched, trained(network), strict=True):
        np.testing.assert_array_equal(got, expected)
    del kept


@pytest.mark.parametrize("use", ["evaluate", "predict", "train_on_batch", "save", "get_weights", "fit"])
def test_while_a_traceback_is_kept_the_next_use_puts_back_first(use, tmp_path):
    network = swept_model()
    before = network.get_weights()
    x, y = data(64)
    expected = network.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    try:
        network.fit(
            x, y, epochs=3, callbacks=[LRFinder(0.1, 1.0), Raising("on_epoch_end", OSError)], verbose=0
        )
    except OSError as caught:
        kept = caught  # as a notebook does
    seen = {}
    if use == "evaluate":
        assert network.evaluate(x, y, verbose=0, return_dict=True)["loss"] == pytest.approx(expected)
    elif use == "save":
        network.save(tmp_path / "model.keras")
        seen["weights"] = keras.models.load_model(tmp_path / "model.keras").get_weights()
    elif use == "get_weights":
        seen["weights"] = network.get_weights()
    elif use == "predict":
        network.predict(x, verbose=0)
    elif use == "train_on_batch":
        network.optimizer.learning_rate.assign(0.0)
        network.train_on_batch(x, y)
        assert float(network.optimizer.learning_rate) == pytest.approx(0.05)
    else:
        network.fit(x, y, epochs=0, verbose=0)
    if use in ("save", "get_weights", "predict", "fit"):
        for a, b in zip(before, seen.get("weights", network.get_weights()), strict=True):
            np.testing.assert_array_equal(a, b)
    assert not set(recording.USES) & set(vars(network))
    del kept


def test_compiling_anew_cancels_what_was_left_to_be_put_back():
    network = swept_model()
    try:
        network.fit(
            *data(64), epochs=3, callbacks=[LRFinder(0.1, 1.0), Raising("on_epoch_end", OSError)], verbose=0
        )
    except OSError as caught:
        kept = caught
    network.compile(keras.optimizers.SGD(0.2), "categorical_crossentropy")
    network.fit(*data(64), epochs=2, verbose=0)
    weights = network.get_weights()
    del kept
    gc.collect()
    for a, b in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_close_and_with_put_back_by_hand():
    network = swept_model()
    before = state(network)
    with LRFinder(0.1, 1.0) as lr_finder:
        try:
            network.fit(
                *data(64), epochs=3, callbacks=[lr_finder, Raising("on_epoch_end", OSError)], verbose=0
            )
        except OSError as caught:
            kept = caught
    assert_same_variables(before, network)
    assert lr_finder.curve.stop_reason == "interrupted"
    del kept


def assert_same_variables(before, network):
    for expected, got in zip(before["variables"], state(network)["variables"], strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize("momentum", [None, (0.8, 0.9)])
def test_used_callbacks_are_copied_and_pickled_and_work_again(make, momentum):
    network = model()
    for callback in (
        LRFinder(1e-4, 0.1, stop_factor=None),
        CyclicLR(0.01, 0.02, step_size=4, momentum=momentum),
        OneCycleLR(0.02, momentum=momentum),
    ):
        network.fit(*data(32), batch_size=8, epochs=2, callbacks=[callback], verbose=0)
        other = make(callback)
        network.fit(*data(32), batch_size=8, epochs=2, callbacks=[other], verbose=0)
        rates = [each.lrs if isinstance(each, LRFinder) else each.history["lr"] for each in (callback, other)]
        assert rates[0] == rates[1][-8:]


class Stopping(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            self.model.stop_training = True


def test_an_early_end_has_its_true_reason():
    finder = LearningRateFinder(model(), stop_factor=None)
    curve = finder.find(data(64), 1e-5, 0.1, num_steps=12, callbacks=[Stopping()], verbose=0)
    assert (len(curve), curve.stop_reason) == (3, "stopped")


def test_a_state_that_is_put_back_after_each_rate_does_not_take_an_end_back():
    finder = LearningRateFinder(model(), stop_factor=None, independent=True, steps_per_lr=3)
    curve = finder.find(data(64), 1e-5, 0.1, num_steps=12, callbacks=[Stopping()], verbose=0)
    assert (len(curve), curve.stop_reason) == (1, "stopped")  # of three steps


@pytest.mark.filterwarnings("ignore:Limiting")
@pytest.mark.skipif(not hasattr(keras.config, "set_max_steps_per_epoch"), reason="Keras has no such limit")
def test_kerass_debug_limit_is_named():
    finder = LearningRateFinder(model(), stop_factor=None)
    keras.config.set_max_steps_per_epoch(3)
    try:
        with pytest.warns(UserWarning, match=r"`keras.config` limits"):
            curve = finder.find(data(64), 1e-5, 0.1, num_steps=12, verbose=0)
    finally:
        keras.config.set_max_steps_per_epoch(None)
    assert len(curve) < 12
    assert curve.stop_reason == "limited"


class Overriding(keras.Sequential):
    def fit(self, x=None, y=None, **kwargs):
        self.seen = (x, y)
        return super().fit(x, y, **kwargs)


def test_a_model_with_a_fit_of_its_own_gets_the_data_untouched():
    x, y = data(64)
    network = Overriding([keras.Input((x.shape[1],)), keras.layers.Dense(y.shape[1])])
    network.compile("sgd", "mse")
    curve = LearningRateFinder(network, stop_factor=None).find((x, y), 1e-4, 0.1, num_steps=6, verbose=0)
    assert network.seen[0] is x
    assert network.seen[1] is y
    assert len(curve) == 6


def test_what_find_gives_fit_ends_by_itself():
    """A logger that reads the data to its end before `fit` must not hang."""
    ends = []

    x, y = data(70)
    for source in ((x, y), tf.data.Dataset.from_tensor_slices((x, y)).batch(16)):
        network = keras.Sequential([keras.Input((x.shape[1],)), keras.layers.Dense(y.shape[1])])
        network.compile("sgd", "mse")
        plain_fit = network.fit

        def logged_fit(x, plain_fit=plain_fit, **kwargs):
            ends.append(sum(1 for _ in x))
            return plain_fit(x, **kwargs)

        network.fit = logged_fit
        finder = LearningRateFinder(network, stop_factor=None)
        finder.find(source, 1e-5, 0.1, num_steps=13, batch_size=16, verbose=0)
    assert ends == [13, 13]


@pytest.mark.parametrize("rate", [0.1, lambda: 0.1], ids=["number", "callable"])
@pytest.mark.parametrize("callbacks", [[], [keras.callbacks.Callback()]], ids=["fast", "plain"])
def test_a_step_whose_scaled_gradients_overflow_does_not_shift_the_rates(rate, callbacks):
    inputs = [1.0, 1e5, 1.0, 1.0]
    x = np.repeat(np.array(inputs, "float32"), 8)[:, None]
    network = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate), initial_scale=1e30)
    network.compile(optimizer, "mse")
    dataset = tf.data.Dataset.from_tensor_slices((x, 0 * x)).batch(8)
    finder = LearningRateFinder(network, stop_factor=None, ramp="linear")
    curve = finder.find(dataset, 0.1, 0.4, num_steps=4, callbacks=callbacks, verbose=0)
    weight, expected = 1.0, []
    for each, used in zip(inputs, [0.1, 0.2, 0.3, 0.4], strict=True):
        expected.append((weight * each) ** 2)
        gradient = 2 * weight * each**2
        weight -= used * gradient if gradient * 1e30 < 3e38 else 0.0
    np.testing.assert_allclose(curve.raw_losses, expected, rtol=1e-5)


def test_the_state_that_fit_leaves_behind_is_no_trace():
    network = swept_model()
    before = dict(vars(network))
    pictured = state(network)
    LearningRateFinder(network).find(data(64), 1e-5, 1.0, num_steps=20, verbose=0)
    assert_same_state(pictured, state(network))
    changed = {name for name in {*before, *vars(network)} if before.get(name) is not vars(network).get(name)}
    assert changed == set()
