"""Momentum that is set from step to step, against what is computed by hand."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import data, model, state
from one_weight import fit_one_weight, one_weight

from pyimagesearch_lr import MidCycleWarning
from pyimagesearch_lr.cycles import CyclicLR, OneCycleLR
from pyimagesearch_lr.finder import PeriodicLRFinder

HOW = [{}, {"jit_compile": True}, {"run_eagerly": True}]


MAKE = {
    "SGD": lambda value: keras.optimizers.SGD(momentum=value),
    "Adam": lambda value: keras.optimizers.Adam(beta_1=value, amsgrad=True),
    "Lion": lambda value: keras.optimizers.Lion(beta_1=value),
    "LossScale": lambda value: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=value)),
}
MAKE_OTHERS = {
    "Nesterov": lambda value: keras.optimizers.SGD(
        momentum=value, nesterov=True, gradient_accumulation_steps=2
    ),
    "RMSprop": lambda value: keras.optimizers.RMSprop(momentum=value),
    "AdamW": lambda value: keras.optimizers.AdamW(beta_1=value),
    "Nadam": lambda value: keras.optimizers.Nadam(beta_1=value),
    "Adamax": lambda value: keras.optimizers.Adamax(beta_1=value),
    "Lamb": lambda value: keras.optimizers.Lamb(beta_1=value),
}


class TestMomentum:
    @pytest.mark.parametrize("how", HOW, ids=str)
    def test_of_sgd_takes_effect_in_the_step_as_computed_by_hand(self, how):
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        network = one_weight(keras.optimizers.SGD(7.0, momentum=0.9), **how)
        # velocity = momentum * velocity + rate, and the weight is the sum of the velocities:
        # momentum 0.75, 0.5, 0.25, 0.5 and rate 1, 2, 3, 2 give 1, 0.5 + 2, 0.625 + 3, 1.8125 + 2.
        assert fit_one_weight(network, [clr]) == 1 + 2.5 + 3.625 + 3.8125
        assert clr.history["momentum"] == [0.75, 0.5, 0.25, 0.5]

    @pytest.mark.parametrize("how", HOW, ids=str)
    def test_of_adam_takes_effect_in_the_step_as_computed_by_hand(self, how):
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.5, 0.75))
        weight = fit_one_weight(one_weight(keras.optimizers.Adam(7.0, epsilon=0.0), **how), [clr])
        # A gradient of -1 makes the second moment cancel out, so each step is rate * m / (1 - beta_1**t).
        m = expected = 0.0
        for t, (rate, beta) in enumerate([(1, 0.75), (2, 0.625), (3, 0.5), (2, 0.625)], start=1):
            m = beta * m + (1 - beta)
            expected += rate * m / (1 - beta**t)
        assert weight == pytest.approx(expected, rel=1e-5)

    def test_of_all_steps_of_an_execution_is_that_of_its_first(self):
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        network = one_weight(keras.optimizers.SGD(7.0, momentum=0.9), steps_per_execution=2)
        # Rates 1, 1, 3, 3 and momentum 0.75, 0.75, 0.25, 0.25.
        assert fit_one_weight(network, [clr]) == 1 + 1.75 + (0.4375 + 3) + (0.859375 + 3)

    @pytest.mark.parametrize(
        "make",
        [
            *(pytest.param(make, id=name) for name, make in MAKE.items()),
            *(pytest.param(make, id=name, marks=pytest.mark.slow) for name, make in MAKE_OTHERS.items()),
        ],
    )
    def test_set_to_a_constant_trains_as_an_optimizer_made_with_it(self, make):
        batches = tf.data.Dataset.from_tensor_slices(data(64)).batch(16)

        def trained(value, momentum):
            network = model(make(value))
            clr = CyclicLR(0.01, 0.05, 4, momentum=momentum)
            network.fit(batches, epochs=2, callbacks=[clr], verbose=0, shuffle=False)
            return state(network)["variables"]

        pairs = list(zip(trained(0.5, None), trained(0.9, (0.5, 0.5)), strict=True))
        for expected, got in pairs:
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
        plain = zip(pairs, trained(0.9, None), strict=True)
        assert any(not np.allclose(got, other, rtol=1e-3, atol=1e-4) for (_, got), other in plain)

    def test_in_mixed_float16_under_its_loss_scale(self):
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", dtype="mixed_float16")
        network = keras.Sequential([keras.Input((1,)), layer])
        scaled = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(7.0, momentum=0.9), initial_scale=2.0
        )
        network.compile(scaled, "mean_absolute_error")
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        assert fit_one_weight(network, [clr]) == 1 + 2.5 + 3.625 + 3.8125

    def test_is_the_optimizers_own_again_after_fit(self):
        network = one_weight(keras.optimizers.SGD(1.0, momentum=0.5))
        fit_one_weight(network, [])
        function = network.train_function
        fit_one_weight(network, [CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))])
        assert type(network.optimizer.momentum) is float
        assert network.optimizer.momentum == 0.5
        assert network.train_function is function
        before, rate = network.get_weights()[0].item(), float(network.optimizer.learning_rate)
        velocity = network.optimizer.variables[-1].numpy().item()
        assert fit_one_weight(network, [], steps=1) == before + 0.5 * velocity + rate

    def test_goes_on_over_several_fits_with_one_traced_step(self):
        traces = []

        class Counting(keras.Sequential):
            def train_step(self, data):
                traces.append(len(traces))
                return super().train_step(data)

        network = Counting(one_weight("sgd").layers)
        network.compile(keras.optimizers.SGD(7.0, momentum=0.9), "mean_absolute_error")
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        with pytest.warns(MidCycleWarning):
            fit_one_weight(network, [clr], steps=2)
        traced = len(traces)
        assert fit_one_weight(network, [clr], steps=2) == 1 + 2.5 + 3.625 + 3.8125
        assert len(traces) == traced
        network.compile(network.optimizer, "mean_absolute_error")
        fit_one_weight(network, [clr])
        assert len(traces) > traced

    def test_of_a_model_saved_meanwhile_is_its_own(self, tmp_path):
        network = one_weight(keras.optimizers.SGD(7.0, momentum=0.9))
        checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
        fit_one_weight(network, [CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75)), checkpoint])
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert loaded.optimizer.momentum == 0.9

    def test_is_undisturbed_by_sweeps_in_the_midst_of_fit(self):
        x, y = data(64)
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)

        def trained(*others):
            network = model()
            clr = CyclicLR(0.01, 0.05, 4, momentum=(0.25, 0.75))
            network.fit(batches, epochs=4, callbacks=[clr, *others], verbose=0, shuffle=False)
            assert network.optimizer.momentum == 0.9
            return state(network)["variables"]

        sweeps = PeriodicLRFinder(batches, every=1, start_lr=1e-4, end_lr=0.1, epochs=1, verbose=0)
        for expected, got in zip(trained(), trained(sweeps), strict=True):
            np.testing.assert_array_equal(got, expected)
        assert len(sweeps.curves) == 4

    @pytest.mark.parametrize("where", ["data", "on_train_batch_end", "on_epoch_end", "on_test_begin"])
    def test_training_after_an_error_has_the_optimizers_own(self, where):
        def batches():
            yield np.ones((1, 1)), np.full((1, 1), 100.0)
            if where == "data":
                raise OSError("broken")
            yield np.ones((1, 1)), np.full((1, 1), 100.0)

        class Raising(keras.callbacks.Callback):
            """Raises in one hook."""

        def broken(*args, **kwargs):
            raise OSError("broken")

        raising = Raising()
        if where != "data":
            setattr(raising, where, broken)
        network = one_weight(keras.optimizers.SGD(1.0, momentum=0.5))
        network.optimizer.build(network.trainable_variables)
        clr = CyclicLR(1.0, 3.0, 1, momentum=(0.25, 0.75))
        x = np.ones((1, 1))
        with pytest.raises(Exception, match="broken"):
            network.fit(
                batches(),
                steps_per_epoch=2,
                validation_data=(x, x),
                callbacks=[clr, raising],
                verbose=0,
                shuffle=False,
            )
        assert type(network.optimizer.momentum) is float
        network.optimizer.learning_rate = 4.0
        before = network.get_weights()[0].item()
        velocity = network.optimizer.variables[-1].numpy().item()
        assert fit_one_weight(network, [], steps=1) == before + 0.5 * velocity + 4

    def test_close_leaves_a_model_that_was_compiled_anew_alone(self):
        network = one_weight(keras.optimizers.SGD(momentum=0.9))
        raising = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: 1 / 0)
        clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
        with pytest.raises(ZeroDivisionError, match="division by zero"):
            fit_one_weight(network, [clr, raising])
        network.compile(keras.optimizers.SGD(1.0), "mean_absolute_error")
        fit_one_weight(network, [])
        function = network.train_function
        clr.close()
        clr.close()
        assert network.train_function is function

    @pytest.mark.parametrize(
        "optimizer", [keras.optimizers.SGD(), keras.optimizers.Adagrad()], ids=["SGD", "Adagrad"]
    )
    def test_that_is_not_there_is_an_error_which_says_what_has_one(self, optimizer):
        name = type(optimizer).__name__
        with pytest.raises(
            ValueError, match=rf"`OneCycleLR`: the momentum of `{name}` cannot be cycled.*Adam"
        ):
            fit_one_weight(one_weight(optimizer), [OneCycleLR(1.0, momentum=(0.85, 0.95))])

    @pytest.mark.skipif(not hasattr(keras.optimizers, "ScheduleFreeAdamW"), reason="new in Keras 3.13")
    def test_of_an_average_that_needs_one_value_is_refused(self):
        optimizer = keras.optimizers.ScheduleFreeAdamW()
        with pytest.raises(
            ValueError, match="`CyclicLR`: the `beta_1` of `ScheduleFreeAdamW` cannot be cycled"
        ):
            fit_one_weight(one_weight(optimizer), [CyclicLR(momentum=(0.85, 0.95))])

    def test_of_one_cycle_mirrors_the_rate(self):
        clr = OneCycleLR(1.0, pct_start=0.6, anneal="linear", momentum=(0.85, 0.95))
        fit_one_weight(one_weight(keras.optimizers.Adam()), [clr], steps=5)
        np.testing.assert_allclose(clr.history["momentum"], [0.95, 0.9, 0.85, 0.9, 0.95])


def weight_of(velocity, rates_and_momenta):
    """The sum of the velocities, each its momentum times the one before, plus its rate; and the last one."""
    weight = 0.0
    for rate, momentum in rates_and_momenta:
        velocity = momentum * velocity + rate
        weight += velocity
    return weight, velocity


class Stepping(keras.Model):
    """A weight, and a step that a subclass compiles in some way of its own."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")

    def call(self, x):
        return self.dense(x)

    def step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self(x, training=True) - y))
        if tf.reduce_sum(x) > 0:  # Python only to what is traced with AutoGraph
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


