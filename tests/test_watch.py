"""A rate that is set has an effect, or whoever trains in place of the compiled optimizer is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch_lr import CyclicLR, LearningRateFinder, compare


class Idle(keras.Sequential):
    def train_step(self, batch):
        x, y = batch
        return {"loss": tf.reduce_mean((self(x) - y) ** 2)}


class TwoOptimizers(keras.Sequential):
    def compile(self, first, second):
        super().compile()
        self.parts = {"first": first, "second": second}

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        for optimizer, weight in zip(self.parts.values(), self.trainable_variables, strict=True):
            optimizer.apply([tape.gradient(loss, weight)], [weight])
        return {"loss": loss}


class TestTrainingWatch:
    x = np.ones((32, 2), "float32")

    def sweep(self, network):
        finder = LearningRateFinder(network)
        return finder.find((self.x, self.x[:, :1]), 1e-3, 1.0, num_steps=8, batch_size=8, verbose=0)

    def test_optimizers_in_a_dict_that_train_in_place_of_the_compiled_one_are_named(self):
        network = TwoOptimizers([keras.Input((2,)), keras.layers.Dense(1)])
        network.compile(keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.1))
        before = network.get_weights()
        named = r"parts\['first'\]` \(Adam\) and `parts\['second'\]` \(SGD\)"
        with pytest.raises(RuntimeError, match=named):
            self.sweep(network)
        for expected, got in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(got, expected)
        with pytest.raises(RuntimeError, match=named):
            network.fit(self.x, self.x[:, :1], batch_size=8, callbacks=[CyclicLR(0.1, 0.2, 2)], verbose=0)
        assert int(network.parts["first"].iterations) > 0  # of the second fit: a cycle puts nothing back

    def test_a_step_that_trains_nothing_is_refused(self):
        network = Idle([keras.Input((2,)), keras.layers.Dense(1)])
        network.compile("sgd")
        with pytest.raises(RuntimeError, match="has no effect"):
            self.sweep(network)

    def test_gradient_accumulation_and_loss_scale_are_no_reason(self):
        for optimizer in (
            keras.optimizers.SGD(0.1, gradient_accumulation_steps=4),
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        ):
            network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            network.compile(optimizer, "mse")
            assert len(self.sweep(network)) == 8

    @pytest.mark.parametrize("seed", range(4))
    def test_first_steps_that_overflow_in_float16_are_no_reason(self, seed):
        """The loss scale is made with the first step, and halved by each that overflows."""
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            keras.utils.set_random_seed(seed)
            network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            network.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
            x = np.random.default_rng(seed).normal(size=(320, 2)).astype("float32")
            clr = CyclicLR(1e-3, 1e-2, step_size=20)
            network.fit(x, x.sum(axis=1, keepdims=True), epochs=4, callbacks=[clr], verbose=0)
        finally:
            keras.config.set_dtype_policy(policy)
        assert len(clr.history["lr"]) == 40


class ByHand(keras.Sequential):
    """Sums the gradients of some batches up and applies them at the last of those; counts in TensorFlow."""

    every = 8

    def compile(self, *args, **kwargs):
        super().compile(*args, **kwargs)
        self.mine = list(self.trainable_variables)
        self.sums = [tf.Variable(tf.zeros(each.shape)) for each in self.mine]
        self.batches = tf.Variable(0)
        self.critic = keras.optimizers.SGD(0.1)
        self.critics_weight = keras.Variable(1.0)
        self.critic.build([self.critics_weight])

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        for total, gradient in zip(self.sums, tape.gradient(loss, self.mine), strict=True):
            total.assign_add(gradient)
        self.batches.assign_add(1)
        if self.trains_a_critic:
            self.critic.apply([tf.constant(0.1)], [self.critics_weight])
        tf.cond(self.batches % self.every == 0, self._apply, lambda: None)
        return {"loss": loss}

    def _apply(self):
        self.optimizer.apply([total / self.every for total in self.sums], self.mine)
        for total in self.sums:
            total.assign(tf.zeros_like(total))


@pytest.mark.parametrize("trains_a_critic", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", keras.optimizers.schedules.CosineDecay(0.1, 40)])
def test_an_optimizer_that_trains_every_few_batches_is_swept(trains_a_critic, optimizer):
    network = ByHand([keras.Input((2,)), keras.layers.Dense(1)])
    network.trains_a_critic = trains_a_critic
    network.compile(optimizer if optimizer == "sgd" else keras.optimizers.SGD(optimizer), "mse")
    x = np.random.default_rng(0).normal(size=(640, 2)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    curve = LearningRateFinder(network).find(dataset, 1e-3, 1.0, num_steps=80, verbose=0, verify=False)
    kernel, bias = (each.numpy().astype("float64") for each in network.mine)
    parts = [(x[begin : begin + 8], y[begin : begin + 8]) for begin in range(0, 640, 8)]
    sums, oracle = [0.0, 0.0], []
    for step, (lr, (inputs, targets)) in enumerate(zip(np.geomspace(1e-3, 1.0, 80), parts, strict=True), 1):
        missed = inputs @ kernel + bias - targets
        oracle.append(np.mean(missed**2))
        sums = [sums[0] + 2 * inputs.T @ missed / 8, sums[1] + 2 * missed.mean(axis=0)]
        if step % 8 == 0:
            kernel, bias = kernel - lr * sums[0] / 8, bias - lr * sums[1] / 8
            sums = [0.0, 0.0]
    np.testing.assert_allclose(curve.raw_losses, oracle, rtol=1e-4)
    if optimizer == "sgd":
        network.fit(x, y, batch_size=8, callbacks=[CyclicLR(0.01, 0.1, 40)], verbose=0)


class Outer(keras.optimizers.Optimizer):
    """Trains through an optimizer within it."""

    def __init__(self, **kwargs):
        super().__init__(learning_rate=0.5, name="outer", **kwargs)
        self.within = keras.optimizers.SGD(0.1)

    def build(self, variables):
        super().build(variables)
        self.within.build(variables)

    def apply(self, grads, trainable_variables=None):
        self.within.apply(grads, trainable_variables)
        self.iterations.assign_add(1)


class OfTheInner(Outer):
    @property
    def learning_rate(self):
        return self.within.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.within.learning_rate = value


class InnerOptimizer(Outer):
    """Under Keras's name for what is wrapped; its own rate is not used."""

    @property
    def inner_optimizer(self):
        return self.within


