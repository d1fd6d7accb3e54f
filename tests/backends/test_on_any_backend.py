"""What is promised on every backend that trains; this file imports none of them.

KERAS_BACKEND=jax python -m pytest tests/backends
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from models import assert_same_state, data, logs_of_step, model, state
from one_weight import fit_one_weight, one_weight

from pyimagesearch_lr import (
    CyclicalLearningRate,
    CyclicLR,
    LearningRateFinder,
    LRCurve,
    LRFinder,
    MiniGoogLeNet,
    OneCycleLearningRate,
    OneCycleLR,
    PeriodicLRFinder,
    Verify,
    compare,
)

BACKEND = keras.backend.backend()
REFERENCE = Path(__file__).parents[1] / "torch_schedules.json"
CASES = [
    case
    for case in json.loads(REFERENCE.read_text(encoding="utf-8"))["cases"]
    if "scale_fn" not in case["arguments"]
]
SWEEP = {"start_lr": 1e-4, "end_lr": 0.5, "verbose": 0}
X, Y = data(64)
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(0.01),
    "RMSprop with EMA": lambda: keras.optimizers.RMSprop(0.01, use_ema=True),
    "AdamW, clipped": lambda: keras.optimizers.AdamW(0.01, clipnorm=1.0),
    "accumulating": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
    "a schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.05, 40)),
}


def rates(steps):
    return np.geomspace(SWEEP["start_lr"], SWEEP["end_lr"], steps)


def trained_by_hand(network, lrs, size=16):
    """The loss of every step, by Keras's public calls, without a callback of ours."""
    losses = []
    for step, lr in enumerate(lrs):
        begin = step * size % len(X)
        network.optimizer.learning_rate = float(lr)
        losses.append(float(logs_of_step(network, X[begin : begin + size], Y[begin : begin + size])["loss"]))
    return losses