class CompiledTrainStep(Stepping):
    @tf.function
    def train_step(self, data):
        return self.step(data)


class CompiledWithOptions(Stepping):
    @tf.function(reduce_retracing=True, jit_compile=True)
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self(x, training=True) - y))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


class CompiledHelper(Stepping):
    def train_step(self, data):
        return self.compiled_step(data)

    @tf.function
    def compiled_step(self, data):
        return self.step(data)


class CompiledAttribute(Stepping):
    def __init__(self):
        super().__init__()
        self.compiled_step = tf.function(self.step)

    def train_step(self, data):
        return self.compiled_step(data)


class TestUsersOwnCompiledStep:
    KINDS = (CompiledTrainStep, CompiledWithOptions, CompiledHelper, CompiledAttribute)
    CYCLE = ((1, 0.75), (2, 0.5), (3, 0.25), (2, 0.5))

    def made(self, kind):
        network = kind()
        network(np.ones((1, 1)))
        network.compile(keras.optimizers.SGD(1.0, momentum=0.5))
        network.optimizer.build(network.trainable_variables)
        return network

    def clr(self):
        return CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75), start_step=None)

    @pytest.mark.parametrize("kind", KINDS)
    def test_has_the_cycled_momentum_and_then_its_own(self, kind):
        network = self.made(kind)
        weight, velocity = weight_of(0.0, self.CYCLE)
        assert fit_one_weight(network, [self.clr()]) == weight
        network.optimizer.learning_rate = 1.0
        further, _ = weight_of(velocity, [(1, 0.5)] * 4)
        assert fit_one_weight(network, []) == weight + further

    @pytest.mark.parametrize("kind", KINDS)
    def test_has_the_cycled_momentum_after_a_plain_fit_and_again(self, kind):
        network = self.made(kind)
        weight, velocity = weight_of(0.0, [(1, 0.5)] * 4)
        assert fit_one_weight(network, []) == weight
        for _ in range(2):
            further, velocity = weight_of(velocity, self.CYCLE)
            weight += further
            assert fit_one_weight(network, [self.clr()]) == pytest.approx(weight, rel=1e-6)

    def test_out_of_reach_is_an_error_that_says_so(self):
        @tf.function
        def step(network, x, y):
            return network.step((x, y))

        class OutOfReach(Stepping):
            def train_step(self, data):
                return step(self, *data)

        network = self.made(OutOfReach)
        fit_one_weight(network, [])
        with pytest.raises(
            RuntimeError, match=r"`CyclicLR`: the step.*did not read the momentum.*leave `mom"
        ):
            fit_one_weight(network, [self.clr()])
        assert type(network.optimizer.momentum) is float

    def test_out_of_reach_that_is_traced_in_our_fit_has_the_optimizers_own_afterwards(self):
        @tf.function
        def step(network, x, y):
            return network.step((x, y))

        class OutOfReach(Stepping):
            def train_step(self, data):
                return step(self, *data)

        network = self.made(OutOfReach)
        weight, velocity = weight_of(0.0, self.CYCLE)
        assert fit_one_weight(network, [self.clr()]) == weight
        network.optimizer.learning_rate = 1.0
        further, _ = weight_of(velocity, [(1, 0.5)] * 4)
        assert fit_one_weight(network, []) == weight + further