def test_an_optimizer_within_that_keeps_its_rate_is_told():
    x = np.ones((32, 2), "float32")
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.compile(Outer(), "mse")
    with pytest.warns(UserWarning, match="`SGD` within it, `optimizer.within`, trains too"):
        network.fit(x, x[:, :1], batch_size=8, callbacks=[CyclicLR(0.1, 0.2, 2)], verbose=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [OfTheInner, InnerOptimizer])
def test_the_rate_of_an_optimizer_within_is_cycled(kind):
    x = np.ones((32, 2), "float32")
    weights = []
    for optimizer in (kind(), keras.optimizers.SGD(0.1)):
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        network.compile(optimizer, "mse")
        network.fit(x, x[:, :1], batch_size=8, callbacks=[CyclicLR(0.01, 0.02, 2)], verbose=0)
        weights.append(network.get_weights())
    for got, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)


STEPS = {}


def compiled_step_of(network):
    """Not an attribute of the model: it keeps what it was traced with."""

    @tf.function(input_signature=[tf.TensorSpec((None, 2)), tf.TensorSpec((None, 1))])
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((network(x) - y) ** 2)
        gradients = tape.gradient(loss, network.trainable_variables)
        network.optimizer.apply(gradients, network.trainable_variables)
        return loss

    return step


class CompiledElsewhere(keras.Sequential):
    def train_step(self, batch):
        return {"loss": STEPS[self.name](*batch)}


class TestFunctionCompiledElsewhere:
    """Its trace is of before, or outlives the sweep."""

    def network(self, optimizer):
        network = CompiledElsewhere([keras.Input((2,)), keras.layers.Dense(1)])
        network.compile(optimizer)
        network.optimizer.build(network.trainable_variables)
        STEPS[network.name] = compiled_step_of(network)
        return network

    def data(self):
        x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
        pairs = tf.data.Dataset.from_tensor_slices((x, x.sum(axis=1, keepdims=True)))
        return pairs.batch(8, drop_remainder=True)

    def sweep(self, network):
        finder = LearningRateFinder(network)
        return finder.find(self.data(), 1e-3, 1.0, num_steps=16, verbose=0, verify=False)

    def test_a_schedule_that_was_traced_before_is_refused(self):
        network = self.network(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 40)))
        network.fit(self.data(), shuffle=False, verbose=0)
        before = network.get_weights()
        with pytest.raises(RuntimeError, match="did not read the learning rate of the model's optimizer"):
            self.sweep(network)
        for expected, got in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(got, expected)

    def test_a_schedule_that_is_traced_in_the_sweep_sets_the_rate_afterwards(self):
        network = self.network(
            keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.25, 4, 0.5))
        )
        twin = self.network(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.25, 4, 0.5)))
        number = self.network(keras.optimizers.SGD(0.1))
        for each in (twin, number):
            each.set_weights(network.get_weights())
        np.testing.assert_allclose(
            self.sweep(network).raw_losses, self.sweep(number).raw_losses, rtol=1e-6, atol=0
        )
        for each in (network, twin):
            each.fit(self.data(), epochs=2, shuffle=False, verbose=0)
        for expected, got in zip(twin.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-6)
        np.testing.assert_allclose(
            self.sweep(network).raw_losses[:3], self.sweep(network).raw_losses[:3], rtol=1e-6
        )

    def test_comparing_optimizers_that_it_does_not_use_is_refused(self):
        network = self.network(keras.optimizers.Adam(0.1))
        network.fit(self.data(), shuffle=False, verbose=0)
        before, slots = network.get_weights(), [each.numpy() for each in network.optimizer.variables]
        with pytest.raises(RuntimeError, match="trained by the `Adam` that it had before"):
            compare(network, {"SGD": "sgd"}, self.data(), 1e-3, 1.0, num_steps=16, verbose=0)
        for expected, got in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(got, expected)
        for expected, got in zip(slots, network.optimizer.variables, strict=True):
            np.testing.assert_array_equal(got.numpy(), expected)