class Batches(keras.utils.PyDataset):
    """The batches in their order."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[16 * index : 16 * index + 16], Y[16 * index : 16 * index + 16]


def fitted(network, callbacks=(), epochs=1):
    keras.utils.set_random_seed(3)
    network.fit(Batches(), epochs=epochs, shuffle=False, callbacks=list(callbacks), verbose=0)
    return network


def test_loss_is_that_of_train_on_batch():
    oracle = trained_by_hand(model(dropout=0), rates(12))
    lr_finder = LRFinder(1e-4, 0.5, stop_factor=None)
    fitted(model(dropout=0), [lr_finder], epochs=3)
    np.testing.assert_allclose(lr_finder.curve.raw_losses, oracle, rtol=2e-6)
    np.testing.assert_allclose(lr_finder.lrs, rates(12), rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_find_leaves_no_trace(name):
    network, twin = (model(OPTIMIZERS[name]()) for _ in range(2))
    if BACKEND == "jax" and "EMA" in name:  # of which Keras trains no model twice on JAX
        network.optimizer.build(network.trainable_variables)
        network.evaluate(X, Y, verbose=0)
    else:
        fitted(network), fitted(twin)
    before = state(network)
    LearningRateFinder(network).find((X, Y), **SWEEP, num_steps=20, batch_size=16, verify=False)
    assert_same_state(before, state(network))
    for got, expected in zip(fitted(network).get_weights(), fitted(twin).get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_finder_in_the_users_fit_leaves_no_trace():
    network = fitted(model())
    weights = network.get_weights()
    variables = [np.array(keras.ops.convert_to_numpy(each)) for each in network.optimizer.variables]
    fitted(network, [LRFinder(1e-4, 1e3)], epochs=20)
    for got, expected in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(network.optimizer.variables, variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(got), expected)


def test_training_after_a_finder_in_the_users_fit_draws_the_same_dropout():
    def trained(*callbacks):
        network = model(dropout=0.5)
        if callbacks:
            network.fit(Batches(), epochs=3, shuffle=False, callbacks=list(callbacks), verbose=0)
        network.fit(Batches(), epochs=2, shuffle=False, verbose=0)
        return network.get_weights()

    for got, expected in zip(trained(LRFinder(1e-4, 0.5)), trained(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_model_that_was_never_trained_trains_as_if_there_had_been_no_sweep():
    swept, twin = model(build=False), model(build=False)
    LearningRateFinder(swept).find((X, Y), **SWEEP, num_steps=20, batch_size=16, verify=False)
    for network in (swept, twin):
        keras.utils.set_random_seed(3)
        network.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    for got, expected in zip(swept.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_divergence_ends_the_sweep():
    curve = LearningRateFinder(model(dropout=0)).find(
        (X, Y), 1e-4, 1e6, num_steps=200, batch_size=16, verbose=0, verify=False
    )
    assert curve.stop_reason in ("diverged", "non_finite")
    assert len(curve) < 200


def test_probe_is_a_training_with_that_cycle():
    curve = LearningRateFinder(model(dropout=0)).find(
        (X, Y), 1e-4, 10.0, num_steps=60, batch_size=64, verbose=0, verify=120
    )
    assert curve.suggest().method == "verified"
    probe = next(each for each in curve.probes if not each.diverged)
    lrs = CyclicLR(probe.base_lr, probe.max_lr, probe.steps / 2).preview(probe.steps)
    losses = trained_by_hand(model(dropout=0), lrs, size=64)
    assert probe.first_loss == pytest.approx(losses[0], rel=1e-3)  # the mean of ten passes in other orders
    assert probe.loss == pytest.approx(np.mean(losses[-max(2, round(probe.steps / 5)) :]), rel=1e-3)


def test_probe_on_validation_data_ends_with_what_evaluate_gives():
    def held_out_loss(network):
        return network.evaluate(X[:24], Y[:24], verbose=0, return_dict=True)["loss"]

    network, untrained, twin = (fitted(model(dropout=0)) for _ in range(3))
    before = state(network)
    verify = Verify(120, validation_data=(X[:24], Y[:24]))
    curve = LearningRateFinder(network).find(
        (X, Y), 1e-4, 10.0, num_steps=60, batch_size=64, verbose=0, verify=verify
    )
    assert_same_state(before, state(network))
    probe = next(each for each in curve.probes if not each.diverged)
    trained_by_hand(untrained, [1e-12] * 10, size=64)  # which moves the statistics of batch normalisation
    assert probe.first_loss == pytest.approx(held_out_loss(untrained), rel=1e-3)
    lrs = CyclicLR(probe.base_lr, probe.max_lr, probe.steps / 2).preview(probe.steps)
    trained_by_hand(twin, lrs, size=64)
    assert probe.loss == pytest.approx(held_out_loss(twin), rel=1e-3)


class Counting(keras.layers.Dense):
    """Counts its calls in Python: on TensorFlow and JAX it is called only where a step is traced."""

    calls = 0

    def call(self, inputs, *args, **kwargs):
        type(self).calls += 1
        return super().call(inputs, *args, **kwargs)


@pytest.mark.skipif(BACKEND == "torch", reason="nothing is traced on PyTorch")
def test_step_is_traced_once_for_all_sweeps_and_probes_and_again_for_another_loss():
    network = keras.Sequential([keras.Input((X.shape[1],)), Counting(1)])
    finder = LearningRateFinder(network)
    settings = {"num_steps": 60, "batch_size": 16, "verbose": 0}

    def traced_in(find):
        before = Counting.calls
        curve = find((X, Y), 1e-4, 10.0, **settings)
        return Counting.calls - before, curve

    network.compile("sgd", "mse")
    first, of_squares = traced_in(finder.find)
    again, _ = traced_in(finder.find)
    trainings = 2 + len(of_squares.probes)  # the sweep, the steps that tell the first loss, the probes
    looks = 0 if BACKEND == "tensorflow" else trainings  # at the shapes, by `fit` itself
    assert first > again == looks
    network.compile(network.optimizer, "mae")
    traced, of_absolutes = traced_in(finder.find)
    assert traced > again
    assert of_absolutes.raw_losses[0] != of_squares.raw_losses[0]


@pytest.mark.skipif(BACKEND == "jax", reason="Keras trains such a model on JAX only once compiled again")
def test_layer_that_is_frozen_after_a_sweep_is_not_trained_in_the_next():
    network = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(4), keras.layers.Dense(1)])
    network.compile("sgd", "mse")

    def swept_by(finder):
        keras.utils.set_random_seed(3)
        settings = {"num_steps": 8, "batch_size": 16, "verify": False, "verbose": 0}
        return finder.find((X, Y), 1e-3, 0.1, **settings).raw_losses

    finder = LearningRateFinder(network)
    free = swept_by(finder)
    network.layers[0].trainable = False
    frozen = swept_by(finder)
    np.testing.assert_array_equal(frozen, swept_by(LearningRateFinder(network)))
    assert not np.array_equal(frozen, free)


def test_compare_runs_each_optimizer_from_the_same_weights():
    network = model(dropout=0)
    weights = network.get_weights()
    curves = compare(
        network,
        {"sgd": keras.optimizers.SGD(), "adam": keras.optimizers.Adam()},
        Batches(),
        1e-4,
        0.5,
        epochs=3,
        verbose=0,
        stop_factor=None,
    )
    assert curves["sgd"].raw_losses[0] == curves["adam"].raw_losses[0]
    assert not np.array_equal(curves["sgd"].raw_losses, curves["adam"].raw_losses)
    for got, expected in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_periodic_finder_changes_nothing_of_a_training():
    periodic = PeriodicLRFinder((X, Y), every=2, **SWEEP, num_steps=12, batch_size=16)
    with_it, without = fitted(model(), [periodic], epochs=4), fitted(model(), epochs=4)
    assert list(periodic.curves) == [2, 4]
    for got, expected in zip(with_it.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


OURS = {"step_size_up": "step_size", "anneal_strategy": "anneal"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['scheduler']}-{case['name']}")
def test_schedules_give_pytorchs_rates(case):
    arguments = {OURS.get(name, name): value for name, value in case["arguments"].items()}
    kinds = {
        "CyclicLR": (CyclicLR, CyclicalLearningRate),
        "OneCycleLR": (OneCycleLR, OneCycleLearningRate),
    }
    callback, schedule = (kind(**arguments) for kind in kinds[case["scheduler"]])
    near = [(step, lr) for step, lr in zip(case["steps"], case["lr"], strict=True) if step < 3000]
    steps, expected = zip(*near, strict=True)
    np.testing.assert_allclose([callback.lr_at(step) for step in steps], expected, rtol=1e-12)
    got = [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=max(expected) * 1e-6)


@pytest.mark.parametrize("kinds", [(CyclicLR, CyclicalLearningRate), (OneCycleLR, OneCycleLearningRate)])
def test_every_step_is_trained_with_its_rate(kinds):
    """The weight of `one_weight` moves by the rate at every step."""
    arguments = (1.0, 3.0, 2) if kinds[0] is CyclicLR else (1.0, 8)
    callback, schedule = (kind(*arguments) for kind in kinds)
    expected = callback.preview(8).sum()
    by_callback = fit_one_weight(one_weight(keras.optimizers.SGD(7.0)), [callback], steps=8)
    by_schedule = fit_one_weight(one_weight(keras.optimizers.SGD(schedule)), [], steps=8)
    np.testing.assert_allclose([by_callback, by_schedule], expected, rtol=1e-5)
    assert callback.history["lr"] == callback.preview(8).tolist()


def test_model_with_a_schedule_is_saved_and_loaded(tmp_path):
    network = model(keras.optimizers.SGD(CyclicalLearningRate(0.01, 0.1, 4)))
    fitted(network).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == network.optimizer.get_config()
    fitted(loaded)


def test_curve_is_saved_and_answers_again(tmp_path):
    curve = LearningRateFinder(model(dropout=0)).find(
        (X, Y), 1e-5, 100.0, num_steps=100, batch_size=16, verbose=0
    )
    curve.save(tmp_path / "curve.json")
    assert LRCurve.load(tmp_path / "curve.json").suggest() == curve.suggest()
    assert math.isfinite(curve.suggest().max_lr)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow gives each step its own rate")
def test_several_steps_an_execution_are_refused_in_a_line():
    network = model(steps_per_execution=2)
    with pytest.raises((ValueError, RuntimeError), match="steps_per_execution"):
        fitted(network, [LRFinder(1e-4, 0.5)], epochs=3)
    curve = LearningRateFinder(network).find(Batches(), **SWEEP, epochs=3, verify=False)
    assert len(curve) == 12


@pytest.mark.slow
def test_network_of_the_tutorial_is_swept():
    network = MiniGoogLeNet.build(32, 32, 1, 10)
    network.compile(keras.optimizers.SGD(0.01, momentum=0.9), "categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = (
        rng.normal(size=(16, 32, 32, 1)).astype("float32"),
        np.eye(10, dtype="float32")[[*range(10), *range(6)]],
    )
    weights = network.get_weights()
    curve = LearningRateFinder(network).find((x, y), **SWEEP, num_steps=4, batch_size=8, verify=False)
    assert np.isfinite(curve.raw_losses).all()
    for got, expected in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("kind", ["a schedule", "another optimizer"])
def test_model_that_was_trained_is_swept_with_what_stands_in(kind):
    """JAX takes a step that was compiled before again, as long as it is held."""
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 40)
    optimizers = [schedule if kind == "a schedule" else 0.05, 0.05]
    network, twin = (
        model(keras.optimizers.SGD(each, momentum=momentum), dropout=0)
        for each, momentum in zip(optimizers, (0.9 if kind == "a schedule" else 0.1, 0.9), strict=True)
    )
    network.fit(X, Y, batch_size=16, verbose=0)
    twin.set_weights(network.get_weights())
    settings = {**SWEEP, "num_steps": 12, "batch_size": 16, "verify": False}
    if kind == "a schedule":
        twin.optimizer.build(twin.trainable_variables)
        for to, variable in zip(twin.optimizer.variables[2:], network.optimizer.variables[1:], strict=True):
            to.assign(keras.ops.convert_to_numpy(variable))
        curve = LearningRateFinder(network).find((X[:16], Y[:16]), **settings)
    else:
        other = keras.optimizers.SGD(0.05, momentum=0.9)
        curve = compare(network, {"other": other}, (X[:16], Y[:16]), **settings)["other"]
    oracle = []
    for lr in rates(12):
        twin.optimizer.learning_rate = float(lr)
        oracle.append(float(logs_of_step(twin, X[:16], Y[:16])["loss"]))
    np.testing.assert_allclose(curve.raw_losses, oracle[: len(curve)], rtol=1e-5)
    assert len(curve) > 9


class WithoutUse(keras.Model):
    """Has a layer that is never called, so that it is never built."""

    def __init__(self):
        super().__init__()
        self.used, self.unused = keras.layers.Dense(Y.shape[1]), keras.layers.Dense(2)

    def call(self, x):
        return self.used(x)


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
@pytest.mark.parametrize("is_trained", [True, False])
def test_model_with_a_layer_that_is_never_called_is_put_back(is_trained):
    network, twin = WithoutUse(), WithoutUse()
    for each in (network, twin):
        each.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
        each(X[:2])
    twin.set_weights(network.get_weights())
    if is_trained:
        fitted(network), fitted(twin)
    before = network.get_weights()
    LearningRateFinder(network).find((X, Y), **SWEEP, num_steps=8, batch_size=16, verify=False)
    fitted(network, [LRFinder(1e-4, 0.5)], epochs=2)
    for got, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(fitted(network).get_weights(), fitted(twin).get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [lambda each: each, lambda each: [each], lambda each: (each,)])
def test_callback_is_called_in_turn_however_it_is_given(shape):
    clr, lr_finder = CyclicLR(0.01, 0.05, 6), LRFinder(1e-4, 0.5, stop_factor=None)
    for callback in (clr, lr_finder):
        model(dropout=0).fit(Batches(), epochs=3, shuffle=False, callbacks=shape(callback), verbose=0)
    assert clr.history["iterations"] == list(range(1, 13))
    assert clr.history["lr"] == clr.preview(12).tolist()
    oracle = trained_by_hand(model(dropout=0), rates(12))
    np.testing.assert_allclose(lr_finder.curve.raw_losses, oracle, rtol=2e-6)


def test_independent_rates_of_a_schedule_are_measured_or_refused():
    def swept(optimizer):
        keras.utils.set_random_seed(0)
        finder = LearningRateFinder(model(optimizer, dropout=0), independent=True, steps_per_lr=2)
        return finder.find((X, Y), **SWEEP, num_steps=12, batch_size=16, verify=False)

    schedule = keras.optimizers.schedules.CosineDecay(0.05, 40)
    if BACKEND == "jax":
        with pytest.raises(RuntimeError, match="with `independent` each rate begins with the same count"):
            swept(keras.optimizers.SGD(schedule))
        return
    expected = swept(keras.optimizers.SGD(0.05)).raw_losses
    np.testing.assert_allclose(swept(keras.optimizers.SGD(schedule)).raw_losses, expected, rtol=1e-4)