@pytest.mark.parametrize("compiled", [False, True])
def test_in_a_loop_of_ones_own(compiled):
    network = one_weight(keras.optimizers.SGD(7.0, momentum=0.9))
    network.optimizer.build(network.trainable_variables)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(network(x) - 100))
        network.optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)

    step = tf.function(step) if compiled else step
    clr = CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))
    callbacks = keras.callbacks.CallbackList([clr], model=network)
    callbacks.on_train_begin()
    for number in range(4):
        callbacks.on_train_batch_begin(number)
        step(tf.ones((1, 1)))
        callbacks.on_train_batch_end(number)
    callbacks.on_train_end()
    assert network.get_weights()[0].item() == 1 + 2.5 + 3.625 + 3.8125
    assert type(network.optimizer.momentum) is float
    assert clr.history["momentum"] == [0.75, 0.5, 0.25, 0.5]


ON_JAX = """
import keras
from one_weight import fit_one_weight, one_weight
from pyimagesearch_lr.cycles import CyclicLR
assert keras.backend.backend() == "jax"
network = one_weight(keras.optimizers.SGD(7.0, momentum=0.9), **{compile_kwargs})
print(fit_one_weight(network, [CyclicLR(1.0, 3.0, 2, momentum=(0.25, 0.75))]), network.optimizer.momentum)
"""


def on_jax(compile_kwargs, environment):
    code = ON_JAX.format(compile_kwargs=compile_kwargs)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("compile_kwargs", [{"jit_compile": False}, {"run_eagerly": True}])
def test_on_jax_it_is_cycled_in_a_step_that_is_not_compiled(compile_kwargs, jax_environment):
    assert on_jax(compile_kwargs, jax_environment).stdout == f"{1 + 2.5 + 3.625 + 3.8125} 0.9\n"


def test_on_jax_a_compiled_step_is_refused_by_name(jax_environment):
    said = on_jax({}, jax_environment).stderr.splitlines()[-1]
    assert said.startswith(
        "RuntimeError: `CyclicLR`: `momentum` cannot be cycled in a step that the jax backend"
    )
    assert "`jit_compile=False`" in said
